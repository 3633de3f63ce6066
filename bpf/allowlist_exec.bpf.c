// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Example: only the files in an inode map may be executed. The loader is allowlist_exec.c.
 *
 * The policy fails closed. The program allows execution only when inode_map_read() returns 0: the
 * file is in the map. It denies when somebody empties the map, when the id names no map, and when
 * another file of the same name replaces an allowed one.
 *
 * The program checks every file that execve(2) executes, whatever path leads to it. For a script
 * it also checks the interpreter in the first line ("#!"): both have to be in the map.
 *
 * It does not check:
 *
 *   - libraries and the dynamic linker, which are mapped, not executed ("lsm/mmap_file" is the hook
 *     for these);
 *   - scripts that an interpreter reads: "sh script" executes sh, and script is data;
 *   - programs that run already, and what a running program does to its own memory;
 *   - the contents: an allowed file that is written to stays allowed. Make it immutable, or see
 *     guard/guard.bpf.c.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include <inode_map.bpf.h>

/* BTF does not have the kernel's macros. */
#define EPERM	1

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The loader sets these before it loads the program: to the verifier they are constants. */
const volatile __u32 allowed_id;
const volatile bool one_cgroup;

/* The cgroup whose tasks the policy is for, if one_cgroup is set. */
struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} cgroups SEC(".maps");

/* True also when the helper fails (a negative errno): the policy fails closed. */
static __always_inline bool is_meant(void)
{
	return !one_cgroup || bpf_current_task_under_cgroup(&cgroups, 0);
}

/* @ret is the return value of an earlier program at this hook: its denial stands. */
SEC("lsm/bprm_check_security")
int BPF_PROG(check_exec, struct linux_binprm *bprm, int ret)
{
	__u32 value = 0;

	if (ret || !is_meant())
		return ret;
	return inode_map_read(allowed_id, bprm->file->f_inode, &value) ? -EPERM : 0;
}
