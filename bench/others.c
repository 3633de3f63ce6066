// SPDX-License-Identifier: GPL-2.0-only
/*
 * What entries cost tasks that don't use them: a task that unmounts the filesystem, and one that
 * uses other files of it; and what inode-guard costs the latter.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"

/* Instructions of an unmount, waiting included, of a filesystem that has @n files. */
__u64 unmount(unsigned int n, bool entries)
{
	__u64 begin;

	tmpfs_mount(BASE "/gone");
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

/* What everybody does with a file; @fd is open to read it. */
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

/* Instructions of each. */
static void ordinary(const char *path, double figures[NR_ORDINARY])
{
	__u64 least[NR_ORDINARY] = {};
	int fds[ORDINARY_CALLS];
	int fd = file_open(path);

	for (unsigned int i = 0; i < ORDINARY_CALLS; i++) {
		/* So that the allocator's state is another one each time. */
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

/* A filesystem at BASE "/used" with CALLS files and one of a page, whose path it returns. */
const char *ordinary_files(void)
{
	static const char page[PAGE];
	static char path[128];
	int fd;

	tmpfs_mount(BASE "/used");
	files_create(BASE "/used", CALLS + 1);
	snprintf(path, sizeof(path), "%s", file_path(BASE "/used", CALLS));
	fd = open(path, O_WRONLY);
	MUST(fd >= 0 && write(fd, page, PAGE) == PAGE);
	close(fd);
	return path;
}

/* All of its files but that one become entries. */
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

/* What inode-guard costs a file without a rule, with rules for another of the same filesystem. */
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
