// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Writing denials to the journal, each with its parts as fields, or to syslog where there is none; and
 * not more of them in a second than somebody can read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

#define JOURNAL_SOCKET	"/run/systemd/journal/socket"
/* So many lines a second go into the log. */
#define LOG_RATE	200

/* A field of the journal's own protocol, in the form that takes any bytes. */
static void put_field(FILE *file, const char *name, const char *value)
{
	__u64 length = strlen(value);
	unsigned char bytes[sizeof(length)];
	size_t i;

	for (i = 0; i < sizeof(length); i++)
		bytes[i] = length >> 8 * i;
	fprintf(file, "%s\n", name);
	fwrite(bytes, sizeof(bytes), 1, file);
	fwrite(value, length, 1, file);
	fputc('\n', file);
}

static void put_number(FILE *file, const char *name, unsigned long number)
{
	fprintf(file, "%s=%lu\n", name, number);
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

/* The same without the line's end. */
static char *denial_text(const struct denial *denial, bool json)
{
	char *text = denial_line(denial, json);

	text[strcspn(text, "\n")] = '\0';
	return text;
}

static void send_to_journal(const struct log *log, const char *data, size_t size)
{
	static const struct sockaddr_un address = { AF_UNIX, JOURNAL_SOCKET };

	if (sendto(log->journal, data, size, MSG_NOSIGNAL, (const void *)&address,
		   sizeof(address)) < 0)
		syslog(LOG_NOTICE, "an entry of the journal is lost: %m");
}

static void log_to_journal(const struct log *log, const struct denial *denial)
{
	char *data = NULL, *text = denial_text(denial, false), *json = denial_text(denial, true);
	size_t size;
	FILE *file = open_memstream(&data, &size);

	put_field(file, "MESSAGE", text);
	fputs("SYSLOG_IDENTIFIER=inode-guard\nPRIORITY=5\n", file);
	fprintf(file, "INODE_GUARD_OPERATION=%s\nINODE_GUARD_VERDICT=%s\n", op_names[denial->op],
		denial->audit ? "audit" : "denied");
	put_field(file, "INODE_GUARD_PATH", denial->path);
	put_field(file, "INODE_GUARD_RULE", denial->rule);
	put_field(file, "INODE_GUARD_EXE", denial->exe);
	put_field(file, "INODE_GUARD_COMM", denial->command);
	put_number(file, "INODE_GUARD_PID", denial->pid);
	put_number(file, "INODE_GUARD_UID", denial->uid);
	put_field(file, "INODE_GUARD_JSON", json);
	fclose(file);
	send_to_journal(log, data, size);
	free(data);
	free(text);
	free(json);
}

void log_left_out(struct log *log)
{
	char text[128];

	if (!log->left_out)
		return;
	snprintf(text, sizeof(text), "MESSAGE=%lu denials left out\nSYSLOG_IDENTIFIER=inode-guard\n"
		 "PRIORITY=4\n", log->left_out);
	if (log->journal >= 0)
		send_to_journal(log, text, strlen(text));
	else
		syslog(LOG_WARNING, "%lu denials left out", log->left_out);
	log->left_out = 0;
}

void log_denial(struct log *log, const struct denial *denial)
{
	time_t now = time(NULL);
	char *json;

	if (now != log->second) {
		log_left_out(log);
		log->second = now;
		log->logged = 0;
	}
	if (log->logged++ >= LOG_RATE) {
		log->left_out++;
		return;
	}
	if (log->journal >= 0) {
		log_to_journal(log, denial);
		return;
	}
	json = denial_text(denial, true);
	syslog(LOG_NOTICE, "%s", json);
	free(json);
}

void log_open(struct log *log)
{
	openlog("inode-guard", LOG_PID, LOG_AUTHPRIV);
	log->journal = -1;
	if (!access(JOURNAL_SOCKET, F_OK))
		log->journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}
