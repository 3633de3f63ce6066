// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Events as lines: as text, and as JSON, which has all that is known. No locks are needed.
 */
#include <stdio.h>

#include "events.h"

/* Print who the process acted for. A number that is unset becomes null. */
static void print_json_origin(FILE *file, const struct denial *denial)
{
	fprintf(file, ",\"parent_pid\":%u,\"parent_command\":", denial->parent);
	put_json(file, denial->parent_command);
	fprintf(file, ",\"login_uid\":");
	fprintf(file, denial->login == GUARD_UNSET ? "null" : "%u", denial->login);
	fprintf(file, ",\"session\":");
	fprintf(file, denial->session == GUARD_UNSET ? "null" : "%u", denial->session);
	fprintf(file, ",\"cgroup_id\":%llu,\"cgroup\":", (unsigned long long)denial->cgroup);
	put_json(file, denial->cgroup_path);
	fprintf(file, ",\"unseen\":%s", denial->unseen ? "true" : "false");
}

static void print_json(FILE *file, const struct denial *denial, const char *verdict)
{
	fprintf(file, "{\"time\":\"%s\",\"pid\":%u,\"uid\":%u,\"command\":", denial->time,
		denial->pid, denial->uid);
	put_json(file, denial->command);
	fprintf(file, ",\"executable\":");
	put_json(file, denial->exe);
	fprintf(file, ",\"operation\":\"%s\",\"path\":", op_name(denial->op));
	put_json(file, denial->path);
	fprintf(file, ",\"rule\":");
	put_json(file, denial->rule);
	fprintf(file, ",\"label\":\"%s\",\"verdict\":\"%s\"", denial->label, verdict);
	print_json_origin(file, denial);
	fprintf(file, "}\n");
}

void denial_print(FILE *file, const struct denial *denial, bool json)
{
	const char *verdict = denial->audit ? "audit" : "denied";

	if (json) {
		print_json(file, denial, verdict);
		return;
	}
	fprintf(file, "%s %s %s ", denial->time, verdict, op_name(denial->op));
	put_name(file, denial->path);
	fprintf(file, " pid=%u uid=%u command=", denial->pid, denial->uid);
	put_name(file, denial->command);
	fprintf(file, " executable=");
	put_name(file, denial->exe);
	fprintf(file, " rule=");
	put_name(file, denial->rule);
	if (denial->unseen)
		fprintf(file, " unseen=yes");
	if (*denial->label)
		fprintf(file, " label=%s", denial->label);
	fputc('\n', file);
}

char *denial_line(const struct denial *denial, bool json)
{
	char *line = NULL;
	size_t size;
	FILE *file = open_memstream(&line, &size);

	denial_print(file, denial, json);
	fclose(file);
	return line;
}

void dropped_print(FILE *file, __u64 dropped, bool json)
{
	fprintf(file, json ? "{\"dropped\":%llu}\n" : "%llu events dropped\n",
		(unsigned long long)dropped);
}
