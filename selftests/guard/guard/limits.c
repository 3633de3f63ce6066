// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The limits of a policy, and what happens after very many changes. */
#include "steps.h"

#include <bpf/bpf.h>

#include "bpf/guard/guard.h"

#define RULES	12

STEP(sizes)
{
	unsigned int rules = atoi(SMALL_RULES);
	const struct {
		const char *map;
		unsigned int room;
	} sizes[] = {
		{ "leaves", 2 * rules }, { "subjects", 2 * rules }, { "members", rules },
		{ "cgroup_paths", rules / 8 }, { "tree_read", rules / 8 }, { "texts", 8 * rules },
	};
	struct bpf_map_info info;
	__u32 size = sizeof(info);
	char path[64];
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		snprintf(path, sizeof(path), GUARD_PINS "/%s", sizes[i].map);
		fd = CHECK_SYS(bpf_obj_get(path));
		memset(&info, 0, sizeof(info));
		CHECK_OK(bpf_obj_get_info_by_fd(fd, &info, &size));
		close(fd);
		if (info.max_entries != sizes[i].room)
			FAIL("%s: %u, not %u", sizes[i].map, info.max_entries, sizes[i].room);
	}
	CHECK_EQ(sizeof(struct guard_text), 120);
}

/* The ids of rules, paths and sets have 32 bits, and every change uses up some: they wrap. */
STEP(ids_begin_again)
{
	volatile struct guard_state *state = state_map();
	char name[16], pattern[64];

	make("first");
	QUIET("allow", "--ops", "read", "--only-for", "/usr/bin/dash", "first");
	state->next = ~0U - 10;
	for (int i = 0; i < RULES; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		make(name);
		if (i % 2)
			QUIET("deny", "--ops", "read", "--label", name, name);
		else
			QUIET("allow", "--ops", "read", "--only-for", "/usr/bin/dash", name);
	}
	CHECK(state->next < ~0U - 10);
	SAYS("list");
	for (int i = 0; i < RULES; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		snprintf(pattern, sizeof(pattern), "^active .*/%s$", name);
		MATCHES(pattern);
		DENIED(try_read(name));
		CHECK_EQ(sh("dash -c 'read -r line <%s' 2>/dev/null", name) == 0, !(i % 2));
	}
	MATCHES("^active .*/first$");
	DENIED(try_read("first"));
	CHECK_EQ(sh("dash -c 'read -r line <first; :'"), 0);
	QUIET("remove", "f3");
	ALLOWED(try_read("f3"));
	DENIED(try_read("f5"));
}
