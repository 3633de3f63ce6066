// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Messages, words and containers of the tool. No locks are needed.
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <inode_map.h>

#include "tool.h"

bool verbose;

#define GUARD_OP_WORD(name, word, meaning)	[GUARD_##name] = word,

const char *const op_names[GUARD_OPS] = {
	GUARD_OPERATIONS(GUARD_OP_WORD)
};

const char *op_name(int op)
{
	return op == GUARD_CONTROL ? "control" : op_names[op];
}

/* Print one line, whatever characters a path has. */
void error(const char *format, ...)
{
	va_list args;
	char *text;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		return;
	fflush(stdout);
	fputs("inode-guard: ", stderr);
	put_text(stderr, text, "");
	fputc('\n', stderr);
	free(text);
}

/* For reason(): what was full last, and how many fit. */
static struct {
	const char *what;
	__u32 most;
} full = { .what = "rules" };

int no_room(int err, const char *what, __u32 most)
{
	if (err == -E2BIG) {
		full.what = what;
		full.most = most;
	}
	return err;
}

int map_no_room(int err, const char *what, int map)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	if (err != -E2BIG)
		return err;
	if (bpf_obj_get_info_by_fd(map, &info, &size))
		info.max_entries = 0;
	return no_room(err, what, info.max_entries);
}

const char *reason(int err)
{
	static char text[256];

	switch (-err) {
	case EPERM:
	case EACCES:
		snprintf(text, sizeof(text), "%s%s", strerror(-err),
			 geteuid() ? " (are you root?)" : "");
		return text;
	case E2BIG:
		snprintf(text, sizeof(text), "there is no room for more %s than %u (stop, and start with "
			 "a larger --max-rules)", full.what, full.most);
		return text;
	case ENODEV:
		if (access("/proc/inode_map", F_OK))
			return inode_map_strerror(err);
		return "the device " INODE_MAP_DEVICE " is not in this network namespace: call it in the "
		       "initial one (nsenter --net=/proc/1/ns/net)";
	case ENOENT:
		return strerror(ENOENT);
	default:
		return inode_map_strerror(err);
	}
}

static void *checked(void *memory)
{
	if (memory)
		return memory;
	error("out of memory");
	exit(EXIT_FAILURE);
}

void *xcalloc(size_t count, size_t size)
{
	return checked(calloc(count, size));
}

void *xrealloc(void *memory, size_t size)
{
	return checked(realloc(memory, size));
}

char *xstrdup(const char *text)
{
	return checked(strdup(text));
}

char *xasprintf(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	return checked(text);
}

#define GUARD_OP_WITH_COMMA(name, word, meaning)	word ","

const char *ops_text(__u32 ops)
{
	/* Room for all of them, each followed by a comma. */
	static char text[sizeof("" GUARD_OPERATIONS(GUARD_OP_WITH_COMMA))];
	size_t length = 0;
	int op;

	if (ops == GUARD_ALL)
		return "all";
	text[0] = '\0';
	for (op = 0; op < GUARD_OPS; op++)
		if (ops & (1U << op))
			length += snprintf(text + length, sizeof(text) - length, "%s%s",
					   length ? "," : "", op_names[op]);
	return text;
}

char *absolute_path(const char *path)
{
	char directory[PATH_MAX] = "", *result, *to;
	const char *from;

	if (*path != '/' && !getcwd(directory, sizeof(directory)))
		directory[0] = '\0';
	result = xcalloc(1, strlen(directory) + strlen(path) + 3);
	sprintf(result, "%s/%s", directory, path);
	/* The output is never longer than the input. */
	for (from = to = result; *from;) {
		size_t length;

		from += strspn(from, "/");
		length = strcspn(from, "/");
		if (length && !(length == 1 && *from == '.')) {
			*to++ = '/';
			memmove(to, from, length);
			to += length;
		}
		from += length;
	}
	if (to == result)
		*to++ = '/';
	*to = '\0';
	return result;
}

/* The length of a well-formed UTF-8 sequence, or 0. */
static int utf8_length(const unsigned char *c)
{
	static const struct {
		unsigned char first, last, low, high;
		int length;
	} forms[] = {
		{ 0x00, 0x7f, 0x00, 0x00, 1 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	size_t form;
	int i;

	for (form = 0; form < ARRAY_SIZE(forms); form++)
		if (*c >= forms[form].first && *c <= forms[form].last)
			break;
	if (form == ARRAY_SIZE(forms))
		return 0;
	if (forms[form].length > 1 && (c[1] < forms[form].low || c[1] > forms[form].high))
		return 0;
	for (i = 2; i < forms[form].length; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	return forms[form].length;
}

/* The number of a character that takes @length bytes. */
static __u32 utf8_number(const unsigned char *c, int length)
{
	__u32 number = length == 1 ? *c : *c & (0x7f >> length);
	int i;

	for (i = 1; i < length; i++)
		number = number << 6 | (c[i] & 0x3f);
	return number;
}

/*
 * Whether a character is not printable: a terminal may obey it, or show nothing, another order or
 * another line. These are control characters, format characters (Unicode's general category Cf,
 * and variation selectors) and line separators.
 */
static bool is_unseen(__u32 number)
{
	static const struct {
		__u32 first, last;
	} ranges[] = {
		{ 0x0000, 0x001f }, { 0x007f, 0x009f }, { 0x00ad, 0x00ad }, { 0x034f, 0x034f },
		{ 0x0600, 0x0605 }, { 0x061c, 0x061c }, { 0x06dd, 0x06dd }, { 0x070f, 0x070f },
		{ 0x0890, 0x0891 }, { 0x08e2, 0x08e2 }, { 0x115f, 0x1160 }, { 0x17b4, 0x17b5 },
		{ 0x180b, 0x180f }, { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
		{ 0x3164, 0x3164 }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 },
		{ 0xfff0, 0xfffb }, { 0x110bd, 0x110bd }, { 0x110cd, 0x110cd },
		{ 0x13430, 0x1343f }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },
		{ 0xe0000, 0xe0fff },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ranges); i++)
		if (number >= ranges[i].first && number <= ranges[i].last)
			return true;
	return false;
}

void put_text(FILE *file, const char *text, const char *special)
{
	const unsigned char *c = (const unsigned char *)text;
	int length, i;

	for (; *c; c += length) {
		length = utf8_length(c);
		if (length && !is_unseen(utf8_number(c, length))) {
			if (strchr(special, *c))
				fputc('\\', file);
			fwrite(c, 1, length, file);
			continue;
		}
		length = length ?: 1;
		for (i = 0; i < length; i++)
			fprintf(file, "\\x%02x", c[i]);
	}
}

long milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000L + now.tv_nsec / 1000000;
}

int number_parse(const char *text, __u32 least, __u32 most, __u32 *number)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value < least || value > most)
		return -EINVAL;
	*number = value;
	return 0;
}

void put_name(FILE *file, const char *text)
{
	put_text(file, text, " \"'\\#");
}

void put_word(FILE *file, const char *text)
{
	put_text(file, text, " \"'\\#*?[");
}

static void put_json_number(FILE *file, __u32 number)
{
	if (number < 0x10000)
		fprintf(file, "\\u%04x", number);
	else
		fprintf(file, "\\u%04x\\u%04x", 0xd800 + ((number - 0x10000) >> 10),
			0xdc00 + ((number - 0x10000) & 0x3ff));
}

/*
 * Paths are bytes and JSON is Unicode: a byte 0xNN that is not part of a character becomes \udcNN,
 * which occurs in no text. Python's os.fsencode() turns it into that byte again.
 */
void put_json(FILE *file, const char *text)
{
	const unsigned char *c = (const unsigned char *)text;
	int length;

	fputc('"', file);
	for (; *c; c += length) {
		length = utf8_length(c);
		if (!length) {
			fprintf(file, "\\udc%02x", *c);
			length = 1;
		} else if (*c == '"' || *c == '\\') {
			fprintf(file, "\\%c", *c);
		} else if (is_unseen(utf8_number(c, length))) {
			put_json_number(file, utf8_number(c, length));
		} else {
			fwrite(c, 1, length, file);
		}
	}
	fputc('"', file);
}

void *array_add(struct array *array, size_t size)
{
	void *item;

	if (array->count == array->room) {
		array->room = array->room ? 2 * array->room : 16;
		array->items = xrealloc(array->items, array->room * size);
	}
	item = (char *)array->items + array->count++ * size;
	return memset(item, 0, size);
}

void string_add(struct array *array, char *text)
{
	*(char **)array_add(array, sizeof(text)) = text;
}

void strings_free(struct array *array)
{
	size_t i;

	for (i = 0; i < array->count; i++)
		free(((char **)array->items)[i]);
	free(array->items);
	*array = (struct array){};
}

static struct index_slot *index_slot(const struct index *index, __u32 id)
{
	size_t at = id * 2654435761U & index->mask;

	while (index->slots[at].item && index->slots[at].id != id)
		at = (at + 1) & index->mask;
	return &index->slots[at];
}

void *index_get(const struct index *index, __u32 id)
{
	return index->slots ? index_slot(index, id)->item : NULL;
}

static void index_grow(struct index *index)
{
	struct index old = *index;
	size_t i, slots = old.slots ? 2 * (old.mask + 1) : 64;

	index->slots = xcalloc(slots, sizeof(*index->slots));
	index->mask = slots - 1;
	for (i = 0; old.slots && i <= old.mask; i++)
		if (old.slots[i].item)
			*index_slot(index, old.slots[i].id) = old.slots[i];
	free(old.slots);
}

void index_put(struct index *index, __u32 id, void *item)
{
	struct index_slot *slot;

	if (!index->slots || index->count * 2 > index->mask)
		index_grow(index);
	slot = index_slot(index, id);
	if (!slot->item)
		index->count++;
	slot->id = id;
	slot->item = item;
}

void index_free(struct index *index)
{
	free(index->slots);
	memset(index, 0, sizeof(*index));
}
