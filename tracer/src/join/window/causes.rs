//! What could have caused a call: which exchanges were open at its caller, which of them it can have
//! been made for, and which addresses are one machine's.

use super::{Held, Opened, Window};
use crate::exchange::Sort;
use crate::join::fingerprint::values;
use crate::join::hosts::{Candidates, Seat};
use crate::join::machines::{Ends, Machine, Name};
use crate::join::passing::Evidence;
use crate::join::patterns::Began;
use crate::join::{By, Cause, conflicting};
use smallvec::SmallVec;
use wirespan_capture::packet::Timestamp;

impl Window {
    /// Two names are one machine's.
    pub(super) fn same_machine(&mut self, one: Name, other: Name) {
        let (one, other) = (self.machines.number(one), self.machines.number(other));
        self.merge_machines(one, other);
    }

    fn merge_machines(&mut self, one: Machine, other: Machine) {
        if let Some((kept, gone)) = self.machines.merge(one, other) {
            self.hosts.merge(kept, gone, self.now);
            self.misses.merge(kept, gone);
            self.reconsider(kept, Timestamp(i64::MIN));
        }
    }

    /// Learns which machine has further addresses, by what passes on under them what it was asked
    /// under others.
    pub(super) fn look_at_passed_on(&mut self, place: usize, opened: &Opened) {
        let Ends { client, server, .. } = opened.ends;
        let Some(held) = self.held.get(place) else { return };
        let seat = Seat { place, number: held.number };
        let (caller, called) = (self.machines.one(held.client), self.machines.one(held.server));
        let candidates = held.candidates.as_ref();
        let asks_itself = candidates.is_some_and(|candidates| {
            let alike = |held: &Held| held.content == opened.content;
            candidates.seats().iter().any(|seat| self.held_at(*seat).is_some_and(alike))
        });
        let caller_of = (client, Evidence::Content);
        if opened.sort == Sort::Call && !asks_itself && self.passing.wants(caller_of) {
            let asked = self.passing.asked(opened.content);
            let upper = asked.and_then(|(upper, name)| Some((self.held_at(upper)?, name)));
            let same = upper.is_some_and(|(upper, _)| is_one(upper, held));
            let passed_on = upper.filter(|(held, _)| {
                let own = [caller, called].contains(&self.machines.one(held.server))
                    || self.machines.one(held.client) == caller;
                held.exchange.is_none() && !own
            });
            let machine = passed_on.map(|(_, name)| name);
            if !same && let Some(machine) = self.passing.vote(caller_of, machine, opened.content) {
                self.same_machine(machine, client);
            }
        }
        if caller != called {
            self.passing.asks(opened.content, seat, server);
            self.look_at_handed_on(place);
        }
    }

    /// Learns the same from identifiers: who hands one on that it was asked with under another
    /// address.
    pub(super) fn look_at_handed_on(&mut self, place: usize) {
        let Some(held) = self.held.get(place) else { return };
        let client = held.ends.client;
        let (caller, called) = (self.machines.one(held.client), self.machines.one(held.server));
        let caller_of = (client, Evidence::Identifier);
        let (Some(key), true) = (held.keys.first().copied(), self.passing.wants(caller_of)) else {
            return;
        };
        let candidates = held.candidates.as_ref().map(Candidates::seats).unwrap_or_default();
        let shares = |held: &Held| held.keys.contains(&key);
        if candidates.iter().any(|seat| self.held_at(*seat).is_some_and(shares)) {
            return;
        }
        let members = self.components.get(held.component).map(|state| state.members.as_slice());
        let others = members.unwrap_or_default().iter().rev().take(CARRIERS);
        let others = others.filter_map(|place| self.held.get(*place as usize));
        let others = others.filter(|other| !is_one(other, held) && shares(other));
        let mut known = false;
        let passed_on = others.inspect(|_| known = true).filter(|other| {
            let own = [caller, called].contains(&self.machines.one(other.server))
                || self.machines.one(other.client) == caller;
            other.exchange.is_none() && !own
        });
        // The innermost of them began last.
        let passed_on = passed_on.max_by_key(|other| (other.start, other.number));
        let machine = passed_on.map(|other| other.ends.server);
        // What was over by then says nothing.
        if machine.is_none() && known {
            return;
        }
        if let Some(machine) = self.passing.vote(caller_of, machine, key.loose().short()) {
            self.same_machine(machine, client);
        }
    }

    /// Learns whose the address is of one that is never asked, by what is open somewhere whenever
    /// it calls.
    pub(super) fn look_at_nesting(&mut self, place: usize) {
        let Some(held) = self.held.get(place) else { return };
        let (caller, called) = (self.machines.one(held.client), self.machines.one(held.server));
        let Some(exchange) = held.exchange.as_deref() else { return };
        let is_call = held.sort == Sort::Call && exchange.response.is_some();
        if self.hosts.load(caller).is_known() {
            self.nesting.give_up(caller);
        }
        if !is_call || held.machine_was_asked || !self.nesting.wants(caller) {
            return;
        }
        let own = [held.ends.client.number(), held.ends.server.number()];
        let open = self.hosts.around(held.start, own, [caller, called], values(exchange));
        let busy = |machine| self.hosts.load(machine).busy(self.now);
        if let Some(machine) = self.nesting.called(caller, &open, self.now, busy) {
            self.merge_machines(machine, caller);
        }
    }

    /// Looks again at the calls of a host that began after this time, where that is told late:
    /// another exchange was open there then, or one less.
    pub(super) fn reconsider(&mut self, host: Machine, time: Timestamp) {
        for call in self.hosts.calls_after(host, time) {
            let candidates = self.hosts.candidates(host, &call);
            self.called_by(call.seat, candidates);
        }
    }

    /// What was open at its caller as this one began.
    pub(super) fn called_by(&mut self, called: Seat, candidates: Candidates) {
        let (candidates, by) = self.narrow(called, candidates);
        let Some(held) = self.held_at(called) else { return };
        if held.candidates.as_ref() == Some(&candidates) && held.by == by {
            return;
        }
        let (number, start) = (held.number, held.start);
        let (client, server) = (held.client, held.server);
        let only = candidates.only().filter(|candidate| self.held_at(*candidate).is_some());
        self.uncount(called.place);
        self.callers.count(&candidates);
        if let Some(held) = self.held.get_mut(called.place) {
            held.by = by;
            if let Some(before) = held.candidates.replace(candidates) {
                self.callers.uncount(&before);
            }
        }
        self.count(called.place);
        let (client, server) = (self.machines.one(client), self.machines.one(server));
        if client == server {
            let under =
                only.and_then(|seat| self.held.get(seat.place)).map(|held| held.fingerprint);
            self.hosts.put_under(server, number, start, under);
        }
        if let Some(candidate) = only {
            self.unite(called.place, candidate.place);
        }
    }

    /// Of what was open at its caller, what may have caused a call by the identifiers of both, and
    /// by what calls of its kind are made for.
    pub(super) fn narrow(&self, called: Seat, candidates: Candidates) -> (Candidates, By) {
        let Candidates::Several(seats) = &candidates else { return (candidates, By::Open) };
        let Some(call) = self.held_at(called) else { return (candidates, By::Open) };
        let (kind, keys, content) = (call.kind, &call.keys, call.content);
        let held = |seat: &Seat| self.held.get(seat.place).filter(|h| h.number == seat.number);
        let shares =
            |seat: &&Seat| held(seat).is_some_and(|h| h.keys.iter().any(|k| keys.contains(k)));
        let differs = |seat: &&Seat| held(seat).is_some_and(|h| conflicting(&h.keys, keys));
        let mut by = By::Identifier;
        // What is left of them, if that is not all.
        let mut some: Option<SmallVec<[Seat; 4]>> = None;
        if !keys.is_empty() {
            let mut left: SmallVec<[Seat; 4]> = seats.iter().filter(shares).copied().collect();
            if left.is_empty() {
                left = seats.iter().filter(|seat| !differs(seat)).copied().collect();
            }
            some = Some(left);
        }
        let left = some.as_ref().unwrap_or(seats);
        if left.len() > 1 {
            let is_alike = |seat: &&Seat| held(seat).is_some_and(|h| h.content == content);
            let mut alike = left.iter().filter(is_alike);
            if let (Some(only), None) = (alike.next(), alike.next()) {
                return (Candidates::One(*only), By::Content);
            }
            let listener = kind.and_then(|kind| self.patterns.listener(kind));
            let outer = kind.and_then(|kind| self.patterns.outer(kind));
            if let Some(kind) = kind.filter(|_| listener.or(outer).is_some()) {
                let is_for = |seat: &&Seat| {
                    held(seat).is_some_and(|h| match listener {
                        Some(_) => !self.patterns.never_for(kind, h.listener),
                        None => outer != Some(h.listener),
                    })
                };
                let made_for: SmallVec<[Seat; 4]> = left.iter().filter(is_for).copied().collect();
                if !made_for.is_empty() && made_for.len() < left.len() {
                    (some, by) = (Some(made_for), By::Listener);
                }
            }
        }
        match some.as_deref() {
            None | Some([]) => (candidates, By::Open),
            Some([only]) => (Candidates::One(*only), by),
            Some(_) => {
                let by = if by == By::Listener { by } else { By::Open };
                (some.map_or(candidates, Candidates::Several), by)
            }
        }
    }

    /// Looks again at a call that several exchanges may have caused, once it is known what it is.
    pub(super) fn narrow_by_kind(&mut self, place: usize) {
        let Some(held) = self.held.get(place) else { return };
        let (Some(kind), Some(several @ Candidates::Several(_))) = (held.kind, &held.candidates)
        else {
            return;
        };
        if self.patterns.listener(kind).or_else(|| self.patterns.outer(kind)).is_some() {
            self.called_by(Seat { place, number: held.number }, several.clone());
        }
    }

    /// Counts how much was open as the call at this place began, once it is known what it is.
    pub(super) fn count(&mut self, place: usize) {
        let Some(held) = self.held.get(place) else { return };
        let (Some(kind), Some(candidates)) = (held.kind, &held.candidates) else { return };
        // What was open where nobody was seen to be asked as yet, nobody knows.
        let client = self.machines.one(held.client);
        if *candidates == Candidates::NotAsked && !self.hosts.load(client).is_known() {
            return;
        }
        // What was learnt is no evidence for what it was learnt from.
        if held.by == By::Listener {
            return;
        }
        let began = match candidates {
            Candidates::NotAsked | Candidates::None => Began::Idle,
            Candidates::One(seat) => Began::One(self.held_at(*seat).map(|above| above.listener)),
            Candidates::Several(seats) => {
                let asked = |seat: &Seat| self.held_at(*seat).map(|above| above.listener);
                let first = seats.first().and_then(asked);
                Began::Several(first.filter(|_| seats.iter().all(|seat| asked(seat) == first)))
            }
            Candidates::Many => Began::Several(None),
        };
        self.patterns.count(kind, began);
        if let Some(held) = self.held.get_mut(place) {
            held.counted = Some(began);
        }
    }

    /// Takes back what the call at this place was counted as.
    fn uncount(&mut self, place: usize) {
        let Some(held) = self.held.get_mut(place) else { return };
        if let Some((kind, began)) = held.kind.zip(held.counted.take()) {
            self.patterns.uncount(kind, began);
        }
    }

    /// Notes what a machine asks itself for.
    pub(super) fn note_level(&mut self, place: usize) {
        let Some(held) = self.held.get(place) else { return };
        let above = held.candidates.as_ref().and_then(Candidates::only);
        let above = above.and_then(|seat| self.held_at(seat));
        let within = self.machines.one(held.client) == self.machines.one(held.server);
        if let Some(above) = above.filter(|_| within) {
            self.patterns.passes_on(held.listener, above.listener);
        }
    }

    /// What can be said of why a call was made.
    pub(super) fn cause(&self, held: &Held) -> Cause {
        let candidates = held.candidates.as_ref();
        let load = self.hosts.load(self.machines.one(held.client));
        Cause {
            candidates: candidates
                .map(Candidates::seats)
                .unwrap_or_default()
                .iter()
                .map(|seat| seat.number)
                .collect(),
            asked: !matches!(candidates, None | Some(Candidates::NotAsked)),
            by: held.by,
            many: matches!(candidates, Some(Candidates::Many)),
            pattern: held.kind.map(|kind| self.patterns.of(kind, load)).unwrap_or_default(),
        }
    }
}

/// Whether two may be one exchange, before and behind a translation of its addresses.
fn is_one(one: &Held, other: &Held) -> bool {
    let (a, b) = (one.ends, other.ends);
    one.bytes == other.bytes
        && (same_address(a.client, b.client) || same_address(a.server, b.server))
}

/// Whether two addresses are equal, whatever their networks are.
fn same_address(one: Name, other: Name) -> bool {
    match (one, other) {
        (Name::Address(_, one), Name::Address(_, other)) => one == other,
        _ => one == other,
    }
}

/// Exchanges of a component that are looked at for who handed an identifier on, the last to join
/// first.
const CARRIERS: usize = 64;
