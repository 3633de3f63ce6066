// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What root tries with the guard's pins, maps and programs, and with the kernel. Run by
 * ../bypass_seal.c in the mount namespace of process 1, which has what the attempts need.
 */
#include "bypass.h"
#include "seal.h"
#include "subject.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <sched.h>
#include <sys/file.h>
#ifdef __x86_64__
#include <sys/io.h>
#endif

#define SPOT		DIR_PATH "/spot"	/* an empty directory */
#define MODULE		DIR_PATH "/unsigned.ko"

int seal_early_switch = -1;

/* Pins */

static int try_unlink(void)
{
	return result(unlink(PINS "/guard_open"));
}

static int try_rename(void)
{
	if (rename(PINS, BPF_DIR "/moved"))
		return -errno;
	return result(rename(BPF_DIR "/moved", PINS));
}

static int try_rename_pin(void)
{
	return result(rename(PINS "/guard_open", BPF_DIR "/moved"));
}

/* A new entry could take a pin's place and hide it from the tool. */
static int try_new_name(void)
{
	if (mkdir(PINS "/new", 0700))
		return -errno;
	return result(rmdir(PINS "/new"));
}

static int try_mode(void)
{
	if (chmod(PINS, 0777))
		return -errno;
	return result(chmod(PINS, 0700));
}

/* While somebody holds this lock, no tool can change anything. */
static int lock_directory(const char *path)
{
	int fd = result(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	return fd < 0 ? fd : result(flock(fd, LOCK_EX | LOCK_NB));
}

static int try_lock(void)
{
	return lock_directory(PINS);
}

static int try_lock_watch(void)
{
	return lock_directory(PINS "/watch");
}

/* Mounts */

static int mount_over(const char *path)
{
	if (mount("over", path, "tmpfs", 0, NULL))
		return -errno;
	return result(umount(path));
}

static int try_over_pins(void)
{
	return mount_over(PINS);
}

static int try_over_filesystem(void)
{
	return mount_over(BPF_DIR);
}

static int try_over_above(void)
{
	return mount_over("/sys/fs");
}

static int try_over_sys(void)
{
	return mount_over("/sys");
}

static int try_over_pin(void)
{
	close(file_create(DIR_PATH "/pin"));
	if (mount(DIR_PATH "/pin", PINS "/state", NULL, MS_BIND, NULL))
		return -errno;
	return result(umount(PINS "/state"));
}

static int try_over_by_move(void)
{
	int fs = result(fsopen("tmpfs", 0)), fd;

	if (fs < 0)
		return fs;
	CHECK_SYS(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	fd = CHECK_SYS(fsmount(fs, 0, 0));
	if (move_mount(fd, "", AT_FDCWD, BPF_DIR, MOVE_MOUNT_F_EMPTY_PATH))
		return -errno;
	return result(umount2(BPF_DIR, MNT_DETACH));
}

static int try_move(void)
{
	if (mount(BPF_DIR, SPOT, NULL, MS_MOVE, NULL))
		return -errno;
	return result(mount(SPOT, BPF_DIR, NULL, MS_MOVE, NULL));
}

static int try_move_by_descriptor(void)
{
	int fd = result(open_tree(AT_FDCWD, BPF_DIR, 0));

	if (fd < 0)
		return fd;
	if (move_mount(fd, "", AT_FDCWD, SPOT, MOVE_MOUNT_F_EMPTY_PATH))
		return -errno;
	return result(move_mount(fd, "", AT_FDCWD, BPF_DIR, MOVE_MOUNT_F_EMPTY_PATH));
}

static int try_umount(void)
{
	return result(umount(BPF_DIR));
}

static int try_umount_lazily(void)
{
	return result(umount2(BPF_DIR, MNT_DETACH));
}

/* With everything mounted below. */
static int try_umount_above(void)
{
	return result(umount2("/sys", MNT_DETACH));
}

/* Unmount in another namespace, from where the unmount propagates to this one. */
static int umount_elsewhere(const char *path)
{
	int err;

	CHECK_SYS(mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL));
	CHECK_SYS(unshare(CLONE_NEWNS));
	err = result(umount2(path, MNT_DETACH));
	if (err)
		return err;
	return access("/proc/1/root" PINS, F_OK) ? 0 : -ENODATA;
}

static int try_umount_elsewhere(void)
{
	return umount_elsewhere(BPF_DIR);
}

static int try_umount_above_elsewhere(void)
{
	return umount_elsewhere("/sys");
}

/* Maps, programs, links */

static int try_get_map(void)
{
	int fd = result(bpf_obj_get(PINS "/rules"));

	return fd < 0 ? fd : 0;
}

static int try_get_map_to_read(void)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = BPF_F_RDONLY);
	int fd = result(bpf_obj_get_opts(PINS "/rules", &opts));

	return fd < 0 ? fd : 0;
}

/* Look for an object by id: 0 if it can be opened, or the error. */
static int get_by_id(int (*next)(__u32 from, __u32 *id), int (*get)(__u32 id), bool (*is)(int fd))
{
	int fd, err = -ENOENT;
	__u32 id = 0;

	while (!next(id, &id)) {
		fd = get(id);
		if (fd < 0 && errno != ENOENT)
			err = -errno;
		if (fd < 0)
			continue;
		if (is(fd))
			return 0;
		close(fd);
	}
	return err;
}

static bool is_guards_map(int fd)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &size) && !strcmp(info.name, "rules");
}

static bool is_guards_program(int fd)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &size) && !strcmp(info.name, "guard_open");
}

static int try_map_by_id(void)
{
	return get_by_id(bpf_map_get_next_id, bpf_map_get_fd_by_id, is_guards_map);
}

static int try_program_by_id(void)
{
	return get_by_id(bpf_prog_get_next_id, bpf_prog_get_fd_by_id, is_guards_program);
}

static int try_detach(void)
{
	int fd = result(bpf_obj_get(PINS "/guard_open"));

	return fd < 0 ? fd : result(bpf_link_detach(fd));
}

static int load_program(enum bpf_prog_type type, const struct bpf_insn *code, size_t size,
			const char *function)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts);

	if (function) {
		opts.expected_attach_type = BPF_MODIFY_RETURN;
		opts.attach_btf_id = CHECK_OK(libbpf_find_vmlinux_btf_id(function,
									 BPF_MODIFY_RETURN));
	}
	return result(bpf_prog_load(type, "attempt", "GPL", code, size, &opts));
}

static const struct bpf_insn nothing[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

/* Load a program that could replace the hook's decision about maps. */
static int try_decide(void)
{
	int fd = load_program(BPF_PROG_TYPE_TRACING, nothing, ARRAY_SIZE(nothing),
			      "security_bpf_map");

	return fd < 0 ? fd : 0;
}

/* Load a program that could change the tool's memory. */
static int try_write_user(void)
{
	static const struct bpf_insn code[] = {
		{ .code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_10, .off = -8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = BPF_REG_10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_2, .imm = -8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = 8 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_write_user },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = load_program(BPF_PROG_TYPE_KPROBE, code, ARRAY_SIZE(code), NULL);

	return fd < 0 ? fd : 0;
}

/* The kernel */

static int switch_off(int fd)
{
	if (pwrite(fd, "0", 1, 0) != 1)
		return -errno;
	return pwrite(fd, "1", 1, 0) == 1 ? 0 : -errno;
}

static int try_switch(void)
{
	int fd = result(open(FTRACE_SWITCH, O_WRONLY | O_CLOEXEC));

	return fd < 0 ? fd : switch_off(fd);
}

static int try_early_switch(void)
{
	return switch_off(seal_early_switch);
}

/* Through another mount of procfs. */
static int try_switch_elsewhere(void)
{
	int fd;

	CHECK_SYS(unshare(CLONE_NEWNS));
	CHECK_SYS(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK_SYS(mount("proc", SPOT, "proc", 0, NULL));
	fd = result(open(SPOT "/sys/kernel/ftrace_enabled", O_RDWR | O_CLOEXEC));
	return fd < 0 ? fd : switch_off(fd);
}

/* The end of Debian's modules: see include/linux/module_signature.h. */
#define SIGNATURE_END	"~Module signature appended~\n"
#define SIGNATURE_HEAD	12

static void make_unsigned_module(void)
{
	size_t end = strlen(SIGNATURE_END);
	unsigned char tail[SIGNATURE_HEAD + sizeof(SIGNATURE_END)];
	struct stat stat;
	int fd;

	CHECK_EQ(sh("cp $(find /lib/modules -name dummy.ko) " MODULE), 0);
	fd = file_open(MODULE, O_RDWR);
	CHECK_SYS(fstat(fd, &stat));
	CHECK(pread(fd, tail, SIGNATURE_HEAD + end, stat.st_size - SIGNATURE_HEAD - end) > 0);
	if (!memcmp(tail + SIGNATURE_HEAD, SIGNATURE_END, end))
		CHECK_SYS(ftruncate(fd, stat.st_size - SIGNATURE_HEAD - end -
				    (tail[8] << 24 | tail[9] << 16 | tail[10] << 8 | tail[11])));
	close(fd);
}

static int unload_dummy(void)
{
	return result(syscall(SYS_delete_module, "dummy", O_NONBLOCK));
}

static int try_module(void)
{
	int fd;

	make_unsigned_module();
	fd = file_open(MODULE, O_RDONLY);
	if (syscall(SYS_finit_module, fd, "", 0))
		return -errno;
	return unload_dummy();
}

static int try_module_from_memory(void)
{
	struct stat stat;
	void *memory;
	int fd;

	make_unsigned_module();
	fd = file_open(MODULE, O_RDONLY);
	CHECK_SYS(fstat(fd, &stat));
	memory = mmap(NULL, stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(memory != MAP_FAILED);
	if (syscall(SYS_init_module, memory, stat.st_size, ""))
		return -errno;
	return unload_dummy();
}

const char *seal_no_module(void)
{
	return sh("find /lib/modules -name 'dummy.ko*' | grep -q .") ? "it has no module to load" :
	       NULL;
}

/* Try with dummy what rmmod -f would do to the guard's module, which is in use. */
static int try_unload_by_force(void)
{
	int err;

	CHECK_EQ(sh("modprobe dummy"), 0);
	err = result(syscall(SYS_delete_module, "dummy", O_NONBLOCK | O_TRUNC));
	if (err)
		CHECK_EQ(unload_dummy(), 0);
	return err;
}

static int try_unload(void)
{
	return result(syscall(SYS_delete_module, "inode_map", O_NONBLOCK));
}

static int try_remove_device(void)
{
	return sh("ip link delete inode_map 2>/dev/null") ? -EOPNOTSUPP : 0;
}

static int try_kernel(void)
{
	return load_kernel();
}

/* The file is no kernel: does the kernel look at it? */
static int try_kernel_file(void)
{
	int fd = file_create(DIR_PATH "/kernel"), err;

	err = result(syscall(SYS_kexec_file_load, fd, -1, 1UL, "", 4UL));
	return err == -EPERM ? err : err ? 0 : -ENODATA;
}

static const char *no_kexec_file(void)
{
	return sh("zgrep -q CONFIG_KEXEC_FILE=y /proc/config.gz 2>/dev/null") &&
	       result(syscall(SYS_kexec_file_load, -1, -1, 0, NULL, 0)) == -ENOSYS ?
	       "it has no kexec_file_load(2)" : NULL;
}

static int try_memory(void)
{
	int fd = result(open("/dev/mem", O_RDWR | O_CLOEXEC));

	return fd < 0 ? fd : 0;
}

static const char *no_memory(void)
{
	return access("/dev/mem", F_OK) ? "it has no /dev/mem" : NULL;
}

static int try_ports(void)
{
#ifdef __x86_64__
	return result(ioperm(0x80, 1, 1));
#else
	return -ENOSYS;
#endif
}

static const char *no_ports(void)
{
#ifdef __x86_64__
	return ioperm(0x80, 1, 0) && errno == ENOSYS ? "it gives nobody ports" : NULL;
#else
	return "this architecture has no ports";
#endif
}

#define DISK		"/sys/power/disk"

/* The kernel tells that in advance. */
static int try_hibernation(void)
{
	char text[256];

	file_read(DISK, text, sizeof(text));
	return strstr(text, "[disabled]") ? -EPERM : 0;
}

static const char *no_hibernation(void)
{
	return access(DISK, F_OK) ? "it can't hibernate" : NULL;
}

#define DEBUG_FILE	"/sys/kernel/debug/clear_warn_once"

static int try_debugfs(void)
{
	int fd = result(open(DEBUG_FILE, O_WRONLY | O_CLOEXEC));

	return fd < 0 ? fd : 0;
}

static const char *no_debugfs(void)
{
	return access(DEBUG_FILE, F_OK) ? "it has no " DEBUG_FILE : NULL;
}

/* Attempts that end the guard, or unmount its files, come last. */
const struct seal_attempt seal_pins[] = {
	SEAL_TRY("the pins: rename(2) of their directory", try_rename),
	SEAL_TRY("the pins: mkdir(2) among them", try_new_name),
	SEAL_TRY("the pins: chmod(2) of their directory", try_mode),
	SEAL_TRY("the pins: flock(2) of their directory", try_lock),
	SEAL_TRY("the pins: flock(2) of the directory of watchers", try_lock_watch),
	SEAL_TRY("mount(2) over the pins", try_over_pins),
	SEAL_TRY("mount(2) over one of them", try_over_pin),
	SEAL_TRY("mount(2) over their filesystem", try_over_filesystem),
	SEAL_TRY("mount(2) over a directory above", try_over_above),
	SEAL_TRY("mount(2) over /sys", try_over_sys),
	SEAL_TRY("move_mount(2) over their filesystem", try_over_by_move),
	SEAL_TRY("moving their filesystem by mount(2)", try_move),
	SEAL_TRY("moving their filesystem by move_mount(2)", try_move_by_descriptor),
	SEAL_TRY("BPF_OBJ_GET of a map", try_get_map),
	SEAL_TRY("BPF_OBJ_GET of a map, to read", try_get_map_to_read),
	SEAL_TRY("BPF_MAP_GET_FD_BY_ID", try_map_by_id),
	SEAL_TRY("BPF_PROG_GET_FD_BY_ID", try_program_by_id),
	SEAL_TRY("BPF_LINK_DETACH", try_detach, .always = EOPNOTSUPP),
	SEAL_TRY("a program that decides in the place of a hook", try_decide),
	SEAL_TRY("a program that writes to the memory of processes", try_write_user,
		 .error = EINVAL),
	SEAL_TRY("the pins: unlink(2)", try_unlink, .ends = true),
	SEAL_TRY("the pins: rename(2) of one", try_rename_pin, .ends = true),
	SEAL_TRY("umount(2) of their filesystem", try_umount, .ends = true),
	SEAL_TRY("umount(2) of their filesystem, lazily", try_umount_lazily, .ends = true),
	SEAL_TRY("umount(2) of /sys, with all below", try_umount_above, .ends = true),
	SEAL_TRY("umount(2) in another mount namespace, whose mounts are shared",
		 try_umount_elsewhere, .ends = true),
	SEAL_TRY("umount(2) of /sys in such a namespace", try_umount_above_elsewhere, .ends = true),
	{ }
};

const struct seal_attempt seal_kernel[] = {
	SEAL_TRY("kernel.ftrace_enabled", try_switch),
	SEAL_TRY("kernel.ftrace_enabled, by a descriptor from before", try_early_switch),
	SEAL_TRY("kernel.ftrace_enabled, in another mount of procfs", try_switch_elsewhere),
	SEAL_TRY("a module without signature", try_module, .missing = seal_no_module),
	SEAL_TRY("a module without signature, from memory", try_module_from_memory,
		 .missing = seal_no_module),
	SEAL_TRY("unloading a module by force", try_unload_by_force, .missing = seal_no_module),
	SEAL_TRY("unloading the guard's module", try_unload, .always = EWOULDBLOCK),
	SEAL_TRY("removing the module's device", try_remove_device, .always = EOPNOTSUPP),
	SEAL_TRY("kexec_load(2)", try_kernel),
	SEAL_TRY("kexec_file_load(2)", try_kernel_file, .missing = no_kexec_file),
	SEAL_TRY("/dev/mem", try_memory, .missing = no_memory),
	SEAL_TRY("ports", try_ports, .missing = no_ports),
	SEAL_TRY("hibernation", try_hibernation, .missing = no_hibernation),
	SEAL_TRY("writing to debugfs", try_debugfs, .missing = no_debugfs),
	{ }
};
