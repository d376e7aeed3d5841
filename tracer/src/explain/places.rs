//! What frames, taps and protocols are called, and filters that show frames in Wireshark.

use crate::exchange::{Half, Mark, ProtocolIndex};
use crate::export::width::clean;
use crate::span::Span;
use crate::summary::protocol_name;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use wirespan_capture::packet::TapId;
use wirespan_capture::stream::Transport;

/// The names of a run.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Of protocols.
    pub protocols: Vec<String>,
    /// Of taps.
    pub taps: Vec<String>,
    /// Of files; where there is one file only, it need not be named.
    pub files: Vec<String>,
}

/// A filter that shows frames of one file in Wireshark or TShark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FrameFilter {
    /// The file, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The filter.
    pub filter: String,
}

impl Places {
    /// The name of a protocol.
    pub fn protocol(&self, protocol: ProtocolIndex) -> &str {
        protocol_name(protocol, &self.protocols)
    }

    /// The name of a tap.
    pub fn tap(&self, tap: TapId) -> String {
        let name = self.taps.get(usize::from(tap.0)).filter(|name| !name.is_empty());
        name.map_or_else(|| "an unnamed tap".to_owned(), |name| clean(name.as_bytes()).into_owned())
    }

    /// The name of the file that holds a byte, where there are several.
    pub fn file(&self, mark: &Mark) -> Option<String> {
        let [_, _, ..] = self.files.as_slice() else { return None };
        let file = usize::from(mark.frame.file.0);
        let name = self.files.get(file).map(|name| clean(name.as_bytes()).into_owned());
        Some(name.unwrap_or_else(|| format!("file {}", file + 1)))
    }

    /// The frames of a message, as in `frames 3-5 of a.pcap`.
    pub fn frames(&self, half: &Half) -> String {
        let of = |mark| self.file(mark).map(|name| format!(" of {name}")).unwrap_or_default();
        let (first, last) = (&half.first, &half.last);
        let (from, to) = (first.frame.number, last.frame.number);
        if first.frame.file != last.frame.file {
            format!("frame {from}{} to frame {to}{}", of(first), of(last))
        } else if from == to {
            format!("frame {from}{}", of(first))
        } else {
            format!("frames {from}-{to}{}", of(first))
        }
    }

    /// Filters that show the frames of some spans, one for each file.
    pub fn filters<'s>(&self, spans: impl Iterator<Item = &'s Span>) -> Vec<FrameFilter> {
        let mut files: BTreeMap<u16, Wanted> = BTreeMap::new();
        for span in spans {
            let e = &*span.exchange;
            for half in std::iter::once(&e.request).chain(&e.response) {
                let (first, last) = (&half.first, &half.last);
                let is_one = first.frame.file == last.frame.file;
                let ends =
                    if is_one { vec![(first, last)] } else { vec![(first, first), (last, last)] };
                for (from, to) in ends {
                    let wanted = files.entry(from.frame.file.0).or_insert_with(|| Wanted {
                        file: self.file(from),
                        frames: Vec::new(),
                        ports: BTreeSet::new(),
                    });
                    let (from, to) = (from.frame.number, to.frame.number);
                    wanted.frames.push((from.min(to), from.max(to)));
                    wanted.ports.insert((e.transport == Transport::Udp, e.client.port()));
                }
            }
        }
        files.into_values().map(Wanted::filter).collect()
    }
}

/// Frames of one file.
struct Wanted {
    file: Option<String>,
    frames: Vec<(u64, u64)>,
    /// The ports of clients, of UDP or TCP.
    ports: BTreeSet<(bool, u16)>,
}

impl Wanted {
    fn filter(self) -> FrameFilter {
        let Self { file, mut frames, ports } = self;
        frames.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::new();
        for (from, to) in frames {
            match merged.last_mut() {
                Some((_, end)) if from <= end.saturating_add(1) => *end = to.max(*end),
                _ => merged.push((from, to)),
            }
        }
        let set = merged.iter().map(|(from, to)| match from == to {
            true => from.to_string(),
            false => format!("{from}..{to}"),
        });
        let mut filter = format!("frame.number in {{{}}}", set.collect::<Vec<_>>().join(", "));
        // Between the first and the last frame of a message lie those of others.
        if merged.iter().any(|(from, to)| to - from > 1) {
            let of = |udp: bool| {
                let ports = ports.iter().filter(|port| port.0 == udp);
                let ports: Vec<String> = ports.map(|(_, port)| port.to_string()).collect();
                let field = if udp { "udp.port" } else { "tcp.port" };
                (!ports.is_empty()).then(|| format!("{field} in {{{}}}", ports.join(", ")))
            };
            match (of(false), of(true)) {
                (Some(tcp), Some(udp)) => filter.push_str(&format!(" && ({tcp} || {udp})")),
                (Some(one), None) | (None, Some(one)) => filter.push_str(&format!(" && {one}")),
                (None, None) => {}
            }
        }
        FrameFilter { file, filter }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(frames: &[(u64, u64)], expected: &str) {
        let ports = [(false, 40_000), (false, 40_001)].into();
        let wanted = Wanted { file: None, frames: frames.to_vec(), ports };
        assert_eq!(wanted.filter().filter, expected, "{frames:?}");
    }

    #[test]
    fn frames_are_a_set_that_wireshark_understands() {
        check(&[(7, 7), (4, 4)], "frame.number in {4, 7}");
        check(&[(4, 5), (4, 4)], "frame.number in {4..5}");
    }

    #[test]
    fn frames_of_others_in_between_are_left_out_by_port() {
        check(&[(4, 6), (9, 9)], "frame.number in {4..6, 9} && tcp.port in {40000, 40001}");
    }
}
