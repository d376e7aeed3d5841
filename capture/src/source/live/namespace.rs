//! Another network namespace, for as long as sockets are opened in it: they stay in it.

use nix::sched::{CloneFlags, setns};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Does something in another network namespace: one that `ip netns` names, or the path of one, such
/// as `/proc/17/ns/net`. To be called on the main thread only, before there are others.
///
/// # Errors
/// In words, why that cannot be.
pub fn inside<T>(name: &str, act: impl FnOnce() -> T) -> Result<T, String> {
    let path = path_of(name);
    let there = File::open(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            format!("there is no network namespace {name}; ip netns lists those with names")
        }
        _ => format!("network namespace {name}: {error}"),
    })?;
    let here = File::open(HERE).map_err(|error| format!("open {HERE}: {error}"))?;
    let refused = |error: nix::Error| match error {
        nix::Error::EPERM => format!("enter the network namespace {name}: it needs root"),
        other => format!("enter the network namespace {name}: {other}"),
    };
    setns(&there, CloneFlags::CLONE_NEWNET).map_err(refused)?;
    let done = act();
    setns(&here, CloneFlags::CLONE_NEWNET)
        .map_err(|error| format!("come back from the network namespace {name}: {error}"))?;
    Ok(done)
}

/// The number by which the kernel knows a network namespace: one with such a name or path, else the
/// one that this program is in. Nothing where the kernel, before 3.8, numbers none.
pub fn number(name: Option<&str>) -> Option<u64> {
    let path = name.map_or_else(|| PathBuf::from(HERE), path_of);
    std::fs::metadata(path).ok().map(|known| known.ino())
}

fn path_of(name: &str) -> PathBuf {
    if name.contains('/') { PathBuf::from(name) } else { Path::new(NAMED).join(name) }
}

/// Of the main thread; `/proc/thread-self` is not there before Linux 3.17.
const HERE: &str = "/proc/self/ns/net";
/// Where `ip netns add` puts them.
const NAMED: &str = "/run/netns";
