//! The interfaces of a host, and what is to be known of each before packets of it are captured.

use super::calls::Driver;
use super::finding::Finding;
use super::host::Host;
use crate::numbers::grouped;
use serde::Serialize;

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Whether it is switched on and has a link; none if that is not known.
    pub up: Option<bool>,
    /// Bytes of the largest packet that it sends.
    pub mtu: Option<u64>,
    /// What its packets begin with.
    pub link: String,
    /// What it is: `veth`, `bridge`, a driver's name.
    pub kind: Option<String>,
    /// Queues of packets that come.
    pub queues: usize,
    /// The offloads that are on.
    pub offloads: Vec<&'static str>,
    /// Packets that it missed since it is there, for want of room.
    pub missed: u64,
    /// It stamps packets itself.
    pub stamps: bool,
    /// No IP is to be had of it.
    #[serde(skip)]
    strange: bool,
}

/// All interfaces of this host's network namespace; the kernel is asked where there is no `/proc`.
pub fn interfaces(
    host: &Host,
    named_by_kernel: impl FnOnce() -> Vec<String>,
    driver: impl Fn(&str) -> Driver,
) -> Vec<Interface> {
    // What stands in /proc belongs to the namespace that this process is in; /sys may not.
    let mut names: Vec<String> = host
        .read("/proc/self/net/dev")
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| Some(line.rsplit_once(':')?.0.trim().to_owned()))
        .collect();
    if names.is_empty() {
        names = named_by_kernel();
    }
    names.into_iter().map(|name| Interface::of(host, driver(&name), name)).collect()
}

/// What is to be said of them; of those only that are named, if any are.
pub fn findings(interfaces: &[Interface], named: &[String]) -> Vec<Finding> {
    let names: Vec<&str> = interfaces.iter().map(|interface| interface.name.as_str()).collect();
    let is_meant = |name: &str| named.is_empty() || named.iter().any(|n| n == name || n == "any");
    let missing = named.iter().filter(|name| *name != "any" && !names.contains(&name.as_str()));
    let mut findings: Vec<Finding> = missing
        .map(|name| {
            let remedy = if names.is_empty() {
                "this network namespace has none; enter another one with --netns".to_owned()
            } else {
                format!("name one of {}, or any", names.join(", "))
            };
            Finding::blocks(&check(name), "there is no such interface").remedy(remedy)
        })
        .collect();
    let meant = interfaces.iter().filter(|interface| is_meant(&interface.name));
    findings.extend(meant.map(|interface| {
        // Of those that nobody asked for, it is no news that some are down.
        let is_wanted = named.contains(&interface.name);
        interface.finding(if is_wanted { Down::IsWrong } else { Down::IsNormal })
    }));
    if interfaces.is_empty() && named.is_empty() {
        findings.push(
            Finding::warning("interfaces", "none are to be seen")
                .remedy("see ip link; another namespace is entered with --netns"),
        );
    }
    findings
}

/// Whether an interface should be up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Down {
    IsNormal,
    IsWrong,
}

impl Interface {
    fn of(host: &Host, driver: Driver, name: String) -> Self {
        let path = |file: &str| format!("/sys/class/net/{name}/{file}");
        let flags = host.read(&path("flags"));
        let flags =
            flags.and_then(|text| u32::from_str_radix(text.trim_start_matches("0x"), 16).ok());
        let state = host.read(&path("operstate"));
        let is_up = flags.map(|flags| flags & UP != 0 && state.as_deref() != Some("down"));
        let uevent = host.read(&path("uevent")).unwrap_or_default();
        let declared = uevent.lines().find_map(|line| line.strip_prefix("DEVTYPE="));
        let declared = declared.map(str::to_owned);
        let declared = declared.or_else(|| host.has(&path("bridge")).then(|| "bridge".to_owned()));
        let behind = host.target(&path("device/driver"));
        let kind = declared.or(driver.name).or(behind);
        let link = host.number(&path("type"));
        let (link, strange) = link_name(link);
        let missed = ["rx_missed_errors", "rx_fifo_errors"]
            .iter()
            .filter_map(|file| host.number(&path(&format!("statistics/{file}"))))
            .max();
        let queues = host.list(&path("queues"));
        Self {
            up: is_up,
            mtu: host.number(&path("mtu")),
            link,
            kind,
            queues: queues.iter().filter(|queue| queue.starts_with("rx-")).count(),
            offloads: driver.offloads,
            missed: missed.unwrap_or_default(),
            stamps: driver.stamps,
            strange,
            name,
        }
    }

    fn finding(&self, down: Down) -> Finding {
        let check = check(&self.name);
        let mut facts = vec![match self.up {
            Some(true) => "up".to_owned(),
            Some(false) => "down".to_owned(),
            None => "there".to_owned(),
        }];
        facts.extend(self.kind.iter().filter(|kind| **kind != self.name).cloned());
        facts.push(self.link.clone());
        facts.extend(self.mtu.map(|mtu| format!("MTU {mtu}")));
        facts.extend((self.queues > 1).then(|| format!("{} queues", self.queues)));
        let mut text = facts.join(", ");
        if !self.offloads.is_empty() {
            text.push_str(&format!("; {} on", self.offloads.join(", ")));
        }
        if self.stamps {
            text.push_str("; stamps packets itself");
        }
        if self.strange {
            return Finding::warning(&check, text).remedy("it carries no IP that could be read");
        }
        if self.up == Some(false) && down == Down::IsWrong {
            let remedy = format!("ip link set {} up; packets come once it is", self.name);
            return Finding::warning(&check, text).remedy(remedy);
        }
        if self.missed > 0 {
            text.push_str(&format!("; it missed {} packets so far", grouped(self.missed)));
            let remedy = format!(
                "a larger ring of its own may help: ethtool -g {0}, ethtool -G {0}",
                self.name
            );
            return Finding::warning(&check, text).remedy(remedy);
        }
        if self.offloads.contains(&"lro") {
            let remedy = format!("ethtool -K {} lro off, if it forwards packets", self.name);
            return Finding::ok(&check, text).remedy(remedy);
        }
        Finding::ok(&check, text)
    }
}

fn check(name: &str) -> String {
    format!("interface {name}")
}

/// What an `ARPHRD_` number of linux/if_arp.h means, and whether no IP is to be expected.
fn link_name(number: Option<u64>) -> (String, bool) {
    let name = match number {
        Some(1) => "Ethernet",
        Some(772) => "loopback",
        Some(32) => "InfiniBand",
        Some(512) => "PPP",
        Some(768 | 769 | 776) => "IP tunnel",
        Some(778 | 823) => "GRE tunnel",
        Some(65_534) => "raw IP",
        Some(801..=803) => "Wi-Fi",
        Some(280) => return ("CAN".to_owned(), true),
        Some(824) => return ("netlink".to_owned(), true),
        Some(826) => return ("vsock".to_owned(), true),
        Some(number) => return (format!("link type {number}"), false),
        None => "unknown link type",
    };
    (name.to_owned(), false)
}

/// `IFF_UP` of linux/if.h.
const UP: u32 = 1;
