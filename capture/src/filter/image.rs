//! A compiled expression in, the three ways in which tcpdump prints one out: as assembly (`-d`), as
//! a piece of C (`-dd`) and as numbers (`-ddd`). libpcap's `bpf_image.c` and `bpf_dump.c` set the
//! form, so that what is read of one tool holds for the other.

use super::{
    ABS, ADD, ALU, AND, B, CLASS, DIV, H, IMM, IND, Instruction, JA, JEQ, JGE, JGT, JMP, JSET, LD,
    LDX, LEN, LSH, MEM, MISC, MOD, MSH, MUL, NEG, OPERATION, OR, RET, RETURN_A, RSH, SRC_X, ST,
    STX, SUB, TXA, W, XOR,
};
use std::fmt::Write;

/// How a program is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A line of assembly for each instruction, as `tcpdump -d`.
    Assembly,
    /// The elements of an array in C, as `tcpdump -dd`.
    C,
    /// How many instructions there are, then four numbers for each, as `tcpdump -ddd`; iptables'
    /// `bpf` match takes it with commas in place of line ends.
    Numbers,
}

/// A program as text, each instruction on a line.
pub fn image(program: &[Instruction], form: Form) -> String {
    let mut text = String::new();
    if form == Form::Numbers {
        // Writing to memory does not fail, here and below.
        let _ = writeln!(text, "{}", program.len());
    }
    for (place, instruction) in program.iter().enumerate() {
        let Instruction { code, jt, jf, k } = *instruction;
        let _ = match form {
            Form::Assembly => writeln!(text, "{}", line(place, instruction)),
            Form::C => writeln!(text, "{{ 0x{code:x}, {jt}, {jf}, 0x{k:08x} }},"),
            Form::Numbers => writeln!(text, "{instruction}"),
        };
    }
    text
}

fn line(place: usize, instruction: &Instruction) -> String {
    let Instruction { code, jt, jf, .. } = *instruction;
    let (operation, operand) = words(place, instruction);
    if code & CLASS == JMP && code & OPERATION != JA {
        let (yes, no) = (place + 1 + usize::from(jt), place + 1 + usize::from(jf));
        format!("({place:03}) {operation:<8} {operand:<16} jt {yes}\tjf {no}")
    } else {
        format!("({place:03}) {operation:<8} {operand}")
    }
}

/// The name of an operation, and what it is done with.
fn words(place: usize, instruction: &Instruction) -> (&'static str, String) {
    let code = instruction.code;
    // libpcap prints constants with a sign.
    let k = instruction.k.cast_signed();
    let decimal = || format!("#{k}");
    let hex = || format!("#0x{k:x}");
    let memory = || format!("M[{k}]");
    let none = String::new;
    match code {
        c if c == RET => ("ret", decimal()),
        c if c == RET | RETURN_A => ("ret", none()),
        c if c == LD | W | ABS => ("ld", absolute(instruction.k)),
        c if c == LD | H | ABS => ("ldh", absolute(instruction.k)),
        c if c == LD | B | ABS => ("ldb", absolute(instruction.k)),
        c if c == LD | W | LEN => ("ld", "#pktlen".to_owned()),
        c if c == LD | W | IND => ("ld", format!("[x + {k}]")),
        c if c == LD | H | IND => ("ldh", format!("[x + {k}]")),
        c if c == LD | B | IND => ("ldb", format!("[x + {k}]")),
        c if c == LD | IMM => ("ld", hex()),
        c if c == LDX | IMM => ("ldx", hex()),
        c if c == LDX | MSH | B => ("ldxb", format!("4*([{k}]&0xf)")),
        c if c == LD | MEM => ("ld", memory()),
        c if c == LDX | MEM => ("ldx", memory()),
        c if c == ST => ("st", memory()),
        c if c == STX => ("stx", memory()),
        c if c == JMP | JA => {
            let to = i64::try_from(place).unwrap_or(i64::MAX).saturating_add(1 + i64::from(k));
            ("ja", to.to_string())
        }
        c if c == MISC => ("tax", none()),
        c if c == MISC | TXA => ("txa", none()),
        c if c == ALU | NEG => ("neg", none()),
        c if c & CLASS == JMP || c & CLASS == ALU => {
            let by_class: &[(u16, &str, bool)] = if c & CLASS == JMP { JUMPS } else { SUMS };
            let rest = c & !(CLASS | SRC_X);
            match by_class.iter().find(|(bits, _, _)| *bits == rest) {
                Some((_, name, _)) if c & SRC_X != 0 => (name, "x".to_owned()),
                Some((_, name, is_hex)) => (name, if *is_hex { hex() } else { decimal() }),
                None => unknown(code),
            }
        }
        _ => unknown(code),
    }
}

fn unknown(code: u16) -> (&'static str, String) {
    ("unimp", format!("0x{code:x}"))
}

/// Where a load reads, or what it asks of Linux in place of the packet.
fn absolute(k: u32) -> String {
    let named = k.checked_sub(ANCILLARY).and_then(|asked| {
        let (_, name) = ASKED.iter().find(|(number, _)| *number == asked)?;
        Some(format!("[{name}]"))
    });
    named.unwrap_or_else(|| format!("[{}]", k.cast_signed()))
}

/// Jumps: operation, name, whether the constant is printed in hex.
const JUMPS: &[(u16, &str, bool)] =
    &[(JGT, "jgt", true), (JGE, "jge", true), (JEQ, "jeq", true), (JSET, "jset", true)];

/// Sums: operation, name, whether the constant is printed in hex.
const SUMS: &[(u16, &str, bool)] = &[
    (ADD, "add", false),
    (SUB, "sub", false),
    (MUL, "mul", false),
    (DIV, "div", false),
    (MOD, "mod", false),
    (AND, "and", true),
    (OR, "or", true),
    (XOR, "xor", true),
    (LSH, "lsh", false),
    (RSH, "rsh", false),
];

/// `SKF_AD_OFF` of linux/filter.h: from here on offsets are questions to the kernel.
const ANCILLARY: u32 = 0xffff_f000;

/// What can be asked, with libpcap's names.
const ASKED: &[(u32, &str)] = &[
    (0, "proto"),
    (4, "type"),
    (8, "ifidx"),
    (12, "nla"),
    (16, "nlan"),
    (20, "mark"),
    (24, "queue"),
    (28, "hatype"),
    (32, "rxhash"),
    (36, "cpu"),
    (40, "xor_x"),
    (44, "vlan_tci"),
    (48, "vlanp"),
    (52, "poff"),
    (56, "random"),
    (60, "vlan_tpid"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Filter;
    use crate::packet::LinkType;
    use std::process::Command;

    fn check(code: u16, k: u32, expected: &str) {
        let instruction = Instruction { code, jt: 1, jf: 2, k };
        assert_eq!(line(7, &instruction), expected);
    }

    #[test]
    fn an_instruction_reads_as_libpcap_writes_it() {
        check(0x06, 262_144, "(007) ret      #262144");
        check(0x16, 0, "(007) ret      ");
        check(0x28, 12, "(007) ldh      [12]");
        check(0x30, 0xffff_f030, "(007) ldb      [vlanp]");
        check(0x28, 0xffff_f03c, "(007) ldh      [vlan_tpid]");
        check(0x20, 0xffff_f03d, "(007) ld       [-4035]");
        check(0x50, 14, "(007) ldb      [x + 14]");
        check(0xb1, 14, "(007) ldxb     4*([14]&0xf)");
        check(0x80, 0, "(007) ld       #pktlen");
        check(0x05, 3, "(007) ja       11");
        check(0x05, u32::MAX, "(007) ja       7");
        check(0x15, 0x800, "(007) jeq      #0x800           jt 9\tjf 10");
        check(0x1d, 0, "(007) jeq      x                jt 9\tjf 10");
        check(0x54, 0xf0, "(007) and      #0xf0");
        check(0x74, 2, "(007) rsh      #2");
        check(0x14, u32::MAX, "(007) sub      #-1");
        check(0x0c, 0, "(007) add      x");
        check(0x84, 0, "(007) neg      ");
        check(0x07, 0, "(007) tax      ");
        check(0x87, 0, "(007) txa      ");
        check(0x61, 3, "(007) ldx      M[3]");
        check(0x02, 3, "(007) st       M[3]");
        check(0xff, 0, "(007) unimp    0xff");
    }

    /// The link types with tcpdump's names for them.
    const LINKS: &[(&str, LinkType)] = &[
        ("EN10MB", LinkType::ETHERNET),
        ("LINUX_SLL", LinkType::LINUX_SLL),
        ("LINUX_SLL2", LinkType::LINUX_SLL2),
        ("RAW", LinkType::RAW),
        ("NULL", LinkType::NULL),
    ];

    #[rustfmt::skip]
    const EXPRESSIONS: &[&str] = &[
        "", "ip", "ip6", "arp", "tcp", "udp", "icmp", "icmp6", "sctp", "igmp", "tcp port 80", "port 53",
        "udp port 4789", "src port 1024", "dst port http", "port 80 or 443", "portrange 6000-6010",
        "tcp src portrange 1-1023", "host 10.0.0.1", "src host 10.0.0.1 and dst host 10.0.0.2",
        "net 10.1.0.0/16", "src net 192.168.0.0 mask 255.255.0.0", "ip6 host fe80::1",
        "ip6 net 2001:db8::/32", "host ::1 and tcp port 80", "not port 22", "!(tcp port 22 or udp)",
        "tcp port 80 or udp port 53 or icmp", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
        "tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420", "ip[0] & 0xf > 5", "ip[6:2] & 0x1fff = 0",
        "udp[8:2] = 7 and udp[4:2] > 20", "ip proto 47", "ip proto \\tcp", "proto gre", "ip6 proto 58",
        "ip protochain 6", "ip6 protochain 58", "greater 1000", "less 100", "len <= 64", "len % 2 = 0",
        "ip[2:2] * 2 > 100", "ip[8] - 1 = 63", "ip[8] ^ 0xff = 1", "ip[8] / 2 < 20", "-ip[8] = 1",
        "ip[8] | 1 = 65", "ip[8] << 3 = ip[9]", "ether proto 0x88cc", "ether host 02:00:00:00:00:01",
        "ether broadcast", "ether multicast", "vlan", "vlan 7 and tcp port 80",
        "vlan and vlan 7 and ip", "(tcp port 80) or (vlan and (tcp port 80))", "mpls 100 and ip",
        "mpls and mpls and host 10.0.0.1", "pppoed", "pppoes 7 and tcp", "pppoes and (udp or tcp port 80)",
        "geneve", "geneve 5 and ip and tcp port 80", "icmp[icmptype] = icmp-echo", "ip multicast",
        "ip6 multicast", "inbound", "rarp or atalk or ipx", "link[0] = 0", "ether[0] & 1 = 0",
        "tcp port 80 and (host 10.0.0.1 or host 10.0.0.2 or net 10.3.0.0/24) and not len > 500",
        "ifindex 3", "stp", "iso", "gateway 10.0.0.1", "tcp prot 80", "port 70000", "no such",
    ];

    fn tcpdump(name: &str, options: &[&str], expression: &str) -> Option<String> {
        let mut command = Command::new("tcpdump");
        let output =
            command.args(["-y", name]).args(options).args(["--", expression]).output().ok()?;
        Some(if output.status.success() {
            String::from_utf8_lossy(&output.stdout).into_owned()
        } else {
            // Why not is libpcap's to say, and ours says the same.
            String::new()
        })
    }

    #[test]
    fn programs_are_printed_as_tcpdump_prints_them() {
        let mut compiled = 0;
        for (name, link) in LINKS {
            for expression in EXPRESSIONS {
                for (option, form) in
                    [("-d", Form::Assembly), ("-dd", Form::C), ("-ddd", Form::Numbers)]
                {
                    let Some(expected) = tcpdump(name, &[option], expression) else {
                        println!("skipped: there is no tcpdump to compare with");
                        return;
                    };
                    let ours = Filter::compile(expression, *link)
                        .map(|filter| image(filter.returning(262_144).instructions(), form));
                    compiled += usize::from(ours.is_ok());
                    assert_eq!(ours.unwrap_or_default(), expected, "{option} {name} {expression}");
                    if form == Form::Assembly {
                        let expected = tcpdump(name, &["-O", option], expression);
                        let ours = Filter::compile_plainly(expression, *link)
                            .map(|filter| image(filter.returning(262_144).instructions(), form));
                        assert_eq!(
                            Some(ours.unwrap_or_default()),
                            expected,
                            "-O {name} {expression}"
                        );
                    }
                }
            }
        }
        assert!(compiled > 600, "{compiled}");
    }
}
