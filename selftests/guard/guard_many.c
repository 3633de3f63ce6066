// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * 100,000 rules of inode-guard: apply them, with a line of progress; list, save, change and remove
 * them.
 */
#include "harness.h"

#include "steps.h"

#define RULES		100000
#define DIRECTORIES	100

static double begun;

static void took(const char *what)
{
	double end = now();

	printf("# %s: %.1f s\n", what, end - begun);
	begun = now();
}

static void path_of(unsigned int i, char path[64])
{
	snprintf(path, 64, "files/%u/file-%u", i % DIRECTORIES, i);
}

static void make_files(void)
{
	FILE *conf = fopen("conf", "w");
	char path[64];
	unsigned int i;

	CHECK(conf);
	CHECK_SYS(mkdir("files", 0755));
	for (i = 0; i < DIRECTORIES; i++) {
		snprintf(path, sizeof(path), "files/%u", i);
		CHECK_SYS(mkdir(path, 0755));
	}
	for (i = 0; i < RULES; i++) {
		path_of(i, path);
		close(CHECK_SYS(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)));
		fprintf(conf, "deny --ops read %s\n", path);
	}
	fclose(conf);
}

/* Try some of the files, spread over all of them. */
static void check_read(int error)
{
	char path[64];
	unsigned int i;

	for (i = 0; i < RULES; i += 997) {
		path_of(i, path);
		CHECK_EQ(try_read(path), error);
	}
}

/* On a terminal, apply shows progress. Read it meanwhile: a terminal's buffer is small. */
static void apply_at_terminal(const char *conf)
{
	int master = CHECK_SYS(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)), fd;
	size_t length = 0;
	ssize_t size;
	pid_t pid;

	CHECK_SYS(grantpt(master) ?: unlockpt(master));
	fd = file_open(ptsname(master), O_RDWR | O_NOCTTY);
	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid)
		tool_exec(WORDS("apply", (char *)conf), STDOUT_FILENO, fd);
	close(fd);
	while ((size = read(master, err + length, sizeof(err) - 1 - length)) > 0)
		length += size;
	err[length] = '\0';
	close(master);
	CHECK_EQ(tool_end(pid), 0);
	check_matches(err, "\r[1-9][0-9]* of 100000 paths\r", __FILE__, __LINE__);
	CHECK(strstr(err, "\r100000 of 100000 paths\r\n"));
}

static void check_lines(const char *command, unsigned int want)
{
	CHECK_EQ(sh("test $(inode-guard %s | wc -l) = %u", command, want), 0);
}

static void run(void *arg)
{
	(void)arg;
	begun = now();
	make_files();
	took("making files");
	QUIET("start");
	took("start");
	CHECK_EQ(tool_run(WORDS("apply", "--progress", "conf"), NULL), 0);
	took("apply");
	CHECK(!*out);
	check_matches(err, "\r[1-9][0-9]* of 100000 paths\r", __FILE__, __LINE__);
	CHECK(strstr(err, "\r100000 of 100000 paths\n"));
	check_read(EPERM);
	SAYS("status");
	HAS(" 100000 of 131072 rules");
	took("status");
	check_lines("list", RULES + 1);
	took("list");
	QUIET("save", "saved");
	CHECK_EQ(sh("test $(wc -l <saved) = %u", RULES), 0);
	took("save");
	/* Not a terminal: no progress. */
	QUIET("apply", "saved");
	took("apply again");
	QUIET("deny", "--ops", "write", "files/0/file-0");
	took("one more rule");
	CHECK_EQ(sh("sed 's/read/write/' saved >other"), 0);
	apply_at_terminal("other");
	took("apply others");
	check_read(0);
	QUIET("remove", "--all");
	took("remove");
	SAYS("status");
	HAS(" 0 of ");
	counts_wait(11, 0, 0, 0);
	QUIET("stop");
	took("stop");
	CHECK(access(GUARD_PINS, F_OK));
	check_no_programs_left();
}

TEST(hundred_thousand)
{
	guarded(run);
}
