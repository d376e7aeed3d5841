//! Requests that the capture lost: a gap in what a client sends, or a response to nothing.
//!
//! What a machine calls meanwhile, it may call for such a request. What then seems to have caused
//! the call is mostly the level above or another request, so that such calls are marked, and left
//! open unless a span id tells what is above.

use crate::join::machines::{Ends, Machine};
use crate::join::{By, JoinKey, Member};
use crate::losses::Missed;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::collections::VecDeque;
use wirespan_capture::packet::Timestamp;

/// The machines at the ends of one.
pub(crate) fn ends(missed: &Missed) -> Ends {
    let Missed { network, point, client, server, .. } = *missed;
    Ends::between(network, point, client.ip(), server.ip())
}

/// Whether this exchange may be it: the same connection, open at a time.
fn may_be(missed: &Missed, member: &Member) -> bool {
    let exchange = &member.exchange;
    (missed.client, missed.server) == (exchange.client, exchange.server)
        && exchange.start() <= missed.to
        && exchange.end() > missed.from
}

/// The requests to each machine that were lost lately.
#[derive(Debug, Default)]
pub(crate) struct Misses {
    by_machine: HashMap<Machine, VecDeque<Missed>, FixedState>,
}

impl Misses {
    /// A request to a machine was lost; or it is known that the last one of a connection went on.
    pub(crate) fn note(&mut self, server: Machine, missed: Missed) {
        if self.by_machine.len() >= MACHINES && !self.by_machine.contains_key(&server) {
            self.by_machine.clear();
        }
        let all = self.by_machine.entry(server).or_default();
        let is_same = |one: &&mut Missed| {
            let same_ends = (one.client, one.server) == (missed.client, missed.server);
            same_ends && (one.point, one.from) == (missed.point, missed.from)
        };
        match all.iter_mut().rev().take(LOOKED_AT).find(is_same) {
            Some(same) => same.to = same.to.max(missed.to),
            None => {
                if all.len() >= EACH {
                    all.pop_front();
                }
                all.push_back(missed);
            }
        }
    }

    /// Two machines are one.
    pub(crate) fn merge(&mut self, kept: Machine, gone: Machine) {
        let Some(gone) = self.by_machine.remove(&gone) else { return };
        let all = self.by_machine.entry(kept).or_default();
        all.extend(gone);
        all.make_contiguous().sort_by_key(|missed| missed.to);
        while all.len() > EACH {
            all.pop_front();
        }
    }

    /// Marks the members of a group that may have been called for one of these; but what one point
    /// lacks and another one has seen is not lost.
    pub(crate) fn mark(&self, members: &mut [Member]) {
        if self.by_machine.is_empty() {
            return;
        }
        let is_few = members.len() <= FEW;
        let mut marked: SmallVec<[usize; 8]> = SmallVec::new();
        for (place, member) in members.iter().enumerate() {
            let Some(all) = self.by_machine.get(&member.client) else { continue };
            let start = member.exchange.start();
            let until = start.plus(if comes_after(members, member) { -AFTERWARDS } else { 0 });
            let mut lost = all.iter().filter(|missed| {
                missed.from < start
                    && until <= missed.to
                    && !(is_few && members.iter().any(|other| may_be(missed, other)))
            });
            if lost.any(|missed| !has_level(members, member, missed, until)) {
                marked.push(place);
            }
        }
        for place in marked {
            if let Some(member) = members.get_mut(place) {
                member.exchange.touched.request = true;
            }
        }
    }
}

/// Whether all that its caller was asked under an identifier of a call is over, so that it is linked
/// to that all the same.
fn comes_after(members: &[Member], call: &Member) -> bool {
    let (own, start) = (keys(call), call.exchange.start());
    let is_open = |above: &Member| {
        let exchange = &above.exchange;
        above.server == call.client
            && exchange.start() < start
            && (exchange.response.is_none() || start <= exchange.end())
            && keys(above).iter().any(|key| own.contains(key))
    };
    !own.is_empty() && members.len() <= FEW && !members.iter().any(is_open)
}

fn keys(member: &Member) -> SmallVec<[JoinKey; 4]> {
    member.exchange.contexts.iter().filter_map(JoinKey::of).collect()
}

/// Whether a call has something above it of the port that a lost request asked, so that this one
/// was lost to others.
fn has_level(members: &[Member], call: &Member, missed: &Missed, until: Timestamp) -> bool {
    if members.len() > FEW {
        return false;
    }
    let (own, start) = (keys(call), call.exchange.start());
    // What alone asks for the same with the same values was passed on: of a statement that is
    // prepared once, only the values differ.
    let only = call.cause.only().filter(|_| call.cause.by == By::Content);
    let words = call.exchange.values.words();
    let Ends { client, server, .. } = ends(missed);
    let is_within = client == server;
    members.iter().any(|above| {
        let exchange = &above.exchange;
        // One port may be asked from outside, and by a sidecar of its own machine.
        let is_there = (above.client == above.server) == is_within
            && (exchange.network, exchange.server) == (missed.network, missed.server)
            && above.server == call.client
            && exchange.start() < start
            && (exchange.response.is_none() || until <= exchange.end());
        if !is_there {
            return false;
        }
        let is_passed_on = only.is_some_and(|only| exchange.turns.first().number == only)
            && !words.is_empty()
            && words == exchange.values.words();
        let is_for_it = is_passed_on || keys(above).iter().any(|key| own.contains(key));
        // What passes on what it is asked does nothing else for it.
        let passes_on = || {
            members.iter().any(|other| {
                let below = &other.exchange;
                (below.client, below.server) != (exchange.client, exchange.server)
                    && other.client == above.server
                    && below.start() > exchange.start()
                    && other.content == above.content
            })
        };
        // Nor is it told which of several that one trace asks for at once lacks.
        let is_one_of_many = || {
            members.iter().any(|other| {
                let beside = &other.exchange;
                (beside.network, beside.server) == (exchange.network, exchange.server)
                    && other.content != above.content
                    && beside.start() <= exchange.end()
                    && exchange.start() <= beside.end()
                    && keys(other).iter().any(|key| own.contains(key))
            })
        };
        is_for_it && (above.content == call.content || !(passes_on() || is_one_of_many()))
    })
}

/// Nanoseconds after the end of an exchange in which something may still be done for it.
const AFTERWARDS: i64 = 200_000_000;
/// Members up to which it is looked whether what one lacks another one has.
const FEW: usize = 512;
/// Machines of which it is known what was lost, and how much of each.
const MACHINES: usize = 4_096;
const EACH: usize = 256;
/// Of these, the latest may go on.
const LOOKED_AT: usize = 16;
