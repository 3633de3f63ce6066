// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes the calls that scripts/profile traces. The script stops the virtual machine at each
 * getpgid(2). profile_begin() makes one that says what comes next, and profile_end() makes one
 * behind it. QEMU writes down the instructions from one to the other, or those of the kernel's
 * function that profile_begin_in() names. Each measurement is repeated, and its shortest trace
 * counts.
 *
 * bench.c calls this for --profile and --profile-guard. It prints what the script needs to
 * understand the traces. It needs root, to see addresses in /proc/kallsyms.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common.h"

#define PROFILE_ROUNDS	3
#define PROFILE_FILES	8
#define PROFILE_MARK	0x1000000

/* What a getpgid(2) says: a number below PROFILE_MAX is an index into profiled[]. */
enum {
	PROFILE_MAX	= 128,
	PROFILE_AFTER,
	PROFILE_WAIT,
	PROFILE_END,
};

/* The place of each figure in the tables. */
static struct {
	const char *table, *row, *column;
} profiled[PROFILE_MAX];
static unsigned int nr_profiled;

/* scripts/profile sets this. The second argument of our getpgid(2) is its address. */
static volatile unsigned char profile_begun;

static void profile_mark(unsigned int what, unsigned long long function)
{
	syscall(SYS_getpgid, PROFILE_MARK + what, &profile_begun, function);
}

static void profile_begin_in(const char *table, const char *row, const char *column,
			     unsigned long long function)
{
	unsigned int i;

	for (i = 0; i < nr_profiled; i++)
		if (!strcmp(profiled[i].table, table) && !strcmp(profiled[i].row, row) &&
		    !strcmp(profiled[i].column, column))
			break;
	if (i == nr_profiled) {
		MUST(nr_profiled < PROFILE_MAX);
		profiled[i].table = table;
		profiled[i].row = row;
		profiled[i].column = column;
		nr_profiled++;
	}
	profile_mark(i, function);
}

static void profile_begin(const char *table, const char *row, const char *column)
{
	profile_begin_in(table, row, column, 0);
}

static void profile_end(void)
{
	profile_mark(PROFILE_AFTER, 0);
}

/* The functions of the kernel whose addresses we need. */
enum { GETPGID, REPLACE, HASH_UPDATE, SHUTDOWN, NR_WANTED };

static const char *const wanted[NR_WANTED] = {
	"__x64_sys_getpgid", "bpf_inode_map_replace", "htab_map_update_elem",
	"generic_shutdown_super"
};

static unsigned long long addresses[NR_WANTED];

/* Call @show for each function of the kernel, of its modules and of its BPF programs. */
static void symbols_walk(void (*show)(unsigned long long address, const char *name))
{
	FILE *file = fopen("/proc/kallsyms", "re");
	char line[512], *name;

	MUST(file);
	while (fgets(line, sizeof(line), file)) {
		/* 16 digits, a blank, the type, a blank, the name. */
		name = line + 19;
		name[strcspn(name, "\t\n")] = 0;
		if (line[17] == 't' || line[17] == 'T')
			show(strtoull(line, NULL, 16), name);
	}
	fclose(file);
}

static void symbol_show(unsigned long long address, const char *name)
{
	printf("symbol,%llx,%s\n", address, name);
}

static void symbol_compare(unsigned long long address, const char *name)
{
	for (unsigned int i = 0; i < NR_WANTED; i++)
		if (!strcmp(name, wanted[i]))
			addresses[i] = address;
}

static void symbols_find(void)
{
	symbols_walk(symbol_compare);
	for (unsigned int i = 0; i < NR_WANTED; i++)
		if (!addresses[i])
			die("the kernel has no %s", wanted[i]);
}

static void profile_ordinary(const char *table, const char *column, const char *path, int fd)
{
	for (unsigned int round = 0; round < PROFILE_ROUNDS; round++)
		for (unsigned int i = 0; i < NR_ORDINARY; i++) {
			profile_begin(table, ordinary_names[i], column);
			ordinary_call(i, path, fd);
			profile_end();
		}
}

/* Tasks that use other files of the filesystem than those with entries. */
static void profile_others(void)
{
	const char *path = ordinary_files();
	int fd = file_open(path);

	profile_ordinary("profile", "no entries", path, fd);
	ordinary_entries();
	profile_ordinary("profile", "entries", path, fd);
	close(fd);
	close(maps[INODE_MAP]);
	MUST(!umount(BASE "/used"));
	settle(0, 0);
}

/* The use of a file without a rule. The guard stays: at the end we print its programs' names. */
static void profile_guard(void)
{
	const char *path = ordinary_files();
	int fd = file_open(path);
	char command[256];

	profile_ordinary("profile guard", "guard off", path, fd);
	shell("inode-guard start");
	profile_ordinary("profile guard", "no rules", path, fd);
	snprintf(command, sizeof(command), "inode-guard deny --ops delete,rename,link,attr %s",
		 file_path(BASE "/used", 0));
	shell(command);
	profile_ordinary("profile guard", "rules for names and attributes", path, fd);
	snprintf(command, sizeof(command), "inode-guard deny --ops all %s",
		 file_path(BASE "/used", 0));
	shell(command);
	profile_ordinary("profile guard", "rules for reading as well", path, fd);
	close(fd);
}

static void profile_calls(enum column column, const char *dir)
{
	const char *name = column_names[column];
	int fds[PROFILE_FILES];

	for (unsigned int i = 0; i < PROFILE_FILES; i++)
		fds[i] = file_open(file_path(dir, i));
	for (unsigned int i = 0; i < PROFILE_ROUNDS; i++) {
		profile_begin("profile operations", "create and free", name);
		column_map_make(column, CALLS);
		close(maps[column]);
		profile_end();
	}
	settle(0, 0);
	column_map_make(column, CALLS);
	for (unsigned int i = 0; i < PROFILE_FILES; i++) {
		profile_begin("profile operations", "insert", name);
		MUST(!call(BPF_MAP_UPDATE_ELEM, column, fds[i], BPF_NOEXIST));
		profile_end();
	}
	for (unsigned int i = 0; i < PROFILE_FILES; i++) {
		profile_begin("profile operations", "replace", name);
		MUST(!call(BPF_MAP_UPDATE_ELEM, column, fds[i], BPF_EXIST));
		profile_end();
	}
	for (unsigned int i = 0; i < PROFILE_FILES; i++) {
		profile_begin("profile operations", "delete", name);
		MUST(!call(BPF_MAP_DELETE_ELEM, column, fds[i], 0));
		profile_end();
		close(fds[i]);
	}
	close(maps[column]);
	settle(0, 0);
}

/* A program makes many replacements. Trace one of them, in the function that it calls. */
static void profile_replace(enum column column, const char *program, unsigned int function,
			    const char *dir)
{
	struct bpf_link *link = attach(program);

	for (unsigned int i = 0; i < PROFILE_ROUNDS; i++) {
		profile_begin_in("profile operations", "replace by a program", column_names[column],
				 addresses[function]);
		close(file_open(file_path(dir, i)));
		profile_end();
	}
	detach(link);
}

static void profile_programs(void)
{
	maps_make(PROFILE_FILES);
	insert_all(BASE "/in", PROFILE_FILES);
	profile_replace(INODE_MAP, "by_inode_set", REPLACE, BASE "/in");
	profile_replace(BY_NUMBER, "by_number_set", HASH_UPDATE, BASE "/in");
	maps_free();
}

/* The part of an unmount that evicts the inodes. */
static void profile_unmount(const char *column, bool entries)
{
	files_mount(BASE "/gone");
	files_create(BASE "/gone", PROFILE_FILES);
	column_map_make(INODE_MAP, PROFILE_FILES);
	for (unsigned int i = 0; entries && i < PROFILE_FILES; i++)
		entry_add(file_path(BASE "/gone", i));
	pause_ms(100);
	profile_begin_in("profile unmount", "unmount with 8", column,
			 addresses[SHUTDOWN]);
	MUST(!umount(BASE "/gone"));
	profile_end();
	close(maps[INODE_MAP]);
	settle(0, 0);
}

static void profile_all(void)
{
	profile_calls(INODE_MAP, BASE "/in");
	profile_calls(STORAGE, BASE "/in");
	profile_programs();
	profile_unmount("no entries", false);
	profile_unmount("entries", true);
	profile_others();
}

/**
 * profile - make the calls that scripts/profile traces
 * @of_guard: those that show what inode-guard costs; else all others. These are two runs, because
 *	the guard takes minutes to start.
 */
void profile(bool of_guard)
{
	symbols_find();
	printf("mark,%llx\nwait,%u\nend,%u\nafter,%u\nready\n",
	       addresses[GETPGID], PROFILE_MARK + PROFILE_WAIT,
	       PROFILE_MARK + PROFILE_END, PROFILE_MARK + PROFILE_AFTER);
	profile_begun = 0;
	while (!profile_begun) {
		profile_mark(PROFILE_WAIT, 0);
		pause_ms(10);
	}
	if (of_guard)
		profile_guard();
	else
		profile_all();
	profile_mark(PROFILE_END, 0);
	for (unsigned int i = 0; i < nr_profiled; i++)
		printf("call,%u,%s,%s,%s\n", PROFILE_MARK + i, profiled[i].table, profiled[i].row,
		       profiled[i].column);
	symbols_walk(symbol_show);
}
