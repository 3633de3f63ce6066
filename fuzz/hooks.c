// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF programs: those at fixed hooks, and fentry programs at functions that each epoch chooses, in
 * fs/notify, in fs/inode.c and in the module. The board says what they do.
 *
 * Programs at kprobes only delay the tasks that come there. A kprobe can be in the middle of a
 * function. It can also be at the entry of "function.part.0", which is left when the compiler
 * inlines the beginning of a function into its callers; fentry programs at that function see no
 * calls.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "fuzz.h"
#include "fuzz.skel.h"

#define CPUS_MAX	8

int syscall_prog = -1;

static int board_fd = -1;
static struct btf *kernel_btf;
static struct fuzz *programs;
static struct bpf_link *samples[CPUS_MAX], *entries[FUZZ_ENTRIES], *probes[FUZZ_PROBES];

/* Functions of the kernel. Not every kernel has all of them. */
static const char *const targets[] = {
	"fsnotify_recalc_mask", "fsnotify_add_mark_locked", "fsnotify_add_mark",
	"fsnotify_find_mark", "fsnotify_put_mark", "fsnotify_destroy_mark", "fsnotify_detach_mark",
	"fsnotify_free_mark", "fsnotify_destroy_marks", "fsnotify_grab_connector",
	"fsnotify_get_mark", "fsnotify_update_iref", "fsnotify_drop_object",
	"fsnotify_final_mark_destroy", "fsnotify_detach_connector_from_object",
	"__fsnotify_inode_delete", "fsnotify_sb_delete", "fsnotify_unmount_inodes",
	"fsnotify_connector_destroy_workfn", "fsnotify_mark_destroy_workfn",
	"iput", "ihold", "igrab", "evict", "clear_inode", "destroy_inode", "inode_init_always",
	"inode_init_always_gfp", "drop_nlink", "clear_nlink", "__destroy_inode", "inode_add_lru",
	"evict_inodes", "prune_icache_sb", "inode_lru_isolate", "free_inode_nonrcu", "d_instantiate",
	"dentry_unlink_inode", "__dentry_kill", "generic_shutdown_super",
};

/* The programs at fixed hooks are attached. Attaching the others may fail. */
static bool attached;

static int print(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN && !attached ? vfprintf(stdout, format, args) : 0;
}

void hooks_board(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);

	libbpf_set_print(print);
	kernel_btf = btf__load_vmlinux_btf();
	if (!kernel_btf)
		die("the kernel's BTF: %s", strerror(errno));
	board_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "board", sizeof(__u32),
				  sizeof(struct fuzz_board), 1, &opts);
	if (board_fd < 0)
		die("creating a map: %s", strerror(errno));
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED, board_fd, 0);
	if (board == MAP_FAILED)
		die("mapping the board: %s", strerror(errno));
}

static const struct btf_type *plain(const struct btf *btf, __u32 id)
{
	const struct btf_type *type = btf__type_by_id(btf, id);

	while (btf_is_mod(type) || btf_is_typedef(type))
		type = btf__type_by_id(btf, type->type);
	return type;
}

/* Whether the verifier lets a program read an argument: a number, or a pointer to a struct. */
static bool is_for_programs(const struct btf *btf, __u32 id)
{
	const struct btf_type *type = plain(btf, id);

	if (!btf_is_ptr(type))
		return btf_is_int(type) || btf_is_any_enum(type);
	/* A void * is fine, a const void * is not. */
	if (!type->type)
		return true;
	type = plain(btf, type->type);
	return btf_is_int(type) || btf_is_composite(type);
}

/* How many of a function's first two arguments a program there can read. */
static unsigned int nr_arguments(const struct btf *btf, int id)
{
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, id) : NULL;
	unsigned int nr = 0;

	type = type && btf_is_func(type) ? btf__type_by_id(btf, type->type) : NULL;
	if (!type || !btf_is_func_proto(type))
		return 0;
	while (nr < btf_vlen(type) && nr < 2 && is_for_programs(btf, btf_params(type)[nr].type))
		nr++;
	return nr;
}

/* Choose a function of the module that has an argument. Returns how many. */
static unsigned int module_function(const struct btf *btf, char name[64])
{
	unsigned int nr = 0, arguments = 0;

	for (__u32 id = btf__type_cnt(kernel_btf); id < btf__type_cnt(btf); id++) {
		if (!nr_arguments(btf, id) || !one_in(++nr))
			continue;
		arguments = nr_arguments(btf, id);
		snprintf(name, 64, "%s",
			 btf__name_by_offset(btf, btf__type_by_id(btf, id)->name_off));
	}
	return arguments;
}

static unsigned int kernel_function(const char *wanted, char name[64])
{
	snprintf(name, 64, "%s", wanted);
	return nr_arguments(kernel_btf, btf__find_by_name_kind(kernel_btf, name, BTF_KIND_FUNC));
}

static struct bpf_program *entry(unsigned int number)
{
	struct bpf_program *const entries[FUZZ_ENTRIES] = {
		programs->progs.entry0, programs->progs.entry1, programs->progs.entry2,
		programs->progs.entry3, programs->progs.entry4, programs->progs.entry5,
		programs->progs.entry6
	};

	return entries[number];
}

/* Not every function can be traced. */
static void entries_attach(void)
{
	for (unsigned int i = 0; i < FUZZ_ENTRIES; i++) {
		entries[i] = bpf_program__attach(entry(i));
		if (!entries[i])
			printf("fuzz: hook %u: %s\n", HOOK_ENTRY + i, strerror(errno));
	}
}

/* Choose the functions to attach fentry programs to. */
static void entries_choose(void)
{
	struct btf *btf = btf__load_module_btf("inode_map", kernel_btf);
	char name[64];
	unsigned int arguments;

	if (!btf)
		die("the module's BTF: %s", strerror(errno));
	for (unsigned int i = 0; i < FUZZ_ENTRIES; i++) {
		arguments = 0;
		for (unsigned int tries = 0; !arguments && tries < 50; tries++) {
			/* The mask first: an entry becomes visible there. */
			if (!i && !tries)
				arguments = kernel_function(targets[0], name);
			else if (one_in(2))
				arguments = module_function(btf, name);
			else
				arguments = kernel_function(targets[below(NR(targets))], name);
			if (arguments &&
			    bpf_program__set_attach_target(entry(i), 0, name))
				arguments = 0;
		}
		if (!arguments)
			die("no function to attach a program to");
		programs->rodata->second_argument[i] = arguments > 1 && one_in(3);
		bpf_program__set_autoattach(entry(i), false);
		printf("fuzz: hook %u: %s, argument %u\n", HOOK_ENTRY + i, name,
		       1 + programs->rodata->second_argument[i]);
	}
	btf__free(btf);
}

/*
 * Whether a kprobe may be at the function, whatever suffix the compiler has added to its name. In
 * the module, not at functions ("__...") that the compiler calls from everywhere.
 */
static bool is_target(const char *name, const char *module)
{
	size_t length = strcspn(name, ".");

	if (*module)
		return !strcmp(module, "[inode_map]") && strncmp(name, "__", 2);
	for (unsigned int i = 0; i < NR(targets); i++)
		if (strlen(targets[i]) == length && !strncmp(name, targets[i], length))
			return true;
	return false;
}

#define SYMBOLS_MAX	2048

/* Read the functions where a kprobe may be. The first is the one that sets an inode's mask. */
static unsigned int read_symbols(char symbols[SYMBOLS_MAX][64])
{
	FILE *file = fopen("/proc/kallsyms", "re");
	char line[256], name[64], module[64], type;
	unsigned int nr = 1;

	snprintf(symbols[0], 64, "%s", targets[0]);
	while (file && nr < SYMBOLS_MAX && fgets(line, sizeof(line), file)) {
		module[0] = 0;
		if (sscanf(line, "%*x %c %63s %63s", &type, name, module) < 2 ||
		    (type != 't' && type != 'T') || !is_target(name, module))
			continue;
		if (!strncmp(name, targets[0], strlen(targets[0])) && strchr(name, '.'))
			memcpy(symbols[0], name, 64);
		memcpy(symbols[nr++], name, 64);
	}
	if (file)
		fclose(file);
	return nr;
}

/* Attach at an offset. Fails if no instruction begins there. */
static bool probe_attach(unsigned int number, const char *name, size_t offset)
{
	struct bpf_program *const all[FUZZ_PROBES] = {
		programs->progs.probe0, programs->progs.probe1, programs->progs.probe2,
		programs->progs.probe3
	};
	LIBBPF_OPTS(bpf_kprobe_opts, opts, .offset = offset);

	probes[number] = bpf_program__attach_kprobe_opts(all[number], name, &opts);
	if (probes[number])
		printf("fuzz: hook %u: %s+%zu\n", HOOK_PROBE + number, name, offset);
	return probes[number];
}

/* The first one is at the function that sets the mask: an entry becomes visible there. */
static void probes_attach(void)
{
	static char symbols[SYMBOLS_MAX][64];
	unsigned int nr = read_symbols(symbols);

	probe_attach(0, symbols[0], 0);
	for (unsigned int i = 1; i < FUZZ_PROBES; i++)
		for (unsigned int tries = 0; !probes[i] && tries < 50; tries++)
			probe_attach(i, symbols[below(nr)], one_in(2) ? 0 : below(512));
	for (unsigned int i = 0; i < FUZZ_PROBES; i++)
		if (!probes[i])
			printf("fuzz: hook %u: no kprobe\n", HOOK_PROBE + i);
}

static void samples_attach(void)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr), .type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_freq = 50, .freq = 1,
	};

	for (int i = 0; i < CPUS_MAX && i < sysconf(_SC_NPROCESSORS_ONLN); i++) {
		int fd = syscall(SYS_perf_event_open, &attr, -1, i, -1, 0);

		if (fd < 0)
			die("perf_event_open: %s", strerror(errno));
		samples[i] = bpf_program__attach_perf_event(programs->progs.sample, fd);
		if (!samples[i])
			die("attaching a perf event's program: %s", strerror(errno));
	}
}

/* Call at the beginning of an epoch. */
void hooks_attach(void)
{
	for (unsigned int tries = 0; !programs; tries++) {
		programs = fuzz__open();
		if (!programs || bpf_map__reuse_fd(programs->maps.board, board_fd))
			die("opening the BPF object: %s", strerror(errno));
		entries_choose();
		if (!fuzz__load(programs))
			break;
		/* The verifier may refuse one of the chosen functions. */
		if (tries == 5)
			die("the BPF programs don't load: %s", strerror(errno));
		fuzz__destroy(programs);
		programs = NULL;
	}
	if (fuzz__attach(programs))
		die("the BPF programs can't be attached: %s", strerror(errno));
	syscall_prog = bpf_program__fd(programs->progs.run);
	attached = true;
	entries_attach();
	probes_attach();
	attached = false;
	samples_attach();
}

void hooks_detach(void)
{
	for (unsigned int i = 0; i < CPUS_MAX; i++) {
		bpf_link__destroy(samples[i]);
		samples[i] = NULL;
	}
	for (unsigned int i = 0; i < FUZZ_ENTRIES; i++) {
		bpf_link__destroy(entries[i]);
		entries[i] = NULL;
	}
	for (unsigned int i = 0; i < FUZZ_PROBES; i++) {
		bpf_link__destroy(probes[i]);
		probes[i] = NULL;
	}
	fuzz__destroy(programs);
	programs = NULL;
}
