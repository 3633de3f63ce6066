// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Writing denials to the journal, with their parts as fields, or to syslog if there is no journal;
 * and no more of them per second than somebody can read. No locks are needed.
 *
 * A log that hangs must not hold up the service: syslog(3) and sd_journal_send(3) would wait
 * forever. Here a line waits for LOG_WAIT at most, and then no other is sent in the same second.
 * Lines that the log did not take are counted as left out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "events.h"

#define JOURNAL_SOCKET	"/run/systemd/journal/socket"
#define SYSLOG_SOCKET	"/dev/log"
/* Maximum number of lines per second. */
#define LOG_RATE	200
/* In microseconds. */
#define LOG_WAIT	50000

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

static void put_id(FILE *file, const char *name, __u32 id)
{
	if (id == GUARD_UNSET)
		fprintf(file, "%s=unset\n", name);
	else
		put_number(file, name, id);
}

/* Format a line without the newline. */
static char *denial_text(const struct denial *denial, bool json)
{
	char *text = denial_line(denial, json);

	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* Returns 0 or a negative errno. Returns 0, too, if there is no log at all. */
static int send_to_log(struct log *log, const char *data, size_t size)
{
	struct sockaddr_un address = { AF_UNIX, SYSLOG_SOCKET };

	if (log->journal)
		strcpy(address.sun_path, JOURNAL_SOCKET);
	if (sendto(log->fd, data, size, MSG_NOSIGNAL, (const void *)&address, sizeof(address)) >= 0)
		return 0;
	if (errno == EAGAIN)
		log->logged = LOG_RATE;
	return errno == ENOENT || errno == ECONNREFUSED ? 0 : -errno;
}

/* Format a line as in RFC 3164, which is what syslog's own socket takes. */
static int send_to_syslog(struct log *log, int priority, const char *text)
{
	time_t now = time(NULL);
	char date[32], *line;
	int length, err;

	strftime(date, sizeof(date), "%b %e %T", localtime(&now));
	length = asprintf(&line, "<%d>%s inode-guard[%d]: %s", LOG_AUTHPRIV | priority, date,
			  getpid(), text);
	if (length < 0)
		return -ENOMEM;
	err = send_to_log(log, line, length);
	free(line);
	return err;
}

static int log_to_journal(struct log *log, const struct denial *denial)
{
	char *data = NULL, *text = denial_text(denial, false), *json = denial_text(denial, true);
	size_t size;
	FILE *file = open_memstream(&data, &size);
	int err;

	put_field(file, "MESSAGE", text);
	fputs("SYSLOG_IDENTIFIER=inode-guard\nPRIORITY=5\n", file);
	fprintf(file, "INODE_GUARD_OPERATION=%s\nINODE_GUARD_VERDICT=%s\n", op_name(denial->op),
		denial->audit ? "audit" : "denied");
	put_field(file, "INODE_GUARD_PATH", denial->path);
	put_field(file, "INODE_GUARD_RULE", denial->rule);
	if (*denial->label)
		put_field(file, "INODE_GUARD_LABEL", denial->label);
	put_field(file, "INODE_GUARD_EXE", denial->exe);
	put_field(file, "INODE_GUARD_COMM", denial->command);
	put_number(file, "INODE_GUARD_PID", denial->pid);
	put_number(file, "INODE_GUARD_UID", denial->uid);
	put_number(file, "INODE_GUARD_PARENT_PID", denial->parent);
	put_field(file, "INODE_GUARD_PARENT_COMM", denial->parent_command);
	put_id(file, "INODE_GUARD_LOGIN_UID", denial->login);
	put_id(file, "INODE_GUARD_SESSION", denial->session);
	fprintf(file, "INODE_GUARD_CGROUP_ID=%llu\n", (unsigned long long)denial->cgroup);
	put_field(file, "INODE_GUARD_CGROUP", denial->cgroup_path);
	put_field(file, "INODE_GUARD_JSON", json);
	fclose(file);
	err = send_to_log(log, data, size);
	free(data);
	free(text);
	free(json);
	return err;
}

static int log_to_syslog(struct log *log, const struct denial *denial)
{
	char *json = denial_text(denial, true);
	int err = send_to_syslog(log, LOG_NOTICE, json);

	free(json);
	return err;
}

static void log_left_out(struct log *log)
{
	char text[128];
	int length, err;

	if (!log->left_out)
		return;
	length = snprintf(text, sizeof(text), log->journal ? "MESSAGE=%lu denials left out\n"
			  "SYSLOG_IDENTIFIER=inode-guard\nPRIORITY=4\n" : "%lu denials left out",
			  log->left_out);
	err = log->journal ? send_to_log(log, text, length) :
	      send_to_syslog(log, LOG_WARNING, text);
	if (!err)
		log->left_out = 0;
}

void log_second(struct log *log)
{
	time_t now = time(NULL);

	if (now == log->second)
		return;
	log->second = now;
	log->logged = 0;
	log_left_out(log);
}

void log_denial(struct log *log, const struct denial *denial)
{
	log_second(log);
	if (log->logged++ >= LOG_RATE ||
	    (log->journal ? log_to_journal(log, denial) : log_to_syslog(log, denial)))
		log->left_out++;
}

void log_open(struct log *log)
{
	const struct timeval wait = { .tv_usec = LOG_WAIT };

	log->journal = !access(JOURNAL_SOCKET, F_OK);
	log->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(log->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
}
