//! Where a user says that identifiers stand: the words of an option in, places out.

use super::TraceContext;
use super::conceal::Concealment;
use super::format::{Format, Label};
use super::headers::slot;
use crate::secrets::Secrets;
use std::fmt;

/// Identifiers of an application's own.
#[derive(Clone, Debug, Default)]
pub struct OwnIds {
    headers: Vec<OwnHeader>,
    fields: Vec<OwnField>,
    concealment: Option<Concealment>,
}

/// A header that holds an identifier.
#[derive(Clone, Debug)]
pub struct OwnHeader {
    /// Its name.
    pub name: Box<[u8]>,
    /// What its value is.
    pub format: Format,
    /// Whether it is secret.
    pub secret: bool,
}

/// A place elsewhere in a message that holds an identifier.
#[derive(Clone, Debug)]
pub struct OwnField {
    /// Its label, as a format.
    pub format: Format,
    /// Where it stands.
    pub place: Place,
    /// Whether it is secret.
    pub secret: bool,
}

/// A place in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A value in JSON, by the names and numbers on the way to it.
    Json(Vec<Step>),
    /// The text of an element of XML, or the value of an attribute, by the names on the way.
    Xml {
        /// Elements, from the outermost on.
        elements: Vec<Box<[u8]>>,
        /// The attribute of the last one.
        attribute: Option<Box<[u8]>>,
    },
    /// A field of a form.
    Form(Box<[u8]>),
    /// A parameter of an address.
    Query(Box<[u8]>),
    /// A key in a comment of SQL.
    Sql(Box<[u8]>),
}

impl Place {
    /// All names on the way to it.
    fn names(&self) -> Vec<&[u8]> {
        match self {
            Self::Json(steps) => {
                let members = steps.iter().filter_map(|step| match step {
                    Step::Member(name) => Some(&**name),
                    Step::Element(_) => None,
                });
                members.collect()
            }
            Self::Xml { elements, attribute } => {
                elements.iter().chain(attribute).map(|name| &**name).collect()
            }
            Self::Form(name) | Self::Query(name) | Self::Sql(name) => vec![name],
        }
    }
}

/// One step on the way to a value in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The member with this name.
    Member(Box<[u8]>),
    /// The element with this number, from 0.
    Element(usize),
}

/// What is wrong with the words of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The name of a header has other characters than such a name may have.
    HeaderName,
    /// There is no such format, or none of one header alone.
    Format,
    /// The label has other characters than letters, digits and `_.-`, is that of a known format, or
    /// there are too many.
    Label,
    /// It begins with none of the kinds of places.
    Kind,
    /// A path of JSON.
    JsonPath,
    /// A path of XML.
    XmlPath,
    /// A name is missing.
    Name,
    /// There are [`PLACES`] others.
    TooMany,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeaderName => f.write_str("name a header, as in x-txn-id or txn=x-txn-id"),
            Self::Format => {
                f.write_str("name one of these formats:")?;
                OwnIds::header_formats().try_for_each(|format| write!(f, " {}", format.name()))
            }
            Self::Label => {
                f.write_str("a label has letters, digits and _.- and is no known format's name")
            }
            Self::Kind => f.write_str(
                "say where it stands: json:$.txn.id, xml:/txn/@id, form:NAME, query:NAME or sql:KEY",
            ),
            Self::JsonPath => f.write_str("name a path as in json:$.txn.id or json:$.items[0].id"),
            Self::XmlPath => f.write_str("name a path as in xml:/txn/id or xml:/txn/@id"),
            Self::Name => f.write_str("a name is missing, as in query:txn"),
            Self::TooMany => write!(f, "no more than {PLACES} may be named"),
        }
    }
}

impl OwnIds {
    /// Adds a header, `[LABEL=]NAME[:FORMAT]`. Without a format the value is an id as it stands,
    /// told under the label, else under the header's name.
    ///
    /// # Errors
    /// The [`Fault`] in the words.
    pub fn add_header(&mut self, words: &str) -> Result<(), Fault> {
        let (label, rest) = match words.split_once('=') {
            Some((label, rest)) => (Some(label), rest),
            None => (None, words),
        };
        let (name, format) = match rest.split_once(':') {
            Some((name, format)) => (name, Some(format)),
            None => (rest, None),
        };
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) {
            return Err(Fault::HeaderName);
        }
        let name = name.to_ascii_lowercase();
        let format = match (format, label) {
            (Some(format), None) => {
                let format = Self::header_formats().find(|known| known.name() == format);
                format.ok_or(Fault::Format)?
            }
            (Some(_), Some(_)) => return Err(Fault::Label),
            (None, Some(label)) => own_label(label)?,
            // One that is known is read already.
            (None, None) if slot(name.as_bytes()).is_some() => return Ok(()),
            (None, None) => own_label(&name)?,
        };
        if self.headers.len() >= PLACES {
            return Err(Fault::TooMany);
        }
        self.headers.push(OwnHeader { name: name.into_bytes().into(), format, secret: false });
        Ok(())
    }

    /// Adds a place, `[LABEL=]json:PATH` or another kind; the label is `id` if none is named.
    ///
    /// # Errors
    /// The [`Fault`] in the words.
    pub fn add_field(&mut self, words: &str) -> Result<(), Fault> {
        let (label, rest) = match words.split_once('=') {
            Some((label, rest)) if !label.contains(':') => (label, rest),
            _ => ("id", words),
        };
        let (kind, place) = rest.split_once(':').ok_or(Fault::Kind)?;
        let name = || match place {
            "" => Err(Fault::Name),
            name => Ok(name.as_bytes().into()),
        };
        let place = match kind {
            "json" => Place::Json(json_path(place).ok_or(Fault::JsonPath)?),
            "xml" => xml_path(place).ok_or(Fault::XmlPath)?,
            "form" => Place::Form(name()?),
            "query" => Place::Query(name()?),
            "sql" => Place::Sql(name()?),
            _ => return Err(Fault::Kind),
        };
        if self.fields.len() >= PLACES {
            return Err(Fault::TooMany);
        }
        self.fields.push(OwnField { format: own_label(label)?, place, secret: false });
        Ok(())
    }

    /// Says what stands for identifiers that are secret, of all that were added, and of known ones
    /// whose headers the user calls secret.
    pub fn conceal(&mut self, concealment: Concealment) {
        for own in &mut self.headers {
            own.secret =
                concealment.has(&own.name) || concealment.has(own.format.name().as_bytes());
        }
        for own in &mut self.fields {
            own.secret = own.place.names().iter().any(|name| concealment.has(name))
                || concealment.has(own.format.name().as_bytes());
        }
        self.concealment = Some(concealment);
    }

    /// The secrets, and the names of the places whose label is one of the user's: what is secret by
    /// its label is so where it stands.
    #[must_use]
    pub fn secrets(&self, secrets: Secrets) -> Secrets {
        let is_secret = |format: Format| secrets.are_users(format.name().as_bytes());
        let headers = self.headers.iter().filter(|own| is_secret(own.format));
        let fields = self.fields.iter().filter(|own| is_secret(own.format));
        let names: Vec<&[u8]> = headers
            .map(|own| &*own.name)
            .chain(fields.filter_map(|own| own.place.names().last().copied()))
            .collect();
        secrets.clone().also(names)
    }

    /// What stands for identifiers that are secret.
    #[must_use]
    pub fn concealment(&self) -> Option<&Concealment> {
        self.concealment.as_ref()
    }

    /// Hands out an identifier of the user's, or what stands for it.
    pub(super) fn tell(
        &self,
        context: &TraceContext<'_>,
        secret: bool,
        found: &mut dyn FnMut(&TraceContext<'_>),
    ) {
        match self.concealment.as_ref().filter(|_| secret) {
            Some(concealment) => concealment.hide(context, found),
            None => found(context),
        }
    }

    /// The formats that the value of one header may have.
    pub fn header_formats() -> impl Iterator<Item = Format> {
        Format::KNOWN.iter().copied().filter(|format| *format != Format::Cat)
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &[OwnHeader] {
        &self.headers
    }

    /// The other places.
    #[must_use]
    pub fn fields(&self) -> &[OwnField] {
        &self.fields
    }

    /// Whether none is named, and none is secret.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.fields.is_empty() && self.concealment.is_none()
    }
}

fn own_label(name: &str) -> Result<Format, Fault> {
    // Under the name of a known format its ids would be looked for.
    if Format::known(name).is_some() {
        return Err(Fault::Label);
    }
    Label::new(name).map(Format::Named).ok_or(Fault::Label)
}

/// `$.name.name[0]`, also with `['name']`.
fn json_path(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let step;
        if let Some(after) = rest.strip_prefix("['") {
            let (name, after) = after.split_once("']")?;
            (step, rest) = (Step::Member(name.as_bytes().into()), after);
        } else if let Some(after) = rest.strip_prefix('[') {
            let (number, after) = after.split_once(']')?;
            (step, rest) = (Step::Element(number.parse().ok()?), after);
        } else {
            let after = rest.strip_prefix('.')?;
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (name, after) = after.split_at_checked(end)?;
            if name.is_empty() || name == "*" {
                return None;
            }
            (step, rest) = (Step::Member(name.as_bytes().into()), after);
        }
        steps.push(step);
    }
    Some(steps).filter(|steps| (1..=STEPS).contains(&steps.len()))
}

/// `/name/name` or `/name/@name`.
fn xml_path(text: &str) -> Option<Place> {
    let mut names: Vec<&str> = text.strip_prefix('/')?.split('/').collect();
    let attribute = match names.last()?.strip_prefix('@') {
        Some(attribute) => {
            names.pop();
            Some(attribute)
        }
        None => None,
    };
    let plain = |name: &&str| !name.is_empty() && !name.contains(['@', '*', '[', ' ']);
    let fits = (1..=STEPS).contains(&names.len());
    if !fits || !names.iter().chain(&attribute).all(plain) {
        return None;
    }
    let elements = names.iter().map(|name| name.as_bytes().into()).collect();
    Some(Place::Xml { elements, attribute: attribute.map(|name| name.as_bytes().into()) })
}

/// Headers that may be named, and as many other places.
pub const PLACES: usize = 32;

/// Steps on the way to a value.
pub const STEPS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn header(words: &str) -> Result<String, Fault> {
        let mut ids = OwnIds::default();
        ids.add_header(words)?;
        let all = ids.headers().iter();
        let shown = all.map(|own| format!("{} {}", own.name.escape_ascii(), own.format.name()));
        Ok(shown.collect())
    }

    fn field(words: &str) -> Result<String, Fault> {
        let mut ids = OwnIds::default();
        ids.add_field(words)?;
        let all = ids.fields().iter();
        Ok(all.map(|own| format!("{} {:?}", own.format.name(), own.place)).collect())
    }

    #[test]
    fn header_may_have_a_label_or_a_format() {
        assert_eq!(header("X-Txn-Id"), Ok("x-txn-id x-txn-id".into()));
        assert_eq!(header("txn=X-Txn-Id"), Ok("x-txn-id txn".into()));
        assert_eq!(header("X-Txn:traceparent"), Ok("x-txn traceparent".into()));
        assert_eq!(header("X-Request-ID"), Ok(String::new()));
        assert_eq!(header("own=X-Request-ID"), Ok("x-request-id own".into()));
    }

    #[test]
    fn what_is_wrong_with_a_header_is_named() {
        assert_eq!(header(""), Err(Fault::HeaderName));
        assert_eq!(header("a b"), Err(Fault::HeaderName));
        assert_eq!(header("a:w4c"), Err(Fault::Format));
        assert_eq!(header("a:cat"), Err(Fault::Format));
        assert_eq!(header("l=a:b3"), Err(Fault::Label));
        assert_eq!(header("l l=a"), Err(Fault::Label));
        assert_eq!(header("b3=a"), Err(Fault::Label));
    }

    #[test]
    fn places_are_read() {
        let path = Place::Json(vec![
            Step::Member(b"items"[..].into()),
            Step::Element(0),
            Step::Member(b"a.b"[..].into()),
        ]);
        assert_eq!(field("json:$.items[0]['a.b']"), Ok(format!("id {path:?}")));
        let [a, b] = [&b"a"[..], b"b"].map(Box::from);
        let text = Place::Xml { elements: vec![a, b], attribute: None };
        assert_eq!(field("txn=xml:/a/b"), Ok(format!("txn {text:?}")));
        assert_eq!(
            field("txn=query:a=b"),
            Ok(format!("txn {:?}", Place::Query(b"a=b"[..].into())))
        );
        assert_eq!(field("query:a=b"), Ok(format!("id {:?}", Place::Query(b"a=b"[..].into()))));
    }

    #[test]
    fn what_is_wrong_with_a_place_is_named() {
        for path in ["", "$", "a", "$a", "$.", "$..a", "$.a[", "$.a[x]", "$.a[*]", "$['a", "$.*"] {
            assert_eq!(field(&format!("json:{path}")), Err(Fault::JsonPath), "{path}");
        }
        for path in ["", "/", "a", "/@a", "/a//b", "/a/@", "/a/@b/c", "/a[1]", "/*"] {
            assert_eq!(field(&format!("xml:{path}")), Err(Fault::XmlPath), "{path}");
        }
        assert_eq!(field("a"), Err(Fault::Kind));
        assert_eq!(field("yaml:a"), Err(Fault::Kind));
        assert_eq!(field("form:"), Err(Fault::Name));
        assert_eq!(field("traceparent=form:a"), Err(Fault::Label));
    }
}
