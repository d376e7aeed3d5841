//! The formats of identifiers, and the labels that a user gives to those of an application's own.

use super::{dotnet, opaque};
use std::cmp::Ordering;
use std::sync::OnceLock;

/// A format of identifiers; those of one message are told in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// W3C `traceparent`, <https://www.w3.org/TR/trace-context/>; also as
    /// `elastic-apm-traceparent`.
    Traceparent,
    /// B3, single or multiple headers, <https://github.com/openzipkin/b3-propagation>.
    B3,
    /// Jaeger's `uber-trace-id`.
    Jaeger,
    /// AWS X-Ray's `X-Amzn-Trace-Id`.
    XRay,
    /// Google's `X-Cloud-Trace-Context`.
    CloudTrace,
    /// `grpc-trace-bin`, of OpenCensus.
    GrpcTraceBin,
    /// Datadog's `x-datadog-trace-id` and the headers beside it, also within `tracestate`.
    Datadog,
    /// New Relic's `newrelic`.
    NewRelic,
    /// Instana's `X-INSTANA-T` and the headers beside it.
    Instana,
    /// SkyWalking's `sw8`.
    Sw8,
    /// SkyWalking's `sw6`, of versions before 8.
    Sw6,
    /// SkyWalking's `sw3`, of versions before 6.
    Sw3,
    /// Pinpoint's `Pinpoint-TraceID` and the headers beside it.
    Pinpoint,
    /// CAT's ids of messages.
    Cat,
    /// `SOFA-TraceId` and `SOFA-RpcId`.
    Sofa,
    /// `EagleEye-TraceID` and `EagleEye-RpcID`.
    EagleEye,
    /// Tingyun's `X-Tingyun`.
    Tingyun,
    /// Cloudwise's `CLOUDWISE`.
    Cloudwise,
    /// Dynatrace's `x-dynatrace`.
    Dynatrace,
    /// `Request-Id` of .NET, whose ids grow from call to call.
    DotNet,
    /// `X-Trace-Id`.
    XTraceId,
    /// `traceid`.
    TraceId,
    /// `X-Request-ID`.
    RequestId,
    /// `X-Correlation-ID`.
    CorrelationId,
    /// What the user named, in a header or elsewhere.
    Named(Label),
}

impl Format {
    /// All that are known without a user's word, in order.
    pub const KNOWN: &[Self] = &[
        Self::Traceparent,
        Self::B3,
        Self::Jaeger,
        Self::XRay,
        Self::CloudTrace,
        Self::GrpcTraceBin,
        Self::Datadog,
        Self::NewRelic,
        Self::Instana,
        Self::Sw8,
        Self::Sw6,
        Self::Sw3,
        Self::Pinpoint,
        Self::Cat,
        Self::Sofa,
        Self::EagleEye,
        Self::Tingyun,
        Self::Cloudwise,
        Self::Dynatrace,
        Self::DotNet,
        Self::XTraceId,
        Self::TraceId,
        Self::RequestId,
        Self::CorrelationId,
    ];

    /// The known format with this name.
    #[must_use]
    pub fn known(name: &str) -> Option<Self> {
        Self::KNOWN.iter().find(|format| format.name() == name).copied()
    }

    /// The name in the output and in reasons of links.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Traceparent => "traceparent",
            Self::B3 => "b3",
            Self::Jaeger => "uber-trace-id",
            Self::XRay => "x-amzn-trace-id",
            Self::CloudTrace => "x-cloud-trace-context",
            Self::GrpcTraceBin => "grpc-trace-bin",
            Self::Datadog => "x-datadog-trace-id",
            Self::NewRelic => "newrelic",
            Self::Instana => "x-instana-t",
            Self::Sw8 => "sw8",
            Self::Sw6 => "sw6",
            Self::Sw3 => "sw3",
            Self::Pinpoint => "pinpoint-traceid",
            Self::Cat => "cat",
            Self::Sofa => "sofa-traceid",
            Self::EagleEye => "eagleeye-traceid",
            Self::Tingyun => "x-tingyun",
            Self::Cloudwise => "cloudwise",
            Self::Dynatrace => "x-dynatrace",
            Self::DotNet => "request-id",
            Self::XTraceId => "x-trace-id",
            Self::TraceId => "traceid",
            Self::RequestId => "x-request-id",
            Self::CorrelationId => "x-correlation-id",
            Self::Named(label) => label.name(),
        }
    }

    /// The name under which the text of an id is kept beside what else is known of a message: none
    /// that anything else has.
    #[must_use]
    pub fn text_name(self) -> &'static str {
        match self {
            Self::Sw8 => "id:sw8",
            Self::Sw6 => "id:sw6",
            Self::Sw3 => "id:sw3",
            Self::Pinpoint => "id:pinpoint-traceid",
            Self::Cat => "id:cat",
            Self::Sofa => "id:sofa-traceid",
            Self::EagleEye => "id:eagleeye-traceid",
            Self::Tingyun => "id:x-tingyun",
            Self::Cloudwise => "id:cloudwise",
            Self::Dynatrace => "id:x-dynatrace",
            Self::DotNet => "id:request-id",
            Self::XTraceId => "id:x-trace-id",
            Self::TraceId => "id:traceid",
            Self::CorrelationId => "id:x-correlation-id",
            Self::Named(label) => label.text_name(),
            known => known.name(),
        }
    }

    /// The id that a text of this format stands for; `None` where it is none.
    #[must_use]
    pub fn id_of(self, text: &[u8]) -> Option<u128> {
        match self {
            Self::DotNet => dotnet::parse(text).map(|context| context.trace),
            format => opaque::parse(format, text).map(|context| context.trace),
        }
    }

    /// A number of its own, the same on every run for those that are known.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Named(Label(place)) => KNOWN_NUMBERS + place,
            known => {
                let place = Self::KNOWN.iter().position(|format| *format == known);
                place.and_then(|place| u8::try_from(place).ok()).unwrap_or(KNOWN_NUMBERS)
            }
        }
    }

    /// What the ids of this format may be compared with.
    #[must_use]
    pub fn space(self) -> Space {
        match self {
            Self::Named(_)
            | Self::RequestId
            | Self::CorrelationId
            | Self::Tingyun
            | Self::Cloudwise
            | Self::Dynatrace
            | Self::Cat
            | Self::DotNet => Space::Own(self),
            _ => Space::Traces,
        }
    }

    /// Whether an id is told as the text that it was sent as; else as a number.
    #[must_use]
    pub fn is_text(self) -> bool {
        !matches!(
            self,
            Self::Traceparent
                | Self::B3
                | Self::Jaeger
                | Self::XRay
                | Self::CloudTrace
                | Self::GrpcTraceBin
                | Self::Datadog
                | Self::NewRelic
                | Self::Instana
        )
    }

    /// Whether an id stands for all of a trace; else for what one request causes, or less.
    #[must_use]
    pub fn names_trace(self) -> bool {
        !matches!(
            self,
            Self::RequestId
                | Self::CorrelationId
                | Self::Tingyun
                | Self::Cloudwise
                | Self::Dynatrace
        )
    }
}

/// Ids that may be compared with one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// Trace ids in whichever format: the same number is the same trace.
    Traces,
    /// Ids of one format only.
    Own(Format),
}

/// A name that a user gave to identifiers.
///
/// There are few of them in a run, and they last until its end: each is kept once, so that a
/// [`Format`] stays as small as a number.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label(u8);

impl Label {
    /// The label with this name; `None` where the name has other characters than letters, digits
    /// and `_.-`, or is too long, or where there are [`LABELS`] others.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if name.is_empty() || name.len() > NAME_LIMIT || !name.bytes().all(plain) {
            return None;
        }
        let text_name = [PREFIX, name].concat();
        let place = NAMES.iter().position(|place| {
            let kept: &str = place.get_or_init(|| text_name.as_str().into());
            kept == text_name
        })?;
        u8::try_from(place).ok().map(Self)
    }

    /// The label with this name, if there is one by now.
    #[must_use]
    pub fn known(name: &str) -> Option<Self> {
        let is_this = |place: &OnceLock<Box<str>>| {
            place.get().and_then(|kept| kept.strip_prefix(PREFIX)) == Some(name)
        };
        u8::try_from(NAMES.iter().position(is_this)?).ok().map(Self)
    }

    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.text_name().strip_prefix(PREFIX).unwrap_or_default()
    }

    fn text_name(self) -> &'static str {
        NAMES.get(usize::from(self.0)).and_then(OnceLock::get).map_or("", |name| name)
    }
}

impl Ord for Label {
    // By name: which label was made first must not be seen in the output.
    fn cmp(&self, other: &Self) -> Ordering {
        self.name().cmp(other.name())
    }
}

impl PartialOrd for Label {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Debug for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

static NAMES: [OnceLock<Box<str>>; LABELS] = [const { OnceLock::new() }; LABELS];

/// Stands before the names of [`Format::text_name`].
const PREFIX: &str = "id:";

/// Whether what has this name beside a message is the text of an id.
#[must_use]
pub fn is_text_name(name: &str) -> bool {
    name.starts_with(PREFIX) || name == Format::RequestId.name()
}

/// Labels of one run.
pub const LABELS: usize = 64;

/// The longest label, in bytes.
pub const NAME_LIMIT: usize = 64;

/// More than there are known formats.
const KNOWN_NUMBERS: u8 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_formats_have_names_and_numbers_of_their_own_in_order() {
        for (place, format) in Format::KNOWN.iter().enumerate() {
            assert_eq!(Format::known(format.name()), Some(*format));
            assert_eq!(usize::from(format.number()), place);
            assert!(format.number() < KNOWN_NUMBERS);
        }
        assert!(Format::KNOWN.is_sorted());
    }

    #[test]
    fn texts_have_names_that_nothing_else_has() {
        for format in Format::KNOWN.iter().filter(|format| format.is_text()) {
            let name = format.text_name();
            assert!(is_text_name(name) && name.ends_with(format.name()), "{name}");
        }
    }

    #[test]
    fn labels_are_equal_by_name() {
        let label = Label::new("txn.serial").unwrap();
        assert_eq!(Label::new("txn.serial"), Some(label));
        assert_ne!(Label::new("txn_serial"), Some(label));
        assert_eq!(label.name(), "txn.serial");
        assert!(Format::Named(label).number() >= KNOWN_NUMBERS);
    }

    #[test]
    fn labels_have_plain_names() {
        for name in ["", "a b", "a\"", "a=b", "é", &"a".repeat(NAME_LIMIT + 1)] {
            assert_eq!(Label::new(name), None, "{name}");
        }
    }
}
