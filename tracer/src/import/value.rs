//! What stands in a line of spans: words, texts that may be no UTF-8, and named values.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use wirespan_parsers::message::Value;

/// A string; borrowed where nothing in it is escaped.
#[derive(Debug)]
pub(crate) struct Word<'a>(Cow<'a, str>);

/// A text: a string, or an object with its bytes in base64.
#[derive(Debug)]
pub(crate) struct Bytes<'a>(Cow<'a, [u8]>);

/// Names, each with a text, a whole number, or several of them.
#[derive(Debug, Default)]
pub(super) struct Named<'a>(Vec<(Word<'a>, Values<'a>)>);

/// One value, or several.
#[derive(Debug)]
enum Values<'a> {
    One(Single<'a>),
    Several(Vec<Single<'a>>),
}

#[derive(Debug)]
enum Single<'a> {
    Text(Bytes<'a>),
    Int(i64),
}

impl Named<'_> {
    /// All of them, in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        self.0.iter().flat_map(|(name, values)| {
            values.all().iter().map(move |value| {
                let value = match value {
                    Single::Text(text) => Value::Text(text),
                    Single::Int(int) => Value::Int(*int),
                };
                (&**name, value)
            })
        })
    }
}

impl<'a> Values<'a> {
    fn all(&self) -> &[Single<'a>] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Several(values) => values,
        }
    }
}

impl Deref for Word<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Word<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Strings).map(Self)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Bytes<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match from.deserialize_any(Singles)? {
            Single::Text(text) => Ok(text),
            Single::Int(_) => Err(D::Error::custom("a number where a text is expected")),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Single<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Singles)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Values<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Lists)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Named<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Maps)
    }
}

struct Strings;

impl<'de> Visitor<'de> for Strings {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

struct Singles;

impl<'de> Visitor<'de> for Singles {
    type Value = Single<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a whole number")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Single::Text(Bytes(Cow::Borrowed(text.as_bytes()))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Single::Text(Bytes(Cow::Owned(text.as_bytes().to_vec()))))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Single::Int(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        i64::try_from(number).map(Single::Int).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut bytes = None;
        while let Some(name) = map.next_key::<Word<'de>>()? {
            if &*name == "base64" {
                let text = map.next_value::<Word<'de>>()?;
                bytes = Some(STANDARD.decode(text.as_bytes()).map_err(A::Error::custom)?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        let bytes = bytes.ok_or_else(|| A::Error::missing_field("base64"))?;
        Ok(Single::Text(Bytes(Cow::Owned(bytes))))
    }
}

struct Lists;

impl<'de> Visitor<'de> for Lists {
    type Value = Values<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a whole number, or a list of these")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Singles.visit_borrowed_str(text).map(Values::One)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Singles.visit_str(text).map(Values::One)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Singles.visit_i64(number).map(Values::One)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Singles.visit_u64(number).map(Values::One)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Singles.visit_map(map).map(Values::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(value) = list.next_element()? {
            all.push(value);
        }
        Ok(Values::Several(all))
    }
}

struct Maps;

impl<'de> Visitor<'de> for Maps {
    type Value = Named<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of named values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(entry) = map.next_entry()? {
            all.push(entry);
        }
        Ok(Named(all))
    }
}
