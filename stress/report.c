// SPDX-License-Identifier: GPL-2.0-only
/*
 * The summary: how often tasks did what, what programs saw, and whether all of it happened.
 */
#include "tasks.h"

const char *const op_names[NR_OPS] = {
	[SET_PINNED]	= "update, pinned",
	[SET_WEAK]	= "update, weak",
	[SET_FD4]	= "update, 4-byte key",
	[SET_NOEXIST]	= "update, BPF_NOEXIST",
	[SET_EXIST]	= "update, BPF_EXIST",
	[SET_OPEN]	= "update of a file held open",
	[SET_HANDLE]	= "update by handle",
	[DELETE_FD]	= "delete",
	[DELETE_HANDLE]	= "delete by handle",
	[LOOKUP_FD]	= "look up",
	[LOOKUP_HANDLE]	= "look up by handle",
	[LOOKUP_OWN]	= "look up of an own entry",
	[WALK]		= "walk over a map",
	[PROC]		= "read /proc/inode_map",
	[TRACE]		= "read trace events",
	[MAP]		= "create and free a map",
	[OPEN]		= "open a file",
	[CREATE]	= "create a file",
	[UNLINK]	= "unlink",
	[RENAME]	= "rename over",
	[LINK]		= "hard-link",
	[RMDIR]		= "make and remove a directory",
	[OWN_UNLINK]	= "unlink of an own file",
	[OWN_RELINK]	= "move an own file by a hard link",
	[MOUNT_TMPFS]	= "mount tmpfs",
	[MOUNT_EXT4]	= "mount ext4",
	[UMOUNT]	= "unmount, used by others",
	[UMOUNT_LAZY]	= "unmount lazily",
	[UMOUNT_OWN]	= "unmount, used by no other",
	[DROP_CACHES]	= "drop caches",
	[MEMCG]		= "update in a small memory cgroup",
	[RMMOD_REFUSED]	= "rmmod with maps, refused",
	[RMMOD]		= "rmmod without maps",
	[INSMOD]	= "insmod",
};

const char *const where_names[NR_WHERE] = {
	[IN_FILE_OPEN]			= "lsm/file_open",
	[IN_FILE_OPEN_SLEEPABLE]	= "lsm.s/file_open",
	[IN_UNLINK_SLEEPABLE]		= "lsm.s/inode_unlink",
	[IN_RENAME]			= "lsm/inode_rename",
	[IN_FENTRY_IPUT]		= "fentry/iput",
	[IN_FENTRY_CLEAR_INODE]		= "fentry/clear_inode",
	[IN_INSERT]			= "tp_btf/inode_map_insert",
	[IN_REMOVE]			= "tp_btf/inode_map_remove",
	[IN_CHANGE]			= "lsm/file_open, changes",
	[IN_CHANGE_SLEEPABLE]		= "lsm.s/file_open, changes",
	[IN_CHANGE_FENTRY]		= "fentry/iput, changes",
};

const char *const call_names[NR_CALLS] = {
	[CALL_PEEK]		= "inode_map_peek",
	[CALL_READ]		= "inode_map_read",
	[CALL_LOOKUP_TREE]	= "inode_map_lookup_tree",
	[CALL_READ_TREE]	= "inode_map_read_tree",
	[CALL_LOOKUP_PATH]	= "inode_map_lookup_path",
	[CALL_READ_PATH]	= "inode_map_read_path",
	[CALL_UPDATE]		= "inode_map_update",
	[CALL_GET]		= "inode_map_get",
	[CALL_REQUEST]		= "inode_map_request",
	[CALL_REPLACE]		= "inode_map_replace",
	[CALL_DELETE]		= "inode_map_delete",
	[CALL_DELETE_HANDLE]	= "bpf_inode_map_delete_handle",
	[CALL_WALK]		= "inode_map_for_each, a value",
	[CALL_ID]		= "inode_map_id",
};

const char *const reasons[STRESS_REASONS] = {
	"deleted", "replaced", "unlinked", "evicted", "unmounted", "map freed"
};

void sum_up(void)
{
	printf("%-36s %12s %12s\n", "operation", "succeeded", "refused");
	for (unsigned int i = 0; i < NR_OPS; i++)
		printf("%-36s %12llu %12llu\n", op_names[i], shared->done[i], shared->refused[i]);
	printf("%-36s %12s %12s\n", "program", "hits", "runs");
	for (unsigned int i = 0; i < NR_WHERE; i++)
		printf("%-36s %12llu %12llu\n", where_names[i],
		       (unsigned long long)board->hits[i], (unsigned long long)board->runs[i]);
	printf("%-36s %12s %12s\n", "function", "succeeded", "refused");
	for (unsigned int i = 0; i < NR_CALLS; i++)
		printf("%-36s %12llu %12llu\n", call_names[i],
		       (unsigned long long)board->called[i], (unsigned long long)board->refused[i]);
	printf("%-36s %12s\n", "removal", "events");
	for (unsigned int i = 0; i < STRESS_REASONS; i++)
		printf("%-36s %12llu\n", reasons[i], (unsigned long long)board->removed[i]);
	if (nr_restarted)
		printf("tasks that ran out of their cgroup's memory: %u\n", nr_restarted);
}

/* An operation that never happened was not tested. */
bool all_happened(void)
{
	bool all = true;

	for (unsigned int i = 0; i < NR_OPS; i++)
		/* Some kernels have no memory cgroups. */
		if (!shared->done[i] && i != MEMCG) {
			printf("stress: this never succeeded: %s\n", op_names[i]);
			all = false;
		}
	/* By the time of clear_inode() few inodes have entries. */
	for (unsigned int i = 0; i < NR_WHERE; i++)
		if (!board->runs[i] || (!board->hits[i] && i != IN_FENTRY_CLEAR_INODE)) {
			printf("stress: %s never found anything\n", where_names[i]);
			all = false;
		}
	for (unsigned int i = 0; i < NR_CALLS; i++)
		if (!board->called[i]) {
			printf("stress: no program has called with success: %s\n", call_names[i]);
			all = false;
		}
	for (unsigned int i = 0; i < STRESS_REASONS; i++)
		if (!board->removed[i]) {
			printf("stress: no entry was removed because %s\n", reasons[i]);
			all = false;
		}
	return all;
}
