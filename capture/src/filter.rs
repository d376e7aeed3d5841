//! A filter expression in, "keep it" or "leave it out" per packet out.
//!
//! libpcap compiles the expression, so that the language is exactly tcpdump's
//! (<https://www.tcpdump.org/manpages/pcap-filter.7.html>). The program is run here: the `pcap`
//! crate can run it only on packets that were kept whole, and its programs stay in one thread.

pub mod image;
pub mod wrapped;

use crate::packet::{Batch, LinkType, PacketHead};
use pcap::{Capture, Linktype};
use std::fmt;
use wrapped::{Loss, Wrapped};

/// A compiled expression for packets of one link type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    program: Vec<Instruction>,
}

/// One instruction of classic BPF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Operation, size and mode.
    pub code: u16,
    /// How many instructions to leave out if a comparison holds.
    pub jt: u8,
    /// How many if it does not.
    pub jf: u8,
    /// The constant.
    pub k: u32,
}

/// Why an expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("compile the filter for {link}: {reason}")]
pub struct FilterError {
    /// The link type that it was compiled for.
    pub link: LinkType,
    /// What libpcap said.
    pub reason: String,
}

/// One expression for packets of any link type: compiled for each one that is met.
#[derive(Clone, Debug)]
pub struct Filters {
    expression: String,
    /// In order of first appearance; there are few.
    programs: Vec<(LinkType, Result<Filter, FilterError>)>,
    left_out: u64,
    unfiltered: u64,
    /// What is told of packets that are left out for their tags.
    wrapped: Option<Wrapped>,
}

impl Filter {
    /// Compiles an expression.
    ///
    /// # Errors
    /// What libpcap says of it: most often `syntax error`, or that the link type has no such thing.
    pub fn compile(expression: &str, link: LinkType) -> Result<Self, FilterError> {
        Self::compile_as(expression, link, true)
    }

    /// Compiles an expression and leaves the program as it was generated, as `tcpdump -O` does.
    ///
    /// # Errors
    /// As those of [`Filter::compile`].
    pub fn compile_plainly(expression: &str, link: LinkType) -> Result<Self, FilterError> {
        Self::compile_as(expression, link, false)
    }

    /// The same program that keeps so many bytes of what it accepts.
    #[must_use]
    pub fn returning(mut self, snap_length: u32) -> Self {
        for instruction in &mut self.program {
            if instruction.code == RET && instruction.k != 0 {
                instruction.k = snap_length;
            }
        }
        self
    }

    fn compile_as(expression: &str, link: LinkType, optimize: bool) -> Result<Self, FilterError> {
        let failed = |error: pcap::Error| FilterError {
            link,
            reason: match error {
                pcap::Error::PcapError(reason) => reason,
                other => other.to_string(),
            },
        };
        let compiled = Capture::dead(Linktype(data_link(link)))
            .and_then(|dead| dead.compile(expression, optimize))
            .map_err(failed)?;
        let program = compiled.get_instructions().iter().map(|instruction| {
            // The crate keeps the fields private, but prints them.
            let text = instruction.to_string();
            Instruction::parse(&text).ok_or_else(|| FilterError {
                link,
                reason: format!("the pcap crate prints an instruction as {text:?}"),
            })
        });
        Ok(Self { program: program.collect::<Result<_, _>>()? })
    }

    /// Whether the expression holds for a packet, of which `bytes` were kept.
    pub fn accepts(&self, bytes: &[u8], wire_len: u32) -> bool {
        run(&self.program, bytes, wire_len) != 0
    }

    /// The program, as `tcpdump -dd` prints it.
    pub fn instructions(&self) -> &[Instruction] {
        &self.program
    }
}

impl Filters {
    /// Compiles an expression for Ethernet at once, to know whether it is well-formed.
    ///
    /// # Errors
    /// What libpcap says of it.
    pub fn new(expression: &str) -> Result<Self, FilterError> {
        let ethernet = Filter::compile(expression, LinkType::ETHERNET)?;
        Ok(Self {
            expression: expression.to_owned(),
            wrapped: Wrapped::of(expression, ethernet.clone()),
            programs: vec![(LinkType::ETHERNET, Ok(ethernet))],
            left_out: 0,
            unfiltered: 0,
        })
    }

    /// Leaves only the packets for which the expression holds, and notes for which of the others it
    /// holds inside of tags and tunnels.
    pub fn retain(&mut self, batch: &mut Batch) {
        let buffer = &batch.buffer;
        batch.packets.retain(|packet| {
            let bytes = buffer.get(packet.bytes.clone()).unwrap_or_default();
            let keep = self.accepts(packet, bytes);
            if let (false, Some(wrapped)) = (keep, &mut self.wrapped) {
                wrapped.observe(packet.link, bytes, packet.wire_len);
            }
            keep
        });
    }

    /// What was left out though the expression holds inside of tags and tunnels: once, while it goes
    /// on, when it is at least so many packets.
    pub fn loss_once(&mut self, at_least: u64) -> Option<Loss> {
        self.wrapped.as_mut()?.loss_once(at_least)
    }

    /// What was left out though the expression holds inside of tags and tunnels, if anything was.
    pub fn loss(&self) -> Option<Loss> {
        self.wrapped.as_ref()?.loss()
    }

    /// Whether the expression holds for a packet, of which `bytes` were kept; counts it.
    pub fn accepts(&mut self, packet: &PacketHead, bytes: &[u8]) -> bool {
        let keep = match self.program(packet.link) {
            Ok(filter) => filter.accepts(bytes, packet.wire_len),
            Err(_) => {
                self.unfiltered += 1;
                false
            }
        };
        self.left_out += u64::from(!keep);
        keep
    }

    /// How many packets were left out so far.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// How many of those because the expression has no meaning on their link type.
    pub fn unfiltered(&self) -> u64 {
        self.unfiltered
    }

    /// The link types that were met on which the expression has no meaning, and why.
    pub fn refused(&self) -> impl Iterator<Item = &FilterError> {
        self.programs.iter().filter_map(|(_, program)| program.as_ref().err())
    }

    fn program(&mut self, link: LinkType) -> &Result<Filter, FilterError> {
        let index = match self.programs.iter().position(|(known, _)| *known == link) {
            Some(index) => index,
            None => {
                self.programs.push((link, Filter::compile(&self.expression, link)));
                self.programs.len() - 1
            }
        };
        &self.programs[index].1
    }
}

impl Instruction {
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split_ascii_whitespace();
        let instruction = Self {
            code: fields.next()?.parse().ok()?,
            jt: fields.next()?.parse().ok()?,
            jf: fields.next()?.parse().ok()?,
            k: fields.next()?.parse().ok()?,
        };
        fields.next().is_none().then_some(instruction)
    }
}

impl fmt::Display for Instruction {
    /// As `tcpdump -ddd` prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.code, self.jt, self.jf, self.k)
    }
}

/// The link type that tcpdump's `-y` calls so (`EN10MB`, `LINUX_SLL2`, in any case, also with the
/// `DLT_` of libpcap's headers), or that has this number; none if there is no such name.
pub fn link_named(word: &str) -> Option<LinkType> {
    if let Ok(number) = word.parse() {
        return Some(LinkType(number));
    }
    let name = word.get(..4).filter(|start| start.eq_ignore_ascii_case("DLT_"));
    let name = word.get(name.map_or(0, str::len)..)?;
    // Where libpcap and files number differently, none of libpcap's numbers is a file's for
    // something else.
    u16::try_from(Linktype::from_name(name).ok()?.0).ok().map(LinkType)
}

/// libpcap's number for a link type, where it is not the one in files; see its `pcap-common.c`.
fn data_link(link: LinkType) -> i32 {
    i32::from(match link.0 {
        14 | 101 => 12,
        100 => 11,
        102 => 15,
        103 => 16,
        106 => 19,
        same => same,
    })
}

/// Runs a program as libpcap's `bpf_filter.c` does: whatever reads outside of the packet, divides
/// by zero or is no instruction gives 0, which is "leave it out".
fn run(program: &[Instruction], bytes: &[u8], wire_len: u32) -> u32 {
    let mut a: u32 = 0;
    let mut x: u32 = 0;
    let mut memory = [0_u32; MEMORY_WORDS];
    let mut next: usize = 0;
    for _ in 0..STEP_LIMIT {
        let Some(&Instruction { code, jt, jf, k }) = program.get(next) else { return 0 };
        next += 1;
        let operand = if code & SRC_X != 0 { x } else { k };
        match code & CLASS {
            LD => {
                let value = match code & MODE {
                    IMM => Some(k),
                    ABS => load(bytes, Some(k), code & SIZE),
                    IND => load(bytes, x.checked_add(k), code & SIZE),
                    MEM => word(&memory, k),
                    LEN => Some(wire_len),
                    _ => None,
                };
                let Some(value) = value else { return 0 };
                a = value;
            }
            LDX => {
                let value = match code & MODE {
                    IMM => Some(k),
                    MEM => word(&memory, k),
                    LEN => Some(wire_len),
                    // The length of an IPv4 header.
                    MSH => load(bytes, Some(k), B).map(|first| (first & 0xf) * 4),
                    _ => None,
                };
                let Some(value) = value else { return 0 };
                x = value;
            }
            ST | STX => {
                let place = usize::try_from(k).ok().and_then(|k| memory.get_mut(k));
                let Some(place) = place else { return 0 };
                *place = if code & CLASS == ST { a } else { x };
            }
            ALU => {
                let value = match code & OPERATION {
                    ADD => Some(a.wrapping_add(operand)),
                    SUB => Some(a.wrapping_sub(operand)),
                    MUL => Some(a.wrapping_mul(operand)),
                    DIV => a.checked_div(operand),
                    MOD => a.checked_rem(operand),
                    OR => Some(a | operand),
                    AND => Some(a & operand),
                    XOR => Some(a ^ operand),
                    // libpcap defines shifts by more than 31 as giving 0.
                    LSH => Some(a.checked_shl(operand).unwrap_or(0)),
                    RSH => Some(a.checked_shr(operand).unwrap_or(0)),
                    NEG => Some(a.wrapping_neg()),
                    _ => None,
                };
                let Some(value) = value else { return 0 };
                a = value;
            }
            JMP => {
                let holds = match code & OPERATION {
                    JA => {
                        // `protochain` jumps backwards, which is why steps are counted.
                        next = next.wrapping_add_signed(k.cast_signed() as isize);
                        continue;
                    }
                    JEQ => a == operand,
                    JGT => a > operand,
                    JGE => a >= operand,
                    JSET => a & operand != 0,
                    _ => return 0,
                };
                next += usize::from(if holds { jt } else { jf });
            }
            RET => return if code & RETURN_A != 0 { a } else { k },
            MISC if code & TXA != 0 => a = x,
            MISC => x = a,
            _ => return 0,
        }
    }
    0
}

fn load(bytes: &[u8], at: Option<u32>, size: u16) -> Option<u32> {
    let rest = bytes.get(usize::try_from(at?).ok()?..)?;
    match size {
        W => rest.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)),
        H => rest.first_chunk().map(|bytes| u32::from(u16::from_be_bytes(*bytes))),
        B => rest.first().map(|byte| u32::from(*byte)),
        _ => None,
    }
}

fn word(memory: &[u32], k: u32) -> Option<u32> {
    memory.get(usize::try_from(k).ok()?).copied()
}

/// More than any program needs; ends a `protochain` that a packet leads in a circle.
const STEP_LIMIT: usize = 65_536;
const MEMORY_WORDS: usize = 16;

// The fields of an instruction's code, see net/bpf.h.
const CLASS: u16 = 0x07;
const SIZE: u16 = 0x18;
const MODE: u16 = 0xe0;
const OPERATION: u16 = 0xf0;
const SRC_X: u16 = 0x08;
const RETURN_A: u16 = 0x10;
const TXA: u16 = 0x80;

const LD: u16 = 0x00;
const LDX: u16 = 0x01;
const ST: u16 = 0x02;
const STX: u16 = 0x03;
const ALU: u16 = 0x04;
const JMP: u16 = 0x05;
const RET: u16 = 0x06;
const MISC: u16 = 0x07;

const W: u16 = 0x00;
const H: u16 = 0x08;
const B: u16 = 0x10;

const IMM: u16 = 0x00;
const ABS: u16 = 0x20;
const IND: u16 = 0x40;
const MEM: u16 = 0x60;
const LEN: u16 = 0x80;
const MSH: u16 = 0xa0;

const ADD: u16 = 0x00;
const SUB: u16 = 0x10;
const MUL: u16 = 0x20;
const DIV: u16 = 0x30;
const OR: u16 = 0x40;
const AND: u16 = 0x50;
const LSH: u16 = 0x60;
const RSH: u16 = 0x70;
const NEG: u16 = 0x80;
const MOD: u16 = 0x90;
const XOR: u16 = 0xa0;

const JA: u16 = 0x00;
const JEQ: u16 = 0x10;
const JGT: u16 = 0x20;
const JGE: u16 = 0x30;
const JSET: u16 = 0x40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{FileId, Frame, InterfaceId, PacketHead, Timestamp};

    /// Ethernet, IPv4 with 20 bytes of header, TCP from 10.0.0.1:1024 to 10.0.0.2:80 with a SYN,
    /// and the payload `GET `.
    const TCP: &[u8] = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0\
        \x45\0\0\x2c\0\x01\0\0\x40\x06\0\0\x0a\0\0\x01\x0a\0\0\x02\
        \x04\0\0\x50\0\0\0\x01\0\0\0\0\x50\x02\xff\xff\0\0\0\0GET ";

    /// The same with a VLAN tag 7, as UDP to port 53.
    const UDP: &[u8] = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x81\0\0\x07\x08\0\
        \x45\0\0\x20\0\x01\0\0\x40\x11\0\0\x0a\0\0\x01\x0a\0\0\x02\
        \x04\0\0\x35\0\x0c\0\0abcd";

    /// IPv6 with a hop-by-hop header before an ICMPv6 echo request.
    const IPV6: &[u8] = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x86\xdd\
        \x60\0\0\0\0\x10\0\x40\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\
        \xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\x3a\0\x01\x04\0\0\0\0\x80\0\0\0\0\0\0\0";

    fn check(expression: &str, packet: &[u8], expected: bool) {
        let filter = Filter::compile(expression, LinkType::ETHERNET).unwrap();
        let len = u32::try_from(packet.len()).unwrap();
        assert_eq!(filter.accepts(packet, len), expected, "{expression}");
    }

    #[test]
    fn addresses_and_ports_are_matched() {
        check("tcp port 80", TCP, true);
        check("tcp port 81", TCP, false);
        check("host 10.0.0.2 and dst port 80", TCP, true);
        check("net 10.1.0.0/16", TCP, false);
        check("vlan 7 and udp port 53", UDP, true);
        check("vlan 8", UDP, false);
        check("udp", TCP, false);
    }

    #[test]
    fn payload_behind_a_header_of_variable_length_is_matched() {
        check("tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420", TCP, true);
        check("tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", TCP, true);
        check("tcp[tcpflags] & tcp-rst != 0", TCP, false);
    }

    #[test]
    fn a_chain_of_headers_is_followed_backwards_jumps_and_all() {
        check("ip6 protochain 58", IPV6, true);
        check("ip6 protochain 6", IPV6, false);
    }

    #[test]
    fn length_is_that_on_the_wire() {
        let filter = Filter::compile("greater 1000", LinkType::ETHERNET).unwrap();
        assert!(filter.accepts(TCP, 1_500));
        assert!(!filter.accepts(TCP, 58));
        let filter = Filter::compile("len <= 100", LinkType::ETHERNET).unwrap();
        assert!(!filter.accepts(TCP, 1_500));
    }

    #[test]
    fn every_link_type_has_its_own_program() {
        let ip = &TCP[14..];
        for link in [LinkType::RAW, LinkType::RAW_BSD, LinkType::RAW_OPENBSD, LinkType::IPV4] {
            assert!(Filter::compile("tcp port 80", link).unwrap().accepts(ip, 44), "{link:?}");
        }
        let mut cooked = b"\x08\0\0\0\0\0\0\x02\0\x01\0\x06\x02\0\0\0\0\x01\0\0".to_vec();
        cooked.extend_from_slice(ip);
        let filter = Filter::compile("tcp port 80", LinkType::LINUX_SLL2).unwrap();
        assert!(filter.accepts(&cooked, 64));
    }

    #[test]
    fn link_types_are_named_as_tcpdump_names_them() {
        assert_eq!(link_named("EN10MB"), Some(LinkType::ETHERNET));
        assert_eq!(link_named("dlt_linux_sll2"), Some(LinkType::LINUX_SLL2));
        assert_eq!(link_named("raw"), Some(LinkType::RAW_BSD));
        assert_eq!(link_named("101"), Some(LinkType::RAW));
        assert_eq!(link_named("ethernet"), None);
        assert_eq!(link_named("70000"), None);
    }

    #[test]
    fn a_wrong_expression_is_refused_with_libpcaps_words() {
        let error = Filters::new("tcp prot 80").unwrap_err();
        assert!(error.to_string().contains("syntax error"), "{error}");
        assert!(Filters::new("host 1.2.3.4\0").is_err());
    }

    #[test]
    fn a_program_that_runs_in_a_circle_or_off_its_end_accepts_nothing() {
        let jump = |k| Instruction { code: JMP | JA, jt: 0, jf: 0, k };
        assert_eq!(run(&[jump(u32::MAX)], b"", 0), 0);
        assert_eq!(run(&[jump(1_000)], b"", 0), 0);
        assert_eq!(run(&[jump(i32::MIN.cast_unsigned())], b"", 0), 0);
        assert_eq!(run(&[], b"", 0), 0);
    }

    /// libpcap runs its own programs on packets that were kept whole: both must say the same, on
    /// the packets above and on every beginning of them.
    #[test]
    fn programs_give_what_libpcap_gives() {
        let expressions = [
            "",
            "ip",
            "ip6",
            "arp",
            "tcp",
            "udp",
            "icmp6",
            "not ip",
            "tcp or udp",
            "port 53",
            "portrange 50-90",
            "src portrange 1000-2000",
            "ether host 02:00:00:00:00:01",
            "ether multicast",
            "ip broadcast",
            "ip[8] = 64",
            "ip[2:2] > 40",
            "ip[0] & 0xf != 5",
            "ip6 protochain 58",
            "ip protochain 6",
            "tcp[12] >> 4 == 5",
            "ip[2:2] - ip[0] * 2 < 3",
            "ip[2:2] / ip[9] = 7",
            "ip[2:2] % ip[9] = 2",
            "ip[1] = 0 or 1 / ip[1] = 0",
            "len > 60",
            "less 60",
            "greater 60",
            "vlan",
            "vlan and tcp",
            "mpls",
            "pppoes",
            "ip proto 6",
            "tcp[tcpflags] == tcp-syn",
            "udp[4:2] = 12",
            "len ^ 3 = 57",
            "-1 = ip[0] - 70",
            "1 << ip[9] = 64",
            "icmp6[icmp6type] = icmp6-echo",
            "ether[0] & 1 = 0 and ip[16] >= 10",
        ];
        let mut compared = 0;
        for expression in expressions {
            let dead = Capture::dead(Linktype(1)).unwrap();
            for optimize in [false, true] {
                let Ok(theirs) = dead.compile(expression, optimize) else {
                    panic!("libpcap refuses {expression:?}");
                };
                let ours: Vec<Instruction> = theirs
                    .get_instructions()
                    .iter()
                    .map(|instruction| Instruction::parse(&instruction.to_string()).unwrap())
                    .collect();
                for packet in [TCP, UDP, IPV6] {
                    for kept in 0..=packet.len() {
                        let bytes = &packet[..kept];
                        let len = u32::try_from(kept).unwrap();
                        let accepted = run(&ours, bytes, len) != 0;
                        assert_eq!(accepted, theirs.filter(bytes), "{expression:?} on {bytes:?}");
                        compared += 1;
                    }
                }
            }
        }
        assert!(compared > 10_000);
    }

    #[test]
    fn a_batch_keeps_what_the_expression_accepts() {
        let mut batch = Batch { buffer: [TCP, UDP].concat(), ..Batch::default() };
        let head = |number, link, bytes: std::ops::Range<usize>| PacketHead {
            at: Timestamp(0),
            interface: InterfaceId(0),
            link,
            frame: Frame { file: FileId(0), number },
            wire_len: u32::try_from(bytes.len()).unwrap(),
            bytes,
        };
        let all = TCP.len() + UDP.len();
        batch.packets = vec![
            head(1, LinkType::ETHERNET, 0..TCP.len()),
            head(2, LinkType::ETHERNET, TCP.len()..all),
            head(3, LinkType(149), 0..TCP.len()),
            head(4, LinkType::RAW, 14..TCP.len()),
        ];
        let mut filters = Filters::new("tcp port 80").unwrap();
        filters.retain(&mut batch);
        let kept: Vec<u64> = batch.packets.iter().map(|packet| packet.frame.number).collect();
        assert_eq!(kept, [1, 4]);
        assert_eq!(filters.left_out(), 2);
        assert_eq!(filters.unfiltered(), 1);
        assert_eq!(filters.refused().count(), 1);
    }

    #[test]
    fn filters_go_to_other_threads() {
        fn is_send<T: Send + Sync>() {}
        is_send::<Filters>();
    }
}
