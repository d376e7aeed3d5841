//! Which system calls the process may make: a list of all that it makes, by seccomp(2).
//!
//! Everything else fails as on a kernel that is too old to know it (ENOSYS), so that a C library
//! that tries a newer call first falls back to the older one, and a call that was forgotten here is
//! an error that somebody reads instead of the end of the run. Libraries differ in what they call
//! for the same thing, so the older and the newer call stand here side by side.
//!
//! Where a call does harmless and harmful things, an argument decides. Never there, among others:
//! bpf, `perf_event_open`, execve, ptrace, `process_vm_readv`, `open_by_handle_at`, mount, setns,
//! unshare, `init_module`, `io_uring_setup`, userfaultfd, keyctl, kill.

#![expect(unsafe_code, reason = "nix cannot load a filter, and kernels before 3.17 need prctl(2)")]

use nix::libc;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule,
};
use std::collections::BTreeMap;
use std::io;

/// Filters the calls of the thread that calls, and of those that it starts.
///
/// With `connects`, it may open connections and look up names. With `looks_into_processes`, it may
/// ask the kernel about sockets.
///
/// # Errors
///
/// If the kernel has no filters, or refuses this one: a text that says so.
pub(super) fn apply(connects: bool, looks_into_processes: bool) -> Result<(), String> {
    let program = program(connects, looks_into_processes).map_err(|cause| cause.to_string())?;
    match seccompiler::apply_filter(&program) {
        Ok(()) => Ok(()),
        // Kernels from 3.5 to 3.16 have the filters, but not the call of their own.
        Err(_) => load_by_prctl(&program).map_err(|cause| cause.to_string()),
    }
}

fn load_by_prctl(program: &BpfProgram) -> io::Result<()> {
    let mut filter: Vec<libc::sock_filter> = program
        .iter()
        .map(|step| libc::sock_filter { code: step.code, jt: step.jt, jf: step.jf, k: step.k })
        .collect();
    let len = u16::try_from(filter.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len, filter: filter.as_mut_ptr() };
    // SAFETY: the kernel copies `len` steps from `filter`, which outlives the call.
    let result =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn program(connects: bool, looks_into_processes: bool) -> Result<BpfProgram, BackendError> {
    let mut calls: BTreeMap<libc::c_long, Vec<SeccompRule>> = BTreeMap::new();
    for call in ALWAYS.iter().chain(OF_ARCHITECTURE) {
        calls.insert(*call, Vec::new());
    }
    if connects {
        for call in TO_CONNECT {
            calls.insert(*call, Vec::new());
        }
    }
    calls.insert(libc::SYS_socket, sockets(connects, looks_into_processes)?);
    calls.insert(libc::SYS_socketpair, vec![is(0, libc::AF_UNIX)?]);
    // Threads, and neither processes nor namespaces.
    let thread = libc::CLONE_THREAD | NAMESPACES;
    calls.insert(libc::SYS_clone, vec![has(0, thread, libc::CLONE_THREAD)?]);
    calls.insert(libc::SYS_mmap, mappings(connects)?);
    calls.insert(libc::SYS_mprotect, vec![has(2, libc::PROT_EXEC, 0)?]);
    calls.insert(libc::SYS_ioctl, any(1, IOCTLS)?);
    calls.insert(libc::SYS_prctl, any(0, PRCTLS)?);
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    // abort(3) and raise(3), and limits that are read.
    calls.insert(libc::SYS_tgkill, vec![is(0, own)?]);
    calls.insert(libc::SYS_prlimit64, vec![is(0, 0)?, is(0, own)?]);
    // musl's raise(3) names no process, and what it names is a thread of any.
    if cfg!(target_env = "musl") {
        calls.insert(libc::SYS_tkill, Vec::new());
    }
    let failure = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(calls, failure, SeccompAction::Allow, arch)?.try_into()
}

/// Not AF_PACKET: those are open. AF_UNIX for datagrams is what an interface's number is asked of;
/// the daemons that would do something for a client listen on streams.
fn sockets(connects: bool, looks_into_processes: bool) -> Result<Vec<SeccompRule>, BackendError> {
    let netlink = |protocol| rule(vec![equals(0, libc::AF_NETLINK)?, equals(2, protocol)?]);
    let datagrams = masked(1, SOCKET_TYPE, libc::SOCK_DGRAM)?;
    let mut allowed = vec![
        rule(vec![equals(0, libc::AF_UNIX)?, datagrams.clone()])?,
        netlink(libc::NETLINK_ROUTE)?,
    ];
    if looks_into_processes {
        allowed.push(netlink(libc::NETLINK_INET_DIAG)?);
    }
    if connects {
        let streams = masked(1, SOCKET_TYPE, libc::SOCK_STREAM)?;
        for family in [libc::AF_INET, libc::AF_INET6] {
            for of_type in [&streams, &datagrams] {
                allowed.push(rule(vec![equals(0, family)?, of_type.clone()])?);
            }
        }
    }
    Ok(allowed)
}

/// Memory that holds no code, but for libraries, which come from files.
fn mappings(connects: bool) -> Result<Vec<SeccompRule>, BackendError> {
    let mut allowed = vec![has(2, libc::PROT_EXEC, 0)?];
    if connects {
        let no_file = u64::from(u32::MAX);
        let of_file = SeccompCondition::new(4, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, no_file)?;
        allowed.push(rule(vec![masked(2, libc::PROT_WRITE, 0)?, of_file])?);
    }
    Ok(allowed)
}

/// Argument `at` is one of these.
fn any(at: u8, values: &[u32]) -> Result<Vec<SeccompRule>, BackendError> {
    let is = |value: &u32| {
        let value = u64::from(*value);
        let equals = SeccompCondition::new(at, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)?;
        rule(vec![equals])
    };
    values.iter().map(is).collect()
}

/// Argument `at` is this.
fn is(at: u8, value: i32) -> Result<SeccompRule, BackendError> {
    rule(vec![equals(at, value)?])
}

/// Of the bits in `mask`, argument `at` has these and no others.
fn has(at: u8, mask: i32, bits: i32) -> Result<SeccompRule, BackendError> {
    rule(vec![masked(at, mask, bits)?])
}

fn equals(at: u8, value: i32) -> Result<SeccompCondition, BackendError> {
    let value = u64::from(value.cast_unsigned());
    SeccompCondition::new(at, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

fn masked(at: u8, mask: i32, bits: i32) -> Result<SeccompCondition, BackendError> {
    let (mask, bits) = (u64::from(mask.cast_unsigned()), u64::from(bits.cast_unsigned()));
    SeccompCondition::new(at, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask), bits)
}

fn rule(conditions: Vec<SeccompCondition>) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions)
}

/// SOCK_CLOEXEC and SOCK_NONBLOCK stand above it.
const SOCKET_TYPE: i32 = 0xf;

const NAMESPACES: i32 = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;

/// Terminals (which one, how wide), pipes and sockets (how much waits, do not wait), and what
/// interfaces are. `TIOCSTI` is the one to be without: it types into the terminal.
const IOCTLS: &[u32] = &[
    0x5401, // TCGETS
    0x5413, // TIOCGWINSZ
    0x541b, // FIONREAD
    0x5421, // FIONBIO
    0x5450, // FIONCLEX
    0x5451, // FIOCLEX
    0x8906, // SIOCGSTAMP
    0x8910, // SIOCGIFNAME
    0x8912, // SIOCGIFCONF
    0x8913, // SIOCGIFFLAGS
    0x8915, // SIOCGIFADDR
    0x8921, // SIOCGIFMTU
    0x8927, // SIOCGIFHWADDR
    0x8933, // SIOCGIFINDEX
    0x8946, // SIOCETHTOOL, whose changes take CAP_NET_ADMIN
    0x8b01, // SIOCGIWNAME: whether it is a radio
];

const PRCTLS: &[u32] = &[
    15,          // PR_SET_NAME: of a thread
    16,          // PR_GET_NAME
    29,          // PR_SET_TIMERSLACK
    30,          // PR_GET_TIMERSLACK
    38,          // PR_SET_NO_NEW_PRIVS, which landlock asks for again
    39,          // PR_GET_NO_NEW_PRIVS
    47,          // PR_CAP_AMBIENT, with which none can be had that is not held
    0x5356_4d41, // PR_SET_VMA: glibc names its memory
];

/// By what they are for. A call of an architecture that lacks it is in [`OF_ARCHITECTURE`].
const ALWAYS: &[libc::c_long] = &[
    // Files.
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_preadv2,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_fcntl,
    libc::SYS_flock,
    libc::SYS_pipe2,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_sync_file_range,
    libc::SYS_fallocate,
    libc::SYS_ftruncate,
    libc::SYS_fadvise64,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    libc::SYS_splice,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
    libc::SYS_linkat,
    libc::SYS_mkdirat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_umask,
    // Memory; mmap and mprotect by their arguments.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_mincore,
    libc::SYS_membarrier,
    // Threads; clone by its arguments. clone3 has them in memory, where no filter looks: the C
    // library falls back.
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_getpriority,
    libc::SYS_setpriority,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_restart_syscall,
    // Who and where.
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getresuid,
    libc::SYS_getresgid,
    libc::SYS_getgroups,
    libc::SYS_capget,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrusage,
    libc::SYS_times,
    libc::SYS_getcpu,
    // Fewer rights still: what these give up cannot be had again.
    libc::SYS_capset,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_restrict_self,
    // Signals.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
    libc::SYS_signalfd4,
    // Time.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
    libc::SYS_setitimer,
    libc::SYS_getitimer,
    libc::SYS_getrandom,
    // Waits.
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    // Sockets that are open, of packets and of listeners; an interface that came back is bound
    // anew.
    libc::SYS_bind,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_sendto,
    libc::SYS_shutdown,
];

const TO_CONNECT: &[libc::c_long] = &[libc::SYS_connect, libc::SYS_sendmsg, libc::SYS_sendmmsg];

/// Calls that newer architectures do without.
#[cfg(target_arch = "x86_64")]
const OF_ARCHITECTURE: &[libc::c_long] = &[
    libc::SYS_open,
    libc::SYS_creat,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_getdents,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_unlink,
    libc::SYS_link,
    libc::SYS_mkdir,
    libc::SYS_chmod,
    libc::SYS_getrlimit,
    libc::SYS_time,
    libc::SYS_alarm,
    libc::SYS_pause,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_signalfd,
];

/// Calls that only some architectures have.
#[cfg(target_arch = "aarch64")]
const OF_ARCHITECTURE: &[libc::c_long] = &[libc::SYS_renameat, libc::SYS_getrlimit];

/// Calls that only some architectures have.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const OF_ARCHITECTURE: &[libc::c_long] = &[];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_is_one_that_the_kernel_takes() {
        for connects in [false, true] {
            for looks_into_processes in [false, true] {
                let program = program(connects, looks_into_processes).unwrap();
                assert!(program.len() <= LONGEST, "{} steps", program.len());
            }
        }
    }

    #[test]
    fn nothing_that_must_never_be_is_in_the_lists() {
        for call in [
            libc::SYS_bpf,
            libc::SYS_perf_event_open,
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_process_vm_writev,
            libc::SYS_open_by_handle_at,
            libc::SYS_mount,
            libc::SYS_setns,
            libc::SYS_unshare,
            libc::SYS_init_module,
            libc::SYS_finit_module,
            libc::SYS_io_uring_setup,
            libc::SYS_userfaultfd,
            libc::SYS_keyctl,
            libc::SYS_kill,
            libc::SYS_clone3,
            libc::SYS_setuid,
            libc::SYS_memfd_create,
        ] {
            assert!(!ALWAYS.iter().chain(OF_ARCHITECTURE).chain(TO_CONNECT).any(|c| *c == call));
        }
    }

    /// BPF_MAXINSNS.
    const LONGEST: usize = 4096;
}
