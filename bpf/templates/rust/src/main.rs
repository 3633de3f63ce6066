// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

//! The loader: denies opening the files on its command line, and ends. The map and the program's
//! link stay pinned. A second run adds files to the map, and replaces the program.

use std::error::Error;
use std::ffi::{CString, OsStr};
use std::fs;
use std::io;
use std::mem::size_of;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::exit;
use std::ptr::null;

use libbpf_rs::btf::types::DataSec;
use libbpf_rs::btf::{Btf, BtfType};
use libbpf_rs::{AsRawLibbpf, MapCore, MapFlags, MapHandle, MapType, ObjectBuilder, OpenObject};

const DEVICE: &str = "inode_map";
const PINS: &str = "/sys/fs/bpf/policy";
const MAP_PIN: &str = "/sys/fs/bpf/policy/denied";
const LINK_PIN: &str = "/sys/fs/bpf/policy/deny_open";
const LINK_PIN_NEW: &str = "/sys/fs/bpf/policy/deny_open_new";
const LSM_LIST: &str = "/sys/kernel/security/lsm";
const MAX_FILES: u32 = 1024;

/// Size of struct inode_map_key, which begins with a descriptor: see linux/inode_map.h.
const KEY_SIZE: usize = 32;
const VALUE_SIZE: u32 = 4;

static OBJECT: &[u8] = include_bytes!("../policy.bpf.o");

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A kernel that was booted without "bpf" in its list of security modules lets programs attach to
/// security hooks, and never calls them: the policy would look as if it were in place.
fn check_lsm() -> Result<()> {
    let list = fs::read_to_string(LSM_LIST).map_err(at(LSM_LIST))?;
    if list.trim().split(',').any(|name| name == "bpf") {
        return Ok(());
    }
    Err("the kernel calls no BPF programs at security hooks: boot it with lsm=...,bpf".into())
}

fn create_map() -> Result<MapHandle> {
    let device = CString::new(DEVICE)?;
    let opts = libbpf_sys::bpf_map_create_opts {
        sz: size_of::<libbpf_sys::bpf_map_create_opts>() as _,
        // SAFETY: device is a C string.
        map_ifindex: unsafe { libc::if_nametoindex(device.as_ptr()) },
        ..Default::default()
    };
    if opts.map_ifindex == 0 {
        return Err(format!("no device {DEVICE}: is the module loaded?").into());
    }
    let size = KEY_SIZE as u32;
    let mut map = MapHandle::create(MapType::Hash, Some("denied"), size, VALUE_SIZE, MAX_FILES, &opts)?;
    map.pin(MAP_PIN)?;
    Ok(map)
}

/// Open the pinned map, or make a new one.
fn open_map() -> Result<MapHandle> {
    if !Path::new(MAP_PIN).exists() {
        return create_map();
    }
    let map = MapHandle::from_pinned_path(MAP_PIN)?;
    let info = map.info()?.info;
    if (info.key_size, info.value_size, info.max_entries) != (KEY_SIZE as u32, VALUE_SIZE, MAX_FILES) {
        return Err("what is pinned there is another map".into());
    }
    Ok(map)
}

fn deny(map: &MapHandle, path: &str) -> Result<()> {
    let file = fs::OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path)?;
    let mut key = [0; KEY_SIZE];
    key[..4].copy_from_slice(&file.as_raw_fd().to_ne_bytes());
    map.update(&key, &1u32.to_ne_bytes(), MapFlags::ANY)?;
    Ok(())
}

/// Put what failed in front of an error.
fn at<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> String + '_ {
    move |error| format!("{what}: {error}")
}

/// The bytes of a constant in the program's .rodata.
fn constant(object: &OpenObject, name: &str) -> Option<Range<usize>> {
    // SAFETY: the object outlives this BTF.
    let btf = Btf::from_bpf_object(unsafe { object.as_libbpf_object().as_ref() }).ok()??;
    let section: DataSec = btf.type_by_name(".rodata")?;
    let is_it = |id| btf.type_by_id::<BtfType>(id).and_then(|t| t.name()) == Some(OsStr::new(name));
    let var = section.iter().find(|var| is_it(var.ty))?;
    let begin = var.offset as usize;
    Some(begin..begin + var.size)
}

/// Replace the program that is pinned, so that one of the two is always attached.
fn start(map: &MapHandle) -> Result<()> {
    let mut open = ObjectBuilder::default().open_memory(OBJECT).map_err(at("reading the program"))?;
    let place = constant(&open, "denied_id").ok_or("the program has no denied_id")?;
    let id = map.info()?.info.id.to_ne_bytes();
    for mut data in open.maps_mut() {
        if data.name().to_string_lossy().ends_with(".rodata") {
            let values = data.initial_value_mut().ok_or("the constants have no values")?;
            values[place.clone()].copy_from_slice(&id);
        }
    }
    let object = open.load().map_err(at("loading the program"))?;
    let program = object.progs_mut().find(|p| p.name() == "deny_open").ok_or("no such program")?;
    // An unbound map is freed with its last descriptor or pin, and the program then finds nothing.
    let (program_fd, map_fd) = (program.as_fd().as_raw_fd(), map.as_fd().as_raw_fd());
    // SAFETY: both are open, and there are no options.
    if unsafe { libbpf_sys::bpf_prog_bind_map(program_fd, map_fd, null()) } != 0 {
        return Err(at("binding the map")(io::Error::last_os_error()).into());
    }
    let mut link = program.attach_lsm().map_err(at("attaching the program"))?;
    let _ = fs::remove_file(LINK_PIN_NEW);
    link.pin(LINK_PIN_NEW).map_err(at(LINK_PIN_NEW))?;
    fs::rename(LINK_PIN_NEW, LINK_PIN)?;
    Ok(())
}

fn run(files: &[String]) -> Result<()> {
    check_lsm()?;
    fs::create_dir_all(PINS)?;
    let map = open_map().map_err(at(MAP_PIN))?;
    for path in files {
        deny(&map, path).map_err(at(path))?;
    }
    start(&map)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.first().map(String::as_str) {
        None | Some("--help") => {
            eprintln!("Usage: policy FILE...\n       policy --stop");
            exit(2);
        }
        Some("--stop") => fs::remove_dir_all(PINS).map_err(|e| e.into()),
        Some(_) => run(&arguments),
    };
    if let Err(error) = result {
        eprintln!("policy: {error}");
        exit(1);
    }
}
