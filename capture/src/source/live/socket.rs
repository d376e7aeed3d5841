//! What libpcap has no call for: packet sockets that share the work of an interface, and the
//! interface behind a socket's name, asked in the socket's own network namespace.
//!
//! `man 7 packet`, `man 7 netdevice`.
#![expect(unsafe_code, reason = "neither libpcap nor nix has these options of packet sockets")]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Lets sockets of one group share the packets of their interface by a hash of the flow
/// (`PACKET_FANOUT_HASH`). Both directions of a flow may come to different sockets.
pub(super) fn join_group(socket: BorrowedFd<'_>, group: u16) -> io::Result<()> {
    let value = u32::from(group) | libc::PACKET_FANOUT_HASH << 16;
    set(socket, libc::SOL_PACKET, libc::PACKET_FANOUT, &value)
}

/// Binds a packet socket to another interface: one that has the name of the one that went away.
/// It needs no right, where a new socket would.
pub(super) fn bind(socket: BorrowedFd<'_>, index: u32, promiscuous: bool) -> io::Result<()> {
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: (libc::ETH_P_ALL as u16).to_be(),
        sll_ifindex: index.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the address is one of this length, and lives beyond the call.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if bound != 0 {
        return Err(io::Error::last_os_error());
    }
    if !promiscuous {
        return Ok(());
    }
    let member = libc::packet_mreq {
        mr_ifindex: index.cast_signed(),
        mr_type: libc::PACKET_MR_PROMISC as u16,
        mr_alen: 0,
        mr_address: [0; 8],
    };
    set(socket, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &member)
}

/// The number of the interface of this name, if there is one.
pub(super) fn index_of(socket: BorrowedFd<'_>, name: &str) -> Option<u32> {
    let mut request = request(name)?;
    ask(socket, libc::SIOCGIFINDEX, &mut request).ok()?;
    // SAFETY: the kernel has put the number there.
    Some(unsafe { request.ifr_ifru.ifru_ifindex }.cast_unsigned())
}

/// The name of the interface of this number, if there is one.
pub(super) fn name_of(socket: BorrowedFd<'_>, index: u32) -> Option<String> {
    let mut request = request("")?;
    request.ifr_ifru.ifru_ifindex = index.cast_signed();
    ask(socket, libc::SIOCGIFNAME, &mut request).ok()?;
    let name = request.ifr_name.iter().take_while(|byte| **byte != 0);
    let name: Vec<u8> = name.map(|byte| byte.cast_unsigned()).collect();
    Some(String::from_utf8_lossy(&name).into_owned())
}

/// Whether the interface of this name is up, if there is one.
pub(super) fn is_up(socket: BorrowedFd<'_>, name: &str) -> Option<bool> {
    let mut request = request(name)?;
    ask(socket, libc::SIOCGIFFLAGS, &mut request).ok()?;
    // SAFETY: the kernel has put the flags there.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    Some(i32::from(flags) & libc::IFF_UP != 0)
}

/// A request about an interface; none where the name is too long for one.
fn request(name: &str) -> Option<libc::ifreq> {
    let mut ifr_name = [0; libc::IFNAMSIZ];
    // The last byte stays zero.
    let space = ifr_name.get_mut(..libc::IFNAMSIZ - 1)?;
    for (place, byte) in space.get_mut(..name.len())?.iter_mut().zip(name.bytes()) {
        *place = byte.cast_signed();
    }
    Some(libc::ifreq { ifr_name, ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_ifindex: 0 } })
}

fn ask(socket: BorrowedFd<'_>, what: libc::Ioctl, request: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: these calls read and write one `ifreq`, which lives beyond the call.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), what, &raw mut *request) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn set<T>(socket: BorrowedFd<'_>, level: i32, name: i32, value: &T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the value is of this length, and lives beyond the call.
    let done = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const *value).cast(), length)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
