// SPDX-License-Identifier: GPL-2.0-only
/*
 * The server: a directory with a few files. It speaks the protocol of <linux/fuse.h> itself, so
 * that it can stop at any request.
 */
#include <linux/fuse.h>
#include <sys/mman.h>
#include <time.h>

#include "fuse.h"

#define FIRST_NODE	(FUSE_ROOT_ID + 1)

const char *const file_names[NR_FILES] = { "f", "g", "h" };

struct control *control;
pid_t server;

static void sleep_ms(unsigned int ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&time, NULL);
}

static void reply(int fd, __u64 unique, int error, const void *data, size_t size)
{
	static struct {
		struct fuse_out_header head;
		char data[FILE_SIZE];
	} out;

	out.head.len = sizeof(out.head) + size;
	out.head.error = error;
	out.head.unique = unique;
	if (size)
		memcpy(out.data, data, size);
	/* The request may have been interrupted, or the connection aborted. */
	if (write(fd, &out, out.head.len) < 0 && errno != ENOENT && errno != ENODEV)
		FAIL("answering: %s", strerror(errno));
}

static struct fuse_attr attr_of(__u64 node)
{
	struct fuse_attr attr = { .ino = node, .nlink = 2, .mode = S_IFDIR | 0755,
				  .blksize = 4096 };

	if (node == FUSE_ROOT_ID)
		return attr;
	attr.mode = S_IFREG | 0644;
	attr.size = control->files[node - FIRST_NODE].size;
	attr.nlink = control->files[node - FIRST_NODE].links;
	return attr;
}

static int file_by_name(const char *name)
{
	for (int i = 0; i < NR_FILES; i++)
		if (!strcmp(name, file_names[i]) && control->files[i].links)
			return i;
	return -1;
}

static void serve_init(int fd, const struct fuse_in_header *in, const struct fuse_init_in *init)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = init->minor < FUSE_KERNEL_MINOR_VERSION ? init->minor :
								   FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = init->max_readahead,
		.flags = init->flags & (FUSE_WRITEBACK_CACHE | FUSE_ASYNC_READ | FUSE_BIG_WRITES),
		.max_background = 16,
		.congestion_threshold = 12,
		.max_write = FILE_SIZE,
		.time_gran = 1,
	};

	CHECK(out.flags & FUSE_WRITEBACK_CACHE);
	reply(fd, in->unique, 0, &out, sizeof(out));
}

static void serve_lookup(int fd, const struct fuse_in_header *in, const char *name)
{
	struct fuse_entry_out out = { .generation = 1, .entry_valid = 1000, .attr_valid = 1000 };
	int file = file_by_name(name);

	if (file < 0) {
		reply(fd, in->unique, -ENOENT, NULL, 0);
		return;
	}
	out.nodeid = FIRST_NODE + file;
	out.attr = attr_of(out.nodeid);
	reply(fd, in->unique, 0, &out, sizeof(out));
}

static void serve_attr(int fd, const struct fuse_in_header *in)
{
	struct fuse_attr_out out = { .attr_valid = 1000, .attr = attr_of(in->nodeid) };

	reply(fd, in->unique, 0, &out, sizeof(out));
}

static void serve_one(int fd, const struct fuse_in_header *in)
{
	const void *body = in + 1;
	const struct fuse_read_in *read_in = body;
	const struct fuse_write_in *write_in = body;
	struct fuse_write_out written = { 0 };
	struct fuse_open_out opened = { 0 };
	typeof(&control->files[0]) file = NULL;
	int number;

	if (in->nodeid >= FIRST_NODE && in->nodeid < FIRST_NODE + NR_FILES)
		file = &control->files[in->nodeid - FIRST_NODE];
	switch (in->opcode) {
	case FUSE_INIT:
		serve_init(fd, in, body);
		break;
	case FUSE_LOOKUP:
		serve_lookup(fd, in, body);
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		serve_attr(fd, in);
		break;
	case FUSE_OPEN:
		reply(fd, in->unique, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		if (read_in->offset >= file->size)
			reply(fd, in->unique, 0, NULL, 0);
		else
			reply(fd, in->unique, 0, file->data + read_in->offset,
			      file->size - read_in->offset < read_in->size ?
			      file->size - read_in->offset : read_in->size);
		break;
	case FUSE_WRITE:
		CHECK(write_in->offset + write_in->size <= FILE_SIZE);
		memcpy(file->data + write_in->offset, write_in + 1, write_in->size);
		if (write_in->offset + write_in->size > file->size)
			file->size = write_in->offset + write_in->size;
		written.size = write_in->size;
		reply(fd, in->unique, 0, &written, sizeof(written));
		break;
	case FUSE_UNLINK:
		number = file_by_name(body);
		if (number >= 0)
			control->files[number].links = 0;
		reply(fd, in->unique, number < 0 ? -ENOENT : 0, NULL, 0);
		break;
	case FUSE_FLUSH:
	case FUSE_FSYNC:
	case FUSE_RELEASE:
		reply(fd, in->unique, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		reply(fd, in->unique, -ENOSYS, NULL, 0);
	}
}

/* Not forever: a case that fails must end. */
static void stop(void)
{
	control->stopped = 1;
	for (int i = 0; control->stop_at; i++) {
		if (i > 4 * BOUND * 1000 / 5)
			FAIL("the server has not been resumed");
		sleep_ms(5);
	}
	control->stopped = 0;
}

static void serve(void *arg)
{
	static char buffer[FILE_SIZE + 8192] __attribute__((aligned(8)));
	const struct fuse_in_header *in = (void *)buffer;
	int fd = *(int *)arg;

	for (;;) {
		ssize_t got = read(fd, buffer, sizeof(buffer));

		if (got < 0 && errno == ENODEV)
			return;
		if (got < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN))
			continue;
		CHECK_SYS(got);
		if (in->opcode == (__u32)control->stop_at)
			stop();
		serve_one(fd, in);
	}
}

void fuse_start(const char *path)
{
	char options[128];
	int fd;

	if (sh("modprobe fuse 2>/dev/null; grep -qw fuse /proc/filesystems"))
		SKIP("this kernel has no FUSE");
	control = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	CHECK(control != MAP_FAILED);
	for (int i = 0; i < NR_FILES; i++) {
		control->files[i].size = 8192;
		control->files[i].links = 1;
	}
	fd = file_open("/dev/fuse", O_RDWR);
	CHECK_SYS(mkdir(path, 0755));
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
		 fd);
	CHECK_SYS(mount("test", path, "fuse.test", 0, options));
	server = child_start(serve, &fd);
	/* The death of the server ends the connection. */
	close(fd);
}

bool has_stopped(void *unused)
{
	(void)unused;
	return control->stopped;
}
