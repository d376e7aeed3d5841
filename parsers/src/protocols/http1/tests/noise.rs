//! Broken and random bytes, which never panic.

use super::*;

/// A conversation that has a bit of everything.
fn conversation() -> Vec<Piece> {
    vec![
        c("GET /1?token=t HTTP/1.1\r\nHost: h\r\nX-Request-ID: r\r\n\r\nHEAD /2 HTTP/1.1\r\n\r\n"),
        s("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a\r\nhello\r\n0\r\nA: b\r\n\r\n"),
        s("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        c("PUT /3 HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"),
        s("HTTP/1.1 401 No\r\nContent-Length : 2\r\n\r\nno"),
        c(
            "\r\nPOST http://u@h/4 HTTP/1.0\r\nB3: 0\r\nUser-Agent: a\r\n b\r\nContent-Length: 3\r\n\r\nabc",
        ),
        Piece::Gap(Side::A, 3),
        Piece::Gap(Side::B, 3),
        c("CONNECT h:1 HTTP/1.1\r\n\r\n"),
        s("HTTP/1.1 200 OK\n\nuntil the end"),
        Piece::End(Side::A),
        Piece::End(Side::B),
    ]
}

#[test]
fn mutated_conversations_never_panic() {
    let mut random = Random(0x5eed);
    for round in 0..5_000 {
        let mut pieces = conversation();
        for _ in 0..random.below(6) {
            let place = random.below(pieces.len());
            if let Piece::Bytes(from, mut bytes) = pieces.remove(place) {
                match random.below(6) {
                    0 => bytes.truncate(random.below(bytes.len() + 1)),
                    1 => bytes.insert(random.below(bytes.len() + 1), random.byte()),
                    2 => bytes.extend_from_within(random.below(bytes.len() + 1)..),
                    3 => pieces.insert(place, Piece::Gap(from, 1 + random.next() % 20)),
                    _ if bytes.is_empty() => {}
                    4 => {
                        let at = random.below(bytes.len());
                        bytes[at] = random.byte();
                    }
                    _ => {
                        bytes.remove(random.below(bytes.len()));
                    }
                }
                pieces.insert(place, Piece::Bytes(from, bytes));
            }
        }
        for split in (0..pieces.len()).rev() {
            if let Piece::Bytes(_, bytes) = &pieces[split] {
                let at = random.below(bytes.len() + 1);
                pieces = with_piece_split(&pieces, split, at);
            }
        }
        let wanted = random.wanted();
        let whole = report(&pieces, wanted);
        // Without losses, all that splits a stream differently gives the same.
        if !whole.contains("malformed")
            && !pieces.iter().any(|piece| matches!(piece, Piece::Gap(..)))
        {
            assert_eq!(report(&byte_by_byte(&pieces), wanted), whole, "round {round}: {pieces:?}");
        }
    }
}

#[test]
fn noise_never_panics() {
    let mut random = Random(0xface);
    for _ in 0..5_000 {
        let mut driver = Driver::new(random.wanted());
        for _ in 0..random.below(6) {
            let from = if random.below(2) == 0 { Side::A } else { Side::B };
            let bytes: Vec<u8> = (0..random.below(30)).map(|_| random.byte()).collect();
            driver.http.probe(&flow(), from, &bytes);
            driver.piece(&Piece::Bytes(from, bytes));
        }
        driver.piece(&Piece::End(Side::A));
        driver.piece(&Piece::End(Side::B));
        assert!(driver.over || !driver.recorder.report().contains(" open"));
    }
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.0 >> 33
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next()).unwrap() % limit
    }

    fn wanted(&mut self) -> Wanted {
        Wanted { body: self.below(8), details: self.below(2) == 0 }
    }

    /// Bytes that matter come more often than others.
    fn byte(&mut self) -> u8 {
        let liked = b"\r\n\r\n  ::;=0159afHTP/.GE\t%";
        match self.below(4) {
            0 => self.next().to_le_bytes()[0],
            _ => liked[self.below(liked.len())],
        }
    }
}
