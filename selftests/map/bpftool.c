// SPDX-License-Identifier: GPL-2.0-only
/*
 * The system's bpftool: makes, fills, shows and dumps maps from the command line.
 */
#include "harness.h"

#include <ctype.h>
#include <stdarg.h>

static char out[65536];

/* Turn runs of white space into single spaces: versions of bpftool differ in their line breaks. */
static void squeeze(char *text)
{
	char *to = text;

	for (; *text; text++) {
		bool blank = isspace(*text);

		if (!blank || (to > out && to[-1] != ' '))
			*to++ = blank ? ' ' : *text;
	}
	if (to > out && to[-1] == ' ')
		to--;
	*to = 0;
}

/* Run bpftool with these arguments, which may redirect. Returns its status; @out has the output. */
__attribute__((format(printf, 1, 2)))
static int bpftool(const char *format, ...)
{
	char arguments[1024], command[1100];
	va_list args;
	size_t size;
	FILE *pipe;

	va_start(args, format);
	vsnprintf(arguments, sizeof(arguments), format, args);
	va_end(args);
	/* A group, so that the shell's own errors are captured, too. */
	snprintf(command, sizeof(command), "{ bpftool %s; } 2>&1", arguments);
	pipe = popen(command, "r");
	CHECK(pipe);
	size = fread(out, 1, sizeof(out) - 1, pipe);
	out[size] = 0;
	squeeze(out);
	return WEXITSTATUS(pclose(pipe));
}

/* The command must succeed. */
#define OK(...)								\
	do {								\
		if (bpftool(__VA_ARGS__))				\
			FAIL("bpftool failed: %s", out);		\
	} while (0)

/* The command must fail and print @text. */
#define ERROR(text, ...)						\
	do {								\
		if (!bpftool(__VA_ARGS__))				\
			FAIL("bpftool succeeded: %s", out);		\
		HAS(text);						\
	} while (0)

#define HAS(text)							\
	do {								\
		if (!strstr(out, text))					\
			FAIL("no \"%s\" in: %s", text, out);		\
	} while (0)

/* Skip one JSON value of the subset that bpftool prints. Returns NULL when there is none. */
static const char *json_skip(const char *text)
{
	char end;

	text += strspn(text, " ");
	if (*text == '"') {
		text = strchr(text + 1, '"');
		return text ? text + 1 : NULL;
	}
	if (*text != '{' && *text != '[') {
		size_t length = strcspn(text, ",]} ");

		return length ? text + length : NULL;
	}
	end = *text++ == '{' ? '}' : ']';
	text += strspn(text, " ");
	if (*text == end)
		return text + 1;
	for (;;) {
		if (end == '}') {
			text += strspn(text, " ");
			text = *text == '"' ? json_skip(text) : NULL;
			if (!text || *text++ != ':')
				return NULL;
		}
		text = json_skip(text);
		if (!text)
			return NULL;
		text += strspn(text, " ");
		if (*text == end)
			return text + 1;
		if (*text++ != ',')
			return NULL;
	}
}

static void check_json(void)
{
	const char *end = json_skip(out);

	if (!end || *end)
		FAIL("not JSON: %s", out);
}

static void setup(void)
{
	if (sh("command -v bpftool >/dev/null"))
		SKIP("there is no bpftool");
	CHECK_SYS(mkdir("bpf", 0755));
	CHECK_SYS(mount("bpf", "bpf", "bpf", 0, NULL));
	file_write("f", "content\n");
	file_write("g", "content\n");
}

/*
 * Descriptor 9 of bpftool is the file: 9<f. Numbers are given byte by byte: the descriptor, a
 * negated handle, the first fields of a 32-byte key.
 */
#if BYTE_ORDER == LITTLE_ENDIAN
#define DESCRIPTOR	"9 0 0 0"
#define SECOND_HANDLE	"fe ff ff ff"
#define FIRST_OF_32	"ff ff ff ff 00 00 00 00 01 00 00 00"
#else
#define DESCRIPTOR	"0 0 0 9"
#define SECOND_HANDLE	"ff ff ff fe"
#define FIRST_OF_32	"ff ff ff ff 00 00 00 00 00 00 00 01"
#endif
#define KEY_4	"key " DESCRIPTOR
#define KEY_32	"key " DESCRIPTOR " 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"

static void check_elements(unsigned int key_size, const char *key)
{
	OK("map create bpf/map type hash key %u value 4 entries 16 name denied dev inode_map",
	   key_size);
	OK("map dump pinned bpf/map");
	HAS("Found 0 elements");

	OK("map update pinned bpf/map %s value 1 2 3 4 9<f", key);
	OK("map lookup pinned bpf/map %s 9<f", key);
	HAS("value: 01 02 03 04");
	ERROR("Not found", "map lookup pinned bpf/map %s 9<g", key);

	ERROR("File exists", "map update pinned bpf/map %s value 5 6 7 8 noexist 9<f", key);
	ERROR("No such file or directory", "map update pinned bpf/map %s value 5 6 7 8 exist 9<g",
	      key);
	OK("map update pinned bpf/map %s value 5 6 7 8 exist 9<f", key);
	OK("map update pinned bpf/map %s value 9 9 9 9 noexist 9<g", key);
	OK("map update pinned bpf/map %s value 9 9 9 10 any 9<g", key);
	ERROR("Bad file descriptor", "map update pinned bpf/map %s value 1 1 1 1 any 9<&-", key);

	OK("-j map lookup pinned bpf/map %s 9<f", key);
	check_json();
	HAS("\"value\":[\"0x05\",\"0x06\",\"0x07\",\"0x08\"]");

	OK("map dump pinned bpf/map");
	HAS("Found 2 elements");
	HAS("value: 05 06 07 08");
	HAS("value: 09 09 09 0a");
	OK("-j map dump pinned bpf/map");
	check_json();
	HAS("\"value\":[\"0x05\",\"0x06\",\"0x07\",\"0x08\"]");
	HAS("\"value\":[\"0x09\",\"0x09\",\"0x09\",\"0x0a\"]");

	/* A dumped key works like the file's own: the first file's handle is 1. */
	if (key_size == 4) {
		OK("map getnext pinned bpf/map");
		HAS(SECOND_HANDLE);
		OK("map getnext pinned bpf/map %s 9<g", key);
		HAS("ff ff ff ff");
		OK("map lookup pinned bpf/map key hex ff ff ff ff");
		HAS("value: 05 06 07 08");
		OK("map update pinned bpf/map key hex ff ff ff ff value 1 1 1 1");
		OK("map lookup pinned bpf/map %s 9<f", key);
		HAS("value: 01 01 01 01");
		OK("map delete pinned bpf/map key hex " SECOND_HANDLE);
		ERROR("Not found", "map lookup pinned bpf/map %s 9<g", key);
		OK("map update pinned bpf/map %s value 9 9 9 9 9<g", key);
	} else {
		unsigned int number[2];
		const unsigned char *byte;
		struct stat stat;
		char text[64];

		CHECK_SYS(lstat("f", &stat));
		number[0] = stat.st_dev;
		number[1] = stat.st_ino;
		OK("map getnext pinned bpf/map %s 9<g", key);
		HAS(FIRST_OF_32);
		for (unsigned int i = 0; i < 2; i++) {
			byte = (const unsigned char *)&number[i];
			snprintf(text, sizeof(text), "%02x %02x %02x %02x", byte[0], byte[1],
				 byte[2], byte[3]);
			HAS(text);
		}
	}
	ERROR("No such file or directory", "map getnext pinned bpf/map %s 9<f", key);

	OK("map delete pinned bpf/map %s 9<f", key);
	ERROR("No such file or directory", "map delete pinned bpf/map %s 9<f", key);
	CHECK_SYS(unlink("g"));
	OK("map dump pinned bpf/map");
	HAS("Found 0 elements");
	counts_wait(1, 0, 0, 0);
}

TEST(elements_4)
{
	setup();
	check_elements(4, KEY_4);
}

TEST(elements_32)
{
	setup();
	check_elements(32, KEY_32);
}

TEST(show)
{
	setup();
	OK("map create bpf/map type hash key 4 value 12 entries 100 name denied dev inode_map");
	OK("map show pinned bpf/map");
	HAS("hash name denied flags 0x80000000 offloaded_to inode_map");
	HAS("key 4B value 12B max_entries 100");
	OK("-j map show pinned bpf/map");
	check_json();
	HAS("\"ifname\":\"inode_map\"");
	HAS("\"bytes_key\":4,\"bytes_value\":12,\"max_entries\":100");
	OK("-p map show");
	check_json();
	OK("map show name denied");
	HAS("offloaded_to inode_map");
}

TEST(pin)
{
	setup();
	OK("map create bpf/map type hash key 4 value 4 entries 16 name denied dev inode_map");
	OK("map update pinned bpf/map " KEY_4 " value 1 2 3 4 9<f");
	OK("map pin name denied bpf/again");
	CHECK_SYS(unlink("bpf/map"));
	counts_wait(1, 1, 1, 1);
	OK("map lookup pinned bpf/again " KEY_4 " 9<f");
	HAS("value: 01 02 03 04");
	OK("map freeze pinned bpf/again");
	ERROR("Operation not permitted",
	      "map update pinned bpf/again " KEY_4 " value 4 3 2 1 9<f");
	CHECK_SYS(unlink("bpf/again"));
	counts_wait(0, 0, 0, 0);
}

TEST(full)
{
	setup();
	OK("map create bpf/map type hash key 4 value 4 entries 1 name small dev inode_map");
	OK("map update pinned bpf/map " KEY_4 " value 1 2 3 4 9<f");
	ERROR("Argument list too long", "map update pinned bpf/map " KEY_4 " value 1 2 3 4 9<g");
}

TEST(not_created)
{
	setup();
	ERROR("No such device",
	      "map create bpf/map type hash key 4 value 4 entries 16 name x dev no_such_dev");
	/* A device that has no maps. */
	ERROR("map create failed",
	      "map create bpf/map type hash key 4 value 4 entries 16 name x dev lo");
	ERROR("Invalid argument",
	      "map create bpf/map type hash key 8 value 4 entries 16 name x dev inode_map");
	ERROR("Invalid argument",
	      "map create bpf/map type array key 4 value 4 entries 16 name x dev inode_map");
	ERROR("Invalid argument",
	      "map create bpf/map type hash key 4 value 4 entries 16 name x flags 2 dev inode_map");
	CHECK(access("bpf/map", F_OK) && errno == ENOENT);
	/* Without a device bpftool creates an ordinary hash map. */
	OK("map create bpf/map type hash key 4 value 4 entries 16 name x");
	OK("map show pinned bpf/map");
	CHECK(!strstr(out, "offloaded_to"));
}
