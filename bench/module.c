// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the bench needs in the kernel besides the inode map. It is two kfuncs: a clock that takes
 * next to no instructions, and a function that does nothing, so that only its call costs. The
 * programs of bench.bpf.c call them. They take no locks and don't sleep, and may be called in any
 * context. bench.c loads this module.
 */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/module.h>
#include <linux/timex.h>

__bpf_kfunc_start_defs();

/**
 * bpf_bench_clock - read the processor's clock
 *
 * Return: the time-stamp counter. With QEMU's -icount shift=0, each instruction adds 1 to it.
 */
__bpf_kfunc u64 bpf_bench_clock(void)
{
	return get_cycles();
}

/**
 * bpf_bench_nothing - do nothing, with the arguments of bpf_inode_map_lookup()
 * @map_id: unused
 * @inode: unused
 * @rdwr_buf_size: unused
 *
 * Return: NULL.
 */
__bpf_kfunc u8 *bpf_bench_nothing(u32 map_id, struct inode *inode, const int rdwr_buf_size)
{
	return NULL;
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(bench_kfunc_ids)
BTF_ID_FLAGS(func, bpf_bench_clock)
BTF_ID_FLAGS(func, bpf_bench_nothing, KF_RET_NULL)
BTF_KFUNCS_END(bench_kfunc_ids)

static const struct btf_kfunc_id_set bench_kfunc_set = {
	.owner	= THIS_MODULE,
	.set	= &bench_kfunc_ids,
};

static int __init bench_init(void)
{
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_TRACING, &bench_kfunc_set);
}
module_init(bench_init);

/* Nothing to undo: the programs that call the functions hold a reference on the module. */
static void __exit bench_exit(void)
{
}
module_exit(bench_exit);

MODULE_DESCRIPTION("The bench of the inode map");
MODULE_LICENSE("GPL");
