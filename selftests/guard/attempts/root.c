// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What root can do that rules for files do not cover, while nothing below / can be changed. Run by
 * ../bypass_subject.c, with the guard started.
 */
#include "bypass.h"
#include "subject.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/kexec.h>

/* Memory that nothing else uses, and its size. */
#ifdef __aarch64__
#define KERNEL_ADDRESS	((void *)((1UL << 30) + (16UL << 20)))
#else
#define KERNEL_ADDRESS	((void *)(16UL << 20))
#endif
#define KERNEL_SIZE	4096

/* The rule must hold, or else this proves nothing. */
static int guard_all(void)
{
	int fd;

	guard("deny --ops write,delete,rename,link,attr --tree /");
	fd = result(open("/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	return fd == -EPERM ? 0 : -ENOTRECOVERABLE;
}

/*
 * With the driver built in, the only module may be inode_map itself, which is loaded: the kernel
 * finds that out after everyone who may refuse a module had a say.
 */
static int load_again(void)
{
	int fd = CHECK_SYS(open("/lib/modules/extra/inode_map.ko", O_RDONLY | O_CLOEXEC)), err;

	err = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return err == -EEXIST ? 0 : err;
}

static int try_module(void)
{
	int err = guard_all();

	if (err)
		return err;
	sh("rmmod dummy 2>/dev/null");
	if (sh("modprobe dummy && grep -q '^dummy ' /proc/modules"))
		return load_again();
	CHECK_EQ(sh("rmmod dummy"), 0);
	return 0;
}

static int try_program(void)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int err = guard_all(), fd;

	if (err)
		return err;
	fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, NULL, "GPL", code, ARRAY_SIZE(code), NULL);
	return fd < 0 ? -errno : 0;
}

int load_kernel(void)
{
	static char code[KERNEL_SIZE];
	struct kexec_segment segment = { code, sizeof(code), KERNEL_ADDRESS, KERNEL_SIZE };
	char loaded[8];

	if (syscall(SYS_kexec_load, KERNEL_ADDRESS, 1, &segment, KEXEC_ARCH_DEFAULT))
		return -errno;
	file_read("/sys/kernel/kexec_loaded", loaded, sizeof(loaded));
	CHECK_SYS(syscall(SYS_kexec_load, NULL, 0, NULL, KEXEC_ARCH_DEFAULT));
	return *loaded == '1' ? 0 : -ENODATA;
}

static int try_kernel(void)
{
	return guard_all() ?: load_kernel();
}

#define WHY	"the guard is of files; keep who is not to be trusted from being root,"

const struct subject_attempt root_limits[] = {
	{ .name = "root: loading a module", .run = try_module, .may = true, .why_not = WHY },
	{ .name = "root: loading a BPF program", .run = try_program, .may = true, .why_not = WHY },
	{ .name = "root: loading another kernel", .run = try_kernel, .may = true, .why_not = WHY },
	{ }
};
