// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What root tries with the guard's tool, which alone may change a sealed guard: make it do
 * something else, or pass for it. Run by ../bypass_seal.c.
 */
#include "bypass.h"
#include "seal.h"
#include "subject.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#define TOOL		"/usr/sbin/inode-guard"
#define COPY		DIR_PATH "/copy"
#define PRELOAD		"/etc/ld.so.preload"

/* Passing for the tool: it succeeds if the tool can look at the guard. */

static void exec_status(const char *path)
{
	int null = file_open("/dev/null", O_WRONLY);

	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execl(path, path, "list", NULL);
	_exit(127);
}

static int status_of(pid_t pid)
{
	int status;

	CHECK_SYS(waitpid(pid, &status, 0));
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EPERM;
}

static int run_tool(const char *path)
{
	pid_t pid = CHECK_SYS(fork());

	if (!pid)
		exec_status(path);
	return status_of(pid);
}

static int try_copy(void)
{
	CHECK_EQ(sh("cp " TOOL " " COPY), 0);
	return run_tool(COPY);
}

static int try_loader(void)
{
	return sh("%s " TOOL " list >/dev/null 2>&1", loader()) ? -EPERM : 0;
}

static int try_namespace(void)
{
	CHECK_SYS(unshare(CLONE_NEWNS));
	return run_tool(TOOL);
}

static int try_root(void)
{
	CHECK_SYS(mkdir("root", 0755));
	CHECK_SYS(mount("/", "root", NULL, MS_BIND | MS_REC, NULL));
	if (sh("chroot root " TOOL " list >/dev/null 2>&1")) {
		CHECK_SYS(umount2("root", MNT_DETACH));
		return -EPERM;
	}
	return result(umount2("root", MNT_DETACH));
}

static int shared_child(void *arg)
{
	(void)arg;
	exec_status(TOOL);
	return 0;
}

/* The tool shares its root directory with another process, which can change it. */
static int try_shared_root(void)
{
	static char stack[1 << 16] __attribute__((aligned(16)));

	return status_of(CHECK_SYS(clone(shared_child, stack + sizeof(stack), CLONE_FS | SIGCHLD,
					 NULL)));
}

/* A filter that allows every system call, although it need not. */
static int try_filter(void)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog program = { ARRAY_SIZE(code), code };

	CHECK_SYS(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
	return run_tool(TOOL);
}

static int try_traced(void)
{
	pid_t pid = CHECK_SYS(fork());
	int status;

	if (!pid) {
		CHECK_SYS(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
		exec_status(TOOL);
	}
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status))
		ptrace(PTRACE_CONT, pid, NULL, NULL);
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EPERM;
}

static const char *own_library(void)
{
	static char line[4096];
	FILE *maps = fopen("/proc/self/maps", "re");
	char *path = NULL;

	CHECK(maps);
	while (!path && fgets(line, sizeof(line), maps))
		if (strstr(line, "libbpf"))
			path = strchr(line, '/');
	fclose(maps);
	CHECK(path);
	path[strcspn(path, "\n")] = '\0';
	return path;
}

static int try_other_library(void)
{
	const char *library = own_library();
	int err;

	CHECK_EQ(sh("cp %s " LIBRARY_FILE, library), 0);
	CHECK_SYS(mount(LIBRARY_FILE, library, NULL, MS_BIND, NULL));
	err = run_tool(TOOL);
	CHECK_SYS(umount2(library, MNT_DETACH));
	return err;
}

static int try_write_tool(void)
{
	int fd = result(open(TOOL, O_WRONLY | O_CLOEXEC));

	return fd < 0 ? fd : 0;
}

static int try_write_library(void)
{
	int fd = result(open(own_library(), O_WRONLY | O_CLOEXEC));

	return fd < 0 ? fd : 0;
}

/* A process of the tool that has maps of the guard open */

struct watcher {
	pid_t pid;
	int map;
};

/* Mapped as code: the dynamic linker's first mapping is not executable. */
static bool has_mapped(pid_t pid, const char *path)
{
	return !sh("grep -q 'r-xp .*%s' /proc/%d/maps 2>/dev/null", path, pid);
}

static bool has_map(void *arg)
{
	struct watcher *watcher = arg;
	char path[64], target[64];
	ssize_t length;

	for (watcher->map = 3; watcher->map < 64; watcher->map++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", watcher->pid, watcher->map);
		length = readlink(path, target, sizeof(target) - 1);
		target[length > 0 ? length : 0] = '\0';
		if (!strcmp(target, "anon_inode:bpf-map"))
			return true;
	}
	return waitpid(watcher->pid, NULL, WNOHANG) == watcher->pid;
}

/* Start a watcher; return whether it has a map. */
static bool watcher_start(struct watcher *watcher)
{
	watcher->pid = CHECK_SYS(fork());
	if (!watcher->pid) {
		CHECK_SYS(prctl(PR_SET_PDEATHSIG, SIGKILL));
		execl("/bin/sh", "sh", "-c", "exec " TOOL " watch >/dev/null 2>&1", NULL);
		_exit(127);
	}
	CHECK(wait_until(has_map, watcher, 20));
	return watcher->map < 64;
}

static void watcher_end(struct watcher *watcher)
{
	kill(watcher->pid, SIGKILL);
	waitpid(watcher->pid, NULL, 0);
}

static int with_watcher(int (*attack)(const struct watcher *watcher))
{
	struct watcher watcher;
	int err;

	if (!watcher_start(&watcher))
		return -ENOTRECOVERABLE;
	err = attack(&watcher);
	watcher_end(&watcher);
	return err;
}

static int attack_by_tracing(const struct watcher *watcher)
{
	return result(ptrace(PTRACE_SEIZE, watcher->pid, NULL, NULL));
}

static int attack_memory(const struct watcher *watcher)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", watcher->pid);
	fd = result(open(path, O_RDWR | O_CLOEXEC));
	return fd < 0 ? fd : 0;
}

static int attack_by_copying(const struct watcher *watcher)
{
	char byte = 0;
	struct iovec own = { &byte, 1 }, its = { NULL, 1 };
	long ret = result(process_vm_writev(watcher->pid, &own, 1, &its, 1, 0));

	/* Nothing is mapped at 0. */
	return ret == -EFAULT ? 0 : ret;
}

static int attack_descriptor(const struct watcher *watcher)
{
	int pidfd = CHECK_SYS(syscall(SYS_pidfd_open, watcher->pid, 0));
	int fd = result(syscall(SYS_pidfd_getfd, pidfd, watcher->map, 0));

	return fd < 0 ? fd : 0;
}

static int try_tracing(void)
{
	return with_watcher(attack_by_tracing);
}

static int try_tools_memory(void)
{
	return with_watcher(attack_memory);
}

static int try_copying(void)
{
	return with_watcher(attack_by_copying);
}

static int try_descriptor(void)
{
	return with_watcher(attack_descriptor);
}

/* The watcher must have a map and the library. */
static int run_preloaded(void)
{
	struct watcher watcher;
	bool has_map = watcher_start(&watcher), has_library = has_mapped(watcher.pid, LIBRARY_FILE);

	watcher_end(&watcher);
	return has_map && has_library ? 0 : -EPERM;
}

static int try_preload(void)
{
	CHECK_EQ(sh("cp %s " LIBRARY_FILE, library()), 0);
	setenv("LD_PRELOAD", LIBRARY_FILE, 1);
	return run_preloaded();
}

static int try_preload_of_all(void)
{
	int err;

	CHECK_EQ(sh("cp %s " LIBRARY_FILE, library()), 0);
	close(file_create(PRELOAD));
	file_write(PRELOAD, LIBRARY_FILE "\n");
	err = run_preloaded();
	CHECK_SYS(unlink(PRELOAD));
	return err;
}

#define NSS_CONF	"/etc/nsswitch.conf"
#define NSS_LIBRARY	"libnss_foreign.so.2"
#define NAMES		3000

/* While it has maps open, the tool looks up names, and loads libraries that root has configured. */
static bool loads_for_names(struct watcher *watcher)
{
	static char names[NAMES * sizeof("root")];
	bool found = false;

	for (int i = 0; i < NAMES; i++)
		strcat(names + i * strlen("root,"), i < NAMES - 1 ? "root," : "root");
	watcher->pid = CHECK_SYS(fork());
	if (!watcher->pid) {
		execl(TOOL, TOOL, "deny", "--ops", "link", "--only-for-user", names, "weak", NULL);
		_exit(127);
	}
	while (!found && waitpid(watcher->pid, NULL, WNOHANG) == 0)
		found = has_mapped(watcher->pid, NSS_LIBRARY) && has_map(watcher) &&
			watcher->map < 64;
	return found;
}

static int try_name_service(void)
{
	struct watcher watcher = { };
	char path[256];
	bool found;

	snprintf(path, sizeof(path), "%s", library());
	strcpy(strrchr(path, '/') + 1, NSS_LIBRARY);
	CHECK_EQ(sh("cp %s %s", library(), path), 0);
	close(file_create(NSS_CONF));
	CHECK_SYS(truncate(NSS_CONF, 0));
	file_write(NSS_CONF, "passwd: foreign files\n");
	found = loads_for_names(&watcher);
	CHECK_SYS(unlink(NSS_CONF));
	CHECK_SYS(unlink(path));
	if (found)
		watcher_end(&watcher);
	return found ? 0 : -EPERM;
}

const struct seal_attempt seal_tool[] = {
	SEAL_TRY("a copy of the tool", try_copy),
	SEAL_TRY("the tool by ld.so", try_loader),
	SEAL_TRY("the tool in a mount namespace of its own", try_namespace),
	SEAL_TRY("the tool in another root directory", try_root),
	SEAL_TRY("the tool in a root directory that others can change", try_shared_root),
	SEAL_TRY("the tool with a filter of system calls", try_filter),
	SEAL_TRY("the tool, traced from before it is executed", try_traced),
	SEAL_TRY("the tool with a library that is mounted over one of its own", try_other_library),
	SEAL_TRY("the tool with LD_PRELOAD", try_preload),
	SEAL_TRY("the tool with " PRELOAD, try_preload_of_all),
	SEAL_TRY("the tool with a library for names of users", try_name_service),
	SEAL_TRY("writing to the tool's file", try_write_tool),
	SEAL_TRY("writing to a library of the tool", try_write_library),
	SEAL_TRY("PTRACE_SEIZE of the tool", try_tracing),
	SEAL_TRY("/proc/PID/mem of the tool", try_tools_memory, .error = EACCES),
	SEAL_TRY("process_vm_writev(2) to the tool", try_copying),
	SEAL_TRY("pidfd_getfd(2) of a map of the tool", try_descriptor),
	{ }
};
