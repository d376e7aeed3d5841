//! The Huffman code of HPACK: coded octets in, text out.
//!
//! The code is canonical: codes of one length follow each other, in the order of their symbols. Its
//! lengths alone are kept, and the rest is made of them when the program is compiled.
//! Format: RFC 7541, sections 5.2 and appendix B.

/// Adds what `input` is the code of to `text`.
///
/// `None` if it holds the end-of-string symbol, a code that is cut, or padding that is longer than
/// seven bits or not of ones; some symbols may have been added then.
pub(super) fn decode(input: &[u8], text: &mut Vec<u8>) -> Option<()> {
    // The shortest code has five bits.
    text.reserve(input.len().saturating_mul(8) / 5);
    let mut input = input;
    // The next `held` bits, from the left; zeros behind them.
    let mut bits = 0_u64;
    let mut held = 0_u32;
    loop {
        // The longest code has 30 bits.
        if held <= 32 {
            if let Some((four, rest)) = input.split_first_chunk::<4>() {
                bits |= u64::from(u32::from_be_bytes(*four)) << (32 - held);
                held += 32;
                input = rest;
            } else {
                for byte in std::mem::take(&mut input) {
                    bits |= u64::from(*byte) << (56 - held);
                    held += 8;
                }
            }
        }
        let Short { symbol, length } = SHORT.get((bits >> 56) as usize).copied()?;
        let (symbol, length) = if length != 0 && u32::from(length) <= held {
            (symbol, u32::from(length))
        } else {
            // Section 5.2: padding has at most seven bits, the first of the end-of-string symbol.
            if held < 8 {
                let padding = !(u64::MAX.checked_shr(held).unwrap_or(0));
                return (bits == padding).then_some(());
            }
            let (symbol, length) = long(bits)?;
            if length > held {
                return None;
            }
            (symbol, length)
        };
        text.push(symbol);
        bits <<= length;
        held -= length;
    }
}

/// The symbol and the length of a code that has more than eight bits, at the left of `bits`. `None`
/// for the end-of-string symbol.
#[cold]
fn long(bits: u64) -> Option<(u8, u32)> {
    CODES.iter().skip(9).zip(9..).find_map(|(codes, length)| {
        let place = ((bits >> (64 - length)) as u32).checked_sub(codes.first)?;
        (place < u32::from(codes.count)).then(|| {
            let symbol = SYMBOLS.get(usize::from(codes.before) + place as usize).copied();
            symbol.map(|symbol| (symbol, length))
        })
    })?
}

/// A symbol whose code is at the start of eight bits; length 0 if none is.
#[derive(Clone, Copy)]
struct Short {
    symbol: u8,
    length: u8,
}

/// The codes of one length.
#[derive(Clone, Copy)]
struct Codes {
    first: u32,
    count: u16,
    /// How many shorter codes there are.
    before: u16,
}

/// By length.
const CODES: [Codes; 31] = codes();
/// In the order of their codes.
const SYMBOLS: [u8; 256] = symbols();
static SHORT: [Short; 256] = short();

#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const fn codes() -> [Codes; 31] {
    let mut codes = [Codes { first: 0, count: 0, before: 0 }; 31];
    let mut symbol = 0;
    while symbol < 256 {
        codes[LENGTHS[symbol] as usize].count += 1;
        symbol += 1;
    }
    let mut length = 1;
    while length < 31 {
        let shorter = codes[length - 1];
        codes[length].first = (shorter.first + shorter.count as u32) << 1;
        codes[length].before = shorter.before + shorter.count;
        length += 1;
    }
    codes
}

#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const fn symbols() -> [u8; 256] {
    let mut symbols = [0; 256];
    let mut filled = 0;
    let mut length = 5;
    while length < 31 {
        let mut symbol = 0;
        while symbol < 256 {
            if LENGTHS[symbol] == length {
                symbols[filled] = symbol as u8;
                filled += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    symbols
}

#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const fn short() -> [Short; 256] {
    let mut table = [Short { symbol: 0, length: 0 }; 256];
    let mut length = 5;
    while length <= 8 {
        let codes = CODES[length];
        let mut place = 0;
        while place < codes.count {
            let start = (codes.first as usize + place as usize) << (8 - length);
            let mut behind = 0;
            while behind < 1 << (8 - length) {
                table[start + behind] = Short {
                    symbol: SYMBOLS[(codes.before + place) as usize],
                    length: length as u8,
                };
                behind += 1;
            }
            place += 1;
        }
        length += 1;
    }
    table
}

/// Bits of the code of each octet; that of the end of a string is 30 ones.
pub(crate) const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, // 0x00
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, // 0x10
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, // 0x20
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, // 0x30
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, // 0x40
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, // 0x50
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, // 0x60
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, // 0x70
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, // 0x80
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, // 0x90
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, // 0xa0
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, // 0xb0
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, // 0xc0
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, // 0xd0
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, // 0xe0
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, // 0xf0
];

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The code of a text.
    pub(in super::super) fn encode(text: &[u8]) -> Vec<u8> {
        let mut coded = Vec::new();
        let (mut bits, mut held) = (0_u64, 0);
        for byte in text {
            let length = LENGTHS[usize::from(*byte)];
            let codes = CODES[usize::from(length)];
            let before = &SYMBOLS[usize::from(codes.before)..];
            let place = before.iter().position(|symbol| symbol == byte).expect("each has a code");
            bits = bits << length | u64::from(codes.first + place as u32);
            held += u32::from(length);
            while held >= 8 {
                held -= 8;
                coded.push((bits >> held) as u8);
            }
        }
        if held > 0 {
            coded.push((bits << (8 - held)) as u8 | 0xff >> held);
        }
        coded
    }

    fn check(coded: &[u8], expected: Option<&[u8]>) {
        let mut text = Vec::new();
        let decoded = decode(coded, &mut text).map(|()| text);
        assert_eq!(decoded.as_deref(), expected, "{coded:02x?}");
    }

    #[test]
    fn examples_of_the_specification_are_read() {
        // RFC 7541, appendices C.4 and C.6.
        check(b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff", Some(b"www.example.com"));
        check(b"\xa8\xeb\x10\x64\x9c\xbf", Some(b"no-cache"));
        check(
            b"\xd0\x7a\xbe\x94\x10\x54\xd4\x44\xa8\x20\x05\x95\x04\x0b\x81\x66\xe0\x82\xa6\x2d\x1b\xff",
            Some(b"Mon, 21 Oct 2013 20:13:21 GMT"),
        );
    }

    #[test]
    fn codes_have_their_place_in_the_specification() {
        // RFC 7541, appendix B.
        check(b"\xff\xc7", Some(b"\0"));
        check(b"\xff\xff\xff\xf3", Some(b"\n"));
        check(b"\xff\xff\xff\xfb", Some(b"\x16"));
        check(b"\xff\xff\xff\xdf", Some(b"\xdc"));
        check(b"\xf8", Some(b"&"));
    }

    #[test]
    fn every_octet_is_read_back() {
        let all: Vec<u8> = (0..=255).collect();
        check(&encode(&all), Some(&all));
        for byte in all {
            for text in [&[byte][..], &[byte, b'0'], &[b'&', byte, byte], &[b'a', byte, b'%']] {
                check(&encode(text), Some(text));
            }
        }
    }

    #[test]
    fn padding_is_short_and_of_ones() {
        check(b"", Some(b""));
        check(b"\x07", Some(b"0"));
        check(b"\x06", None);
        check(b"\x07\xff", None);
        check(b"\xff", None);
        check(b"\xff\xff\xff", None);
    }

    #[test]
    fn the_end_of_a_string_is_no_symbol() {
        check(b"\xff\xff\xff\xff", None);
        check(b"\x07\xff\xff\xff\xff", None);
        check(b"\xff\xff\xff\xfc\x07", None);
    }
}
