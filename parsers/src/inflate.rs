//! Content codings taken off: pieces of a body as it is on the wire in, its content out.
//!
//! Read are gzip (RFC 1952), deflate (RFC 1950, and RFC 1951 alone, as some send it), br (RFC 7932)
//! and zstd (RFC 8878), also two of them one in the other. Nothing is kept but the windows that
//! they need, and what comes out is bounded: a few bytes may stand for very many.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::{Crc, Decompress, FlushDecompress, Status};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use zstd::stream::raw::{DParameter, Decoder as Zstandard, InBuffer, Operation, OutBuffer};

/// One coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// `gzip`, `x-gzip`.
    Gzip,
    /// `deflate`: the format of zlib, or what that holds alone.
    Deflate,
    /// `br`.
    Brotli,
    /// `zstd`.
    Zstd,
}

impl Coding {
    /// By its name in HTTP (RFC 9110 section 8.4.1), in any case.
    #[must_use]
    pub fn of(name: &[u8]) -> Option<Self> {
        let named = |known: &&(&[u8], Self)| known.0.eq_ignore_ascii_case(name);
        NAMES.iter().find(named).map(|(_, coding)| *coding)
    }
}

/// The codings of a body, in the order in which they were applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Codings {
    known: SmallVec<[Coding; MOST]>,
    /// There is one that is not known, or there are too many.
    unknown: bool,
}

impl Codings {
    /// Adds those of the value of a header, such as `gzip` or `gzip, br`. `identity`, and
    /// `chunked`, which is no coding of the content, are none.
    pub fn add(&mut self, value: &[u8]) {
        for name in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            let is_none = |none: &&[u8]| none.eq_ignore_ascii_case(name);
            if [&b""[..], b"identity", b"chunked"].iter().any(is_none) {
                continue;
            }
            match Coding::of(name) {
                Some(coding) if self.known.len() < MOST => self.known.push(coding),
                _ => self.unknown = true,
            }
        }
    }

    /// Whether the body is its content.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty() && !self.unknown
    }

    /// Whether its content can be had.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        !self.unknown
    }

    /// What takes them off, if all are known and there are any.
    #[must_use]
    pub fn inflater(&self) -> Option<Inflater> {
        if self.unknown || self.known.is_empty() {
            return None;
        }
        let stages = self.known.iter().rev().map(|coding| Stage::of(*coding)).collect();
        Some(Inflater {
            stages,
            taken: 0,
            given: 0,
            between: 0,
            state: Inflated::Going,
            held: Share::default(),
        })
    }
}

/// How far an [`Inflater`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inflated {
    /// More is awaited.
    Going,
    /// The content is whole, if nothing more comes that is some.
    Whole,
    /// The bytes are none of this coding.
    Failed,
    /// There is more than a limit allows.
    Capped,
}

impl Inflated {
    /// What is said of a body whose content is not whole, given that nothing more of it comes.
    #[must_use]
    pub fn flaw(self) -> Option<&'static str> {
        match self {
            Self::Going => Some("truncated"),
            Self::Whole => None,
            Self::Failed => Some("failed"),
            Self::Capped => Some("capped"),
        }
    }
}

/// How many bytes may come of so many, of however many bodies. How much comes of how little is
/// looked at only where it is much.
#[must_use]
pub fn most_of(taken: u64) -> u64 {
    FREE.max(taken.saturating_mul(RATIO))
}

/// Memory of the windows of many inflaters, and how much of it they may take together; those of all
/// protocols and shards are in the one of the run's settings.
#[derive(Clone, Debug, Default)]
pub struct Room(Arc<AtomicUsize>);

impl Room {
    /// Takes so much of it, if it is there.
    #[must_use]
    pub fn take(&self, bytes: usize) -> Option<Share> {
        let mut share = Share { room: Some(self.clone()), bytes: 0 };
        share.take(bytes).then_some(share)
    }

    /// Bytes of it that are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The part of a [`Room`] that somebody has; given back as this goes.
#[derive(Debug, Default)]
pub struct Share {
    room: Option<Room>,
    bytes: usize,
}

impl Share {
    /// Takes so much more; whether it is there.
    fn take(&mut self, bytes: usize) -> bool {
        if let Some(Room(taken)) = &self.room {
            if taken.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) > ROOM {
                taken.fetch_sub(bytes, Ordering::Relaxed);
                return false;
            }
            self.bytes += bytes;
        }
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some(Room(taken)) = &self.room {
            taken.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

/// Takes the codings off one body.
#[derive(Debug)]
pub struct Inflater {
    /// The coding that was applied last is taken off first.
    stages: SmallVec<[Stage; 1]>,
    taken: u64,
    given: u64,
    /// Bytes that went from one stage to the other.
    between: u64,
    state: Inflated,
    held: Share,
}

impl Inflater {
    /// For the value of a `Content-Encoding`, if that names codings and all of them are known.
    #[must_use]
    pub fn of(coding: &[u8]) -> Option<Self> {
        let mut codings = Codings::default();
        codings.add(coding);
        codings.inflater()
    }

    /// Takes the memory of its windows from what it shares with others.
    #[must_use]
    pub fn within(mut self, room: &Room) -> Self {
        self.held.room = Some(room.clone());
        self
    }

    /// Takes the next bytes of the body, and gives what they hold, in pieces.
    pub fn push(&mut self, bytes: &[u8], give: &mut dyn FnMut(&[u8])) -> Inflated {
        self.taken = self.taken.saturating_add(bytes.len() as u64);
        if bytes.is_empty() || matches!(self.state, Inflated::Failed | Inflated::Capped) {
            return self.state;
        }
        let (taken, given) = (self.taken, &mut self.given);
        let mut capped = false;
        let mut bounded = |piece: &[u8]| {
            let most = most_of(taken).min(CONTENT);
            let room = usize::try_from(most.saturating_sub(*given)).unwrap_or(usize::MAX);
            let piece = match piece.get(..room) {
                Some(first) if first.len() < piece.len() => {
                    capped = true;
                    first
                }
                _ => piece,
            };
            *given += piece.len() as u64;
            if !piece.is_empty() {
                give(piece);
            }
            !capped
        };
        self.state = match self.stages.as_mut_slice() {
            [only] => only.push(bytes, &mut self.held, &mut bounded),
            [outer, inner] => {
                let held = &mut self.held;
                // The inner one needs room of its own, which it takes of the same.
                let mut after = self.state;
                let mut within = Share { room: held.room.clone(), bytes: 0 };
                let between = &mut self.between;
                let before = outer.push(bytes, held, &mut |piece| {
                    *between += piece.len() as u64;
                    after = inner.push(piece, &mut within, &mut bounded);
                    // Behind what is whole, there may be much that says nothing.
                    let fits = *between <= most_of(taken).min(CONTENT);
                    fits && matches!(after, Inflated::Going | Inflated::Whole)
                });
                held.bytes += std::mem::take(&mut within.bytes);
                match (before, after) {
                    (_, Inflated::Failed | Inflated::Capped) => after,
                    (Inflated::Failed | Inflated::Capped, _) => before,
                    _ => after,
                }
            }
            _ => Inflated::Failed,
        };
        if capped {
            self.state = Inflated::Capped;
        }
        if matches!(self.state, Inflated::Failed | Inflated::Capped) {
            // What is not needed any more is let go.
            self.stages.clear();
            self.held = Share::default();
        }
        self.state
    }

    /// How far it has come.
    #[must_use]
    pub fn state(&self) -> Inflated {
        self.state
    }

    /// Bytes of content that it has given.
    #[must_use]
    pub fn given(&self) -> u64 {
        self.given
    }
}

/// Where a stage gives what it has; says whether more is wanted.
pub type Give<'a> = dyn FnMut(&[u8]) -> bool + 'a;

/// What takes one coding off.
enum Stage {
    Gzip(Gzip),
    Deflate(Deflate),
    Brotli(Option<Box<Brotli>>),
    Zstd(Zstd),
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Gzip(_) => "gzip",
            Self::Deflate(_) => "deflate",
            Self::Brotli(_) => "br",
            Self::Zstd(_) => "zstd",
        })
    }
}

impl Stage {
    fn of(coding: Coding) -> Self {
        match coding {
            Coding::Gzip => Self::Gzip(Gzip::default()),
            Coding::Deflate => Self::Deflate(Deflate::default()),
            Coding::Brotli => Self::Brotli(None),
            Coding::Zstd => Self::Zstd(Zstd { head: SmallVec::new(), decoder: None }),
        }
    }

    fn push(&mut self, bytes: &[u8], held: &mut Share, give: &mut Give<'_>) -> Inflated {
        match self {
            Self::Gzip(gzip) => gzip.push(bytes, held, give),
            Self::Deflate(deflate) => deflate.push(bytes, held, give),
            Self::Brotli(brotli) => match (brotli.as_mut(), bytes.first()) {
                (Some(brotli), _) => brotli.push(bytes, give),
                (None, None) => Inflated::Going,
                (None, Some(first)) => {
                    if !held.take(brotli_window(*first)) {
                        return Inflated::Capped;
                    }
                    brotli.insert(Brotli::new()).push(bytes, give)
                }
            },
            Self::Zstd(zstd) => zstd.push(bytes, held, give),
        }
    }
}

/// An inflater of RFC 1951, or of zlib around it. It goes on as long as bytes come, whatever they
/// hold: who uses it bounds that.
#[derive(Debug)]
pub struct Flate(Box<Decompress>);

impl Flate {
    /// For RFC 1951 alone.
    #[must_use]
    pub fn raw() -> Self {
        Self(Box::new(Decompress::new(false)))
    }

    /// For RFC 1950.
    #[must_use]
    pub fn zlib() -> Self {
        Self(Box::new(Decompress::new(true)))
    }

    /// Begins anew, for RFC 1951 alone.
    fn restart(&mut self) {
        self.0.reset(false);
    }

    /// Takes bytes until they are all used or the content ends; says how many, and whether it did.
    /// `give` says whether it wants more.
    ///
    /// # Errors
    /// [`Inflated::Failed`] if the bytes are none of this format, [`Inflated::Capped`] if no more
    /// was wanted.
    pub fn push(&mut self, bytes: &[u8], give: &mut Give<'_>) -> Result<(usize, bool), Inflated> {
        let mut piece = [0; PIECE];
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            let (taken, given) = (self.0.total_in(), self.0.total_out());
            let status = self.0.decompress(rest, &mut piece, FlushDecompress::None);
            let status = status.map_err(|_| Inflated::Failed)?;
            let taken = usize::try_from(self.0.total_in() - taken).unwrap_or(usize::MAX);
            let given = usize::try_from(self.0.total_out() - given).unwrap_or(usize::MAX);
            used += taken;
            if given > 0 && !give(piece.get(..given).unwrap_or_default()) {
                return Err(Inflated::Capped);
            }
            match status {
                Status::StreamEnd => return Ok((used, true)),
                // Where its ring of 32 KiB is full, it holds back what fits a piece, and gives that
                // only when it is asked again.
                _ if given == 0 && (taken == 0 || used >= bytes.len()) => {
                    return Ok((used, false));
                }
                _ => {}
            }
        }
    }
}

/// `deflate`, whichever of its two forms it is.
#[derive(Default)]
struct Deflate {
    /// The first byte, until the second one is there.
    first: Option<u8>,
    inflate: Option<Flate>,
    ended: bool,
}

impl Deflate {
    fn push(&mut self, bytes: &[u8], held: &mut Share, give: &mut Give<'_>) -> Inflated {
        if self.ended {
            return Inflated::Whole;
        }
        let first = self.first;
        let inflate = match &mut self.inflate {
            Some(inflate) => inflate,
            None => {
                let (first, second) = match (first, bytes) {
                    (_, []) => return Inflated::Going,
                    (None, [first]) => {
                        self.first = Some(*first);
                        return Inflated::Going;
                    }
                    (None, [first, second, ..]) => (*first, *second),
                    (Some(first), [second, ..]) => (first, *second),
                };
                if !held.take(FLATE_WINDOW) {
                    return Inflated::Capped;
                }
                // RFC 1950 section 2.2: both bytes are a multiple of 31, the method is 8.
                let sum = u16::from(first) << 8 | u16::from(second);
                let is_zlib = sum.is_multiple_of(31) && first & 0x8f == 0x08;
                self.inflate.insert(if is_zlib { Flate::zlib() } else { Flate::raw() })
            }
        };
        let ended = &mut self.ended;
        let mut push = |bytes: &[u8]| match inflate.push(bytes, give) {
            Ok((_, over)) => {
                *ended = over;
                if over { Inflated::Whole } else { Inflated::Going }
            }
            Err(state) => state,
        };
        if let Some(first) = self.first.take() {
            let state = push(&[first]);
            if state != Inflated::Going {
                return state;
            }
        }
        push(bytes)
    }
}

/// `gzip`: members, each with a header and a sum (RFC 1952).
#[derive(Default)]
struct Gzip {
    at: Part,
    flags: u8,
    /// Bytes of the present part that are there, or are left of it.
    count: u16,
    /// What of an extra field's length or of the sums has come.
    number: u64,
    inflate: Option<Flate>,
    sum: Crc,
    members: u16,
}

/// A part of a member.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Fixed,
    ExtraLength,
    Extra,
    Name,
    Comment,
    HeaderSum,
    Content,
    Sums,
    /// A member is over; another one may follow.
    Over,
    /// Something else followed.
    End,
}

impl Gzip {
    fn push(&mut self, bytes: &[u8], held: &mut Share, give: &mut Give<'_>) -> Inflated {
        let mut rest = bytes;
        loop {
            if self.at == Part::Over {
                // Section 2.2: members may follow on each other. Anything else says nothing.
                match rest.first() {
                    Some(0x1f) => (self.at, self.count) = (Part::Fixed, 0),
                    Some(_) => self.at = Part::End,
                    None => return Inflated::Whole,
                }
            }
            if self.at == Part::End {
                return Inflated::Whole;
            }
            if self.at == Part::Content {
                let Some(inflate) = &mut self.inflate else { return Inflated::Failed };
                let sum = &mut self.sum;
                let pushed = inflate.push(rest, &mut |piece| {
                    sum.update(piece);
                    give(piece)
                });
                match pushed {
                    Ok((used, true)) => {
                        rest = rest.get(used..).unwrap_or_default();
                        (self.at, self.count, self.number) = (Part::Sums, 0, 0);
                    }
                    Ok((_, false)) => return Inflated::Going,
                    Err(state) => return state,
                }
            }
            let Some((byte, after)) = rest.split_first() else { break };
            rest = after;
            if let Some(state) = self.head_or_sums(*byte, held) {
                return state;
            }
        }
        Inflated::Going
    }

    /// Takes a byte of a header (section 2.3), or of the sums behind the content.
    fn head_or_sums(&mut self, byte: u8, held: &mut Share) -> Option<Inflated> {
        self.count += 1;
        match self.at {
            Part::Fixed => {
                let fits = match self.count {
                    1 => byte == 0x1f,
                    2 => byte == 0x8b,
                    3 => byte == 8,
                    4 => byte & 0xe0 == 0,
                    _ => true,
                };
                if !fits {
                    return Some(Inflated::Failed);
                }
                if self.count == 4 {
                    self.flags = byte;
                }
                if self.count == 10 {
                    return self.next(Part::ExtraLength, held);
                }
            }
            Part::ExtraLength => {
                self.number |= u64::from(byte) << (8 * (self.count - 1));
                if self.count == 2 {
                    self.at = Part::Extra;
                    self.count = 0;
                    if self.number == 0 {
                        return self.next(Part::Name, held);
                    }
                }
            }
            Part::Extra => {
                if u64::from(self.count) >= self.number {
                    return self.next(Part::Name, held);
                }
            }
            Part::Name | Part::Comment => {
                let next = if self.at == Part::Name { Part::Comment } else { Part::HeaderSum };
                if byte == 0 {
                    return self.next(next, held);
                }
                if self.count >= NAME {
                    return Some(Inflated::Capped);
                }
            }
            Part::HeaderSum => {
                if self.count == 2 {
                    return self.next(Part::Content, held);
                }
            }
            Part::Sums => {
                self.number |= u64::from(byte) << (8 * (self.count - 1));
                if self.count == 8 {
                    let sums = u64::from(self.sum.amount()) << 32 | u64::from(self.sum.sum());
                    if self.number != sums {
                        return Some(Inflated::Failed);
                    }
                    self.at = Part::Over;
                }
            }
            Part::Content | Part::Over | Part::End => {}
        }
        None
    }

    /// Goes to the first part from this one on that there is.
    fn next(&mut self, from: Part, held: &mut Share) -> Option<Inflated> {
        (self.count, self.number) = (0, 0);
        for (part, flag) in [
            (Part::ExtraLength, 0x04),
            (Part::Name, 0x08),
            (Part::Comment, 0x10),
            (Part::HeaderSum, 0x02),
        ] {
            if part as u8 >= from as u8 && self.flags & flag != 0 {
                self.at = part;
                return None;
            }
        }
        self.at = Part::Content;
        self.sum = Crc::new();
        self.members += 1;
        match &mut self.inflate {
            // Each is some work, however short it is.
            Some(_) if self.members > MEMBERS => return Some(Inflated::Capped),
            Some(inflate) => inflate.restart(),
            None if held.take(FLATE_WINDOW) => self.inflate = Some(Flate::raw()),
            None => return Some(Inflated::Capped),
        }
        None
    }
}

/// `br`.
struct Brotli {
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    ended: bool,
}

impl Brotli {
    fn new() -> Box<Self> {
        let alloc = StandardAlloc::default;
        // Windows beyond those of RFC 7932 are not taken.
        let state = BrotliState::new_strict(alloc(), alloc(), alloc());
        Box::new(Self { state, ended: false })
    }

    fn push(&mut self, bytes: &[u8], give: &mut Give<'_>) -> Inflated {
        let mut piece = [0; PIECE];
        let (mut left, mut used, mut total) = (bytes.len(), 0, 0);
        if self.ended {
            return Inflated::Whole;
        }
        loop {
            let (mut room, mut given) = (piece.len(), 0);
            let result = BrotliDecompressStream(
                &mut left,
                &mut used,
                bytes,
                &mut room,
                &mut given,
                &mut piece,
                &mut total,
                &mut self.state,
            );
            if given > 0 && !give(piece.get(..given).unwrap_or_default()) {
                return Inflated::Capped;
            }
            match result {
                BrotliResult::NeedsMoreOutput => {}
                // It says so too where it holds more than fits a piece.
                BrotliResult::NeedsMoreInput if given == PIECE => {}
                BrotliResult::NeedsMoreInput => return Inflated::Going,
                BrotliResult::ResultSuccess => {
                    self.ended = true;
                    return Inflated::Whole;
                }
                BrotliResult::ResultFailure => return Inflated::Failed,
            }
        }
    }
}

/// Memory of a window, as the first byte of a stream says (RFC 7932 section 9.1).
fn brotli_window(first: u8) -> usize {
    let bits = match first {
        _ if first & 1 == 0 => 16,
        _ if first & 0x0e != 0 => 17 + usize::from(first >> 1 & 7),
        _ if first & 0x70 == 0 => 17,
        // 1 stands for larger windows, which are refused.
        _ => 8 + usize::from(first >> 4 & 7),
    };
    (1 << bits) + BROTLI_STATE
}

/// `zstd`.
struct Zstd {
    /// What of the header has come, until it says how large the window is.
    head: SmallVec<[u8; ZSTD_HEAD]>,
    decoder: Option<Zstandard<'static>>,
}

impl Zstd {
    fn push(&mut self, bytes: &[u8], held: &mut Share, give: &mut Give<'_>) -> Inflated {
        if self.decoder.is_some() {
            return self.decode(bytes, give);
        }
        let missing = ZSTD_HEAD - self.head.len();
        let (head, rest) = bytes.split_at(bytes.len().min(missing));
        self.head.extend_from_slice(head);
        let Some(window) = zstd_window(&self.head) else { return Inflated::Going };
        if !held.take(window) {
            return Inflated::Capped;
        }
        let decoder = Zstandard::new().and_then(|mut decoder| {
            decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG))?;
            Ok(decoder)
        });
        let Ok(decoder) = decoder else { return Inflated::Failed };
        self.decoder = Some(decoder);
        let head = std::mem::take(&mut self.head);
        match self.decode(&head, give) {
            // A frame may be over with what was taken for a head.
            Inflated::Going | Inflated::Whole if !rest.is_empty() => self.decode(rest, give),
            state => state,
        }
    }

    fn decode(&mut self, bytes: &[u8], give: &mut Give<'_>) -> Inflated {
        let Some(decoder) = &mut self.decoder else { return Inflated::Failed };
        let mut piece = [0; PIECE];
        let mut input = InBuffer::around(bytes);
        loop {
            let mut output = OutBuffer::around(&mut piece[..]);
            let before = input.pos();
            let Ok(hint) = decoder.run(&mut input, &mut output) else { return Inflated::Failed };
            let given = output.pos();
            let shown = piece.get(..given).unwrap_or_default();
            if given > 0 && !give(shown) {
                return Inflated::Capped;
            }
            // 0 says that a frame is over; another one may follow (section 3).
            if hint == 0 && input.pos() >= bytes.len() {
                return Inflated::Whole;
            }
            if given < PIECE && (input.pos() >= bytes.len() || (input.pos(), given) == (before, 0))
            {
                return Inflated::Going;
            }
        }
    }
}

/// Memory of a window, as the header of a frame says; none as long as that is not there
/// (RFC 8878 section 3.1.1.1).
fn zstd_window(head: &[u8]) -> Option<usize> {
    let descriptor = *head.get(4)?;
    if descriptor & 0x20 == 0 {
        let window = *head.get(5)?;
        let base = 1_u64.checked_shl(10 + u32::from(window >> 3))?;
        let size = base + (base >> 3) * u64::from(window & 7);
        return Some(usize::try_from(size.min(ZSTD_LARGEST)).unwrap_or(0) + ZSTD_STATE);
    }
    // The window is as large as the content.
    let number = [0, 1, 2, 4].get(usize::from(descriptor & 3)).copied().unwrap_or(0);
    let at = 5 + number;
    let bytes = match descriptor >> 6 {
        0 => 1,
        1 => 2,
        2 => 4,
        _ => 8,
    };
    let size = head.get(at..at + bytes)?;
    let size = size.iter().rev().fold(0_u64, |size, byte| size << 8 | u64::from(*byte));
    Some(usize::try_from(size.min(ZSTD_LARGEST)).unwrap_or(0) + ZSTD_STATE)
}

const NAMES: &[(&[u8], Coding)] = &[
    (b"gzip", Coding::Gzip),
    (b"x-gzip", Coding::Gzip),
    (b"deflate", Coding::Deflate),
    (b"br", Coding::Brotli),
    (b"zstd", Coding::Zstd),
];

/// Codings of one body, one in the other, that are taken off.
const MOST: usize = 2;
/// Bytes of content that are given of one body.
pub const CONTENT: u64 = 16 << 20;
/// Bytes of content that may come of one byte, once there are more than `FREE`.
const RATIO: u64 = 256;
const FREE: u64 = 1 << 20;
/// Members of gzip in one body.
const MEMBERS: u16 = 1024;
/// Bytes of windows of all inflaters of a [`Room`].
pub const ROOM: usize = 64 << 20;
/// Bytes that are given at a time.
const PIECE: usize = 8 << 10;
/// The longest name or comment of a gzip header, in bytes.
const NAME: u16 = 4 << 10;
/// Memory of a [`Flate`].
pub const FLATE_WINDOW: usize = 44 << 10;
/// Memory of the others beside their windows.
const BROTLI_STATE: usize = 64 << 10;
const ZSTD_STATE: usize = 160 << 10;
/// RFC 9659: windows of content are no larger than 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;
const ZSTD_LARGEST: u64 = 8 << 20;
/// The longest header of a frame, its magic number included.
const ZSTD_HEAD: usize = 18;

#[cfg(test)]
mod tests;
