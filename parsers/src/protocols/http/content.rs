//! Bytes of a body as they are on the wire in; its content out, to whoever wants it. What is coded
//! is inflated only then.

use crate::inflate::{Codings, Inflated, Inflater, Room};
use crate::message::Value;
use crate::protocol::{Key, Out};
use crate::protocols::http::fields::add;
use crate::trace_context::body::BodyReader;
use crate::trace_context::own::OwnIds;

/// What is wanted of the body of one message.
pub(in crate::protocols) struct Content {
    /// Bytes that somebody still wants.
    wanted: usize,
    /// What reads identifiers in it, where that is asked for.
    ids: Option<Box<BodyReader>>,
    /// What takes its codings off, if it has any that are known.
    inflater: Option<Inflater>,
    /// Whether there is any of it.
    has_begun: bool,
}

impl Content {
    /// Of the body that follows, in which `ids` looks for identifiers; none if nobody wants it.
    pub(in crate::protocols) fn of(
        key: Key,
        ids: Option<Box<BodyReader>>,
        codings: &Codings,
        room: &Room,
        out: &mut dyn Out,
    ) -> Option<Box<Self>> {
        let ids = ids.filter(|_| codings.is_readable());
        let wanted = out.wants(key);
        if wanted == 0 && ids.is_none() {
            return None;
        }
        let inflater = codings.inflater().map(|inflater| inflater.within(room));
        if inflater.is_none() && !codings.is_empty() {
            // Whoever wants such a body gets it as it is.
            tell(key, "unknown coding", out);
        }
        Some(Box::new(Self { wanted, ids, inflater, has_begun: false }))
    }

    /// How many of the next bytes of the body are looked at.
    pub(in crate::protocols) fn looks_at(&self) -> usize {
        match &self.ids {
            None if self.wanted == 0 => 0,
            None if self.inflater.is_none() => self.wanted,
            _ => usize::MAX,
        }
    }

    /// The next bytes of the body.
    pub(in crate::protocols) fn read(
        &mut self,
        key: Key,
        ids: &OwnIds,
        bytes: &[u8],
        out: &mut dyn Out,
    ) {
        self.has_begun = true;
        let Some(mut inflater) = self.inflater.take() else {
            return self.plain(key, ids, bytes, out);
        };
        let state = inflater.push(bytes, &mut |piece| self.plain(key, ids, piece, out));
        if self.wanted == 0 && self.ids.is_none() {
            // Nobody wants more, so that nothing is missing.
            return;
        }
        if matches!(state, Inflated::Failed | Inflated::Capped) {
            (self.wanted, self.ids) = (0, None);
            state.flaw().iter().for_each(|flaw| tell(key, flaw, out));
        } else {
            self.inflater = Some(inflater);
        }
    }

    /// The next bytes of the content.
    fn plain(&mut self, key: Key, ids: &OwnIds, bytes: &[u8], out: &mut dyn Out) {
        let wanted = bytes.get(..self.wanted).unwrap_or(bytes);
        if !wanted.is_empty() {
            out.body(key, wanted);
            self.wanted -= wanted.len();
        }
        if let Some(reader) = &mut self.ids {
            reader.read(ids, bytes, &mut |context| out.context(key, context));
            self.ids.take_if(|reader| reader.is_done());
        }
    }

    /// Bytes of the body are lost, so that what follows them is of no use.
    pub(in crate::protocols) fn lose(self, key: Key, out: &mut dyn Out) {
        // The answer to HEAD has the codings of a body, and none.
        let inflater = self.inflater.filter(|_| self.has_begun);
        let flaw = inflater.and_then(|inflater| inflater.state().flaw());
        flaw.iter().for_each(|flaw| tell(key, flaw, out));
    }

    /// The body is over.
    pub(in crate::protocols) fn end(mut self, key: Key, ids: &OwnIds, out: &mut dyn Out) {
        if let Some(mut reader) = self.ids.take() {
            reader.end(ids, &mut |context| out.context(key, context));
        }
        self.lose(key, out);
    }
}

/// Says why the content of a body is not all that there is of it.
fn tell(key: Key, flaw: &str, out: &mut dyn Out) {
    add(out, key, "wirespan.body.inflate", Value::Text(flaw.as_bytes()));
}
