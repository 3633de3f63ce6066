// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Events of the ring buffer (events.c, denial.c, watch.c, learn.c, log.c): the input is a list of
 * mounts, and events of any length and contents. For each complete event the tool must print a line
 * for each operation, as text, as JSON and in the log; and the rules that it learns must be
 * readable as a conf file.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "../../bpf/guard/events.h"
#include "world.h"

/* Count the denials in the events. */
static size_t denials(struct input events)
{
	struct guard_event event;
	size_t length, count = 0;

	while (events.size) {
		length = take_byte(&events) | take_byte(&events) << 8;
		if (length > events.size)
			length = events.size;
		if (length >= sizeof(event)) {
			take(&events, &event, sizeof(event));
			count += __builtin_popcount((event.ops | event.tried) &
						    (GUARD_ALL | 1U << GUARD_CONTROL));
			length -= sizeof(event);
		}
		events.data += length;
		events.size -= length;
	}
	return count;
}

/* Make one rule, with a set of one executable. */
static void make_rules(void)
{
	const struct guard_text_key texts[] = { { 2, 0 }, { 4, 0 } };
	const struct guard_text text = { "/the file" };
	const struct guard_member member = { .set = 3, .kind = GUARD_BY_EXE, .subject = 5 };
	const struct guard_rule rule = {
		.generation = 1, .name = 1, .text = 2, .named = GUARD_ALL, .only = GUARD_ALL,
		.set = { 3, 3, 3, 3 },
	};
	const __u32 id = 1, member_text = 4;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++)
		world_put(world_map("texts"), &texts[i], &text);
	world_put(world_map("rules"), &id, &rule);
	world_put(world_map("members"), &member, &member_text);
}

/* Split the input. The ring buffer ends the guard, and so each command, after the last event. */
static void begin(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	size_t length;

	world_begin();
	make_rules();
	length = take_byte(&input) | take_byte(&input) << 8;
	if (length > input.size)
		length = input.size;
	world.mounts = (struct input){ input.data, length };
	world.events = (struct input){ input.data + length, input.size - length };
}

static int watch(void *json)
{
	return guard_watch(!!json);
}

static int learn(void *arguments)
{
	return guard_learn(arguments);
}

static void check_watch(void)
{
	size_t want = denials(world.events);
	char *text = said_by(watch, NULL), *json;
	const char *at;

	if (check_lines(text) != want)
		broken("%zu denials and other lines: %s", want, text);
	free(text);
	world.state->ready = 1;
	json = said_by(watch, "");
	if (check_lines(json) != want)
		broken("%zu denials and other objects: %s", want, json);
	for (at = json; *at;) {
		at = check_json(at);
		if (*at++ != '\n')
			broken("what is behind an object: %.20s", at);
	}
	free(json);
}

static void check_learn(void)
{
	struct arguments arguments = {};
	struct conf conf = {};
	char *text, *line, *end;

	world.state->ready = 1;
	text = said_by(learn, &arguments);
	check_lines(text);
	for (line = text; *line; line = end + 1) {
		end = strchr(line, '\n');
		*end = '\0';
		conf_read_line(&conf, line);
	}
	if (conf.errors)
		broken("what is learnt can't be read");
	conf_free(&conf);
	free(text);
}

/* The journal's protocol: name=value, or a name, the value's length and the value. */
static void check_journal(const char *data, size_t size)
{
	const char *end = data + size, *line;
	uint64_t length;

	while (data < end) {
		line = memchr(data, '\n', end - data);
		if (!line || strspn(data, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == 0)
			broken("a field of the journal without a name or an end");
		if (!memchr(data, '=', line - data)) {
			memcpy(&length, line + 1, sizeof(length));
			line += 1 + sizeof(length);
			if (length > (size_t)(end - line))
				broken("a field of the journal that does not end");
			line += length;
			if (*line != '\n')
				broken("a field of the journal of another length");
		}
		data = line + 1;
	}
}

static void check_sent(const char *socket, const char *data, size_t size)
{
	if (!strcmp(socket, "/dev/log"))
		check_seen(data, size);
	else
		check_journal(data, size);
}

static void log_it(void *context, const struct denial *denial)
{
	log_denial(context, denial);
}

static void ignore(void *context, __u64 dropped)
{
	(void)context;
	(void)dropped;
}

static int write_log(void *journal)
{
	struct log log = { .fd = -1, .journal = !!journal };
	struct guard guard;
	struct events events = {
		.guard = &guard, .denied = log_it, .dropped = ignore, .context = &log,
	};

	guard_open(&guard, false);
	if (!events_open(&events))
		events_poll(&events, 0);
	events_close(&events);
	guard_close(&guard);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	begin(data, size);
	check_watch();
	check_learn();
	world.sent = check_sent;
	free(said_by(write_log, NULL));
	free(said_by(write_log, ""));
	world_end();
	return 0;
}
