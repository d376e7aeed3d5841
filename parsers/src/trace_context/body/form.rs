//! A form, or the query of an address: `name=value&name=value`, percent-encoded.
//! <https://url.spec.whatwg.org/#application/x-www-form-urlencoded>

use super::super::own::{OwnIds, Place};
use super::{Found, Token};

/// Reads a form byte by byte.
#[derive(Debug, Default)]
pub(super) struct Reader {
    name: Token,
    value: Token,
    in_value: bool,
}

impl Reader {
    pub(super) fn byte(&mut self, ids: &OwnIds, byte: u8, found: &mut Found) {
        match byte {
            b'&' => self.end(ids, found),
            b'=' if !self.in_value => self.in_value = true,
            byte if self.in_value => self.value.push(byte),
            byte => self.name.push(byte),
        }
    }

    pub(super) fn end(&mut self, ids: &OwnIds, found: &mut Found) {
        if let (true, Some(name), Some(value)) =
            (self.in_value, self.name.whole(), self.value.whole())
        {
            let name = decoded(name);
            for field in ids.fields() {
                if matches!(&field.place, Place::Form(wanted) if **wanted == *name) {
                    found.push(field, &decoded(value));
                }
            }
        }
        self.name.clear();
        self.value.clear();
        self.in_value = false;
    }
}

/// With what is percent-encoded as it was meant, and `+` as a space.
pub(in super::super) fn decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = after;
        decoded.push(match (byte, after) {
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    high << 4 | low
                }
                _ => b'%',
            },
            (b'+', _) => b' ',
            (byte, _) => *byte,
        });
    }
    decoded
}

fn digit(byte: u8) -> Option<u8> {
    u8::try_from(char::from(byte).to_digit(16)?).ok()
}
