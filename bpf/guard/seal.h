/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Shared by the programs of a sealed guard (seal.bpf.c) and the tool (seal.c).
 */
#ifndef _GUARD_SEAL_H
#define _GUARD_SEAL_H

/* BPF programs have the types from vmlinux.h. */
#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* The maximum number of maps and programs of the guard and its seal together. */
#define SEAL_OBJECTS	512

/* Kinds of objects. SEAL_FOREIGN: programs of others that change what kernel functions return. */
enum seal_kind {
	SEAL_MAP,
	SEAL_PROGRAM,
	SEAL_FOREIGN,
};

/**
 * struct seal_object - a map or program that only the tool gets a descriptor of
 * @users: the number of references when nobody has it open, or 0: then that is not checked
 */
struct seal_object {
	__u32 users;
};

static inline __u64 seal_key(__u32 kind, __u32 id)
{
	return (__u64)kind << 32 | id;
}

/**
 * enum seal_code - what an inode is to the seal: values of the inode map "seal_code"
 * @SEAL_NO_CODE: nothing, it is not in the map
 * @SEAL_LIBRARY: code that processes of the tool may map: its libraries, the dynamic linker
 * @SEAL_TOOL: the executable of the tool
 */
enum seal_code {
	SEAL_NO_CODE,
	SEAL_LIBRARY,
	SEAL_TOOL,
};

/**
 * enum seal_trust - how a process of the tool is trusted
 * @SEAL_TRUSTED: until it maps other code
 * @SEAL_USED: it has had descriptors of what is sealed, and may not map other code
 */
enum seal_trust {
	SEAL_TRUSTED,
	SEAL_USED,
};

/**
 * struct seal_system - what the tool has found out
 * @code_id: the inode map of enum seal_code
 * @pins_device: the filesystem of the pins' directory, as the kernel has it
 * @pins_inode: its inode number
 * @mount_namespace: the number of the mount namespace in which the guard was sealed
 * @unsigned_modules: whether the kernel knows no signatures, and loads any module
 */
struct seal_system {
	__u32 code_id;
	__u32 pins_device;
	__u64 pins_inode;
	__u32 mount_namespace;
	__u32 unsigned_modules;
};

/**
 * struct seal_user - a map or program that somebody has open, or one of SEAL_FOREIGN
 * @kind: enum seal_kind
 * @id: its id
 */
struct seal_user {
	__u32 kind;
	__u32 id;
};

#endif /* _GUARD_SEAL_H */
