//! What is in tunnels: their headers are taken off, and what is below them is decoded as any packet
//! is; where that makes no sense, the outer packet counts.

use super::{Around, Decoder, Segment, Why, mac_pair};
use crate::counters::Counters;
use crate::packet::PacketHead;
use crate::tunnel::{Carried, Inner, Kind, TUNNELS, Tunnel, Wrong, in_ether_type};
use std::net::Ipv6Addr;

impl Decoder {
    /// What is in a frame that carries no IP, if it is a tunnel.
    #[cold]
    pub(super) fn in_ether_type(
        &mut self,
        head: &PacketHead,
        ether_type: u16,
        bytes: &[u8],
        buffer: Option<&[u8]>,
    ) -> Option<Segment> {
        match in_ether_type(ether_type, bytes) {
            Ok(inner) if self.around.depth < TUNNELS => self.inside(head, &inner, None, buffer),
            Ok(_) => {
                self.counters.tunnels_too_deep += 1;
                self.refuse(Why::NotIp)
            }
            Err(Wrong::Bad) => self.refuse(Why::BadHeader),
            Err(Wrong::NotOne) => self.refuse(Why::NotIp),
        }
    }

    /// What is in a tunnel between these ends, if its header was found.
    #[inline(never)]
    pub(super) fn inside(
        &mut self,
        head: &PacketHead,
        inner: &Inner<'_>,
        ends: Option<[Ipv6Addr; 2]>,
        buffer: Option<&[u8]>,
    ) -> Option<Segment> {
        let Inner { kind, id, .. } = *inner;
        self.around.depth += 1;
        // A label that says nothing makes no tap either, nor does a line.
        if ends.is_some() || id.is_some() {
            let ends = ends.map(|[one, other]| [one.min(other), one.max(other)]);
            let vlans = (inner.vlan != 0).then_some(inner.vlan).into_iter().collect();
            self.around.tap.tunnels.push(Tunnel { kind, id, ends, vlans });
        }
        let (ether_type, bytes) = match inner.carried {
            Carried::Type(ether_type) => (ether_type, inner.bytes),
            Carried::Ethernet => {
                let Some(([macs @ .., high, low], bytes)) = inner.bytes.split_first_chunk::<14>()
                else {
                    return self.refuse(Why::BadHeader);
                };
                self.around.macs = mac_pair(macs);
                (u16::from_be_bytes([*high, *low]), bytes)
            }
        };
        let found = self.ether(head, ether_type, bytes, buffer);
        if found.is_none() && self.why == Why::BadHeader {
            return None;
        }
        let counters = &mut self.counters;
        match kind {
            Kind::Vxlan => counters.in_vxlan += 1,
            Kind::Geneve => counters.in_geneve += 1,
            Kind::Gre | Kind::Nvgre => counters.in_gre += 1,
            Kind::Erspan => counters.in_erspan += 1,
            Kind::Tzsp => counters.in_tzsp += 1,
            Kind::IpInIp => counters.in_ip += 1,
            Kind::Mpls => counters.in_mpls += 1,
            Kind::Pppoe => counters.in_pppoe += 1,
        }
        // What the capture cut itself is counted.
        counters.cut += u64::from(inner.truncated && head.bytes.len() >= head.wire_len as usize);
        found
    }

    /// What is in a tunnel that is carried by IP, if there is one and all of it makes sense.
    #[inline(never)]
    pub(super) fn in_tunnel(
        &mut self,
        head: &PacketHead,
        ends: [Ipv6Addr; 2],
        inner: &Inner<'_>,
        buffer: Option<&[u8]>,
    ) -> Option<Option<Segment>> {
        if self.around.depth >= TUNNELS {
            self.counters.tunnels_too_deep += 1;
            return None;
        }
        let Around { macs, depth, by_ip, cut, .. } = self.around;
        let outside = self.around.tap.tunnels.len();
        let (counters, datagrams) = (self.counters, (self.datagram, self.outer_datagram));
        self.around.by_ip += 1;
        let found = self.inside(head, inner, Some(ends), buffer);
        if found.is_some() || self.why != Why::BadHeader {
            return Some(found);
        }
        // Nothing of what is inside counts, but other datagrams that were given up for it are lost.
        let fragments_lost = self.counters.fragments_lost;
        let bad_tunnels = counters.bad_tunnels + 1;
        self.counters = Counters { fragments_lost, bad_tunnels, ..counters };
        (self.datagram, self.outer_datagram) = datagrams;
        (self.around.macs, self.around.cut) = (macs, cut);
        (self.around.depth, self.around.by_ip) = (depth, by_ip);
        self.around.tap.tunnels.truncate(outside);
        None
    }
}
