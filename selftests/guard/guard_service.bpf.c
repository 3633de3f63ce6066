// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Delay a rename after all hooks have run, with its directory locked. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "sleepy.bpf.h"

char _license[] SEC("license") = "GPL";

__u32 tid;
volatile __u32 sleeping;

/* Attached before the guard's program, it runs after that. */
SEC("lsm.s/inode_rename")
int BPF_PROG(slow_rename, struct inode *old_dir, struct dentry *old_dentry, struct inode *new_dir,
	     struct dentry *new_dentry)
{
	if ((__u32)bpf_get_current_pid_tgid() != tid)
		return 0;
	sleeping = 1;
	sleep_on_page();
	return 0;
}
