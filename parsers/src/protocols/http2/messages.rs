//! Header blocks, bodies and ends of streams in; requests and responses out.
//! <https://www.rfc-editor.org/rfc/rfc9113#section-8>

use super::Means;
use super::connection::{Connection, Spot};
use super::fields::{FieldList, Head, Likeness};
use super::frame::{END_STREAM, FrameHeader, NO_ERROR, REFUSED_STREAM, error_name};
use super::stream::{Half, Stream};
use super::unseen::ENTRIES;
use crate::inflate::Room;
use crate::message::{Dialect, Id, Kind, Message, Outcome, Pairing, Side, Status, Value};
use crate::protocol::{Inner, Key, Out, Unanswered};
use crate::protocols::http::Role;
use crate::protocols::http::body_ids;
use crate::protocols::http::body_secrets::BodySecrets;
use crate::protocols::http::content::Content;
use crate::protocols::http::fields::{
    TRAILERS_ROOM, add, add_headers, add_size, add_trailers, is_interim, status, text,
};
use crate::protocols::http::rpc::{Call, Name};
use crate::protocols::http::target::{Target, without_user};
use crate::protocols::http::tunnel::{Leads, Wish, granted};
use crate::secrets::masked;
use crate::settings::Settings;
use std::ops::Range;

impl Connection {
    /// A whole header block of a stream.
    #[expect(clippy::too_many_arguments, reason = "what a frame is, and what it has")]
    pub(super) fn fields(
        &mut self,
        spot: &Spot,
        id: u32,
        ends: bool,
        range: Range<usize>,
        list: &FieldList,
        means: &mut Means,
        out: &mut dyn Out,
    ) {
        let asker = match list.likeness() {
            Some(Likeness::Request) => spot.from,
            Some(Likeness::Response) => spot.from.other(),
            None => self.client,
        };
        if !self.asks(asker, out) {
            return;
        }
        let (role, length) = (self.role(spot.from), range.len());
        let has_begun = self.streams.get_mut(&id).is_some_and(|stream| stream.half(role).has_begun);
        if has_begun {
            self.trailers(id, role, list, means, out);
        } else if role == Role::Client {
            self.has_first |= id == 1;
            // A field that tells may be among those that are not known.
            let is_head = list.likeness().is_some() || (list.unknown() > 0 && id > self.latest);
            if is_head {
                self.request(spot, id, Kind::Request, range, list, means, out);
            }
        } else {
            self.response(spot, id, range, list, ends, means, out);
        }
        self.latest = self.latest.max(id);
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.half(role).count(length);
        }
        if ends {
            self.end_half(spot, id, role, means, out);
        }
    }

    /// A head says that this side asks; gives whether it may be so.
    fn asks(&mut self, asker: Side, out: &mut dyn Out) -> bool {
        if asker != self.client {
            if self.has_preface || !self.streams.is_empty() {
                out.lost("http2 heads from the wrong side");
                return false;
            }
            // Who asks was guessed, and this head tells.
            self.client = asker;
        }
        true
    }

    /// Section 8.4: a request that the server makes up, as it is about to answer it.
    pub(super) fn promise(
        &mut self,
        spot: &Spot,
        id: u32,
        range: Range<usize>,
        list: &FieldList,
        means: &mut Means,
        out: &mut dyn Out,
    ) {
        if !self.asks(spot.from.other(), out) {
            return;
        }
        self.request(spot, id, Kind::Promise, range, list, means, out);
        self.latest = self.latest.max(id);
        self.end_half(spot, id, Role::Client, means, out);
    }

    #[expect(clippy::too_many_arguments, reason = "what a frame is, and what it has")]
    fn request(
        &mut self,
        spot: &Spot,
        id: u32,
        kind: Kind,
        range: Range<usize>,
        list: &FieldList,
        means: &mut Means,
        out: &mut dyn Out,
    ) {
        let Means { settings, scratch, room: windows, .. } = means;
        let head = list.head(&settings.ids);
        let method = head.method.unwrap_or_default();
        let is_tunnel = method == b"CONNECT";
        // Section 3.2.2 of RFC 9110: authority comes before the header with the host.
        let authority = head.authority.map(without_user);
        let target = match head.protocol {
            None if is_tunnel => Target::of(method, authority.unwrap_or_default()),
            _ => Target { authority, ..Target::of(b"", head.path.unwrap_or_default()) },
        };
        let mut call = self.call(spot, list);
        let message = Message {
            kind,
            dialect: call.as_ref().map_or(Dialect::Plain, |call| call.dialect()),
            pairing: self.pairing(id, false),
            bytes: range,
            operation: &[],
            resource: &[],
            status: Status::default(),
            cut: false,
        };
        let mut room = Vec::new();
        let path = match call {
            Some(_) => masked(target.path, &mut room, |found| {
                settings.secrets.in_path(target.path, found);
            }),
            None => &[],
        };
        let asked = match message.dialect {
            Dialect::Within(_) => Name::of(path).of_target(target),
            Dialect::Plain => (method, target),
        };
        let wish = is_tunnel.then(|| {
            let secrets = &settings.secrets;
            let shown = masked(target.path, scratch, |found| secrets.in_path(target.path, found));
            let leads = head.protocol.map_or(Leads::Away, Leads::to);
            Box::new(Wish::of(shown, leads))
        });
        let key = head.fields.open_request(message, asked, settings, scratch, out);
        text(out, key, "url.scheme", head.scheme.filter(|scheme| *scheme != b"http"), scratch);
        text(out, key, "wirespan.http.protocol", head.protocol, scratch);
        if kind == Kind::Promise {
            add(out, key, "wirespan.http2.pushed", Value::Int(1));
        }
        if let Some(call) = &mut call {
            call.request(key, path, list.iter(), out);
        }
        let is_known = call.as_ref().is_none_or(|call| call.kind().is_some());
        if is_known && self.role(spot.from) == Role::Client {
            self.known.add(call.as_ref().map_or(Dialect::Plain, |call| call.dialect()));
        }
        let query = target.query.filter(|_| !settings.ids.is_empty());
        let is_unseen = call.is_some()
            && head.fields.content_type.is_none()
            && self.role(spot.from) == Role::Client;
        let half = open_half(key, Role::Client, head, query, list, (settings, windows), out);
        let stream = self.stream(id, spot, out);
        stream.asked = Some(key);
        stream.request = half;
        (stream.call, stream.is_tunnel, stream.wish) = (call, is_tunnel, wish);
        stream.unseen = if is_unseen { list.entries().into() } else { Box::default() };
        self.begin_window(id, Role::Client, spot);
    }

    #[expect(clippy::too_many_arguments, reason = "what a frame is, and what it has")]
    fn response(
        &mut self,
        spot: &Spot,
        id: u32,
        range: Range<usize>,
        list: &FieldList,
        ends: bool,
        means: &mut Means,
        out: &mut dyn Out,
    ) {
        let Means { settings, scratch, room, .. } = means;
        self.infer_upgrade(id);
        let is_known = self.streams.contains_key(&id);
        if !is_known && self.is_whole && id <= self.latest {
            // It was reset or refused, which its server did not know yet.
            return;
        }
        let is_upgraded = self.is_upgraded(id);
        let is_late = id <= self.latest || !self.is_whole;
        let has_gap = self.streams.get(&id).is_none_or(|stream| stream.response.has_gap);
        if list.likeness().is_none() && (list.unknown() == 0 || has_gap) {
            // Trailers, mostly, whose head was lost.
            return self.lose_head(id);
        }
        let head = list.head(&settings.ids);
        let code = head.status();
        let message = Message {
            kind: if code.is_some_and(is_interim) { Kind::Interim } else { Kind::Response },
            dialect: Dialect::Plain,
            pairing: self.pairing(id, is_upgraded),
            bytes: range,
            operation: &[],
            resource: &[],
            status: code.map(status).unwrap_or_default(),
            cut: false,
        };
        let kind = message.kind;
        let key = out.open(message);
        if kind == Kind::Interim {
            list.tell_secrets(key, &settings.secrets, out);
            return out.close(key, spot.end);
        }
        if is_upgraded {
            add(out, key, "wirespan.http.upgraded", Value::Text(b"h2c"));
        }
        head.fields.add_type(key, Role::Server, scratch, out);
        let half = open_half(key, Role::Server, head, None, list, (settings, room), out);
        let client = self.client;
        let company = self.known.company();
        let stream = self.stream(id, spot, out);
        stream.asked = None;
        // A request that was not seen may come later only where the sides were captured out of order.
        stream.request.has_ended |= !is_known && is_late;
        stream.response = Half { has_gap: stream.response.has_gap, ..half };
        stream.code = code.unwrap_or_default();
        if stream.call.is_none() {
            // What says so of the request may be unknown.
            stream.call = Call::of_response(list.iter());
        }
        if let Some(call) = &mut stream.call
            && let Some(status) = {
                call.accompany(company);
                let (fields, unknown, secrets) = (list.iter(), list.unknown(), &settings.secrets);
                call.response(key, code, fields, unknown, ends, secrets, out)
            }
        {
            out.status(key, status);
        }
        if stream.call.as_ref().is_some_and(|call| call.has_error_body()) {
            let body = stream.response.secrets.take();
            stream.response.secrets =
                body.map(|body| Box::new(body.with_details(&settings.secrets)));
        }
        if stream.is_tunnel {
            // RFC 9110 section 9.3.6: what follows is the tunnel's.
            stream.is_tunnel = matches!(code, Some(200..=299));
            stream.request.has_ended |= !stream.is_tunnel;
            let wish = stream.wish.take().map(|wish| *wish);
            if stream.is_tunnel {
                out.carries(id.into(), granted(wish, client, None, list.regular()));
            }
            let response = if stream.is_tunnel { stream.response.key.take() } else { None };
            for key in [response, stream.request.key.take()].into_iter().flatten() {
                out.close(key, spot.end);
            }
        }
        self.begin_window(id, Role::Server, spot);
    }

    /// Section 8.1: fields behind a body.
    fn trailers(
        &mut self,
        id: u32,
        role: Role,
        list: &FieldList,
        means: &mut Means,
        out: &mut dyn Out,
    ) {
        let company = self.known.company();
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let Some(key) = stream.half(role).key else { return };
        let unknown = match role {
            Role::Client => "wirespan.request.trailers.unknown",
            Role::Server => "wirespan.response.trailers.unknown",
        };
        if let Some(call) = &mut stream.call {
            call.accompany(company);
            let (unknown, secrets) = (list.unknown(), &means.settings.secrets);
            call.trailers(role, key, list.iter(), unknown, secrets, out);
        }
        list.tell_secrets(key, &means.settings.secrets, out);
        if list.unknown() > 0 {
            add(out, key, unknown, Value::Int(list.unknown().into()));
        }
        if out.wants_details() {
            let secrets = &means.settings.secrets;
            add_trailers(out, key, role, list.regular(), TRAILERS_ROOM, secrets);
        }
    }

    /// The connection was upgraded from HTTP/1, where the request came that this stream answers: RFC
    /// 7540, section 3.2.
    pub(super) fn upgrade(&mut self) {
        let stream = self.streams.entry(1).or_default();
        stream.is_upgraded = true;
        (stream.request.has_begun, stream.request.has_ended) = (true, true);
        self.has_first = true;
    }

    /// The server says something of a stream: where its client did not open the first one, the
    /// connection was upgraded.
    fn infer_upgrade(&mut self, id: u32) {
        let is_all_seen = self.is_whole || self.server_begins;
        if id == 1 && is_all_seen && !self.has_first && !self.streams.contains_key(&id) {
            self.upgrade();
        }
    }

    /// Of a response, something was seen that stands behind its head.
    fn lose_head(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.response.has_begun = true;
        }
    }

    /// A frame of DATA begins, with so many bytes before those of the body.
    pub(super) fn begin_data(&mut self, spot: &Spot, header: &FrameHeader, before: usize) {
        let (id, role) = (header.stream, self.role(spot.from));
        match role {
            Role::Server => self.lose_head(id),
            // What comes behind it is no head.
            Role::Client => self.latest = self.latest.max(id),
        }
        let mut window = self.direction(spot.from).window;
        match self.streams.get_mut(&id) {
            Some(stream) => {
                let half = stream.half(role);
                half.may_have_ended = false;
                half.count(before);
                half.window.send(header.length, header.has(END_STREAM), &mut window, spot.at);
            }
            None => window.send(header.length, spot.at),
        }
        self.direction(spot.from).window = window;
    }

    /// Bytes of a body, which stand at `spot.end` of the input.
    pub(super) fn read_body(
        &mut self,
        spot: &Spot,
        id: u32,
        bytes: &[u8],
        means: &mut Means,
        out: &mut dyn Out,
    ) {
        let role = self.role(spot.from);
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if stream.is_tunnel {
            out.inner(u64::from(id), spot.from, Inner::Bytes(bytes));
            return;
        }
        if let Some(call) = &mut stream.call {
            call.data(role, bytes, spot.at);
        }
        let half = stream.half(role);
        half.size = half.size.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let Some(key) = half.key else { return };
        let settings = &means.settings;
        if let Some(secrets) = &mut half.secrets {
            secrets.read(&settings.secrets, key, spot.end, bytes, out);
        }
        if let Some(content) = &mut half.content {
            content.read(key, &settings.ids, bytes, out);
        }
        out.extend(key, spot.end + bytes.len());
    }

    /// Bytes of a body that nobody looks at.
    pub(super) fn pass_over(&mut self, spot: &Spot, id: u32, bytes: usize) {
        let role = self.role(spot.from);
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        if let Some(call) = &mut stream.call
            && bytes > 0
        {
            call.skip(role, bytes);
        }
        let half = stream.half(role);
        half.size = half.size.saturating_add(bytes);
    }

    /// So many bytes of a body are lost, and nothing else.
    pub(super) fn lose_body(&mut self, from: Side, id: u32, lost: u64, out: &mut dyn Out) {
        let role = self.role(from);
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if stream.is_tunnel
            && let Some(lost) = lost.try_into().ok()
        {
            out.inner(u64::from(id), from, Inner::Gap(lost));
        }
        if let Some(call) = &mut stream.call {
            call.skip(role, lost);
        }
        let half = stream.half(role);
        half.size = half.size.saturating_add(lost);
        if let Some(secrets) = &mut half.secrets {
            secrets.lose();
        }
        // Only an unbroken prefix is of use.
        if let (Some(content), Some(key)) = (half.content.take(), half.key) {
            content.lose(key, out);
        }
    }

    /// One side of a stream has ended.
    pub(super) fn end_half(
        &mut self,
        spot: &Spot,
        id: u32,
        role: Role,
        means: &mut Means,
        out: &mut dyn Out,
    ) {
        let (knows_windows, company) = (self.is_whole, self.known.company());
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let is_tunnel = stream.is_tunnel;
        let half = stream.half(role);
        if std::mem::replace(&mut half.has_ended, true) {
            return;
        }
        if is_tunnel {
            out.inner(u64::from(id), spot.from, Inner::End);
        }
        if let Some(key) = half.key.take() {
            end_content(half, key, &means.settings, out);
            if half.size > 0 && !half.has_gap {
                add_size(out, key, role, half.size);
            }
            if knows_windows && half.window.blocked() > 0 {
                let blocked = i64::try_from(half.window.blocked()).unwrap_or(i64::MAX);
                let name = match role {
                    Role::Client => "wirespan.request.flow_control.blocked",
                    Role::Server => "wirespan.response.flow_control.blocked",
                };
                add(out, key, name, Value::Int(blocked));
            }
            if let Some(call) = &mut stream.call {
                call.accompany(company);
                call.complete(role, key, out);
                call.end(role, key, &means.settings.secrets, out);
            }
            stream.half(role).close(key, spot.end, out);
        }
        if role == Role::Server && stream.request.has_gap && !stream.request.has_ended {
            // Its end was lost, mostly: it is answered.
            stream.request.has_ended = true;
            if let Some(key) = stream.request.key.take() {
                stream.request.close(key, spot.end, out);
            }
        }
        if stream.is_over()
            && let Some(stream) = self.streams.remove(&id)
        {
            if let Some(key) = stream.asked {
                // Its answer was seen to end, but not to begin.
                out.unanswered(key, spot.end, Unanswered::Lost);
            }
            if let Some(call) = stream.call
                && let Some(kind) = call.kind()
            {
                self.known.add(call.dialect());
                self.unseen.was_call(&stream.unseen, kind);
            }
        }
    }

    /// Section 6.4.
    pub(super) fn reset(
        &mut self,
        spot: &Spot,
        id: u32,
        code: u32,
        range: Range<usize>,
        means: &mut Means,
        out: &mut dyn Out,
    ) {
        self.infer_upgrade(id);
        let pairing = self.pairing(id, self.is_upgraded(id));
        let Some(mut stream) = self.streams.remove(&id) else { return };
        stream.half(self.role(spot.from)).count(range.len());
        if stream.is_tunnel {
            out.inner(u64::from(id), spot.from, Inner::End);
            out.inner(u64::from(id), spot.from.other(), Inner::End);
            if stream.response.has_begun {
                return;
            }
        }
        let role = self.role(spot.from);
        let name = error(code);
        if !stream.response.has_begun && role == Role::Server {
            stream.response.key = Some(refuse(pairing, range, &name, out));
        }
        // A client may be told that its answer does not depend on the rest of its request.
        let is_error = code != NO_ERROR || !stream.response.has_begun;
        if let Some(key) = stream.response.key.filter(|_| is_error) {
            add(out, key, "wirespan.http2.reset", Value::Text(name.as_bytes()));
            let by: &[u8] = if role == Role::Client { b"client" } else { b"server" };
            add(out, key, "wirespan.http2.reset_by", Value::Text(by));
        }
        break_off(stream, spot, role, (code, &name), is_error, means, out);
    }

    /// Section 6.8: what was asked on later streams was not done, and may be asked again.
    pub(super) fn go_away(
        &mut self,
        spot: &Spot,
        last: u32,
        code: u32,
        range: Range<usize>,
        means: &mut Means,
        out: &mut dyn Out,
    ) {
        if self.role(spot.from) == Role::Client {
            return;
        }
        let later = self.streams.range(last.saturating_add(1)..);
        let refused: Vec<u32> = later
            .filter(|(id, stream)| **id % 2 == 1 && !stream.response.has_begun)
            .map(|(id, _)| *id)
            .collect();
        let name = error(code);
        for id in refused {
            let pairing = self.pairing(id, self.is_upgraded(id));
            let Some(mut stream) = self.streams.remove(&id) else { continue };
            let refusal = error(REFUSED_STREAM);
            let key = refuse(pairing, range.clone(), &refusal, out);
            add(out, key, "wirespan.http2.goaway", Value::Text(name.as_bytes()));
            stream.response.key = Some(key);
            break_off(stream, spot, Role::Server, (REFUSED_STREAM, &refusal), true, means, out);
        }
    }

    /// One side sends nothing more.
    pub(super) fn end(&mut self, from: Side, means: &mut Means, out: &mut dyn Out) {
        let role = self.role(from);
        for (id, stream) in &mut self.streams {
            let half = stream.half(role);
            if std::mem::replace(&mut half.has_ended, true) {
                continue;
            }
            if let Some(key) = half.key.take() {
                end_content(half, key, &means.settings, out);
                add(out, key, "wirespan.body.truncated", Value::Int(1));
                if let Some(call) = &mut stream.call {
                    call.cut(role);
                    call.end(role, key, &means.settings.secrets, out);
                }
                stream.half(role).close(key, 0, out);
            }
            if stream.is_tunnel {
                out.inner(u64::from(*id), from, Inner::End);
            }
        }
        self.streams.retain(|_, stream| !stream.is_over());
        self.share.keep_streams(self.streams.len());
    }

    /// The call that a request opens, or perhaps opens, where not all of its fields are known.
    fn call(&self, spot: &Spot, list: &FieldList) -> Option<Box<Call>> {
        Call::of_request(list.iter(), list.unknown(), spot.at).or_else(|| {
            let entries = list.entries();
            // What a server promises refers to entries of its own.
            let may_be = list.unknown() > 0
                && entries.len() <= ENTRIES
                && self.role(spot.from) == Role::Client;
            may_be.then(|| Call::of_unknown(list.iter(), spot.at, self.unseen.kind(entries)))?
        })
    }

    /// What is kept of a stream, made anew if need be.
    fn stream(&mut self, id: u32, spot: &Spot, out: &mut dyn Out) -> &mut Stream {
        if !self.streams.contains_key(&id)
            && self.is_full()
            && let Some(oldest) = self.forget()
        {
            out.lost("http2 streams over the limit");
            // Its answer is no late one.
            self.is_whole = false;
            for key in [oldest.request.key, oldest.response.key].into_iter().flatten() {
                out.close(key, spot.end);
            }
        }
        self.streams.entry(id).or_default()
    }

    /// Removes an old stream, and rather one of which nothing is open.
    fn forget(&mut self) -> Option<Stream> {
        let mut oldest = self.streams.iter().take(OLDEST);
        let idle = oldest.find(|(_, stream)| !stream.has_open()).map(|(id, _)| *id);
        let id = idle.or_else(|| self.streams.keys().next().copied())?;
        self.streams.remove(&id)
    }

    fn begin_window(&mut self, id: u32, role: Role, spot: &Spot) {
        let window = self.direction(spot.from).window;
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.half(role).window.begin(&window, spot.at);
        }
    }

    fn is_upgraded(&self, id: u32) -> bool {
        id == 1 && self.streams.get(&id).is_some_and(|stream| stream.is_upgraded)
    }

    /// Section 5.1.1: clients open streams with odd numbers, servers those with even ones.
    fn pairing(&self, id: u32, is_upgraded: bool) -> Pairing<'static> {
        if is_upgraded {
            // RFC 7540 section 3.2: it answers the last request of HTTP/1.
            return Pairing::InOrder { lane: 0 };
        }
        let by = if id % 2 == 1 { self.client } else { self.client.other() };
        Pairing::Id { by, id: Id::Number(id.into()) }
    }
}

/// What the head of a message tells, beside its first line.
fn open_half(
    key: Key,
    role: Role,
    head: Head<'_>,
    query: Option<&[u8]>,
    list: &FieldList,
    (settings, room): (&Settings, &Room),
    out: &mut dyn Out,
) -> Half {
    if list.unknown() > 0 {
        let name = match role {
            Role::Client => "wirespan.request.headers.unknown",
            Role::Server => "wirespan.response.headers.unknown",
        };
        add(out, key, name, Value::Int(list.unknown().into()));
    }
    let mut fields = head.fields;
    let codings = std::mem::take(&mut fields.codings);
    fields.tell_ids(key, query, out);
    list.tell_secrets(key, &settings.secrets, out);
    if out.wants_details() {
        add_headers(out, key, role, list.regular(), &settings.secrets);
    }
    let ids = match out.reads_bodies() {
        true => body_ids::reader(&settings.ids, list.regular()),
        false => None,
    };
    let secrets = settings.locate_secrets.then(|| {
        // Who knows what fields that are not known say of the body.
        let is_known = list.unknown() == 0;
        Box::new(if is_known { BodySecrets::of(list.regular()) } else { BodySecrets::All })
    });
    let content = Content::of(key, ids, &codings, room, out);
    Half { key: Some(key), has_begun: true, secrets, content, ..Half::default() }
}

/// The body that was looked through is over.
fn end_content(half: &mut Half, key: Key, settings: &Settings, out: &mut dyn Out) {
    if let Some(content) = half.content.take() {
        content.end(key, &settings.ids, out);
    }
}

/// A stream is over before its messages are: one side says so, with this code and its name.
fn break_off(
    stream: Stream,
    spot: &Spot,
    role: Role,
    (code, name): (u32, &str),
    is_error: bool,
    means: &Means,
    out: &mut dyn Out,
) {
    let Stream { mut request, mut response, mut call, .. } = stream;
    for (part, half) in [(Role::Client, &mut request), (Role::Server, &mut response)] {
        let Some(key) = half.key else { continue };
        end_content(half, key, &means.settings, out);
        if let Some(call) = &mut call {
            call.cut(part);
            call.end(part, key, &means.settings.secrets, out);
        }
        if part == role {
            out.extend(key, spot.end);
        }
    }
    if let Some(key) = response.key.filter(|_| is_error) {
        let of_call =
            call.as_ref().and_then(|call| call.reset(role, code, response.may_have_ended));
        let is_call = call.is_some_and(|call| call.is_sure());
        if let Some(status) = of_call {
            out.status(key, status);
        } else if !is_call && response.has_begun && role == Role::Server {
            let (outcome, code) = (Outcome::ServerError, stream.code.into());
            out.status(key, Status { outcome, code, text: name.as_bytes() });
        }
    }
    for half in [&request, &response] {
        if let Some(key) = half.key {
            half.close(key, spot.end, out);
        }
    }
    if let Some(key) = stream.asked
        && response.key.is_none()
    {
        let why = match response.has_begun {
            true => Unanswered::Lost,
            false => Unanswered::TakenBack(name.as_bytes()),
        };
        out.unanswered(key, spot.end, why);
    }
}

/// An answer without a head.
fn refuse(pairing: Pairing<'_>, bytes: Range<usize>, text: &str, out: &mut dyn Out) -> Key {
    out.open(Message {
        kind: Kind::Response,
        dialect: Dialect::Plain,
        pairing,
        bytes,
        operation: &[],
        resource: &[],
        status: Status { outcome: Outcome::ServerError, code: 0, text: text.as_bytes() },
        cut: false,
    })
}

fn error(code: u32) -> String {
    error_name(code).map_or_else(|| format!("0x{code:x}"), str::to_owned)
}

/// So many of the oldest ones are looked at for one that is to go.
const OLDEST: usize = 64;
