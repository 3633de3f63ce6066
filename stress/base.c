// SPDX-License-Identifier: GPL-2.0-only
/*
 * What every task uses: random numbers that follow from the seed, counters, and the report of a
 * violation, which ends the run.
 */
#include <stdarg.h>
#include <time.h>

#include "tasks.h"

struct shared *shared;

struct stress_board *board;
int board_fd;

/* The task of this process. */
unsigned int task_number;
const char *task_name = "supervisor";
bool task_of_epoch;
unsigned long long random_state;

double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

void msleep(unsigned int ms)
{
	usleep(ms * 1000);
}

/* Random numbers: a stream for each task. All streams follow from the seed. */

unsigned long long mix(unsigned long long number)
{
	number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9ULL;
	number = (number ^ number >> 27) * 0x94d049bb133111ebULL;
	return number ^ number >> 31;
}

unsigned int below(unsigned int limit)
{
	random_state += 0x9e3779b97f4a7c15ULL;
	return (mix(random_state) >> 32) % limit;
}

bool one_in(unsigned int chances)
{
	return !below(chances);
}

/* Violations */

__attribute__((noreturn, format(printf, 1, 2)))
void violation(const char *format, ...)
{
	unsigned int none = 0;
	va_list args;
	int length;

	if (__atomic_compare_exchange_n(&shared->failed, &none, 1, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST)) {
		length = snprintf(shared->message, sizeof(shared->message),
				  "task %u (%s, pid %d), epoch %u: ", task_number, task_name,
				  getpid(), shared->epoch);
		va_start(args, format);
		vsnprintf(shared->message + length, sizeof(shared->message) - length, format, args);
		va_end(args);
		__atomic_store_n(&shared->failed, 2, __ATOMIC_SEQ_CST);
	}
	if (!task_number)
		end_run();
	_exit(1);
}

/* Counting */

void did(enum op op)
{
	__atomic_add_fetch(&shared->done[op], 1, __ATOMIC_RELAXED);
}

void was_refused(enum op op)
{
	__atomic_add_fetch(&shared->refused[op], 1, __ATOMIC_RELAXED);
}

/*
 * Count the result of a call, 0 or a negative errno. The call may fail with the errnos in the list,
 * which ends with 0. Returns whether it succeeded.
 */
bool result_is(enum op op, int err, const int *allowed)
{
	if (!err) {
		did(op);
		return true;
	}
	for (; *allowed; allowed++) {
		if (err == -*allowed) {
			was_refused(op);
			return false;
		}
	}
	violation("%s: %s (%d)", op_names[op], strerror(-err), -err);
}

enum phase phase(void)
{
	return __atomic_load_n(&shared->phase, __ATOMIC_SEQ_CST);
}

static bool is_set(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_SEQ_CST);
}

/* Whether the task goes on. */
bool goes_on(void)
{
	__atomic_add_fetch(&shared->beats[task_number], 1, __ATOMIC_RELAXED);
	if (__atomic_load_n(&shared->failed, __ATOMIC_SEQ_CST))
		_exit(1);
	/* Yield the processors: programs take long to load while all tasks are busy. */
	if (!task_of_epoch && phase() == LOADING)
		msleep(20);
	return !is_set(&shared->stop) && !(task_of_epoch && is_set(&shared->stop_epoch));
}
