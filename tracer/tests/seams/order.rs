//! In which order the points of one exchange lie: what is sure decides before what is not.

use crate::http::{Call, sorted};
use crate::packets::Packet;
use crate::run::run;

/// Where and how packets are seen: nanoseconds after they were seen at the first point, of what the
/// client sends and of what the server sends; and the routers in between.
struct Place {
    name: &'static str,
    asked: i64,
    answered: i64,
    routers: u8,
}

const fn place(name: &'static str, asked: i64, answered: i64) -> Place {
    Place { name, asked, answered, routers: 0 }
}

/// What becomes of a packet at a place.
enum Fate {
    Seen,
    /// Only when it was sent again.
    SeenAgain,
    Missed,
}

/// Packets of a call, as places see them.
fn seen(places: &[Place], fate: impl Fn(&str, &Packet) -> Fate) -> Vec<Packet> {
    let call = Call::new(1, 2, 10..400, "/x").packets();
    let mut all = Vec::new();
    for place in places {
        for packet in &call {
            let asks = packet.source().port() >= 10_000;
            let (later, ttl) = match asks {
                true => (place.asked, 64 - place.routers),
                false => (place.answered, 60 + place.routers),
            };
            let packet = packet.clone().on(place.name).ttl(ttl).tsval(1_000);
            let seen = packet.clone().at_ns(packet.time() + later);
            let again = seen.time() + 210_000_000;
            match fate(place.name, &packet) {
                Fate::Seen => all.push(seen),
                Fate::SeenAgain => all.push(seen.at_ns(again).tsval(1_210)),
                Fate::Missed => {}
            }
        }
    }
    sorted(all)
}

fn check(places: &[Place], expected: &str) {
    check_packets(&seen(places, |_, _| Fate::Seen), expected);
}

fn check_packets(packets: &[Packet], expected: &str) {
    let ran = run(packets);
    let trees = ran.trees();
    let [tree] = trees.as_slice() else { panic!("one trace and no more: {trees:?}") };
    let order: Vec<&str> =
        tree.split('@').skip(1).map(|rest| rest.split(['(', '[']).next().unwrap()).collect();
    assert_eq!(order.join(" "), expected);
}

/// Whether it is the request, or the answer.
fn carries(packet: &Packet, client: bool) -> bool {
    let answer = packet.time() >= 400_000_000;
    let is_request = packet.source().port() >= 10_000 && packet.time() == 10_000_000;
    if client { is_request && !answer } else { answer }
}

#[test]
fn a_request_is_seen_first_near_the_client_and_an_answer_last() {
    check(&[place("a", 0, 0), place("b", 20_000, -20_000)], "a b");
    check(&[place("b", 0, 0), place("a", -20_000, 20_000)], "a b");
    let four = [
        place("c", 40_000, -40_000),
        place("a", 0, 0),
        place("d", 60_000, -60_000),
        place("b", 20_000, -20_000),
    ];
    check(&four, "a b c d");
}

#[test]
fn time_to_live_decides_before_times() {
    let routed = Place { name: "b", asked: -50_000, answered: 50_000, routers: 1 };
    check(&[place("a", 0, 0), routed], "a b");
}

#[test]
fn a_clock_that_is_off_by_more_than_the_way_takes_turns_nothing_round() {
    for off in [-300_000, 300_000] {
        check(&[place("a", 0, 0), place("b", 20_000 + off, -20_000 + off)], "a b");
        check(&[place("b", 0, 0), place("a", -20_000 + off, 20_000 + off)], "a b");
    }
}

#[test]
fn of_equal_times_those_that_differ_decide() {
    check(&[place("b", 0, 0), place("a", 0, 30_000)], "a b");
    check(&[place("b", 0, 0), place("a", -30_000, 0)], "a b");
}

#[test]
fn an_answer_that_a_point_has_not_seen_says_nothing() {
    let places = [place("a", 0, 0), place("b", 20_000, -20_000), place("c", 40_000, -40_000)];
    for without in ["a", "b", "c"] {
        let packets = seen(&places, |name, packet| match name {
            _ if name == without && carries(packet, false) => Fate::Missed,
            _ => Fate::Seen,
        });
        check_packets(&packets, "a b c");
    }
}

#[test]
fn what_was_lost_on_the_way_and_sent_again_was_seen_first_near_its_sender() {
    let places = [place("a", 0, 0), place("b", 20_000, -20_000)];
    let lost = |place: &'static str, client: bool| {
        move |name: &str, packet: &Packet| match name {
            _ if name == place && carries(packet, client) => Fate::SeenAgain,
            _ => Fate::Seen,
        }
    };
    check_packets(&seen(&places, lost("b", true)), "a b");
    check_packets(&seen(&places, lost("a", false)), "a b");
}
