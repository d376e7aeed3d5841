//! Second, small sockets beside those whose packets the kernel filters: they see what the filter
//! leaves out, and tell whether it holds for what is in tags and tunnels there.

use super::Options;
use super::ring::link_type;
use crate::filter::wrapped::{Loss, Probe};
use crate::packet::{LinkType, Timestamp};
use pcap::{Active, Capture, Linktype, Precision};

/// The probes of all interfaces. Where one cannot be opened, nothing is said.
#[derive(Default)]
pub(super) struct Probes {
    groups: Vec<Group>,
    /// When they were looked at last.
    looked: Timestamp,
}

/// The interfaces of one link type: one warning is enough for them.
struct Group {
    link: LinkType,
    probe: Probe,
    sockets: Vec<Capture<Active>>,
    since: Timestamp,
}

impl Probes {
    /// Opens a socket on each interface, where there is a filter that can leave something out.
    pub(super) fn open(options: &Options, now: Timestamp) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        let Some(expression) = &options.filter else { return Self::default() };
        for name in &options.interfaces {
            let Ok((mut socket, link)) = open(name, options) else { continue };
            let place = match groups.iter().position(|group| group.link == link) {
                Some(place) => place,
                None => {
                    let Some(probe) = Probe::of(expression, link) else { continue };
                    groups.push(Group { link, probe, sockets: Vec::new(), since: now });
                    groups.len() - 1
                }
            };
            let Some(group) = groups.get_mut(place) else { continue };
            if socket.filter(group.probe.expression(), true).is_ok() {
                group.sockets.push(socket);
            }
        }
        Self { groups, looked: now }
    }

    /// Looks at what came, if it is time; says what filters lose that was not said yet.
    pub(super) fn look(&mut self, now: Timestamp) -> Vec<Loss> {
        if self.groups.is_empty() || now.0.saturating_sub(self.looked.0) < LOOK_EVERY {
            return Vec::new();
        }
        self.looked = now;
        let mut told = Vec::new();
        self.groups.retain_mut(|group| {
            group.drain();
            let loss = group.probe.loss_once();
            let goes_on = loss.is_none();
            told.extend(loss);
            if group.probe.is_done() {
                group.sockets.clear();
            }
            goes_on
        });
        told
    }

    /// Looks a last time; says what was not said before.
    pub(super) fn conclude(&mut self) -> Vec<Loss> {
        let groups = self.groups.drain(..).filter_map(|mut group| {
            group.drain();
            group.probe.loss()
        });
        groups.collect()
    }
}

impl Group {
    fn drain(&mut self) {
        let Self { link, probe, sockets, since } = self;
        for socket in sockets {
            for _ in 0..ROUNDS {
                let read = socket.dispatch(Some(AT_A_TIME), |packet| {
                    let moment = packet.header.ts;
                    // What came before the filter was there is not what it leaves out.
                    if moment.tv_sec * 1_000_000_000 + moment.tv_usec >= since.0 {
                        probe.observe(*link, packet.data, packet.header.len);
                    }
                });
                // An interface that is down may be up again.
                if !matches!(read, Ok(1..)) {
                    break;
                }
            }
        }
    }
}

fn open(name: &str, options: &Options) -> Result<(Capture<Active>, LinkType), pcap::Error> {
    let socket = Capture::from_device(name)?
        .snaplen(SNAPLEN)
        // The first socket has seen to it.
        .promisc(false)
        .buffer_size(RING_BYTES)
        .precision(Precision::Nano)
        .timeout(TIMEOUT_MS);
    let mut socket = socket.open()?.setnonblock()?;
    if super::is_any(name) {
        let _ = socket.set_datalink(Linktype(i32::from(LinkType::LINUX_SLL2.0)));
    }
    if let Some(direction) = options.direction {
        socket.direction(direction.into())?;
    }
    let link = link_type(socket.get_datalink().0);
    Ok((socket, link))
}

/// Bytes of a packet that are kept: its headers.
const SNAPLEN: i32 = 256;
/// Four blocks of the kernel, which hold what comes between two looks, be it little or much.
const RING_BYTES: i32 = 1 << 20;
/// Milliseconds after which a block is handed over that is not full: four of them last for longer
/// than it takes to the next look, and one for no longer than is waited at the end.
const TIMEOUT_MS: i32 = 40;
/// Nanoseconds between two looks.
const LOOK_EVERY: i64 = 100_000_000;
/// Packets that libpcap gives in one go, and how often it is asked in one look: no more than the
/// ring holds.
const AT_A_TIME: usize = 256;
const ROUNDS: usize = 64;
