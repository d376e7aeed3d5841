//! Calls that HTTP carries, in whatever version: gRPC, gRPC-Web, Connect, and Triple of Dubbo 3.
//! Heads and bodies of requests and responses in; names, numbers of messages and status out.
//!
//! Formats: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>,
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md>,
//! <https://connectrpc.com/docs/protocol>,
//! <https://dubbo.apache.org/en/overview/reference/protocols/triple-spec/>.

mod status;

mod error_body;

mod messages;

mod heads;

use super::target::Target;
use super::{Role, fields};
use crate::failure::shown_words;
use crate::inflate::{Codings, Inflated};
use crate::message::{Attribute, Dialect, Outcome, Status, Value};
use crate::metadata::start;
use crate::protocol::{Key, Out, Timestamp};
use crate::secrets::Secrets;
use error_body::{ErrorBody, Within};
pub(in crate::protocols) use heads::Kind;
use heads::{Form, RequestHead, ResponseHead};
use messages::{Framing, Messages, TAIL_LIMIT};

/// What the messages of calls go by, where they are not plain HTTP: the names that
/// [`Call::dialect`] numbers.
pub(in crate::protocols) const DIALECTS: &[&str] = &["grpc", "grpc-web", "connect", "triple"];

/// gRPC as [`Call::dialect`] has it, and Triple.
pub(in crate::protocols) const GRPC: Dialect = Dialect::Within(0);
const CONNECT: Dialect = Dialect::Within(2);
pub(in crate::protocols) const TRIPLE: Dialect = Dialect::Within(3);

/// A call, as far as it was seen.
pub(in crate::protocols) struct Call {
    form: Form,
    is_triple: bool,
    /// Whether a type of content said how it is written, or something else that nothing else has.
    is_typed: bool,
    /// When its request began.
    began: Option<Timestamp>,
    request: Messages,
    response: Messages,
    /// How messages of the response may be compressed, or its whole body.
    codings: Codings,
    is_coded: bool,
    /// Whether the body of the response broke off, or nobody knows whether it is compressed.
    is_unclear: bool,
    /// The code of HTTP.
    http: Option<u16>,
    /// Of Triple: what comes back is an exception.
    has_thrown: bool,
    /// Whether it was said how the call ended.
    is_told: bool,
    /// Whether the text of an error was told.
    has_error: bool,
    /// Whether it is a call for sure. If not, nothing is told of it.
    is_sure: bool,
    /// Whether its request goes by the name of a call, and not by that of HTTP.
    is_named: bool,
    /// Of one that is not sure, or not what it is: what its request goes by once that is known.
    unnamed: Option<Box<Unnamed>>,
    /// What all else on the connection is that is known.
    company: Option<Company>,
    /// Of one that is not sure: whether its request has ended.
    has_asked: bool,
    /// Whether the head of its response was seen.
    is_answered: bool,
    /// Whether that says that it is no call.
    is_denied: bool,
    /// Of one that is not sure: whether fields that are not known end the response.
    has_tail: bool,
    /// Of one that is not sure: whether its status was left open, since it may be one.
    is_left_open: bool,
}

/// What all requests of a connection are of which it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::protocols) enum Company {
    Grpc,
    Triple,
}

/// A request that may be a call.
struct Unnamed {
    key: Key,
    /// Its path as it may be shown; empty if that is not known.
    path: Box<[u8]>,
}

/// What a call shows as operation and resource of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::protocols) struct Name<'b> {
    pub(in crate::protocols) method: &'b [u8],
    pub(in crate::protocols) service: &'b [u8],
}

impl<'b> Name<'b> {
    /// Of the path of a request, which may have a query.
    pub(in crate::protocols) fn of(path: &'b [u8]) -> Self {
        let path = path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
        let slash = path.iter().rposition(|byte| *byte == b'/');
        let (service, method) = match slash.and_then(|at| path.split_at_checked(at)) {
            Some((service, method)) => (service, method.get(1..).unwrap_or_default()),
            None => (&[][..], path),
        };
        Self { method, service: service.strip_prefix(b"/").unwrap_or(service) }
    }

    /// What a call shows in place of its method and target.
    pub(in crate::protocols) fn of_target(self, target: Target<'b>) -> (&'b [u8], Target<'b>) {
        (self.method, Target { path: self.service, query: None, ..target })
    }
}

impl Call {
    /// The call that a request opens, if its fields say that it is one. `at` is when it began.
    /// Pseudo-header fields are among the fields, of which so many more are not known.
    pub(in crate::protocols) fn of_request<'b>(
        fields: impl Iterator<Item = (&'b [u8], &'b [u8])>,
        unknown: u32,
        at: Timestamp,
    ) -> Option<Box<Self>> {
        let (kind, is_typed) = RequestHead::of(fields).kind(unknown == 0)?;
        Some(Box::new(Self { is_typed, ..Self::new(kind, at) }))
    }

    /// What a request opens of which it is not known what it carries, but that may be a call of
    /// gRPC for all that is known: its messages tell. `known`: what one was that had the same
    /// fields, so that this one is it too.
    pub(in crate::protocols) fn of_unknown<'b>(
        fields: impl Iterator<Item = (&'b [u8], &'b [u8])>,
        at: Timestamp,
        known: Option<Kind>,
    ) -> Option<Box<Self>> {
        let may_be = RequestHead::of(fields).may_be_grpc();
        may_be.then(|| {
            let is_sure = known.is_some();
            let kind = known.unwrap_or(Kind { form: Form::Grpc, is_triple: false });
            let call = Self::new(kind, at);
            Box::new(Self { is_sure, is_named: is_sure, is_typed: false, ..call })
        })
    }

    /// The call that a response answers whose request did not say, or was not seen to say, that it
    /// was one.
    pub(in crate::protocols) fn of_response<'b>(
        fields: impl Iterator<Item = (&'b [u8], &'b [u8])>,
    ) -> Option<Box<Self>> {
        let form = ResponseHead::of(fields).form?;
        let call = Self::new(Kind { form, is_triple: false }, Timestamp::default());
        Some(Box::new(Self { began: None, is_named: false, request: Messages::default(), ..call }))
    }

    /// The name that its messages go by.
    pub(in crate::protocols) fn dialect(&self) -> Dialect {
        if !self.is_sure {
            return Dialect::Plain;
        }
        match self.form {
            _ if self.is_triple => TRIPLE,
            Form::ConnectStream | Form::Unary | Form::Open => CONNECT,
            Form::Web | Form::WebText => Dialect::Within(1),
            Form::Grpc => GRPC,
        }
    }

    /// The request was opened under this key; its path, as it may be shown, is empty if it is not
    /// known.
    pub(in crate::protocols) fn request<'b>(
        &mut self,
        key: Key,
        path: &[u8],
        fields: impl Iterator<Item = (&'b [u8], &'b [u8])>,
        out: &mut dyn Out,
    ) {
        if !self.is_sure {
            return self.keep_name(key, path);
        }
        if !self.is_typed {
            self.keep_name(key, path);
        }
        let head = RequestHead::of(fields);
        let mut text = |name, value: Option<&[u8]>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                out.add(key, Attribute { name, value: Value::Text(value) });
            }
        };
        text("wirespan.rpc.request.compression", head.compression(self.form));
        text("wirespan.rpc.service.version", head.version);
        text("wirespan.rpc.service.group", head.group);
        text("wirespan.rpc.client.application", head.application);
        if let Some(timeout) = head.timeout_ms() {
            number(out, key, "wirespan.rpc.timeout_ms", timeout);
        }
        if let Some(attempts) = head.attempts() {
            number(out, key, "wirespan.rpc.previous_attempts", attempts);
        }
    }

    /// The head of the final response was opened under this key; gives its status, unless that of
    /// HTTP is right. `ends`: nothing follows it. So many fields of it are not known, and not given.
    #[expect(clippy::too_many_arguments, reason = "what a head is, and what it has")]
    pub(in crate::protocols) fn response<'b>(
        &mut self,
        key: Key,
        http: Option<u16>,
        fields: impl Iterator<Item = (&'b [u8], &'b [u8])>,
        unknown: u32,
        ends: bool,
        secrets: &Secrets,
        out: &mut dyn Out,
    ) -> Option<Status<'static>> {
        let head = ResponseHead::of(fields);
        self.http = http;
        let is_good = http.is_none_or(|http| http == 200);
        if !self.is_sure {
            self.meet(&head, unknown, ends, out);
        }
        if !self.is_sure {
            // Else HTTP may be content, and the call have failed.
            self.is_left_open &= is_good;
            return self.is_left_open.then(|| self.status(None));
        }
        if !self.is_typed {
            self.learn(&head, unknown, out);
        }
        if let Some(http) = http.filter(|_| !is_good) {
            number(out, key, "http.response.status_code", http.into());
        }
        if let Some(value) = head.compression(self.form).filter(|value| !value.is_empty()) {
            let name = "wirespan.rpc.response.compression";
            out.add(key, Attribute { name, value: Value::Text(value) });
            self.codings.add(value);
        }
        self.take_exception(&head, key, out);
        if self.form == Form::Unary && http == Some(304) {
            // The client has the answer already.
            return None;
        }
        // What stands between may answer in another way than it was asked.
        let form = head.form.unwrap_or(self.form);
        let framing = match self.form {
            Form::Open => Framing::None,
            Form::Unary if is_good || self.is_triple => Framing::None,
            // Clients look for errors in JSON only.
            Form::Unary if head.has_type && !head.is_json => Framing::None,
            Form::Unary => Framing::Kept,
            _ if head.form.is_none() && head.has_type => Framing::None,
            // It may turn out to be gRPC-Web.
            Form::Grpc if !self.is_typed => Framing::Web,
            _ => form.framing(),
        };
        self.is_coded = head.is_coded;
        self.is_unclear |= unknown > 0 && !head.is_coded;
        self.response = Messages::new(framing);
        if self.form == Form::Open {
            return Some(self.status(None));
        }
        if self.form == Form::Unary {
            return match http {
                Some(_) if self.is_triple => None,
                Some(200) => Some(self.status(Some(0))),
                Some(http) if framing == Framing::None => {
                    Some(self.status(Some(status::of_http_in_connect(http))))
                }
                // Its body tells.
                Some(http) => {
                    Some(Status { outcome: status::outcome_of(http), ..self.status(None) })
                }
                None => Some(self.status(None)),
            };
        }
        // Trailers-Only: those are in the head. gRPC-Web has them there where the body is empty.
        let may_tell = ends || matches!(form, Form::Web | Form::WebText);
        if let Some(code) = head.status.filter(|_| may_tell) {
            self.is_told = true;
            self.tell_error(&percent_decoded(head.message.unwrap_or_default()), key, secrets, out);
            return Some(self.status(Some(code)));
        }
        let of_http = match self.form {
            Form::ConnectStream => status::of_http_in_connect,
            _ => status::of_http,
        };
        Some(self.status(http.filter(|_| !is_good).map(of_http)))
    }

    /// How many of the next bytes of one side's body need not be shown, as they are of a message
    /// whose head was read; `u64::MAX` for all. [`Call::skip`] tells that they were passed over.
    pub(in crate::protocols) fn skippable(&self, from: Role) -> u64 {
        match from {
            Role::Client => self.request.skippable(),
            Role::Server => self.response.skippable(),
        }
    }

    /// After how many bytes, 1 at least, [`Call::skippable`] may say something else than what is
    /// less by those.
    pub(in crate::protocols) fn piece(&self, from: Role) -> u64 {
        match from {
            Role::Client => self.request.piece(),
            Role::Server => self.response.piece(),
        }
    }

    /// So many bytes of one side's body were passed over, or are lost.
    pub(in crate::protocols) fn skip(&mut self, from: Role, bytes: u64) {
        self.messages(from).skip(bytes);
    }

    /// Reads the next bytes of one side's body.
    pub(in crate::protocols) fn data(&mut self, from: Role, bytes: &[u8], at: Timestamp) {
        self.messages(from).read(bytes, at);
    }

    /// Bytes of one side's body are lost, and nobody knows how many.
    pub(in crate::protocols) fn lose(&mut self, from: Role) {
        self.messages(from).lose();
    }

    /// The fields behind one side's body, which belong to the message with this key. So many more
    /// of them are not known.
    pub(in crate::protocols) fn trailers<'b>(
        &mut self,
        from: Role,
        key: Key,
        fields: impl Iterator<Item = (&'b [u8], &'b [u8])>,
        unknown: u32,
        secrets: &Secrets,
        out: &mut dyn Out,
    ) {
        if from == Role::Client {
            return;
        }
        let head = ResponseHead::of(fields);
        if !self.is_sure {
            self.has_tail = unknown > 0;
            // Nothing else has both, whole messages on either side and fields behind them. Each
            // call has a status there.
            let are_whole = self.request.are_whole() && self.response.are_whole();
            let may_tell = self.has_tail && (are_whole || self.is_in_company());
            if head.status.is_none() && !may_tell {
                return;
            }
            self.make_sure(out);
            out.status(key, self.status(None));
        }
        let are_whole = self.request.are_whole() && self.response.are_whole();
        if !self.is_typed && (head.status.is_some() || (unknown > 0 && are_whole)) {
            // Only gRPC has these, and Triple, which is it.
            match self.form {
                Form::Open if self.is_triple => self.turn_into(Form::Grpc, out),
                Form::Grpc => self.is_typed = true,
                _ => {}
            }
        }
        self.take_exception(&head, key, out);
        if matches!(self.form, Form::ConnectStream | Form::Unary | Form::Open) {
            // These end in another way, and what looks like the status of gRPC is none.
            return;
        }
        let message = percent_decoded(head.message.unwrap_or_default());
        match head.status {
            Some(code) => self.tell(code, &message, key, secrets, out),
            // HTTP/1 gives one field after the other.
            None => self.tell_error(&message, key, secrets, out),
        }
    }

    /// One side has sent all, and [`Call::end`] follows.
    pub(in crate::protocols) fn complete(&mut self, from: Role, key: Key, out: &mut dyn Out) {
        if self.is_sure {
            return;
        }
        if from == Role::Client {
            self.has_asked = true;
            if !self.is_answered && self.is_in_company() {
                self.make_sure(out);
            }
            return;
        }
        let may_be =
            self.has_tail && self.request.may_be(self.has_asked) && self.response.may_be(true);
        if may_be && self.is_in_company() {
            self.make_sure(out);
            out.status(key, self.status(None));
        } else if !may_be && self.is_left_open {
            // It is none: each ends with a status.
            out.status(key, self.http.map(fields::status).unwrap_or_default());
        }
    }

    /// One side has ended, and its message is closed next.
    pub(in crate::protocols) fn end(
        &mut self,
        from: Role,
        key: Key,
        secrets: &Secrets,
        out: &mut dyn Out,
    ) {
        if !self.is_sure {
            return;
        }
        if from == Role::Server {
            if !self.is_typed && self.form == Form::Grpc && self.response.has_tail() {
                self.turn_into(Form::Web, out);
            }
            self.read_tail(key, secrets, out);
        } else if self.form == Form::Open {
            // Its body may be one message.
            return;
        }
        let names = match from {
            Role::Client => &REQUEST_NAMES,
            Role::Server => &RESPONSE_NAMES,
        };
        let began = self.began;
        let messages = self.messages(from);
        if !messages.are_known() {
            return;
        }
        number(out, key, names.count, clamped(messages.count));
        if messages.compressed > 0 {
            number(out, key, names.compressed, clamped(messages.compressed));
        }
        if messages.count > 1 {
            number(out, key, names.largest, clamped(messages.largest));
            if let (Some(began), Some((first, last))) = (began, messages.span) {
                number(out, key, names.first, first.0.saturating_sub(began.0));
                number(out, key, names.last, last.0.saturating_sub(began.0));
            }
        }
        if from == Role::Server
            && let Some(streaming) = self.streaming()
        {
            let value = Value::Text(streaming.as_bytes());
            out.add(key, Attribute { name: "wirespan.rpc.streaming", value });
        }
    }

    /// One side's body breaks off before its end, and [`Call::end`] follows.
    pub(in crate::protocols) fn cut(&mut self, from: Role) {
        self.is_unclear |= from == Role::Server;
    }

    /// What a call has come to whose stream was reset by one side with this code of HTTP/2, if it
    /// was not said before how it ended. `may_have_ended`: the response had, perhaps.
    pub(in crate::protocols) fn reset(
        &self,
        by: Role,
        code: u32,
        may_have_ended: bool,
    ) -> Option<Status<'static>> {
        let has_failed = self.http.is_some_and(|http| http != 200);
        if !self.is_sure || self.is_told || has_failed {
            return None;
        }
        // The server may have said before how it ended: in what is lost, or cannot be read.
        let may_have_ended = may_have_ended || self.response.has_tail() || {
            self.form != Form::Grpc && self.response.are_lost()
        };
        let code = (by == Role::Server || !may_have_ended).then(|| status::of_reset(code));
        Some(self.status(code))
    }

    /// Whether its response, which has begun, may have an error of Connect in its body.
    pub(in crate::protocols) fn has_error_body(&self) -> bool {
        let may_fail = matches!(self.form, Form::ConnectStream | Form::Open)
            || self.http.is_some_and(|code| code != 200);
        self.is_sure && self.dialect() == CONNECT && may_fail
    }

    /// Whether it is a call for sure.
    pub(in crate::protocols) fn is_sure(&self) -> bool {
        self.is_sure
    }

    /// What it is, if that is known for sure.
    pub(in crate::protocols) fn kind(&self) -> Option<Kind> {
        let kind = Kind { form: self.form, is_triple: self.is_triple };
        (self.is_sure && self.is_typed).then_some(kind)
    }

    /// Of a call that is not sure: all requests of its connection are these of which it is known.
    pub(in crate::protocols) fn accompany(&mut self, company: Option<Company>) {
        self.company = company;
    }

    /// Of a call that is not sure: the head of its response.
    fn meet(&mut self, head: &ResponseHead<'_>, unknown: u32, ends: bool, out: &mut dyn Out) {
        self.is_answered = true;
        if let Some(form) = head.form {
            if form == Form::WebText {
                self.request = Messages::default();
            }
            (self.form, self.is_typed) = (form, true);
            return self.make_sure(out);
        }
        if ends && !head.has_type && head.status.is_some() {
            return self.make_sure(out);
        }
        // Each response of gRPC has a type of content, and what has another type is no call.
        let mut may_be = !head.has_type && unknown > 0;
        // Trailers-Only has a status beside the type.
        may_be &= !ends || unknown > 1;
        self.is_denied = !may_be;
        self.has_tail = ends;
        self.response = Messages::new(if may_be { Framing::Grpc } else { Framing::None });
        if self.request.are_whole() && self.is_in_company() {
            self.make_sure(out);
        }
        self.is_left_open = may_be && self.request.may_be(self.has_asked);
    }

    /// Whether it is a call since all else on its connection is, and its messages are those of one.
    fn is_in_company(&self) -> bool {
        let may_be = self.request.may_be(self.has_asked)
            && (!self.is_answered || self.response.may_be(false));
        let is_seen = self.request.are_whole() || self.response.are_whole();
        self.company.is_some() && !self.is_denied && may_be && is_seen
    }

    /// It is a call for sure.
    fn make_sure(&mut self, out: &mut dyn Out) {
        self.is_sure = true;
        self.is_triple |= self.company == Some(Company::Triple) && self.form == Form::Grpc;
        self.rename(out);
    }

    /// Its request goes by what it is known to be.
    fn rename(&mut self, out: &mut dyn Out) {
        if let Some(unnamed) = &self.unnamed {
            let name = Name::of(&unnamed.path);
            out.rename(unnamed.key, self.dialect(), name.method, name.service);
            self.is_named = true;
        }
    }

    fn keep_name(&mut self, key: Key, path: &[u8]) {
        if path.len() <= PATH_LIMIT {
            self.unnamed = Some(Box::new(Unnamed { key, path: path.into() }));
        }
    }

    /// Of a call of which it is not known how it is written: the head of its response.
    fn learn(&mut self, head: &ResponseHead<'_>, unknown: u32, out: &mut dyn Out) {
        // Streams of Connect are answered as such, unless HTTP has failed.
        let is_unary = head.has_type || unknown == 0 || self.http.is_some_and(|http| http != 200);
        match head.form {
            Some(form) => self.turn_into(form, out),
            None if self.form == Form::Open && is_unary => self.turn_into(Form::Unary, out),
            None => {}
        }
    }

    /// It is written so for sure.
    fn turn_into(&mut self, form: Form, out: &mut dyn Out) {
        let dialect = self.dialect();
        if matches!(form, Form::WebText | Form::Unary) && form != self.form {
            self.request = Messages::default();
        }
        (self.form, self.is_typed) = (form, true);
        self.is_triple &= matches!(form, Form::Grpc | Form::Unary);
        if self.dialect() != dialect {
            self.rename(out);
        }
    }

    fn new(Kind { form, is_triple }: Kind, at: Timestamp) -> Self {
        Self {
            form,
            is_triple,
            is_typed: true,
            is_coded: false,
            is_unclear: false,
            began: Some(at),
            request: Messages::new(form.framing()),
            response: Messages::default(),
            codings: Codings::default(),
            http: None,
            has_thrown: false,
            is_told: false,
            has_error: false,
            is_sure: true,
            is_named: true,
            unnamed: None,
            company: None,
            has_asked: false,
            is_answered: false,
            is_denied: false,
            has_tail: false,
            is_left_open: false,
        }
    }

    /// What a code says, if it is known; where the exchange goes by the name of HTTP, the number is
    /// that of HTTP.
    fn status(&self, code: Option<u32>) -> Status<'static> {
        let status = match code {
            Some(0) if self.has_thrown => THROWN,
            code => code.map(status::status).unwrap_or_default(),
        };
        match self.http {
            Some(http) if !self.is_named => Status { code: http.into(), ..status },
            _ => status,
        }
    }

    fn messages(&mut self, from: Role) -> &mut Messages {
        match from {
            Role::Client => &mut self.request,
            Role::Server => &mut self.response,
        }
    }

    /// Which sides sent more than one message.
    fn streaming(&self) -> Option<&'static str> {
        // Those of one side may be lost, and then it may be both.
        match (self.request.are_many(), self.response.are_many()) {
            (Some(true), Some(true)) => Some("both"),
            (Some(true), Some(false)) => Some("client"),
            (Some(false), Some(true)) => Some("server"),
            _ => None,
        }
    }

    fn tell(&mut self, code: u32, message: &[u8], key: Key, secrets: &Secrets, out: &mut dyn Out) {
        if !std::mem::replace(&mut self.is_told, true) {
            out.status(key, self.status(Some(code)));
            if self.has_thrown && code == 0 {
                let value = Value::Text(b"OK");
                out.add(key, Attribute { name: "rpc.response.status_code", value });
            }
            self.tell_error(message, key, secrets, out);
        }
    }

    /// Adds the text of an error, the first that there is, secrets masked.
    fn tell_error(&mut self, text: &[u8], key: Key, secrets: &Secrets, out: &mut dyn Out) {
        if text.is_empty() || std::mem::replace(&mut self.has_error, true) {
            return;
        }
        let mut scratch = Vec::new();
        let text = start(text, 2 * ERROR_LIMIT);
        let value = Value::Text(shown_words(text, ERROR_LIMIT, secrets, &mut scratch));
        out.add(key, Attribute { name: "wirespan.rpc.error", value });
    }

    fn take_exception(&mut self, head: &ResponseHead<'_>, key: Key, out: &mut dyn Out) {
        if let Some(code) = head.exception {
            self.has_thrown = true;
            number(out, key, "wirespan.triple.exception_code", code);
        }
    }

    /// Reads what the body of a response ended with.
    fn read_tail(&mut self, key: Key, secrets: &Secrets, out: &mut dyn Out) {
        let is_all = !self.is_unclear && self.response.has_kept_all();
        let mut tail = std::mem::take(&mut self.response.tail);
        let is_coded = match self.form {
            Form::Unary => self.is_coded && !tail.is_empty(),
            _ => self.response.is_tail_compressed && self.response.has_whole_tail,
        };
        if is_coded {
            let Some(plain) = inflated(&tail, &self.codings) else { return };
            tail = plain;
        }
        match self.form {
            Form::Web | Form::WebText if self.response.has_whole_tail => {
                let lines = tail.split(|byte| *byte == b'\n').filter_map(|line| {
                    let at = memchr::memchr(b':', line)?;
                    let (name, value) = line.split_at_checked(at)?;
                    Some((name.trim_ascii(), value.get(1..)?.trim_ascii()))
                });
                let head = ResponseHead::of(lines);
                if let Some(code) = head.status {
                    let message = percent_decoded(head.message.unwrap_or_default());
                    self.tell(code, &message, key, secrets, out);
                }
            }
            Form::ConnectStream if self.response.has_whole_tail => {
                let error = ErrorBody::read(&tail, Within::Error);
                let fails = error.code.is_some() || !error.message.is_empty();
                if fails || error.is_whole {
                    let code = error.code.unwrap_or(if fails { 2 } else { 0 });
                    self.tell(code, &error.message, key, secrets, out);
                }
            }
            Form::Unary if self.response.is_kept() => {
                let error = ErrorBody::read(&tail, Within::Nothing);
                // What HTTP says holds only where the body says nothing.
                let of_http = self.http.filter(|_| is_all || error.is_whole);
                if let Some(code) = error.code.or_else(|| of_http.map(status::of_http_in_connect)) {
                    self.tell(code, &error.message, key, secrets, out);
                }
            }
            _ => {}
        }
    }
}

/// What attributes are called that tell of the messages of one side.
struct Names {
    count: &'static str,
    compressed: &'static str,
    largest: &'static str,
    first: &'static str,
    last: &'static str,
}

const REQUEST_NAMES: Names = Names {
    count: "wirespan.rpc.request.messages",
    compressed: "wirespan.rpc.request.messages.compressed",
    largest: "wirespan.rpc.request.messages.largest",
    first: "wirespan.rpc.request.messages.first",
    last: "wirespan.rpc.request.messages.last",
};
const RESPONSE_NAMES: Names = Names {
    count: "wirespan.rpc.response.messages",
    compressed: "wirespan.rpc.response.messages.compressed",
    largest: "wirespan.rpc.response.messages.largest",
    first: "wirespan.rpc.response.messages.first",
    last: "wirespan.rpc.response.messages.last",
};

fn number(out: &mut dyn Out, key: Key, name: &str, number: i64) {
    out.add(key, Attribute { name, value: Value::Int(number) });
}

fn clamped(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What is compressed, if all of it is and it is not too long.
fn inflated(tail: &[u8], codings: &Codings) -> Option<Vec<u8>> {
    let (mut plain, mut inflater) = (Vec::new(), codings.inflater()?);
    let state = inflater.push(tail, &mut |piece| {
        let room = (TAIL_LIMIT + 1).saturating_sub(plain.len());
        plain.extend_from_slice(piece.get(..room).unwrap_or(piece));
    });
    (state == Inflated::Whole && plain.len() <= TAIL_LIMIT).then_some(plain)
}

/// The text of `grpc-message`; what is no escape stands for itself.
fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let digit = |at: usize| Some(char::from(*after.get(at)?).to_digit(16)? as u8);
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                plain.push(high << 4 | low);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => plain.push(*byte),
        }
    }
    plain
}

/// That the call is over is well, but what it brought is an exception.
const THROWN: Status<'_> = Status { outcome: Outcome::ServerError, code: 0, text: b"EXCEPTION" };

/// Bytes of a path that are kept until it is known whether it is that of a call.
const PATH_LIMIT: usize = 512;

/// Bytes of the text of an error that are shown.
const ERROR_LIMIT: usize = 1 << 10;

#[cfg(test)]
mod tests;
