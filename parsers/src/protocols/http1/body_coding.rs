//! Bodies as they are on the wire in, their content out, to whoever wants it; what is coded is
//! inflated only then.

use super::body::Body;
use super::{Connection, Means};
use crate::inflate::{Codings, Inflated, Inflater};
use crate::message::{Attribute, Side, Value};
use crate::protocol::{Key, Out};

impl Connection {
    /// A body begins, of whose content so much is wanted.
    pub(super) fn begin_body(
        &mut self,
        from: Side,
        key: Key,
        codings: &Codings,
        wanted: usize,
        means: &Means,
        out: &mut dyn Out,
    ) {
        if codings.is_empty() || (wanted == 0 && self.ids_mut(from).is_none()) {
            return;
        }
        match codings.inflater() {
            Some(inflater) => {
                *self.inflater_mut(from) = Some(Box::new(inflater.within(&means.room)));
            }
            // Whoever wants such a body gets it as it is.
            None => tell(out, key, "unknown coding"),
        }
    }

    /// The next bytes of a body.
    pub(super) fn content(&mut self, from: Side, body: &mut Body, bytes: &[u8], out: &mut dyn Out) {
        let Some(mut inflater) = self.inflater_mut(from).take() else {
            self.plain(from, body, bytes, out);
            return;
        };
        let state = inflater.push(bytes, &mut |piece| self.plain(from, body, piece, out));
        if body.wanted == 0 && self.ids_mut(from).is_none() {
            // Nobody wants more.
            return;
        }
        if matches!(state, Inflated::Failed | Inflated::Capped) {
            self.end_inflating(from, body, state, out);
        } else {
            *self.inflater_mut(from) = Some(inflater);
        }
    }

    /// The next bytes of the content of a body.
    fn plain(&mut self, from: Side, body: &mut Body, bytes: &[u8], out: &mut dyn Out) {
        let (wanted, _) = bytes.split_at_checked(body.wanted).unwrap_or((bytes, &[]));
        if !wanted.is_empty() {
            out.body(body.key, wanted);
            body.wanted -= wanted.len();
        }
        self.read_ids(from, body.key, bytes, out);
    }

    /// A body is over.
    pub(super) fn end_body(&mut self, from: Side, body: &Body, out: &mut dyn Out) {
        self.break_inflating(from, body, out);
        self.end_ids(from, body, out);
    }

    /// No more of a body comes that could be inflated.
    pub(super) fn break_inflating(&mut self, from: Side, body: &Body, out: &mut dyn Out) {
        if let Some(inflater) = self.inflater_mut(from).take()
            && let Some(flaw) = inflater.state().flaw()
        {
            tell(out, body.key, flaw);
        }
    }

    /// What a body holds cannot be read any further.
    fn end_inflating(&mut self, from: Side, body: &mut Body, state: Inflated, out: &mut dyn Out) {
        if let Some(flaw) = state.flaw() {
            tell(out, body.key, flaw);
        }
        body.wanted = 0;
        *self.ids_mut(from) = None;
    }

    pub(super) fn inflater_mut(&mut self, from: Side) -> &mut Option<Box<Inflater>> {
        let [a, b] = &mut self.inflaters;
        if from == Side::A { a } else { b }
    }
}

/// Says why the content of a body is not all that there is of it.
fn tell(out: &mut dyn Out, key: Key, flaw: &str) {
    out.add(key, Attribute { name: "wirespan.body.inflate", value: Value::Text(flaw.as_bytes()) });
}
