// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF programs: finding, loading and attaching them, and checking that the verifier refuses some:
 * see harness.h.
 */
#include "harness.h"

#include <linux/perf_event.h>
#include <stdarg.h>
#include <sys/syscall.h>

struct bpf_program *want_program(struct bpf_object *object, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, name);

	if (!program)
		FAIL("there is no program %s", name);
	bpf_program__set_autoload(program, true);
	return program;
}

void load_programs(struct bpf_object_skeleton *skeleton, const char *name)
{
	int err = bpf_object__load_skeleton(skeleton);

	if (err == -ESRCH)
		SKIP("this kernel does not have what %s is attached to", name);
	CHECK_OK(err);
}

struct bpf_link *attach_program(struct bpf_program *program)
{
	struct bpf_link *link = bpf_program__attach(program);

	if (!link)
		FAIL("attaching %s: %s", bpf_program__name(program), strerror(errno));
	return link;
}

struct bpf_link *attach_to_clock(struct bpf_program *program)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000,
	};
	int event = CHECK_SYS(syscall(SYS_perf_event_open, &attr, 0, -1, -1,
				      PERF_FLAG_FD_CLOEXEC));
	struct bpf_link *link = bpf_program__attach_perf_event(program, event);

	if (!link)
		FAIL("attaching %s: %s", bpf_program__name(program), strerror(errno));
	return link;
}

void attach_programs(struct bpf_object *object)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object)
		if (bpf_program__autoload(program))
			attach_program(program);
}

void trigger_open(struct bpf_program *program)
{
	(void)program;
	close(file_open("f", O_RDONLY));
}

void trigger_lock(struct bpf_program *program)
{
	struct flock lock = { .l_type = F_RDLCK };
	int fd = file_open("f", O_RDONLY);

	(void)program;
	CHECK_SYS(fcntl(fd, F_SETLK, &lock));
	close(fd);
}

void trigger_syscall(struct bpf_program *program)
{
	(void)program;
	syscall(SYS_getpid);
}

void trigger_test_run(struct bpf_program *program)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	CHECK_OK(bpf_prog_test_run_opts(bpf_program__fd(program), &opts));
}

bool lsm_has_hook(const struct bpf_program *program)
{
	static const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_LSM_MAC);
	const char *section = bpf_program__section_name(program), *hook = strchr(section, '/');
	int id, fd;

	if (strncmp(section, "lsm", 3) || !hook)
		return true;
	id = libbpf_find_vmlinux_btf_id(hook + 1, BPF_LSM_MAC);
	if (id < 0)
		return false;
	opts.attach_btf_id = id;
	fd = bpf_prog_load(BPF_PROG_TYPE_LSM, "hook", "GPL", code, 2, &opts);
	if (fd < 0) {
		CHECK(fd == -EINVAL);
		return false;
	}
	close(fd);
	return true;
}

static int print_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

/* @messages has one or several, separated by |: kernels differ in the reason they report first. */
static bool log_has(const char *log, const char *messages)
{
	char copy[256], *rest = copy, *message;

	CHECK(strlen(messages) < sizeof(copy));
	strcpy(copy, messages);
	while ((message = strsep(&rest, "|")))
		if (strstr(log, message))
			return true;
	return false;
}

bool verifier_refuses(const void *object, size_t size, const struct refused *refused)
{
	static char log[1 << 20];
	libbpf_print_fn_t print = libbpf_set_print(print_nothing);
	struct bpf_object *programs = bpf_object__open_mem(object, size, NULL);
	struct bpf_program *program;
	int err;

	CHECK(programs);
	program = want_program(programs, refused->name);
	log[0] = 0;
	bpf_program__set_log_buf(program, log, sizeof(log));
	bpf_program__set_log_level(program, 1);
	err = bpf_object__load(programs);
	libbpf_set_print(print);
	if (err && !log_has(log, refused->message))
		FAIL("%s: no \"%s\" in: %s", refused->name, refused->message, log);
	bpf_object__close(programs);
	return err;
}

void verifier_must_refuse(const void *object, size_t size, const struct refused *refused,
			  unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		if (!verifier_refuses(object, size, &refused[i]))
			FAIL("%s: accepted", refused[i].name);
}
