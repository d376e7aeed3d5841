//! Overwrites bytes of a TCP segment in its packet, so that neither their number nor whether its
//! checksum is right changes.

use std::ops::Range;

/// Overwrites these bytes of a payload, which stands at `payload` in a packet, with [`FILL`]. `seq`
/// is the segment's sequence number, by which its header is known.
///
/// Checksums of tunnels around it stay right as well: the sum of a segment does not change, as its
/// own checksum makes up for the bytes, and theirs cover all of it.
pub fn overwrite(packet: &mut [u8], payload: Range<usize>, seq: u32, ranges: &[Range<usize>]) {
    let header = header(packet, payload.start, seq);
    let mut sum = 0;
    for range in ranges {
        let start = payload.start.saturating_add(range.start);
        let end = payload.start.saturating_add(range.end).min(payload.end);
        let Some(bytes) = packet.get_mut(start..end.max(start)) else { continue };
        for (place, byte) in (start..).zip(bytes) {
            // RFC 1624 section 3: HC' = ~(~HC + ~m + m'), for the word that the byte is in.
            let shift = if (place + header.unwrap_or(0)).is_multiple_of(2) { 8 } else { 0 };
            sum += u64::from(!(u16::from(*byte) << shift)) + (u64::from(FILL) << shift);
            *byte = FILL;
        }
    }
    let checksum = header.and_then(|header| packet.get_mut(header + 16..header + 18));
    let Some([high, low]) = checksum else { return };
    sum += u64::from(!u16::from_be_bytes([*high, *low]));
    while sum > u64::from(u16::MAX) {
        sum = (sum & u64::from(u16::MAX)) + (sum >> 16);
    }
    [*high, *low] = (!(sum as u16)).to_be_bytes();
}

/// Where the header of TCP begins before its payload.
fn header(packet: &[u8], payload: usize, seq: u32) -> Option<usize> {
    (5..=15).find_map(|words| {
        let start = payload.checked_sub(words * 4)?;
        let header = packet.get(start..payload)?;
        let has_seq = header.get(4..8)? == seq.to_be_bytes();
        (has_seq && usize::from(header.get(12)? >> 4) == words).then_some(start)
    })
}

/// What stands in the place of each byte: a digit, so that numbers stay numbers.
pub const FILL: u8 = b'1';

#[cfg(test)]
mod tests {
    use super::*;

    const SEQ: u32 = 0x0102_0304;

    /// A TCP header with some options, behind bytes of other headers, and a payload.
    fn packet(before: usize, options: usize, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0xaa; before];
        packet.extend([0x1f, 0x90, 0x00, 0x50]);
        packet.extend(SEQ.to_be_bytes());
        packet.extend([0, 0, 0, 9, ((5 + options) << 4) as u8, 0x18, 1, 0, 0, 0, 0, 0]);
        packet.extend(vec![1; options * 4]);
        packet.extend(payload);
        let sum = !checksum(&packet[before..]);
        packet[before + 16..before + 18].copy_from_slice(&sum.to_be_bytes());
        packet
    }

    /// RFC 1071, without a pseudo header: that does not change.
    fn checksum(bytes: &[u8]) -> u16 {
        let mut sum = 0_u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low));
        }
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum as u16
    }

    #[test]
    fn checksum_stays_right() {
        for before in [14, 17, 34] {
            for options in [0, 3, 10] {
                for range in [0..1, 1..4, 3..9, 0..9] {
                    let mut packet = packet(before, options, b"secretpin");
                    let payload = packet.len() - 9..packet.len();
                    overwrite(&mut packet, payload.clone(), SEQ, std::slice::from_ref(&range));
                    assert_eq!(checksum(&packet[before..]), 0xffff, "{before} {options} {range:?}");
                    let mut expected = b"secretpin".to_vec();
                    expected[range].fill(FILL);
                    assert_eq!(packet[payload], expected);
                }
            }
        }
    }

    #[test]
    fn sums_over_all_of_the_packet_stay_as_they_are() {
        for before in [14, 17, 50] {
            for wrong in [0, 0x40] {
                let mut packet = packet(before, 3, b"secretpin");
                packet[before + 16] ^= wrong;
                let payload = packet.len() - 9..packet.len();
                let outside = checksum(&packet);
                overwrite(&mut packet, payload, SEQ, &[0..2, 3..8]);
                assert_eq!(checksum(&packet), outside, "{before} {wrong}");
            }
        }
    }

    #[test]
    fn wrong_checksum_stays_as_wrong() {
        let mut packet = packet(14, 0, b"secret");
        packet[14 + 16] ^= 0x40;
        let payload = packet.len() - 6..packet.len();
        let before = checksum(&packet[14..]);
        overwrite(&mut packet, payload, SEQ, &[0..2, 4..6]);
        assert_eq!(checksum(&packet[14..]), before);
    }

    #[test]
    fn what_lies_outside_of_the_packet_is_left_out() {
        let mut packet = packet(0, 0, b"ab");
        let payload = packet.len() - 2..packet.len();
        overwrite(&mut packet, payload, SEQ, &[1..9, 20..30]);
        assert!(packet.ends_with(b"a1"));
        overwrite(&mut [], 0..4, SEQ, &[0..2, 2..4]);
    }
}
