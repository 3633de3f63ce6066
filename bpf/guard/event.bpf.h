/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Events: what a program reports of an access that it denies. Callers check that somebody watches
 * (@watching of the state). Events that don't fit into the ring buffer are counted.
 */
#ifndef _GUARD_EVENT_BPF_H
#define _GUARD_EVENT_BPF_H

#include "kernel.bpf.h"
#include "maps.bpf.h"
#include "who.bpf.h"
#include "word.bpf.h"

/*
 * The way up from @dentry, as far as it is written down: @at is the address of the next part of the
 * name of @dentry, or 0 at its beginning.
 */
struct ascent {
	struct dentry *dentry;
	struct guard_event *event;
	__u64 at;
	__u32 offset;
};

/*
 * Write down the next word of the name of the current dentry. The last word is padded with at
 * least one zero; then go up. Returns 1 at the end. The verifier checks this for one word, and not
 * for all words that a name can have.
 */
static __always_inline int ascend(struct ascent *ascent, struct guard_place *place, char *names,
				  __u32 size)
{
	struct dentry *dentry = ascent->dentry;
	__u64 offset = ascent->offset, word, zero;

	/* Have the compiler check the same copy of the number that it uses. */
	barrier_var(offset);
	if (inode_map_is_null(dentry))
		return 1;
	if (!ascent->at) {
		if (dentry->d_parent == dentry)
			return 1;
		ascent->at = load_address(&dentry->d_name.name);
	}
	if (offset > size - GUARD_WORD) {
		place->cut = 1;
		return 1;
	}
	word = load_word((const void *)ascent->at);
	zero = zero_bytes(word);
	if (zero)
		word = before_zero(word, zero);
	*(__u64 *)(names + offset) = guard_word(word);
	ascent->offset = opaque(offset + GUARD_WORD);
	ascent->at += GUARD_WORD;
	if (zero) {
			/* Leave out a name that does not fit completely. */
		place->length = ascent->offset;
		ascent->dentry = dentry->d_parent;
		ascent->at = 0;
	}
	return 0;
}

/* Callers loop for as many words as fit, and once more to notice that the rest does not. */
static __always_inline void begin_ascent(struct ascent *ascent, struct dentry *dentry)
{
	ascent->dentry = dentry;
	ascent->at = 0;
	ascent->offset = 0;
}

static int ascend_file(__u32 index, void *context)
{
	struct ascent *ascent = context;

	return ascend(ascent, &ascent->event->file, ascent->event->path, GUARD_PATH);
}

static int ascend_exe(__u32 index, void *context)
{
	struct ascent *ascent = context;

	return ascend(ascent, &ascent->event->exe, ascent->event->exe_path, GUARD_EXE);
}

static __always_inline void clear_place(struct guard_place *place)
{
	place->length = 0;
	place->cut = 0;
	place->dev = 0;
	place->inum = 0;
}

static __always_inline void describe_place(struct guard_place *place, struct inode *inode)
{
	clear_place(place);
	/* A name that is about to be made has no inode. */
	if (inode_map_is_null(inode))
		return;
	place->dev = inode->i_sb->s_dev;
	place->inum = inode->i_ino;
}

static __always_inline __u64 cgroup_of(const struct task_struct___guard *task)
{
	if (!bpf_core_field_exists(task->cgroups))
		return 0;
	return task->cgroups->dfl_cgrp->kn->id;
}

/* Fill in what there is beyond the process itself; for @task see to_read(). */
static __always_inline void describe_task(struct task_struct *task, struct guard_event *event)
{
	const struct task_struct___guard *configured = (const void *)task;
	struct task_struct *parent = task->real_parent, *leader = parent->group_leader;
	__u32 at;

	event->parent = parent->tgid;
	for (at = 0; at < sizeof(event->parent_command); at += GUARD_WORD)
		*(__u64 *)(event->parent_command + at) = guard_word(load_word(leader->comm + at));
	event->login = GUARD_UNSET;
	event->session = GUARD_UNSET;
	event->fsuid = task->cred->fsuid.val;
	event->fsgid = task->cred->fsgid.val;
	if (bpf_core_field_exists(configured->loginuid))
		event->login = configured->loginuid.val;
	if (bpf_core_field_exists(configured->sessionid))
		event->session = configured->sessionid;
	event->cgroup = cgroup_of(configured);
}

/*
 * What to report: @ops, which @rule denies on the file at the dentry with this address; @tried,
 * which the audit-only @tried_rule would deny; and whether this is about a name in its directory.
 */
struct told {
	__u64 dentry;
	__u32 rule;
	__u32 ops;
	__u32 tried_rule;
	__u32 tried;
	__u32 name;
	__u32 reserved;
};

/* See AT(). */
__noinline int tell_at(const struct told *told)
{
	struct dentry *dentry;
	struct task_struct *task = bpf_get_current_task_btf();
	struct guard_event *event;
	struct ascent ascent = {};
	struct file *exe = NULL;
	struct mm_struct *mm;

	if (!told)
		return 0;
	dentry = AT(struct dentry, told->dentry);
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		__sync_fetch_and_add(&state.dropped, 1);
		return 0;
	}
	event->time = bpf_ktime_get_boot_ns();
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->uid = bpf_get_current_uid_gid();
	event->rule = told->rule;
	event->ops = told->ops;
	event->tried_rule = told->tried_rule;
	event->tried = told->tried;
	event->audit = !!STATE(audit);
	event->name = told->name;
	event->unseen = STATE(subjects) && is_protected(named_subject_of(task)) && !is_seen_now();
	bpf_get_current_comm(event->command, sizeof(event->command));
	describe_task(to_read(task), event);

	describe_place(&event->file, dentry->d_inode);
	if (!event->file.dev)
		event->file.dev = dentry->d_sb->s_dev;
	ascent.event = event;
	begin_ascent(&ascent, dentry);
	bpf_loop(GUARD_PATH / GUARD_WORD + 1, ascend_file, &ascent, 0);

	mm = to_read(task)->mm;
	if (!inode_map_is_null(mm))
		exe = mm->exe_file;
	clear_place(&event->exe);
	if (!inode_map_is_null(exe)) {
		describe_place(&event->exe, exe->f_inode);
		begin_ascent(&ascent, exe->f_path.dentry);
		bpf_loop(GUARD_EXE / GUARD_WORD + 1, ascend_exe, &ascent, 0);
	}
	bpf_ringbuf_submit(event, 0);
	return 0;
}

static __always_inline void tell(struct dentry *dentry, __u32 rule, __u32 ops, __u32 tried_rule,
				 __u32 tried, bool name)
{
	struct told told = {
		.rule = rule, .ops = ops, .tried_rule = tried_rule, .tried = tried, .name = name,
	};

	told.dentry = (__u64)dentry;
	tell_at(&told);
}

#endif /* _GUARD_EVENT_BPF_H */
