//! The bytes of a body in, in pieces of any size; out go the identifiers that the user says stand in
//! it. Only a first part of it is read, and nothing of it is kept but the value that is being read.

pub(super) mod form;

mod json;

mod xml;

use super::opaque::LENGTH_LIMIT;
use super::own::{OwnField, OwnIds, Place};
use super::{Format, TraceContext, opaque};

/// What is known of a body before its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON.
    Json,
    /// XML.
    Xml,
    /// A form, as the query of an address.
    Form,
    /// JSON or XML, by its first byte.
    Unknown,
}

impl Form {
    /// The form that a media type says; `None` where it can be none of these.
    #[must_use]
    pub fn of(media_type: Option<&[u8]>) -> Option<Self> {
        let Some(media_type) = media_type else { return Some(Self::Unknown) };
        let name = media_type.split(|byte| *byte == b';').next()?.trim_ascii().to_ascii_lowercase();
        let has = |word: &[u8]| memchr::memmem::find(&name, word).is_some();
        match () {
            () if has(b"json") => Some(Self::Json),
            () if has(b"xml") => Some(Self::Xml),
            () if name == b"application/x-www-form-urlencoded" => Some(Self::Form),
            () if name.starts_with(b"text/") || name == b"application/octet-stream" => {
                Some(Self::Unknown)
            }
            () => None,
        }
    }
}

/// Reads one body.
#[derive(Debug)]
pub struct BodyReader {
    reading: Reading,
    /// Bytes that may still be read.
    left: usize,
    /// What may still come of a byte order mark, which stands before nothing but the first byte.
    mark: &'static [u8],
    found: Found,
}

#[derive(Debug)]
enum Reading {
    /// The first byte that is no space decides.
    Unknown,
    Json(json::Reader),
    Xml(xml::Reader),
    Form(form::Reader),
    Done,
}

impl BodyReader {
    /// A reader before the first byte; `None` where the user names nothing in such a body.
    #[must_use]
    pub fn new(form: Form, ids: &OwnIds) -> Option<Self> {
        let any = |is: fn(&Place) -> bool| ids.fields().iter().any(|field| is(&field.place));
        let json = any(|place| matches!(place, Place::Json(_)));
        let xml = any(|place| matches!(place, Place::Xml { .. }));
        let reading = match form {
            Form::Json if json => Reading::Json(json::Reader::new(ids)),
            Form::Xml if xml => Reading::Xml(xml::Reader::new(ids)),
            Form::Form if any(|place| matches!(place, Place::Form(_))) => {
                Reading::Form(form::Reader::default())
            }
            Form::Unknown if json || xml => Reading::Unknown,
            _ => return None,
        };
        Some(Self { reading, left: READ_LIMIT, mark: MARK, found: Found::default() })
    }

    /// Reads on, and hands out each identifier as its value ends.
    pub fn read(&mut self, ids: &OwnIds, piece: &[u8], found: &mut dyn FnMut(&TraceContext<'_>)) {
        let (piece, _) = piece.split_at_checked(self.left).unwrap_or((piece, &[]));
        self.left -= piece.len();
        for byte in piece {
            if self.is_done() {
                return;
            }
            self.byte(ids, *byte);
            self.found.tell(ids, found);
        }
        if self.left == 0 {
            self.reading = Reading::Done;
        }
    }

    /// The body is over: a value that nothing else ends, ends here.
    pub fn end(&mut self, ids: &OwnIds, found: &mut dyn FnMut(&TraceContext<'_>)) {
        match &mut self.reading {
            Reading::Json(reader) => reader.end(ids, &mut self.found),
            Reading::Form(reader) => reader.end(ids, &mut self.found),
            _ => {}
        }
        self.found.tell(ids, found);
        self.reading = Reading::Done;
    }

    /// Whether nothing more will be found.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.reading, Reading::Done)
    }

    fn byte(&mut self, ids: &OwnIds, byte: u8) {
        match self.mark.split_first() {
            Some((expected, rest)) if *expected == byte => {
                self.mark = rest;
                return;
            }
            _ => self.mark = &[],
        }
        let goes_on = match &mut self.reading {
            Reading::Unknown => {
                self.reading = match byte {
                    b'{' | b'[' => Reading::Json(json::Reader::new(ids)),
                    b'<' => Reading::Xml(xml::Reader::new(ids)),
                    b' ' | b'\t' | b'\r' | b'\n' => return,
                    _ => Reading::Done,
                };
                return match self.reading {
                    Reading::Json(_) | Reading::Xml(_) => self.byte(ids, byte),
                    _ => {}
                };
            }
            Reading::Json(reader) => reader.byte(ids, byte, &mut self.found),
            Reading::Xml(reader) => reader.byte(ids, byte, &mut self.found),
            Reading::Form(reader) => {
                reader.byte(ids, byte, &mut self.found);
                true
            }
            Reading::Done => return,
        };
        if !goes_on {
            self.reading = Reading::Done;
        }
    }
}

/// Values that have ended.
#[derive(Debug, Default)]
struct Found(Vec<(Format, Vec<u8>, bool)>);

impl Found {
    fn push(&mut self, field: &OwnField, value: &[u8]) {
        self.0.push((field.format, value.to_vec(), field.secret));
    }

    fn tell(&mut self, ids: &OwnIds, found: &mut dyn FnMut(&TraceContext<'_>)) {
        for (format, value, secret) in self.0.drain(..) {
            if let Some(context) = opaque::parse(format, &value) {
                ids.tell(&context, secret, found);
            }
        }
    }
}

/// A name or value that is being read, if it is not too long.
#[derive(Debug, Default)]
struct Token {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Token {
    fn clear(&mut self) {
        self.bytes.clear();
        self.too_long = false;
    }

    fn push(&mut self, byte: u8) {
        if self.bytes.len() < LENGTH_LIMIT {
            self.bytes.push(byte);
        } else {
            self.too_long = true;
        }
    }

    fn push_char(&mut self, character: char) {
        let mut room = [0; 4];
        character.encode_utf8(&mut room).bytes().for_each(|byte| self.push(byte));
    }

    /// All of it.
    fn whole(&self) -> Option<&[u8]> {
        (!self.too_long).then_some(&self.bytes)
    }

    fn is(&self, name: &[u8]) -> bool {
        self.whole() == Some(name)
    }
}

/// Bytes of a body that are read.
pub const READ_LIMIT: usize = 64 << 10;

/// The byte order mark of UTF-8, which some programs put before their texts.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// Levels of elements or values that are followed.
const DEPTH_LIMIT: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands in a body at these places, however it is cut.
    fn read(form: Form, places: &[&str], body: &[u8]) -> Vec<String> {
        let mut ids = OwnIds::default();
        places.iter().for_each(|place| ids.add_field(place).unwrap());
        let pieces = |size: usize| {
            let mut reader = BodyReader::new(form, &ids).unwrap();
            let mut all = Vec::new();
            let mut tell = |context: &TraceContext<'_>| {
                let text = String::from_utf8_lossy(context.text).into_owned();
                all.push(format!("{}={text}", context.format.name()));
            };
            body.chunks(size).for_each(|piece| reader.read(&ids, piece, &mut tell));
            reader.end(&ids, &mut tell);
            all
        };
        let whole = pieces(body.len().max(1));
        for size in [1, 2, 3, 7] {
            assert_eq!(pieces(size), whole, "in pieces of {size}");
        }
        whole
    }

    fn json(place: &str, body: &str, expected: &[&str]) {
        for form in [Form::Json, Form::Unknown] {
            assert_eq!(read(form, &[place], body.as_bytes()), expected, "{place} {body}");
        }
    }

    fn xml(place: &str, body: &str, expected: &[&str]) {
        for form in [Form::Xml, Form::Unknown] {
            assert_eq!(read(form, &[place], body.as_bytes()), expected, "{place} {body}");
        }
    }

    fn form(place: &str, body: &str, expected: &[&str]) {
        assert_eq!(read(Form::Form, &[place], body.as_bytes()), expected, "{place} {body}");
    }

    #[test]
    fn json_value_is_found_by_its_path() {
        let body = r#"{"id":"no","txn":{"a":[{"id":1},"]}"],"id" : "t-1","x":{"id":2}},"b":3}"#;
        json("json:$.txn.id", body, &["id=t-1"]);
        json("json:$.id", body, &["id=no"]);
        json("json:$.txn.x.id", body, &["id=2"]);
        json("json:$.txn.a[0].id", body, &["id=1"]);
        json("json:$.txn.a[1]", body, &["id=]}"]);
        json("json:$.txn.a[2]", body, &[]);
        json("json:$.b", body, &["id=3"]);
        json("json:$.txn", body, &[]);
        json("json:$.x.id", body, &[]);
        json("json:$[1].id", r#"[{"id":1},{"id":2},{"id":3}]"#, &["id=2"]);
        json("json:$[1]", "[1,2]", &["id=2"]);
    }

    #[test]
    fn byte_order_mark_is_passed_over() {
        json("json:$.id", "\u{feff}{\"id\":1}", &["id=1"]);
        json("json:$.id", "\u{feff}\u{feff}{\"id\":1}", &[]);
        xml("xml:/id", "\u{feff}<id>1</id>", &["id=1"]);
        form("form:id", "id=1", &["id=1"]);
    }

    #[test]
    fn json_texts_are_decoded() {
        json("json:$.id", r#"{"id":"a\u0062\"\\\/\u00e9\ud83d\ude00\n"}"#, &["id=ab\"\\/é😀\n"]);
        json("json:$['a\"b']", r#"{"a\"b":"x"}"#, &["id=x"]);
        json("json:$.id", r#"{"\u0069d":-1.5e3}"#, &["id=-1.5e3"]);
        json("json:$.id", r#"{"id":"\ud83d"}"#, &["id=\u{fffd}"]);
    }

    #[test]
    fn values_that_are_no_ids_are_left_out() {
        for value in ["null", "true", "false", "\"\"", "{}", "[]", "[1]"] {
            json("json:$.id", &format!("{{\"id\":{value},\"b\":1}}"), &[]);
        }
        let long = "x".repeat(LENGTH_LIMIT + 1);
        json("json:$.id", &format!("{{\"id\":\"{long}\"}}"), &[]);
        json("json:$.id", "{\"id\":\"cut", &[]);
    }

    #[test]
    fn broken_json_gives_no_more() {
        json("json:$.id", "{]\"id\":1}", &[]);
        json("json:$.id", "}{\"id\":1}", &[]);
        json("json:$.id", "plain \"id\":1", &[]);
        json("json:$.id", &("[".repeat(DEPTH_LIMIT + 1) + "{\"id\":1}"), &[]);
    }

    #[test]
    fn lines_of_json_are_read_one_by_one() {
        json("json:$.id", "{\"id\":1}\n{\"id\":2}\n", &["id=1", "id=2"]);
    }

    #[test]
    fn xml_value_is_found_by_its_path() {
        let body = "<?xml version='1.0'?><!-- <a><id>no</id></a> --><a id='1'><b x=\"<\" \
                    id = \"2\"/><id> 3&amp;&#52;<c>no</c><![CDATA[<5>]]> </id>\
                    <s:d><id>6</id></s:d></a>";
        xml("xml:/a/@id", body, &["id=1"]);
        xml("xml:/a/b/@id", body, &["id=2"]);
        xml("xml:/a/id", body, &["id=3&4<5>"]);
        xml("xml:/a/d/id", body, &["id=6"]);
        xml("xml:/a/s:d/id", body, &["id=6"]);
        xml("xml:/a/x:d/id", body, &[]);
        xml("xml:/a/id/c", body, &["id=no"]);
        xml("xml:/a", "<a>1<b x='2'>3</b>4<c x='5'/></a>", &["id=14"]);
        xml("xml:/b/@id", body, &[]);
        xml("xml:/id", body, &[]);
    }

    #[test]
    fn broken_xml_gives_no_more() {
        xml("xml:/a/id", "<a></b><id>1</id>", &[]);
        xml("xml:/a/id", "<a><id>1", &[]);
        xml("xml:/a", "<a", &[]);
        xml("xml:/a", &("<b>".repeat(DEPTH_LIMIT + 1) + "<a>1</a>"), &[]);
        assert_eq!(read(Form::Xml, &["xml:/a"], b"no <a>1</a>"), ["id=1"]);
    }

    #[test]
    fn field_of_a_form_is_decoded() {
        form("form:txn", "a=1&txn=a%2Fb+c&txnx=2&b", &["id=a/b c"]);
        form("form:b c", "b+c=1", &["id=1"]);
        form("form:a", "a=%zz%4", &["id=%zz%4"]);
        form("form:a", "a=&a=2&ba=3", &["id=2"]);
        form("form:a", "", &[]);
    }

    #[test]
    fn several_places_are_told_in_their_order() {
        let places = ["a=json:$.x", "b=json:$.y", "c=json:$.x"];
        let found = read(Form::Json, &places, br#"{"y":1,"x":2}"#);
        assert_eq!(found, ["b=1", "a=2", "c=2"]);
    }

    #[test]
    fn nothing_is_read_behind_the_limit() {
        let body = format!("{{\"a\":\"{}\",\"id\":1}}", "x".repeat(READ_LIMIT - 12));
        json("json:$.id", &body, &[]);
        let body = format!("{{\"a\":\"{}\",\"id\":1}}", "x".repeat(READ_LIMIT - 20));
        json("json:$.id", &body, &["id=1"]);
    }

    #[test]
    fn bodies_in_which_nothing_is_named_are_not_read() {
        let mut ids = OwnIds::default();
        ids.add_field("json:$.id").unwrap();
        assert!(BodyReader::new(Form::Xml, &ids).is_none());
        assert!(BodyReader::new(Form::Form, &ids).is_none());
        assert!(BodyReader::new(Form::Unknown, &ids).is_some());
    }

    #[test]
    fn media_type_says_the_form() {
        let form = |media_type: &str| Form::of(Some(media_type.as_bytes()));
        assert_eq!(form("application/problem+JSON; charset=utf-8"), Some(Form::Json));
        assert_eq!(form("application/soap+xml"), Some(Form::Xml));
        assert_eq!(form("application/x-www-form-urlencoded"), Some(Form::Form));
        assert_eq!(form("text/plain"), Some(Form::Unknown));
        assert_eq!(form("image/png"), None);
        assert_eq!(Form::of(None), Some(Form::Unknown));
    }
}
