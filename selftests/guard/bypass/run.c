// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Making the runs: each run's file, the way to it, and the process that makes the attempt. */
#include <sched.h>
#include <sys/socket.h>

#include "runs.h"

/*
 * Keep the descriptors of waiting runs in a socket, in order of the runs: otherwise, each child
 * process would have to close them all.
 */

static int stash[2];

void stash_open(void)
{
	int size = 64 << 20;

	CHECK_SYS(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, stash));
	CHECK_SYS(setsockopt(stash[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)));
	/* Room for all of them: net.unix.max_dgram_qlen allows only a few by default. */
	file_write("/proc/sys/net/unix/max_dgram_qlen", "100000");
}

struct parcel {
	struct iovec vector;
	struct msghdr message;
	char byte, control[CMSG_SPACE(sizeof(int))];
};

static struct cmsghdr *parcel_init(struct parcel *parcel)
{
	memset(parcel, 0, sizeof(*parcel));
	parcel->vector = (struct iovec){ &parcel->byte, 1 };
	parcel->message = (struct msghdr){
		.msg_iov = &parcel->vector, .msg_iovlen = 1, .msg_control = parcel->control,
		.msg_controllen = sizeof(parcel->control),
	};
	return CMSG_FIRSTHDR(&parcel->message);
}

static void stash_put(int fd)
{
	struct parcel parcel;
	struct cmsghdr *header = parcel_init(&parcel);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	CHECK_SYS(sendmsg(stash[0], &parcel.message, MSG_DONTWAIT));
	close(fd);
}

static int stash_get(void)
{
	struct parcel parcel;
	int fd;

	parcel_init(&parcel);
	CHECK_SYS(recvmsg(stash[1], &parcel.message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
	CHECK(CMSG_FIRSTHDR(&parcel.message));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&parcel.message)), sizeof(fd));
	return fd;
}

/* Making the file of a run, and the way to it */

void run_make(struct run *run)
{
	snprintf(run->directory, sizeof(run->directory), "%s/%d", run->place->root,
		 run->target.number);
	CHECK_SYS(mkdir(run->directory, 0755));
	if (run->tree) {
		snprintf(run->path, sizeof(run->path), "%s/below", run->directory);
		CHECK_SYS(mkdir(run->path, 0755));
		strcat(run->path, "/file");
	} else {
		snprintf(run->path, sizeof(run->path), "%s/file", run->directory);
	}
	run->target.path = run->path;
	make_file(run->path, run->attempt->kind);
	if (run->way == USER)
		CHECK_SYS(chown(run->path, NOBODY, NOBODY));
	if (run->way == HARD_LINK)
		CHECK_SYS(link(run->path, scratch(&run->target, "hard")));
	if (run->way == SYMBOLIC_LINK)
		CHECK_SYS(symlink(run->path, scratch(&run->target, "soft")));
}

const char *describe(const struct run *run)
{
	static char text[512];
	char names[128];

	names_of(run->denied, names);
	snprintf(text, sizeof(text), "%s, %s, %s, %s%s%s", run->attempt->name, way_names[run->way],
		 run->place->name, run->denied ? "denied in a " : "no rule", !run->denied ? "" :
		 run->denied & ALLOW_APPEND ? "file that may be appended to: " :
		 run->tree ? "tree: " : "file: ", names);
	return text;
}

/* The state of the file, and of the name through which it was tried. */
uint64_t run_state(const struct run *run)
{
	bool with_time = !run->attempt->sets_time || run->denied & ATTR;
	uint64_t state = state_of(run->path, with_time);

	if (run->way == HARD_LINK)
		state += 3 * state_of(scratch(&run->target, "hard"), with_time);
	return state;
}

void run_prepare(struct run *run)
{
	int err = 0;

	if (run->way == BEFORE) {
		run->target.fd = open(run->path, run->attempt->open_flags | O_CLOEXEC);
		err = run->target.fd < 0 ? -errno : 0;
	}
	if (!err && run->attempt->prepare)
		err = run->attempt->prepare(&run->target);
	if (err)
		FAIL("%s: preparing it: %s", describe(run), strerror(-err));
	run->before = run_state(run);
	if (run->target.fd >= 0)
		stash_put(run->target.fd);
}

/* The way to the file, in the child process */

static void bind_file(struct run *run, char *path)
{
	snprintf(path, 256, "%s", scratch_file(&run->target, "bound", run->target.kind));
	CHECK_SYS(unshare(CLONE_NEWNS));
	CHECK_SYS(mount(run->path, path, NULL, MS_BIND, NULL));
}

static void go(struct run *run)
{
	static char path[256];

	run->target.path = path;
	snprintf(path, sizeof(path), "%s", run->path);
	switch (run->way) {
	case HARD_LINK:
		snprintf(path, sizeof(path), "%s", scratch(&run->target, "hard"));
		break;
	case SYMBOLIC_LINK:
		snprintf(path, sizeof(path), "%s", scratch(&run->target, "soft"));
		break;
	case PROC_FD:
		snprintf(path, sizeof(path), "/proc/self/fd/%d",
			 (int)CHECK_SYS(open(run->path, O_PATH)));
		break;
	case BIND_MOUNT:
		snprintf(path, sizeof(path), "%s%s", run->place->bound,
			 run->path + strlen(run->place->root));
		run->target.root = run->place->bound;
		break;
	case BIND_FILE:
		bind_file(run, path);
		break;
	case CHROOT:
		CHECK_SYS(chroot(DIR_PATH "/chroot"));
		CHECK_SYS(chdir("/"));
		break;
	case USER_NAMESPACE:
		enter_user_namespace();
		break;
	case USER:
		CHECK_SYS(setresgid(NOBODY, NOBODY, NOBODY));
		CHECK_SYS(setresuid(NOBODY, NOBODY, NOBODY));
		break;
	default:
		break;
	}
}

/*
 * Many runs share a process, one after the other, which is much quicker than a process each. Runs
 * that change more of their process than descriptors and mappings have one of their own.
 */

#define NO_RESULT	1		/* the process died */

static bool has_own_process(const struct run *run)
{
	return run->attempt->own_process || run->way == BIND_FILE || run->way == CHROOT ||
	       run->way == USER_NAMESPACE || run->way == USER;
}

static void run_one(struct run *run)
{
	time_limit(20);
	if (run->target.fd >= 0)
		run->target.fd = stash_get();
	go(run);
	results[run->target.number] = run->attempt->run(&run->target);
}

/* Return the next run for the same process, or NULL. */
static struct run *next_for_process(struct run *run)
{
	struct run *next = run->next;

	if (has_own_process(run) || !next || !next->denied != !run->denied || has_own_process(next))
		return NULL;
	return next;
}

static void run_some(void *arg)
{
	int first_free = CHECK_SYS(dup(0));

	for (struct run *run = arg; run; run = next_for_process(run)) {
		run_one(run);
		close_range(first_free, ~0U, 0);
	}
}

static void run_make_way(struct run *run)
{
	char moved[sizeof(run->directory)];

	if (run->way != PARENT_MOVED)
		return;
	snprintf(moved, sizeof(moved), "%s/%d.moved", run->place->root,
		 run->target.number);
	CHECK_SYS(rename(run->directory, moved));
	memcpy(run->directory, moved, sizeof(moved));
	snprintf(run->path, sizeof(run->path), "%s/file", run->directory);
}

#define PENDING	2

void run_all(bool denied)
{
	struct run *run;
	int status;

	for (run = runs; run; run = run->next)
		if (!run->denied == !denied) {
			run_make_way(run);
			results[run->target.number] = PENDING;
		}
	for (run = runs; run; run = run->next) {
		int *result = &results[run->target.number];

		if (!run->denied != !denied)
			continue;
		if (*result == PENDING) {
			CHECK_SYS(waitpid(child_start(run_some, run), &status, 0));
			if (*result == PENDING)
				*result = NO_RESULT;
		}
		run->result = *result;
		if (run->target.memory)
			munmap(run->target.memory, FILE_SIZE);
	}
}
