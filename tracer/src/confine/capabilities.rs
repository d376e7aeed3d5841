//! Which parts of root's rights are left: capabilities(7), in each of their five sets.

use super::ConfineError;
use caps::{CapSet, Capability, CapsHashSet};

/// What it takes to open `/proc/PID/fd` of others, and to read the links in it.
pub(super) const TO_LOOK_INTO_PROCESSES: [Capability; 2] =
    [Capability::CAP_DAC_READ_SEARCH, Capability::CAP_SYS_PTRACE];

/// What root takes to write into folders of others.
pub(super) const TO_WRITE_AS_ROOT: [Capability; 1] = [Capability::CAP_DAC_OVERRIDE];

/// No program that is run could have capabilities again.
///
/// It takes CAP_SETPCAP, which is gone with root. Who lacks it keeps the set, and cannot run
/// another program anyway where there is seccomp.
pub(super) fn empty_bounding_set() {
    for capability in sorted(caps::all()) {
        // An older kernel does not know all of them.
        let _ = caps::drop(None, CapSet::Bounding, capability);
    }
}

/// Keeps these of what the thread has, and nothing else. Returns what is left.
pub(super) fn keep(wanted: Vec<Capability>) -> Result<Vec<Capability>, ConfineError> {
    let failed = |cause: caps::errors::CapsError| ConfineError::Capabilities(cause.to_string());
    let had = caps::read(None, CapSet::Permitted).map_err(failed)?;
    let kept: CapsHashSet = wanted.into_iter().filter(|one| had.contains(one)).collect();
    // Kernels before 4.3 have no ambient set; on others it shrinks with the two below, too.
    let _ = caps::clear(None, CapSet::Ambient);
    caps::clear(None, CapSet::Inheritable).map_err(failed)?;
    // What is effective must be permitted, whenever the kernel looks.
    caps::set(None, CapSet::Effective, &kept).map_err(failed)?;
    caps::set(None, CapSet::Permitted, &kept).map_err(failed)?;
    Ok(sorted(kept))
}

/// Their names, as `CAP_NET_RAW`.
pub(super) fn names(kept: &[Capability]) -> Vec<String> {
    kept.iter().map(Capability::to_string).collect()
}

fn sorted(set: CapsHashSet) -> Vec<Capability> {
    let mut sorted: Vec<Capability> = set.into_iter().collect();
    sorted.sort_by_key(|capability| capability.index());
    sorted
}
