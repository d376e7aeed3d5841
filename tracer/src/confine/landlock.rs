//! Which files are open to the process, and which ports: landlock(7), as far as the kernel has it.

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, NetPort,
    PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus,
    Scope,
};
use std::path::{Path, PathBuf};

/// Closes all files but those below these paths, and all ports of TCP but these. Returns the
/// version that the kernel has.
///
/// # Errors
///
/// If the kernel has none, or it is refused: a text that says so.
pub(super) fn apply(
    reads: &[PathBuf],
    writes: &[PathBuf],
    connects: &[u16],
) -> Result<u32, String> {
    let status = restrict(reads, writes, connects).map_err(|failure| failure.to_string())?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) | (_, LandlockStatus::NotImplemented) => {
            Err("the kernel has none".to_owned())
        }
        (_, LandlockStatus::NotEnabled) => {
            Err("not enabled when the kernel was started".to_owned())
        }
        (_, LandlockStatus::Available { effective_abi, .. }) => Ok(effective_abi as u32),
    }
}

fn restrict(
    reads: &[PathBuf],
    writes: &[PathBuf],
    connects: &[u16],
) -> Result<landlock::RestrictionStatus, RulesetError> {
    let read = AccessFs::from_read(NEWEST) & !BitFlags::from(AccessFs::Execute);
    let write =
        read | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::RemoveFile;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    let for_names = if connects.is_empty() { &[][..] } else { &TO_LOOK_UP_NAMES };
    let of_system = OF_ANY_RUN.iter().chain(for_names).map(Path::new);
    for path in of_system.chain(reads.iter().map(PathBuf::as_path)) {
        rules = allow(rules, path, read)?;
    }
    for path in writes {
        rules = allow(rules, path, write)?;
    }
    rules = allow(rules, Path::new("/dev/null"), read | AccessFs::WriteFile)?;
    if !connects.is_empty() {
        for port in connects.iter().chain(&[DNS]) {
            rules = rules.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
        }
    }
    rules.restrict_self()
}

/// A path that does not exist cannot be allowed, and cannot be opened either.
fn allow<R: RulesetCreatedAttr>(
    rules: R,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<R, RulesetError> {
    let Ok(opened) = PathFd::new(path) else { return Ok(rules) };
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(NEWEST) };
    rules.add_rule(PathBeneath::new(opened, access))
}

/// The newest version that this was tried with; what an older one lacks is left out.
const NEWEST: ABI = ABI::V7;

/// Answers that are too long for a datagram are asked for again by TCP.
const DNS: u16 = 53;

/// What is read while a run goes on: what it costs, what the interfaces count, how times are shown.
const OF_ANY_RUN: [&str; 13] = [
    "/proc/self",
    "/proc/stat",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/cpuinfo",
    "/proc/sys/net",
    "/proc/sys/vm/overcommit_memory",
    "/sys/class/net",
    "/sys/devices",
    "/sys/fs/cgroup",
    "/usr/share/zoneinfo",
    "/etc/localtime",
    "/dev/urandom",
];

/// Where the addresses of names and the certificates of servers come from. `/etc` is here whole,
/// as its `resolv.conf` is replaced when the network changes, and what replaces a file is another
/// file to landlock. Modules of the C library that look up names are loaded when they are needed.
const TO_LOOK_UP_NAMES: [&str; 10] = [
    "/etc",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/usr/share/ca-certificates",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/share/ca-certificates",
];
