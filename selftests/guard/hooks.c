// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The kernel's security hooks: hooks.h lists them all, and what the guard does with each. If a
 * kernel has other hooks, somebody must look at them before the guard may claim to support it.
 */
#include "harness.h"

#include <bpf/btf.h>

#include "bpf/guard/guard.h"
#include "bpf/guard/seal.h"
#include "bpf/guard/guard.skel.h"
#include "bpf/guard/seal.skel.h"

#define PREFIX	"bpf_lsm_"

struct hooks {
	const char *names;		/* separated by spaces */
	bool used;
	const char *why;
};

#define USED(names_, why_)	{ .names = (names_), .used = true, .why = (why_) },
#define NOT_USED(names_, why_)	{ .names = (names_), .why = (why_) },

static const struct hooks table[] = {
#include "hooks.h"
};

#define NR	(ARRAY_SIZE(table))

/* How often a word occurs in a list of words. */
static unsigned int count_word(const char *words, const char *word)
{
	size_t length = strlen(word);
	unsigned int count = 0;

	for (const char *at = words; (at = strstr(at, word)); at += length)
		if ((at == words || at[-1] == ' ') && (!at[length] || at[length] == ' '))
			count++;
	return count;
}

static const struct hooks *find(const char *name)
{
	for (size_t i = 0; i < NR; i++)
		if (count_word(table[i].names, name))
			return &table[i];
	return NULL;
}

/* Call @run for each hook in the table. */
static void for_each_name(void (*run)(const struct hooks *hooks, const char *name))
{
	char names[2048], *rest, *name;

	for (size_t i = 0; i < NR; i++) {
		CHECK(strlen(table[i].names) < sizeof(names));
		strcpy(names, table[i].names);
		for (rest = names; (name = strsep(&rest, " "));)
			run(&table[i], name);
	}
}

static unsigned int nr_wrong;

static void wrong(const char *name, const char *what)
{
	printf("# wrong: %s: %s\n", name, what);
	nr_wrong++;
}

static void check_none_wrong(void)
{
	if (nr_wrong)
		FAIL("%u are not as hooks.h has them", nr_wrong);
}

static void check_once(const struct hooks *hooks, const char *name)
{
	unsigned int times = 0;

	if (!*name || !*hooks->why)
		wrong(hooks->names, "an entry without a name or a reason");
	for (size_t i = 0; i < NR; i++)
		times += count_word(table[i].names, name);
	if (times != 1)
		wrong(name, "more than once in the table");
}

TEST(names)
{
	for_each_name(check_once);
	check_none_wrong();
}

/* The table knows every hook of the running kernel. */
TEST(kernel)
{
	struct btf *btf = btf__load_vmlinux_btf();
	unsigned int found = 0;

	CHECK(btf);
	for (unsigned int id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);
		const char *name = btf__name_by_offset(btf, type->name_off);

		if (!btf_is_func(type) || strncmp(name, PREFIX, strlen(PREFIX)))
			continue;
		found++;
		if (!find(name + strlen(PREFIX)))
			wrong(name + strlen(PREFIX), "this kernel has it, and the table has not");
	}
	btf__free(btf);
	printf("# %u functions\n", found);
	/* The BPF security module's functions must be there, or the loop looked at nothing. */
	CHECK(found > 200);
	check_none_wrong();
}

/* The programs of the guard, and those of its seal. */
static const struct bpf_object *objects[2];

/* The hook that a program attaches to, or NULL if it is none. */
static const char *hook_of(const struct bpf_program *program)
{
	const char *section = bpf_program__section_name(program), *slash = strchr(section, '/');

	return slash && !strncmp(section, "lsm", 3) ? slash + 1 : NULL;
}

static bool has_program(const struct bpf_object *object, const char *name)
{
	struct bpf_program *program;
	const char *hook;

	bpf_object__for_each_program(program, object) {
		hook = hook_of(program);
		if (hook && !strcmp(hook, name))
			return true;
	}
	return false;
}

static void check_has_program(const struct hooks *hooks, const char *name)
{
	if (hooks->used && !has_program(objects[0], name) && !has_program(objects[1], name))
		wrong(name, "the table says that it is used, and there is no program for it");
}

static void check_is_used(const struct bpf_program *program)
{
	const char *hook = hook_of(program);
	const struct hooks *hooks = hook ? find(hook) : NULL;

	if (hook && !(hooks && hooks->used))
		wrong(hook, "there is a program for it, and the table does not say so");
}

/* The guard has programs for all hooks that the table marks as used, and for no others. */
TEST(guard)
{
	struct guard_bpf *guard = guard_bpf__open();
	struct seal_bpf *seal = seal_bpf__open();
	struct bpf_program *program;

	CHECK(guard && seal);
	objects[0] = guard->obj;
	objects[1] = seal->obj;
	for_each_name(check_has_program);
	for (size_t i = 0; i < 2; i++)
		bpf_object__for_each_program(program, objects[i])
			check_is_used(program);
	guard_bpf__destroy(guard);
	seal_bpf__destroy(seal);
	check_none_wrong();
}
