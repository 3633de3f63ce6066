// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// The loader: denies opening the files on its command line, and ends. The map and the program's
// link stay pinned. A second run adds files to the map, and replaces the program.
package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

const (
	device   = "inode_map"
	pins     = "/sys/fs/bpf/policy"
	mapPin   = pins + "/denied"
	linkPin  = pins + "/deny_open"
	lsmList  = "/sys/kernel/security/lsm"
	maxFiles = 1024
)

//go:embed policy.bpf.o
var object []byte

// A struct inode_map_key: see linux/inode_map.h.
type key struct {
	FD                 int32
	Flags, Handle, Dev uint32
	Ino                uint64
	Gen, Reserved      uint32
}

// The beginning of BPF_MAP_CREATE's attributes: the library has no field for the device.
type createAttr struct {
	mapType, keySize, valueSize, maxEntries uint32
	flags, innerFD, numaNode                uint32
	name                                    [16]byte
	ifindex                                 uint32
}

// A kernel that was booted without "bpf" in its list of security modules lets programs attach to
// security hooks, and never calls them: the policy would look as if it were in place.
func checkLSM() error {
	list, err := os.ReadFile(lsmList)
	if err != nil {
		return err
	}
	for _, name := range strings.Split(strings.TrimSpace(string(list)), ",") {
		if name == "bpf" {
			return nil
		}
	}
	return errors.New("the kernel calls no BPF programs at security hooks: boot it with lsm=...,bpf")
}

func createMap(name string) (*ebpf.Map, error) {
	dev, err := net.InterfaceByName(device)
	if err != nil {
		return nil, fmt.Errorf("%w: is the module loaded?", err)
	}
	attr := createAttr{
		mapType:    uint32(ebpf.Hash),
		keySize:    uint32(unsafe.Sizeof(key{})),
		valueSize:  4,
		maxEntries: maxFiles,
		ifindex:    uint32(dev.Index),
	}
	copy(attr.name[:15], name)
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_MAP_CREATE,
		uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	if errno != 0 {
		return nil, errno
	}
	m, err := ebpf.NewMapFromFD(int(fd))
	if err != nil {
		return nil, err
	}
	return m, m.Pin(mapPin)
}

// Open the pinned map, or make a new one.
func openMap() (*ebpf.Map, error) {
	m, err := ebpf.LoadPinnedMap(mapPin, nil)
	if errors.Is(err, os.ErrNotExist) {
		return createMap("denied")
	}
	if err != nil {
		return nil, err
	}
	if m.KeySize() != uint32(unsafe.Sizeof(key{})) || m.ValueSize() != 4 || m.MaxEntries() != maxFiles {
		return nil, fmt.Errorf("what is pinned there is another map")
	}
	return m, nil
}

func deny(m *ebpf.Map, path string) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return m.Update(key{FD: int32(fd)}, uint32(1), ebpf.UpdateAny)
}

// Replace the program that is pinned, so that one of the two is always attached.
func start(m *ebpf.Map) error {
	info, err := m.Info()
	if err != nil {
		return err
	}
	id, _ := info.ID()
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		return err
	}
	// Version 0.22 has spec.Variables["denied_id"].Set(uint32(id)) instead.
	if err := spec.RewriteConstants(map[string]interface{}{"denied_id": uint32(id)}); err != nil {
		return err
	}
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		return err
	}
	defer coll.Close()
	// An unbound map is freed with its last descriptor or pin; then the program finds nothing.
	program := coll.Programs["deny_open"]
	if err := program.BindMap(m); err != nil {
		return err
	}
	attached, err := link.AttachLSM(link.LSMOptions{Program: program})
	if err != nil {
		return err
	}
	defer attached.Close()
	os.Remove(linkPin + "_new")
	if err := attached.Pin(linkPin + "_new"); err != nil {
		return err
	}
	return os.Rename(linkPin+"_new", linkPin)
}

func run(files []string) error {
	if err := checkLSM(); err != nil {
		return err
	}
	if err := os.Mkdir(pins, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	m, err := openMap()
	if err != nil {
		return fmt.Errorf("%s: %w", mapPin, err)
	}
	defer m.Close()
	for _, path := range files {
		if err := deny(m, path); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return start(m)
}

func main() {
	if len(os.Args) < 2 || os.Args[1] == "--help" {
		fmt.Fprintln(os.Stderr, "Usage: policy FILE...\n       policy --stop")
		os.Exit(2)
	}
	err := error(nil)
	if os.Args[1] == "--stop" {
		err = os.RemoveAll(pins)
	} else {
		err = run(os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "policy:", err)
		os.Exit(1)
	}
}
