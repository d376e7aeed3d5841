//! Header blocks, read by the decoder and by one that is as plain as the specification.
//!
//! The plain one has seen all blocks. The other one has not: it must say the same, or that it does
//! not know, and the latter only where the entry came in a block that it has not seen.

use crate::protocols::http2::hpack::{Decoder, Field, fixed, huffman};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

/// Reads header blocks of one direction, for measuring.
pub struct HeaderBlocks(Decoder);

impl Default for HeaderBlocks {
    fn default() -> Self {
        Self(Decoder::from_start())
    }
}

impl HeaderBlocks {
    /// Reads a block; gives the bytes of its names and values, or nothing if one was malformed.
    pub fn read(&mut self, block: &[u8]) -> Option<usize> {
        let mut told = 0;
        let read = self.0.block(block, &mut |Field { name, value, .. }| {
            told += name.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
        });
        (read.is_ok() && self.0.unreadable() == 0).then_some(told)
    }
}

/// Reads blocks, and from each of the `cuts` on up to the end of its range also with a decoder that
/// is shown only those, and with one that was told there that it had lost something.
///
/// Gives what the plain decoder found, up to a block that is malformed.
///
/// # Panics
/// If one of them says something wrong, or does not say what it must know.
pub fn blocks(blocks: &[&[u8]], cuts: &[Range<usize>]) -> Vec<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut plain = Plain { entries: Vec::new(), max: 4096, block: 0, inserted: 0 };
    let mut whole = Decoder::from_start();
    let mut late: Vec<Late> = Vec::new();
    let mut all = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        late.retain(|late| late.cut.end > index);
        for cut in cuts.iter().filter(|cut| cut.start == index && !cut.is_empty()) {
            let joined = Decoder::in_midstream();
            let mut broken = Decoder::from_start();
            let before = index.checked_sub(1).and_then(|before| blocks.get(before));
            let _ = before.map(|block| broken.block(block, &mut |_| {}));
            broken.lost();
            for decoder in [joined, broken] {
                late.push(Late { decoder, cut: cut.clone(), inserted: plain.inserted });
            }
        }
        plain.block = index;
        let Some(fields) = plain.block(block) else {
            let unreadable = whole.unreadable();
            let read = whole.block(block, &mut |_| {});
            assert!(read.is_err() || whole.unreadable() > unreadable, "{block:02x?}");
            return all;
        };
        compare(&mut whole, block, &fields, Knows::From(0));
        for Late { decoder, cut, inserted } in &mut late {
            // What is inserted may be more than is kept.
            let is_kept = plain.inserted - *inserted < 16 << 10;
            compare(
                decoder,
                block,
                &fields,
                if is_kept { Knows::From(cut.start) } else { Knows::Some },
            );
        }
        let texts = fields.into_iter().map(|(name, value, _)| (name.bytes, value.bytes));
        all.push(texts.collect());
    }
    all
}

/// A decoder that has not seen all blocks.
struct Late {
    decoder: Decoder,
    /// The blocks that it sees.
    cut: Range<usize>,
    /// Bytes of entries that were inserted before those.
    inserted: usize,
}

/// What a decoder must know.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Knows {
    /// What came in this block and later ones, and nothing else.
    From(usize),
    /// Some of what it was shown.
    Some,
}

fn compare(decoder: &mut Decoder, block: &[u8], fields: &[(Text, Text, bool)], knows: Knows) {
    let untold = decoder.untold();
    let mut expected = fields.iter();
    let mut told = 0;
    let read = decoder.block(block, &mut |field| {
        told += 1;
        let Some((name, value, never)) = expected.next() else { return };
        for (found, text) in [(field.name, name), (field.value, value)] {
            if let Some(found) = found {
                assert_eq!(found, text.bytes, "{block:02x?}");
            }
            if let Knows::From(first) = knows {
                assert_eq!(
                    found.is_some(),
                    text.block >= first,
                    "whether {} is known: {block:02x?}",
                    text.bytes.escape_ascii()
                );
            }
        }
        assert_eq!(field.never_indexed, *never, "{block:02x?}");
    });
    assert_eq!(read, Ok(()), "{block:02x?}");
    assert_eq!(told + decoder.untold() - untold, fields.len() as u64, "{block:02x?}");
    assert!(decoder.bytes() < 1 << 20, "{} bytes are kept", decoder.bytes());
}

/// A name or a value.
#[derive(Clone)]
struct Text {
    bytes: Vec<u8>,
    /// The block in which it came; the last one there can be for what the specification has.
    block: usize,
}

#[derive(Clone)]
struct Entry {
    name: Text,
    value: Text,
}

/// A decoder of RFC 7541 that has seen everything, and knows where it was.
struct Plain {
    /// Oldest first.
    entries: Vec<Entry>,
    max: usize,
    /// The present block.
    block: usize,
    /// Bytes of all entries so far.
    inserted: usize,
}

impl Plain {
    fn block(&mut self, mut input: &[u8]) -> Option<Vec<(Text, Text, bool)>> {
        let mut fields = Vec::new();
        while let Some(first) = input.first().copied() {
            if first >= 0x80 {
                let Entry { name, value } = self.entry(number(&mut input, 7)?)?;
                fields.push((name, value, false));
            } else if first & 0xe0 == 0x20 {
                if !fields.is_empty() {
                    return None;
                }
                self.max = number(&mut input, 5)?;
                self.evict();
            } else {
                let index = number(&mut input, if first >= 0x40 { 6 } else { 4 })?;
                let name = match index {
                    0 => self.string(&mut input)?,
                    _ => self.entry(index)?.name,
                };
                let value = self.string(&mut input)?;
                fields.push((name.clone(), value.clone(), first & 0xf0 == 0x10));
                if first >= 0x40 {
                    self.inserted += name.bytes.len() + value.bytes.len() + 32;
                    // Also a name of the specification is known by this entry only.
                    let block = name.block.min(self.block);
                    self.entries.push(Entry { name: Text { block, ..name }, value });
                    self.evict();
                }
            }
        }
        Some(fields)
    }

    fn entry(&self, index: usize) -> Option<Entry> {
        let index = index.checked_sub(1)?;
        let known = |text: &[u8]| Text { bytes: text.to_vec(), block: usize::MAX };
        if let Some((name, value)) = fixed::ENTRIES.get(index) {
            return Some(Entry { name: known(name), value: known(value) });
        }
        self.entries.iter().rev().nth(index - fixed::ENTRIES.len()).cloned()
    }

    fn evict(&mut self) {
        let size = |entry: &Entry| entry.name.bytes.len() + entry.value.bytes.len() + 32;
        while self.entries.iter().map(size).sum::<usize>() > self.max {
            self.entries.remove(0);
        }
    }

    fn string(&self, input: &mut &[u8]) -> Option<Text> {
        let is_coded = *input.first()? >= 0x80;
        let length = number(input, 7)?;
        let bytes = input.split_off(..length)?;
        let bytes = if is_coded { bits(bytes)? } else { bytes.to_vec() };
        Some(Text { bytes, block: self.block })
    }
}

fn number(input: &mut &[u8], prefix: u32) -> Option<usize> {
    let all = (1 << prefix) - 1;
    let mut number = u64::from(input.split_off_first()?.to_owned()) & all;
    if number < all {
        return Some(number as usize);
    }
    for place in 0..5 {
        let byte = u64::from(*input.split_off_first()?);
        number += (byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return u32::try_from(number).ok().map(|number| number as usize);
        }
    }
    None
}

/// Section 5.2, bit by bit.
fn bits(coded: &[u8]) -> Option<Vec<u8>> {
    static CODES: OnceLock<HashMap<(u8, u32), u8>> = OnceLock::new();
    let codes = CODES.get_or_init(|| {
        let mut codes = HashMap::new();
        let mut next = 0_u32;
        for length in 1..=30 {
            next <<= 1;
            for (symbol, of_symbol) in (0..=u8::MAX).zip(huffman::LENGTHS) {
                if of_symbol == length {
                    codes.insert((length, next), symbol);
                    next += 1;
                }
            }
        }
        codes
    });
    let mut text = Vec::new();
    // Those bits that are no whole code yet.
    let (mut length, mut code) = (0_u8, 0_u32);
    for bit in coded.iter().flat_map(|byte| (0..8).rev().map(move |place| byte >> place & 1)) {
        code = code << 1 | u32::from(bit);
        length += 1;
        if let Some(symbol) = codes.get(&(length, code)) {
            text.push(*symbol);
            (length, code) = (0, 0);
        } else if length == 30 {
            return None;
        }
    }
    (length < 8 && code.count_ones() == u32::from(length)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use std::path::{Path, PathBuf};

    type Blocks = Vec<(Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>)>;

    /// Lines of `block: <hex>`, and behind each its fields as `<hex> <hex>`.
    fn story(text: &str) -> Blocks {
        let mut story = Blocks::new();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            if let Some(hex) = line.strip_prefix("block: ") {
                story.push((unhex(hex), Vec::new()));
            } else {
                let (name, value) = line.split_once(' ').expect("name and value");
                story.last_mut().expect("a block").1.push((unhex(name), unhex(value)));
            }
        }
        story
    }

    fn unhex(hex: &str) -> Vec<u8> {
        let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
        (0..hex.len()).step_by(2).map(digits).collect()
    }

    /// The stories below a folder.
    fn stories(folder: &Path) -> Vec<(PathBuf, Blocks)> {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
            .collect();
        paths.sort();
        let read = |path: PathBuf| {
            let text = std::fs::read_to_string(&path).expect("a story");
            (path, story(&text))
        };
        paths.into_iter().map(read).collect()
    }

    /// Reads a story from its start, and from each block on: all that follows for each `whole`th
    /// cut, else `most` blocks.
    fn check(path: &Path, story: &Blocks, whole: usize, most: usize) {
        let wires: Vec<&[u8]> = story.iter().map(|(wire, _)| wire.as_slice()).collect();
        let end = |at: usize| if at.is_multiple_of(whole) { usize::MAX } else { at + most };
        let cuts: Vec<Range<usize>> = (0..story.len()).map(|at| at..end(at)).collect();
        let found = blocks(&wires, &cuts);
        assert!(found.iter().eq(story.iter().map(|(_, fields)| fields)), "{}", path.display());
    }

    #[test]
    fn own_stories_are_read_from_each_block_on() {
        let stories = stories(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/hpack")));
        assert!(!stories.is_empty());
        stories.iter().for_each(|(path, story)| check(path, story, 1, 0));
    }

    /// Some of them, and a little behind each cut. `STORIES=all` reads all, from each cut to the
    /// end: with optimisation that takes a minute.
    #[test]
    fn public_stories_are_read_from_each_block_on() {
        let target = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/hpack/stories");
        let stories = stories(Path::new(target));
        if stories.is_empty() {
            eprintln!("skipped: `.ci/setup dev` has not put stories into target/hpack");
        }
        let reads_all = std::env::var_os("STORIES").is_some_and(|stories| stories == "all");
        let (step, whole, most) = if reads_all { (1, 1, 0) } else { (8, 200, 2) };
        stories.iter().step_by(step).for_each(|(path, story)| check(path, story, whole, most));
    }

    #[test]
    fn random_blocks_are_read_or_refused_alike() {
        let mut random = Random(9);
        for _ in 0..3000 {
            let mut data = vec![random.next() as u8];
            for _ in 0..random.below(12) {
                let length = random.below(40);
                data.push(length as u8);
                // Small numbers, and what begins each kind of field.
                let starts = [0x40, 0x00, 0x10, 0x20, 0x80, 0xbe, 0xbf, 0x7e, 0x3f, 0x81, 0x01];
                data.extend((0..length).map(|_| match random.below(4) {
                    0 => random.next() as u8,
                    1 => random.below(4) as u8,
                    _ => starts[random.below(starts.len())],
                }));
            }
            super::super::hpack(&data);
        }
    }
}
