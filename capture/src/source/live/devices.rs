//! The interfaces that can be captured on.

use nix::net::if_::{Interface, if_nameindex};
use pcap::{Device, IfFlags};

/// An interface, as `tcpdump -D` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What to name for it.
    pub name: String,
    /// What libpcap says of it, such as its state.
    pub about: String,
}

/// All interfaces, those first that are most likely wanted.
///
/// # Errors
/// What libpcap said.
pub fn list() -> Result<Vec<Listed>, String> {
    let devices = Device::list().map_err(|error| error.to_string())?;
    Ok(devices.into_iter().filter(is_network).map(listed).collect())
}

/// The names of all interfaces of the network namespace that the thread is in. libpcap lists those
/// of the mounted `/sys`, which may be another one's.
///
/// # Errors
/// What the kernel said.
pub fn names() -> Result<Vec<Listed>, String> {
    let interfaces = if_nameindex().map_err(|error| error.to_string())?;
    let name = |interface: &Interface| interface.name().to_string_lossy().into_owned();
    let listed =
        interfaces.iter().map(|interface| Listed { name: name(interface), about: String::new() });
    Ok(listed.collect())
}

/// Whether packets with IP can come from it: libpcap also lists USB, D-Bus and others.
fn is_network(device: &Device) -> bool {
    let other = ["bluetooth", "usbmon", "dbus-", "nflog", "nfqueue", "rdma"];
    !other.iter().any(|start| device.name.starts_with(start))
}

fn listed(device: Device) -> Listed {
    let flags = [
        (IfFlags::UP, "Up"),
        (IfFlags::RUNNING, "Running"),
        (IfFlags::LOOPBACK, "Loopback"),
        (IfFlags::WIRELESS, "Wireless"),
    ];
    let state = flags.iter().filter(|(flag, _)| device.flags.if_flags.contains(*flag));
    let state: Vec<&str> = state.map(|(_, word)| *word).collect();
    let mut about = device.desc.unwrap_or_default();
    if !state.is_empty() {
        if !about.is_empty() {
            about.push(' ');
        }
        about.push_str(&format!("[{}]", state.join(", ")));
    }
    Listed { name: device.name, about }
}
