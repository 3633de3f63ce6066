// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Delay renames after all hooks have run, with their directories locked. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "sleepy.bpf.h"

char _license[] SEC("license") = "GPL";

/* The threads whose renames are delayed, or 0; and how many of them sleep. */
__u32 tids[2];
__u32 sleeping;

/* Attached before the guard's program, it runs after that. */
SEC("lsm.s/inode_rename")
int BPF_PROG(slow_rename, struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir,
	     struct dentry *new_dentry)
{
	__u32 tid = bpf_get_current_pid_tgid();

	if (tid != tids[0] && tid != tids[1])
		return 0;
	__sync_fetch_and_add(&sleeping, 1);
	sleep_on_page();
	return 0;
}
