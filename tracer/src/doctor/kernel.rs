//! What kernel this is, and what it has beyond packet sockets.

use super::calls::{Attempts, Clock};
use super::finding::Finding;
use super::host::Host;
use super::rights::Rights;
use crate::numbers::bytes_text;
use nix::errno::Errno;

/// The kernel's release, such as 3.10 of `3.10.0-1160.el7.x86_64`.
pub fn release(host: &Host) -> Option<(u32, u32)> {
    let text = host.read("/proc/sys/kernel/osrelease")?;
    let mut numbers = text.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Of the kernel itself.
pub fn kernel(host: &Host, page_size: Option<u64>) -> Finding {
    const CHECK: &str = "kernel";
    let name =
        host.read("/proc/sys/kernel/osrelease").unwrap_or_else(|| "of unknown age".to_owned());
    let pages = page_size.map_or_else(String::new, |size| format!(", pages of {} KiB", size >> 10));
    let text = format!("Linux {name} on {}{pages}", std::env::consts::ARCH);
    match release(host) {
        Some(release) if release < (2, 6) => {
            Finding::blocks(CHECK, text).remedy("packet rings came with Linux 2.6.27")
        }
        Some(release) if release < (3, 2) => {
            Finding::warning(CHECK, format!("{text}: before TPACKET_V3, which holds bursts better"))
                .remedy("a larger ring (-B) makes up for some of it; newer kernels need no more")
        }
        _ => Finding::ok(CHECK, text),
    }
}

/// Of libpcap, by what it says of itself.
pub fn libpcap(version: &str) -> Finding {
    let text = version.trim_start_matches("libpcap ");
    if text.contains("TPACKET_V2") || text.contains("without TPACKET") {
        return Finding::warning("libpcap", format!("{text}: it holds bursts less well"))
            .remedy("take one from 1.5.0 on that was built with TPACKET_V3");
    }
    Finding::ok("libpcap", text)
}

/// Of packet sockets, as they were tried with a ring of so many bytes.
pub fn sockets(attempts: &Attempts, ring: u64, rights: &Rights) -> Vec<Finding> {
    let mut findings = Vec::new();
    match attempts.socket {
        Ok(()) => findings.push(Finding::ok("socket", "packet sockets can be opened")),
        Err(error) => {
            let found = Finding::blocks("socket", format!("packet sockets: {}", error.desc()));
            let remedy = match error {
                Errno::EPERM | Errno::EACCES => rights.remedy(),
                Errno::EAFNOSUPPORT => {
                    "modprobe af_packet, or a kernel with CONFIG_PACKET; a sandbox may forbid them, too"
                }
                _ => "a sandbox or its seccomp profile may forbid them: start it elsewhere",
            };
            findings.push(found.remedy(remedy));
            return findings;
        }
    }
    findings.push(match (attempts.version_3, attempts.ring) {
        (Err(error), _) => Finding::warning(
            "ring",
            format!("no TPACKET_V3 ({}): bursts are lost sooner", error.desc()),
        )
        .remedy("it came with Linux 3.2; a larger ring (-B) makes up for some of it"),
        (Ok(()), Err(error)) => {
            Finding::blocks("ring", format!("no ring of any size could be had: {}", error.desc()))
                .remedy("free some memory, or raise the limit of this control group or container")
        }
        (Ok(()), Ok(size)) if size < ring => Finding::warning(
            "ring",
            format!("TPACKET_V3, {} MiB at most in place of {} MiB", mib(size), mib(ring)),
        )
        .remedy("free some memory, or take a smaller ring with -B, in KiB, for each interface"),
        (Ok(()), Ok(size)) => Finding::ok("ring", format!("TPACKET_V3 with {} MiB", mib(size))),
    });
    findings.push(match attempts.fanout {
        Ok(()) => Finding::ok("fanout", "several workers can share an interface (--workers)"),
        Err(error) => Finding::cannot(
            "fanout",
            format!("PACKET_FANOUT: {}; there is one worker for an interface", error.desc()),
        )
        .remedy("it came with Linux 3.1"),
    });
    findings.push(match attempts.nanoseconds {
        Ok(()) => Finding::ok("timestamps", "by the kernel, in nanoseconds"),
        Err(error) => {
            Finding::warning("timestamps", format!("in microseconds only: {}", error.desc()))
        }
    });
    findings
}

/// Of the clock that stamps packets.
pub fn clock(host: &Host, clock: Option<Clock>) -> Vec<Finding> {
    const SLOW: &[&str] = &["hpet", "acpi_pm", "pit", "jiffies", "refined-jiffies"];
    let source = host.read("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    let mut findings = Vec::new();
    findings.push(match clock {
        None => Finding::ok("clock", "how well it is kept may not be asked"),
        Some(Clock { synchronised: true, error_microseconds }) => Finding::ok(
            "clock",
            format!("kept right to {:.1} ms or better", error_microseconds as f64 / 1e3),
        ),
        Some(Clock { synchronised: false, .. }) => Finding::warning(
            "clock",
            "nothing keeps it right; captures of several hosts drift apart",
        )
        .remedy("start chronyd, ntpd or systemd-timesyncd"),
    });
    if let Some(source) = source.filter(|source| SLOW.contains(&source.as_str())) {
        let text = format!("read from {source}, which costs a microsecond or so for each packet");
        findings.push(
            Finding::warning("clock source", text)
                .remedy("boot with clocksource=tsc if this machine's TSC is sound (see dmesg)"),
        );
    }
    findings
}

/// Of classic filters in the kernel.
pub fn filters(host: &Host) -> Finding {
    const CHECK: &str = "filters";
    match host.number("/proc/sys/net/core/bpf_jit_enable") {
        Some(0) => Finding::warning(CHECK, "run in the kernel, interpreted")
            .remedy("sysctl -w net.core.bpf_jit_enable=1 makes them quicker"),
        Some(_) => Finding::ok(CHECK, "run in the kernel, as machine code"),
        None => Finding::ok(CHECK, "run in the kernel"),
    }
}

/// Of what live capture has no need of, and other ways to look would: bpf(2) and uprobes. Nothing is
/// called to find out.
pub fn programs(host: &Host) -> Vec<Finding> {
    let bpf = match host.read("/proc/sys/kernel/unprivileged_bpf_disabled").as_deref() {
        Some("0") => "the kernel has it, and lets everybody use it",
        Some("1") => {
            "the kernel has it, for root or CAP_BPF; until it is booted anew for nobody else"
        }
        Some(_) => "the kernel has it, for root or CAP_BPF",
        None if configured(host, "CONFIG_BPF_SYSCALL") == Some(true) || host.has("/sys/fs/bpf") => {
            "the kernel has it"
        }
        None if host.has("/proc/sys/kernel/osrelease") => "the kernel does not have it",
        None => "whether the kernel has it is not known",
    };
    let types = if host.has("/sys/kernel/btf/vmlinux") { ", with its types (BTF)" } else { "" };
    let files = [
        "/sys/bus/event_source/devices/uprobe/type",
        "/sys/kernel/tracing/uprobe_events",
        "/sys/kernel/debug/tracing/uprobe_events",
    ];
    let mut uprobes = match files.iter().find(|file| host.has(file)) {
        Some(_) => "the kernel has them".to_owned(),
        None if configured(host, "CONFIG_UPROBES") == Some(true) => {
            "the kernel has them, but /sys does not show them".to_owned()
        }
        None => "none are to be seen".to_owned(),
    };
    if let Some(level) = host.read("/proc/sys/kernel/perf_event_paranoid") {
        uprobes.push_str(&format!("; perf_event_paranoid is {level}"));
    }
    vec![
        Finding::ok("bpf(2)", format!("{bpf}{types}; live capture never calls it")),
        Finding::ok("uprobes", format!("{uprobes}; live capture needs none")),
    ]
}

/// Of what narrows down what the process may do once it captures.
pub fn confinement(host: &Host, landlock: Result<u32, Errno>) -> Vec<Finding> {
    let status = host.read("/proc/self/status").unwrap_or_default();
    let has_seccomp = host.has("/proc/sys/kernel/seccomp/actions_avail")
        || status.lines().any(|line| line.starts_with("Seccomp:"));
    let seccomp = if has_seccomp {
        Finding::ok("seccomp", "system calls can be narrowed down")
    } else {
        Finding::ok("seccomp", "none to be seen: system calls are not narrowed down")
    };
    let landlock = match landlock {
        Ok(version) => {
            Finding::ok("landlock", format!("files can be narrowed down (version {version})"))
        }
        Err(Errno::EOPNOTSUPP) => {
            Finding::ok("landlock", "the kernel has it, switched off: files are not narrowed down")
                .remedy("boot with landlock in lsm=")
        }
        Err(_) => {
            Finding::ok("landlock", "not there (Linux 5.13 has it): files are not narrowed down")
        }
    };
    vec![seccomp, landlock]
}

/// Of memory: what the host still has, and what this process may use.
pub fn memory(host: &Host, ring: u64) -> Finding {
    const CHECK: &str = "memory";
    let free = memory_info(host, "MemAvailable:");
    let limit = group_limit(host);
    let wanted = ring.saturating_add(HEADROOM);
    let mut text = match free {
        Some(free) => format!("{} free", bytes_text(free)),
        None => "how much is free is not known".to_owned(),
    };
    if let Some(limit) = limit {
        text.push_str(&format!(", {} for this control group", bytes_text(limit)));
    }
    let least = free.into_iter().chain(limit).min();
    match least {
        Some(least) if least < wanted => {
            Finding::warning(CHECK, format!("{text}; {} are good to have", bytes_text(wanted)))
                .remedy(
                    "raise the limit, or use less: -B for a smaller ring, --max-flows, --max-held",
                )
        }
        _ => Finding::ok(CHECK, text),
    }
}

/// The bytes of memory that this process could have at most: those of the host, or of its control
/// group.
pub fn usable_memory(host: &Host) -> Option<u64> {
    memory_info(host, "MemTotal:").into_iter().chain(group_limit(host)).min()
}

/// Bytes of memory that the kernel gives under this name.
fn memory_info(host: &Host, name: &str) -> Option<u64> {
    let text = host.read("/proc/meminfo")?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    let kib: u64 = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(kib.saturating_mul(1_024))
}

/// Of the space that packets may be written to.
pub fn disk(space: Option<(u64, u64)>) -> Finding {
    const CHECK: &str = "disk";
    match space {
        None => Finding::ok(CHECK, "how much space this folder has is not known"),
        Some((free, _)) if free < LITTLE_SPACE => {
            let text = format!("{} are left in this folder", bytes_text(free));
            Finding::warning(CHECK, text).remedy("let -w write elsewhere, or rotate with -C and -W")
        }
        Some((free, all)) => Finding::ok(
            CHECK,
            format!("{} of {} are left in this folder, for -w", bytes_text(free), bytes_text(all)),
        ),
    }
}

/// The least limit of memory of the control groups that this process is in.
fn group_limit(host: &Host) -> Option<u64> {
    let groups = host.read("/proc/self/cgroup")?;
    let limits = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let (folder, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            list if list.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return None,
        };
        // A group's limit holds for those below it.
        let mut at = path.trim_end_matches('/');
        let mut least = None;
        for _ in 0..DEEPEST {
            least = least.into_iter().chain(host.number(&format!("{folder}{at}/{file}"))).min();
            let Some((above, _)) = at.rsplit_once('/') else { break };
            at = above;
        }
        least
    });
    // Version 1 says "none" with nearly the largest number.
    limits.min().filter(|limit| *limit < 1 << 60)
}

/// What the kernel was built with, where it says so in plain text.
fn configured(host: &Host, option: &str) -> Option<bool> {
    let release = host.read("/proc/sys/kernel/osrelease")?;
    let text = host.read(&format!("/boot/config-{release}"))?;
    Some(text.lines().any(|line| line.strip_prefix(option) == Some("=y")))
}

fn mib(bytes: u64) -> String {
    match bytes >> 20 {
        0 => format!("{:.2}", bytes as f64 / f64::from(1 << 20)),
        mib => mib.to_string(),
    }
}

/// Bytes that a run with the limits that are set by default does well with, beside its ring.
const HEADROOM: u64 = 256 << 20;
/// Bytes below which a disk is nearly full.
const LITTLE_SPACE: u64 = 1 << 30;
/// Control groups within each other.
const DEEPEST: usize = 32;
