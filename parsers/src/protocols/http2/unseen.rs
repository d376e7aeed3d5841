//! What is learned of fields that were told before the capture began, or in a gap.
//!
//! A connection that is joined late may refer to the same unknown entries for as long as it lives.
//! What they say is never known, but where one request with some of them has turned out to be a
//! call whose type of content tells what it is, each later one that has them all is one too: that
//! type is among them.

use crate::message::Dialect;
use crate::protocols::http::rpc::{Company, GRPC, Kind, TRIPLE};

/// Entries that fields of one block refer to and that are not known.
#[derive(Default)]
pub(super) struct UnseenFields {
    /// Nothing for fields of which only the name is an entry's.
    fields: Vec<Option<i64>>,
    entries: Vec<i64>,
    has_path: bool,
    /// Whether one of them is surely a pseudo-header field.
    has_pseudo: bool,
    /// Whether the type of content may be in a field that is none of the entries.
    is_unclear: bool,
}

impl UnseenFields {
    /// A block begins.
    pub(super) fn clear(&mut self) {
        self.fields.clear();
        self.entries.clear();
        (self.has_path, self.has_pseudo, self.is_unclear) = (false, false, false);
    }

    /// The next field has this name.
    pub(super) fn known(&mut self, name: &[u8]) {
        if name.starts_with(b":") {
            // RFC 9113 section 8.3: pseudo-header fields come before all others.
            self.has_pseudo |= !self.fields.is_empty();
            self.fields.clear();
            self.has_path |= name == b":path";
        }
    }

    /// The next field is not known, or only its value is.
    pub(super) fn unknown(&mut self, entry: Option<i64>, value: Option<&[u8]>) {
        let value = value.filter(|_| entry.is_none()).unwrap_or_default();
        self.is_unclear |= value.starts_with(b"application/");
        self.fields.push(entry);
    }

    /// The block ends, of which some fields may not have been told.
    pub(super) fn end(&mut self, lacks_fields: bool) {
        self.is_unclear |= lacks_fields;
        if self.is_unclear {
            return;
        }
        // Each request has a path: where it is not known, the first of these is it, or comes before.
        let certain = usize::from(!self.has_path && !self.has_pseudo);
        self.entries.extend(self.fields.iter().skip(certain).flatten());
    }

    /// The entries one of which has the type of content, if that is not known; none if it may be
    /// elsewhere.
    pub(super) fn entries(&self) -> &[i64] {
        &self.entries
    }
}

/// The entries of requests that were calls.
#[derive(Default)]
pub(super) struct UnseenCalls {
    /// The latest ones, each in order, and what they were.
    calls: Vec<(Box<[i64]>, Kind)>,
}

impl UnseenCalls {
    /// What a request with these entries surely is; none where that is not known.
    pub(super) fn kind(&self, entries: &[i64]) -> Option<Kind> {
        let mut alike = self.alike(entries);
        let kind = alike.next()?;
        alike.all(|other| other == kind).then_some(kind)
    }

    /// A request with these entries was such a call.
    pub(super) fn was_call(&mut self, entries: &[i64], kind: Kind) {
        let is_known = self.alike(entries).any(|known| known == kind);
        if entries.is_empty() || entries.len() > ENTRIES || is_known || !kind.is_typed() {
            return;
        }
        if self.calls.len() >= CALLS {
            self.calls.remove(0);
        }
        self.calls.push((entries.into(), kind));
    }

    /// What those were of which these are all entries.
    fn alike(&self, entries: &[i64]) -> impl Iterator<Item = Kind> {
        let has = |call: &[i64]| call.iter().all(|entry| entries.contains(entry));
        self.calls.iter().filter(move |(call, _)| has(call)).map(|(_, kind)| *kind)
    }
}

/// What the requests of a connection are of which it is known.
#[derive(Default)]
pub(super) struct Known {
    grpc: bool,
    triple: bool,
    other: bool,
}

impl Known {
    /// A request is a call, of this kind, or none.
    pub(super) fn add(&mut self, dialect: Dialect) {
        match dialect {
            GRPC => self.grpc = true,
            TRIPLE => self.triple = true,
            _ => self.other = true,
        }
    }

    /// What all of them are, where they are all the same.
    pub(super) fn company(&self) -> Option<Company> {
        match (self.grpc, self.triple, self.other) {
            (true, false, false) => Some(Company::Grpc),
            (false, true, false) => Some(Company::Triple),
            _ => None,
        }
    }
}

/// Entries of one request that are remembered.
pub(super) const ENTRIES: usize = 32;
/// Requests that are remembered.
const CALLS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Timestamp;
    use crate::protocols::http::rpc::Call;

    fn check(fields: &[Result<&str, (Option<i64>, &str)>], expected: &[i64]) {
        let mut unseen = UnseenFields::default();
        for field in fields {
            match field {
                Ok(name) => unseen.known(name.as_bytes()),
                Err((entry, value)) => unseen.unknown(*entry, Some(value.as_bytes())),
            }
        }
        unseen.end(false);
        assert_eq!(unseen.entries(), expected, "{fields:?}");
    }

    #[test]
    fn entries_are_those_that_may_have_the_type_of_content() {
        let entry = |number| Err((Some(number), ""));
        let value = |value| Err((None, value));
        check(&[entry(-1), entry(-2), Ok(":method"), entry(-3), Ok("te"), entry(-4)], &[-3, -4]);
        check(&[Ok(":method"), entry(-1), entry(-2), entry(-3)], &[-2, -3]);
        check(&[Ok(":path"), entry(-1), entry(-2)], &[-1, -2]);
        check(&[Ok(":method"), value("/a"), entry(-2), value("1S")], &[-2]);
        check(&[Ok(":path"), entry(-1), value("application/grpc")], &[]);
    }

    fn kind(content_type: &str) -> Kind {
        let fields = [(&b"content-type"[..], content_type.as_bytes())];
        let call = Call::of_request(fields.into_iter(), 0, Timestamp(0)).expect("a call");
        call.kind().expect("a kind")
    }

    #[test]
    fn requests_with_all_entries_of_a_call_are_calls() {
        let (mut unseen, grpc) = (UnseenCalls::default(), kind("application/grpc"));
        unseen.was_call(&[], grpc);
        assert_eq!([unseen.kind(&[]), unseen.kind(&[-1])], [None; 2]);
        unseen.was_call(&[-1, -3], grpc);
        assert_eq!([unseen.kind(&[-3, -1]), unseen.kind(&[-4, -3, -2, -1])], [Some(grpc); 2]);
        assert_eq!([unseen.kind(&[-1, -2]), unseen.kind(&[])], [None; 2]);
        (10..60).for_each(|entry| unseen.was_call(&[entry], grpc));
        assert_eq!([unseen.kind(&[59]), unseen.kind(&[10])], [Some(grpc), None]);
        assert_eq!(unseen.calls.len(), CALLS);
    }

    #[test]
    fn calls_with_the_same_entries_are_the_same() {
        let mut unseen = UnseenCalls::default();
        let [web, stream] = ["application/grpc-web", "application/connect+json"].map(kind);
        unseen.was_call(&[-1], web);
        unseen.was_call(&[-2], stream);
        assert_eq!([unseen.kind(&[-1]), unseen.kind(&[-2, -3])], [Some(web), Some(stream)]);
        // What differs cannot be so, and tells nothing.
        assert_eq!(unseen.kind(&[-1, -2]), None);
    }
}
