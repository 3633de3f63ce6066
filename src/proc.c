// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/inode_map: how many objects the module has in memory, and a line for each entry.
 *
 * Read in process context. A walk is under RCU while it fills one buffer, and takes the lock of an
 * addon, and inode->i_lock inside it, while it looks for an inode's name. It holds no reference on
 * anything, so reading the file never blocks an unmount. It goes through the maps by id and their
 * entries by handle, downwards as everywhere: an entry that is there all the time is shown once,
 * whatever comes and goes meanwhile.
 *
 * The totals include objects that nobody can reach any more and that wait for a grace period: a
 * total that does not go back to zero is a leak. Only the last one never goes down: it counts the
 * requests of programs that have failed since the module was loaded (request.c).
 */
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/dcache.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/kdev_t.h>
#include <linux/proc_fs.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/string_helpers.h>
#include <linux/types.h>

#include <linux/inode_map.h>

#include "addon.h"
#include "compat.h"
#include "entry.h"
#include "handle.h"
#include "key.h"
#include "map.h"
#include "proc.h"
#include "registry.h"
#include "request.h"

#define INODE_MAP_PROC	"inode_map"

/* The position in the file: 0 for the head, otherwise the map's id above the entry's slot. */
#define INODE_MAP_POS_BITS	31
/* A slot is as large as a handle at most. */
static_assert((unsigned long)INODE_MAP_HANDLE_MAX >> INODE_MAP_POS_BITS == 0);

/* How many names of an inode may go away while its line is made. */
#define INODE_MAP_PROC_TURNS	16

/**
 * struct inode_map_proc - a reader of the file
 * @map: the map of the current entry. Valid within one RCU read-side section
 *
 * Belongs to the open file; seq_file's mutex (seq->lock) serialises its readers.
 */
struct inode_map_proc {
	struct inode_map *map;
};

static loff_t inode_map_pos(const struct inode_map *map, const struct inode_map_entry *entry)
{
	return (loff_t)map->id << INODE_MAP_POS_BITS | inode_map_slot(entry->handle);
}

/* The first entry of the maps that follow map @id. */
static struct inode_map_entry *inode_map_proc_first(struct inode_map_proc *proc, u32 id)
{
	struct inode_map_entry *entry = NULL;

	while (!entry) {
		proc->map = inode_map_next_map(id);
		if (!proc->map)
			return NULL;
		entry = inode_map_next(proc->map, 0);
		id = proc->map->id;
	}
	return entry;
}

/* The entry at a position, or the first one behind it. */
static struct inode_map_entry *inode_map_proc_at(struct inode_map_proc *proc, loff_t pos)
{
	u32 id = pos >> INODE_MAP_POS_BITS;
	struct inode_map_entry *entry = NULL;

	proc->map = inode_map_by_id(id);
	if (proc->map)
		entry = inode_map_next_slot(proc->map, pos & GENMASK(INODE_MAP_POS_BITS - 1, 0));
	return entry ?: inode_map_proc_first(proc, id);
}

static void *inode_map_proc_start(struct seq_file *seq, loff_t *pos)
	__acquires(rcu)
{
	struct inode_map_proc *proc = seq->private;
	struct inode_map_entry *entry;

	rcu_read_lock();
	if (!*pos)
		return SEQ_START_TOKEN;
	entry = inode_map_proc_at(proc, *pos);
	if (entry)
		*pos = inode_map_pos(proc->map, entry);
	return entry;
}

static void *inode_map_proc_next(struct seq_file *seq, void *v, loff_t *pos)
{
	struct inode_map_proc *proc = seq->private;
	struct inode_map_entry *entry = NULL;
	u32 id = 0;

	if (v != SEQ_START_TOKEN) {
		entry = inode_map_next(proc->map, ((struct inode_map_entry *)v)->handle);
		id = proc->map->id;
	}
	if (!entry)
		entry = inode_map_proc_first(proc, id);
	/* No position is used twice, not even at the end. */
	*pos = entry ? inode_map_pos(proc->map, entry) : *pos + 1;
	return entry;
}

static void inode_map_proc_stop(struct seq_file *seq, void *v)
	__releases(rcu)
{
	rcu_read_unlock();
}

/*
 * A name of the inode, if possible one that can still be looked up, or NULL. Under the addon's lock
 * an entry that has not ended is linked, so the inode can't be freed before the lock is dropped.
 * The dentry can't be freed before the caller leaves RCU.
 */
static struct dentry *inode_map_proc_alias(const struct inode_map_entry *entry)
{
	struct inode_map_addon *addon = entry->addon;
	struct dentry *dentry, *alias = NULL;
	struct inode *inode = addon->inode;

	spin_lock(&addon->lock);
	if (READ_ONCE(entry->fate))
		goto out;
	spin_lock(&inode->i_lock);
	for_each_alias(dentry, inode) {
		/*
		 * Dentries of pipes and sockets are freed at once. They have no path. Namespaces,
		 * whose dentries are roots but not their superblock's, have none either.
		 */
		if (dentry->d_flags & DCACHE_NORCU ||
		    (IS_ROOT(dentry) && dentry != inode->i_sb->s_root))
			continue;
		alias = dentry;
		if (!d_unhashed(dentry))
			break;
	}
	spin_unlock(&inode->i_lock);
out:
	spin_unlock(&addon->lock);
	return alias;
}

/*
 * The path of a name. A name that goes away while we look at it would be shown as deleted, so if
 * the inode has another name by then, show that. Each turn costs another name that has come and
 * gone.
 */
static void inode_map_proc_path(struct seq_file *seq, const struct inode_map_entry *entry)
{
	struct dentry *shown, *alias = inode_map_proc_alias(entry);
	unsigned int turns = INODE_MAP_PROC_TURNS;
	size_t start = seq->count;

	if (!alias) {
		seq_putc(seq, '-');
		return;
	}
	do {
		shown = alias;
		seq->count = start;
		seq_dentry(seq, shown, " \t\n\\");
		if (!d_unlinked(shown))
			return;
		alias = inode_map_proc_alias(entry);
	} while (alias && alias != shown && --turns);
}

static int inode_map_proc_show(struct seq_file *seq, void *v)
{
	const struct inode_map_proc *proc = seq->private;
	const struct inode_map_entry *entry = v;
	struct inode_map_key key;
	dev_t dev;

	if (v == SEQ_START_TOKEN) {
		seq_printf(seq, "maps %u entries %u addons %u pinned %u requests %u lost %u\n",
			   inode_map_count(), inode_map_entry_count(), inode_map_addon_count(),
			   inode_map_pin_count(), inode_map_request_count(),
			   inode_map_request_lost());
		return 0;
	}
	inode_map_key_fill_full(entry, &key);
	dev = new_decode_dev(key.dev);
	seq_printf(seq, "%u ", proc->map->id);
	seq_escape_str(seq, proc->map->name[0] ? proc->map->name : "-", ESCAPE_SPACE, NULL);
	seq_printf(seq, " %u:%u %llu %u %u %s ", MAJOR(dev), MINOR(dev), key.ino, key.gen,
		   key.handle, key.flags & INODE_MAP_WEAK ? "weak" : "pinned");
	inode_map_proc_path(seq, entry);
	seq_putc(seq, '\n');
	return 0;
}

static const struct seq_operations inode_map_proc_ops = {
	.start	= inode_map_proc_start,
	.next	= inode_map_proc_next,
	.stop	= inode_map_proc_stop,
	.show	= inode_map_proc_show,
};

/**
 * inode_map_proc_init - create the file
 *
 * Return: 0 or -ENOMEM.
 */
int __init inode_map_proc_init(void)
{
	struct proc_dir_entry *entry;

	entry = proc_create_seq_private(INODE_MAP_PROC, 0400, NULL, &inode_map_proc_ops,
					sizeof(struct inode_map_proc), NULL);
	return entry ? 0 : -ENOMEM;
}

/**
 * inode_map_proc_exit - remove the file
 *
 * Context: process; waits for readers that are inside.
 */
void inode_map_proc_exit(void)
{
	remove_proc_entry(INODE_MAP_PROC, NULL);
}
