// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Example: only the files in an inode map may be executed. The loader is allowlist_exec.c.
 *
 * The policy fails closed. inode_map_read() says 0 when the file is in the map, and nothing else is
 * taken for an answer: when somebody empties the map, when the id names no map, when a file is
 * replaced by another one of the same name, execution is denied.
 *
 * What is checked: every file that the kernel is told to execute by execve(2), whatever path leads
 * to it, and for a script then the interpreter that its first line names ("#!"): each of the two
 * has to be in the map.
 *
 * What is not:
 *
 *   - libraries and the dynamic linker, which are mapped by the program ("lsm/mmap_file" would be
 *     the hook for these);
 *   - a script that an interpreter is told to read: "sh script" executes sh, and script is data;
 *   - what has been executed before, and what a running program does to its own memory;
 *   - the contents: an allowed file that is written to stays allowed. Make it immutable, or see
 *     guard/guard.bpf.c.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include <inode_map.bpf.h>

/* A macro of the kernel, which BTF does not have. */
#define EPERM	1

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set by the loader before it loads the program: they are constants to the verifier. */
const volatile __u32 allowed_id;
const volatile bool one_cgroup;

/* The cgroup whose tasks are meant, if one_cgroup is set. */
struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} cgroups SEC(".maps");

/* True also when it can't be told (a negative errno): then the task is meant. */
static __always_inline bool is_meant(void)
{
	return !one_cgroup || bpf_current_task_under_cgroup(&cgroups, 0);
}

/* @ret is what an earlier program at this hook returned: its denial stands. */
SEC("lsm/bprm_check_security")
int BPF_PROG(check_exec, struct linux_binprm *bprm, int ret)
{
	__u32 value = 0;

	if (ret || !is_meant())
		return ret;
	return inode_map_read(allowed_id, bprm->file->f_inode, &value) ? -EPERM : 0;
}
