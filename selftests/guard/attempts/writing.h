/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Attempts that are in the tables of writing.c, and defined in other files. */
#ifndef WRITING_H
#define WRITING_H

#include "bypass.h"

#ifndef RWF_NOAPPEND
#define RWF_NOAPPEND	0x20
#endif

#define IORING_OP_FTRUNCATE	55
#define TEXT_NEW	"what somebody else has written over it"
#define SIZE_NEW	(sizeof(TEXT_NEW) - 1)

/* writing.c */

extern char text_new[4096];
int written(long size);
int close_opened(long fd);
int source_file(const struct target *t);

/* allocating.c */

int try_allocate(struct target *t);
int try_allocate_beyond(struct target *t);
int try_punch_hole(struct target *t);
int try_zero_range(struct target *t);
int try_collapse_range(struct target *t);
int try_insert_range(struct target *t);
int try_uring_fallocate(struct target *t);
int try_ioctl_zero_range(struct target *t);
int try_donate_extents(struct target *t);
int try_swap_boot(struct target *t);

/* mapped.c */

int try_mmap(struct target *t);
int try_mprotect(struct target *t);
int try_pkey_mprotect(struct target *t);
int try_madvise_remove(struct target *t);
int prepare_map_read(struct target *t);
int prepare_map_write(struct target *t);
int run_mprotect_before(struct target *t);
int run_madvise_before(struct target *t);
int run_store_before(struct target *t);
int try_private(struct target *t);

/* queued.c */

int try_uring_write(struct target *t);
int try_uring_poll_thread(struct target *t);
int try_uring_noappend(struct target *t);
int try_uring_in_write(struct target *t);
int try_uring_truncate(struct target *t);
int try_uring_ftruncate(struct target *t);
int try_aio(struct target *t);
int try_aio_noappend(struct target *t);
int try_loop(struct target *t);

/* entries.c */

int try_create(struct target *t);
int try_mkdir(struct target *t);
int try_mknod(struct target *t);
int try_symlink(struct target *t);
int try_bind_socket(struct target *t);
int try_link_into(struct target *t);
int try_rename_into(struct target *t);
int try_rename_within(struct target *t);
int try_rename_out(struct target *t);
int try_unlink_in(struct target *t);
int try_uring_mkdir(struct target *t);
int try_tmpfile_link(struct target *t);
int try_tmpfile(struct target *t);

#endif /* WRITING_H */
