// SPDX-License-Identifier: GPL-2.0-only
/*
 * Other ways to guard files, which day.c compares inode-guard with: a hash map on {dev, ino}
 * (rival.bpf.c), permission events of fanotify, and watches of audit, which deny nothing and only
 * write a log. Each guards the files from its begin function to its end function. Needs root, and
 * prints nothing.
 */
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/fanotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "rival.skel.h"

/* The device and the number of a file, encoded as programs read them from the inode. */
static struct bench_number number_of(const struct stat *st)
{
	return (struct bench_number) {
		.dev = (__u64)major(st->st_dev) << 20 | minor(st->st_dev),
		.ino = st->st_ino,
	};
}

/* The hash map on {dev, ino} */

static struct rival *rival;

void rival_begin(const char *dir, unsigned int n)
{
	static const __u64 value = 1;
	struct bench_number number;
	struct stat st;

	rival = rival__open();
	MUST(rival && !bpf_map__set_max_entries(rival->maps.guarded, n) && !rival__load(rival));
	for (unsigned int i = 0; i < n; i++) {
		MUST(!stat(file_path(dir, i), &st));
		number = number_of(&st);
		MUST(!bpf_map__update_elem(rival->maps.guarded, &number, sizeof(number), &value,
					   sizeof(value), BPF_ANY));
	}
	MUST(!rival__attach(rival));
	MUST(open(file_path(dir, 0), O_RDONLY | O_CLOEXEC) < 0 && errno == EPERM);
}

void rival_end(void)
{
	rival__destroy(rival);
}

/* fanotify */

static struct bench_number *guarded;
static unsigned int nr_guarded;
static pid_t daemon_pid;

static int compare_numbers(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct bench_number));
}

static unsigned int verdict(int fd)
{
	struct bench_number number;
	struct stat st;

	if (fstat(fd, &st))
		return FAN_ALLOW;
	number = number_of(&st);
	return bsearch(&number, guarded, nr_guarded, sizeof(number), compare_numbers) ? FAN_DENY :
										       FAN_ALLOW;
}

/* The daemon: answer permission events until somebody kills it. */
__attribute__((noreturn)) static void answer(int fan)
{
	struct fanotify_event_metadata events[64], *event;
	struct fanotify_response response;
	ssize_t length;

	for (;;) {
		length = read(fan, events, sizeof(events));
		if (length < 0)
			_exit(1);
		for (event = events; FAN_EVENT_OK(event, length);
		     event = FAN_EVENT_NEXT(event, length)) {
			response.fd = event->fd;
			response.response = verdict(event->fd);
			if (write(fan, &response, sizeof(response)) != sizeof(response))
				_exit(1);
			close(event->fd);
		}
	}
}

/* @mounts: all mounts by which files are opened, and NULL at the end. */
void fanotify_begin(const char *dir, unsigned int n, const char *const *mounts)
{
	int fan = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_UNLIMITED_QUEUE,
				O_RDONLY | O_CLOEXEC | O_LARGEFILE);
	struct stat st;

	MUST(fan >= 0);
	guarded = calloc(n, sizeof(*guarded));
	nr_guarded = n;
	MUST(guarded);
	for (unsigned int i = 0; i < n; i++) {
		MUST(!stat(file_path(dir, i), &st));
		guarded[i] = number_of(&st);
	}
	qsort(guarded, n, sizeof(*guarded), compare_numbers);
	daemon_pid = fork();
	MUST(daemon_pid >= 0);
	if (!daemon_pid)
		answer(fan);
	for (; *mounts; mounts++)
		MUST(!fanotify_mark(fan, FAN_MARK_ADD | FAN_MARK_MOUNT,
				    FAN_OPEN_PERM | FAN_ACCESS_PERM, AT_FDCWD, *mounts));
	close(fan);
	MUST(open(file_path(dir, 0), O_RDONLY | O_CLOEXEC) < 0 && errno == EPERM);
}

void fanotify_end(void)
{
	kill(daemon_pid, SIGKILL);
	MUST(waitpid(daemon_pid, NULL, 0) == daemon_pid);
	free(guarded);
}

/* audit */

static int audit_socket = -1;

/* Send a message, and wait until the kernel has acknowledged it. */
static void audit_send(unsigned int type, const void *data, size_t size)
{
	struct {
		struct nlmsghdr header;
		char data[8192];
	} message = {
		.header.nlmsg_len = NLMSG_LENGTH(size),
		.header.nlmsg_type = type,
		.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
	};
	const struct nlmsgerr *error = (void *)message.data;

	memcpy(message.data, data, size);
	MUST(send(audit_socket, &message, message.header.nlmsg_len, 0) > 0);
	do
		MUST(recv(audit_socket, &message, sizeof(message), 0) > 0);
	while (message.header.nlmsg_type != NLMSG_ERROR);
	errno = -error->error;
	MUST(!errno);
}

static void audit_watch(unsigned int type, const char *path)
{
	char buffer[sizeof(struct audit_rule_data) + 256] = {};
	struct audit_rule_data *rule = (void *)buffer;

	rule->flags = AUDIT_FILTER_EXIT;
	rule->action = AUDIT_ALWAYS;
	memset(rule->mask, 0xff, sizeof(rule->mask));
	rule->field_count = 2;
	rule->fields[0] = AUDIT_WATCH;
	rule->fieldflags[0] = AUDIT_EQUAL;
	rule->values[0] = strlen(path);
	rule->fields[1] = AUDIT_PERM;
	rule->fieldflags[1] = AUDIT_EQUAL;
	rule->values[1] = AUDIT_PERM_READ | AUDIT_PERM_WRITE | AUDIT_PERM_ATTR | AUDIT_PERM_EXEC;
	rule->buflen = strlen(path);
	memcpy(rule->buf, path, rule->buflen);
	audit_send(type, rule, sizeof(*rule) + rule->buflen);
}

static void audit_enable(bool on)
{
	struct audit_status status = { .mask = AUDIT_STATUS_ENABLED, .enabled = on };

	audit_send(AUDIT_SET, &status, sizeof(status));
}

void audit_begin(const char *dir, unsigned int n)
{
	audit_socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
	MUST(audit_socket >= 0);
	audit_enable(true);
	for (unsigned int i = 0; i < n; i++)
		audit_watch(AUDIT_ADD_RULE, file_path(dir, i));
}

void audit_end(const char *dir, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		audit_watch(AUDIT_DEL_RULE, file_path(dir, i));
	audit_enable(false);
	close(audit_socket);
}
