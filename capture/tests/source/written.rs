//! Writes captures of every kind, and reads them back to something that can be compared.

use std::io::Write;
use std::path::{Path, PathBuf};
use wirespan_capture::packet::Batch;
use wirespan_capture::source::file::FileSource;
use wirespan_capture::source::report::SourceReport;
use wirespan_capture::source::{Fill, PacketSource};

/// Time in nanoseconds, interface, frame number, length on the wire, bytes.
pub(crate) type Read = (i64, u16, u64, u32, Vec<u8>);

pub(crate) fn order(big: bool, value: u32) -> [u8; 4] {
    if big { value.to_be_bytes() } else { value.to_le_bytes() }
}

pub(crate) fn order16(big: bool, value: u16) -> [u8; 2] {
    if big { value.to_be_bytes() } else { value.to_le_bytes() }
}

/// The header of a classic file, version 2.4.
pub(crate) fn pcap_header(big: bool, magic: u32, link: u32) -> Vec<u8> {
    let mut out = order(big, magic).to_vec();
    out.extend(order16(big, 2));
    out.extend(order16(big, 4));
    out.extend([0; 8]);
    out.extend(order(big, 262_144));
    out.extend(order(big, link));
    out
}

pub(crate) fn record(big: bool, seconds: u32, fraction: u32, wire: u32, bytes: &[u8]) -> Vec<u8> {
    let captured = u32::try_from(bytes.len()).unwrap();
    let fields = [seconds, fraction, captured, wire];
    let mut out: Vec<u8> = fields.iter().flat_map(|field| order(big, *field)).collect();
    out.extend(bytes);
    out
}

/// A classic file with one packet per entry: seconds and bytes.
pub(crate) fn pcap(packets: &[(u32, &[u8])]) -> Vec<u8> {
    let mut out = pcap_header(false, 0xa1b2_c3d4, 1);
    for (seconds, bytes) in packets {
        out.extend(record(false, *seconds, 0, u32::try_from(bytes.len()).unwrap(), bytes));
    }
    out
}

pub(crate) fn block(big: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let len = u32::try_from(padded + 12).unwrap();
    let mut out = order(big, kind).to_vec();
    out.extend(order(big, len));
    out.extend(body);
    out.resize(padded + 8, 0);
    out.extend(order(big, len));
    out
}

pub(crate) fn section(big: bool) -> Vec<u8> {
    let mut body = order(big, 0x1a2b_3c4d).to_vec();
    body.extend(order16(big, 1));
    body.extend(order16(big, 0));
    body.extend([0xff; 8]);
    block(big, 0x0a0d_0d0a, &body)
}

pub(crate) fn option(big: bool, code: u16, value: &[u8]) -> Vec<u8> {
    let mut out = order16(big, code).to_vec();
    out.extend(order16(big, u16::try_from(value.len()).unwrap()));
    out.extend(value);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

pub(crate) fn interface(big: bool, link: u16, snaplen: u32, options: &[u8]) -> Vec<u8> {
    let mut body = order16(big, link).to_vec();
    body.extend([0; 2]);
    body.extend(order(big, snaplen));
    body.extend(options);
    if !options.is_empty() {
        body.extend([0; 4]);
    }
    block(big, 1, &body)
}

pub(crate) fn enhanced(big: bool, interface: u32, stamp: u64, wire: u32, bytes: &[u8]) -> Vec<u8> {
    let mut body = order(big, interface).to_vec();
    body.extend(packet_body(big, stamp, wire, bytes));
    block(big, 6, &body)
}

pub(crate) fn obsolete(big: bool, interface: u16, stamp: u64, wire: u32, bytes: &[u8]) -> Vec<u8> {
    let mut body = order16(big, interface).to_vec();
    body.extend(order16(big, 0xffff));
    body.extend(packet_body(big, stamp, wire, bytes));
    block(big, 2, &body)
}

pub(crate) fn simple(big: bool, wire: u32, bytes: &[u8]) -> Vec<u8> {
    let mut body = order(big, wire).to_vec();
    body.extend(bytes);
    block(big, 3, &body)
}

fn packet_body(big: bool, stamp: u64, wire: u32, bytes: &[u8]) -> Vec<u8> {
    let captured = u32::try_from(bytes.len()).unwrap();
    let high = u32::try_from(stamp >> 32).unwrap();
    let low = u32::try_from(stamp & 0xffff_ffff).unwrap();
    let mut out: Vec<u8> =
        [high, low, captured, wire].iter().flat_map(|field| order(big, *field)).collect();
    out.extend(bytes);
    out
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).unwrap()
}

pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// All packets of a source.
pub(crate) fn read_all(source: &mut dyn PacketSource) -> Vec<Read> {
    let mut batch = Batch::default();
    let mut packets = Vec::new();
    loop {
        let fill = source.fill(&mut batch).unwrap();
        packets.extend(batch.packets.iter().map(|head| {
            let bytes = batch.bytes(head).to_vec();
            (head.at.0, head.interface.0, head.frame.number, head.wire_len, bytes)
        }));
        if fill == Fill::End {
            return packets;
        }
    }
}

/// What a file source makes of these bytes.
pub(crate) fn read(bytes: &[u8], chunk: usize) -> (Vec<Read>, SourceReport) {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "x", bytes);
    let mut source = FileSource::open(&path).unwrap().reading(chunk);
    let packets = read_all(&mut source);
    (packets, source.report().clone())
}
