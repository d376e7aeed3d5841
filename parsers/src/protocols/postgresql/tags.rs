//! What a CommandComplete says: the command that was carried out, and how many rows it touched.

/// Rows, by what was done with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) returned: Option<u64>,
    pub(super) affected: Option<u64>,
}

impl Rows {
    /// Those of a tag such as `INSERT 0 1`.
    pub(super) fn of(tag: &[u8]) -> Self {
        let mut words = tag.split(|byte| *byte == b' ');
        let verb = words.next().unwrap_or_default();
        let count = words.next_back().and_then(number);
        match verb {
            b"SELECT" | b"FETCH" => Self { returned: count, affected: None },
            b"INSERT" | b"UPDATE" | b"DELETE" | b"MERGE" | b"MOVE" | b"COPY" => {
                Self { returned: None, affected: count }
            }
            _ => Self::default(),
        }
    }

    /// Those of one more statement of the same message.
    pub(super) fn add(&mut self, more: Self) {
        for (sum, more) in
            [(&mut self.returned, more.returned), (&mut self.affected, more.affected)]
        {
            if let Some(more) = more {
                *sum = Some(sum.unwrap_or_default().saturating_add(more));
            }
        }
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    str::from_utf8(digits).ok()?.parse().ok()
}
