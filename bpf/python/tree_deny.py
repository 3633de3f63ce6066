#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Example: a loader in Python. It does what ../tree_deny.c does, with the same BPF object.

Nothing but libbpf (1.1 or later) is needed: it is called through ctypes. A library of another
language can load programs for inode maps if it knows kfuncs of modules, and make the map if it lets
an interface index be chosen. Where it does not do the latter, this is the system call to make:
BPF_MAP_CREATE with map_ifindex.
"""
import argparse
import ctypes
import os
import signal
import socket
import struct
import sys

BPF_MAP_TYPE_HASH = 1
BPF_ANY = 0
BTF_KIND_DATASEC = 15

bpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
# These functions return a pointer; the others return int, the default of ctypes.
for function in ("bpf_object__open_file", "bpf_object__btf", "btf__type_by_id",
                 "bpf_object__find_map_by_name", "bpf_object__find_program_by_name",
                 "bpf_map__initial_value", "bpf_program__attach"):
    getattr(bpf, function).restype = ctypes.c_void_p
bpf.btf__name_by_offset.restype = ctypes.c_char_p


class MapCreateOptions(ctypes.Structure):
    """struct bpf_map_create_opts. The size tells libbpf which version of it this is."""

    _fields_ = [("size", ctypes.c_size_t), ("btf_fd", ctypes.c_uint32),
                ("btf_key_type_id", ctypes.c_uint32), ("btf_value_type_id", ctypes.c_uint32),
                ("btf_vmlinux_value_type_id", ctypes.c_uint32), ("inner_map_fd", ctypes.c_uint32),
                ("map_flags", ctypes.c_uint32), ("map_extra", ctypes.c_uint64),
                ("numa_node", ctypes.c_uint32), ("map_ifindex", ctypes.c_uint32)]


def check(what, succeeded):
    """End with a line that says what failed, unless it succeeded."""
    if not succeeded:
        sys.exit(f"tree_deny.py: cannot {what}: {os.strerror(ctypes.get_errno())}")


def check_lsm():
    """A kernel that was booted without "bpf" in its list of security modules lets programs attach to
    security hooks, and never calls them: the policy would look as if it were in place."""
    try:
        with open("/sys/kernel/security/lsm", encoding="utf-8") as file:
            modules = file.read().strip().split(",")
    except OSError as error:
        sys.exit(f"tree_deny.py: cannot read {error.filename}: {error.strerror}")
    if "bpf" not in modules:
        sys.exit("tree_deny.py: the kernel calls no BPF programs at security hooks: "
                 "boot it with lsm=...,bpf")


def create_map(name, entries):
    """Make a map with 4-byte keys (descriptors) and 4-byte values. Returns its descriptor."""
    try:
        index = socket.if_nametoindex("inode_map")
    except OSError:
        sys.exit("tree_deny.py: no device inode_map: is the inode_map module loaded?")
    options = MapCreateOptions(size=ctypes.sizeof(MapCreateOptions), map_ifindex=index)
    fd = bpf.bpf_map_create(BPF_MAP_TYPE_HASH, name, 4, 4, entries, ctypes.byref(options))
    check("create the map", fd >= 0)
    return fd


def map_id(fd):
    """The id is the second number of struct bpf_map_info."""
    info = (ctypes.c_uint32 * 2)()
    size = ctypes.c_uint32(ctypes.sizeof(info))
    check("tell the id of the map", not bpf.bpf_obj_get_info_by_fd(fd, info, ctypes.byref(size)))
    return info[1]


def add_directory(fd, path):
    """The key is a descriptor of the directory; afterwards it is not needed any more."""
    try:
        directory = os.open(path, os.O_PATH | os.O_DIRECTORY)
    except OSError as error:
        sys.exit(f"tree_deny.py: cannot open {path}: {error.strerror}")
    key, value = ctypes.c_int32(directory), ctypes.c_uint32(1)
    check(f"add {path}", not bpf.bpf_map_update_elem(fd, ctypes.byref(key), ctypes.byref(value),
                                                     ctypes.c_uint64(BPF_ANY)))
    os.close(directory)


def constant_offset(obj, name):
    """Where in .rodata a constant is. (A skeleton, which is for C, would have it.)"""
    btf = ctypes.c_void_p(bpf.bpf_object__btf(obj))
    section = bpf.btf__type_by_id(btf, bpf.btf__find_by_name_kind(btf, b".rodata",
                                                                  BTF_KIND_DATASEC))
    check("find the constants of the program", section)
    # A struct btf_type, followed by a struct btf_var_secinfo for each variable.
    count = struct.unpack("III", ctypes.string_at(section, 12))[1] & 0xffff
    for i in range(count):
        variable, offset, _ = struct.unpack("III", ctypes.string_at(section + 12 + 12 * i, 12))
        where = ctypes.c_uint32.from_address(bpf.btf__type_by_id(btf, variable))
        if bpf.btf__name_by_offset(btf, where) == name:
            return offset
    sys.exit(f"tree_deny.py: the program has no constant {name.decode()}")


def set_constant(obj, name, number):
    """Give a constant of the program its value, as it must have before the program is loaded."""
    rodata = ctypes.c_void_p(bpf.bpf_object__find_map_by_name(obj, b".rodata"))
    values = bpf.bpf_map__initial_value(rodata, ctypes.byref(ctypes.c_size_t()))
    check("find the constants of the program", values)
    ctypes.c_uint32.from_address(values + constant_offset(obj, name)).value = number


def attach(path, denied):
    """Load the program, bind the map to it, attach it. All goes when the process ends."""
    address = bpf.bpf_object__open_file(os.fsencode(path), None)
    check(f"read {path}", address)
    obj = ctypes.c_void_p(address)
    set_constant(obj, b"denied_id", map_id(denied))
    check("load the program", not bpf.bpf_object__load(obj))
    program = ctypes.c_void_p(bpf.bpf_object__find_program_by_name(obj, b"check_open"))
    check("bind the map to the program",
          not bpf.bpf_prog_bind_map(bpf.bpf_program__fd(program), denied, None))
    os.close(denied)
    check("attach the program", bpf.bpf_program__attach(program))


def main():
    parser = argparse.ArgumentParser(description="Denies opening directories and everything "
                                     "below them, until interrupted (SIGINT, SIGTERM).")
    parser.add_argument("object", metavar="OBJECT",
                        help="tree_deny.bpf.o, as make examples built it")
    parser.add_argument("directories", metavar="DIR", nargs="+")
    arguments = parser.parse_args()
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    bpf.libbpf_set_print(None)
    check_lsm()

    denied = create_map(b"denied_trees", len(arguments.directories))
    for path in arguments.directories:
        add_directory(denied, path)
    attach(arguments.object, denied)
    signal.sigwait(signals)


main()
