// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entries and watches of the same inode: each lives as long as without the other. The inodes are on
 * a filesystem that evicts them when told to.
 */
#include <linux/audit.h>
#include <linux/netlink.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "finder.h"
#include "watch.h"

static int evictable_file(void)
{
	mount_image("ext4", 8, "m", NULL);
	close(file_create("m/f"));
	return file_open("m/f", O_PATH);
}

/* Whether an open of the file is noticed. */
static bool inotify_notices(int inotify)
{
	close(file_open("m/f", O_RDONLY));
	*seen = 0;
	inotify_drain(inotify);
	return strstr(seen, "inotify 1: OPEN\n");
}

static bool fanotify_notices(int fanotify)
{
	close(file_open("m/f", O_RDONLY));
	*seen = 0;
	fanotify_drain(fanotify, "fanotify");
	return strstr(seen, "fanotify: OPEN");
}

static bool entry_survives(int map)
{
	for (int i = 0; i < 3; i++)
		drop_caches();
	return map_count(map);
}

static bool path_is_found(struct fault *program)
{
	int fd = file_open("m/f", O_PATH);
	bool found = finder_finds(program, fd);

	close(fd);
	return found;
}

/* The last watch goes: pinned entries stay, weak ones don't. */
TEST(last_watch)
{
	int fd = evictable_file();

	FOR_EACH_LIFETIME(flags) {
		for (int added_first = 0; added_first < 2; added_first++) {
			int inotify = CHECK_SYS(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
			int map = map_create(32, 4, 8);
			struct fault *program = finder_attach(map);

			if (added_first)
				map_put(map, fd, 1, flags);
			CHECK_EQ(inotify_add_watch(inotify, "m/f", IN_OPEN), 1);
			if (!added_first)
				map_put(map, fd, 1, flags);
			close(fd);
			/* The watch keeps the inode, and the entry with it. */
			CHECK(entry_survives(map));
			CHECK(path_is_found(program));
			CHECK(inotify_notices(inotify));
			CHECK_SYS(inotify_rm_watch(inotify, 1));
			CHECK_EQ(map_count(map), 1);
			CHECK(path_is_found(program));
			/* Marks are released by a worker. */
			sleep(1);
			CHECK_EQ(entry_survives(map), !flags);
			CHECK_EQ(path_is_found(program), !flags);
			fd = file_open("m/f", O_PATH);
			close(inotify);
			fault__destroy(program);
			close(map);
			counts_wait(0, 0, 0, 0);
		}
	}
}

/* The last entry goes: the watch stays, and keeps the inode. */
TEST(last_entry)
{
	int fd = evictable_file();

	FOR_EACH_LIFETIME(flags) {
		for (int end = 0; end < 2; end++) {
			int inotify = CHECK_SYS(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
			int map = map_create(32, 4, 8), weak = map_create(32, 4, 8);

			map_put(map, fd, 1, flags);
			CHECK_EQ(inotify_add_watch(inotify, "m/f", IN_OPEN), 1);
			if (end) {
				close(map);
				counts_wait(1, 0, 0, 0);
			} else {
				CHECK_OK(inode_map_remove_fd(map, fd));
				counts_wait(2, 0, 0, 0);
			}
			/* This tells an inode that was kept from a new one. */
			map_put(weak, fd, 1, INODE_MAP_WEAK);
			close(fd);
			CHECK(entry_survives(weak));
			CHECK(inotify_notices(inotify));
			close(inotify);
			sleep(1);
			CHECK(!entry_survives(weak));
			fd = file_open("m/f", O_PATH);
			if (!end)
				close(map);
			close(weak);
			counts_wait(0, 0, 0, 0);
		}
	}
}

/* A watch that does not keep the inode lasts as long as a pinned entry does, but not a weak one. */
TEST(evictable_watch)
{
	int fd = evictable_file();

	FOR_EACH_LIFETIME(flags) {
		for (int added_first = 0; added_first < 2; added_first++) {
			int fanotify = fanotify_new(FAN_CLASS_NOTIF);
			int map = map_create(32, 4, 8);

			if (added_first)
				map_put(map, fd, 1, flags);
			CHECK_SYS(fanotify_mark(fanotify, FAN_MARK_ADD | FAN_MARK_EVICTABLE,
						FAN_OPEN, AT_FDCWD, "m/f"));
			if (!added_first)
				map_put(map, fd, 1, flags);
			close(fd);
			CHECK(fanotify_notices(fanotify));
			CHECK_EQ(entry_survives(map), !flags);
			CHECK_EQ(fanotify_notices(fanotify), !flags);
			if (!flags) {
				CHECK_OK(inode_map_remove_path(map, "m/f"));
				counts_wait(1, 0, 0, 0);
				CHECK(fanotify_notices(fanotify));
				entry_survives(map);
				CHECK(!fanotify_notices(fanotify));
			}
			fd = file_open("m/f", O_PATH);
			close(fanotify);
			close(map);
			counts_wait(0, 0, 0, 0);
		}
	}
}

/* Many watches and entries come and go on the same inodes at once. Afterwards both still work. */

static void watch_and_unwatch(void *arg)
{
	int inotify = CHECK_SYS(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));

	(void)arg;
	for (int i = 0; i < 600; i++) {
		int watch = CHECK_SYS(inotify_add_watch(inotify, i & 1 ? "f" : "g", IN_OPEN));

		CHECK_SYS(inotify_rm_watch(inotify, watch));
	}
}

static void insert_and_remove(void *arg)
{
	int *map = arg, fds[] = { file_open("f", O_PATH), file_open("g", O_PATH) };

	for (int i = 0; i < 600; i++) {
		map_put(*map, fds[i & 1], i, i & 2 ? INODE_MAP_WEAK : 0);
		CHECK(map_has(*map, fds[i & 1]));
		if (i % 5)
			CHECK_OK(inode_map_remove_fd(*map, fds[i & 1]));
	}
}

TEST(both_at_once)
{
	int maps[] = { map_create(32, 4, 8), map_create(32, 4, 8) };
	int inotify = CHECK_SYS(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)), fd;
	struct fault *program = finder_attach(maps[0]);
	pid_t pids[4];

	close(file_create("f"));
	close(file_create("g"));
	fd = file_open("f", O_PATH);
	CHECK_EQ(inotify_add_watch(inotify, "f", IN_OPEN), 1);
	for (int i = 0; i < 4; i++)
		pids[i] = child_start(i < 2 ? watch_and_unwatch : insert_and_remove, &maps[i & 1]);
	for (int i = 0; i < 4; i++)
		child_wait(pids[i]);
	*seen = 0;
	inotify_drain(inotify);
	CHECK(!*seen);
	close(file_open("f", O_RDONLY));
	inotify_drain(inotify);
	CHECK(!strcmp(seen, "inotify 1: OPEN\n"));
	map_put(maps[0], fd, 1, 0);
	CHECK(finder_finds(program, fd));
	CHECK_OK(inode_map_remove_fd(maps[0], fd));
	CHECK(!finder_finds(program, fd));
	fault__destroy(program);
}

/* Audit marks the directories of a tree with the bit that also says "may be in a map". */

static int audit_change(int netlink, int type, const char *dir)
{
	struct {
		struct nlmsghdr head;
		struct audit_rule_data rule;
		char path[128];
	} request = { };
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[1024];
	} answer;

	request.rule.flags = AUDIT_FILTER_EXIT;
	request.rule.action = AUDIT_ALWAYS;
	request.rule.mask[AUDIT_WORD(SYS_sync)] = AUDIT_BIT(SYS_sync);
	request.rule.field_count = 1;
	request.rule.fields[0] = AUDIT_DIR;
	request.rule.fieldflags[0] = AUDIT_EQUAL;
	request.rule.values[0] = strlen(dir);
	request.rule.buflen = strlen(dir);
	/* After the rule, whose last member is a flexible array. */
	memcpy(&request.rule + 1, dir, strlen(dir));
	request.head.nlmsg_len = NLMSG_LENGTH(sizeof(request.rule) + strlen(dir));
	request.head.nlmsg_type = type;
	request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	CHECK_SYS(send(netlink, &request, request.head.nlmsg_len, 0));
	do {
		CHECK_SYS(recv(netlink, &answer, sizeof(answer), 0));
	} while (answer.head.nlmsg_type != NLMSG_ERROR);
	return answer.error.error;
}

TEST(audit_tree)
{
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
	int map = map_create(32, 4, 8), fds[2];
	struct fault *program;
	char dir[64];

	if (netlink < 0)
		SKIP("this kernel has no audit");
	CHECK_SYS(mkdir("d", 0755));
	CHECK_SYS(mkdir("d/e", 0755));
	fds[0] = file_open("d", O_PATH);
	fds[1] = file_open("d/e", O_PATH);
	snprintf(dir, sizeof(dir), "%s/d", DIR_PATH);
	program = finder_attach(map);
	for (int i = 0; i < 3; i++) {
		int err;

		/* With and without an entry before the rule. */
		if (i)
			map_put(map, fds[0], 1, i == 1 ? 0 : INODE_MAP_WEAK);
		err = audit_change(netlink, AUDIT_ADD_RULE, dir);
		if (err == -EINVAL || err == -EOPNOTSUPP)
			SKIP("this kernel has no audit of trees (%d)", err);
		CHECK_OK(err);
		CHECK_EQ(finder_finds(program, fds[0]), !!i);
		CHECK(!finder_finds(program, fds[1]));
		map_put(map, fds[0], 2, 0);
		map_put(map, fds[1], 2, 0);
		CHECK(finder_finds(program, fds[0]) && finder_finds(program, fds[1]));
		CHECK_OK(inode_map_remove_fd(map, fds[1]));
		CHECK(finder_finds(program, fds[0]) && !finder_finds(program, fds[1]));
		map_put(map, fds[1], 3, 0);
		CHECK_OK(audit_change(netlink, AUDIT_DEL_RULE, dir));
		CHECK(finder_finds(program, fds[0]) && finder_finds(program, fds[1]));
		sleep(1);
		CHECK(finder_finds(program, fds[0]) && finder_finds(program, fds[1]));
		CHECK_OK(inode_map_remove_fd(map, fds[0]));
		CHECK_OK(inode_map_remove_fd(map, fds[1]));
		CHECK(!finder_finds(program, fds[0]) && !finder_finds(program, fds[1]));
		counts_wait(1, 0, 0, 0);
	}
	fault__destroy(program);
}
