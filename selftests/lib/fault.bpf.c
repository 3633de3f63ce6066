// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs for the sweeps of map/fault/programs.c. They look up the inode of each file that the
 * process @pid calls fcntl() on: fcntl(F_GETFD) allocates nothing and notifies no watcher of the
 * file. Neither does an ioctl() that no file implements: two such commands give the inode a value.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>

char _license[] SEC("license") = "GPL";

/* Same as in map/fault/programs.c. */
#define UPDATE	0x494d
#define REPLACE	0x494e

__u32 pid;
__u32 map_id;

__u64 calls;
__u64 hits;
__u32 value;

SEC("lsm/file_fcntl")
int BPF_PROG(on_fcntl, struct file *file)
{
	__u32 *found;

	if (bpf_get_current_pid_tgid() >> 32 != pid)
		return 0;
	__sync_fetch_and_add(&calls, 1);
	found = inode_map_lookup(map_id, file->f_inode, __u32);
	if (found) {
		__sync_fetch_and_add(&hits, 1);
		value = *found;
	}
	return 0;
}

__u32 new_value;
__u64 flags;
int result;

SEC("lsm.s/file_ioctl")
int BPF_PROG(on_update, struct file *file, unsigned int command)
{
	__u32 copy = new_value;

	if (command == UPDATE && bpf_get_current_pid_tgid() >> 32 == pid)
		result = inode_map_update(map_id, file->f_inode, &copy, flags);
	return 0;
}

SEC("lsm/file_ioctl")
int BPF_PROG(on_replace, struct file *file, unsigned int command)
{
	__u32 copy = new_value;

	if (command == REPLACE && bpf_get_current_pid_tgid() >> 32 == pid)
		result = inode_map_replace(map_id, file->f_inode, &copy);
	return 0;
}
