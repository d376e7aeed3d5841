//! The serialisations of bodies, each read by its own structure.

use super::walk::{Hide, Measured, Pair, Passed, Stop, Taken, Thrown, head};
use super::{fst, hessian2, java, jsonb, kryo, lines, msgpack, protobuf, protostuff};
use std::borrow::Cow;

/// How the body of a message is written, and how far it was read.
#[derive(Clone, Debug)]
pub(super) enum Form {
    Hessian2(hessian2::Walker),
    Jsonb(Measured),
    Protobuf(Measured),
    Protostuff(Measured),
    MsgPack(msgpack::Walker),
    Java(Box<java::Walker>),
    Lines,
    /// Only some values can be passed over without their classes.
    Kryo,
    /// The same.
    Fst,
    /// Nothing is read.
    Unknown,
}

impl Form {
    /// That of a serialisation.
    pub(super) fn of(serialization: u8) -> Self {
        let java = |dialect| Self::Java(Box::new(java::Walker::new(dialect)));
        match serialization {
            2 | 10 => Self::Hessian2(hessian2::Walker::default()),
            3 => java(java::Dialect::Marked),
            4 => java(java::Dialect::Compacted),
            7 => java(java::Dialect::Native),
            5 | 6 | 16 | 21 => Self::Lines,
            8 | 25 => Self::Kryo,
            9 => Self::Fst,
            12 => Self::Protostuff(Measured::default()),
            22 => Self::Protobuf(Measured::default()),
            23 => Self::Jsonb(Measured::default()),
            27 | 31 => Self::MsgPack(msgpack::Walker::default()),
            _ => Self::Unknown,
        }
    }

    /// A text that Dubbo wrote as such, or a null in its place.
    pub(super) fn text<'b>(&mut self, input: &'b [u8]) -> Taken<Option<Cow<'b, [u8]>>> {
        match self {
            Self::Hessian2(_) => {
                hessian2::text(input).map(|(text, used)| (text.map(Cow::Borrowed), used))
            }
            Self::Jsonb(_) => jsonb::text(input),
            Self::Java(walker) => walker.text(input),
            Self::Lines => lines::text(input),
            Self::Kryo => kryo::text(input),
            Self::Fst => fst::text(input),
            Self::Protobuf(_) => protobuf::text(input),
            Self::Protostuff(_) => protostuff::text(input),
            Self::MsgPack(_) => msgpack::text(input),
            Self::Unknown => Err(Stop::Bad("serialization")),
        }
    }

    /// Whether this is a null that was written as an object, and nothing more.
    pub(super) fn is_null(&self, input: &[u8]) -> bool {
        match self {
            Self::Hessian2(_) => input == b"N",
            Self::Jsonb(_) => matches!(jsonb::text(input), Ok((None, used)) if used == input.len()),
            Self::Java(walker) => walker.is_null(input),
            Self::Lines => input.trim_ascii() == b"null",
            Self::Kryo => matches!(input, [0 | 0x80]),
            Self::Fst => input == [0xff],
            Self::Protostuff(_) => protostuff::is_null(input),
            Self::MsgPack(_) => input == [0xc0],
            // There is none.
            Self::Protobuf(_) | Self::Unknown => false,
        }
    }

    /// The start of a text that Dubbo wrote as such, whose end need not be there.
    pub(super) fn start_of_text<'b>(&mut self, input: &'b [u8]) -> Option<Cow<'b, [u8]>> {
        match self {
            Self::Hessian2(_) => hessian2::start_of_text(input).map(Cow::Borrowed),
            Self::Jsonb(_) => jsonb::start_of_text(input).map(Cow::Borrowed),
            Self::Lines => lines::start_of_text(input).map(Cow::Borrowed),
            Self::Kryo => kryo::start_of_text(input),
            Self::Fst => fst::start_of_text(input),
            Self::Protobuf(_) => protobuf::start_of_text(input).map(Cow::Borrowed),
            Self::Protostuff(_) => protostuff::start_of_text(input).map(Cow::Borrowed),
            Self::MsgPack(_) => msgpack::start_of_text(input).map(Cow::Borrowed),
            Self::Java(_) | Self::Unknown => self.text(input).ok()?.0,
        }
    }

    /// A text that is an argument.
    pub(super) fn argument<'b>(&mut self, input: &'b [u8]) -> Taken<Option<Cow<'b, [u8]>>> {
        match self {
            Self::Java(walker) => walker.object_text(input),
            Self::Kryo => kryo::object_text(input),
            Self::Fst => fst::object_text(input),
            Self::Protostuff(_) => protostuff::object_text(input),
            _ => self.text(input),
        }
    }

    /// A number that says what follows.
    pub(super) fn number(&mut self, input: &[u8]) -> Taken<i64> {
        match self {
            Self::Hessian2(_) => hessian2::whole_number(input),
            Self::Jsonb(_) => jsonb::number(input),
            Self::Java(walker) => walker.byte(input),
            Self::Lines => lines::number(input),
            Self::Kryo | Self::Fst | Self::Protostuff(_) => {
                head(input, 0).map(|[byte]: [u8; 1]| (byte.into(), 1))
            }
            Self::Protobuf(_) => protobuf::number(input),
            Self::MsgPack(_) => msgpack::number(input),
            Self::Unknown => Err(Stop::Bad("serialization")),
        }
    }

    /// Passes over a value, or over the rest of one; `hide` is told what of it is a caller's own.
    pub(super) fn pass(&mut self, input: &[u8], hide: &mut Hide<'_>) -> Taken<Passed> {
        match self {
            Self::Hessian2(walker) => walker.pass(input, hide),
            Self::Jsonb(walker) => walker.pass(input, hide, jsonb::length),
            Self::Protobuf(walker) => walker.pass(input, hide, protobuf::length),
            Self::Protostuff(walker) => walker.pass(input, hide, protostuff::length),
            Self::MsgPack(walker) => walker.pass(input, hide),
            Self::Java(walker) => walker.pass(input, hide),
            Self::Lines => Ok(lines::pass(input, hide)),
            Self::Kryo => kryo::VALUES.pass(input, hide),
            Self::Fst => fst::VALUES.pass(input, hide),
            Self::Unknown => Err(Stop::Bad("serialization")),
        }
    }

    /// So many bytes of the value have gone by without being shown.
    pub(super) fn passed(&mut self, bytes: u64) {
        match self {
            Self::Hessian2(walker) => walker.passed(bytes),
            Self::Jsonb(walker) | Self::Protobuf(walker) | Self::Protostuff(walker) => {
                walker.passed(bytes);
            }
            Self::MsgPack(walker) => walker.passed(bytes),
            Self::Java(walker) => walker.passed(bytes),
            Self::Lines | Self::Kryo | Self::Fst | Self::Unknown => {}
        }
    }

    /// The pairs of a map that is all there; `found` is told each, and `hide` what is a caller's own
    /// in names and values that are not told.
    pub(super) fn pairs<'b>(
        &mut self,
        input: &'b [u8],
        found: &mut Pair<'_, 'b>,
        hide: &mut Hide<'_>,
    ) -> Result<(), Stop> {
        match self {
            Self::Hessian2(walker) => walker.pairs(input, found, hide),
            Self::Jsonb(_) => jsonb::pairs(input, found, hide),
            Self::Java(walker) => walker.pairs(input, found, hide),
            Self::Lines => lines::pairs(input, found, hide),
            Self::Kryo => kryo::pairs(input, found, hide),
            Self::Fst => fst::pairs(input, found, hide),
            Self::Protobuf(_) => protobuf::pairs(input, found, hide),
            Self::Protostuff(_) => protostuff::pairs(input, found),
            Self::MsgPack(_) => msgpack::pairs(input, found, hide),
            Self::Unknown => Err(Stop::Bad("serialization")),
        }
    }

    /// The exception that begins here, as far as it is there.
    pub(super) fn thrown<'b>(&self, input: &'b [u8]) -> Thrown<'b> {
        match self {
            Self::Hessian2(walker) => walker.thrown(input),
            Self::Jsonb(_) => jsonb::thrown(input),
            Self::Java(walker) => walker.thrown(input),
            Self::Lines => lines::thrown(input),
            Self::Fst => fst::thrown(input),
            Self::Protobuf(_) => protobuf::thrown(input),
            Self::Protostuff(_) => protostuff::thrown(input),
            Self::MsgPack(_) => msgpack::thrown(input),
            Self::Kryo | Self::Unknown => Thrown::default(),
        }
    }

    /// Whether passing over a value leaves numbers that are not hidden: those of one byte, which
    /// cannot be overwritten such that what follows can still be read.
    pub(super) fn leaves_numbers(&self) -> bool {
        matches!(self, Self::Hessian2(_))
    }

    /// How many values an exception is.
    pub(super) fn values_of_thrown(&self) -> u32 {
        // Its class stands before it.
        if matches!(self, Self::MsgPack(_)) { 2 } else { 1 }
    }

    /// Whether a text that Dubbo wrote as such is written as a value is.
    pub(super) fn is_text_a_value(&self) -> bool {
        matches!(
            self,
            Self::Hessian2(_) | Self::Jsonb(_) | Self::Lines | Self::Protobuf(_) | Self::MsgPack(_)
        )
    }
}
