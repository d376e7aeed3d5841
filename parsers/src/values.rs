//! Values that a message carries, as a caller may hand them on: the words of addresses, keys and
//! literals, as short hashes. They tell which of a few exchanges a call was made for.
//!
//! Of 65,536 possible values or more, several have each hash, so that it finds none of them. Of
//! fewer, such as numbers of four digits, most have one of their own: whoever reads it knows which
//! it was. These are kept all the same, as most numbers that callers hand on are short; those of
//! statements that name a secret are not.

use smallvec::SmallVec;

/// Hashes of words, each once, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    words: SmallVec<[u16; 8]>,
    /// The word that is being read.
    word: Word,
}

/// A word, as far as it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Word {
    hash: u64,
    len: u32,
    has_digit: bool,
}

impl Values {
    /// Reads on in a text, which goes on behind what was read before.
    pub fn read(&mut self, text: &[u8]) {
        let mut word = self.word;
        for byte in text {
            if byte.is_ascii_alphanumeric() || *byte >= 0x80 {
                word.hash =
                    (word.hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(FNV_PRIME);
                word.len = word.len.saturating_add(1);
                word.has_digit |= byte.is_ascii_digit();
            } else if word.len > 0 {
                self.add_word(std::mem::take(&mut word));
            }
        }
        self.word = word;
    }

    /// The text has ended.
    pub fn end(&mut self) {
        let word = std::mem::take(&mut self.word);
        self.add_word(word);
    }

    /// Adds a hash.
    pub fn add(&mut self, word: u16) {
        if self.words.len() < MOST && !self.words.contains(&word) {
            self.words.push(word);
        }
    }

    /// The hashes.
    #[must_use]
    pub fn words(&self) -> &[u16] {
        &self.words
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.words.clear();
        self.word = Word::default();
    }

    fn add_word(&mut self, Word { hash, len, has_digit }: Word) {
        // Short words without a digit are no values, mostly.
        if len == 0 || (!has_digit && len < SHORT) || self.words.len() >= MOST {
            return;
        }
        self.add((hash ^ hash >> 16 ^ hash >> 32 ^ hash >> 48) as u16);
    }
}

/// Of the 64-bit hash of Fowler, Noll and Vo.
const FNV_PRIME: u64 = 0x0100_0000_01b3;
/// Words of fewer letters are no values.
const SHORT: u32 = 3;
/// Values of one message that are kept.
pub const MOST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn words(texts: &[&str]) -> Vec<u16> {
        let mut values = Values::default();
        for text in texts {
            for piece in text.as_bytes().chunks(3) {
                values.read(piece);
            }
            values.end();
        }
        values.words().to_vec()
    }

    #[test]
    fn values_are_equal_wherever_they_stand() {
        let path = words(&["/orders/4711"]);
        assert_eq!(path, words(&["orders", "'4711'"]));
        assert_eq!(path.len(), 2);
        assert_eq!(words(&["user:17"]), words(&["/user/17", "?user=17"]));
        assert_ne!(words(&["17"]), words(&["18"]));
        assert_eq!(words(&["of a b", "7"]).len(), 1);
    }

    #[test]
    fn values_have_a_limit() {
        let many: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let texts: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(words(&texts).len(), MOST);
    }
}
