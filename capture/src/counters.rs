//! What was seen, dropped, undecodable, evicted: every loss has a number.

/// Declares the counters once, with the name and meaning that the output shows.
macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Counts of packets and streams; each shard has its own, and they add up.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl Counters {
            /// Adds another shard's counts to these.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)+
            }

            /// Calls `f` with the name and value of each, in order of declaration.
            pub fn each(&self, f: &mut dyn FnMut(&'static str, u64)) {
                $(f(stringify!($name), self.$name);)+
            }
        }
    };
}

counters! {
    /// Packets that were read, before the filter.
    packets,
    /// Their bytes on the wire.
    bytes,
    /// Packets that the filter left out.
    filtered,
    /// Packets whose end the capture cut off.
    cut,
    /// Packets of a link type that is not read.
    unknown_link_type,
    /// Packets whose time lies more than a second behind that of one before them.
    behind,
    /// Packets that carry no IP.
    not_ip,
    /// IP packets that carry neither TCP nor UDP.
    not_tcp_or_udp,
    /// Packets cut or damaged within a header.
    bad_header,
    /// Packets of taps or networks beyond those that can be told apart.
    taps_lost,
    /// Packets in VXLAN.
    in_vxlan,
    /// Packets in GENEVE.
    in_geneve,
    /// Packets in GRE, NVGRE among them.
    in_gre,
    /// Packets that a mirror sent in ERSPAN.
    in_erspan,
    /// Packets that a mirror sent in TZSP.
    in_tzsp,
    /// IP packets in IP packets.
    in_ip,
    /// Packets in MPLS.
    in_mpls,
    /// Packets in sessions of PPPoE.
    in_pppoe,
    /// Packets in what looks like a tunnel but is cut or makes no sense; the outer ones count.
    bad_tunnels,
    /// Packets in more tunnels than are taken off; those that hold them count.
    tunnels_too_deep,
    /// Packets in tunnels beyond those that are told apart by their ends.
    tunnel_ends_lost,
    /// IP fragments.
    fragments,
    /// Fragmented datagrams of which a part never came, or that overran a limit.
    fragments_lost,
    /// TCP connections and UDP flows, each at each point that saw it.
    flows,
    /// Connections that were answered from another address than they were opened to.
    redirected,
    /// Flows that were given up early since the flow table was full.
    flows_evicted,
    /// Packets that were left out since there was too much to do.
    packets_shed,
    /// Their bytes on the wire.
    bytes_shed,
    /// Packets of flows that were not begun for the same reason.
    new_flows_shed,
    /// Flows that were given up for the same reason.
    flows_shed,
    /// Packets that were captured twice at the same place.
    copies,
    /// Packets that another point had seen before.
    seen_at_next_point,
    /// Segments whose bytes had been seen before in another packet.
    retransmissions,
    /// Segments that came before ones that precede them.
    out_of_order,
    /// Gaps in streams.
    gaps,
    /// Bytes lost in them.
    gap_bytes,
    /// Gaps that were declared early since too many bytes waited.
    gaps_forced,
}
