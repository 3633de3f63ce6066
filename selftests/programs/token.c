// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF tokens let a container load programs. These programs may not call the module's functions,
 * which would find the host's maps by their ids.
 *
 * The headers and the libbpf of Debian 12 do not know tokens yet.
 */
#include "harness.h"

#include <bpf/btf.h>
#include <linux/filter.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define KERNEL_ENOTSUPP	524
#define TOKEN_CREATE	36		/* BPF_TOKEN_CREATE */
#define WITH_TOKEN	(1U << 16)	/* BPF_F_TOKEN_FD */
#define TOKEN_OFFSET	144		/* of prog_token_fd in union bpf_attr */

union attr {
	union bpf_attr bpf;
	struct {
		__u8 before[TOKEN_OFFSET];
		__s32 token;
	};
	__u8 all[256];
};

/* Passing descriptors between processes */

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static void send_fd(int socket, int fd)
{
	union control control = {};
	struct iovec byte = { "", 1 };
	struct msghdr message = {
		.msg_iov = &byte, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	CHECK_SYS(sendmsg(socket, &message, 0));
}

static int receive_fd(int socket)
{
	union control control = {};
	char byte;
	struct iovec iovec = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &iovec, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;
	int fd;

	if (CHECK_SYS(recvmsg(socket, &message, 0)) != 1)
		FAIL("the other process is gone");
	header = CMSG_FIRSTHDR(&message);
	CHECK(header && header->cmsg_type == SCM_RIGHTS);
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/* The container has a BPF file system of its own, and creates the token from it. */
static void run_container(void *arg)
{
	union attr attr = {};
	int socket = *(int *)arg, fd;

	CHECK_SYS(unshare(CLONE_NEWUSER | CLONE_NEWNS));
	send_fd(socket, CHECK_SYS(fsopen("bpf", FSOPEN_CLOEXEC)));
	fd = receive_fd(socket);
	/* { flags, bpffs_fd } */
	((__u32 *)attr.all)[1] = CHECK_SYS(openat(fd, ".", O_RDONLY | O_CLOEXEC));
	fd = CHECK_SYS(syscall(SYS_bpf, TOKEN_CREATE, &attr, 8));
	send_fd(socket, fd);
}

/* The host delegates everything it can. */
static int token_create(void)
{
	static const char *const options[] = {
		"delegate_cmds", "delegate_maps", "delegate_progs", "delegate_attachs",
	};
	int sockets[2], fd, token;
	pid_t pid;

	CHECK_SYS(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets));
	pid = child_start(run_container, &sockets[1]);
	fd = receive_fd(sockets[0]);
	for (unsigned int i = 0; i < ARRAY_SIZE(options); i++)
		CHECK_SYS(fsconfig(fd, FSCONFIG_SET_STRING, options[i], "any", 0));
	CHECK_SYS(fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	send_fd(sockets[0], CHECK_SYS(fsmount(fd, FSMOUNT_CLOEXEC, 0)));
	token = receive_fd(sockets[0]);
	child_wait(pid);
	return token;
}

/* Open the module's BTF, and find the function @name in it. */
static int module_btf(const char *name, __s32 *function)
{
	struct btf *base = btf__load_vmlinux_btf(), *btf;
	__u32 id = 0;

	CHECK(base);
	while (!bpf_btf_get_next_id(id, &id)) {
		char module[64] = "";
		struct bpf_btf_info info = {
			.name = (__u64)(unsigned long)module, .name_len = sizeof(module),
		};
		__u32 size = sizeof(info);
		int fd = bpf_btf_get_fd_by_id(id);

		if (fd < 0)
			continue;
		CHECK_OK(bpf_obj_get_info_by_fd(fd, &info, &size));
		if (strcmp(module, "inode_map")) {
			close(fd);
			continue;
		}
		btf = btf__load_from_kernel_by_id_split(id, base);
		CHECK(btf);
		*function = btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);
		CHECK(*function > 0);
		return fd;
	}
	FAIL("the module has no BTF");
}

/* Load a program that calls @function unless 0. Returns its descriptor or a negative errno. */
static int load(int btf_fd, __s32 function, int token)
{
	const int fds[] = { 0, btf_fd };
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2 },
		{ .code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_KFUNC_CALL, .off = 1,
		  .imm = function },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	const struct bpf_insn *first = function ? insns : &insns[3];
	union attr attr = {
		.bpf = {
			.prog_type = BPF_PROG_TYPE_SYSCALL,
			.insns = (__u64)(unsigned long)first,
			.insn_cnt = insns + ARRAY_SIZE(insns) - first,
			.license = (__u64)(unsigned long)"GPL",
			.prog_flags = BPF_F_SLEEPABLE | (token >= 0 ? WITH_TOKEN : 0),
			.fd_array = (__u64)(unsigned long)fds,
		},
	};
	int fd;

	if (token >= 0)
		attr.token = token;
	fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, TOKEN_OFFSET + (token >= 0 ? 4 : 0));
	return fd < 0 ? -errno : fd;
}

TEST(program_of_a_container)
{
	int token = token_create(), btf_fd, fd;
	__s32 function;

	btf_fd = module_btf("bpf_inode_map_delete_handle", &function);
	/* Function and token are each fine alone, but not together. */
	fd = load(btf_fd, function, -1);
	if (fd == -KERNEL_ENOTSUPP)
		SKIP("this kernel has no compiler for BPF programs");
	close(CHECK_OK(fd));
	close(CHECK_OK(load(btf_fd, 0, token)));
	CHECK_ERR(load(btf_fd, function, token), EACCES);
	close(btf_fd);
	close(token);
}
