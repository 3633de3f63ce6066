// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that make an entry or request it, at hooks where that is possible and where it is not;
 * programs that hold others up; programs that query the version; and programs that the verifier
 * must refuse. They run for the process @pid while @armed is set, except for the one that holds up
 * a worker.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <inode_map.bpf.h>

#include "request.h"

char _license[] SEC("license") = "GPL";

__u32 pid, armed, map_id, other_id, size = sizeof(struct value);
__u64 init, flags;

__u32 done;
int result;
__u64 seen[2];		/* in the process's first thread, and in the other */
__u32 gets, asked, exists, again, failed;

static __always_inline bool ours(void)
{
	return armed && bpf_get_current_pid_tgid() >> 32 == pid;
}

static __always_inline int finish(int ret)
{
	result = ret;
	__sync_fetch_and_add(&done, 1);
	return 0;
}

/* A different value in each task, unless @init is set. */
static __always_inline struct value own_value(void)
{
	return (struct value) { .number = init ?: bpf_get_current_pid_tgid() };
}

static __always_inline int ask(struct inode *inode)
{
	struct value value = own_value();

	return inode_map_request(map_id, inode, &value, flags);
}

/* One call each */

SEC("?lsm.s/file_open")
int BPF_PROG(get, struct file *file)
{
	struct value value = own_value(), *found;

	if (!ours())
		return 0;
	found = inode_map_get(map_id, file->f_inode, &value, flags);
	if (!found)
		return finish(NOTHING);
	__sync_fetch_and_add(&found->count, 1);
	__sync_fetch_and_add(&gets, 1);
	seen[(__u32)bpf_get_current_pid_tgid() != pid] = found->number;
	return finish(0);
}

SEC("?lsm.s/file_open")
int BPF_PROG(get_sizes, struct file *file)
{
	__u64 bytes[4] = { 1 };
	__u64 id = map_id;

	if (!ours())
		return 0;
	if (bpf_inode_map_get(id, file->f_inode, bytes, 15, 15) ||
	    bpf_inode_map_get(id, file->f_inode, bytes, 17, 16) ||
	    bpf_inode_map_get(id, file->f_inode, bytes, 16, 17) ||
	    bpf_inode_map_get(id, file->f_inode, bytes, 16, 0))
		return finish(1);
	return finish(bpf_inode_map_get(id, file->f_inode, bytes, 16, 8) ? 0 : NOTHING);
}

SEC("?lsm.s/inode_create")
int BPF_PROG(get_null, struct inode *dir, struct dentry *dentry)
{
	struct value value = own_value();

	if (!ours())
		return 0;
	return finish(inode_map_get(map_id, dentry->d_inode, &value, 0) ? 0 : NOTHING);
}

SEC("?lsm/file_open")
int BPF_PROG(request, struct file *file)
{
	return ours() ? finish(ask(file->f_inode)) : 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(request_sleepable, struct file *file)
{
	return ours() ? finish(ask(file->f_inode)) : 0;
}

SEC("?lsm/file_open")
int BPF_PROG(request_size, struct file *file)
{
	__u64 bytes[4] = {};

	if (!ours())
		return 0;
	return finish(bpf_inode_map_request(map_id, file->f_inode, bytes, size & 31, 0));
}

SEC("?lsm/inode_create")
int BPF_PROG(request_null, struct inode *dir, struct dentry *dentry)
{
	return ours() ? finish(ask(dentry->d_inode)) : 0;
}

/* Request more often than the limit allows, or, with @other_id, once for another map. */
SEC("?lsm/file_open")
int BPF_PROG(request_many, struct file *file)
{
	struct value value = own_value();

	if (!ours())
		return 0;
	if (other_id)
		return finish(inode_map_request(other_id, file->f_inode, &value, 0));
	for (int i = 0; i < MANY; i++) {
		switch (ask(file->f_inode)) {
		case -115: /* EINPROGRESS */
			asked++;
			break;
		case -17: /* EEXIST */
			exists++;
			break;
		case -11: /* EAGAIN */
			again++;
			break;
		default:
			failed++;
		}
	}
	return finish(0);
}

/* The inode can't be in a map, is going, or is not an inode any more */

SEC("?lsm/inode_alloc_security")
int BPF_PROG(request_unborn, struct inode *inode)
{
	return ours() ? finish(ask(inode)) : 0;
}

SEC("?lsm/inode_free_security")
int BPF_PROG(request_freed, struct inode *inode)
{
	if (ours())
		finish(ask(inode));
	return 0;
}

/* The inode's lock is held, and the last reference is gone. */
SEC("?tp_btf/ext4_drop_inode")
int BPF_PROG(request_dropped, struct inode *inode, int drop)
{
	if (!inode_map_is_null(inode) && ours())
		finish(ask(inode));
	return 0;
}

/* Interrupts are disabled: writeback of the file's pages starts. */
SEC("?tp_btf/sb_mark_inode_writeback")
int BPF_PROG(request_irqs_off, struct inode *inode)
{
	if (!inode_map_is_null(inode) && ours())
		finish(ask(inode));
	return 0;
}

/* Holding tasks up */

__u32 arrived;
__u64 stuck;
__u32 gave_up;

static long wait_for_other(__u32 i, void *unused)
{
	return *(volatile __u32 *)&arrived >= 2;
}

/* Make tasks that are about to make an entry wait for each other. */
SEC("?fentry/inode_map_make")
int BPF_PROG(meet)
{
	if (!ours())
		return 0;
	__sync_fetch_and_add(&arrived, 1);
	for (int i = 0; i < 4; i++)
		bpf_loop(1 << 23, wait_for_other, NULL, 0);
	return 0;
}

static long wait_for_release(__u32 i, void *unused)
{
	return *(volatile __u64 *)&stuck != 2;
}

/* Hold up the first worker that gets work, while @stuck is 2, but not forever. */
SEC("?fentry/inode_map_hold_settle")
int BPF_PROG(hold_up)
{
	if (__sync_val_compare_and_swap(&stuck, 1ULL, 2ULL) != 1)
		return 0;
	for (int i = 0; i < 8; i++)
		bpf_loop(1 << 23, wait_for_release, NULL, 0);
	if (__sync_val_compare_and_swap(&stuck, 2ULL, 3ULL) == 2)
		gave_up++;
	return 0;
}

/* Versions */

__u32 version;

/* A function that no module has. */
extern int bpf_inode_map_of_the_future(__u32 map_id, struct inode *inode) __ksym __weak;

SEC("?lsm/file_open")
int BPF_PROG(ask_version, struct file *file)
{
	if (!ours())
		return 0;
	version = inode_map_version();
	if (inode_map_version() >= FAR_VERSION)
		return finish(bpf_inode_map_of_the_future(map_id, file->f_inode));
	if (inode_map_version() >= 2)
		return finish(ask(file->f_inode));
	return finish(1);
}

SEC("?lsm/file_open")
int BPF_PROG(refused_unasked, struct file *file)
{
	return ours() ? finish(bpf_inode_map_of_the_future(map_id, file->f_inode)) : 0;
}

/* Mimics a module of version 1. */
enum inode_map_version_of_old___bpf {
	INODE_MAP_VERSION_OF_OLD___bpf
};

SEC("?lsm/file_open")
int BPF_PROG(old_module, struct file *file)
{
	if (!ours())
		return 0;
	if (!bpf_core_enum_value_exists(enum inode_map_version_of_old___bpf,
					INODE_MAP_VERSION_OF_OLD___bpf))
		return finish(1);
	if (bpf_core_enum_value(enum inode_map_version_of_old___bpf,
				INODE_MAP_VERSION_OF_OLD___bpf) >= 2)
		return finish(bpf_inode_map_of_the_future(map_id, file->f_inode));
	return finish(2);
}

/* Programs that the verifier must refuse */

SEC("?lsm/file_open")
int BPF_PROG(refused_get_atomic, struct file *file)
{
	struct value value = own_value();

	return !!inode_map_get(map_id, file->f_inode, &value, 0);
}

SEC("?lsm.s/file_open")
int BPF_PROG(refused_get_walked, struct file *file)
{
	struct value value = own_value();

	return !!inode_map_get(map_id, file->f_path.dentry->d_inode, &value, 0);
}

SEC("?lsm.s/file_open")
int BPF_PROG(refused_get_unchecked, struct file *file)
{
	struct value value = own_value();

	return inode_map_get(map_id, file->f_inode, &value, 0)->number == 1;
}

SEC("?lsm.s/file_open")
int BPF_PROG(refused_get_beyond, struct file *file)
{
	__u64 bytes[2] = {};
	__u8 *found = bpf_inode_map_get(map_id, file->f_inode, bytes, 16, 8);

	return found && found[8];
}

SEC("?lsm.s/file_open")
int BPF_PROG(refused_get_small, struct file *file)
{
	__u64 bytes[1] = {};

	return !!bpf_inode_map_get(map_id, file->f_inode, bytes, 16, 16);
}

SEC("?fentry/vfs_open")
int BPF_PROG(refused_request_plain, const struct path *path, struct file *file)
{
	struct value value = own_value();

	return inode_map_request(map_id, file->f_inode, &value, 0);
}

SEC("?lsm/file_open")
int BPF_PROG(refused_request_walked, struct file *file)
{
	struct value value = own_value();

	return !!inode_map_request(map_id, file->f_path.mnt->mnt_root->d_inode, &value, 0);
}

SEC("?lsm/file_open")
int BPF_PROG(refused_request_small, struct file *file)
{
	__u64 bytes[1] = {};

	return !!bpf_inode_map_request(map_id, file->f_inode, bytes, 16, 0);
}
