// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Learning: "learn" collects what is denied or reported, and writes lines for a conf file that
 * would have allowed it: to the executables that did it, or to other subjects if the rule is only
 * for such. What no line can allow becomes a comment. No lock is held while events are collected.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "shown.h"

/**
 * struct lesson - an operation that a line is to allow
 * @path: the file
 * @exe: the executable
 * @cgroup: the cgroup's path, or "" if it is not known
 * @user: the user that file permissions are checked for
 * @group: the group, likewise
 * @op: the operation
 * @rule: the rule that denied it, or 0
 * @why: why no line can allow it, or NULL
 * @adds: the kinds of subjects that the line has to name, one bit each
 * @who: the options that name the subjects, in the first lesson of a path and operation
 */
struct lesson {
	char *path;
	char *exe;
	char *cgroup;
	__u32 user;
	__u32 group;
	int op;
	__u32 rule;
	const char *why;
	__u32 adds;
	char *who;
};

/**
 * struct school - what is learnt
 * @lessons: of struct lesson *
 * @known: the lessons, by a hash
 * @lost: number of events that were dropped
 */
struct school {
	struct array lessons;
	struct index known;
	__u64 lost;
};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
	interrupted = signal;
}

/* Collecting */

static __u32 add_hash(__u32 hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619U;
	return hash * 16777619U;
}

static bool same_lesson(const struct lesson *a, const struct lesson *b)
{
	return a->op == b->op && a->rule == b->rule && a->user == b->user && a->group == b->group &&
	       !strcmp(a->path, b->path) && !strcmp(a->exe, b->exe) &&
	       !strcmp(a->cgroup, b->cgroup);
}

/* Reasons that are known from the event alone, and stay. */
static const char *why_not(const struct denial *denial)
{
	if (denial->op == GUARD_CONTROL)
		return "no rule is about the control of processes";
	if (!denial->id)
		return "it can't be told which rule decides";
	if (denial->cut)
		return "its path is too long";
	if (*denial->path != '/')
		return "its file system is not mounted here";
	return NULL;
}

/* If a name was made or removed, the operation was writing to its directory. */
static char *learnt_path(const struct denial *denial)
{
	char *path = xstrdup(denial->path), *slash = strrchr(path, '/');

	if (denial->name && slash && slash[1])
		slash[slash == path] = '\0';
	return path;
}

static void lesson_free(struct lesson *lesson)
{
	free(lesson->path);
	free(lesson->exe);
	free(lesson->cgroup);
	free(lesson->who);
}

static void learn(void *context, const struct denial *denial)
{
	struct school *school = context;
	struct lesson lesson = {
		.path = learnt_path(denial), .exe = xstrdup(denial->exe),
		.cgroup = xstrdup(denial->cgroup_path),
		.user = denial->fsuid, .group = denial->fsgid, .op = denial->op,
		.rule = denial->id, .why = why_not(denial),
	};
	struct lesson *known, **item;
	__u32 hash;

	hash = add_hash(add_hash(2166136261U ^ lesson.op ^ lesson.rule, lesson.path), lesson.exe);
	hash = add_hash(hash ^ lesson.user ^ lesson.group << 16, lesson.cgroup);
	for (; (known = index_get(&school->known, hash)); hash++)
		if (same_lesson(known, &lesson))
			break;
	if (known) {
		lesson_free(&lesson);
		return;
	}
	item = array_add(&school->lessons, sizeof(*item));
	*item = xcalloc(1, sizeof(lesson));
	**item = lesson;
	index_put(&school->known, hash, *item);
}

static void count_lost(void *context, __u64 dropped)
{
	struct school *school = context;

	school->lost += dropped;
}

/* Writing */

static int compare_lessons(const void *one, const void *other)
{
	const struct lesson *a = *(struct lesson **)one, *b = *(struct lesson **)other;
	int order = strcmp(a->path, b->path);

	return order ?: a->op != b->op ? a->op - b->op : strcmp(a->exe, b->exe);
}

/* The subjects that the rule which denied it is only for, or NULL. */
static const struct set *set_of(const struct policy *policy, const struct lesson *lesson)
{
	const struct rule *rule = index_get(&policy->rule_by_id, lesson->rule);

	if (!rule || !(rule->body.only & (1U << lesson->op)))
		return NULL;
	return index_get(&policy->set_by_id, rule->body.set[lesson->op]);
}

static bool is_below(const char *cgroup, const char *above)
{
	size_t length = above[1] ? strlen(above) : 0;

	return !strncmp(cgroup, above, length) && (!cgroup[length] || cgroup[length] == '/');
}

static bool is_meant(const struct policy *policy, const struct member *member,
		     const struct lesson *lesson)
{
	switch (member->kind) {
	case GUARD_BY_USER:
		return member->subject == lesson->user;
	case GUARD_BY_GROUP:
		return member->subject == lesson->group;
	case GUARD_BY_CGROUP:
		return is_below(lesson->cgroup, member_text(policy, member));
	default:
		return !strcmp(lesson->exe, member_text(policy, member));
	}
}

/*
 * The kinds of subjects of which the lesson has none that the rule is for. The other groups of a
 * process are not known: the group counts as the reason only if there is no other.
 */
static __u32 missing_kinds(const struct policy *policy, const struct lesson *lesson)
{
	const struct set *set = set_of(policy, lesson);
	const struct member *members;
	__u32 missing;
	size_t i;

	if (!set)
		return 1U << GUARD_BY_EXE;
	members = set->members.items;
	missing = set->kinds;
	for (i = 0; i < set->members.count; i++)
		if (is_meant(policy, &members[i], lesson))
			missing &= ~(1U << members[i].kind);
	return missing & ~(1U << GUARD_BY_GROUP) ?: missing;
}

/* A subject, as an option names it. */
struct named {
	enum guard_kind kind;
	char *text;
};

static int compare_named(const void *one, const void *other)
{
	const struct named *a = one, *b = other;

	return a->kind != b->kind ? (int)a->kind - (int)b->kind : strcmp(a->text, b->text);
}

static void add_named(struct array *all, enum guard_kind kind, const char *text)
{
	struct named *named = array_add(all, sizeof(*named));

	named->kind = kind;
	named->text = xstrdup(text);
}

/* Add a user or group by name, or else by number. */
static void add_id(struct array *all, enum guard_kind kind, __u32 id, const char *name)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", id);
	add_named(all, kind, name ?: number);
}

/* Add the kinds that were missing, and all subjects of the rule, which a line would replace. */
static void add_subjects(const struct policy *policy, const struct lesson *lesson,
			 struct array *all)
{
	const struct set *set = set_of(policy, lesson);
	const struct member *members = set ? set->members.items : NULL;
	const struct passwd *user = getpwuid(lesson->user);
	const struct group *group = getgrgid(lesson->group);
	size_t i;

	if (lesson->adds & 1U << GUARD_BY_EXE)
		add_named(all, GUARD_BY_EXE, lesson->exe);
	if (lesson->adds & 1U << GUARD_BY_USER)
		add_id(all, GUARD_BY_USER, lesson->user, user ? user->pw_name : NULL);
	if (lesson->adds & 1U << GUARD_BY_GROUP)
		add_id(all, GUARD_BY_GROUP, lesson->group, group ? group->gr_name : NULL);
	if (lesson->adds & 1U << GUARD_BY_CGROUP)
		add_named(all, GUARD_BY_CGROUP, lesson->cgroup);
	for (i = 0; set && i < set->members.count; i++)
		add_named(all, members[i].kind, member_text(policy, &members[i]));
}

/* The options for all subjects of lessons about the same path and operation, sorted. */
static char *only_for(const struct policy *policy, struct lesson **lessons, size_t count)
{
	struct array all = {};
	struct named *items;
	char *text = NULL;
	size_t i, size;
	FILE *file = open_memstream(&text, &size);

	for (i = 0; i < count; i++)
		if (!lessons[i]->why)
			add_subjects(policy, lessons[i], &all);
	items = all.items;
	if (all.count)
		qsort(items, all.count, sizeof(*items), compare_named);
	for (i = 0; i < all.count; i++) {
		if (i && !compare_named(&items[i], &items[i - 1]))
			continue;
		fprintf(file, " --%s ", kind_words[items[i].kind].option);
		put_word(file, items[i].text);
	}
	fclose(file);
	for (i = 0; i < all.count; i++)
		free(items[i].text);
	free(items);
	return text;
}

/* Whether the rule that denied it is for the inode, and not for its name. */
static bool is_by_inode(const struct policy *policy, const struct lesson *lesson)
{
	const struct rule *rule = index_get(&policy->rule_by_id, lesson->rule);

	return rule && !is_tree(rule) && !(rule->body.flags & GUARD_FOLLOW);
}

/* The options for the path: as the existing rule takes it. */
static const char *path_options(const struct policy *policy, const struct lesson *lesson)
{
	int fd = path_open(lesson->path, O_NOFOLLOW);
	struct stat stat;
	bool is_link = fd >= 0 && !file_stat(fd, &stat) && S_ISLNK(stat.st_mode);

	if (fd >= 0)
		close(fd);
	if (is_by_inode(policy, lesson))
		return is_link ? " --inode --no-dereference" : " --inode";
	return is_link ? " --no-dereference" : "";
}

/* Why a line can't name the executable, or NULL. */
static const char *why_not_exe(const struct lesson *lesson)
{
	const struct who exe = { .kind = GUARD_BY_EXE, .text = lesson->exe };

	if (!*lesson->exe)
		return "the kernel itself did it";
	if (*lesson->exe != '/')
		return "the executable's file system is not mounted here";
	return who_check(&exe) ? "the executable is not there" : NULL;
}

/* Find out whether there can be a line as things are now. */
static void look_up(const struct policy *policy, struct lesson *lesson)
{
	int err;

	if (lesson->why)
		return;
	lesson->adds = missing_kinds(policy, lesson);
	if (!lesson->adds)
		lesson->why = "the rule is for it already, as far as can be told";
	if (lesson->adds & 1U << GUARD_BY_CGROUP && !*lesson->cgroup)
		lesson->why = "its cgroup is not there";
	if (lesson->adds & 1U << GUARD_BY_EXE)
		lesson->why = why_not_exe(lesson) ?: lesson->why;
	err = is_by_inode(policy, lesson) ? 0 : name_check(lesson->path, true);
	if (err == -ENOTUNIQ)
		lesson->why = "the case of names does not count there";
	else if (err)
		lesson->why = "its directory is not there";
}

static void print_comment(const struct lesson *lesson)
{
	printf("# %s: %s of ", lesson->why, op_name(lesson->op));
	put_word(stdout, lesson->path);
	printf(" by ");
	put_word(stdout, lesson->exe);
	putchar('\n');
}

/* Print the lines for a path, of @count lessons: operations with the same subjects share a line. */
static void print_path(const struct policy *policy, struct lesson **lessons, size_t count)
{
	__u32 done = 0, ops;
	size_t i, j;

	for (i = 0; i < count; i++) {
		if (!lessons[i]->who || !*lessons[i]->who || done & 1U << lessons[i]->op)
			continue;
		for (ops = 0, j = i; j < count; j++)
			if (lessons[j]->who && !strcmp(lessons[i]->who, lessons[j]->who))
				ops |= 1U << lessons[j]->op;
		done |= ops;
		printf("allow --ops %s%s%s ", ops_text(ops), path_options(policy, lessons[i]),
		       lessons[i]->who);
		put_word(stdout, lessons[i]->path);
		putchar('\n');
	}
}

/* How many lessons from the first on are about the same path, and if @op, the same operation. */
static size_t alike(struct lesson **lessons, size_t left, bool op)
{
	size_t count = 1;

	while (count < left && !strcmp(lessons[0]->path, lessons[count]->path) &&
	       (!op || lessons[0]->op == lessons[count]->op))
		count++;
	return count;
}

/* Returns the number of lessons that could not be written as lines. */
static size_t print_lessons(const struct policy *policy, struct school *school)
{
	struct lesson **lessons = school->lessons.items;
	size_t count = school->lessons.count, i, n, bad = 0;

	if (count)
		qsort(lessons, count, sizeof(*lessons), compare_lessons);
	lookups_limit();
	for (i = 0; i < count; i++) {
		look_up(policy, lessons[i]);
		if (lessons[i]->why) {
			print_comment(lessons[i]);
			bad++;
		}
	}
	for (i = 0; i < count; i += n) {
		n = alike(lessons + i, count - i, true);
		lessons[i]->who = only_for(policy, lessons + i, n);
	}
	for (i = 0; i < count; i += n) {
		n = alike(lessons + i, count - i, false);
		print_path(policy, lessons + i, n);
	}
	return bad;
}

/* Returns an exit code. */
static int write_lessons(struct guard *guard, struct school *school)
{
	struct policy policy;
	size_t bad = 0;
	int err;

	err = policy_load(guard, &policy);
	if (err)
		error("cannot read the policy: %s", reason(err));
	else
		bad = print_lessons(&policy, school);
	policy_free(&policy);
	if (school->lost)
		error("%llu events dropped: what they told of is not in these lines",
		      (unsigned long long)school->lost);
	if (bad)
		error("%zu things that no line can allow: see the comments", bad);
	if (err)
		return EXIT_FAILURE;
	return school->lost || bad ? EXIT_MISSING : EXIT_SUCCESS;
}

/* Running what to learn from */

/* Start a command, with its output on standard error, not in ours. Returns its process, or -1. */
static pid_t start_command(char **argv)
{
	int pipe_fds[2], err = 0;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execvp(argv[0], argv);
		err = errno;
		if (write(pipe_fds[1], &err, sizeof(err)) < 0)
			_exit(126);
		_exit(127);
	}
	close(pipe_fds[1]);
	if (pid > 0 && read(pipe_fds[0], &err, sizeof(err)) == sizeof(err)) {
		error("%s: %s", argv[0], strerror(err));
		waitpid(pid, NULL, 0);
		pid = -1;
	}
	close(pipe_fds[0]);
	return pid;
}

static bool is_over(const struct arguments *arguments, pid_t command, long end)
{
	int status;

	if (interrupted && command > 0)
		kill(command, SIGTERM);
	if (command > 0 && waitpid(command, &status, interrupted ? 0 : WNOHANG) == command) {
		if (status)
			error("%s: status %d", arguments->paths[0],
			      WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
		return true;
	}
	return interrupted || (arguments->seconds && milliseconds() >= end);
}

static int collect(struct events *events, const struct arguments *arguments)
{
	long end = milliseconds() + 1000L * arguments->seconds;
	pid_t command = 0;
	int err = 0;

	if (arguments->nr_paths)
		command = start_command(arguments->paths);
	if (command < 0)
		return -1;
	while (!err && !is_over(arguments, command, end) && !guard_is_over(events->guard))
		err = events_poll(events, 100);
	if (err)
		error("cannot watch: %s", reason(err));
	return err;
}

static void forget(struct school *school)
{
	struct lesson **lessons = school->lessons.items;
	size_t i;

	for (i = 0; i < school->lessons.count; i++) {
		lesson_free(lessons[i]);
		free(lessons[i]);
	}
	free(lessons);
	index_free(&school->known);
}

int guard_learn(const struct arguments *arguments)
{
	const struct sigaction action = { .sa_handler = interrupt };
	struct school school = {};
	struct events events = { .denied = learn, .dropped = count_lost, .context = &school };
	struct guard guard;
	int ret, err;

	ret = guard_open(&guard, false);
	if (ret)
		return ret;
	guard_unlock(&guard);
	events.guard = &guard;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	err = events_open(&events);
	if (!err)
		err = collect(&events, arguments);
	/* This takes the events that have come until now, too. */
	events_close(&events);
	ret = err ? EXIT_FAILURE : write_lessons(&guard, &school);
	forget(&school);
	guard_close(&guard);
	return ret;
}
