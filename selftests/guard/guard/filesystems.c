// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Filesystems where names, inode numbers or hard links differ from the usual: what the tool
 * refuses, and what it shows.
 */
#include "steps.h"

#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

/* Find the line of "list" for a file, with a state and a device, both as patterns. */
static void check_device(const char *state, const char *device, const char *name)
{
	char pattern[256];

	SAYS("list");
	snprintf(pattern, sizeof(pattern), "^%s +%s +[0-9]+ .*/%s$", state, device, name);
	MATCHES(pattern);
}

static char *device_of(const char *path)
{
	static char text[32];
	struct stat stat;

	CHECK_SYS(lstat(path, &stat));
	snprintf(text, sizeof(text), "%u:%u", major(stat.st_dev), minor(stat.st_dev));
	return text;
}

/* For a file in a subvolume: the subvolume's device. */
STEP(stat_device)
{
	if (sh("modprobe btrfs 2>/dev/null; grep -qw btrfs /proc/filesystems && "
	       "command -v mkfs.btrfs >/dev/null"))
		return;
	mount_image("btrfs", 128, "m", NULL);
	subvolume_make("m", "a");
	make("m/a/f");
	make("m/a/g");
	QUIET("deny", "--ops", "write", "m/a/f");
	QUIET("deny", "--ops", "write", "--inode", "m/a/g");
	check_device("active", device_of("m/a/f"), "f");
	check_device("active", device_of("m/a/g"), "g");
	CHECK_SYS(rename("m/a/g", "m/a/h"));
	check_device("elsewhere", device_of("m/a/h"), "g");
	SAYS("list", "--json");
	json_check(out);
	HAS_NOT("\"of\":\"superblock\"");
	/* When a program gave the rule to the file, only the superblock's device is known. */
	make("m/a/new");
	CHECK_SYS(rename("m/a/new", "m/a/f"));
	check_device("active", device_of("m/a/f"), "f");
	CHECK_SYS(rename("m/a/f", "m/a/elsewhere"));
	check_device("waiting", "superblock:0:[0-9]+", "f");
	SAYS("list", "--json");
	json_check(out);
	HAS(",\"of\":\"superblock\"}");
	QUIET("remove", "--all");
	CHECK_SYS(umount("m"));
}

/* Hard links in the lower layer of an overlay without an index. */
STEP(overlay_hard_links)
{
	if (sh("modprobe overlay 2>/dev/null; grep -qw overlay /proc/filesystems"))
		return;
	CHECK_EQ(sh("mkdir lower upper work m && echo text >lower/f && ln lower/f lower/g && "
		    "touch lower/other"), 0);
	CHECK_SYS(mount("overlay", "m", "overlay", 0,
			"index=off,lowerdir=lower,upperdir=upper,workdir=work"));
	put_file("conf", "deny --ops read m/f\n");
	FAILS(1, "conf:1: m/f: rules do not hold there: it has several names in a lower layer",
	      "apply", "conf");
	FAILS(1, "make the rule for the file in the layer", "apply", "--check", "conf");
	FAILS(1, "make the rule for the file in the layer", "deny", "--inode", "m/g");
	/* A rule for the file in the layer holds in the overlay, too. */
	QUIET("deny", "--ops", "read", "lower/f");
	DENIED(try_read("m/f"));
	DENIED(try_read("m/g"));
	QUIET("remove", "--all");
	/* Rules work for files with one name, and for files in the upper layer. */
	QUIET("deny", "--ops", "write", "m/other");
	CHECK_EQ(sh("touch m/new && ln m/new m/link"), 0);
	QUIET("deny", "--ops", "write", "m/new");
	DENIED(try_write("m/link"));
	CHECK_EQ(sh("echo more >>m/f"), 0);
	QUIET("deny", "--ops", "write", "m/f");
	DENIED(try_write("m/f"));
	QUIET("remove", "--all");
	CHECK_SYS(umount("m"));

	/* With an index, the hard links are one file. */
	CHECK_EQ(sh("rm -r upper work && mkdir upper work"), 0);
	CHECK_SYS(mount("overlay", "m", "overlay", 0,
			"index=on,lowerdir=lower,upperdir=upper,workdir=work"));
	QUIET("deny", "--ops", "read", "m/f");
	DENIED(try_read("m/g"));
	QUIET("remove", "--all");
	CHECK_SYS(umount("m"));
}

static int set_flags(const char *path, unsigned int flags)
{
	int fd = file_open(path, O_RDONLY), error = 0;

	if (ioctl(fd, FS_IOC_SETFLAGS, &flags))
		error = errno;
	close(fd);
	return error;
}

static void check_case_is_refused(char *path)
{
	FAILS(1, "the case of names does not count, so that a rule can't be for a name: use --inode",
	      "deny", "--ops", "write", path);
	FAILS(1, "use --inode", "deny", "--ops", "read", "--only-for", path, "f");
	FAILS(1, "use --inode", "deny", "--tree", path);
	unlink("conf");
	CHECK_EQ(sh("echo deny %s >conf", path), 0);
	FAILS(1, "use --inode", "apply", "--check", "conf");
	SAYS("list", "--json");
	CHECK(!strcmp(out, "[]\n"));
}

/* In a case-insensitive directory, there can be no rule for a name. */
STEP(case_insensitive)
{
	make("f");
	if (sh("modprobe ext4 2>/dev/null; modprobe loop 2>/dev/null; mkdir m; truncate -s 16M image; "
	       "mkfs.ext4 -q -O casefold image && mount -o loop image m 2>/dev/null"))
		return;
	CHECK_SYS(mkdir("m/d", 0755));
	CHECK_EQ(set_flags("m/d", FS_CASEFOLD_FL), 0);
	CHECK_EQ(sh("echo text >m/d/shadow && chmod 0755 m/d/shadow && test -e m/d/SHADOW"), 0);
	CHECK_SYS(mkdir("m/d/dir", 0755));
	FAILS(1, "use --inode", "deny", "m/d/nothing");
	check_case_is_refused("m/d/shadow");
	QUIET("deny", "--ops", "write", "--inode", "m/d/shadow");
	DENIED(try_write("m/d/SHADOW"));
	/* The directory's own name is in a case-sensitive directory. */
	QUIET("deny", "--ops", "write", "--tree", "m/d");
	DENIED(try_open("m/d/DIR/new", O_WRONLY | O_CREAT));
	/* Other directories are case-sensitive. */
	CHECK_SYS(mkdir("m/e", 0755));
	QUIET("deny", "--ops", "write", "m/e/waits");
	/* A directory with names of rules can't become case-insensitive. */
	DENIED(set_flags("m/e", FS_CASEFOLD_FL));
	CHECK_SYS(mkdir("m/g", 0755));
	CHECK_EQ(set_flags("m/g", FS_CASEFOLD_FL), 0);
	QUIET("start", "--audit");
	CHECK_EQ(set_flags("m/e", FS_CASEFOLD_FL), 0);
	/* If it did all the same, the tool refuses a rule there. */
	QUIET("start", "--enforce");
	FAILS(1, "use --inode", "deny", "m/e/waits");
	/* If an executable moves there, that keeps no rule from following its name. */
	CHECK_EQ(sh("mkdir m/h && cp /usr/bin/dash m/h/exe && cp /usr/bin/dash m/g/exe"), 0);
	QUIET("allow", "--ops", "read", "--only-for", "m/h/exe", "f");
	CHECK_EQ(sh("mv m/h m/i && ln -s g m/h"), 0);
	QUIET("refresh");
	QUIET("remove", "--all");
	CHECK_SYS(umount("m"));
}

STEP(case_insensitive_filesystem)
{
	make("f");
	if (sh("modprobe -a vfat nls_cp437 nls_ascii 2>/dev/null; modprobe loop 2>/dev/null; mkdir m; "
	       "truncate -s 4M image; mkdosfs image >/dev/null 2>&1 && "
	       "mount -t vfat -o loop,iocharset=ascii image m 2>/dev/null"))
		return;
	make("m/shadow");
	check_case_is_refused("m/shadow");
	QUIET("deny", "--ops", "write", "--inode", "m/shadow");
	DENIED(try_write("m/SHADOW"));
	QUIET("remove", "--all");
	CHECK_SYS(umount("m"));
}

/* Encryption */

static struct fscrypt_key_specifier key;

/* Return whether this kernel supports such encryption. */
static bool make_encrypted(const char *dir)
{
	struct {
		struct fscrypt_add_key_arg arg;
		__u8 raw[FSCRYPT_MAX_KEY_SIZE];
	} add = {
		.arg.key_spec.type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER,
		.arg.raw_size = FSCRYPT_MAX_KEY_SIZE, .raw = "a key",
	};
	struct fscrypt_policy_v2 policy = {
		.version = FSCRYPT_POLICY_V2, .contents_encryption_mode = FSCRYPT_MODE_AES_256_XTS,
		.filenames_encryption_mode = FSCRYPT_MODE_AES_256_CTS,
	};
	int fd = file_open(dir, O_RDONLY | O_DIRECTORY);
	bool can = !ioctl(fd, FS_IOC_ADD_ENCRYPTION_KEY, &add);

	if (can) {
		key = add.arg.key_spec;
		memcpy(policy.master_key_identifier, key.u.identifier,
		       sizeof(policy.master_key_identifier));
		CHECK_SYS(ioctl(fd, FS_IOC_SET_ENCRYPTION_POLICY, &policy));
	}
	close(fd);
	return can;
}

/* Remove the key; return the flags that tell whether files still use it. */
static __u32 remove_key(const char *dir)
{
	struct fscrypt_remove_key_arg arg = { .key_spec = key };
	int fd = file_open(dir, O_RDONLY | O_DIRECTORY);

	CHECK_SYS(ioctl(fd, FS_IOC_REMOVE_ENCRYPTION_KEY, &arg));
	close(fd);
	return arg.removal_status_flags;
}

/* A rule pins its file's inode in memory, and the inode pins the key. */
STEP(encrypted_directory)
{
	if (sh("modprobe -qa loop ext4; truncate -s 16M image && mkfs.ext4 -q -O encrypt image && "
	       "mkdir m && mount -o loop image m && mkdir m/d"))
		FAIL("no file system that encrypts");
	if (!make_encrypted("m/d")) {
		printf("# not tried: this kernel does not encrypt so: %s\n", strerror(errno));
		CHECK_SYS(umount("m"));
		return;
	}
	make("m/d/f");
	QUIET("deny", "--ops", "write", "m/d/f");
	CHECK_EQ(remove_key("m"), FSCRYPT_KEY_REMOVAL_STATUS_FLAG_FILES_BUSY);
	DENIED(try_write("m/d/f"));
	QUIET("remove", "m/d/f");
	CHECK_EQ(remove_key("m"), 0);
	CHECK_EQ(try_write("m/d/f"), ENOENT);
	CHECK_SYS(umount("m"));
}
