//! Compressed packets: their heads, what is within them, and what is written of it.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_compression_packet.html>.
//! Packets lie in them as in a stream: one may begin in a compressed packet and end in another.

use super::packet::{Stop, number, short};
use crate::message::{Attribute, Message, Side, Status};
use crate::protocol::{Inner, Key, Out};
use crate::trace_context::TraceContext;
use flate2::{Decompress, FlushDecompress, Status as Flow};
use std::ops::Range;
use zstd::stream::raw::{Decoder, Operation};

/// What is within the compressed packets of one side.
#[derive(Debug, Default)]
pub(super) struct Compressed {
    /// The start of a packet whose rest is in the next compressed one.
    pub(super) waiting: Vec<u8>,
    /// Bytes that are passed over.
    pub(super) skip: u64,
    /// Where packets begin is not known.
    pub(super) lost: bool,
}

/// What stands before each compressed payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Bytes of the payload.
    pub(super) len: usize,
    pub(super) sequence: u8,
    /// Bytes of it once decompressed.
    pub(super) plain: usize,
    /// It is not compressed, as it was not worth it.
    pub(super) stored: bool,
}

impl Frame {
    pub(super) fn read(input: &[u8]) -> Result<Self, Stop> {
        let Some([a, b, c, sequence, d, e, f]) = input.first_chunk::<FRAME>() else {
            return Err(short(FRAME.saturating_sub(input.len())));
        };
        let (len, plain) = (number(&[*a, *b, *c]), number(&[*d, *e, *f]));
        let stored = plain == 0;
        Ok(Self { len, sequence: *sequence, plain: if stored { len } else { plain }, stored })
    }
}

/// Decompresses one payload after another; what that needs is made once.
#[derive(Default)]
pub(super) struct Decompressor {
    zlib: Option<Decompress>,
    zstd: Option<Decoder<'static>>,
}

impl Decompressor {
    /// Decompresses what there is of a payload, at most `plain` bytes; the first bytes tell how.
    pub(super) fn read(
        &mut self,
        payload: &[u8],
        plain: usize,
        into: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        into.clear();
        let limit = plain.min(payload.len().saturating_mul(RATIO).saturating_add(RATIO));
        if !payload.starts_with(ZSTD_MAGIC) {
            let inflater = self.zlib.get_or_insert_with(|| Decompress::new(true));
            inflater.reset(true);
            return inflate(inflater, payload, limit, into);
        }
        let decoder = match &mut self.zstd {
            Some(decoder) => decoder,
            none => none.insert(Decoder::new().map_err(|_| BAD)?),
        };
        decoder.reinit().map_err(|_| BAD)?;
        unzstd(decoder, payload, limit, into)
    }
}

fn inflate(
    inflater: &mut Decompress,
    payload: &[u8],
    limit: usize,
    into: &mut Vec<u8>,
) -> Result<(), Stop> {
    let mut at = 0;
    while into.len() < limit {
        let room = grow(into, limit);
        let rest = payload.get(at..).unwrap_or_default();
        let (read, written) = (inflater.total_in(), inflater.total_out());
        let (from, whole) = (into.len() - room, into.len());
        let target = into.get_mut(from..).unwrap_or_default();
        let flow = inflater.decompress(rest, target, FlushDecompress::None);
        let flow = flow.map_err(|_| BAD)?;
        let (read, written) = (inflater.total_in() - read, inflater.total_out() - written);
        at += usize::try_from(read).unwrap_or_default();
        into.truncate(whole - room + usize::try_from(written).unwrap_or_default());
        if flow == Flow::StreamEnd || (read == 0 && written == 0) {
            break;
        }
    }
    Ok(())
}

fn unzstd(
    decoder: &mut Decoder<'static>,
    payload: &[u8],
    limit: usize,
    into: &mut Vec<u8>,
) -> Result<(), Stop> {
    let mut at = 0;
    while into.len() < limit {
        let room = grow(into, limit);
        let rest = payload.get(at..).unwrap_or_default();
        let (from, whole) = (into.len() - room, into.len());
        let target = into.get_mut(from..).unwrap_or_default();
        let flow = decoder.run_on_buffers(rest, target).map_err(|_| BAD)?;
        at += flow.bytes_read;
        into.truncate(whole - room + flow.bytes_written);
        if flow.remaining == 0 || (flow.bytes_read == 0 && flow.bytes_written == 0) {
            break;
        }
    }
    Ok(())
}

/// Makes room for more bytes, and says for how many.
fn grow(into: &mut Vec<u8>, limit: usize) -> usize {
    let room = into.len().max(PIECE).min(limit - into.len());
    into.resize(into.len() + room, 0);
    room
}

/// Writes what is within a compressed packet: all of it stands where that packet does.
pub(super) struct Within<'o> {
    pub(super) out: &'o mut dyn Out,
    /// Bytes of the input that the packet has there.
    pub(super) end: usize,
    /// Where its payload stands, if it is told what is secret.
    pub(super) secret: Option<Range<u64>>,
}

impl Within<'_> {
    /// The payload belongs to this message too.
    pub(super) fn tell_secret(&mut self, key: Key) {
        if let Some(secret) = self.secret.clone().filter(|secret| !secret.is_empty()) {
            self.out.secret(key, secret);
        }
    }
}

impl Out for Within<'_> {
    fn open(&mut self, message: Message<'_>) -> Key {
        let key = self.out.open(Message { bytes: 0..self.end, ..message });
        self.tell_secret(key);
        key
    }

    fn wants(&self, key: Key) -> usize {
        self.out.wants(key)
    }

    fn reads_bodies(&self) -> bool {
        self.out.reads_bodies()
    }

    fn wants_details(&self) -> bool {
        self.out.wants_details()
    }

    fn add(&mut self, key: Key, attribute: Attribute<'_>) {
        self.out.add(key, attribute);
    }

    fn context(&mut self, key: Key, context: &TraceContext<'_>) {
        self.out.context(key, context);
    }

    fn status(&mut self, key: Key, status: Status<'_>) {
        self.out.status(key, status);
    }

    fn secret(&mut self, _key: Key, _bytes: Range<u64>) {
        // The whole payload is, once compressed.
    }

    fn body(&mut self, key: Key, bytes: &[u8]) {
        self.out.body(key, bytes);
    }

    fn extend(&mut self, key: Key, _end: usize) {
        self.out.extend(key, self.end);
    }

    fn close(&mut self, key: Key, _end: usize) {
        self.out.close(key, self.end);
    }

    fn inner(&mut self, lane: u64, from: Side, event: Inner<'_>) {
        self.out.inner(lane, from, event);
    }

    fn lost(&mut self, what: &'static str) {
        self.out.lost(what);
    }
}

const BAD: Stop = Stop::Bad("compressed payload");

/// Bytes before each compressed payload.
pub(super) const FRAME: usize = 7;

/// Compressed payloads are awaited up to here; of what is longer, the rest is passed over.
pub(super) const PAYLOAD_LIMIT: usize = 256 << 10;

/// What nobody compresses as well as that is not what it says.
const RATIO: usize = 2048;

const PIECE: usize = 16 << 10;

/// RFC 8878, section 3.1.1.
const ZSTD_MAGIC: &[u8] = b"\x28\xb5\x2f\xfd";
