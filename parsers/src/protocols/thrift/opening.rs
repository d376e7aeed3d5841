//! What a message begins with on the wire: a frame or none, a header or none, and its own head.
//!
//! ```text
//!  unframed   head struct
//!  framed     length head struct
//!  THeader    length magic header head struct      as transformed: behind the header compressed
//! ```
//! No frame is as long as 0x0fff0000 bytes, so that its length is not taken for the magic.

use super::head::Head;
use super::header::{Header, MAGIC};
use super::stop::{Stop, short, u32_be};
use super::transform::{COMPRESSED_LIMIT, Transform};
use crate::reader::Reader;

/// The beginning of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opening<'b> {
    /// The bytes of the whole frame, with its length if that is there; none without a frame, or if
    /// only its content tells where it ends.
    pub(super) frame: Option<u64>,
    /// The length of its frame is not there.
    pub(super) is_bare: bool,
    pub(super) header: Option<Header<'b>>,
    pub(super) body: Body<'b>,
    /// Where the struct stands, or what was made of it.
    pub(super) at: usize,
}

/// The message behind the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body<'b> {
    /// As it was written.
    Plain(Head<'b>),
    /// The beginning of what was compressed.
    Inflated(Vec<u8>),
    /// Transformed in a way that is not undone.
    Unreadable,
}

impl<'b> Opening<'b> {
    /// Reads the beginning of what starts here.
    pub(super) fn read(input: &'b [u8]) -> Result<Self, Stop> {
        match input {
            [] => return Err(short(1)),
            [0x0f] => return Err(short(1)),
            [0x0f, 0xff, ..] => return Self::unframed_header(input),
            [0..=0x0f, ..] => {}
            _ => return Self::unframed(input),
        }
        let mut reader = Reader::new(input);
        let length = u32_be(&mut reader)?;
        let rest = reader.rest();
        match rest {
            [] => return Err(short(1)),
            // Without a frame the length of the name comes first, then the name, which is text.
            [b'a'..=b'z' | b'A'..=b'Z' | b'_', ..] => return Self::unframed(input),
            _ => {}
        }
        let frame = u64::from(length) + 4;
        let within = usize::try_from(length).unwrap_or(usize::MAX).min(rest.len());
        let is_whole = within as u64 + 4 == frame;
        let inside = rest.get(..within).unwrap_or(rest);
        // What a frame ends within will not come.
        let bounded = |stop| match stop {
            Stop::Short(_) if is_whole => Stop::Bad("frame length"),
            stop => stop,
        };
        if inside.first() != MAGIC.first() {
            let head = Head::read(inside).map_err(bounded)?;
            let at = 4 + head.len;
            return Ok(Self {
                frame: Some(frame),
                is_bare: false,
                header: None,
                body: Body::Plain(head),
                at,
            });
        }
        let header = Header::read(inside, length.into()).map_err(bounded)?;
        let at = 4 + header.len;
        let behind = inside.get(header.len..).unwrap_or_default();
        let (body, at) = match header.transform {
            None => {
                let head = Head::read(behind).map_err(bounded)?;
                (Body::Plain(head), at + head.len)
            }
            Some(Transform::Unknown) => (Body::Unreadable, at),
            Some(transform) => {
                if !is_whole && behind.len() < COMPRESSED_LIMIT {
                    let left = frame.saturating_sub((at + behind.len()) as u64);
                    let left = usize::try_from(left).unwrap_or(usize::MAX);
                    return Err(short(left.min(COMPRESSED_LIMIT - behind.len())));
                }
                let looked_at = behind.get(..COMPRESSED_LIMIT).unwrap_or(behind);
                let plain = transform.inflated(looked_at);
                match Head::read(&plain) {
                    Ok(_) => (Body::Inflated(plain), at),
                    Err(_) => (Body::Unreadable, at),
                }
            }
        };
        Ok(Self { frame: Some(frame), is_bare: false, header: Some(header), body, at })
    }

    /// A header whose frame's length is not there, as some write that into a segment of its own, which
    /// may be lost. What it holds says where it ends, also what was compressed.
    fn unframed_header(input: &'b [u8]) -> Result<Self, Stop> {
        let header = Header::read(input, u64::MAX)?;
        if header.trailer > 0 {
            return Err(Stop::Bad("frame length"));
        }
        let behind = input.get(header.len..).unwrap_or_default();
        let Some(transform) = header.transform else {
            let head = Head::read(behind)?;
            let at = header.len + head.len;
            let body = Body::Plain(head);
            return Ok(Self { frame: None, is_bare: true, header: Some(header), body, at });
        };
        let shown = behind.get(..COMPRESSED_LIMIT).unwrap_or(behind);
        let end = transform.end(shown).map_err(|stop| match stop {
            Stop::Short(_) if shown.len() == COMPRESSED_LIMIT => Stop::Bad("frame length"),
            stop => stop,
        })?;
        let plain = transform.inflated(shown.get(..end).unwrap_or(shown));
        if Head::read(&plain).is_err() {
            return Err(Stop::Bad("message"));
        }
        Ok(Self {
            frame: Some((header.len + end) as u64),
            is_bare: true,
            header: Some(header),
            body: Body::Inflated(plain),
            at: header.len,
        })
    }

    fn unframed(input: &'b [u8]) -> Result<Self, Stop> {
        let head = Head::read(input)?;
        Ok(Self {
            frame: None,
            is_bare: false,
            header: None,
            at: head.len,
            body: Body::Plain(head),
        })
    }

    /// The bytes of the whole frame that starts here, with its length, if one does and no more is
    /// known of it than that.
    pub(super) fn frame(input: &[u8]) -> Option<u64> {
        match input {
            [0x0f, 0xff, ..] => None,
            [0..=0x0f, _, _, _] => Reader::new(input).u32_be().map(|length| u64::from(length) + 4),
            [0..=0x0f, _, _, _, 0 | 0x0f | 0x80 | 0x82 | b'[', ..] => {
                Reader::new(input).u32_be().map(|length| u64::from(length) + 4)
            }
            _ => None,
        }
    }

    /// What the transport is called in the output.
    pub(super) fn transport(&self) -> &'static str {
        match (self.frame, self.header) {
            (_, Some(_)) => "header",
            (Some(_), None) => "framed",
            (None, None) => "buffered",
        }
    }
}
