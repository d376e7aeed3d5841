//! A process that gives up its rights as live capture does, then tries what it should still be able
//! to do and what not. It prints what was given up, a line for each try, and `ready`; then it waits
//! for the end of its input, with a thread of each kind.
//!
//! ```text
//! confined [user=USER] [write=PATH] [connect=PORT] [beside] [elsewhere=FOLDER] [process=PID]
//!          [without=newer|any,ENOSYS|EPERM]
//! ```
//!
//! `without` makes the kernel one that lacks what came after Linux 3.10, or any measure but user and
//! capabilities.

#![expect(unsafe_code, reason = "no library makes calls that must fail")]
#![expect(clippy::print_stdout, reason = "what is printed is what the test reads")]

use nix::errno::Errno;
use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::mpsc::channel;
use std::thread;
use wirespan::confine::Confinement;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to tell if the standard error is closed.
            let _ = writeln!(io::stderr(), "failed to {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
    };
    let write = value("write").map(PathBuf::from);
    let connect: Option<u16> = value("connect").map(|port| port.parse()).transpose()?;
    let elsewhere = value("elsewhere").map(PathBuf::from);
    let process = value("process");

    if let Some((what, errno)) = value("without").as_deref().and_then(|w| w.split_once(',')) {
        pretend_to_lack(
            what == "any",
            if errno == "EPERM" { Errno::EPERM } else { Errno::ENOSYS },
        )?;
    }
    // SAFETY: the call has no memory of ours.
    let packets =
        unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, i32::from(ETH_P_ALL.to_be())) };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let own_port = listener.local_addr()?.port();
    let prepared = Confinement {
        user: value("user"),
        reads: Vec::new(),
        writes: write.iter().cloned().collect(),
        connects: connect.into_iter().collect(),
    }
    .prepare()?;
    let (answers, looked) = channel();
    let of_process = process.clone();
    let (applied, looker) = if words.iter().any(|word| word == "beside") {
        let start = move || {
            thread::spawn(move || {
                // Nobody is left to tell if the other end is gone.
                let _ = answers.send(of_process.map(|pid| links(&pid)));
                thread::park();
            })
        };
        let (applied, thread) = prepared.apply_beside(start)?;
        (applied, Some(thread))
    } else {
        (prepared.apply()?, None)
    };
    println!("{applied}");

    // Without a filter, some of these would succeed, and end the test.
    if applied.seccomp {
        for (name, outcome) in refused() {
            say(name, outcome);
        }
    }
    for (name, outcome) in allowed_or_not(packets) {
        say(name, outcome);
    }
    if let Some(place) = &write {
        say("write", rotate(place));
    }
    if let Some(folder) = &elsewhere {
        say("write-elsewhere", fs::write(folder.join("file"), "x"));
    }
    if let Some(port) = connect {
        say("name", ("localhost", port).to_socket_addrs().map(drop));
        say("connect", TcpStream::connect(("127.0.0.1", port)).map(drop));
    }
    say("connect-elsewhere", TcpStream::connect(("127.0.0.1", own_port)).map(drop));
    say("listen", TcpListener::bind("127.0.0.1:0").map(drop));
    if let Some(pid) = &process {
        say("links", links(pid));
        if looker.is_some()
            && let Some(outcome) = looked.recv()?
        {
            say("links-beside", outcome);
        }
    }
    let _later = thread::spawn(thread::park);
    println!("ready");
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn pretend_to_lack(any: bool, errno: Errno) -> Result<(), Box<dyn std::error::Error>> {
    let newer = [
        libc::SYS_seccomp,
        libc::SYS_landlock_create_ruleset,
        libc::SYS_landlock_restrict_self,
        libc::SYS_getrandom,
        libc::SYS_memfd_create,
        libc::SYS_statx,
        libc::SYS_openat2,
        libc::SYS_faccessat2,
        libc::SYS_close_range,
        libc::SYS_renameat2,
        libc::SYS_copy_file_range,
        libc::SYS_membarrier,
    ];
    let mut calls: BTreeMap<_, _> = newer.into_iter().map(|call| (call, Vec::new())).collect();
    if errno == Errno::ENOSYS {
        // glibc takes another answer for a failure.
        calls.insert(libc::SYS_clone3, Vec::new());
    }
    let is = |option: libc::c_int| {
        let option = u64::from(option.unsigned_abs());
        let first = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, option)?;
        SeccompRule::new(vec![first])
    };
    // The ambient set came with 4.3, new privileges and filters went with 3.5.
    let mut options = vec![is(libc::PR_CAP_AMBIENT)?];
    if any {
        options.extend([is(libc::PR_SET_NO_NEW_PRIVS)?, is(libc::PR_SET_SECCOMP)?]);
    }
    calls.insert(libc::SYS_prctl, options);
    let failure = SeccompAction::Errno((errno as i32).unsigned_abs());
    let arch = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(calls, SeccompAction::Allow, failure, arch)?;
    let program: BpfProgram = filter.try_into()?;
    // Root loads a filter without giving up new privileges, which the run has to do itself.
    let mut steps: Vec<libc::sock_filter> = program
        .iter()
        .map(|step| libc::sock_filter { code: step.code, jt: step.jt, jf: step.jf, k: step.k })
        .collect();
    let program = libc::sock_fprog { len: steps.len().try_into()?, filter: steps.as_mut_ptr() };
    let mode = libc::SECCOMP_MODE_FILTER;
    // SAFETY: the kernel copies the steps, which are as many as is said.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) };
    if result < 0 { Err(io::Error::last_os_error().into()) } else { Ok(()) }
}

fn say(name: &str, outcome: io::Result<()>) {
    match outcome {
        Ok(()) => println!("{name} ok"),
        Err(cause) => match cause.raw_os_error() {
            Some(number) => println!("{name} {:?}", Errno::from_raw(number)),
            None => println!("{name} {cause}"),
        },
    }
}

/// What must always fail.
fn refused() -> Vec<(&'static str, io::Result<()>)> {
    vec![
        ("bpf", call(libc::SYS_bpf, 0, 0)),
        ("perf", call(libc::SYS_perf_event_open, 0, 0)),
        ("ptrace", call(libc::SYS_ptrace, libc::PTRACE_TRACEME.into(), 0)),
        ("unshare", call(libc::SYS_unshare, libc::CLONE_NEWUSER.into(), 0)),
        ("kill", call(libc::SYS_kill, 1, 0)),
        ("fork", call(libc::SYS_clone, libc::SIGCHLD.into(), 0)),
        ("program", Command::new("/bin/true").status().map(drop)),
        ("socket-unix", call(libc::SYS_socket, libc::AF_UNIX.into(), STREAM)),
        ("code", code()),
    ]
}

/// What depends on what was asked for, and what live capture does with its socket.
fn allowed_or_not(packets: libc::c_int) -> Vec<(&'static str, io::Result<()>)> {
    vec![
        ("socket-packet", call(libc::SYS_socket, libc::AF_PACKET.into(), RAW)),
        ("socket-udp", call(libc::SYS_socket, libc::AF_INET.into(), DATAGRAM)),
        ("bind", bind(packets)),
        ("packet-stats", statistics(packets)),
        ("shadow", fs::read("/etc/shadow").map(drop)),
        ("own-status", fs::read("/proc/self/status").map(drop)),
        ("interface-number", interface_number()),
        ("thread", thread::spawn(|| thread::sleep(SHORT)).join().map_err(|_| gone())),
    ]
}

fn gone() -> io::Error {
    io::Error::other("ended early")
}

fn call(number: libc::c_long, first: libc::c_long, second: libc::c_long) -> io::Result<()> {
    // SAFETY: each call gets numbers or null pointers.
    let result = unsafe { libc::syscall(number, first, second, 0, 0, 0) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn code() -> io::Result<()> {
    let rights = libc::PROT_READ | libc::PROT_EXEC;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: nothing of ours is mapped over, and what is mapped is not touched.
    let result = unsafe { libc::mmap(std::ptr::null_mut(), 4096, rights, kind, -1, 0) };
    if result == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Binds the socket anew, as after an interface came back.
fn bind(packets: libc::c_int) -> io::Result<()> {
    // SAFETY: all bytes zero are an address.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET.unsigned_abs() as u16;
    address.sll_protocol = ETH_P_ALL.to_be();
    address.sll_ifindex = 1;
    let len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the address is as long as is said.
    let result = unsafe { libc::bind(packets, (&raw const address).cast(), len) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn interface_number() -> io::Result<()> {
    // SAFETY: the name ends with a zero byte.
    let number = unsafe { libc::if_nametoindex(c"lo".as_ptr()) };
    if number == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn statistics(packets: libc::c_int) -> io::Result<()> {
    let mut counts = [0_u32; 2];
    let mut len = size_of_val(&counts) as libc::socklen_t;
    // SAFETY: the counts are as long as is said.
    let result = unsafe {
        let counts = (&raw mut counts).cast();
        libc::getsockopt(packets, libc::SOL_PACKET, libc::PACKET_STATISTICS, counts, &raw mut len)
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// What writing with rotation does: makes a file, writes, renames, removes.
fn rotate(place: &Path) -> io::Result<()> {
    if !place.is_dir() {
        return fs::OpenOptions::new().append(true).create(true).open(place)?.write_all(b"x");
    }
    let (first, second) = (place.join("first"), place.join("second"));
    fs::write(&first, "x")?;
    fs::rename(&first, &second)?;
    fs::File::create(&second)?.sync_all()?;
    fs::remove_file(&second)
}

/// Reads what another process has open.
fn links(pid: &str) -> io::Result<()> {
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        fs::read_link(entry?.path())?;
    }
    Ok(())
}

const ETH_P_ALL: u16 = 0x0003;
const RAW: libc::c_long = 3;
const STREAM: libc::c_long = 1;
const DATAGRAM: libc::c_long = 2;
const SHORT: std::time::Duration = std::time::Duration::from_millis(1);
