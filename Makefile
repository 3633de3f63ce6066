# SPDX-License-Identifier: GPL-2.0-only
# The inode map: the kernel module, the BPF objects, the programs, their tests.
# 'make help' tells what can be made. What is built for a kernel is in
# build/RELEASE, so that kernels do not mix.
# selftests/, fuzz/ and scripts/ have a Makefile.inc each: how the tests and the
# fuzzers are built, and what runs in virtual machines.

# --- What can be chosen on the command line -----------------------------------

KERNEL  ?= stock
PREFIX  ?= /usr/local
CLANG   ?= clang
BPFTOOL ?= bpftool
DURATION ?= 60
CFLAGS  ?= -O2 -g

# The one place that has it is the file; scripts/check looks whether others agree.
version := $(shell cat VERSION)

# Administrators' tools are not on everybody's path.
export PATH := $(PATH):/usr/sbin:/sbin

# The running kernel if its headers are installed, or else the test kernel.
ifndef KDIR
KDIR := $(wildcard /lib/modules/$(shell uname -r)/build)
ifeq ($(KDIR),)
KDIR := $(shell scripts/kernel '$(KERNEL)' build 2>/dev/null)
endif
endif
RELEASE := $(if $(KDIR),$(shell cat '$(KDIR)/include/config/kernel.release' 2>/dev/null))
BUILD   ?= build/$(or $(RELEASE),none)

# The kernel's architecture, and what programs for it are compiled with. For one that is
# not this machine's their libraries are in a root directory: see scripts/sysroot.
ifneq ($(RELEASE),)
of_kernel = $(shell scripts/arch '$(KDIR)/' $(1))
ARCH := $(call of_kernel,kernel)
CROSS_COMPILE ?= $(call of_kernel,cross)
endif
ifneq ($(CROSS_COMPILE),)
SYSROOT ?= $(wildcard $(CURDIR)/.kernel/$(call of_kernel,name))
ifeq ($(origin CC),default)
CC := $(CROSS_COMPILE)gcc
endif
sysroot    := $(SYSROOT:%=--sysroot=%)
for_kbuild := ARCH=$(ARCH) CROSS_COMPILE=$(CROSS_COMPILE)
run        := $(call of_kernel,run)
ifneq ($(run),)
BPFTOOL := $(run) -L $(SYSROOT) $(SYSROOT)/usr/sbin/bpftool
endif
endif

ifeq ($(V),1)
say :=
else
Q   := @
say = @printf '  %-8s%s\n'
endif

# --- Everything ---------------------------------------------------------------

GUARD := inode-guard

.DEFAULT_GOAL := all
.PHONY: all module bpf guard examples bench-program
all: inode_map.ko $(GUARD) examples

module: $(BUILD)/inode_map.ko
	@:

inode_map.ko inode-guard: %: $(BUILD)/%
	$(Q)cmp -s $< $@ || cp $< $@

.PHONY: FORCE
FORCE:
.DELETE_ON_ERROR:
.SECONDARY:

# --- The module ---------------------------------------------------------------

# kbuild leaves its objects beside the sources, so it works in a directory of
# symbolic links to them.
module_sources := Kbuild VERSION $(wildcard src/*.[ch] include/*.h include/uapi/linux/*.h)
module_links   := $(module_sources:%=$(BUILD)/module/%)

$(module_links): $(BUILD)/module/%:
	@mkdir -p $(@D)
	@ln -sfr $* $@

$(BUILD)/inode_map.ko: FORCE | $(module_links)
ifeq ($(RELEASE),)
	$(error No kernel to build for: install the headers of the running kernel, run 'make deps' for those of the test kernel, or set KDIR)
endif
	$(Q)$(MAKE) --no-print-directory -C $(KDIR) $(for_kbuild) M=$(abspath $(BUILD)/module) modules
	@readelf -SW $(BUILD)/module/inode_map.ko | grep -q '\.BTF ' || \
		echo 'warning: inode_map.ko has no BTF, so BPF programs cannot call it: $(KDIR)/vmlinux or pahole is missing' >&2
	$(Q)! $(own_inode) || { echo '$(own_inode_why)' >&2 && exit 1; }
	@cmp -s $(BUILD)/module/inode_map.ko $@ || cp $(BUILD)/module/inode_map.ko $@

# pahole has libbpf look which types are the kernel's. To one that is older than the kernel some
# are not, and the verifier takes struct inode for another type than that of the program's inode.
own_inode = $(BPFTOOL) -B $(kernel_btf) btf dump file $(BUILD)/module/inode_map.ko 2>/dev/null | \
	grep "STRUCT 'inode' " >/dev/null
own_inode_why = error: inode_map.ko has a struct inode of its own in its BTF, so the verifier would refuse \
	programs that call bpf_inode_map_update(). The libbpf that pahole uses does not know the BTF of this \
	kernel: Linux 7 takes libbpf 1.7 or later (Debian: libbpf1) and pahole 1.30 or later. \
	Install these and remove $(BUILD)/module/inode_map.ko

# The bench's own module, likewise.
bench_links := $(patsubst bench/%,$(BUILD)/bench/module/%,$(wildcard bench/Kbuild bench/module.c))

$(bench_links): $(BUILD)/bench/module/%: bench/%
	@mkdir -p $(@D)
	@ln -sfr $< $@

$(BUILD)/bench/inode_map_bench.ko: FORCE | $(bench_links)
	$(Q)$(MAKE) --no-print-directory -C $(KDIR) $(for_kbuild) M=$(abspath $(BUILD)/bench/module) modules
	@cmp -s $(BUILD)/bench/module/inode_map_bench.ko $@ || cp $(BUILD)/bench/module/inode_map_bench.ko $@

# --- BPF objects and their skeletons ------------------------------------------

# From the build tree's vmlinux, or from the kernel itself if it is running.
kernel_btf := $(firstword $(wildcard $(KDIR)/vmlinux) \
	$(if $(filter $(shell uname -r),$(RELEASE)),/sys/kernel/btf/vmlinux) $(KDIR)/vmlinux)

$(BUILD)/vmlinux.h: $(kernel_btf)
	$(say) BTF $@
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) btf dump file $< format c >$@

# vmlinux.h of Linux 7 needs -fms-extensions.
bpf_target  := $(if $(RELEASE),$(patsubst big,bpfeb,$(patsubst little,bpfel,$(call of_kernel,endian))))
BPF_CFLAGS  := -target $(bpf_target) -g -O2 -Wall -Wunused-macros -Werror -D__TARGET_ARCH_$(ARCH) \
	-fms-extensions -Wno-microsoft-anon-tag -I$(BUILD) -Iinclude -Iinclude/uapi
bpf_objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard bpf/*.bpf.c bpf/guard/*.bpf.c \
	selftests/*/*.bpf.c selftests/*/*/*.bpf.c stress/*.bpf.c fuzz/*.bpf.c bench/*.bpf.c))

bpf: $(bpf_objects)
	@:

# gen object drops the debugging information that is not BTF.
$(BUILD)/%.bpf.o: %.bpf.c $(BUILD)/vmlinux.h Makefile
	$(say) CLANG $@
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $@.d -MT $@ -c $< -o $@.tmp
	$(Q)$(BPFTOOL) gen object $@ $@.tmp
	@rm $@.tmp

$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name $(or $(skeleton),$(subst -,_,$(*F))) >$@

# Its loader has a struct guard of its own.
$(BUILD)/bpf/guard/guard.skel.h: private skeleton := guard_bpf
$(BUILD)/bpf/guard/seal.skel.h: private skeleton := seal_bpf
guard_skels := $(BUILD)/bpf/guard/guard.skel.h $(BUILD)/bpf/guard/seal.skel.h

# --- Programs -----------------------------------------------------------------

# The last two: what only one file can use. For what headers declare there is scripts/unused.
program_cflags = $(sysroot) -Wall -Wextra -Wmissing-prototypes -Wunused-macros -Werror -D_GNU_SOURCE= $(CFLAGS) \
	-Iinclude -Iinclude/uapi -I$(@D) $(defines) -MMD -MP -MF $@.d -MT $@
libraries := -lbpf -lelf -lz

guard: $(GUARD:%=$(BUILD)/%)
	@:

guard_sources := $(filter-out %.bpf.c,$(wildcard bpf/guard/*.c))
guard_objects := $(guard_sources:%.c=$(BUILD)/%.o)

$(guard_objects): $(BUILD)/%.o: %.c $(guard_skels) Makefile
	$(say) CC $@
	$(Q)$(CC) $(program_cflags) -c $< -o $@

$(BUILD)/bpf/guard/main.o $(BUILD)/tool/bpf/guard/main.o: VERSION
$(BUILD)/bpf/guard/main.o $(BUILD)/tool/bpf/guard/main.o: private defines := -DPROJECT_VERSION='"$(version)"'

$(BUILD)/inode-guard: $(guard_objects)
	$(say) LD $@
	$(Q)$(CC) $(sysroot) $(CFLAGS) $^ $(LDFLAGS) $(libraries) -o $@

# bpf/NAME.c is the loader of bpf/NAME.bpf.c, an example.
examples := $(patsubst %.bpf.c,$(BUILD)/%,$(wildcard bpf/*.bpf.c))

examples: $(examples)
	@:

$(examples): $(BUILD)/%: %.c $(BUILD)/%.skel.h Makefile
	$(say) CC $@
	$(Q)$(CC) $(program_cflags) $< $(LDFLAGS) $(libraries) -o $@

# The templates, each built as who copies it does. Go and Rust take packages of Debian 13.
TEMPLATES ?= c

.PHONY: templates
templates: $(if $(SYSROOT),,$(TEMPLATES:%=$(BUILD)/templates/policy-%))
	@:

$(BUILD)/templates/policy-%: $(wildcard bpf/templates/*/* bpf/templates/*/src/* include/* include/uapi/linux/*) \
		scripts/templates $(kernel_btf)
	$(say) MAKE $@
	$(Q)CLANG='$(CLANG)' BPFTOOL='$(BPFTOOL)' scripts/templates $* '$(kernel_btf)' $@

include selftests/Makefile.inc
include fuzz/Makefile.inc

# What 'make bench' takes into the virtual machine.
bench-program: $(BUILD)/bench/bench $(BUILD)/bench/inode_map_bench.ko
	@:

bench_objects := $(patsubst %.c,$(BUILD)/%.o,$(filter-out %.bpf.c bench/module.c,$(wildcard bench/*.c)))

$(bench_objects): $(BUILD)/%.o: %.c $(BUILD)/bench/bench.skel.h $(BUILD)/bench/rival.skel.h Makefile
	$(say) CC $@
	$(Q)$(CC) $(program_cflags) -c $< -o $@

$(BUILD)/bench/bench: $(bench_objects)
	$(say) LD $@
	$(Q)$(CC) $(sysroot) $(CFLAGS) $(bench_objects) $(LDFLAGS) $(libraries) -pthread -lm -o $@

-include $(wildcard $(BUILD)/*.d $(BUILD)/*/*.d $(BUILD)/*/*/*.d $(BUILD)/*/*/*/*.d)

include scripts/Makefile.inc

# --- Installing ---------------------------------------------------------------

# The packages' rules (scripts/debian/rules) install by these, too. Where systemd looks below another
# directory than PREFIX, as Debian 12 does for its packages, that is said.
SYSTEMD_UNITS ?= $(PREFIX)/lib/systemd/system
# NetworkManager knows no /usr/local.
NM_CONF       ?= $(if $(filter /usr,$(PREFIX)),/usr/lib,/etc)/NetworkManager/conf.d

headers   := include/inode_map.h include/inode_map.bpf.h include/uapi/linux/inode_map.h
into       = $(DESTDIR)$(PREFIX)
installed  = $(DESTDIR)$(INSTALL_MOD_PATH)/lib/modules/$(RELEASE)/extra/inode_map.ko
depmod     = $(if $(DESTDIR),,depmod $(if $(INSTALL_MOD_PATH),-b '$(INSTALL_MOD_PATH)') $(RELEASE))
# What is told that there is another unit.
reload     = $(if $(DESTDIR),,if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi)
of_module  = '$(into)/lib/systemd/network/10-inode-map.network' '$(DESTDIR)$(NM_CONF)/10-inode-map.conf'
of_guard   = '$(into)/sbin/inode-guard' '$(into)/share/man/man8/inode-guard.8' \
	'$(into)/share/man/man5/inode-guard.conf.5' \
	'$(into)/share/bash-completion/completions/inode-guard' \
	'$(DESTDIR)$(SYSTEMD_UNITS)/inode-guard.service'
of_headers = '$(into)/include/inode_map.h' '$(into)/include/inode_map.bpf.h' \
	'$(into)/include/linux/inode_map.h' '$(into)/share/pkgconfig/inode-map.pc' \
	'$(into)/share/man/man3/inode_map.3' '$(into)/share/man/man7/inode_map.7'

.PHONY: install install-module install-network install-guard install-headers uninstall
install: install-module install-network install-guard install-headers

install-module: inode_map.ko
	install -D -m 644 inode_map.ko '$(installed)'
	$(depmod)

# Whoever manages the machine's network leaves the module's device alone.
install-network:
	install -D -m 644 scripts/system/10-inode-map.network '$(into)/lib/systemd/network/10-inode-map.network'
	install -D -m 644 scripts/system/10-inode-map.conf '$(DESTDIR)$(NM_CONF)/10-inode-map.conf'

install-guard: $(GUARD)
	install -D -m 755 inode-guard '$(into)/sbin/inode-guard'
	install -D -m 644 bpf/guard/inode-guard.8 '$(into)/share/man/man8/inode-guard.8'
	install -D -m 644 bpf/guard/inode-guard.conf.5 '$(into)/share/man/man5/inode-guard.conf.5'
	install -D -m 644 bpf/guard/inode-guard.bash '$(into)/share/bash-completion/completions/inode-guard'
	install -d '$(DESTDIR)$(SYSTEMD_UNITS)'
	sed 's|/usr/sbin/inode-guard|$(PREFIX)/sbin/inode-guard|' scripts/system/inode-guard.service \
		>'$(DESTDIR)$(SYSTEMD_UNITS)/inode-guard.service'
	$(reload)

# What programs are built with. It takes nothing that has to be built.
install-headers:
	for header in $(headers); do \
		path=$${header#include/}; \
		install -D -m 644 "$$header" "$(into)/include/$${path#uapi/}" || exit; \
	done
	install -D -m 644 include/inode_map.3 '$(into)/share/man/man3/inode_map.3'
	install -D -m 644 include/inode_map.7 '$(into)/share/man/man7/inode_map.7'
	install -d '$(into)/share/pkgconfig'
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(version)|' include/inode-map.pc.in \
		>'$(into)/share/pkgconfig/inode-map.pc'

uninstall:
	rm -f '$(installed)' $(of_module) $(of_guard) $(of_headers)
	$(depmod)
	$(reload)

# The module by dkms(8), which builds it for each kernel that is installed, now and later, and signs it
# with a key of its own.
dkms_dir = $(DESTDIR)/usr/src/inode-map-$(version)

.PHONY: dkms-source dkms-install dkms-uninstall
dkms-source:
	for file in dkms.conf $(filter-out include/inode_map%,$(module_sources)); do \
		install -D -m 644 "$$file" "$(dkms_dir)/$$file" || exit; \
	done

dkms-install: dkms-source install-network
	dkms install inode-map/$(version)

dkms-uninstall:
	dkms remove inode-map/$(version) --all
	rm -rf '$(dkms_dir)' $(of_module)

# Debian's packages, in build/deb.
.PHONY: deb test-packages
deb:
	@scripts/deps --packages
	@scripts/deb

test-packages: deb
	@scripts/test-packages $(SYSTEMS)

# --- The rest -----------------------------------------------------------------

.PHONY: clean help
clean:
	rm -rf build inode_map.ko inode-guard

help:
	@echo "Build and install:"
	@echo "  all         inode_map.ko, inode-guard and the examples (default)"
	@echo "  examples    the examples in bpf/; they are not installed. They go to"
	@echo "              $(BUILD)/bpf/"
	@echo "  install     install the module, inode-guard with its manual and unit, and the headers"
	@echo "  install-headers  only the headers, with their manuals and a pkg-config file"
	@echo "  uninstall   remove what install installed"
	@echo "  dkms-install  the module only, built by dkms for each kernel; dkms-uninstall"
	@echo "  deb         Debian's packages, in build/deb"
	@echo "  clean       remove what was built (.kernel/, the test kernels, stays)"
	@echo
	@echo "Look at it, in a virtual machine:"
	@echo "  deps        install what building and testing needs (Debian 12 and later)"
	@echo "  demo        show the inode map at work"
	@echo "  shell       a shell in one that has everything"
	@echo
	@echo "Test a change:"
	@echo "  check       static checks: sparse, W=1, two compilers, checkpatch, cppcheck, what is unused,"
	@echo "              licences, shellcheck, the manual and whatever else is written twice"
	@echo "  test        run the tests in a virtual machine: TESTS='NAME...' some of them"
	@echo "  smoke       a few of the tests on two kernels, rt and sid"
	@echo "  model       check the models of the protocol, and that they fail with faults put back"
	@echo
	@echo "Test a release:"
	@echo "  test-all    run the tests on each of these kernels, one after the other, with a table:"
	@echo "              $(shell scripts/test-all --list)"
	@echo "  test-templates  build the templates in C, Go and Rust in a system of Debian 13, and"
	@echo "              test them there"
	@echo "  test-packages  install, boot, upgrade and purge them in systems of Debian 12 and 13"
	@echo
	@echo "Look for what no test has:"
	@echo "  stress      do everything at once for DURATION seconds in a virtual machine"
	@echo "  fuzz        run programs of calls at random, guided by where that brings the"
	@echo "              module's code, for DURATION seconds"
	@echo "  fuzz-tool   fuzz what inode-guard takes from others, with sanitizers, for DURATION"
	@echo "              seconds"
	@echo
	@echo "Measure:"
	@echo "  bench       count instructions in a virtual machine, next to other maps"
	@echo "  bench-scale  likewise with 1,000,000 entries, and with 10,000 maps"
	@echo "  bench-day   likewise of what a user feels, next to other guards; as root"
	@echo
	@echo "Variables of what is built and installed:"
	@echo "  KDIR=DIR            build tree or headers of the kernel that all, install and"
	@echo "                      uninstall are for: of the running kernel if installed,"
	@echo "                      or else of the test kernel. Now:"
	@echo "                      $(or $(KDIR),none found)"
	@echo "  CLANG=PROGRAM       compiler of the BPF programs (clang); test takes the oldest and"
	@echo "                      the newest that there are packages of: $(shell scripts/deps --clangs)"
	@echo "  PREFIX=DIR          where install puts inode-guard and the headers (/usr/local)"
	@echo "  INSTALL_MOD_PATH=DIR  root of the module's /lib/modules"
	@echo "  DESTDIR=DIR         put before every installed path, for packaging"
	@echo "  V=1                 show the commands"
	@echo
	@echo "Variables of what runs in virtual machines:"
	@echo "  KERNEL=NAME         test kernel for test, stress, bench, demo, shell, check: stock (default),"
	@echo "                      another of those of test-all, debug, kcsan, or a directory (see"
	@echo "                      scripts/kernel); those of other systems (scripts/root --list)"
	@echo "                      are Debian's, as root only, each with its own compilers"
	@echo "  ACCEL=kvm           hardware virtualisation, not emulation (see scripts/vm --help)"
	@echo "  TESTS='NAME...'     tests to run; default: all of them"
	@echo "  SYSTEMS='NAME...'   systems of test-packages; default: all of them"
	@echo "  MODELS='NAME...'    models to check; default: all of them"
	@echo "  TIMEOUT=SECONDS     limit for the whole of test (1800, debug 10800; twice that on one processor)"
	@echo "  MACHINES=NUMBER     virtual machines that test runs at a time: as many as processors"
	@echo "  TEST_TIMEOUT=SECONDS  limit for one test program (480, debug 2880)"
	@echo "  SLOWDOWN=NUMBER     multiplies these and all other limits of test, for a machine that is"
	@echo "                      busy with other things (1, debug 6)"
	@echo
	@echo "Variables of stress, fuzz and fuzz-tool:"
	@echo "  DURATION=SECONDS    how long they run (60)"
	@echo "  SEED=NUMBER         for the choices that these make; default: any, and printed"
	@echo "  REPRODUCE=FILE      what fuzz runs over and over: a file that it made when it failed, or one"
	@echo "                      of fuzz/seeds/; or what fuzz-tool runs once, likewise"
	@echo "  MINIMISE=FILE       such a file, which fuzz makes shorter while it still fails"
	@echo "  FROM_NOTHING=1      fuzz begins without the programs that there are"
