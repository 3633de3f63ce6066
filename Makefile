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
WERROR  ?= 1

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

# Warnings are errors, unless WERROR=0: a compiler that is newer than this release may warn of more.
# Packages are built that way.
werror := $(if $(filter-out 0,$(WERROR)),-Werror)

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
	$(error No kernel to build for: install the headers of the running kernel, run 'make deps' for \
		those of the test kernel, or set KDIR)
endif
	$(Q)$(call without_old,$(BUILD)/module/inode_map.ko)
	$(Q)$(MAKE) --no-print-directory -C $(KDIR) $(for_kbuild) WERROR='$(WERROR)' \
		M=$(abspath $(BUILD)/module) modules
	@readelf -SW $(BUILD)/module/inode_map.ko | grep -q '\.BTF ' || echo '$(no_btf)' >&2
	$(Q)! $(own_inode) || { echo '$(own_inode_why)' >&2 && exit 1; }
	@cmp -s $(BUILD)/module/inode_map.ko $@ || cp $(BUILD)/module/inode_map.ko $@

# The BTF of a module builds upon the kernel's, and the kernel refuses it upon any other. kbuild does
# not look whether the kernel's has changed.
without_old = [ ! $(1) -ot $(kernel_btf) ] || rm -f $(1)

no_btf = warning: inode_map.ko has no BTF, so BPF programs cannot call it: $(KDIR)/vmlinux or pahole is \
	missing

# pahole has libbpf look which types are the kernel's. To one that is older than the kernel some
# are not, and the verifier takes struct inode for another type than that of the program's inode.
own_inode = $(BPFTOOL) -B $(kernel_btf) btf dump file $(BUILD)/module/inode_map.ko 2>/dev/null | \
	grep "STRUCT 'inode' " >/dev/null
own_inode_why = error: inode_map.ko has a struct inode of its own in its BTF, so the verifier would \
	refuse programs that call bpf_inode_map_update(). The libbpf that pahole uses does not know the BTF \
	of this kernel: Linux 7 takes libbpf 1.7 or later (Debian: libbpf1) and pahole 1.30 or later. \
	Install these and remove $(BUILD)/module/inode_map.ko

# --- BPF objects and their skeletons ------------------------------------------

# From the build tree's vmlinux, or from the kernel itself if it is running.
kernel_btf := $(firstword $(wildcard $(KDIR)/vmlinux) \
	$(if $(filter $(shell uname -r),$(RELEASE)),/sys/kernel/btf/vmlinux) $(KDIR)/vmlinux)

$(BUILD)/vmlinux.h: $(kernel_btf)
	$(say) BTF $@
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) btf dump file $< format c >$@

# vmlinux.h of Linux 7 needs -fms-extensions.
bpf_target_big    := bpfeb
bpf_target_little := bpfel
bpf_target  := $(if $(RELEASE),$(bpf_target_$(call of_kernel,endian)))
BPF_CFLAGS  := -target $(bpf_target) -g -O2 -Wall -Wunused-macros $(werror) -D__TARGET_ARCH_$(ARCH) \
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

# -Wmissing-prototypes and -Wunused-macros: what only one file can use. For what headers declare there is
# scripts/unused.
program_cflags = $(sysroot) -Wall -Wextra -Wmissing-prototypes -Wunused-macros $(werror) -D_GNU_SOURCE= \
	$(CFLAGS) -Iinclude -Iinclude/uapi -I$(@D) $(defines) -MMD -MP -MF $@.d -MT $@
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
include bench/Makefile.inc

-include $(wildcard $(BUILD)/*.d $(BUILD)/*/*.d $(BUILD)/*/*/*.d $(BUILD)/*/*/*/*.d)

include scripts/Makefile.inc

include scripts/Makefile.install

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
	@echo "  WERROR=0            warnings of compilers are no errors"
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
	@echo "  TIMEOUT=SECONDS     limit for the whole of test (3600, debug 21600; twice that on one processor)"
	@echo "  MACHINES=NUMBER     virtual machines that test runs at a time: as many as processors"
	@echo "  TEST_TIMEOUT=SECONDS  limit for one test program (1440, debug 8640)"
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
