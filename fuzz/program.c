// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs: what tasks do at the same time. The text of a program has a call on each line:
 *
 *	task 3			a task begins: it does the following three times
 *	map m0 1 0 2 0
 *	open f1 p2 n0 1
 *	update m0 f1 0
 *
 * m is a slot for a map, f one for a descriptor, p a place and n a name in it. All tasks share
 * them. The meaning of other numbers depends on the call (maps.c, files.c). "#" begins a comment. A
 * number that is too large is taken modulo its limit.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static const char letters[] = { [MAP_SLOT] = 'm', [FILE_SLOT] = 'f', [PLACE] = 'p', [NAME] = 'n' };

const struct call_type *call_type(unsigned int number)
{
	return number < nr_map_calls ? &map_calls[number] : &file_calls[number - nr_map_calls];
}

static unsigned int nr_call_types(void)
{
	return nr_map_calls + nr_file_calls;
}

static __u32 limit_of(const struct call_type *type, unsigned int i)
{
	switch (type->args[i]) {
	case MAP_SLOT:
		return FUZZ_MAPS;
	case FILE_SLOT:
		return NR_FILES;
	case PLACE:
		return nr_places;
	case NAME:
		return NR_NAMES;
	case NUMBER:
		return type->limits[i];
	case NO_ARG:
		break;
	}
	return 0;
}

void program_print(const struct program *program, char separator, char *text, size_t size)
{
	FILE *file = fmemopen(text, size, "w");

	if (!file)
		die("no memory");
	for (unsigned int t = 0; t < FUZZ_TASKS; t++) {
		if (!program->tasks[t].nr_calls)
			continue;
		fprintf(file, "task %u%c", program->tasks[t].repeat, separator);
		for (unsigned int i = 0; i < program->tasks[t].nr_calls; i++) {
			const struct call *call = &program->tasks[t].calls[i];
			const struct call_type *type = call_type(call->type);

			fputs(type->name, file);
			for (unsigned int j = 0; j < ARGS_MAX && type->args[j]; j++) {
				fputc(' ', file);
				if (letters[type->args[j] % sizeof(letters)] &&
				    type->args[j] != NUMBER)
					fputc(letters[type->args[j]], file);
				fprintf(file, "%u", call->args[j]);
			}
			fputc(separator, file);
		}
	}
	fclose(file);
}

/* The number of a type of calls, or nr_call_types() if there is none of that name. */
static __u32 type_named(const char *name)
{
	__u32 type;

	for (type = 0; type < nr_call_types(); type++)
		if (!strcmp(call_type(type)->name, name))
			break;
	return type;
}

static bool parse_call(struct call *call, char *line)
{
	char *save, *word = strtok_r(line, " \t", &save);
	const struct call_type *type;

	call->type = type_named(word);
	if (call->type == nr_call_types())
		return false;
	type = call_type(call->type);
	for (unsigned int i = 0; i < ARGS_MAX && type->args[i]; i++) {
		word = strtok_r(NULL, " \t", &save);
		if (!word)
			return false;
		word += strspn(word, "mfpn");
		call->args[i] = strtoul(word, NULL, 0) % limit_of(type, i);
	}
	return true;
}

/*
 * Read a program, up to the end of the text or a line "program". Sets @end to where it stopped.
 * Returns false at a line that is no call.
 */
bool program_parse(struct program *program, const char *text, const char **end)
{
	char line[128];
	int task = -1;

	memset(program, 0, sizeof(*program));
	for (*end = text; **end; *end += strcspn(*end, "\n;"), *end += !!**end) {
		size_t length = strcspn(*end, "\n;");
		__u32 *nr_calls;

		if (length >= sizeof(line))
			return false;
		memcpy(line, *end, length);
		line[length] = 0;
		line[strcspn(line, "#")] = 0;
		if (!line[strspn(line, " \t")])
			continue;
		if (!strcmp(line, "program")) {
			if (task < 0)
				continue;
			break;
		}
		if (!strncmp(line, "task", 4)) {
			if (++task == FUZZ_TASKS)
				return false;
			program->tasks[task].repeat = atoi(line + 4) > 0 ? atoi(line + 4) : 1;
			continue;
		}
		if (task < 0)
			return false;
		nr_calls = &program->tasks[task].nr_calls;
		if (*nr_calls == CALLS_MAX ||
		    !parse_call(&program->tasks[task].calls[(*nr_calls)++], line))
			return false;
	}
	return task >= 0;
}

/* Choose an argument. Small numbers are frequent, so that calls meet at the same map or file. */
static __u32 choose(const struct call_type *type, unsigned int i)
{
	__u32 limit = limit_of(type, i);

	if ((type->args[i] == MAP_SLOT || type->args[i] == FILE_SLOT || type->args[i] == NAME) &&
	    !one_in(3))
		limit = 2;
	return below(limit);
}

static void make_call(struct call *call)
{
	static __u32 weights;
	const struct call_type *type;
	__u32 at;

	if (!weights)
		for (unsigned int i = 0; i < nr_call_types(); i++)
			weights += call_type(i)->weight;
	at = below(weights);
	for (call->type = 0; at >= call_type(call->type)->weight; call->type++)
		at -= call_type(call->type)->weight;
	type = call_type(call->type);
	for (unsigned int i = 0; i < ARGS_MAX && type->args[i]; i++)
		call->args[i] = choose(type, i);
}

/*
 * The life of a file or a map: a single call rarely reaches anything. The calls of a sequence share
 * one map, one descriptor, and one place and name.
 */
static const char *const sequences[][6] = {
	{ "make", "update", "close" },
	{ "make", "update", "walk", "delete", "close" },
	{ "open", "update", "unlink", "close" },
	{ "open", "update", "close", "unlink" },
	{ "open", "update", "link", "unlink", "close" },
	{ "open", "update", "rename", "close" },
	{ "open", "update", "close", "drop" },
	{ "mount", "open", "update", "close", "umount" },
	{ "map", "update", "unmap" },
	{ "update", "update", "update", "update", "update", "update" },
	{ "update", "delete" },
	{ "update", "walk" },
	{ "lookup", "walk" },
	{ "walk", "walk", "walk" },
	{ "act", "act", "open", "update" },
	{ "fail", "update" },
	{ "fail", "map" },
	{ "crowd", "crowd" },
	{ "proc", "proc" },
};

struct sequence {
	struct call calls[8];
	__u32 nr, map, file, place, name;
};

static void sequence_add(struct sequence *sequence, const char *name)
{
	struct call *call = &sequence->calls[sequence->nr++];
	const struct call_type *type;
	bool named = false;

	call->type = type_named(name);
	type = call_type(call->type);
	for (unsigned int i = 0; i < ARGS_MAX && type->args[i]; i++) {
		call->args[i] = choose(type, i);
		if (type->args[i] == MAP_SLOT)
			call->args[i] = sequence->map;
		else if (type->args[i] == FILE_SLOT)
			call->args[i] = sequence->file;
		else if (type->args[i] == PLACE)
			call->args[i] = sequence->place;
		else if (type->args[i] == NAME && !named)
			call->args[i] = sequence->name;
		named |= type->args[i] == NAME;
	}
}

static void make_sequence(struct sequence *sequence)
{
	const char *const *names = sequences[below(NR(sequences))];

	memset(sequence, 0, sizeof(*sequence));
	sequence->map = below(one_in(3) ? FUZZ_MAPS : 2);
	sequence->file = below(one_in(3) ? NR_FILES : 2);
	sequence->name = below(one_in(3) ? NR_NAMES : 2);
	sequence->place = strcmp(names[0], "mount") ? below(nr_places) : volatile_place;
	for (unsigned int i = 0; i < 6 && names[i]; i++)
		sequence_add(sequence, names[i]);
}

static __u32 make_repeat(void)
{
	static const __u32 repeats[] = { 1, 1, 1, 1, 2, 5, 20, 100 };

	return repeats[below(NR(repeats))];
}

/* Append the calls, as far as there is room. */
static void append_calls(struct program *program, unsigned int t, const struct call *calls,
			 unsigned int nr)
{
	for (unsigned int i = 0; i < nr && program->tasks[t].nr_calls < CALLS_MAX; i++)
		program->tasks[t].calls[program->tasks[t].nr_calls++] = calls[i];
}

static void append_sequence(struct program *program, unsigned int t)
{
	struct sequence sequence;

	make_sequence(&sequence);
	append_calls(program, t, sequence.calls, sequence.nr);
}

/* Delay tasks at a function or an instruction, so that others run in between. */
static void append_delay(struct program *program, unsigned int t)
{
	struct call call = {
		.type = type_named("act"),
		.args = { HOOK_ENTRY + below(NR_HOOKS - HOOK_ENTRY), DO_DELAY, 0, below(4) },
	};

	/* Often at the first kprobe, to which every task comes that adds an inode (hooks.c). */
	if (one_in(4))
		call.args[0] = HOOK_PROBE;

	append_calls(program, t, &call, 1);
}

/* Make the maps that all tasks share. */
static void append_maps(struct program *program, unsigned int t)
{
	struct sequence sequence = { };

	sequence_add(&sequence, "map");
	sequence.map = 1;
	sequence_add(&sequence, "map");
	append_calls(program, t, sequence.calls, sequence.nr);
}

static void append_basis(struct program *program, unsigned int t)
{
	struct sequence sequence = { .place = below(nr_places) };

	append_maps(program, t);
	sequence_add(&sequence, one_in(2) ? "open" : "make");
	append_calls(program, t, sequence.calls, sequence.nr);
}

/*
 * Tasks that do something with one new inode at the same time, over and over. One of them makes the
 * inode and throws it away. Another makes the maps first, and delays tasks at some functions.
 */
static void make_meeting(struct program *program)
{
	static const char *const what[] = {
		"update", "update", "update", "update", "update", "lookup", "walk", "delete",
		"write", "unlink", "close"
	};
	unsigned int nr = 2 + below(FUZZ_TASKS - 2);
	const struct sequence all = {
		.file = below(2), .place = below(nr_places), .name = below(2)
	};
	__u32 repeat = one_in(2) ? 20 : 100;

	for (unsigned int t = 0; t < nr; t++) {
		struct sequence sequence = all;

		if (!t)
			sequence_add(&sequence, one_in(2) ? "open" : "make");
		sequence_add(&sequence, "meet");
		for (unsigned int i = 0; i <= below(2); i++) {
			sequence.map = below(2);
			sequence_add(&sequence, what[below(NR(what))]);
		}
		sequence_add(&sequence, "meet");
		if (!t) {
			sequence_add(&sequence, "unlink");
			sequence_add(&sequence, "close");
		}
		append_calls(program, t, sequence.calls, sequence.nr);
		program->tasks[t].repeat = repeat;
	}
	append_maps(program, nr);
	for (unsigned int i = 0; i <= below(3); i++)
		append_delay(program, nr);
	program->tasks[nr].repeat = 1;
}

/* Make a new program. The first task begins with the maps and the file that the others need. */
void program_make(struct program *program)
{
	unsigned int nr = 1 + below(FUZZ_TASKS);

	memset(program, 0, sizeof(*program));
	if (one_in(3)) {
		make_meeting(program);
		return;
	}
	append_basis(program, 0);
	if (one_in(2))
		append_delay(program, 0);
	for (unsigned int t = 0; t < nr; t++) {
		program->tasks[t].repeat = make_repeat();
		for (unsigned int i = 0; i <= below(3); i++)
			append_sequence(program, t);
	}
	/* Make the basis once, or over and over. */
	if (!one_in(3))
		program->tasks[0].repeat = 1;
}

static void insert_call(struct program *program, unsigned int t, const struct call *call)
{
	__u32 nr = program->tasks[t].nr_calls, at = below(nr + 1);
	struct call *calls = program->tasks[t].calls;

	if (nr == CALLS_MAX)
		return;
	memmove(&calls[at + 1], &calls[at], (nr - at) * sizeof(*calls));
	calls[at] = *call;
	program->tasks[t].nr_calls++;
}

static void remove_call(struct program *program, unsigned int t)
{
	__u32 nr = program->tasks[t].nr_calls, at = below(nr);
	struct call *calls = program->tasks[t].calls;

	memmove(&calls[at], &calls[at + 1], (nr - at - 1) * sizeof(*calls));
	program->tasks[t].nr_calls--;
}

static void change_call(struct call *call)
{
	const struct call_type *type = call_type(call->type);

	for (unsigned int i = 0; i < ARGS_MAX && type->args[i]; i++)
		if (one_in(2))
			call->args[i] = choose(type, i);
}

static void mutate_once(struct program *program, const struct program *other)
{
	unsigned int t = below(FUZZ_TASKS), from = below(FUZZ_TASKS);
	__u32 nr = program->tasks[t].nr_calls;
	struct call call;

	switch (below(10)) {
	case 0:
	case 1:
		memset(&call, 0, sizeof(call));
		make_call(&call);
		insert_call(program, t, &call);
		break;
	case 2:
		if (nr)
			remove_call(program, t);
		break;
	case 3:
	case 4:
		if (nr)
			change_call(&program->tasks[t].calls[below(nr)]);
		break;
	case 5:
		program->tasks[t].repeat = make_repeat();
		break;
	case 6:
		/* Copy a task of the other program, or of this one. */
		program->tasks[t] = one_in(2) ? other->tasks[from] : program->tasks[from];
		break;
	case 7:
		append_sequence(program, t);
		break;
	case 8:
		if (one_in(2))
			append_delay(program, t);
		else
			append_basis(program, t);
		break;
	case 9:
		if (other->tasks[from].nr_calls)
			insert_call(program, t,
				    &other->tasks[from].calls[below(other->tasks[from].nr_calls)]);
		break;
	}
}

void program_mutate(struct program *program, const struct program *other)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i <= below(5); i++)
		mutate_once(program, other);
	for (unsigned int t = 0; t < FUZZ_TASKS; t++) {
		nr += program->tasks[t].nr_calls;
		if (!program->tasks[t].repeat)
			program->tasks[t].repeat = 1;
	}
	if (!nr)
		program_make(program);
}
