//! Which answer belongs to which request, and what remains of a conversation of which a part was
//! lost, came out of order or was never captured: the same cases for all protocols.

use crate::http::Connection;
use crate::packets::{Packet, Random, START};
use crate::run::{Ran, ms, run, run_with};
use crate::talk::Talk;
use wirespan::config::Config;
use wirespan::exchange::Sort;

/// A conversation whose packets come a millisecond apart, from the tenth on.
struct Conversation {
    talk: Talk,
    connection: Connection,
    packets: Vec<Packet>,
    at: i64,
}

impl Conversation {
    /// One that begins with handshake and login.
    fn new(talk: Talk) -> Self {
        let mut connection = talk.connection(1, 2);
        let packets = talk.open(&mut connection, 5);
        Self { talk, connection, packets, at: 10 }
    }

    /// One whose beginning was not captured.
    fn midstream(talk: Talk) -> Self {
        let mut conversation = Self::new(talk);
        conversation.packets.clear();
        conversation
    }

    fn asks(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let packet = self.connection.asks(self.at, bytes);
        self.push(packet)
    }

    fn tells(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let packet = self.connection.tells(self.at, bytes);
        self.push(packet)
    }

    /// The same in segments of so many bytes.
    fn asks_in(&mut self, size: usize, bytes: &[u8]) -> &mut Self {
        for piece in bytes.chunks(size) {
            self.asks(piece);
        }
        self
    }

    fn tells_in(&mut self, size: usize, bytes: &[u8]) -> &mut Self {
        for piece in bytes.chunks(size) {
            self.tells(piece);
        }
        self
    }

    /// A request and its answer.
    fn call(&mut self, about: &str, number: usize) -> &mut Self {
        let talk = self.talk;
        self.asks(talk.asks(about)).tells(talk.tells(number))
    }

    /// Packets that nobody captured, by their places from the last one on.
    fn loses(&mut self, places: std::ops::Range<usize>) -> &mut Self {
        let last = self.packets.len();
        self.packets.drain(last - places.end..last - places.start);
        self
    }

    fn push(&mut self, packet: Packet) -> &mut Self {
        self.packets.push(packet);
        self.at += 1;
        self
    }

    fn run(&self) -> Ran {
        run(&self.packets)
    }

    /// Each call with the number of its answer.
    fn gives(&self, expected: &[&str]) {
        assert_eq!(self.lines(&self.run()), expected, "{:?}", self.talk);
    }

    fn lines(&self, ran: &Ran) -> Vec<String> {
        let calls = ran.spans().into_iter().filter(|span| span.exchange.sort == Sort::Call);
        calls.map(|span| self.talk.line(span)).collect()
    }
}

#[test]
fn pipelined_requests_are_paired_in_order() {
    for talk in Talk::ALL {
        let [a, b, c] = ["a", "b", "c"].map(|about| talk.asks(about));
        let answers = [1, 2, 3].map(|number| talk.tells(number));
        let mut apart = Conversation::new(talk);
        apart.asks(&a).asks(&b).asks(&c);
        apart.tells(&answers[0]).tells(&answers[1]).tells(&answers[2]);
        apart.gives(&["a 1", "b 2", "c 3"]);

        let mut in_one_segment = Conversation::new(talk);
        in_one_segment.asks([a, b, c].concat()).tells(answers.concat());
        in_one_segment.gives(&["a 1", "b 2", "c 3"]);
    }
}

#[test]
fn answers_that_overtake_requests_of_a_pipeline_are_paired_in_order() {
    for talk in Talk::ALL {
        let mut conversation = Conversation::new(talk);
        conversation.asks([talk.asks("a"), talk.asks("b")].concat());
        conversation.tells(talk.tells(1)).asks(talk.asks("c"));
        conversation.tells([talk.tells(2), talk.tells(3)].concat()).call("d", 4);
        conversation.gives(&["a 1", "b 2", "c 3", "d 4"]);
    }
}

#[test]
fn message_over_many_segments_is_one_with_the_times_of_its_ends() {
    for talk in Talk::ALL {
        let request = talk.asks_at_length("a");
        for size in [request.len() / 4 + 1, 700, 60] {
            let mut conversation = Conversation::new(talk);
            conversation.asks_in(size, &request);
            let sent = conversation.at - 1;
            conversation.tells_in(1, &talk.tells(3)).call("b", 2);
            conversation.gives(&["a 3", "b 2"]);
            let ran = conversation.run();
            let span = ran.span(&talk.name("a"));
            let (request, response) = (&span.exchange.request, &span.exchange.response);
            assert_eq!([ms(request.first.at), ms(request.last.at)], [10, sent], "{talk:?}");
            assert_eq!(ms(response.unwrap().first.at), sent + 1, "{talk:?}");
            assert_eq!(ms(response.unwrap().last.at), conversation.at - 3, "{talk:?}");
        }
    }
}

#[test]
fn segments_out_of_order_and_doubled_give_the_same() {
    for talk in Talk::ALL {
        let mut conversation = Conversation::new(talk);
        conversation.asks_in(300, &talk.asks_at_length("a"));
        conversation.tells_in(9, &talk.tells(3));
        conversation.asks_in(7, &[talk.asks("b"), talk.asks("c")].concat());
        conversation.tells_in(9, &[talk.tells(1), talk.tells(2)].concat()).call("d", 4);
        let expected = ["a 3", "b 1", "c 2", "d 4"];
        conversation.gives(&expected);
        for seed in 0..8 {
            let shaken = shaken(&conversation.packets, seed);
            assert_eq!(conversation.lines(&run(&shaken)), expected, "{talk:?}, seed {seed}");
        }
    }
}

/// The packets of a conversation, each up to seven places later; one in four comes again. Those of
/// its start keep their places, and each still has the time of its place.
fn shaken(packets: &[Packet], seed: u64) -> Vec<Packet> {
    let mut random = Random(seed);
    let mut placed = Vec::new();
    for (place, packet) in packets.iter().enumerate() {
        let start = packet.time() < START_ENDS;
        let later = if start { 0 } else { random.below(7) };
        placed.push((place + later, packet));
        if !start && random.below(4) == 0 {
            placed.push((place + later + random.below(4), packet));
        }
    }
    placed.sort_by_key(|(place, _)| *place);
    let times = packets.iter().map(Packet::time);
    let after = packets.last().unwrap().time();
    let times = times.chain((1..).map(|more| after + more));
    let shaken = placed.into_iter().zip(times);
    shaken.map(|((_, packet), time)| packet.clone().at_ns(time - START.0)).collect()
}

#[test]
fn conversation_is_read_from_its_middle() {
    for talk in Talk::ALL {
        let mut conversation = Conversation::midstream(talk);
        conversation.call("a", 1).call("b", 2).call("c", 3);
        conversation.gives(&["a 1", "b 2", "c 3"]);

        let mut within_an_answer = Conversation::midstream(talk);
        within_an_answer.tells(&talk.tells(4)[7..]).call("a", 1).call("b", 2);
        within_an_answer.gives(&["a 1", "b 2"]);

        let mut within_a_request = Conversation::midstream(talk);
        within_a_request.asks(&talk.asks_at_length("x")[300..]).tells(talk.tells(4));
        within_a_request.call("a", 1).call("b", 2);
        let ran = within_a_request.run();
        let lines = within_a_request.lines(&ran);
        assert!(lines.ends_with(&["a 1".into(), "b 2".into()]), "{talk:?}: {lines:?}");
    }
}

#[test]
fn gap_costs_its_own_exchange_alone() {
    for talk in Talk::ALL {
        let long = talk.asks_at_length("x");
        // A request, all of it; what it was answered with belongs to nothing.
        let mut whole_request = Conversation::new(talk);
        whole_request.call("a", 1).call("x", 4).loses(1..2).call("b", 2).call("c", 3);
        whole_request.gives(&["a 1", "b 2", "c 3"]);
        // The head of a request, of which the rest comes.
        let mut head = Conversation::new(talk);
        head.call("a", 1).asks(&long[..20]).loses(0..1).asks(&long[20..]).tells(talk.tells(4));
        head.call("b", 2).call("c", 3);
        head.gives(&["a 1", "b 2", "c 3"]);
        // An answer, all of it.
        let mut whole_answer = Conversation::new(talk);
        whole_answer.call("a", 1).call("x", 4).loses(0..1).call("b", 2).call("c", 3);
        whole_answer.gives(&["a 1", "x response_lost", "b 2", "c 3"]);
        // The head of an answer.
        let answer = talk.tells(4);
        let mut head = Conversation::new(talk);
        head.call("a", 1).asks(talk.asks("x")).tells(&answer[..3]).loses(0..1).tells(&answer[3..]);
        head.call("b", 2).call("c", 3);
        head.gives(&["a 1", "x response_lost", "b 2", "c 3"]);
    }
}

#[test]
fn gap_within_rows_costs_no_other_answer() {
    for talk in Talk::SQL {
        // Within one long value, and over the edges of many short ones.
        for sizes in [vec![5_000], vec![20; 200]] {
            let mut conversation = Conversation::new(talk);
            conversation.call("a", 1).asks(talk.asks("x"));
            let rows = talk.rows(&sizes);
            conversation.tells(&rows[..1_000]).tells(&rows[1_000..2_010]).loses(0..1);
            conversation.tells(&rows[2_010..]).call("b", 2).call("c", 3);
            let ran = conversation.run();
            let lines = conversation.lines(&ran);
            assert_eq!([&lines[0], &lines[2], &lines[3]], ["a 1", "b 2", "c 3"], "{talk:?}");
        }
    }
}

#[test]
fn gaps_in_a_pipeline_make_no_wrong_pair() {
    for talk in Talk::ALL {
        for (lost, count) in (0..8).flat_map(|lost| (1..=3).map(move |count| (lost, count))) {
            let mut conversation = Conversation::new(talk);
            conversation.call("first", 5);
            for about in ["a", "b", "c", "d"] {
                conversation.asks(talk.asks(about));
            }
            for number in 1..=4 {
                conversation.tells(talk.tells(number));
            }
            conversation.loses(lost..(lost + count).min(8));
            conversation.at += 1_000;
            conversation.call("e", 6);
            conversation.at += 1_000;
            conversation.call("f", 7);
            let lines = conversation.lines(&conversation.run());
            let lost = format!("{talk:?}, {count} packets from the last but {lost}: {lines:?}");
            assert!(no_wrong_pair(&lines, &RIGHT), "{lost}");
            assert!(lines.ends_with(&["f 7".into()]), "{lost}");
        }
    }
}

#[test]
fn busy_pipeline_makes_no_wrong_pair_behind_a_gap() {
    for talk in Talk::ALL {
        for lost in [2, 3] {
            let mut conversation = Conversation::new(talk);
            conversation.call("first", 5).asks(talk.asks("a")).asks(talk.asks("b"));
            conversation.tells(talk.tells(1)).asks(talk.asks("c"));
            conversation.tells(talk.tells(2)).asks(talk.asks("d"));
            conversation.loses(lost..lost + 1);
            conversation.tells(talk.tells(3)).asks(talk.asks("e"));
            conversation.tells(talk.tells(4)).asks(talk.asks("f"));
            conversation.tells(talk.tells(6)).tells(talk.tells(7));
            let lines = conversation.lines(&conversation.run());
            assert!(no_wrong_pair(&lines, &RIGHT), "{talk:?}, {lost}: {lines:?}");
        }
    }
}

#[test]
fn client_that_takes_turns_is_paired_again_soon_behind_a_gap() {
    for talk in Talk::ALL {
        for (lost, count) in (0..6).flat_map(|lost| (1..=3).map(move |count| (lost, count))) {
            let mut conversation = Conversation::new(talk);
            let mut right = Vec::new();
            for turn in 0..24 {
                right.extend(turn_of_three(&mut conversation, turn));
                if turn == 20 {
                    conversation.loses(lost..lost + count);
                }
            }
            let lines = conversation.lines(&conversation.run());
            let told = format!("{talk:?}, {count} packets from the last but {lost}: {lines:?}");
            let right: Vec<&str> = right.iter().map(String::as_str).collect();
            assert!(no_wrong_pair(&lines, &right), "{told}");
            let behind = lines.iter().rev().zip(right[66..].iter().rev());
            assert!(behind.clone().all(|(line, right)| line == right), "{told}");
        }
    }
}

#[test]
fn client_that_once_did_not_wait_is_not_trusted_to_take_turns() {
    for talk in Talk::ALL {
        let mut conversation = Conversation::new(talk);
        conversation.asks(talk.asks("x")).asks(talk.asks("y")).tells(talk.tells(1));
        conversation.asks(talk.asks("z")).tells(talk.tells(2)).tells(talk.tells(3));
        for turn in 0..20 {
            turn_of_three(&mut conversation, turn);
        }
        conversation.asks(talk.asks("a")).asks(talk.asks("b")).tells(talk.tells(1));
        conversation.asks(talk.asks("c")).loses(0..1).tells(talk.tells(2));
        conversation.asks(talk.asks("d")).loses(0..1).tells(talk.tells(3));
        conversation.asks(talk.asks("e")).tells(talk.tells(4)).tells(talk.tells(6));
        let lines = conversation.lines(&conversation.run());
        assert!(no_wrong_pair(&lines[63..], &RIGHT), "{talk:?}: {lines:?}");
    }
}

/// Three requests, the last one in a packet of its own, and their answers; gives the pairs.
fn turn_of_three(conversation: &mut Conversation, turn: usize) -> Vec<String> {
    let talk = conversation.talk;
    let calls = [0, 1, 2].map(|n| (["a", "b", "c"][n], (turn * 3 + n) % 7 + 1));
    let abouts = calls.map(|(about, number)| format!("{about}{}", LETTERS[turn].repeat(number)));
    let [a, b, c] = abouts.each_ref().map(|about| talk.asks(about));
    conversation.asks([a, b].concat()).asks(c);
    for (_, number) in calls {
        conversation.tells(talk.tells(number));
    }
    abouts.iter().zip(calls).map(|(about, (_, number))| format!("{about} {number}")).collect()
}

const LETTERS: [&str; 24] = [
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s",
    "t", "u", "v", "w", "x",
];

const RIGHT: [&str; 7] = ["first 5", "a 1", "b 2", "c 3", "d 4", "e 6", "f 7"];

/// Whether each call has its own answer, or none.
fn no_wrong_pair(lines: &[String], right: &[&str]) -> bool {
    lines.iter().all(|line| {
        let answer = line.split(' ').next_back().unwrap_or_default();
        answer.parse::<usize>().is_err() || right.contains(&line.as_str())
    })
}

#[test]
fn message_that_is_given_up_for_a_limit_costs_no_other() {
    for talk in Talk::SQL {
        let answer = talk.tells(2);
        for cut in 1..answer.len() {
            let mut conversation = Conversation::new(talk);
            conversation.call("a", 1).asks(talk.asks("x"));
            conversation.tells(&answer[..cut]).tells(&answer[cut..]);
            conversation.call("b", 2).call("c", 3);
            let ran = run_with(&conversation.packets, &|| {
                let mut config = Config::default();
                config.flows.waiting = 16;
                config
            });
            let mut lines = conversation.lines(&ran);
            lines.retain(|line| !line.starts_with("x "));
            assert_eq!(lines, ["a 1", "b 2", "c 3"], "{talk:?}, cut at {cut}");
        }
    }
}

/// The nanosecond before which all of a conversation's start has come.
const START_ENDS: i64 = START.0 + 9_000_000;
