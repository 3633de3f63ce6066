// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * FUSE passthrough: a server has the kernel read and write another file, here the guarded one, in
 * place of its own. The filesystem is a single file; the server is a process of this program. Run
 * by ../bypass/.
 */
#include "bypass.h"

#include <linux/fuse.h>
#include <sys/ioctl.h>

/* Newer than the headers of Debian 12. */
#define PASSTHROUGH_INIT	(1U << 5)	/* of the second word of flags */
#define PASSTHROUGH_OPEN	(1U << 7)
#define BACKING_OPEN		_IOW(229, 1, struct backing)

struct backing {
	__s32 fd;
	__u32 flags;
	__u64 padding;
};

struct init_reply {
	__u32 major, minor, max_readahead, flags;
	__u16 max_background, congestion_threshold;
	__u32 max_write, time_gran;
	__u16 max_pages, map_alignment;
	__u32 flags2, max_stack_depth, unused[6];
};

struct open_reply {
	__u64 handle;
	__u32 flags;
	__s32 backing;
};

/* The server */

struct server {
	int device;			/* /dev/fuse */
	int guarded;
};

static void reply(const struct server *server, __u64 unique, int error, const void *data,
		  size_t size)
{
	struct fuse_out_header head = { sizeof(head) + size, error, unique };
	const struct iovec parts[2] = { { &head, sizeof(head) }, { (void *)data, size } };

	/* The request may have been interrupted. */
	CHECK(writev(server->device, parts, 2) > 0 || errno == ENOENT);
}

static void reply_init(const struct server *server, const struct fuse_in_header *in)
{
	const struct init_reply init = {
		.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION,
		.flags = FUSE_INIT_EXT, .flags2 = PASSTHROUGH_INIT, .max_stack_depth = 1,
		.max_write = 1 << 16, .time_gran = 1,
	};

	reply(server, in->unique, 0, &init, sizeof(init));
}

static void reply_attributes(const struct server *server, const struct fuse_in_header *in)
{
	const struct fuse_attr_out attributes = {
		.attr_valid = 1000,
		.attr = {
			.ino = FUSE_ROOT_ID, .size = FILE_SIZE, .mode = S_IFREG | 0644, .nlink = 1,
		},
	};

	reply(server, in->unique, 0, &attributes, sizeof(attributes));
}

static void reply_open(const struct server *server, const struct fuse_in_header *in)
{
	const struct backing backing = { .fd = server->guarded };
	struct open_reply open = {
		.flags = PASSTHROUGH_OPEN,
		.backing = ioctl(server->device, BACKING_OPEN, &backing),
	};

	if (open.backing < 0)
		reply(server, in->unique, -errno, NULL, 0);
	else
		reply(server, in->unique, 0, &open, sizeof(open));
}

static void serve(void *arg)
{
	static char bytes[1 << 17] __attribute__((aligned(8)));
	const struct fuse_in_header *in = (void *)bytes;
	const struct server *server = arg;

	for (;;) {
		if (read(server->device, bytes, sizeof(bytes)) < 0) {
			if (errno == ENODEV)
				return;
			continue;
		}
		switch (in->opcode) {
		case FUSE_INIT:
			reply_init(server, in);
			break;
		case FUSE_GETATTR:
			reply_attributes(server, in);
			break;
		case FUSE_OPEN:
			reply_open(server, in);
			break;
		case FUSE_FLUSH:
		case FUSE_RELEASE:
			reply(server, in->unique, 0, NULL, 0);
			break;
		case FUSE_FORGET:
		case FUSE_INTERRUPT:
			break;
		default:
			reply(server, in->unique, -ENOSYS, NULL, 0);
		}
	}
}

/* Start the server, which ends with the calling process, or with the filesystem. */
static const char *start(const struct target *t, int guarded)
{
	const char *path = scratch(t, "passthrough");
	struct server server = { file_open("/dev/fuse", O_RDWR), guarded };
	char options[128];

	file_write(path, "");
	snprintf(options, sizeof(options), "fd=%d,rootmode=%o,user_id=0,group_id=0", server.device,
		 S_IFREG);
	CHECK_SYS(mount("passthrough", path, "fuse.passthrough", 0, options));
	child_start(serve, &server);
	close(server.device);
	return path;
}

/* The attempts open the FUSE file with the access that they want to the guarded one. */

static int open_through(const struct target *t, int flags)
{
	int guarded = descriptor(t), fd;

	if (guarded < 0)
		return guarded;
	fd = result(open(start(t, guarded), flags | O_CLOEXEC));
	close(guarded);
	return fd;
}

static int try_read(struct target *t)
{
	return read_text(open_through(t, O_RDONLY));
}

static int try_write(struct target *t)
{
	return overwrite_text(open_through(t, O_WRONLY));
}

static int prepare_through(struct target *t)
{
	int fd = open_through(t, O_RDWR);

	if (fd < 0)
		return fd;
	t->fd = fd;
	return 0;
}

static int run_read(struct target *t)
{
	return read_text(t->fd);
}

static int run_write(struct target *t)
{
	return overwrite_text(t->fd);
}

static int run_splice(struct target *t)
{
	int memory = memfd_create("copy", MFD_CLOEXEC), pipes[2];
	long size;

	CHECK_SYS(pipe(pipes));
	size = result(splice(t->fd, NULL, pipes[1], NULL, 4096, 0));
	if (size < 0)
		return size;
	CHECK_EQ(splice(pipes[0], NULL, memory, NULL, size, 0), size);
	return read_text(memory);
}

static int run_map(struct target *t)
{
	return map_text(t->fd);
}

static int run_map_code(struct target *t)
{
	return map_code(t->fd);
}

static int run_protect_code(struct target *t)
{
	return protect_code(t->fd);
}

static int run_map_write(struct target *t)
{
	return write_mapped(t->fd, PROT_WRITE);
}

static int run_map_protect(struct target *t)
{
	return write_mapped(t->fd, PROT_READ);
}

#define ONCE		.ways = BY(DIRECT), .filesystems = EXT4, .own_process = true
/* The kernel accepts an O_PATH descriptor, which gives no access by itself. */
#define BY_PATH		ONCE, .open_flags = O_PATH
/* The kernel does not pass on why it could not open the file. */
#define UNTOLD		.error = EIO
#define BEFORE_RULE	ONCE, .open_flags = O_PATH, .prepare = prepare_through

const struct attempt passthrough_calls[] = {
	TRY("FUSE passthrough: read", READ, try_read, BY_PATH, UNTOLD),
	TRY("FUSE passthrough: write", WRITE, try_write, BY_PATH, UNTOLD),
	TRY("FUSE passthrough: read, opened before", READ, run_read, BEFORE_RULE),
	TRY("FUSE passthrough: splice, opened before", READ, run_splice, BEFORE_RULE),
	TRY("FUSE passthrough: mmap, opened before", READ | MMAP, run_map, BEFORE_RULE),
	TRY("FUSE passthrough: mmap as code, opened before", READ | EXEC | MMAP, run_map_code,
	    BEFORE_RULE),
	TRY("FUSE passthrough: mmap, then mprotect to executable, opened before",
	    READ | EXEC | MMAP, run_protect_code, BEFORE_RULE),
	TRY("FUSE passthrough: write, opened before", WRITE, run_write, BEFORE_RULE),
	TRY("FUSE passthrough: mmap to write, opened before", READ | WRITE | MMAP, run_map_write,
	    BEFORE_RULE),
	TRY("FUSE passthrough: mmap, then mprotect to writable, opened before",
	    READ | WRITE | MMAP, run_map_protect, BEFORE_RULE),
	{ }
};
