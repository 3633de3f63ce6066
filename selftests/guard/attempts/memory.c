// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What root sees of a file in the memory of the kernel and of permitted processes, through
 * /proc/kcore and probes. Run by ../bypass_subject.c, with the guard started.
 */
#include "bypass.h"
#include "subject.h"

#include <elf.h>
#include <link.h>

#define PAGE	4096UL
#define TRACING	DIR_PATH "/tracing"
#define EVENT	"bypass/seen"

static char buffer[1 << 16];

/* The physical address of a page of the file, or 0 if unknown. */
static uint64_t page_of(int fd)
{
	volatile char *memory = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	int map = file_open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry = 0;

	CHECK(memory != MAP_FAILED && *memory);
	CHECK_EQ(pread(map, &entry, sizeof(entry), (uintptr_t)memory / PAGE * sizeof(entry)),
		 sizeof(entry));
	close(map);
	CHECK_SYS(munmap((void *)memory, PAGE));
	return (entry & ((1ULL << 55) - 1)) * PAGE;
}

/* The segment of /proc/kcore with this address, or an empty one. */
static Elf64_Phdr part_of(int kcore, uint64_t physical)
{
	Elf64_Ehdr header;
	Elf64_Phdr part;

	CHECK_EQ(pread(kcore, &header, sizeof(header), 0), sizeof(header));
	for (int i = 0; i < header.e_phnum; i++) {
		CHECK_EQ(pread(kcore, &part, sizeof(part), header.e_phoff + i * sizeof(part)),
			 sizeof(part));
		if (part.p_type == PT_LOAD && physical >= part.p_paddr &&
		    physical - part.p_paddr < part.p_memsz)
			return part;
	}
	return (Elf64_Phdr){};
}

/* Make a file with a rule and with a page in memory; return the page's address. */
static uint64_t make_guarded(void)
{
	uint64_t physical;
	int fd;

	make_file("file", TEXT);
	fd = file_open("file", O_RDONLY);
	physical = page_of(fd);
	close(fd);
	guard("deny --ops read file");
	CHECK(open("file", O_RDONLY) < 0 && errno == EPERM);
	return physical;
}

static int try_kcore(void)
{
	uint64_t physical = make_guarded();
	int kcore = result(open("/proc/kcore", O_RDONLY));
	Elf64_Phdr part;

	if (kcore < 0)
		return kcore;
	part = part_of(kcore, physical);
	if (!part.p_memsz)
		return -ENXIO;
	return judge_text(buffer, result(pread(kcore, buffer, PAGE,
					       part.p_offset + physical - part.p_paddr)));
}

/* Probes, as trace-cmd(1) and perf(1) set them */

static int probe_write(const char *file, const char *text)
{
	int fd, err;
	char path[128];

	snprintf(path, sizeof(path), TRACING "/%s", file);
	fd = result(open(path, O_WRONLY | O_APPEND));
	if (fd < 0)
		return fd;
	err = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return err;
}

/* The first words of the text, in the format of the probes. */
static const char *text_shown(void)
{
	static char shown[64];
	uint64_t words[2];

	make_file("text", TEXT);
	CHECK_EQ(read(file_open("text", O_RDONLY), words, sizeof(words)), sizeof(words));
	snprintf(shown, sizeof(shown), "first=0x%llx second=0x%llx", (unsigned long long)words[0],
		 (unsigned long long)words[1]);
	return shown;
}

/* Whether a probe sees the text while @provoke runs. */
static int probe(const char *events, const char *definition, int (*provoke)(void))
{
	int fd, err;

	if (access(TRACING, F_OK))
		CHECK_SYS(mkdir(TRACING, 0755));
	CHECK_SYS(mount("tracing", TRACING, "tracefs", 0, NULL));
	err = probe_write(events, definition);
	if (!err)
		err = probe_write("events/" EVENT "/enable", "1");
	if (!err)
		err = provoke();
	probe_write("events/" EVENT "/enable", "0");
	if (!err) {
		fd = file_open(TRACING "/trace", O_RDONLY);
		CHECK_SYS(read(fd, buffer, sizeof(buffer) - 1));
		close(fd);
		err = strstr(buffer, text_shown()) ? 0 : -ENODATA;
	}
	probe_write(events, "-:" EVENT);
	CHECK_SYS(umount(TRACING));
	return err;
}

static int provoke_kprobe(void)
{
	close(file_open("/", O_RDONLY));
	return 0;
}

/* A kprobe reads any address that its definition names. */
static int try_kprobe(void)
{
	uint64_t physical = make_guarded();
	int kcore = file_open("/proc/kcore", O_RDONLY);
	Elf64_Phdr part = part_of(kcore, physical);
	uint64_t at = part.p_vaddr + physical - part.p_paddr;
	char definition[128];

	if (!part.p_memsz)
		return -ENXIO;
	snprintf(definition, sizeof(definition),
		 "p:" EVENT " security_file_open first=@0x%llx:x64 second=@0x%llx:x64",
		 (unsigned long long)at, (unsigned long long)at + 8);
	return probe("kprobe_events", definition, provoke_kprobe);
}

#if defined(__x86_64__)
#define FIRST_ARGUMENT	"%di"
#elif defined(__aarch64__)
#define FIRST_ARGUMENT	"%x0"
#elif defined(__s390x__)
#define FIRST_ARGUMENT	"%r2"
#endif

/* The offset of a function in the program's file. */
struct place_in_file {
	uintptr_t address;
	uintptr_t offset;
};

static int find_place(struct dl_phdr_info *info, size_t size, void *found)
{
	struct place_in_file *place = found;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		uintptr_t begin = info->dlpi_addr + part->p_vaddr;

		if (part->p_type == PT_LOAD && place->address - begin < part->p_memsz)
			place->offset = place->address - begin + part->p_offset;
	}
	/* The first object is the program itself. */
	return 1;
}

static int provoke_uprobe(void)
{
	char *const environment[] = { "ACT=read", NULL };
	pid_t pid;
	int status;

	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		execle(ALLOWED, ALLOWED, NULL, environment);
		_exit(errno);
	}
	CHECK_SYS(waitpid(pid, &status, 0));
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECANCELED;
}

/* The allowed program passes what it has read to one of its functions. */
static int try_uprobe(void)
{
	struct place_in_file place = { .address = (uintptr_t)judge_text };
	char definition[256];
	int fd, err;

	dl_iterate_phdr(find_place, &place);
	CHECK(place.offset);
	make_file(SECRET, TEXT);
	guard("deny --ops read --only-for " ALLOWED " " SECRET);
	fd = open(SECRET, O_RDONLY);
	CHECK(fd < 0 && errno == EPERM);
	snprintf(definition, sizeof(definition),
		 "p:" EVENT " " ALLOWED ":0x%lx first=+0(%s):x64 second=+8(%s):x64",
		 (unsigned long)place.offset, FIRST_ARGUMENT, FIRST_ARGUMENT);
	err = probe("uprobe_events", definition, provoke_uprobe);
	CHECK_SYS(unlink(SECRET));
	return err;
}

#define WHY \
	"what the guard lets nobody read by its name is in memory all the same; lock the kernel " \
	"down (lockdown=confidentiality), which refuses this"

const struct subject_attempt memory_limits[] = {
	{ .name = "root: /proc/kcore", .run = try_kcore, .may = true, .why_not = WHY },
	{ .name = "root: a kprobe", .run = try_kprobe, .may = true, .why_not = WHY },
	{ .name = "root: a uprobe of the allowed program", .run = try_uprobe, .may = true,
	  .why_not = WHY },
	{ }
};
