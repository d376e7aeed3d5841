//! The fields of heads and trailers that belong to a call.

use super::messages::Framing;
use super::status;

/// How a call is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Grpc,
    Web,
    /// gRPC-Web in base64.
    WebText,
    ConnectStream,
    /// One message is the whole body: Connect, or Triple.
    Unary,
    /// Connect or Triple, and the type of content that says more is not known.
    Open,
}

/// What a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::protocols) struct Kind {
    pub(super) form: Form,
    pub(super) is_triple: bool,
}

impl Kind {
    /// Whether the type of content of its request alone makes it a call.
    pub(in crate::protocols) fn is_typed(self) -> bool {
        !matches!(self.form, Form::Unary | Form::Open)
    }
}

impl Form {
    /// What a type of content says.
    fn of(content_type: &[u8]) -> Option<Self> {
        let rest = after(content_type, b"application/")?;
        let ends = |rest: &[u8]| matches!(rest.trim_ascii().first(), None | Some(b'+' | b';'));
        if let Some(rest) = after(rest, b"connect+") {
            return (!rest.is_empty()).then_some(Self::ConnectStream);
        }
        let rest = after(rest, b"grpc")?;
        if ends(rest) {
            return Some(Self::Grpc);
        }
        let rest = after(rest, b"-web")?;
        if ends(rest) {
            return Some(Self::Web);
        }
        after(rest, b"-text").filter(|rest| ends(rest)).map(|_| Self::WebText)
    }

    pub(super) fn framing(self) -> Framing {
        match self {
            // Requests of Connect's streams have the same messages.
            Self::Grpc | Self::Open => Framing::Grpc,
            Self::Web => Framing::Web,
            Self::WebText => Framing::WebText,
            Self::ConnectStream => Framing::Connect,
            Self::Unary => Framing::None,
        }
    }
}

/// What the head of a request tells.
#[derive(Default)]
pub(super) struct RequestHead<'b> {
    content_type: Option<&'b [u8]>,
    method: Option<&'b [u8]>,
    path: Option<&'b [u8]>,
    /// A field that only gRPC has.
    is_grpc: bool,
    /// A field that only Connect has.
    is_connect: bool,
    /// A field that only Triple has.
    is_triple: bool,
    grpc_timeout: Option<&'b [u8]>,
    /// Milliseconds.
    other_timeout: Option<&'b [u8]>,
    grpc_encoding: Option<&'b [u8]>,
    connect_encoding: Option<&'b [u8]>,
    content_encoding: Option<&'b [u8]>,
    attempts: Option<&'b [u8]>,
    pub(super) version: Option<&'b [u8]>,
    pub(super) group: Option<&'b [u8]>,
    pub(super) application: Option<&'b [u8]>,
}

impl<'b> RequestHead<'b> {
    pub(super) fn of(fields: impl Iterator<Item = (&'b [u8], &'b [u8])>) -> Self {
        let mut head = Self::default();
        for (name, value) in fields {
            head.take(name, value);
        }
        head
    }

    fn take(&mut self, name: &[u8], value: &'b [u8]) {
        // Few names have such a beginning, and only those are compared as a whole.
        let place = match name.first().map(u8::to_ascii_lowercase) {
            Some(b':') => match name {
                b":method" => &mut self.method,
                b":path" => &mut self.path,
                _ => return,
            },
            Some(b'c') if is(name, b"content-type") => &mut self.content_type,
            Some(b'c') if is(name, b"content-encoding") => &mut self.content_encoding,
            Some(b'c') if after(name, b"connect-").is_some() => {
                self.is_connect |= is(name, b"connect-protocol-version");
                if is(name, b"connect-timeout-ms") {
                    &mut self.other_timeout
                } else if is(name, b"connect-content-encoding") {
                    &mut self.connect_encoding
                } else {
                    return;
                }
            }
            Some(b'g') if after(name, b"grpc-").is_some() => {
                self.is_grpc |= is(name, b"grpc-accept-encoding");
                if is(name, b"grpc-timeout") {
                    self.is_grpc = true;
                    &mut self.grpc_timeout
                } else if is(name, b"grpc-encoding") {
                    self.is_grpc = true;
                    &mut self.grpc_encoding
                } else if is(name, b"grpc-previous-rpc-attempts") {
                    &mut self.attempts
                } else {
                    return;
                }
            }
            Some(b't') if after(name, b"tri-").is_some() => {
                // Others may have names of their own with such a beginning.
                self.is_triple |= TRIPLE.iter().any(|known| is(name, known));
                if is(name, b"tri-service-version") {
                    &mut self.version
                } else if is(name, b"tri-service-group") {
                    &mut self.group
                } else if is(name, b"tri-consumer-appname") {
                    &mut self.application
                } else if is(name, b"tri-service-timeout") {
                    &mut self.other_timeout
                } else {
                    return;
                }
            }
            _ => return,
        };
        place.get_or_insert(value);
    }

    /// Whether it may be a call of gRPC, for all that is known of it.
    pub(super) fn may_be_grpc(&self) -> bool {
        self.content_type.is_none() && self.method.is_none_or(|method| method == b"POST")
    }

    /// How the call is written, and whether the type of content says so. A request whose type of
    /// content is not known is a call if it has a field that nothing else has. `is_whole`: all
    /// fields are known.
    pub(super) fn kind(&self, is_whole: bool) -> Option<(Kind, bool)> {
        if let Some(form) = self.content_type.and_then(Form::of) {
            return Some((Kind { form, is_triple: self.is_triple && form == Form::Grpc }, true));
        }
        let is_typed = is_whole || self.content_type.is_some();
        let form = match is_typed {
            true => Form::Unary,
            false => Form::Open,
        };
        if self.is_triple {
            return Some((Kind { form, is_triple: true }, is_typed));
        }
        if self.is_grpc && self.content_type.is_none() {
            return Some((Kind { form: Form::Grpc, is_triple: false }, is_whole));
        }
        if self.is_get_of_connect() {
            return Some((Kind { form: Form::Unary, is_triple: false }, true));
        }
        self.is_connect.then_some((Kind { form, is_triple: false }, is_typed))
    }

    /// A call without side effects: it is in the query.
    fn is_get_of_connect(&self) -> bool {
        let Some(path) = self.path.filter(|_| self.content_type.is_none()) else {
            return false;
        };
        let mut parts = path.splitn(2, |byte| *byte == b'?').skip(1);
        let mut pairs = parts.next().unwrap_or_default().split(|byte| *byte == b'&');
        self.method.is_none_or(|method| method == b"GET") && pairs.any(|pair| pair == b"connect=v1")
    }

    pub(super) fn compression(&self, form: Form) -> Option<&'b [u8]> {
        compression(form, self.grpc_encoding, self.connect_encoding, self.content_encoding)
    }

    /// How long the client waits, in milliseconds; rounded up.
    pub(super) fn timeout_ms(&self) -> Option<i64> {
        if let Some(number) = self.other_timeout.and_then(decimal) {
            return Some(number);
        }
        let (unit, digits) = self.grpc_timeout?.split_last()?;
        let number = decimal(digits).filter(|_| digits.len() <= TIMEOUT_DIGITS)?;
        Some(match unit {
            b'H' => number * 3_600_000,
            b'M' => number * 60_000,
            b'S' => number * 1000,
            b'm' => number,
            b'u' => (number + 999) / 1000,
            b'n' => (number + 999_999) / 1_000_000,
            _ => return None,
        })
    }

    /// How many times it was tried before.
    pub(super) fn attempts(&self) -> Option<i64> {
        self.attempts.and_then(decimal)
    }
}

/// What the head of a response tells, or its trailers.
#[derive(Default)]
pub(super) struct ResponseHead<'b> {
    /// How its type of content says that it is written.
    pub(super) form: Option<Form>,
    pub(super) has_type: bool,
    /// Whether the type is the one that errors of Connect have.
    pub(super) is_json: bool,
    /// Whether its body is encoded as a whole.
    pub(super) is_coded: bool,
    pub(super) status: Option<u32>,
    pub(super) message: Option<&'b [u8]>,
    /// Of Triple: the message is an exception, of this kind.
    pub(super) exception: Option<i64>,
    grpc_encoding: Option<&'b [u8]>,
    connect_encoding: Option<&'b [u8]>,
    content_encoding: Option<&'b [u8]>,
}

impl<'b> ResponseHead<'b> {
    pub(super) fn of(fields: impl Iterator<Item = (&'b [u8], &'b [u8])>) -> Self {
        let mut head = Self::default();
        for (name, value) in fields {
            match name.first().map(u8::to_ascii_lowercase) {
                Some(b'c') if is(name, b"content-type") => {
                    head.has_type = true;
                    let rest = after(value.trim_ascii(), b"application/json");
                    head.is_json = rest.is_some_and(|rest| {
                        matches!(rest.trim_ascii_start().first(), None | Some(b';'))
                    });
                    head.form = head.form.or_else(|| Form::of(value));
                }
                Some(b'c') if is(name, b"content-encoding") => {
                    head.is_coded |= !is(value.trim_ascii(), b"identity");
                    head.content_encoding = Some(value);
                }
                Some(b'c') if is(name, b"connect-content-encoding") => {
                    head.connect_encoding = Some(value);
                }
                Some(b't') if is(name, b"tri-exception-code") => {
                    head.exception = decimal(value).filter(|code| *code != 0);
                }
                Some(b'g') if is(name, b"grpc-encoding") => head.grpc_encoding = Some(value),
                Some(b'g') if is(name, b"grpc-status") => head.status = status::code(value),
                Some(b'g') if is(name, b"grpc-message") => head.message = Some(value),
                _ => {}
            }
        }
        head
    }

    pub(super) fn compression(&self, form: Form) -> Option<&'b [u8]> {
        compression(form, self.grpc_encoding, self.connect_encoding, self.content_encoding)
    }
}

fn compression<'b>(
    form: Form,
    grpc: Option<&'b [u8]>,
    connect: Option<&'b [u8]>,
    content: Option<&'b [u8]>,
) -> Option<&'b [u8]> {
    let value = match form {
        Form::Grpc | Form::Web | Form::WebText => grpc,
        Form::ConnectStream => connect,
        Form::Unary => content,
        Form::Open => None,
    };
    value.map(<[u8]>::trim_ascii).filter(|value| !is(value, b"identity"))
}

fn is(name: &[u8], other: &[u8]) -> bool {
    name.eq_ignore_ascii_case(other)
}

fn after<'b>(text: &'b [u8], prefix: &[u8]) -> Option<&'b [u8]> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    is(start, prefix).then_some(rest)
}

/// A number of at most ten digits.
fn decimal(digits: &[u8]) -> Option<i64> {
    let digits = str::from_utf8(digits.trim_ascii()).ok().filter(|digits| digits.len() <= 10)?;
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// What requests of Triple have.
const TRIPLE: &[&[u8]] = &[
    b"tri-protocol-version",
    b"tri-service-version",
    b"tri-service-group",
    b"tri-service-timeout",
    b"tri-consumer-appname",
    b"tri-req-id",
    b"tri-header-convert",
    b"tri-trace-traceid",
    b"tri-trace-rpcid",
    b"tri-unit-info",
];

/// The most that a timeout of gRPC has.
const TIMEOUT_DIGITS: usize = 8;
