// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * "status": the state of the guard. Takes no lock, so that a monitor never waits for a change.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "pins.h"

/* The reason why programs are not called, for the end of a line. */
static const char *why_not_called(void)
{
	FILE *file = fopen("/proc/sys/kernel/ftrace_enabled", "re");
	int enabled = 1;

	if (file && fscanf(file, "%d", &enabled) != 1)
		enabled = 1;
	if (file)
		fclose(file);
	return enabled ? "" : ": kernel.ftrace_enabled is 0";
}

/* In the text, @what is counted, if not rules. */
static void print_counts(const struct counts *counts, const char *what, bool json)
{
	const struct {
		const char *name;
		size_t count;
	} items[] = {
		{ "waiting", counts->waiting }, { "elsewhere", counts->elsewhere },
		{ "gone", counts->gone }, { "hanging", counts->hanging },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(items); i++) {
		if (json)
			printf("%s\"%s\":%zu", i ? "," : "", items[i].name, items[i].count);
		else if (items[i].count)
			printf("%zu %s%s%s, ", items[i].count, what,
			       !*what ? "" : items[i].count > 1 ? "s " : " ", items[i].name);
	}
}

static void print_status(const struct guard *guard, size_t rules, const struct counts *counts,
			 const struct counts *exes, bool called, bool json)
{
	const struct guard_state *state = guard->state;
	__u32 max_rules = guard_max_rules(guard);
	size_t unseen = processes_unseen(guard);

	if (json) {
		printf("{\"state\":\"running\",\"called\":%s,\"audit\":%s,\"rules\":%zu,"
		       "\"max_rules\":%u,", called ? "true" : "false",
		       state->audit ? "true" : "false", rules, max_rules);
		print_counts(counts, "", true);
		printf(",\"executables\":{");
		print_counts(exes, "", true);
		printf("},\"hold\":%s,\"held\":%lu,", state->hold ? "true" : "false",
		       hold_count(guard));
		printf("\"sealed\":\"%s\",", seal_name(state->sealed));
		printf("\"generation\":%u,\"dropped\":%llu,\"refused\":%llu,\"unseen\":%zu}\n",
		       state->generation, (unsigned long long)state->dropped,
		       (unsigned long long)state->refused, unseen);
		return;
	}
	printf("running: %s, %zu of %u rules, ", !called ? "not called by the kernel" :
	       state->audit ? "audit" : "enforcing", rules, max_rules);
	if (state->sealed)
		printf("sealed (%s), ", seal_name(state->sealed));
	print_counts(counts, "", false);
	print_counts(exes, "executable", false);
	if (hold_count(guard))
		printf("%lu changes not followed, ", hold_count(guard));
	printf("generation %u, %llu events dropped", state->generation,
	       (unsigned long long)state->dropped);
	if (state->refused)
		printf(", control refused %llu times", (unsigned long long)state->refused);
	if (unseen)
		printf(", %zu %s unseen", unseen, unseen > 1 ? "processes" : "process");
	putchar('\n');
}

static bool is_missing(const struct counts *counts)
{
	return counts->elsewhere || counts->gone || counts->hanging;
}

/* Show the status of a running guard; returns an exit code. */
static int show_status(struct guard *guard, bool json)
{
	struct policy policy;
	struct counts counts, exes;
	bool called;
	int err;

	err = policy_load(guard, &policy);
	if (!err)
		err = policy_walk(&policy);
	if (!err)
		policy_look_up(&policy);
	if (!err)
		err = policy_count(&policy, &counts, &exes);
	if (err) {
		policy_free(&policy);
		error("%s", reason(err));
		return EXIT_FAILURE;
	}
	called = guard_is_called(guard->state);
	print_status(guard, policy.rules.count, &counts, &exes, called, json);
	policy_free(&policy);
	if (!called) {
		error("the kernel does not call the programs%s", why_not_called());
		return EXIT_FAILURE;
	}
	return is_missing(&counts) || is_missing(&exes) ? EXIT_MISSING : EXIT_SUCCESS;
}

int guard_status(bool json)
{
	const char *state = "damaged";
	struct guard guard;
	int ret, err;

	guard_init(&guard);
	ret = guard_examine(&guard);
	if (ret < 0)
		return guard_examine_failed(ret);
	if (ret == GUARD_STOPPED && guard_is_elsewhere()) {
		guard_tell_elsewhere();
		state = "unreachable";
		ret = GUARD_DAMAGED;
	} else if (ret == GUARD_STOPPED) {
		state = "stopped";
	}
	err = ret == GUARD_RUNNING ? guard_open_maps(&guard) : 0;
	if (err) {
		ret = guard_examine_failed(err);
	} else if (ret == GUARD_RUNNING) {
		ret = show_status(&guard, json);
	} else {
		printf(json ? "{\"state\":\"%s\"}\n" : "%s\n", state);
		ret = ret == GUARD_STOPPED ? EXIT_STATE : EXIT_FAILURE;
	}
	guard_close(&guard);
	return ret;
}
