// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Uses of a file by the kernel itself, after a permitted request: swapping; and uses without hooks
 * for the file, by an NFS client and by pins. Run by ../bypass_subject.c, with the guard started.
 */
#include "bypass.h"
#include "subject.h"

#include <sys/swap.h>

#define PAGE	4096
#define PAGES	64

static bool is_denied(const char *path, int flags)
{
	return open(path, flags) < 0 && errno == EPERM;
}

/* The kB of a swap file in use, or -1. */
static int swap_used(const char *path)
{
	FILE *swaps = fopen("/proc/swaps", "re");
	char line[512], name[256];
	int used = -1, found;

	CHECK(swaps);
	while (fgets(line, sizeof(line), swaps))
		if (sscanf(line, "%255s %*s %*s %d", name, &found) == 2 &&
		    !strcmp(strrchr(name, '/') ?: name, strrchr(path, '/')))
			used = found;
	fclose(swaps);
	return used;
}

static int try_swap(void)
{
	char *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	const char *path = "mounted/swap";
	int err, used;

	CHECK_EQ(sh("truncate -s 16M image && mkfs.ext4 -q image && mkdir mounted"), 0);
	CHECK_EQ(sh("mount -o loop image mounted"), 0);
	make_file(path, SWAP);
	CHECK_SYS(swapon(path, 0));
	guard("deny --ops read,write %s", path);
	err = is_denied(path, O_RDWR) ? 0 : -ENOTRECOVERABLE;
	for (int i = 0; i < PAGES; i++)
		memset(memory + i * PAGE, i + 1, PAGE);
	CHECK_SYS(madvise(memory, PAGES * PAGE, MADV_PAGEOUT));
	used = swap_used(path);
	/* swapoff(2) opens the file. */
	if (!err && !swapoff(path))
		err = -ENOTRECOVERABLE;
	guard("remove --all");
	CHECK_SYS(swapoff(path));
	CHECK_SYS(umount("mounted"));
	return err ?: used > 0 ? 0 : -ENODATA;
}

#define PIN	"/sys/fs/bpf/bypass"

/* The kernel checks only the file's permissions. */
static int try_pin(void)
{
	int map = CHECK_OK(bpf_map_create(BPF_MAP_TYPE_ARRAY, "bypass", 4, 4, 1, NULL)), err;
	const unsigned int key = 0, value = 1234;
	unsigned int got = 0;

	CHECK_OK(bpf_obj_pin(map, PIN));
	CHECK_OK(bpf_map_update_elem(map, &key, &value, BPF_ANY));
	close(map);
	guard("deny --ops read,write " PIN);
	err = is_denied(PIN, O_RDONLY) ? 0 : -ENOTRECOVERABLE;
	map = bpf_obj_get(PIN);
	if (map < 0)
		err = err ?: map;
	else
		CHECK_OK(bpf_map_lookup_elem(map, &key, &got));
	guard("remove --all");
	CHECK_SYS(unlink(PIN));
	return err ?: got == value ? 0 : -ENODATA;
}

/*
 * If a name is not in its cache, an NFS client asks the server to open and truncate the file in one
 * request: 0 if the server did.
 */
static int truncate_at_server(const char *rule, const char *name)
{
	char root[256], path[64];
	struct stat stat;
	int err;

	CHECK_EQ(sh("truncate -s 16M image && mkfs.ext4 -q image && mkdir served"), 0);
	CHECK_EQ(sh("mount -o loop image served"), 0);
	make_file("served/file", TEXT);
	CHECK_SYS(link("served/file", "served/other"));
	CHECK(getcwd(root, sizeof(root) - 8));
	strcat(root, "/served");
	err = nfs_serve(root);
	if (err)
		return err;
	guard("deny --ops write %s " CLIENT_PATH "/file", rule);
	drop_caches();
	snprintf(path, sizeof(path), CLIENT_PATH "/%s", name);
	err = is_denied(path, O_WRONLY | O_CREAT | O_TRUNC) ? 0 : -ENOTRECOVERABLE;
	CHECK_SYS(lstat("served/file", &stat));
	nfs_stop();
	return err ?: stat.st_size ? -EPERM : 0;
}

static int try_truncate_name(void)
{
	return truncate_at_server("", "file");
}

static int try_truncate_inode(void)
{
	return truncate_at_server("--inode", "file");
}

static int try_truncate_other(void)
{
	return truncate_at_server("", "other");
}

#define NFS_WHY \
	"it is denied, but the server, which opens and truncates at once, has done it: the " \
	"client asks about the name, before it knows which file it leads to"

const struct subject_attempt earlier_limits[] = {
	{ .name = "a swap file in use", .run = try_swap, .may = true,
	  .why_not = "the kernel reads and writes it without asking; swapoff before the rule is "
		"made" },
	{ .name = "BPF_OBJ_GET of a pin", .run = try_pin, .may = true,
	  .why_not = "the kernel looks at the mode of the pin only; who may use bpf(2) is root" },
	{ .name = "an NFS client: open(2) with O_CREAT and O_TRUNC", .run = try_truncate_name },
	{ .name = "an NFS client: open(2) with O_CREAT and O_TRUNC, for a rule with --inode",
	  .run = try_truncate_inode, .may = true, .why_not = NFS_WHY },
	{ .name = "an NFS client: open(2) with O_CREAT and O_TRUNC, by another hard link",
	  .run = try_truncate_other, .may = true, .why_not = NFS_WHY },
	{ }
};
