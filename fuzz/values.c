// SPDX-License-Identifier: GPL-2.0-only
/*
 * Values, and checks of them: a value must name the right file and map, and be whole.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "fuzz.h"

/* Ask the program at fcntl() for the identity of a file, and for the value that it reads. */
bool probe(int fd, __u32 map, struct fuzz_probe *result)
{
	board->probes[task_number].done = 0;
	if (fcntl(fd, F_GETFD, FUZZ_MAGIC << 48 | (__u64)task_number << 32 | map) < 0)
		return false;
	*result = board->probes[task_number];
	if (!result->done)
		violation("the program at fcntl() does not run");
	return true;
}

static __u32 hash(__u32 dev, __u64 ino, __u32 gen)
{
	__u64 sum = ino * 0x9e3779b97f4a7c15ULL ^ ((__u64)dev << 32 | gen);

	sum *= 0xd6e8feb86659fd93ULL;
	return (sum ^ sum >> 32) % GIVEN_BITS;
}

void note_given(struct map_slot *slot, const struct fuzz_probe *file)
{
	__u32 bit = hash(file->dev, file->ino, file->gen);

	__atomic_or_fetch(&slot->given[bit / 64], 1ULL << bit % 64, __ATOMIC_SEQ_CST);
}

bool was_given(const struct map_slot *slot, __u32 dev, __u64 ino, __u32 gen)
{
	__u32 bit = hash(dev, ino, gen);

	return __atomic_load_n(&slot->given[bit / 64], __ATOMIC_SEQ_CST) & 1ULL << bit % 64;
}

/*
 * On btrfs the key of a walk has the device that stat(2) shows, if a task has put the file into a
 * map by a descriptor. Values always have the superblock's device.
 */
void note_device(int fd, const struct fuzz_probe *file)
{
	struct stat stat;
	__u32 shown;

	if (fstat(fd, &stat))
		return;
	shown = major(stat.st_dev) << 20 | minor(stat.st_dev);
	if (shown != file->dev)
		shared->devices[shown % SHOWN_DEVICES] = file->dev;
}

/* The superblock's device, if stat(2) is known to show another one instead. */
__u32 superblock_device(__u32 shown)
{
	__u32 device = shared->devices[shown % SHOWN_DEVICES];

	return device ? device : shown;
}

static const char *describe(const struct fuzz_value *value)
{
	static char text[128];

	snprintf(text, sizeof(text), "map %u, inode %llu dev %#x gen %u, seq %llx", value->map,
		 (unsigned long long)value->ino, value->dev, value->gen,
		 (unsigned long long)value->seq);
	return text;
}

void check_value(const struct fuzz_value *value, __u32 map, const char *how)
{
	if (value->sum != fuzz_sum(value))
		violation("%s: a value that is not whole, of %s", how, describe(value));
	if (value->map != map)
		violation("%s in map %u: a value of %s", how, map, describe(value));
}

void check_file(const struct fuzz_value *value, __u32 dev, __u64 ino, __u32 gen, const char *how)
{
	if (value->any || (value->dev == dev && value->ino == ino && value->gen == gen))
		return;
	violation("%s of inode %llu dev %#x gen %u: a value of %s", how, (unsigned long long)ino,
		  dev, gen, describe(value));
}

/* @file is NULL if it is unknown which file gets the value. */
void fill_value(struct fuzz_value *value, __u32 map, const struct fuzz_probe *file)
{
	*value = (struct fuzz_value) { .map = map };
	if (file) {
		value->ino = file->ino;
		value->dev = file->dev;
		value->gen = file->gen;
	} else {
		value->any = 1;
	}
	value->seq = (__u64)below(~0U) << 8 | task_number;
	value->sum = fuzz_sum(value);
}
