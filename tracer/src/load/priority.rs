//! Giving way to the other work of the host: to be late costs a capture little while its ring has
//! room, and costs a service that shares the cores its latency.

#![expect(unsafe_code, reason = "attributes of scheduling have no safe interface")]

use nix::errno::Errno;
use nix::libc;

/// Lowers the priority of this thread, and of those that it starts, to this niceness; what is lower
/// already, or is scheduled in another way than most, is left as it is.
///
/// From Linux 6.12 on it may also keep a core for longer at a stretch than others do. So it gets one
/// later than who asks for less, and is interrupted by who wakes up meanwhile: a thread that has just
/// begun would otherwise be left alone for a millisecond.
///
/// # Errors
/// What the kernel said where it does not allow it.
pub fn give_way(niceness: u8) -> Result<(), Errno> {
    // SAFETY: it takes and tells numbers.
    if unsafe { libc::sched_getscheduler(0) } != libc::SCHED_OTHER {
        return Ok(());
    }
    // A failure is -1, as a niceness is too: then it is lowered, which is allowed.
    // SAFETY: it takes and tells numbers.
    let before = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    let niceness = before.max(niceness.into());
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: libc::SCHED_OTHER as u32,
        sched_flags: 0,
        sched_nice: niceness,
        sched_priority: 0,
        sched_runtime: STRETCH,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the pointer is to attributes that live through the call, and say how long they are.
    let done =
        unsafe { libc::syscall(libc::SYS_sched_setattr, 0_usize, &raw const attributes, 0_usize) };
    if done == 0 {
        return Ok(());
    }
    // There is no such call before Linux 3.14.
    // SAFETY: it takes and tells numbers.
    Errno::result(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, niceness) }).map(drop)
}

/// Nanoseconds for which a thread may keep a core; the kernel's own is some 3 milliseconds.
const STRETCH: u64 = 20_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// The niceness of the thread that asks: field 19 of its `stat`.
    fn niceness() -> i32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.split(' ').nth(16).unwrap().parse().unwrap()
    }

    #[test]
    fn priority_is_lowered_for_threads_that_begin_after_and_never_raised() {
        let thread = std::thread::spawn(|| {
            give_way(12).unwrap();
            let lowered = niceness();
            assert!(lowered >= 12);
            give_way(3).unwrap();
            assert_eq!(niceness(), lowered);
            assert_eq!(std::thread::spawn(niceness).join().unwrap(), lowered);
        });
        thread.join().unwrap();
    }
}
