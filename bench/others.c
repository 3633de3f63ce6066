// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures what entries cost tasks that don't use them: a task that unmounts the filesystem, and
 * one that uses other files of it. Measures also what inode-guard costs the latter. bench.c calls
 * this, and profile.c and scale.c use parts of it. It prints the tables "filesystem" and "guard".
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"

/**
 * unmount - count the instructions of an unmount
 * @n: how many files the filesystem has
 * @entries: whether all of them have an entry
 *
 * Return: the instructions, and the nanoseconds that umount(2) waited for.
 */
__u64 unmount(unsigned int n, bool entries)
{
	__u64 begin;

	files_mount(BASE "/gone");
	files_create(BASE "/gone", n);
	column_map_make(INODE_MAP, n);
	for (unsigned int i = 0; entries && i < n; i++) {
		entry_add(file_path(BASE "/gone", i));
		if (i % 10000 == 9999)
			pause_ms(1);
	}
	pause_ms(100);
	begin = clock_now();
	MUST(!umount(BASE "/gone"));
	begin = clock_now() - begin;
	close(maps[INODE_MAP]);
	settle(0, 0);
	return begin;
}

void bench_unmount(unsigned int n)
{
	__u64 least[2] = {};
	char row[64];

	for (unsigned int i = 0; i < (n > CALLS ? 1 : ROUNDS); i++)
		for (unsigned int entries = 0; entries < 2; entries++)
			keep_least(&least[entries], unmount(n, entries));
	snprintf(row, sizeof(row), "unmount with %u", n);
	emit("filesystem", row, "no entries", least[0]);
	emit("filesystem", row, "entries", least[1]);
	emit("filesystem", row, "ratio", (double)least[1] / least[0]);
}

#define PAGE		4096
#define ORDINARY_CALLS	100

/* Make one of the calls that most tasks make. @fd is open for reading the file. */
void ordinary_call(unsigned int which, const char *path, int fd)
{
	char page[PAGE];
	struct stat st;

	switch (which) {
	case OPEN:
		close(open(path, O_RDONLY));
		break;
	case READ:
		MUST(pread(fd, page, PAGE, 0) == PAGE);
		break;
	case READ_BYTE:
		MUST(pread(fd, page, 1, 0) == 1);
		break;
	case STAT:
		MUST(!stat(path, &st));
		break;
	}
}

/* Count the instructions of each of these calls. */
static void ordinary(const char *path, double figures[NR_ORDINARY])
{
	__u64 least[NR_ORDINARY] = {};
	int fds[ORDINARY_CALLS];
	int fd = file_open(path);

	for (unsigned int i = 0; i < ORDINARY_CALLS; i++) {
		/* Keep a file open, so that the allocator is in another state each time. */
		fds[i] = file_open("/dev/null");
		for (unsigned int which = 0; which < NR_ORDINARY; which++) {
			__u64 begin = clock_now();

			ordinary_call(which, path, fd);
			keep_least(&least[which], clock_now() - begin);
		}
	}
	for (unsigned int i = 0; i < ORDINARY_CALLS; i++)
		close(fds[i]);
	close(fd);
	for (unsigned int i = 0; i < NR_ORDINARY; i++)
		figures[i] = least[i];
}

const char *const ordinary_names[NR_ORDINARY] = {
	"open and close", "read 4096 bytes", "read a byte", "stat"
};

/* Mount a tmpfs with CALLS empty files and a last one of a page. Returns the path of the last. */
const char *ordinary_files(void)
{
	static const char page[PAGE];
	static char path[128];
	int fd;

	files_mount(BASE "/used");
	files_create(BASE "/used", CALLS + 1);
	snprintf(path, sizeof(path), "%s", file_path(BASE "/used", CALLS));
	fd = open(path, O_WRONLY);
	MUST(fd >= 0 && write(fd, page, PAGE) == PAGE);
	close(fd);
	return path;
}

/* Give all files of that filesystem but the last one an entry. */
void ordinary_entries(void)
{
	column_map_make(INODE_MAP, CALLS + 1);
	for (unsigned int i = 0; i < CALLS; i++)
		entry_add(file_path(BASE "/used", i));
}

void bench_ordinary(void)
{
	static const char *const columns[] = { "no entries", "entries", "itself an entry" };
	const char *path = ordinary_files();
	double figures[3][NR_ORDINARY];

	ordinary(path, figures[0]);
	ordinary_entries();
	ordinary(path, figures[1]);
	entry_add(path);
	ordinary(path, figures[2]);
	for (unsigned int i = 0; i < NR_ORDINARY; i++) {
		for (unsigned int j = 0; j < 3; j++)
			emit("filesystem", ordinary_names[i], columns[j], figures[j][i]);
		emit("filesystem", ordinary_names[i], "ratio", figures[1][i] / figures[0][i]);
	}
	close(maps[INODE_MAP]);
	MUST(!umount(BASE "/used"));
	settle(0, 0);
}

/* Measure the use of a file without a rule, while another file of its filesystem has one. */
void bench_guard(void)
{
	static const struct {
		const char *column, *operations;
	} states[] = {
		{ "guard off", NULL },
		{ "no rules", NULL },
		{ "rules for names and attributes", "delete,rename,link,attr" },
		{ "rules for reading as well", "all" },
	};
	enum { NR_STATES = sizeof(states) / sizeof(states[0]) };
	double figures[NR_STATES][NR_ORDINARY];
	const char *path = ordinary_files();
	char command[256];

	for (unsigned int i = 0; i < NR_STATES; i++) {
		if (i == 1)
			shell("inode-guard start");
		snprintf(command, sizeof(command), "inode-guard deny --ops %s %s",
			 states[i].operations, file_path(BASE "/used", 0));
		if (states[i].operations)
			shell(command);
		ordinary(path, figures[i]);
	}
	shell("inode-guard stop");
	for (unsigned int i = 0; i < NR_ORDINARY; i++) {
		for (unsigned int j = 0; j < NR_STATES; j++)
			emit("guard", ordinary_names[i], states[j].column, figures[j][i]);
		emit("guard", ordinary_names[i], "ratio",
		     figures[NR_STATES - 1][i] / figures[0][i]);
	}
	MUST(!umount(BASE "/used"));
}
