//! Random calls: what must never happen, whatever they carry and however they overlap.

use crate::http::{Call, sorted};
use crate::packets::{Packet, Random};
use crate::run::{name, run};
use std::collections::BTreeMap;
use wirespan::span::{LinkKind, Reason};

#[test]
fn random_calls_never_make_what_must_not_be() {
    let mut links: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..25 {
        let mut random = Random(seed);
        let mut packets = Vec::new();
        let mut points = BTreeMap::new();
        for n in 0..60 {
            let path = format!("/{n}");
            let call = call(&mut random, &path);
            let dressed = call.packets();
            let both = random.below(3) == 0;
            if both {
                let far = dressed
                    .iter()
                    .map(|packet| packet.clone().on("far").ttl(60).at_ns(packet.time() + 40_000));
                packets.extend(far.collect::<Vec<Packet>>());
            }
            points.insert(path, 1 + usize::from(both));
            packets.extend(dressed);
        }
        // Each run compares batches and threads, and checks trees, parents and ids.
        let ran = run(&sorted(packets));
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for span in ran.spans() {
            *seen.entry(name(span)).or_default() += 1;
        }
        assert_eq!(seen, points, "seed {seed}: each call once at each point that saw it");
        assert_eq!(ran.summary.exchanges["http"], 60, "seed {seed}");
        for trace in &ran.traces {
            for span in &trace.spans {
                let Some(link) = &span.link else { continue };
                *links.entry(link.reason.name()).or_default() += 1;
                let parent = &trace.spans[link.parent];
                let (up, down) = (&parent.exchange, &span.exchange);
                match link.kind {
                    LinkKind::SameExchange => {
                        assert_eq!(name(parent), name(span), "seed {seed}");
                        assert_ne!(up.point, down.point, "seed {seed}");
                    }
                    LinkKind::Parent => {
                        assert_ne!(name(parent), name(span), "seed {seed}");
                        assert!(up.start() <= down.start(), "seed {seed}");
                        // What carries the same identifier may come after the answer.
                        let is_identified = matches!(link.reason, Reason::Identifier(_));
                        assert!(is_identified || down.start() <= up.end(), "seed {seed}");
                    }
                }
                let shares = |format| {
                    let ids = |exchange: &wirespan::exchange::Exchange| {
                        let all = exchange.contexts.iter().filter(|c| c.format == format);
                        all.map(|context| context.trace).collect::<Vec<_>>()
                    };
                    ids(up).iter().any(|id| ids(down).contains(id))
                };
                match link.reason {
                    Reason::Identifier(format) => assert!(shares(format), "seed {seed}"),
                    Reason::OneCandidate | Reason::Content => {
                        assert_eq!(up.server.ip(), down.client.ip(), "seed {seed}");
                    }
                    Reason::TcpSequence => assert_eq!(up.request.seq, down.request.seq),
                    Reason::Datagram
                    | Reason::StreamId
                    | Reason::MessageContent
                    | Reason::OneMessage => panic!("there are none"),
                }
            }
        }
        let ids: Vec<u128> = ran.traces.iter().filter(|t| !t.late).map(|t| t.id).collect();
        let unique: std::collections::BTreeSet<&u128> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len(), "seed {seed}: no two traces have one id");
    }
    assert_eq!(links.len(), 5, "{links:?}");
}

/// A call between some of a few hosts, with some of a few identifiers.
fn call(random: &mut Random, path: &str) -> Call {
    let client = 1 + random.below(5) as u8;
    let server = 1 + (usize::from(client) + random.below(4)) as u8 % 5;
    let start = 1_000 + random.below(3_000) as i64;
    let mut call = Call::new(client, server, start..start + 1 + random.below(400) as i64, path)
        .server_port(80 + random.below(3) as u16);
    if random.below(3) == 0 {
        call = call.asks(&format!("X-Request-ID: r{}", random.below(12)));
    }
    if random.below(6) == 0 {
        call = call.tells(&format!("X-Request-ID: r{}", random.below(12)));
    }
    match random.below(6) {
        0 => {
            let (trace, span) = (1 + random.below(5), 1 + random.below(20));
            call.asks(&format!("traceparent: 00-{trace:032x}-{span:016x}-01"))
        }
        1 => {
            let (trace, span, parent) = (9 + random.below(5), random.below(9), random.below(9));
            call.asks(&format!("b3: {trace:032x}-{:016x}-1-{:016x}", span + 1, parent + 1))
        }
        _ => call,
    }
}
