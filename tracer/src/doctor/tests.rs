//! Hosts that are made up, and what is said of them.

use super::calls::{Attempts, Clock, Driver};
use super::rights::Capability;
use super::*;
use nix::errno::Errno;
use std::fs;
use tempfile::TempDir;

const MIB: u64 = 1 << 20;
const RING: u64 = 64 * MIB;

/// A host of these files.
fn host(files: &[(&str, &str)]) -> (TempDir, Host) {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let host = Host::at(folder.path());
    (folder, host)
}

/// What is said of a host of these files, by one of the checks.
fn check(
    files: &[(&str, &str)],
    of: impl Fn(&Host) -> Vec<Finding>,
    expected: &[(Verdict, &str, &str)],
) {
    let (_folder, host) = host(files);
    let findings = of(&host);
    assert_eq!(findings.len(), expected.len(), "{findings:#?}");
    for (finding, (verdict, text, remedy)) in findings.iter().zip(expected) {
        assert_eq!((finding.verdict, finding.text.as_str()), (*verdict, *text));
        let given = finding.remedy.as_deref().unwrap_or_default();
        assert!(given.contains(remedy) && given.is_empty() == remedy.is_empty(), "{given}");
    }
}

use Verdict::{Cannot, Ok as Fine, Warning};

const ROOT: &str = "Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\nNoNewPrivs:\t0\nSeccomp:\t0\n";
const USER: &str = "Uid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000000000\nNoNewPrivs:\t0\n";
const CAPABLE: &str = "Uid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000002000\nNoNewPrivs:\t0\n";
const SERVICE: &str = "Uid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n";
const STATUS: &str = "/proc/self/status";
const DESCRIPTOR: (&str, &str) = ("/proc/self/fd/0", "");

fn rights(host: &Host) -> Vec<Finding> {
    Rights::of(host).findings(host)
}

#[test]
fn rights_are_told_with_the_way_to_get_them() {
    const OWN: &str = "only processes of this user are named";
    check(
        &[(STATUS, ROOT), DESCRIPTOR],
        rights,
        &[
            (
                Fine,
                "root with CAP_NET_RAW; all but what is needed is given up once capture has begun",
                "",
            ),
            (Fine, "which process owns a socket can be told", ""),
        ],
    );
    check(
        &[(STATUS, USER), DESCRIPTOR],
        rights,
        &[
            (Cannot, "user 1000 lacks CAP_NET_RAW, so no packets come", "setcap cap_net_raw=ep"),
            (Warning, OWN, "CAP_SYS_PTRACE"),
        ],
    );
    check(
        &[(STATUS, CAPABLE), DESCRIPTOR],
        rights,
        &[
            (Fine, "user 1000 with CAP_NET_RAW, which is enough", ""),
            (Warning, OWN, "CAP_SYS_PTRACE"),
        ],
    );
    check(
        &[(STATUS, SERVICE), DESCRIPTOR],
        rights,
        &[
            (Cannot, "user 1000 lacks CAP_NET_RAW, so no packets come", "AmbientCapabilities"),
            (Warning, OWN, "CAP_SYS_PTRACE"),
        ],
    );
    check(
        &[],
        rights,
        &[
            (Warning, "this user; /proc does not tell of what it may do", ""),
            (Cannot, "there is no /proc, so no process is named", "mount"),
        ],
    );
}

#[test]
fn containers_and_hidden_processes_are_told() {
    check(
        &[(STATUS, USER), DESCRIPTOR, ("/.dockerenv", "")],
        rights,
        &[
            (Cannot, "user 1000 lacks CAP_NET_RAW, so no packets come", "--cap-add NET_RAW"),
            (
                Warning,
                "in a container of Docker: only what belongs to it is seen",
                "--network host",
            ),
            (Warning, "only processes of this user are named", "CAP_SYS_PTRACE"),
        ],
    );
    let mounts = "proc /proc proc rw,nosuid,hidepid=2 0 0\n";
    let map = "         0       1000          1\n";
    check(
        &[
            (STATUS, CAPABLE),
            DESCRIPTOR,
            ("/proc/self/mounts", mounts),
            ("/proc/self/uid_map", map),
        ],
        rights,
        &[
            (Fine, "user 1000 with CAP_NET_RAW, which is enough", ""),
            (Warning, "in a user namespace: only what belongs to it is seen", "outside"),
            (
                Warning,
                "/proc is mounted with hidepid=2: only processes of this user are named",
                "gid=",
            ),
        ],
    );
    let (_folder, pod) =
        host(&[(STATUS, USER), ("/proc/self/cgroup", "0::/kubepods/besteffort/pod1\n")]);
    let rights = Rights::of(&pod);
    assert!(rights.remedy().contains("securityContext"), "{}", rights.remedy());
    assert_eq!(rights.has(Capability::NetRaw), Some(false));
}

fn sockets(attempts: Attempts) -> impl Fn(&Host) -> Vec<Finding> {
    move |host| kernel::sockets(&attempts, RING, &Rights::of(host))
}

#[test]
fn packet_sockets_are_told_as_they_were_tried() {
    let all = Attempts {
        socket: Ok(()),
        version_3: Ok(()),
        ring: Ok(RING),
        fanout: Ok(()),
        nanoseconds: Ok(()),
    };
    let socket = (Fine, "packet sockets can be opened", "");
    let ring = (Fine, "TPACKET_V3 with 64 MiB", "");
    let fanout = (Fine, "several workers can share an interface (--workers)", "");
    let stamps = (Fine, "by the kernel, in nanoseconds", "");
    check(&[], sockets(all), &[socket, ring, fanout, stamps]);
    let small = (Warning, "TPACKET_V3, 16 MiB at most in place of 64 MiB", "-B");
    check(&[], sockets(Attempts { ring: Ok(16 * MIB), ..all }), &[socket, small, fanout, stamps]);
    let none = (Cannot, "no ring of any size could be had: Out of memory", "free some memory");
    check(
        &[],
        sockets(Attempts { ring: Err(Errno::ENOMEM), ..all }),
        &[socket, none, fanout, stamps],
    );
    let old = (Warning, "no TPACKET_V3 (Invalid argument): bursts are lost sooner", "-B");
    let version_3 = Err(Errno::EINVAL);
    check(
        &[],
        sockets(Attempts { version_3, ring: version_3.map(|()| 0), ..all }),
        &[socket, old, fanout, stamps],
    );
    let one = (
        Cannot,
        "PACKET_FANOUT: Protocol not available; there is one worker for an interface",
        "3.1",
    );
    check(
        &[],
        sockets(Attempts { fanout: Err(Errno::ENOPROTOOPT), ..all }),
        &[socket, ring, one, stamps],
    );
    let denied = (Cannot, "packet sockets: Operation not permitted", "setcap cap_net_raw=ep");
    check(&[(STATUS, USER)], sockets(Attempts { socket: Err(Errno::EPERM), ..all }), &[denied]);
    let absent =
        (Cannot, "packet sockets: Address family not supported by protocol", "modprobe af_packet");
    check(&[], sockets(Attempts { socket: Err(Errno::EAFNOSUPPORT), ..all }), &[absent]);
}

#[test]
fn kernels_are_known_by_their_release() {
    let kernel = |host: &Host| vec![kernel::kernel(host, Some(4_096))];
    let arch = std::env::consts::ARCH;
    let release = |release, verdict, more: &str, remedy| {
        let text = format!("Linux {release} on {arch}, pages of 4 KiB{more}");
        check(&[("/proc/sys/kernel/osrelease", release)], kernel, &[(verdict, &text, remedy)]);
    };
    release("6.18.44-fc-v669", Fine, "", "");
    release("3.10.0-1160.el7.x86_64", Fine, "", "");
    release("2.6.32-754.el6", Warning, ": before TPACKET_V3, which holds bursts better", "-B");
    release("2.4.37", Cannot, "", "2.6.27");
    check(&[], kernel, &[(Fine, &format!("Linux of unknown age on {arch}, pages of 4 KiB"), "")]);
}

#[test]
fn memory_is_that_of_the_host_and_of_the_control_group() {
    let memory = |host: &Host| vec![kernel::memory(host, RING)];
    let info = ("/proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable:    4000000 kB\n");
    check(&[], memory, &[(Fine, "how much is free is not known", "")]);
    check(&[info], memory, &[(Fine, "4.1 GB free", "")]);
    let second = [
        info,
        ("/proc/self/cgroup", "0::/system.slice/wirespan.service\n"),
        ("/sys/fs/cgroup/system.slice/wirespan.service/memory.max", "max\n"),
        ("/sys/fs/cgroup/system.slice/memory.max", "134217728\n"),
    ];
    let tight = "4.1 GB free, 134 MB for this control group; 336 MB are good to have";
    check(&second, memory, &[(Warning, tight, "-B")]);
    let first = [
        ("/proc/self/cgroup", "4:memory:/a\n3:cpuset:/\n"),
        ("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n"),
    ];
    check(&first, memory, &[(Fine, "how much is free is not known", "")]);
}

#[test]
fn clocks_disks_and_filters_are_told() {
    let clock = |clock| move |host: &Host| kernel::clock(host, clock);
    let kept = Clock { synchronised: true, error_microseconds: 1_500 };
    check(&[], clock(Some(kept)), &[(Fine, "kept right to 1.5 ms or better", "")]);
    check(&[], clock(None), &[(Fine, "how well it is kept may not be asked", "")]);
    let source = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    check(
        &[(source, "hpet\n")],
        clock(Some(Clock { synchronised: false, ..kept })),
        &[
            (Warning, "nothing keeps it right; captures of several hosts drift apart", "chronyd"),
            (
                Warning,
                "read from hpet, which costs a microsecond or so for each packet",
                "clocksource=tsc",
            ),
        ],
    );
    assert_eq!(kernel::disk(Some((5 * MIB, 9 * RING))).verdict, Warning);
    assert_eq!(kernel::disk(Some((9_000 * MIB, 9_000 * MIB))).verdict, Fine);
    let jit = "/proc/sys/net/core/bpf_jit_enable";
    let filters = |host: &Host| vec![kernel::filters(host)];
    check(&[(jit, "0")], filters, &[(Warning, "run in the kernel, interpreted", "sysctl")]);
    check(&[(jit, "1")], filters, &[(Fine, "run in the kernel, as machine code", "")]);
}

#[test]
fn what_live_capture_has_no_need_of_is_told_without_a_call() {
    let release = ("/proc/sys/kernel/osrelease", "4.2.2");
    let disabled = "/proc/sys/kernel/unprivileged_bpf_disabled";
    check(
        &[release],
        kernel::programs,
        &[
            (Fine, "the kernel does not have it; live capture never calls it", ""),
            (Fine, "none are to be seen; live capture needs none", ""),
        ],
    );
    check(
        &[
            release,
            (disabled, "2"),
            ("/sys/kernel/btf/vmlinux", ""),
            ("/sys/bus/event_source/devices/uprobe/type", "9"),
            ("/proc/sys/kernel/perf_event_paranoid", "2"),
        ],
        kernel::programs,
        &[
            (
                Fine,
                "the kernel has it, for root or CAP_BPF, with its types (BTF); live capture never calls it",
                "",
            ),
            (Fine, "the kernel has them; perf_event_paranoid is 2; live capture needs none", ""),
        ],
    );
    check(
        &[(STATUS, ROOT)],
        |host| kernel::confinement(host, Err(Errno::ENOSYS)),
        &[
            (Fine, "system calls can be narrowed down", ""),
            (Fine, "not there (Linux 5.13 has it): files are not narrowed down", ""),
        ],
    );
}

const DEVICES: (&str, &str) = (
    "/proc/self/net/dev",
    "Inter-|   Receive\n face |bytes\n    lo: 1 2 3\n  eth0: 4 5 6\n docker0: 7 8 9\n  can0:0\n",
);

fn machine() -> Vec<(&'static str, &'static str)> {
    vec![
        DEVICES,
        ("/sys/class/net/lo/flags", "0x9\n"),
        ("/sys/class/net/lo/operstate", "unknown\n"),
        ("/sys/class/net/lo/type", "772\n"),
        ("/sys/class/net/lo/mtu", "65536\n"),
        ("/sys/class/net/eth0/flags", "0x1003\n"),
        ("/sys/class/net/eth0/operstate", "up\n"),
        ("/sys/class/net/eth0/type", "1\n"),
        ("/sys/class/net/eth0/mtu", "1500\n"),
        ("/sys/class/net/eth0/queues/rx-0/rps_cpus", ""),
        ("/sys/class/net/eth0/queues/rx-1/rps_cpus", ""),
        ("/sys/class/net/eth0/queues/tx-0/xps_cpus", ""),
        ("/sys/class/net/eth0/statistics/rx_missed_errors", "1204\n"),
        ("/sys/class/net/docker0/flags", "0x1002\n"),
        ("/sys/class/net/docker0/operstate", "down\n"),
        ("/sys/class/net/docker0/type", "1\n"),
        ("/sys/class/net/docker0/bridge/bridge_id", "8000\n"),
        ("/sys/class/net/can0/flags", "0x1\n"),
        ("/sys/class/net/can0/type", "280\n"),
    ]
}

fn driver(name: &str) -> Driver {
    match name {
        "eth0" => {
            Driver { name: Some("e1000e".to_owned()), offloads: vec!["gro", "tso"], stamps: true }
        }
        _ => Driver::default(),
    }
}

fn named(names: &'static [&'static str]) -> impl Fn(&Host) -> Vec<Finding> {
    move |host| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        interfaces::findings(&interfaces::interfaces(host, Vec::new, driver), &names)
    }
}

#[test]
fn interfaces_are_told_with_what_changes_their_packets() {
    let eth0 = "up, e1000e, Ethernet, MTU 1500, 2 queues; gro, tso on; stamps packets itself; \
        it missed 1,204 packets so far";
    check(
        &machine(),
        named(&[]),
        &[
            (Fine, "up, loopback, MTU 65536", ""),
            (Warning, eth0, "ethtool -G"),
            (Fine, "down, bridge, Ethernet", ""),
            (Warning, "up, CAN", "no IP"),
        ],
    );
    check(
        &machine(),
        named(&["docker0"]),
        &[(Warning, "down, bridge, Ethernet", "ip link set docker0 up")],
    );
    check(&machine(), named(&["lo"]), &[(Fine, "up, loopback, MTU 65536", "")]);
    check(
        &machine(),
        named(&["eth9", "lo"]),
        &[
            (Cannot, "there is no such interface", "name one of lo, eth0, docker0, can0, or any"),
            (Fine, "up, loopback, MTU 65536", ""),
        ],
    );
    // Without /sys, names are all there is.
    check(&[DEVICES], named(&["lo"]), &[(Fine, "there, unknown link type", "")]);
    check(&[], named(&[]), &[(Warning, "none are to be seen", "--netns")]);
}

#[test]
fn one_thing_that_blocks_makes_live_capture_impossible() {
    let live = |checks: Vec<Finding>| Report::of(String::new(), checks, Vec::new()).live;
    assert_eq!(live(vec![Finding::ok("a", "")]), Live::Possible);
    assert_eq!(live(vec![Finding::ok("a", ""), Finding::cannot("b", "")]), Live::WithWarnings);
    assert_eq!(live(vec![Finding::warning("a", ""), Finding::blocks("b", "")]), Live::Impossible);
}

#[test]
fn this_host_is_examined_whatever_it_is() {
    let report = examine(&[], MIB);
    assert!(report.checks.len() > 10, "{:#?}", report.checks);
    let socket = report.checks.iter().find(|finding| finding.check == "socket").unwrap();
    assert_eq!(socket.blocks, calls::attempt(MIB).socket.is_err());
}
