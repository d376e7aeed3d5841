//! What a host allows: its files and a few tries in, findings with remedies out. Nothing is changed,
//! nothing is captured, and bpf(2) is never called.

pub mod host;
pub mod finding;
pub mod calls;
pub mod rights;
pub mod kernel;
pub mod interfaces;

use finding::{Finding, Verdict};
use host::Host;
use interfaces::Interface;
use rights::Rights;
use serde::Serialize;
use std::path::Path;

/// All that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether packets can be captured live.
    pub live: Live,
    /// What libpcap says of itself.
    pub libpcap: String,
    /// What was found, from what matters most.
    pub checks: Vec<Finding>,
    /// All interfaces.
    pub interfaces: Vec<Interface>,
}

/// Whether packets can be captured live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Live {
    /// They can.
    Possible,
    /// They can, and something is lost or slow.
    WithWarnings,
    /// They cannot.
    Impossible,
}

impl Report {
    /// Of a host with these findings.
    pub fn of(libpcap: String, checks: Vec<Finding>, interfaces: Vec<Interface>) -> Self {
        let live = if checks.iter().any(|finding| finding.blocks) {
            Live::Impossible
        } else if checks.iter().any(|finding| finding.verdict != Verdict::Ok) {
            Live::WithWarnings
        } else {
            Live::Possible
        };
        Self { live, libpcap, checks, interfaces }
    }
}

/// Examines this host; of its interfaces only those that are named, if any are. The ring is what
/// live capture takes for each interface, in bytes.
pub fn examine(named: &[String], ring: u64) -> Report {
    let host = Host::at("/");
    let rights = Rights::of(&host);
    let libpcap = calls::libpcap();
    let mut checks = vec![kernel::kernel(&host, calls::page_size()), kernel::libpcap(&libpcap)];
    checks.extend(rights.findings(&host));
    checks.extend(kernel::sockets(&calls::attempt(ring), ring, &rights));
    checks.push(kernel::filters(&host));
    checks.extend(kernel::clock(&host, calls::clock()));
    checks.push(kernel::memory(&host, ring));
    checks.push(kernel::disk(calls::free_space(Path::new("."))));
    checks.extend(kernel::confinement(&host, calls::landlock()));
    checks.extend(kernel::programs(&host));
    let interfaces = interfaces::interfaces(&host, calls::interface_names, calls::driver);
    checks.extend(interfaces::findings(&interfaces, named));
    Report::of(libpcap, checks, interfaces)
}

#[cfg(test)]
mod tests;
