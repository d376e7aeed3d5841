//! A cursor over bytes that cannot run off the end.

/// Reads fixed fields from the front of a slice; every call gives `None` at its end.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'b> {
    whole: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    /// Starts at the first byte.
    #[must_use]
    pub fn new(whole: &'b [u8]) -> Self {
        Self { whole, at: 0 }
    }

    /// Moves to an offset from the start.
    pub fn seek(&mut self, at: usize) -> Option<()> {
        self.whole.get(at..)?;
        self.at = at;
        Some(())
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Option<&'b [u8]> {
        let end = self.at.checked_add(n)?;
        let bytes = self.whole.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    /// The next byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(|[b]| b)
    }

    /// The next two bytes, most significant first.
    pub fn u16_be(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next four bytes, most significant first.
    pub fn u32_be(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// The offset of the next byte.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.at
    }

    /// What is left.
    #[must_use]
    pub fn rest(&self) -> &'b [u8] {
        self.whole.get(self.at..).unwrap_or_default()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }
}
