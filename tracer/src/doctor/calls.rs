//! What a host allows, found out by trying: packet sockets and their rings, what a network driver
//! does to packets, and a few questions to the kernel for which no file has the answer. All of it is
//! undone when a try ends, and bpf(2) is never called.

#![expect(unsafe_code, reason = "options of packet sockets and of drivers have no safe interface")]

use nix::errno::Errno;
use nix::libc;
use std::ffi::{CStr, c_char, c_int, c_ulong};
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

/// What came of trying packet sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// Opening one.
    pub socket: Result<(), Errno>,
    /// Asking for TPACKET_V3; only where there is a socket, like all below.
    pub version_3: Result<(), Errno>,
    /// The largest ring that could be had, in bytes, of the one that is wanted by default or half of
    /// it, and so on.
    pub ring: Result<u64, Errno>,
    /// Sharing the packets out among several sockets.
    pub fanout: Result<(), Errno>,
    /// Time stamps in nanoseconds.
    pub nanoseconds: Result<(), Errno>,
}

/// What a driver does to packets; what it does not tell is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Driver {
    /// Its name: `veth`, `bridge`, `e1000e`.
    pub name: Option<String>,
    /// The offloads that are on, as ethtool shortens them.
    pub offloads: Vec<&'static str>,
    /// It can stamp each packet that comes with a clock of its own.
    pub stamps: bool,
}

/// How well the clock is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Something sets it right.
    pub synchronised: bool,
    /// By how many microseconds it may be wrong, if it is kept.
    pub error_microseconds: i64,
}

/// Tries packet sockets, with a ring of so many bytes.
pub fn attempt(ring: u64) -> Attempts {
    // Protocol 0 gets no packets.
    let socket = match open(libc::AF_PACKET, libc::SOCK_RAW) {
        Ok(socket) => socket,
        Err(error) => {
            let none = Err(error);
            return Attempts {
                socket: none,
                version_3: none,
                ring: Err(error),
                fanout: none,
                nanoseconds: none,
            };
        }
    };
    let version_3 = set(&socket, libc::SOL_PACKET, libc::PACKET_VERSION, &TPACKET_V3);
    Attempts {
        socket: Ok(()),
        version_3,
        ring: version_3.and_then(|()| largest_ring(&socket, ring)),
        fanout: fan_out(),
        nanoseconds: set::<c_int>(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &1),
    }
}

/// Asks the driver of an interface.
pub fn driver(interface: &str) -> Driver {
    let Ok(socket) = open(libc::AF_UNIX, libc::SOCK_DGRAM) else { return Driver::default() };
    let value = |command: u32| {
        let mut value = [command, 0];
        ethtool(&socket, interface, &mut value).ok()?;
        let [_, value] = value;
        Some(value)
    };
    let flags = value(ETHTOOL_GFLAGS).unwrap_or_default();
    let is_on = |command| value(command).is_some_and(|value| value != 0);
    let offloads = [
        ("gro", is_on(ETHTOOL_GGRO)),
        ("lro", flags & ETH_FLAG_LRO != 0),
        ("tso", is_on(ETHTOOL_GTSO)),
        ("gso", is_on(ETHTOOL_GGSO)),
        ("rxvlan", flags & ETH_FLAG_RXVLAN != 0),
    ];
    let mut information = DriverInformation { command: ETHTOOL_GDRVINFO, rest: [0; 192] };
    let name = ethtool(&socket, interface, &mut information).ok().and_then(|()| {
        let name = information.rest.get(..32)?.split(|byte| *byte == 0).next()?;
        Some(String::from_utf8_lossy(name).into_owned()).filter(|name| !name.is_empty())
    });
    // The answer has eleven numbers, the first of which are the command and what can be stamped.
    let mut answer: [u32; 11] = [ETHTOOL_GET_TS_INFO, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let is_told = ethtool(&socket, interface, &mut answer).is_ok();
    let [_, stamped, ..] = answer;
    Driver {
        name,
        offloads: offloads.into_iter().filter_map(|(name, on)| on.then_some(name)).collect(),
        stamps: is_told && stamped & libc::SOF_TIMESTAMPING_RX_HARDWARE != 0,
    }
}

/// The names of all interfaces of the network namespace.
pub fn interface_names() -> Vec<String> {
    // SAFETY: it takes nothing.
    let list = unsafe { libc::if_nameindex() };
    let mut names = Vec::new();
    if list.is_null() {
        return names;
    }
    let mut next = list;
    loop {
        // SAFETY: the list goes on up to an element without a name, and no further element is read.
        let name = unsafe { (*next).if_name };
        if name.is_null() {
            break;
        }
        // SAFETY: the names live as long as the list does.
        names.push(unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned());
        // SAFETY: this element was not the last one.
        next = unsafe { next.add(1) };
    }
    // SAFETY: nothing of it is kept.
    unsafe { libc::if_freenameindex(list) };
    names
}

/// How well the clock is kept, if that may be asked.
pub fn clock() -> Option<Clock> {
    // SAFETY: all zeros is a `timex` that asks and sets nothing.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a `timex` that lives through the call.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    (state >= 0).then_some(Clock {
        synchronised: state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0,
        // It is a `c_long`, which is narrower elsewhere.
        #[allow(clippy::useless_conversion, reason = "a `c_long` is narrower elsewhere")]
        error_microseconds: timex.maxerror.into(),
    })
}

/// The version of Landlock's interface that the kernel has, from 1 on.
pub fn landlock() -> Result<u32, Errno> {
    // SAFETY: with this flag and no attributes the call tells a number, and makes nothing.
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, VERSION)
    };
    Ok(u32::try_from(Errno::result(version)?).unwrap_or_default())
}

/// Bytes of a page of memory.
pub fn page_size() -> Option<u64> {
    // SAFETY: it takes a number and tells a number.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok().filter(|size| *size > 0)
}

/// Bytes that may still be written to the file system that a path is on, and all of them.
pub fn free_space(path: &Path) -> Option<(u64, u64)> {
    let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).ok()?;
    // SAFETY: all zeros is a `statvfs`.
    let mut space: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are valid for the call, and the path ends with a zero.
    Errno::result(unsafe { libc::statvfs(path.as_ptr(), &raw mut space) }).ok()?;
    #[allow(clippy::useless_conversion, reason = "these are narrower elsewhere")]
    let (size, free, all) =
        (u64::from(space.f_frsize), u64::from(space.f_bavail), u64::from(space.f_blocks));
    Some((size.saturating_mul(free), size.saturating_mul(all)))
}

/// What libpcap says of itself: `libpcap version 1.10.3 (with TPACKET_V3)`.
pub fn libpcap() -> String {
    // SAFETY: it takes nothing, and tells a text that is never freed.
    let version = unsafe { CStr::from_ptr(pcap_lib_version()) };
    version.to_string_lossy().into_owned()
}

fn open(family: c_int, kind: c_int) -> Result<OwnedFd, Errno> {
    // SAFETY: it takes numbers only.
    let socket = Errno::result(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the descriptor was made just now, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(socket) })
}

fn set<T>(socket: &OwnedFd, level: c_int, option: c_int, value: &T) -> Result<(), Errno> {
    let length = libc::socklen_t::try_from(size_of::<T>()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: the pointer and the length are those of `value`, which is only read.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            std::ptr::from_ref(value).cast(),
            length,
        )
    };
    Errno::result(result).map(drop)
}

/// The largest ring of this size, half of it, and so on; the error is that of the smallest.
fn largest_ring(socket: &OwnedFd, wanted: u64) -> Result<u64, Errno> {
    let mut blocks = u32::try_from(wanted / u64::from(BLOCK)).unwrap_or(u32::MAX).max(1);
    loop {
        let request = libc::tpacket_req3 {
            tp_block_size: BLOCK,
            tp_block_nr: blocks,
            tp_frame_size: FRAME,
            tp_frame_nr: (BLOCK / FRAME).saturating_mul(blocks),
            tp_retire_blk_tov: 10,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        match set(socket, libc::SOL_PACKET, libc::PACKET_RX_RING, &request) {
            Ok(()) => return Ok(u64::from(BLOCK) * u64::from(blocks)),
            Err(error) if blocks == 1 => return Err(error),
            Err(_) => blocks /= 2,
        }
    }
}

/// A socket of its own: one that is in a group stays there.
fn fan_out() -> Result<(), Errno> {
    let socket = open(libc::AF_PACKET, libc::SOCK_RAW)?;
    // SAFETY: all zeros is an address of a packet socket.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
    // A group wants a socket that is bound; of this protocol hardly any packet ever comes.
    address.sll_protocol = UNUSED.to_be();
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).unwrap_or_default();
    // SAFETY: the pointer and the length are those of `address`, which is only read.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    Errno::result(bound)?;
    let group = std::process::id() & 0xffff;
    set(&socket, libc::SOL_PACKET, libc::PACKET_FANOUT, &(group | libc::PACKET_FANOUT_HASH << 16))
}

/// Asks a driver; the answer is in `data`, which begins with the command.
fn ethtool<T>(socket: &OwnedFd, interface: &str, data: &mut T) -> Result<(), Errno> {
    // SAFETY: all zeros is an `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The name ends with a zero.
    if interface.len() >= request.ifr_name.len() {
        return Err(Errno::ENAMETOOLONG);
    }
    for (place, byte) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *place = c_char::from_ne_bytes([byte]);
    }
    request.ifr_ifru.ifru_data = std::ptr::from_mut(data).cast();
    // SAFETY: `request` lives through the call. The kernel writes no more than the structure that
    // belongs to the command, and each caller gives one of that size.
    Errno::result(unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) })
        .map(drop)
}

/// `ethtool_drvinfo` of linux/ethtool.h, of which only the name is of use.
#[repr(C)]
struct DriverInformation {
    command: u32,
    rest: [u8; 192],
}

// SAFETY: pcap/pcap.h declares it so.
unsafe extern "C" {
    fn pcap_lib_version() -> *const c_char;
}

/// `TPACKET_V3` of linux/if_packet.h.
const TPACKET_V3: c_int = 2;
/// A block of the ring, as libpcap has it: a multiple of all sizes of pages.
const BLOCK: u32 = 256 << 10;
const FRAME: u32 = 2_048;
/// The protocol of Ethernet's own loopback test.
const UNUSED: u16 = 0x9000;
/// `LANDLOCK_CREATE_RULESET_VERSION` of linux/landlock.h.
const VERSION: u32 = 1;

// linux/sockios.h and linux/ethtool.h.
const SIOCETHTOOL: c_ulong = 0x8946;
const ETHTOOL_GDRVINFO: u32 = 0x03;
const ETHTOOL_GTSO: u32 = 0x1e;
const ETHTOOL_GGSO: u32 = 0x23;
const ETHTOOL_GFLAGS: u32 = 0x25;
const ETHTOOL_GGRO: u32 = 0x2b;
const ETHTOOL_GET_TS_INFO: u32 = 0x41;
const ETH_FLAG_RXVLAN: u32 = 1 << 8;
const ETH_FLAG_LRO: u32 = 1 << 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_may_gets_a_ring() {
        let attempts = attempt(1 << 20);
        if attempts.socket == Err(Errno::EPERM) {
            println!("skipped: this user may not open packet sockets");
            return;
        }
        assert_eq!(attempts.ring, Ok(1 << 20));
        assert_eq!(attempts.fanout, Ok(()));
    }

    #[test]
    fn what_is_not_there_is_not_told() {
        assert_eq!(driver("no-such-if"), Driver::default());
        assert_eq!(driver("a-name-that-is-far-too-long"), Driver::default());
        assert_eq!(free_space(Path::new("no/such/folder")), None);
    }

    #[test]
    fn the_system_answers() {
        assert!(interface_names().iter().all(|name| !name.is_empty()));
        assert!(libpcap().starts_with("libpcap version "));
        assert!(page_size().is_some_and(|size| size.is_power_of_two()));
        assert!(free_space(Path::new("/")).is_some());
    }
}
