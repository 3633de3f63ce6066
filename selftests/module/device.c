// SPDX-License-Identifier: GPL-2.0-only
/*
 * The network device provides maps and does nothing else: whatever can be done to or with any other
 * device is refused, or does no harm.
 */
#include "harness.h"

#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <bpf/btf.h>

/* The C library's headers may be older than this flag. */
#ifndef BPF_F_XDP_DEV_BOUND_ONLY
#define BPF_F_XDP_DEV_BOUND_ONLY	(1U << 6)
#endif
#define TCX_INGRESS			46

static int device_index(void)
{
	return CHECK_SYS((int)if_nametoindex(INODE_MAP_DEVICE) ?: -1);
}

static short device_flags(void)
{
	struct ifreq request = { .ifr_name = INODE_MAP_DEVICE };
	int fd = CHECK_SYS(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	CHECK_SYS(ioctl(fd, SIOCGIFFLAGS, &request));
	close(fd);
	return request.ifr_flags;
}

/* ip(8) without its error messages; 0 if it succeeded. */
#define ip(format, ...)	sh("ip " format " >/dev/null 2>&1", ##__VA_ARGS__)

static void check_refused(const char *command)
{
	if (!ip("%s", command))
		FAIL("'ip %s' was not refused", command);
}

/* Maps work, and the device exists under its name and is down. */
static void check_works(void)
{
	int map = map_create(32, 4, 8), fd = file_create("works");

	CHECK_OK(map_set(map, fd, 1));
	CHECK_EQ(map_get(map, fd), 1);
	CHECK_EQ(map_count(map), 1);
	close(map);
	close(fd);
	CHECK_EQ(ip("link show " INODE_MAP_DEVICE), 0);
	CHECK(!(device_flags() & (IFF_UP | IFF_RUNNING)));
}

/* The module can be removed and loaded again, whatever is attached to the device. */
static void check_reloads(void)
{
	counts_wait(0, 0, 0, 0);
	if (sh("rmmod inode_map"))
		FAIL("the module does not unload");
	CHECK(!if_nametoindex(INODE_MAP_DEVICE));
	if (sh("insmod /lib/modules/extra/inode_map.ko 2>/dev/null || modprobe inode_map"))
		FAIL("the module does not load");
	check_works();
}

TEST(is_down)
{
	check_works();
}

TEST(up)
{
	struct ifreq request = { .ifr_name = INODE_MAP_DEVICE, .ifr_flags = IFF_UP };
	int fd = CHECK_SYS(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	check_refused("link set " INODE_MAP_DEVICE " up");
	CHECK(ioctl(fd, SIOCSIFFLAGS, &request) == -1);
	close(fd);
	check_works();
}

TEST(rename)
{
	check_refused("link set " INODE_MAP_DEVICE " name other");
	CHECK(!if_nametoindex("other"));
	/* The kernel rolls the refused change back without a complaint. */
	CHECK(sh("dmesg | grep -q 'rollback failed'"));
	check_works();
}

TEST(other_network_namespace)
{
	/* To its own namespace: as with lo, some kernels refuse, others find nothing to do. */
	CHECK_EQ(!ip("link set " INODE_MAP_DEVICE " netns $$"), !ip("link set lo netns $$"));
	check_works();
	if (ip("netns add inode_map_test"))
		SKIP("this kernel has no network namespaces");
	check_refused("link set " INODE_MAP_DEVICE " netns inode_map_test");
	check_works();
	CHECK_EQ(ip("netns del inode_map_test"), 0);
	check_works();
}

TEST(delete)
{
	check_refused("link del " INODE_MAP_DEVICE);
	check_refused("link add " INODE_MAP_DEVICE " type dummy");
	check_works();
}

static void use_master(const char *type)
{
	int refused;

	if (ip("link add inm0 type %s", type))
		SKIP("there are no devices of type %s", type);
	refused = ip("link set " INODE_MAP_DEVICE " master inm0");
	CHECK_EQ(ip("link del inm0"), 0);
	CHECK(refused);
	check_works();
}

TEST(bridge)
{
	use_master("bridge");
}

TEST(bond)
{
	use_master("bond");
}

TEST(team)
{
	use_master("team");
}

TEST(vrf)
{
	use_master("vrf table 10");
}

static void use_upper(const char *type, const char *options)
{
	int refused;

	/* Does the kernel have the type? If so, it works on another device. */
	if (ip("link add inm0 type dummy") && ip("link add inm0 type bridge"))
		SKIP("there is no device to try it on");
	if (ip("link add link inm0 name inm1 type %s %s", type, options)) {
		ip("link del inm0");
		SKIP("there are no devices of type %s", type);
	}
	CHECK_EQ(ip("link del inm0"), 0);
	refused = ip("link add link " INODE_MAP_DEVICE " name inm1 type %s %s", type, options);
	ip("link del inm1");
	CHECK(refused);
	check_works();
}

TEST(vlan)
{
	use_upper("vlan", "id 1");
}

TEST(macvlan)
{
	use_upper("macvlan", "");
}

TEST(addresses)
{
	/* Whether or not addresses are accepted, they go with the device, and it stays down. */
	ip("address add 192.0.2.1/24 dev " INODE_MAP_DEVICE);
	ip("-6 address add 2001:db8::1/64 dev " INODE_MAP_DEVICE);
	ip("route add 198.51.100.0/24 dev " INODE_MAP_DEVICE);
	check_works();
	check_reloads();
}

TEST(harmless_settings)
{
	static const char *const settings[] = {
		"mtu 9000", "mtu 68", "mtu 65535", "promisc on", "allmulticast on", "multicast on",
		"txqueuelen 10", "alias test", "group 7", "arp on", "carrier on",
		"address 02:00:00:00:00:01", "numtxqueues 2", "xdp off",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(settings); i++) {
		ip("link set " INODE_MAP_DEVICE " %s", settings[i]);
		CHECK(!(device_flags() & IFF_UP));
	}
	check_works();
	check_reloads();
}

/* A packet socket may be bound to a device that is down; nothing can be sent. */
TEST(packets)
{
	struct sockaddr address = { .sa_family = AF_PACKET };
	struct ifreq request = { .ifr_name = INODE_MAP_DEVICE };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		SKIP("this kernel has no packet sockets");
	memcpy(address.sa_data, INODE_MAP_DEVICE, sizeof(INODE_MAP_DEVICE));
	CHECK_SYS(ioctl(fd, SIOCGIFINDEX, &request));
	CHECK(sendto(fd, "packet", 6, 0, &address, sizeof(address)) == -1);
	check_works();
	check_reloads();
	close(fd);
}

/* Programs */

#define INSN(code_, dst, src, off_, imm_)						\
	((struct bpf_insn) { .code = (code_), .dst_reg = (dst), .src_reg = (src), .off = (off_), \
			     .imm = (imm_) })
#define RETURN_INSNS	INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0), \
			INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static int prog_load(enum bpf_prog_type type, struct bpf_prog_load_opts *opts,
		     const struct bpf_insn *insns, unsigned int count)
{
	int fd = bpf_prog_load(type, "test", "GPL", insns, count, opts);

	return fd < 0 ? -errno : fd;
}

/* A program that does nothing. */
static int empty_prog_load(enum bpf_prog_type type, unsigned int ifindex, __u32 flags)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_ifindex = ifindex, .prog_flags = flags);
	const struct bpf_insn insns[] = { RETURN_INSNS };

	return prog_load(type, &opts, insns, 2);
}

TEST(offloaded_program)
{
	int ifindex = device_index();

	CHECK(empty_prog_load(BPF_PROG_TYPE_XDP, ifindex, 0) < 0);
	CHECK(empty_prog_load(BPF_PROG_TYPE_SCHED_CLS, ifindex, 0) < 0);
	check_works();
	check_reloads();
}

/* The kernel loads such a program for any device, but there is no way to attach it to ours. */
TEST(device_bound_program)
{
	int ifindex = device_index();
	int prog = empty_prog_load(BPF_PROG_TYPE_XDP, ifindex, BPF_F_XDP_DEV_BOUND_ONLY);

	libbpf_set_print(NULL);
	if (prog >= 0) {
		static const __u32 modes[] = {
			0, XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE, XDP_FLAGS_HW_MODE,
		};

		for (unsigned int i = 0; i < 4; i++)
			CHECK(bpf_xdp_attach(ifindex, prog, modes[i], NULL) < 0);
	}
	check_works();
	check_reloads();
	if (prog >= 0)
		close(prog);
}

TEST(xdp)
{
	int ifindex = device_index();
	int prog = CHECK_OK(empty_prog_load(BPF_PROG_TYPE_XDP, 0, 0));

	CHECK(bpf_xdp_attach(ifindex, prog, XDP_FLAGS_DRV_MODE, NULL) < 0);
	CHECK(bpf_xdp_attach(ifindex, prog, XDP_FLAGS_HW_MODE, NULL) < 0);
	check_works();

	/* The kernel runs it before any device that gets packets. */
	bpf_xdp_attach(ifindex, prog, XDP_FLAGS_SKB_MODE, NULL);
	check_works();
	bpf_xdp_detach(ifindex, XDP_FLAGS_SKB_MODE, NULL);
	check_works();
	bpf_xdp_attach(ifindex, prog, XDP_FLAGS_SKB_MODE, NULL);
	check_reloads();
}

TEST(traffic_control)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = device_index(),
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	int prog = CHECK_OK(empty_prog_load(BPF_PROG_TYPE_SCHED_CLS, 0, 0));
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog);
	int link;

	libbpf_set_print(NULL);
	link = bpf_link_create(prog, device_index(), TCX_INGRESS, NULL);
	if (!bpf_tc_hook_create(&hook)) {
		hook.attach_point = BPF_TC_EGRESS;
		bpf_tc_attach(&hook, &opts);
	} else if (link < 0) {
		SKIP("this kernel has no traffic control");
	}
	check_works();
	check_reloads();
	if (link >= 0)
		close(link);
}

/* Maps and network namespaces */

static void use_in_namespace(void *arg)
{
	struct bpf_map_create_opts opts = {
		.sz = sizeof(opts),
		.map_ifindex = device_index(),
	};
	int map = *(int *)arg, fd = file_open("f", O_RDONLY);
	struct inode_map_key key;

	CHECK_SYS(unshare(CLONE_NEWNET));
	CHECK_ERR(inode_map_create("test", 4, 8), ENODEV);
	CHECK(bpf_map_create(BPF_MAP_TYPE_HASH, "test", 32, 4, 8, &opts) < 0);
	CHECK(errno == ENODEV || errno == EINVAL);
	/* The index of an existing device. */
	opts.map_ifindex = if_nametoindex("lo");
	CHECK(bpf_map_create(BPF_MAP_TYPE_HASH, "test", 32, 4, 8, &opts) < 0);

	CHECK_EQ(map_get(map, fd), 1);
	CHECK_OK(map_set(map, fd, 2));
	CHECK_EQ(map_get(map, fd), 2);
	CHECK_EQ(map_count(map), 1);
	key = map_only_key(map);
	CHECK_SYS(bpf_map_delete_elem(map, &key));
	CHECK_OK(map_set(map, fd, 3));
}

/* Maps can only be made in the device's namespace, but a map's descriptor works everywhere. */
TEST(map_in_another_network_namespace)
{
	int map = map_create(32, 4, 8), fd = file_create("f");

	CHECK_OK(map_set(map, fd, 1));
	child_wait(child_start(use_in_namespace, &map));
	CHECK_EQ(map_get(map, fd), 3);
}

/* Programs can't use the map like other maps: the verifier refuses them. */

static int lookup_prog_load(enum bpf_prog_type type, struct bpf_prog_load_opts *opts, int map)
{
	const struct bpf_insn insns[] = {
		/* *(u64 *)(fp - 8) = 0, and three more: a key of up to 32 bytes. */
		INSN(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -8, 0),
		INSN(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -16, 0),
		INSN(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -24, 0),
		INSN(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -32, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -32),
		INSN(BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, map),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem),
		RETURN_INSNS,
	};

	return prog_load(type, opts, insns, ARRAY_SIZE(insns));
}

struct prog_kind {
	enum bpf_prog_type type;
	enum bpf_attach_type attach;
	const char *function;
};

TEST(programs_can_not_use_the_map)
{
	static const struct prog_kind kinds[] = {
		{ BPF_PROG_TYPE_XDP, 0, NULL },
		{ BPF_PROG_TYPE_SCHED_CLS, 0, NULL },
		{ BPF_PROG_TYPE_SOCKET_FILTER, 0, NULL },
		{ BPF_PROG_TYPE_TRACEPOINT, 0, NULL },
		{ BPF_PROG_TYPE_RAW_TRACEPOINT, 0, NULL },
		{ BPF_PROG_TYPE_PERF_EVENT, 0, NULL },
		{ BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, "vfs_open" },
		{ BPF_PROG_TYPE_LSM, BPF_LSM_MAC, "bpf_lsm_file_open" },
	};
	int hash = bpf_map_create(BPF_MAP_TYPE_HASH, "hash", 32, 4, 8, NULL);
	int map = map_create(32, 4, 8);

	CHECK_SYS(hash);
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct prog_kind *kind = &kinds[i];
		LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = kind->attach);
		int prog;

		if (kind->function) {
			int id = libbpf_find_vmlinux_btf_id(kind->function, 0);

			CHECK(id > 0 || kind->type == BPF_PROG_TYPE_LSM);
			opts.attach_btf_id = id;
		}
		/* The program is valid, except for the map. */
		prog = lookup_prog_load(kind->type, &opts, hash);
		if (prog < 0 && kind->function &&
		    access("/proc/sys/net/core/bpf_jit_enable", F_OK)) {
			printf("# no programs of type %d: this kernel has no compiler for BPF\n",
			       kind->type);
			continue;
		}
		if (prog < 0)
			FAIL("type %d with an ordinary map: %s", kind->type, strerror(-prog));
		close(prog);
		CHECK_ERR(lookup_prog_load(kind->type, &opts, map), EINVAL);
	}
}

/* A program that is bound to the device may use the map. If it loads, nothing can run it. */
TEST(device_bound_program_with_the_map)
{
	int ifindex = device_index(), map = map_create(32, 4, 8), other;
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_ifindex = ifindex,
		    .prog_flags = BPF_F_XDP_DEV_BOUND_ONLY);
	int prog = lookup_prog_load(BPF_PROG_TYPE_XDP, &opts, map);
	char packet[64] = {};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = 1);
	__u32 index = 0;

	if (prog < 0)
		return;
	libbpf_set_print(NULL);
	CHECK(bpf_prog_test_run_opts(prog, &run) < 0);
	CHECK(bpf_xdp_attach(ifindex, prog, 0, NULL) < 0);
	CHECK(bpf_xdp_attach(ifindex, prog, XDP_FLAGS_SKB_MODE, NULL) < 0);
	CHECK(bpf_xdp_attach(ifindex, prog, XDP_FLAGS_DRV_MODE, NULL) < 0);
	CHECK(bpf_xdp_attach(ifindex, prog, XDP_FLAGS_HW_MODE, NULL) < 0);
	CHECK(bpf_xdp_attach(if_nametoindex("lo"), prog, XDP_FLAGS_SKB_MODE, NULL) < 0);
	CHECK(bpf_link_create(prog, ifindex, BPF_XDP, NULL) < 0);
	other = CHECK_SYS(bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "calls", 4, 4, 1, NULL));
	CHECK(bpf_map_update_elem(other, &index, &prog, BPF_ANY) < 0);
}

/*
 * Programs can't use the map through a map of maps, either: the kernel (6.12) checks the type and
 * sizes of a map that is put into one, and takes a map that a program finds there for the one that
 * it was verified with.
 */
static void use_map_of_maps(enum bpf_map_type type, unsigned int key_size)
{
	int map = map_create(key_size, 4, 8);
	int hash = CHECK_SYS(bpf_map_create(BPF_MAP_TYPE_HASH, "hash", key_size, 4, 8, NULL));
	LIBBPF_OPTS(bpf_map_create_opts, opts, .inner_map_fd = hash);
	int outer = CHECK_SYS(bpf_map_create(type, "outer", 4, 4, 1, &opts));
	__u32 index = 0;

	CHECK_SYS(bpf_map_update_elem(outer, &index, &hash, BPF_ANY));
	if (!bpf_map_update_elem(outer, &index, &map, BPF_ANY))
		FAIL("an inode map is where programs expect a map of type %d", type);
	close(outer);

	opts.inner_map_fd = map;
	outer = bpf_map_create(type, "outer", 4, 4, 1, &opts);
	if (outer >= 0)
		FAIL("there can be a map of type %d for inode maps", type);
	close(hash);
	close(map);
}

TEST(array_of_maps)
{
	use_map_of_maps(BPF_MAP_TYPE_ARRAY_OF_MAPS, 4);
	use_map_of_maps(BPF_MAP_TYPE_ARRAY_OF_MAPS, 32);
}

TEST(hash_of_maps)
{
	use_map_of_maps(BPF_MAP_TYPE_HASH_OF_MAPS, 4);
	use_map_of_maps(BPF_MAP_TYPE_HASH_OF_MAPS, 32);
}
