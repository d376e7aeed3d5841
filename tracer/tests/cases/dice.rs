//! Numbers that are the same for a case and a seed on every run.

/// SplitMix64, <https://prng.di.unimi.it/splitmix64.c>.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(case: &str, seed: u64) -> Self {
        let start = case.bytes().fold(seed, |sum, byte| {
            sum.wrapping_mul(0x100_0000_01b3).wrapping_add(u64::from(byte))
        });
        Self(start)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in this range.
    pub(crate) fn of(&mut self, range: std::ops::Range<i64>) -> i64 {
        let width = range.end - range.start;
        range.start + (self.next() % width.max(1) as u64) as i64
    }

    /// True in one of so many cases.
    pub(crate) fn one_in(&mut self, cases: u64) -> bool {
        self.next().is_multiple_of(cases)
    }

    pub(crate) fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[(self.next() % all.len() as u64) as usize].clone()
    }

    pub(crate) fn shuffle<T>(&mut self, all: &mut [T]) {
        for place in (1..all.len()).rev() {
            all.swap(place, (self.next() % (place as u64 + 1)) as usize);
        }
    }

    /// Hexadecimal digits, the first of which is not 0.
    pub(crate) fn hex(&mut self, digits: usize) -> String {
        let first = char::from(self.pick(b"123456789abcdef"));
        let rest = (1..digits).map(|_| char::from(self.pick(b"0123456789abcdef")));
        std::iter::once(first).chain(rest).collect()
    }

    /// A random UUID.
    pub(crate) fn uuid(&mut self) -> String {
        let hex = self.hex(32);
        let variant = self.pick(&["8", "9", "a", "b"]);
        [
            &hex[..8],
            &hex[8..12],
            &format!("4{}", &hex[13..16]),
            &format!("{variant}{}", &hex[17..20]),
            &hex[20..],
        ]
        .join("-")
    }
}
