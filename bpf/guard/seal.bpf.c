// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The programs of a sealed guard: they keep root from removing it until the machine boots again.
 * Only "start --seal" loads them (seal.c), so that they cost nothing otherwise.
 *
 * A process can only change a map or program through a descriptor. So only processes of the tool
 * get descriptors of the guard's: those that were seen to execute the file that sealed it, in a way
 * that leaves nobody else any control of them. Links can't be detached while they are pinned. A
 * rule of the guard protects the pins, and the hooks here the mounts that lead to them. They also
 * refuse whatever could change the kernel's memory, or have the kernel not call the programs.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include <inode_map.bpf.h>
#include "guard.h"
#include "seal.h"
#include "kernel.bpf.h"
#include "syscall.bpf.h"
#include "word.bpf.h"

#define FMODE_WRITE		0x2
#define MS_MOVE			0x2000
#define CAP_SYS_MODULE		16
#define LSM_UNSAFE_SHARE	1
#define LSM_UNSAFE_PTRACE	2
#define PROC_SUPER_MAGIC	0x9fa0
/* How far up from the pins to look: mounts, and names between them. */
#define WAY_LENGTH		256

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The guard's: the tool has the guard's map used for this one. */
struct guard_state state;

/* Set by the tool before it loads the programs. */
const volatile struct seal_system seal_system;

/* Addresses that check_pins() stores when the tool first opens the pins' directory. */
struct {
	__u64 pins;
	__u64 super;
	__u64 mount;
	__u64 root;
	__u64 root_mount;
} seal_places SEC(".data.places");

/* The maps and programs of the guard and of the seal: see seal_key(). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SEAL_OBJECTS);
	__type(key, __u64);
	__type(value, struct seal_object);
} seal_objects SEC(".maps");

/* Processes of the tool, with enum seal_trust. Their children are not trusted. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} seal_trusted SEC(".maps");

static __always_inline int refuse(void)
{
	__sync_fetch_and_add(&state.refused, 1);
	return -EPERM;
}

/* Trust */

static __always_inline __u32 *trust(void)
{
	return bpf_task_storage_get(&seal_trusted, bpf_get_current_task_btf(), NULL, 0);
}

static __always_inline bool is_trusted(void)
{
	return trust();
}

/* Whether the task is trusted, for a task that is about to get a descriptor. */
static __always_inline bool use_trust(void)
{
	__u32 *how = trust();

	if (how)
		*how = SEAL_USED;
	return how;
}

static __always_inline void distrust(void)
{
	bpf_task_storage_delete(&seal_trusted, bpf_get_current_task_btf());
}

/* What a file is to the seal: enum seal_code. */
static __always_inline __u32 code_of(struct file *file)
{
	const __u32 *code = inode_map_peek(seal_system.code_id, file->f_inode, __u32);

	return code ? *code : SEAL_NO_CODE;
}

static __always_inline bool executes_tool(struct task_struct *task)
{
	return !inode_map_is_null(task->mm) && !inode_map_is_null(task->mm->exe_file) &&
	       code_of(task->mm->exe_file) == SEAL_TOOL;
}

/* Whether the task finds by a path the same file as when the guard was sealed. */
static __always_inline bool is_at_home(struct task_struct *task)
{
	return !task->cred->user_ns->level &&
	       task->nsproxy->mnt_ns->ns.inum == seal_system.mount_namespace &&
	       (__u64)task->fs->root.dentry == seal_places.root &&
	       (__u64)task->fs->root.mnt == seal_places.root_mount;
}

/*
 * After an execve(2). With AT_SECURE the dynamic linker ignores its environment. A seccomp filter
 * could answer system calls, and a task that shares the root directory could change it.
 * process.bpf.h asks the same of processes that rules are only for, but lets root choose filters,
 * and the program's own processes trace it. Here nobody may: it is root that the seal keeps out.
 */
SEC("lsm/bprm_committed_creds")
int BPF_PROG(seal_executed, const struct linux_binprm *bprm)
{
	struct task_struct *task = bpf_get_current_task_btf();

	distrust();
	if (!executes_tool(task) || !is_at_home(task))
		return 0;
	if (task->ptrace || task->seccomp.mode ||
	    bprm->unsafe & (LSM_UNSAFE_SHARE | LSM_UNSAFE_PTRACE) ||
	    !BPF_CORE_READ_BITFIELD(bprm, secureexec))
		return 0;
	bpf_task_storage_get(&seal_trusted, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	return 0;
}

SEC("lsm/bprm_check_security")
int BPF_PROG(seal_execute, struct linux_binprm *bprm)
{
	if (code_of(bprm->file) == SEAL_TOOL)
		bpf_bprm_opts_set(bprm, BPRM_SECUREEXEC);
	return 0;
}

/* A task is trusted while all its code is known. Once it has descriptors, refuse other code. */
static __always_inline int check_code(struct file *file)
{
	const __u32 *how = trust();

	if (!how || (!inode_map_is_null(file) && code_of(file) != SEAL_NO_CODE))
		return 0;
	if (*how == SEAL_USED)
		return refuse();
	distrust();
	return 0;
}

SEC("lsm/mmap_file")
int BPF_PROG(seal_mmap, struct file *file, unsigned long reqprot, unsigned long prot)
{
	return prot & PROT_EXEC ? check_code(file) : 0;
}

SEC("lsm/file_mprotect")
int BPF_PROG(seal_mprotect, struct vm_area_struct *vma, unsigned long reqprot, unsigned long prot)
{
	return prot & PROT_EXEC ? check_code(vma->vm_file) : 0;
}

/* Nobody else may attach to the tool, or get at its memory or its descriptors. */
SEC("lsm/ptrace_access_check")
int BPF_PROG(seal_ptrace, struct task_struct *child, unsigned int mode)
{
	if (!(mode & PTRACE_MODE_ATTACH) || !executes_tool(child) || is_trusted())
		return 0;
	return refuse();
}

SEC("lsm/ptrace_traceme")
int BPF_PROG(seal_traceme, struct task_struct *parent)
{
	return executes_tool(bpf_get_current_task_btf()) ? refuse() : 0;
}

/* Maps, programs */

static __always_inline const struct seal_object *object_of(__u32 kind, __u32 id)
{
	__u64 key = seal_key(kind, id);

	return bpf_map_lookup_elem(&seal_objects, &key);
}

/* Not even for reading: a program that is given such a descriptor can write through it. */
SEC("lsm/bpf_map")
int BPF_PROG(seal_map, struct bpf_map *map)
{
	return object_of(SEAL_MAP, map->id) && !use_trust() ? refuse() : 0;
}

/* Since Linux 6.18. */
struct bpf_prog_aux___seal {
	bool kprobe_write_ctx;
} __attribute__((preserve_access_index));

/* The verifier refuses a typed load if the word with the bit also has part of another field. */
static __always_inline bool overrides(const struct bpf_prog *prog)
{
	__u64 at = (__u64)prog + __CORE_RELO(prog, kprobe_override, BYTE_OFFSET);
	__u64 word = *(const __u64 *)AT(struct timespec64, at);

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word >>= 64 - 8 * __CORE_RELO(prog, kprobe_override, BYTE_SIZE);
#endif
	word <<= __CORE_RELO(prog, kprobe_override, LSHIFT_U64);
	return word >> __CORE_RELO(prog, kprobe_override, RSHIFT_U64);
}

/*
 * Whether a program, of the guard or not, can replace the result of the kernel's functions, hooks
 * among them, or change the registers of processes.
 */
static __always_inline bool changes_functions(const struct bpf_prog *prog)
{
	const struct bpf_prog_aux___seal *aux = (const void *)prog->aux;

	if (bpf_core_field_exists(aux->kprobe_write_ctx) && aux->kprobe_write_ctx)
		return true;
	return (prog->type == BPF_PROG_TYPE_TRACING &&
		prog->expected_attach_type == BPF_MODIFY_RETURN) || overrides(prog);
}

SEC("lsm/bpf_prog")
int BPF_PROG(seal_program, struct bpf_prog *prog)
{
	if (changes_functions(prog))
		return refuse();
	return object_of(SEAL_PROGRAM, prog->aux->id) && !use_trust() ? refuse() : 0;
}

/* The pins */

/* Going up from the pins to the root: the position, and what is looked for. */
struct way {
	__u64 mount;
	__u64 dentry;
	__u64 wanted_mount;
	__u64 wanted_dentry;
	__u32 group;
	__u32 found;
};

static __always_inline struct mount *mount_at(__u64 vfsmount)
{
	return AT(struct mount, vfsmount - bpf_core_field_offset(struct mount, mnt));
}

/* Whether the position is at the wanted mount, or at one that changes of it propagate to. */
static __always_inline bool is_wanted(const struct way *way, const struct mount *mount)
{
	if (way->wanted_mount != way->mount && (!way->group || way->group != mount->mnt_group_id))
		return false;
	return !way->wanted_dentry || way->wanted_dentry == way->dentry;
}

static int way_step(__u32 index, void *context)
{
	struct way *way = context;
	struct mount *mount = mount_at(way->mount), *parent;

	if (is_wanted(way, mount)) {
		way->found = 1;
		return 1;
	}
	if (way->dentry != (__u64)mount->mnt.mnt_root) {
		way->dentry = (__u64)AT(struct dentry, way->dentry)->d_parent;
		return 0;
	}
	parent = mount->mnt_parent;
	if (parent == mount)
		return 1;
	way->dentry = (__u64)mount->mnt_mountpoint;
	way->mount = (__u64)&parent->mnt;
	return 0;
}

/* Whether a mount, or a directory in it, is on the way to the pins. */
static __noinline bool leads_to_pins(struct vfsmount *mount, struct dentry *dentry)
{
	struct way way = { .mount = seal_places.mount };

	if (!way.mount)
		return false;
	way.wanted_mount = (__u64)mount;
	way.wanted_dentry = (__u64)dentry;
	way.group = mount_at(way.wanted_mount)->mnt_group_id;
	way.dentry = (__u64)mount_at(way.mount)->mnt.mnt_root;
	bpf_loop(WAY_LENGTH, way_step, &way, 0);
	return way.found;
}

static __always_inline bool is_pins_super(const struct super_block *sb)
{
	return seal_places.super && (__u64)sb == seal_places.super;
}

SEC("lsm/sb_umount")
int BPF_PROG(seal_umount, struct vfsmount *mount)
{
	return is_pins_super(mount->mnt_sb) || leads_to_pins(mount, NULL) ? refuse() : 0;
}

static __always_inline int check_mountpoint(const struct path *path)
{
	if (is_pins_super(path->dentry->d_sb))
		return refuse();
	return leads_to_pins(path->mnt, path->dentry) ? refuse() : 0;
}

/* The hook does not know what is moved: refuse all moves where the guard was sealed. */
SEC("lsm/sb_mount")
int BPF_PROG(seal_mount, const char *device, const struct path *path, const char *type,
	     unsigned long flags)
{
	if (!is_new_mount(flags))
		return 0;
	if (flags & MS_MOVE && is_at_home(bpf_get_current_task_btf()))
		return refuse();
	return check_mountpoint(path);
}

SEC("lsm/move_mount")
int BPF_PROG(seal_move_mount, const struct path *from, const struct path *to)
{
	return leads_to_pins(from->mnt, NULL) ? refuse() : check_mountpoint(to);
}

/* Any process that has the directory open can hold its lock forever. The tool comes here first. */
static __always_inline int check_pins(struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct dentry *dentry = file->f_path.dentry;

	if (!seal_places.pins) {
		if (file->f_inode->i_ino != seal_system.pins_inode ||
		    file->f_inode->i_sb->s_dev != seal_system.pins_device || !is_trusted())
			return 0;
		seal_places.root = (__u64)task->fs->root.dentry;
		seal_places.root_mount = (__u64)task->fs->root.mnt;
		seal_places.mount = (__u64)file->f_path.mnt;
		seal_places.super = (__u64)file->f_inode->i_sb;
		seal_places.pins = (__u64)dentry;
		return 0;
	}
	if (!is_pins_super(dentry->d_sb) || is_trusted())
		return 0;
	if ((__u64)dentry != seal_places.pins && (__u64)dentry->d_parent != seal_places.pins)
		return 0;
	return refuse();
}

/* The switch that makes the kernel stop calling programs */

/* "ftrace_enabled" */
#define SWITCH_BEGIN	TEXT_WORD('f', 't', 'r', 'a', 'c', 'e', '_', 'e')
#define SWITCH_END	TEXT_WORD('n', 'a', 'b', 'l', 'e', 'd', 0, 0)

static __always_inline bool is_switch(struct file *file)
{
	__u64 name, end, zero;

	if (file->f_inode->i_sb->s_magic != PROC_SUPER_MAGIC)
		return false;
	name = load_address(&file->f_path.dentry->d_name.name);
	if (load_word((const void *)name) != SWITCH_BEGIN)
		return false;
	end = load_word((const void *)(name + GUARD_WORD));
	zero = zero_bytes(end);
	return zero && before_zero(end, zero) == SWITCH_END;
}

SEC("lsm/file_open")
int BPF_PROG(seal_open, struct file *file)
{
	if (file->f_mode & FMODE_WRITE && is_switch(file))
		return refuse();
	return check_pins(file);
}

/* Through descriptors that were opened before. */
SEC("lsm/file_permission")
int BPF_PROG(seal_permission, struct file *file, int mask)
{
	return mask & MAY_WRITE && is_switch(file) ? refuse() : 0;
}

/* The kernel itself */

/* What lockdown=integrity refuses: modules without a signature, the memory, ports, hibernation. */
SEC("lsm/locked_down")
int BPF_PROG(seal_locked_down, enum lockdown_reason what)
{
	if (what < bpf_core_enum_value(enum lockdown_reason, LOCKDOWN_INTEGRITY_MAX))
		return refuse();
	return 0;
}

/* Another kernel; and any module, if the kernel does not know signatures. */
SEC("lsm/kernel_load_data")
int BPF_PROG(seal_load_data, enum kernel_load_data_id id)
{
	if (id == bpf_core_enum_value(enum kernel_load_data_id, LOADING_KEXEC_IMAGE))
		return refuse();
	if (seal_system.unsigned_modules &&
	    id == bpf_core_enum_value(enum kernel_load_data_id, LOADING_MODULE))
		return refuse();
	return 0;
}

SEC("lsm/kernel_read_file")
int BPF_PROG(seal_read_file, struct file *file, enum kernel_read_file_id id)
{
	if (id == bpf_core_enum_value(enum kernel_read_file_id, READING_KEXEC_IMAGE))
		return refuse();
	if (seal_system.unsigned_modules &&
	    id == bpf_core_enum_value(enum kernel_read_file_id, READING_MODULE))
		return refuse();
	return 0;
}

#ifdef GUARD_KNOWS_APPEND
/* A module that is in use can be unloaded by force, if the kernel is configured so. */
SEC("lsm/capable")
int BPF_PROG(seal_capable, const struct cred *cred, struct user_namespace *ns, int capability)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs;

	if (capability != CAP_SYS_MODULE)
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	if (is_compat(task))
		return (__u32)(regs->CALL_NUMBER) == COMPAT_DELETE_MODULE &&
		       regs->COMPAT_ARGUMENT_2 & O_TRUNC ? refuse() : 0;
	return (__u32)(regs->CALL_NUMBER) == DELETE_MODULE && regs->ARGUMENT_2 & O_TRUNC ?
	       refuse() : 0;
}
#endif

/* Checking, while the guard is being sealed, whether anybody has any of this open */

/* Pins and attachments hold an object, too; and a program is held while the iterator shows it. */
static __always_inline void show_user(struct seq_file *seq, __u32 kind, __u32 id, __s64 users)
{
	const struct seal_object *object = object_of(kind, id);
	struct seal_user user = { .kind = kind, .id = id };

	if (object && object->users && users > object->users)
		bpf_seq_write(seq, &user, sizeof(user));
}

SEC("iter/bpf_map")
int seal_show_map(struct bpf_iter__bpf_map *context)
{
	struct bpf_map *map = context->map;

	if (map)
		show_user(context->meta->seq, SEAL_MAP, map->id, map->usercnt.counter);
	return 0;
}

SEC("iter/bpf_prog")
int seal_show_program(struct bpf_iter__bpf_prog *context)
{
	struct bpf_prog *prog = context->prog;
	struct seal_user foreign = { .kind = SEAL_FOREIGN };

	if (!prog)
		return 0;
	show_user(context->meta->seq, SEAL_PROGRAM, prog->aux->id, prog->aux->refcnt.counter);
	if (changes_functions(prog))
		bpf_seq_write(context->meta->seq, &foreign, sizeof(foreign));
	return 0;
}
