//! Calls of gRPC-Web and Connect that HTTP/1 carries: heads, bodies and trailers of requests and of
//! the responses to them in, what these say of the call out.

use super::Connection;
use super::fields::Fields;
use super::head::Headers;
use crate::message::Side;
use crate::protocol::{Key, Out};
use crate::protocols::http::Role;
use crate::protocols::http::rpc::{Call, Name};
use crate::protocols::http::target::Target;
use crate::secrets::{Secrets, masked};
use memchr::memmem;
use std::collections::VecDeque;
use std::sync::Arc;

/// The calls of a connection that are not over.
#[derive(Default)]
pub(super) struct Calls {
    /// With the numbers of their requests, in order.
    open: VecDeque<(u64, Box<Call>)>,
    /// The number of the request that is being answered, if that is a call.
    answering: Option<u64>,
}

impl Calls {
    /// Nobody knows which request the next response belongs to.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Requests before this one were answered.
    fn drop_before(&mut self, number: u64) {
        while self.open.front().is_some_and(|(before, _)| *before < number) {
            self.open.pop_front();
        }
    }

    fn of(&mut self, number: u64) -> Option<&mut Call> {
        // The one that is looked for is at either end.
        let found = match self.open.back() {
            Some((last, _)) if *last == number => self.open.back_mut(),
            _ => self.open.front_mut().filter(|(first, _)| *first == number),
        };
        found.map(|(_, call)| &mut **call)
    }
}

impl Connection {
    /// The call that a request is, if it says so.
    pub(super) fn call_of(
        &self,
        (method, target): (&[u8], Target<'_>),
        fields: &Fields<'_>,
        headers: Headers<'_, '_>,
    ) -> Option<Box<Call>> {
        let is_get = |query| method == b"GET" && memmem::find(query, b"connect=v1").is_some();
        if !fields.may_call() && !target.query.is_some_and(is_get) {
            return None;
        }
        let path = [target.path, b"?", target.query.unwrap_or_default()].concat();
        let pseudo: [(&[u8], &[u8]); 2] = [(b":method", method), (b":path", &path)];
        Call::of_request(pseudo.into_iter().chain(headers), 0, self.now)
    }

    /// A request that was opened under this key is this call.
    pub(super) fn ask(
        &mut self,
        key: Key,
        mut call: Box<Call>,
        headers: Headers<'_, '_>,
        out: &mut dyn Out,
    ) {
        call.request(key, &[], headers, out);
        // One that goes on beyond its response is over with the next one; one whose response goes on
        // is not.
        self.calls.drop_before(self.calls.answering.unwrap_or(self.answered));
        if self.calls.open.len() >= CALLS {
            // The first one may be being answered.
            self.calls.open.remove(usize::from(self.calls.answering.is_some()));
            out.lost("http calls that await their answer");
        }
        self.calls.open.push_back((self.asked, call));
    }

    /// A response that was opened under this key answers the request with this number.
    pub(super) fn reply(
        &mut self,
        key: Key,
        number: u64,
        code: u16,
        fields: &Fields<'_>,
        headers: Headers<'_, '_>,
        out: &mut dyn Out,
    ) {
        if self.calls.open.is_empty() && !fields.may_call() {
            return;
        }
        self.calls.drop_before(number);
        if self.calls.of(number).is_none() {
            // What says so of the request may be lost with the end of its head.
            let Some(call) = Call::of_response(headers.clone()) else { return };
            self.calls.open.push_front((number, call));
        }
        self.calls.answering = Some(number);
        let settings = Arc::clone(&self.settings);
        let Some(call) = self.calls.of(number) else { return };
        // What makes HTTP/1 of gRPC has its status in the head, also before a body.
        let ends = true;
        let secrets = &settings.secrets;
        if let Some(status) = call.response(key, Some(code), headers, 0, ends, secrets, out) {
            out.status(key, status);
        }
    }

    /// The call whose message a side is sending.
    pub(super) fn call(&mut self, from: Side) -> Option<&mut Call> {
        if self.calls.open.is_empty() {
            return None;
        }
        let number = match self.role(from) {
            Role::Client => self.asked.checked_sub(1),
            Role::Server => self.calls.answering,
        };
        self.calls.of(number?)
    }

    /// A message is over, and closed next.
    pub(super) fn end_call(&mut self, from: Side, key: Key, out: &mut dyn Out) {
        if self.calls.open.is_empty() {
            self.calls.answering = None;
            return;
        }
        let (role, settings) = (self.role(from), Arc::clone(&self.settings));
        if let Some(call) = self.call(from) {
            call.end(role, key, &settings.secrets, out);
        }
        if role == Role::Server {
            self.calls.answering = None;
        }
    }

    /// The same comes next, and the message is not whole.
    pub(super) fn cut_call(&mut self, from: Side, is_cut: bool) {
        let role = self.role(from);
        if let Some(call) = self.call(from).filter(|_| is_cut) {
            call.cut(role);
        }
    }

    /// A message is over, and nobody knows how it went on.
    pub(super) fn lose_call(&mut self, from: Side, key: Key, out: &mut dyn Out) {
        let role = self.role(from);
        if let Some(call) = self.call(from) {
            call.lose(role);
        }
        self.end_call(from, key, out);
    }
}

/// What a call shows in place of its method and target; `room` is for what is masked.
pub(super) fn named<'t>(
    target: Target<'t>,
    room: &'t mut Vec<u8>,
    secrets: &Secrets,
) -> (&'t [u8], Target<'t>) {
    let path = masked(target.path, room, |found| secrets.in_path(target.path, found));
    Name::of(path).of_target(target)
}

/// Calls of a connection that wait for their response, or are being answered. What calls over HTTP/1
/// does not ask ahead by much.
const CALLS: usize = 16;
