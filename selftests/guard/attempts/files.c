// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Making the files that attempts use, running programs, and small helpers for all attempts.
 * ../bypass/ and the attempts call these. content.c has what they do with a file's content.
 */
#include "bypass.h"

#include <elf.h>
#include <link.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#define TEXT_BEGIN	"secret of the guarded file\n"

long result(long ret)
{
	return ret < 0 ? -errno : ret;
}

const char *scratch(const struct target *target, const char *name)
{
	static char paths[16][256];
	static unsigned int next;
	char *path = paths[next++ % ARRAY_SIZE(paths)];

	snprintf(path, sizeof(paths[0]), "%s/scratch/%d-%s", target->root, target->number, name);
	return path;
}

const char *scratch_file(const struct target *target, const char *name, enum kind kind)
{
	const char *path = scratch(target, name);

	make_file(path, kind);
	return path;
}

const char *directory_of(const struct target *target)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s", target->path);
	*strrchr(path, '/') = 0;
	return path;
}

const char *name_of(const struct target *target)
{
	return strrchr(target->path, '/') + 1;
}

int descriptor(const struct target *target)
{
	if (target->fd >= 0)
		return target->fd;
	return result(open(target->path, target->open_flags | O_CLOEXEC));
}

const char *proc_path(int fd)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

int open_target(struct target *target)
{
	target->fd = descriptor(target);
	return target->fd < 0 ? target->fd : 0;
}

int map_target(struct target *target, int prot, int flags)
{
	int err = open_target(target);

	if (err)
		return err;
	target->memory = mmap(NULL, FILE_SIZE, prot, flags, target->fd, 0);
	return target->memory == MAP_FAILED ? -errno : 0;
}

/* Whether @bytes begin like a new text. */
bool is_text(const char *bytes)
{
	return !memcmp(bytes, TEXT_BEGIN, strlen(TEXT_BEGIN));
}

/* Contents */

static void write_file(const char *path, const void *bytes, size_t size, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0)
		FAIL("creating %s: %s", path, strerror(errno));
	CHECK_EQ(write(fd, bytes, size), size);
	CHECK_SYS(fchmod(fd, mode));
	CHECK_SYS(close(fd));
}

static void make_text(const char *path)
{
	char text[FILE_SIZE];

	for (size_t at = 0; at < sizeof(text); at += strlen(TEXT_BEGIN))
		memcpy(text + at, TEXT_BEGIN,
		       at + strlen(TEXT_BEGIN) > sizeof(text) ? sizeof(text) - at :
								strlen(TEXT_BEGIN));
	write_file(path, text, sizeof(text), 0644);
}

/* exit(RAN), position-independent. */
#if defined(__x86_64__)
#define MACHINE	EM_X86_64
static const unsigned char exit_code[] = {
	0xbf, RAN, 0, 0, 0,		/* mov $RAN, %edi */
	0xb8, 231, 0, 0, 0,		/* mov $__NR_exit_group, %eax */
	0x0f, 0x05,			/* syscall */
};
#elif defined(__aarch64__)
#define MACHINE	EM_AARCH64
static const unsigned int exit_code[] = {
	0xd2800000 | RAN << 5,		/* mov x0, #RAN */
	0xd2800000 | 94 << 5 | 8,	/* mov x8, #__NR_exit_group */
	0xd4000001,			/* svc #0 */
};
#elif defined(__s390x__)
#define MACHINE	EM_S390
static const unsigned char exit_code[] = {
	0xa7, 0x29, 0, RAN,		/* lghi %r2, RAN */
	0x0a, 248,			/* svc __NR_exit_group */
};
#endif
#define BYTE_ORDER_OF_ELF	(BYTE_ORDER == LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB)

void make_program_of(const char *path, const void *code, size_t size)
{
	struct {
		Elf64_Ehdr header;
		Elf64_Phdr segment;
		unsigned char code[512];
	} program = {
		.header = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, BYTE_ORDER_OF_ELF,
				     EV_CURRENT },
			.e_type = ET_DYN, .e_machine = MACHINE, .e_version = EV_CURRENT,
			.e_phoff = sizeof(Elf64_Ehdr), .e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1,
		},
		.segment = {
			.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_align = 4096,
			.p_filesz = sizeof(program), .p_memsz = sizeof(program),
		},
	};

	CHECK(size <= sizeof(program.code));
	program.header.e_entry = offsetof(typeof(program), code);
	memcpy(program.code, code, size);
	write_file(path, &program, sizeof(program), 0755);
}

static void make_program(const char *path)
{
	make_program_of(path, exit_code, sizeof(exit_code));
}

static int find_interpreter(struct dl_phdr_info *info, size_t size, void *found)
{
	(void)size;
	/* The first object is the program itself. */
	for (unsigned int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_INTERP)
			*(const char **)found = (const char *)(info->dlpi_addr +
							       info->dlpi_phdr[i].p_vaddr);
	return 1;
}

const char *loader(void)
{
	const char *path = NULL;

	dl_iterate_phdr(find_interpreter, &path);
	CHECK(path);
	return path;
}

static int find_library(struct dl_phdr_info *info, size_t size, void *found)
{
	(void)size;
	if (!strstr(info->dlpi_name, "/libz.so"))
		return 0;
	*(const char **)found = info->dlpi_name;
	return 1;
}

const char *library(void)
{
	const char *path = NULL;

	dl_iterate_phdr(find_library, &path);
	CHECK(path);
	return path;
}

static void copy_file(const char *from, const char *to)
{
	static char bytes[4 << 20];
	int fd = file_open(from, O_RDONLY);
	ssize_t size = CHECK_SYS(read(fd, bytes, sizeof(bytes)));

	CHECK((size_t)size < sizeof(bytes));
	close(fd);
	write_file(to, bytes, size, 0755);
}

static void make_script(const char *path)
{
	char text[64];

	snprintf(text, sizeof(text), "#!/bin/sh\nexit %d\n", RAN);
	write_file(path, text, strlen(text), 0755);
}

static void make_directory(const char *path)
{
	char entry[256];

	CHECK_SYS(mkdir(path, 0755));
	snprintf(entry, sizeof(entry), "%s/entry", path);
	make_text(entry);
}

/* What mkswap(8) writes: a version, the last page, and a signature at the end of page 0. */
static void make_swap(const char *path)
{
	long page = sysconf(_SC_PAGESIZE);
	unsigned int pages = 16;
	char *bytes = calloc(pages, page);
	unsigned int header[2] = { 1, pages - 1 };

	CHECK(bytes);
	memcpy(bytes + 1024, header, sizeof(header));
	memcpy(bytes + page - 10, "SWAPSPACE2", 10);
	write_file(path, bytes, pages * page, 0600);
	free(bytes);
}

/* This process keeps the listening end open. */
static void make_socket(const char *path, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = CHECK_SYS(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));

	CHECK((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) <
	      sizeof(address.sun_path));
	CHECK_SYS(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	if (type != SOCK_DGRAM)
		CHECK_SYS(listen(fd, 8));
}

static void make_block(const char *path)
{
	char text[300];
	dev_t device;

	snprintf(text, sizeof(text), "%s.text", path);
	make_text(text);
	device = loop_make(text);
	CHECK_SYS(unlink(text));
	CHECK_SYS(mknod(path, S_IFBLK | 0644, device));
}

void make_file(const char *path, enum kind kind)
{
	switch (kind) {
	case TEXT:
		return make_text(path);
	case PROGRAM:
		return make_program(path);
	case DYNAMIC:
		return copy_file("/bin/dash", path);
	case LIBRARY:
		return copy_file(library(), path);
	case SCRIPT:
		return make_script(path);
	case DIRECTORY:
		return make_directory(path);
	case SWAP:
		return make_swap(path);
	case SYMLINK:
		CHECK_SYS(symlink(SYMLINK_TARGET, path));
		return;
	case STREAM:
		return make_socket(path, SOCK_STREAM);
	case PACKETS:
		return make_socket(path, SOCK_SEQPACKET);
	case DATAGRAMS:
		return make_socket(path, SOCK_DGRAM);
	case BLOCK:
		return make_block(path);
	case DISK:
		return make_disk(path);
	case FIFO:
		CHECK_SYS(mkfifo(path, 0644));
		return;
	}
}

void enter_user_namespace(void)
{
	CHECK_SYS(unshare(CLONE_NEWUSER | CLONE_NEWNS));
	file_write("/proc/self/setgroups", "deny");
	file_write("/proc/self/uid_map", "0 0 1");
	file_write("/proc/self/gid_map", "0 0 1");
}

/* Programs */

int run_program(int (*exec)(void *arg), void *arg)
{
	int pipes[2], error = 0, status;
	pid_t pid;

	CHECK_SYS(pipe2(pipes, O_CLOEXEC));
	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		exec(arg);
		error = errno;
		CHECK_EQ(write(pipes[1], &error, sizeof(error)), sizeof(error));
		_exit(0);
	}
	close(pipes[1]);
	CHECK_SYS(read(pipes[0], &error, sizeof(error)));
	close(pipes[0]);
	CHECK_SYS(waitpid(pid, &status, 0));
	if (error)
		return -error;
	if (WIFSIGNALED(status))
		return -ECANCELED;	/* killed: execve(2) failed after the point of no return */
	return WEXITSTATUS(status) == RAN ? 0 : -EPERM;
}

int exec_path(void *path)
{
	return execl(path, path, NULL);
}

#ifdef __x86_64__
void *low_memory(void)
{
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	CHECK(memory != MAP_FAILED);
	return memory;
}

long ioctl_compat(int fd, unsigned int command, void *argument)
{
	long ret;

	asm volatile("int $0x80"
		     : "=a" (ret)
		     : "0" (54L), "b" ((long)fd), "c" ((long)command), "d" (argument)
		     : "memory", "r8", "r9", "r10", "r11");
	return ret;
}
#endif

/*
 * Makes the system call that the words at COMPAT_WORDS describe, and exits with RAN if it returned
 * no error, or else with the error.
 */
#define COMPAT_ADDRESS	0x08048000
#define COMPAT_WORDS	0xc0
#if defined(__x86_64__)
#define COMPAT_MACHINE	EM_386
#define COMPAT_FLAGS	0
#define COMPAT_WRITE	4
#define COMPAT_PWRITEV2	379
#define WORD(n)		COMPAT_WORDS + 4 * (n), 0x80, 0x04, 0x08
static const unsigned char compat_code[] = {
	0xa1, WORD(0),			/* mov word 0, %eax */
	0x8b, 0x1d, WORD(1),		/* mov word 1, %ebx */
	0x8b, 0x0d, WORD(2),		/* mov word 2, %ecx */
	0x8b, 0x15, WORD(3),		/* mov word 3, %edx */
	0x8b, 0x35, WORD(4),		/* mov word 4, %esi */
	0x8b, 0x3d, WORD(5),		/* mov word 5, %edi */
	0x8b, 0x2d, WORD(6),		/* mov word 6, %ebp */
	0xcd, 0x80,			/* int $0x80 */
	0xbb, RAN, 0, 0, 0,		/* mov $RAN, %ebx */
	0x85, 0xc0,			/* test %eax, %eax */
	0x79, 4,			/* jns 1f */
	0xf7, 0xd8,			/* neg %eax */
	0x89, 0xc3,			/* mov %eax, %ebx */
	0xb8, 1, 0, 0, 0,		/* 1: mov $__NR_exit, %eax */
	0xcd, 0x80,			/* int $0x80 */
};
#elif defined(__aarch64__)
#define COMPAT_MACHINE	EM_ARM
#define COMPAT_FLAGS	EF_ARM_EABI_VER5
#define COMPAT_WRITE	4
#define COMPAT_PWRITEV2	393
static const unsigned int compat_code[] = {
	0xe28fc064,			/* add r12, pc, #0x64 */
	0xe59c7000,			/* ldr r7, [r12] */
	0xe99c003f,			/* ldmib r12, {r0-r5} */
	0xef000000,			/* svc #0 */
	0xe3500000,			/* cmp r0, #0 */
	0x42600000,			/* rsbmi r0, r0, #0 */
	0x53a00000 | RAN,		/* movpl r0, #RAN */
	0xe3a07001,			/* mov r7, #__NR_exit */
	0xef000000,			/* svc #0 */
};
#endif

#ifdef HAVE_COMPAT_PROGRAM
int write_compat(int fd, const char *text, bool vector, unsigned int flags)
{
	const char *path = "/tmp/compat";
	struct {
		Elf32_Ehdr header;
		Elf32_Phdr segment;
		unsigned char code[COMPAT_WORDS - sizeof(Elf32_Ehdr) - sizeof(Elf32_Phdr)];
		Elf32_Word words[7];
		Elf32_Word vector[2];
		char text[256];
	} program = {
		.header = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC, .e_machine = COMPAT_MACHINE, .e_version = EV_CURRENT,
			.e_phoff = sizeof(Elf32_Ehdr), .e_ehsize = sizeof(Elf32_Ehdr),
			.e_phentsize = sizeof(Elf32_Phdr), .e_phnum = 1, .e_flags = COMPAT_FLAGS,
			.e_entry = COMPAT_ADDRESS + offsetof(typeof(program), code),
		},
		.segment = {
			.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_align = 4096,
			.p_vaddr = COMPAT_ADDRESS, .p_paddr = COMPAT_ADDRESS,
			.p_filesz = sizeof(program), .p_memsz = sizeof(program),
		},
	};
	Elf32_Word at = COMPAT_ADDRESS + offsetof(typeof(program), text), size = strlen(text);
	pid_t pid;
	int status;

	CHECK(size < sizeof(program.text));
	memcpy(program.code, compat_code, sizeof(compat_code));
	strcpy(program.text, text);
	program.vector[0] = at;
	program.vector[1] = size;
	program.words[0] = vector ? COMPAT_PWRITEV2 : COMPAT_WRITE;
	program.words[1] = fd;
	program.words[2] = vector ? COMPAT_ADDRESS + offsetof(typeof(program), vector) : at;
	program.words[3] = vector ? 1 : size;
	program.words[6] = flags;
	write_file(path, &program, sizeof(program), 0755);
	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		CHECK_SYS(fcntl(fd, F_SETFD, 0));
		execl(path, path, NULL);
		_exit(errno);
	}
	CHECK_SYS(waitpid(pid, &status, 0));
	unlink(path);
	if (WIFSIGNALED(status))
		return -ECANCELED;
	return WEXITSTATUS(status) == RAN ? 0 : -WEXITSTATUS(status);
}
#endif

void dump_core(const char *core_pattern)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	char old[128];
	pid_t pid;

	file_read("/proc/sys/kernel/core_pattern", old, sizeof(old));
	file_write("/proc/sys/kernel/core_pattern", core_pattern);
	fflush(stdout);
	pid = CHECK_SYS(fork());
	if (!pid) {
		setrlimit(RLIMIT_CORE, &limit);
		abort();
	}
	waitpid(pid, NULL, 0);
	file_write("/proc/sys/kernel/core_pattern", old);
}
