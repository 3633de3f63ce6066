// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holds others up: a program that sleeps, so that no RCU tasks trace grace period ends. Also counts
 * the calls of rtnl_lock() by a thread.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "sleepy.bpf.h"

char _license[] SEC("license") = "GPL";

__u32 tid;
volatile __u32 sleeping;

SEC("lsm.s/file_open")
int BPF_PROG(sleep, struct file *file)
{
	if ((__u32)bpf_get_current_pid_tgid() != tid)
		return 0;
	sleeping = 1;
	sleep_on_page();
	return 0;
}

__u32 configuring;

SEC("fentry/rtnl_lock")
int on_rtnl(void *ctx)
{
	if ((__u32)bpf_get_current_pid_tgid() == tid)
		configuring++;
	return 0;
}
