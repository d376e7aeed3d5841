//! One connection: the command under way on each side, and what a command tells.

use super::command::{Command, Stop, Type, is_class, pairs, short};
use super::content::Answer;
use crate::failure::Words;
use crate::message::{
    Attribute, Dialect, Id, Kind, Message, Outcome, Pairing, Side, Status, Value,
};
use crate::metadata::Metadata;
use crate::protocol::{AfterGap, Key, Malformed, Out, Step};
use crate::settings::Settings;
use crate::trace_context::Collector;
use std::num::{NonZeroU64, NonZeroUsize};

#[derive(Default)]
pub(super) struct Connection {
    lanes: [Option<UnderWay>; 2],
}

/// A command whose end has not come.
struct UnderWay {
    key: Key,
    /// Bytes of it that were not seen yet.
    left: u64,
}

impl Connection {
    pub(super) fn read(
        &mut self,
        from: Side,
        input: &[u8],
        settings: &Settings,
        out: &mut dyn Out,
    ) -> Result<Step, Malformed> {
        // Only behind a gap its rest comes to here.
        let (under_way, at) = match self.lane(from).take() {
            Some(under_way) => (under_way, 0),
            None => {
                let command = match whole_head(input) {
                    Ok(command) => command,
                    Err(stop) => return stop.step(),
                };
                let key = open(&command, from, input, false, settings, out);
                let at = command.content_at();
                (UnderWay { key, left: command.len() - at as u64 }, at)
            }
        };
        let UnderWay { key, left } = under_way;
        let there = input.len() - at;
        if let Ok(left) = usize::try_from(left)
            && left <= there
        {
            out.close(key, at + left);
            return Ok(Step::Used(NonZeroUsize::new(at + left).unwrap_or(NonZeroUsize::MIN)));
        }
        out.extend(key, input.len());
        *self.lane(from) = Some(UnderWay { key, left: 0 });
        let skip = NonZeroU64::new(left - there as u64).unwrap_or(NonZeroU64::MIN);
        Ok(Step::Skip { used: input.len(), skip })
    }

    /// The end of a command was skipped, or lost.
    pub(super) fn abandon(&mut self, from: Side, out: &mut dyn Out) {
        if let Some(under_way) = self.lane(from).take() {
            out.close(under_way.key, 0);
        }
    }

    pub(super) fn gap(
        &mut self,
        from: Side,
        head: &[u8],
        lost: u64,
        settings: &Settings,
        out: &mut dyn Out,
    ) -> AfterGap {
        let under_way = match self.lane(from).take() {
            Some(under_way) => Some(under_way),
            None => cut(from, head, settings, out),
        };
        let Some(UnderWay { key, left }) = under_way else { return AfterGap::Resync };
        // The lengths say where the next command begins.
        match left.checked_sub((head.len() as u64).saturating_add(lost)) {
            Some(left @ 1..) => {
                *self.lane(from) = Some(UnderWay { key, left });
                AfterGap::Continue
            }
            Some(0) => {
                out.close(key, 0);
                AfterGap::Continue
            }
            None => {
                out.close(key, 0);
                AfterGap::Resync
            }
        }
    }

    pub(super) fn end(&mut self, from: Side, head: &[u8], settings: &Settings, out: &mut dyn Out) {
        self.abandon(from, out);
        if let Some(under_way) = cut(from, head, settings, out) {
            out.close(under_way.key, 0);
        }
    }

    fn lane(&mut self, side: Side) -> &mut Option<UnderWay> {
        let [a, b] = &mut self.lanes;
        match side {
            Side::A => a,
            Side::B => b,
        }
    }
}

/// A command of which all is there that is looked at.
fn whole_head(input: &[u8]) -> Result<Command, Stop> {
    let command = Command::read(input)?;
    let class = input.get(command.fixed..).unwrap_or_default();
    if !is_class(class.get(..command.class).unwrap_or(class)) {
        return Err(Stop::Bad("class"));
    }
    let looked_at = match command.kind {
        Type::Response => usize::try_from(command.content).unwrap_or(LOOKED_AT).min(LOOKED_AT),
        Type::Request | Type::Oneway => 0,
    };
    let needed = command.content_at() + looked_at;
    if input.len() < needed {
        return Err(short(needed - input.len()));
    }
    Ok(command)
}

/// Opens a command of which these bytes are all that is left, if they say which one.
fn cut(from: Side, head: &[u8], settings: &Settings, out: &mut dyn Out) -> Option<UnderWay> {
    let command = Command::read(head).ok()?;
    let class = head.get(command.fixed..).unwrap_or_default();
    if !is_class(class.get(..command.class).unwrap_or(class)) {
        return None;
    }
    let key = open(&command, from, head, true, settings, out);
    Some(UnderWay { key, left: command.len() })
}

/// Opens a command, of which the input has the beginning.
fn open(
    command: &Command,
    from: Side,
    input: &[u8],
    is_cut: bool,
    settings: &Settings,
    out: &mut dyn Out,
) -> Key {
    let piece = |at: usize, len: usize| {
        let rest = input.get(at..).unwrap_or_default();
        rest.get(..len).unwrap_or(rest)
    };
    let class = piece(command.fixed, command.class);
    let header = piece(command.fixed + command.class, command.header);
    let (mut service, mut method): (&[u8], &[u8]) = (b"", class);
    let mut contexts = Collector::new(&settings.ids);
    let (mut failed, mut application) = (false, None);
    for (name, value) in pairs(header) {
        match name {
            b"sofa_head_target_service" => service = value,
            b"sofa_head_method_name" => method = value,
            b"sofa_head_response_error" => failed = value == b"true",
            b"app" => application = Some(value),
            _ => contexts.header(name, value),
        }
    }
    let by = if command.kind == Type::Response { from.other() } else { from };
    let pairing = match command.kind {
        Type::Oneway => Pairing::OneWay,
        Type::Request | Type::Response => Pairing::Id { by, id: Id::Number(command.id.into()) },
    };
    // `interface:version`, and a further id where a server has several of them.
    let colon = memchr::memchr(b':', service).unwrap_or(service.len());
    let (resource, version) = service.split_at_checked(colon).unwrap_or_default();
    let content = usize::try_from(command.content).unwrap_or(usize::MAX);
    let content = piece(command.content_at(), content);
    let answer = match (command.kind, command.codec) {
        (Type::Response, HESSIAN2) => Answer::read(content.get(..LOOKED_AT).unwrap_or(content)),
        _ => None,
    };
    let awaited = command.content.min(LOOKED_AT as u64);
    let is_seen = header.len() == command.header && content.len() as u64 >= awaited;
    let is_response = command.kind == Type::Response;
    let key = out.open(Message {
        kind: match (command.kind, command.is_heartbeat()) {
            (Type::Request, true) => Kind::Handshake,
            (Type::Request, false) => Kind::Request,
            (Type::Oneway, _) => Kind::OneWay,
            (Type::Response, _) => Kind::Response,
        },
        dialect: Dialect::Plain,
        pairing,
        bytes: 0..input.len().min(command.content_at()),
        operation: match (is_response, command.is_heartbeat()) {
            (true, _) => b"",
            (false, true) => b"heartbeat",
            (false, false) => method,
        },
        resource: if is_response { b"" } else { resource },
        status: if is_response {
            status(command, failed, is_seen, answer.as_ref())
        } else {
            Status::default()
        },
        cut: is_cut,
    });
    let mut text = |name, value: &[u8]| {
        if !value.is_empty() {
            out.add(key, Attribute { name, value: Value::Text(value) });
        }
    };
    if !is_response {
        text("wirespan.rpc.service.version", version.get(1..).unwrap_or_default());
        text("wirespan.rpc.client.application", application.unwrap_or_default());
        if !command.is_heartbeat() {
            let value = Value::Int(command.timeout.into());
            out.add(key, Attribute { name: "wirespan.rpc.timeout_ms", value });
        }
    } else {
        // The status of an answer that is an exception is that all went well.
        let is_thrown = answer.as_ref().is_some_and(|answer| answer.thrown.is_some());
        if command.status == 0 && (is_thrown || failed) {
            text("rpc.response.status_code", b"SUCCESS");
        }
        if let Some(words) = answer.as_ref().and_then(|answer| answer.words) {
            Words::of(words).add(key, &settings.secrets, out);
        }
    }
    contexts.finish(&mut |context| out.context(key, context));
    if out.wants_details() {
        add_details(command, class, header, key, settings, out);
    }
    if settings.locate_secrets {
        locate(command, (input, header), answer.as_ref(), key, settings, out);
    }
    key
}

fn status<'b>(
    command: &Command,
    failed: bool,
    is_seen: bool,
    answer: Option<&Answer<'b>>,
) -> Status<'b> {
    let code = u32::from(command.status);
    let (outcome, text): (_, &[u8]) = match command.status {
        0 => match answer {
            Some(Answer { thrown: Some(class), .. }) => (Outcome::ServerError, class),
            Some(Answer { is_error: true, words, .. }) => {
                (Outcome::ServerError, error_code(words.unwrap_or_default()))
            }
            _ if failed => (Outcome::ServerError, b"exception"),
            // It may be an exception.
            Some(Answer { is_unclear: true, .. }) => (Outcome::Unknown, b""),
            _ if !is_seen => (Outcome::Unknown, b""),
            _ => (Outcome::Ok, b""),
        },
        0x01 => (Outcome::ServerError, b"ERROR"),
        0x02 => (Outcome::ServerError, b"SERVER_EXCEPTION"),
        0x03 => (Outcome::ServerError, b"UNKNOWN"),
        0x04 => (Outcome::ServerError, b"SERVER_THREADPOOL_BUSY"),
        0x05 => (Outcome::ServerError, b"ERROR_COMM"),
        0x06 => (Outcome::ClientError, b"NO_PROCESSOR"),
        0x07 => (Outcome::ServerError, b"TIMEOUT"),
        0x08 => (Outcome::ServerError, b"CLIENT_SEND_ERROR"),
        0x09 => (Outcome::ServerError, b"CODEC_EXCEPTION"),
        0x10 => (Outcome::ServerError, b"CONNECTION_CLOSED"),
        0x11 => (Outcome::ServerError, b"SERVER_SERIAL_EXCEPTION"),
        0x12 => (Outcome::ClientError, b"SERVER_DESERIAL_EXCEPTION"),
        _ => (Outcome::ServerError, b""),
    };
    Status { outcome, code, text }
}

/// The number that errors of SOFA RPC begin with, such as `RPC-020100010`.
fn error_code(words: &[u8]) -> &[u8] {
    let end = words.iter().position(|byte| *byte == b':').unwrap_or_default();
    match words.get(..end) {
        Some(code) if code.starts_with(b"RPC-") && code.len() <= 16 => code,
        _ => b"error",
    }
}

/// All that tells more than exchanges apart, with the pairs of the header.
fn add_details(
    command: &Command,
    class: &[u8],
    header: &[u8],
    key: Key,
    settings: &Settings,
    out: &mut dyn Out,
) {
    let is_response = command.kind == Type::Response;
    let mut add = |name, value| out.add(key, Attribute { name, value });
    if !class.is_empty() {
        let name = if is_response { "wirespan.bolt.response.class" } else { "wirespan.bolt.class" };
        add(name, Value::Text(class));
    }
    match command.codec {
        // It is that of the request.
        _ if is_response => {}
        0 => add("wirespan.bolt.codec", Value::Text(b"hessian")),
        HESSIAN2 => add("wirespan.bolt.codec", Value::Text(b"hessian2")),
        11 => add("wirespan.bolt.codec", Value::Text(b"protobuf")),
        12 => add("wirespan.bolt.codec", Value::Text(b"json")),
        other => add("wirespan.bolt.codec", Value::Int(other.into())),
    }
    let mut metadata = match is_response {
        true => Metadata::of_response(&settings.secrets),
        false => Metadata::of_request(&settings.secrets),
    };
    for (name, value) in pairs(header) {
        metadata.text(key, name, value, out);
    }
    metadata.finish(key, out);
}

/// Tells what is secret: values of the header that are called so, and all of the content but what
/// says that it is an error, and what that reads.
fn locate(
    command: &Command,
    (input, header): (&[u8], &[u8]),
    answer: Option<&Answer<'_>>,
    key: Key,
    settings: &Settings,
    out: &mut dyn Out,
) {
    let mut end = 0;
    for (name, value) in pairs(header) {
        end = value.as_ptr().addr() - header.as_ptr().addr() + value.len();
        let start = (value.as_ptr().addr() - input.as_ptr().addr()) as u64;
        settings.secrets.in_header(name, value, &mut |range| {
            out.secret(key, start + range.start as u64..start + range.end as u64);
        });
    }
    let content = command.content_at() as u64;
    if header.len() < command.header {
        // The rest of the header is lost, or a part of a value.
        let start = (command.fixed + command.class + end) as u64;
        out.secret(key, start..content + command.content);
        return;
    }
    let mut read = 0;
    if let Some(answer) = answer {
        read = answer.read as u64;
        if let Some(words) = answer.words
            && !settings.secrets.are_shown()
        {
            let start = content + answer.words_at as u64;
            read = Words::of(words).locate(start, key, &settings.secrets, out) - content;
        }
    }
    if command.content > read {
        out.secret(key, content + read..content + command.content);
    }
}

const HESSIAN2: u8 = 1;

/// Bytes of an answer's content that are awaited.
pub(super) const LOOKED_AT: usize = 1024;
