// SPDX-License-Identifier: GPL-2.0-only
/*
 * A FUSE server, for tests and the fuzzer: one directory, and files of which it only knows the
 * size. A node is the same under all its names. The server answers from its own memory alone; run
 * it in a process of its own.
 *
 * A node that has no name and that the kernel has forgotten is reused, with another generation:
 * successive inodes have the same number.
 */
#include <errno.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuse_server.h"

/* The first is the root. Allocation takes the first free node, so that nodes are soon reused. */
#define NODES		32
#define NAMES		32
#define NAME_SIZE	32

unsigned int fuse_server_valid = 1000;

static struct node {
	struct fuse_attr attr;
	__u64 generation, lookups;
} nodes[NODES + 1];

static struct name {
	char text[NAME_SIZE];
	__u64 node;		/* 0: the name is free */
} names[NAMES];

/* The body of an answer, after its header. */
union answer {
	struct fuse_init_out init;
	struct fuse_attr_out attr;
	struct fuse_open_out open;
	struct fuse_write_out write;
	struct fuse_statfs_out statfs;
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} created;
};

static struct name *find(const char *text)
{
	for (unsigned int i = 0; i < NAMES; i++)
		if (names[i].node && !strcmp(names[i].text, text))
			return &names[i];
	return NULL;
}

static int add_name(const char *text, __u64 node)
{
	for (unsigned int i = 0; i < NAMES; i++) {
		if (names[i].node)
			continue;
		snprintf(names[i].text, sizeof(names[i].text), "%s", text);
		names[i].node = node;
		nodes[node].attr.nlink++;
		return 0;
	}
	return -ENOSPC;
}

static int remove_name(const char *text)
{
	struct name *name = find(text);

	if (!name)
		return -ENOENT;
	nodes[name->node].attr.nlink--;
	name->node = 0;
	return 0;
}

/* The new name follows the NUL of @from. */
static int rename_to(const char *from)
{
	const char *to = from + strlen(from) + 1;
	struct name *name = find(from);

	if (!name)
		return -ENOENT;
	if (strcmp(from, to)) {
		remove_name(to);
		snprintf(name->text, sizeof(name->text), "%s", to);
	}
	return 0;
}

static int make_node(const char *text, __u32 mode)
{
	for (__u64 i = FUSE_ROOT_ID + 1; i <= NODES; i++) {
		if (nodes[i].attr.nlink || nodes[i].lookups)
			continue;
		nodes[i].attr = (struct fuse_attr){ .ino = i, .mode = mode };
		nodes[i].generation++;
		return add_name(text, i);
	}
	return -ENOSPC;
}

/* From here on the kernel knows the node; it sends FUSE_FORGET when it has forgotten it. */
static int look_up(const char *text, struct fuse_entry_out *entry)
{
	struct name *name = find(text);

	if (!name)
		return -ENOENT;
	nodes[name->node].lookups++;
	*entry = (struct fuse_entry_out){
		.nodeid = name->node, .generation = nodes[name->node].generation,
		.entry_valid = fuse_server_valid, .attr_valid = fuse_server_valid,
		.attr = nodes[name->node].attr,
	};
	return sizeof(*entry);
}

static int create(const struct fuse_create_in *in, union answer *answer)
{
	int err = make_node((const char *)(in + 1), in->mode);

	if (err)
		return err;
	look_up((const char *)(in + 1), &answer->created.entry);
	return sizeof(answer->created);
}

static int make_directory(const struct fuse_mkdir_in *in, union answer *answer)
{
	int err = make_node((const char *)(in + 1), in->mode | S_IFDIR);

	return err ? err : look_up((const char *)(in + 1), &answer->created.entry);
}

static int link_to(const struct fuse_link_in *in, union answer *answer)
{
	int err = add_name((const char *)(in + 1), in->oldnodeid);

	return err ? err : look_up((const char *)(in + 1), &answer->created.entry);
}

/* Returns the size of @answer in bytes, or a negative errno. */
static int answer_to(const struct fuse_in_header *header, const void *in, union answer *answer)
{
	const struct fuse_setattr_in *setattr = in;
	const struct fuse_write_in *written = in;
	struct node *node = &nodes[header->nodeid <= NODES ? header->nodeid : 0];

	switch (header->opcode) {
	case FUSE_INIT:
		answer->init = (struct fuse_init_out){
			.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION,
			.max_readahead = ((const struct fuse_init_in *)in)->max_readahead,
			.max_write = 4096,
		};
		return sizeof(answer->init);
	case FUSE_LOOKUP:
		return look_up(in, &answer->created.entry);
	case FUSE_SETATTR:
		if (setattr->valid & FATTR_SIZE)
			node->attr.size = setattr->size;
		/* fallthrough */
	case FUSE_GETATTR:
		answer->attr = (struct fuse_attr_out){ .attr_valid = fuse_server_valid,
						       .attr = node->attr };
		return sizeof(answer->attr);
	case FUSE_CREATE:
		return create(in, answer);
	case FUSE_MKDIR:
		return make_directory(in, answer);
	case FUSE_LINK:
		return link_to(in, answer);
	case FUSE_UNLINK:
	case FUSE_RMDIR:
		return remove_name(in);
	case FUSE_RENAME:
		return rename_to((const char *)in + sizeof(struct fuse_rename_in));
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		return sizeof(answer->open);
	case FUSE_WRITE:
		if (written->offset + written->size > node->attr.size)
			node->attr.size = written->offset + written->size;
		answer->write.size = written->size;
		return sizeof(answer->write);
	case FUSE_STATFS:
		return sizeof(answer->statfs);
	case FUSE_READ:
	case FUSE_READDIR:
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_DESTROY:
		return 0;
	default:
		return -ENOSYS;
	}
}

static void forget(__u64 node, __u64 lookups)
{
	if (node > FUSE_ROOT_ID && node <= NODES)
		nodes[node].lookups -= lookups;
}

/* Returns whether this was a request that has no answer. */
static bool takes_no_answer(const struct fuse_in_header *header, const void *in)
{
	const struct fuse_batch_forget_in *batch = in;
	const struct fuse_forget_one *one = (const void *)(batch + 1);

	switch (header->opcode) {
	case FUSE_FORGET:
		forget(header->nodeid, ((const struct fuse_forget_in *)in)->nlookup);
		return true;
	case FUSE_BATCH_FORGET:
		for (__u32 i = 0; i < batch->count; i++)
			forget(one[i].nodeid, one[i].nlookup);
		return true;
	case FUSE_INTERRUPT:
		return true;
	default:
		return false;
	}
}

int fuse_server_run(int fd)
{
	static struct {
		struct fuse_in_header header;
		char data[131072];
	} in;
	static struct {
		struct fuse_out_header header;
		union answer data;
	} out;
	int result;

	nodes[FUSE_ROOT_ID].attr = (struct fuse_attr){
		.ino = FUSE_ROOT_ID, .mode = S_IFDIR | 0755, .nlink = 2,
	};
	for (;;) {
		if (read(fd, &in, sizeof(in)) < 0) {
			if (errno == ENODEV)
				return 0;
			continue;
		}
		if (takes_no_answer(&in.header, in.data))
			continue;
		memset(&out, 0, sizeof(out));
		result = answer_to(&in.header, in.data, &out.data);
		out.header.unique = in.header.unique;
		out.header.error = result < 0 ? result : 0;
		out.header.len = sizeof(out.header) + (result > 0 ? result : 0);
		/* The task that asked may have been killed. */
		if (write(fd, &out, out.header.len) < 0 && errno != ENOENT && errno != ENODEV)
			return -errno;
	}
}
