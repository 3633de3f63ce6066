// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures what a user feels: the instructions that the whole machine takes for everyday work in a
 * Debian system (scripts/day), without a guard and with each of several. The guards guard other
 * files of the filesystem that the work is done on. scripts/bench --day runs this, as root. It
 * prints the table "day", and needs SYSTEM, inode-guard, fanotify and audit.
 */
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"

#define SYSTEM		"/root/day.squashfs"
#define ROOT		BASE "/system"
#define HOME		"/home/day"	/* in the system; scripts say ~ */
#define WORK		ROOT HOME
#define RULES		WORK "/rules"
#define CONF		BASE "/conf"
#define FEW		10

/* How many files git, the archive and the compiler work with, and how many have rules. */
struct amounts {
	unsigned int git, tar, compile, rules;
};

static struct amounts amounts;

/* Makes the files that the work is done with. */
static const char prepare_work[] =
	"mkdir -p ~/git ~/c ~/from\n"
	"cd ~/git && git init -q .\n"
	"for i in $(seq $GIT); do echo $i >$i; done\n"
	"git config user.name x && git config user.email x@example.org\n"
	"git add . && git commit -q -m x\n"
	"cd ~/from && for i in $(seq $TAR); do seq $((i % 200)) >$i; done\n"
	"tar -C ~/from -cf ~/archive.tar .\n"
	"for i in $(seq $COMPILE); do\n"
	"	printf '#include <stdio.h>\\nint f%u(void) { return puts(\"%u\"); }\\n' \\\n"
	"		$i $i >~/c/$i.c\n"
	"done\n"
	"cd /repository && for file in *.deb; do\n"
	"	dpkg-deb -f $file\n"
	"	printf 'Filename: ./%s\\nSize: %s\\nSHA256: %s\\n\\n' $file \\\n"
	"		$(stat -c %s $file) $(sha256sum $file | cut -d ' ' -f 1)\n"
	"done >Packages\n"
	"echo 'deb [trusted=yes] file:/repository ./' >/etc/apt/sources.list\n"
	"rm -rf /etc/apt/sources.list.d\n"
	"apt-get -q -o APT::Sandbox::User=root update\n";

static const struct {
	const char *name, *command;
} works[] = {
	{ "git status", "git -C ~/git status" },
	{ "untar", "rm -rf ~/out && mkdir ~/out && "
		   "tar -C ~/out -xf ~/archive.tar" },
	{ "compile", "cd ~/c && for i in *.c; do gcc -c -O1 $i || exit; done" },
	{ "find", "find /usr ~/git ~/c ~/from -newer /etc/passwd -name nothing" },
	{ "apt install", "apt-get -q -y -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0 "
			 "install --reinstall hostname" },
};

#define NR_WORKS	(sizeof(works) / sizeof(works[0]))

/* Run a script in the system, by its shell. */
static void in_system(const char *script)
{
	FILE *file = fopen(ROOT "/script", "we");

	MUST(file);
	fprintf(file, "set -e\nexport PATH=/usr/sbin:/usr/bin HOME=" HOME " LC_ALL=C.UTF-8\n"
		"export DEBIAN_FRONTEND=noninteractive GIT_CONFIG_NOSYSTEM=1\n"
		"GIT=%u TAR=%u COMPILE=%u\n%s\n",
		amounts.git, amounts.tar, amounts.compile, script);
	MUST(!fclose(file));
	if (system("chroot " ROOT " /bin/bash /script >" BASE "/said 2>&1 </dev/null")) {
		shell("tail -20 " BASE "/said");
		die("failed: %s", script);
	}
}

static void enter_system(void)
{
	shell("mkdir -p " BASE "/lower " BASE "/upper " ROOT " && "
	      "mount -o loop,ro " SYSTEM " " BASE "/lower && "
	      "mount -t tmpfs tmpfs " BASE "/upper && "
	      "mkdir " BASE "/upper/upper " BASE "/upper/work && "
	      "mount -t overlay -o lowerdir=" BASE "/lower,upperdir=" BASE "/upper/upper,workdir="
	      BASE "/upper/work overlay " ROOT " && mkdir -p " WORK " && "
	      "for i in proc sys dev; do mount --bind /$i " ROOT "/$i || exit; done && "
	      "mount -t tmpfs tmpfs " ROOT "/tmp && "
	      "mount -t tmpfs -o nr_inodes=0 tmpfs " WORK " && mkdir " RULES);
	in_system(prepare_work);
	files_create(RULES, amounts.rules);
}

/* How each guard is started and stopped. */

static void nothing(void)
{
}

static void guard_start(void)
{
	shell("inode-guard start");
}

static void guard_stop(void)
{
	shell("inode-guard stop");
}

static void guard_apply(unsigned int n, const char *rule)
{
	FILE *file = fopen(CONF, "we");

	MUST(file);
	for (unsigned int i = 0; i < n; i++)
		fprintf(file, "deny %s %s\n", rule, file_path(RULES, i));
	MUST(!fclose(file));
	guard_start();
	shell("inode-guard apply " CONF);
}

static void guard_few(void)
{
	guard_apply(FEW, "");
}

static void guard_names(void)
{
	guard_apply(FEW, "--ops delete,rename,link,attr");
}

static void guard_many(void)
{
	guard_apply(amounts.rules, "");
}

static void guard_tree(void)
{
	guard_start();
	shell("inode-guard deny --tree " RULES);
}

static void number_many(void)
{
	rival_begin(RULES, amounts.rules);
}

static void fanotify_many(void)
{
	static const char *const mounts[] = { ROOT, WORK, NULL };

	fanotify_begin(RULES, amounts.rules, mounts);
}

static void audit_few(void)
{
	audit_begin(RULES, FEW);
}

static void audit_few_end(void)
{
	audit_end(RULES, FEW);
}

static const struct {
	const char *name;
	void (*begin)(void);
	void (*end)(void);
} guards[] = {
	{ "no guard", nothing, nothing },
	{ "inode-guard; no rule", guard_start, guard_stop },
	{ "inode-guard; 10 rules for names", guard_names, guard_stop },
	{ "inode-guard; 10 rules", guard_few, guard_stop },
	{ "inode-guard; many rules", guard_many, guard_stop },
	{ "inode-guard; a tree", guard_tree, guard_stop },
	{ "hash dev+ino; many", number_many, rival_end },
	{ "fanotify; many", fanotify_many, fanotify_end },
	{ "audit; 10 watches", audit_few, audit_few_end },
};

#define NR_GUARDS	(sizeof(guards) / sizeof(guards[0]))

void bench_day(bool quick)
{
	double figures[NR_GUARDS][NR_WORKS];
	__u64 least, begin;

	amounts = quick ? (struct amounts) { 1000, 500, 10, 1000 } :
			  (struct amounts) { 10000, 2000, 100, 10000 };
	enter_system();
	/* Once for nothing: later rounds find, and remove, what the ones before have made. */
	for (unsigned int i = 0; i < NR_WORKS; i++)
		in_system(works[i].command);
	for (unsigned int guard = 0; guard < NR_GUARDS; guard++) {
		say(guards[guard].name);
		guards[guard].begin();
		for (unsigned int i = 0; i < NR_WORKS; i++) {
			least = 0;
			for (unsigned int round = 0; round < 2; round++) {
				begin = clock_now();
				in_system(works[i].command);
				keep_least(&least, clock_now() - begin);
			}
			figures[guard][i] = least;
			emit("day", guards[guard].name, works[i].name,
			     least / figures[0][i]);
		}
		guards[guard].end();
	}
	for (unsigned int i = 0; i < NR_WORKS; i++)
		emit("day", "instructions without a guard; in millions", works[i].name,
		     figures[0][i] / 1e6);
}
