//! A source that ends after a number of packets.

use wirespan_capture::filter::Filters;
use wirespan_capture::packet::{Batch, Timestamp};
use wirespan_capture::source::interfaces::Interfaces;
use wirespan_capture::source::{Fill, PacketSource};

/// Gives packets up to the end of a source, or to a number of them.
pub(super) struct UpTo<S> {
    inner: S,
    end: Option<End>,
}

/// Where reading ends before the packets do.
struct End {
    /// How many packets may still come, of those that the filter leaves; not 0 at first.
    left: u64,
    filter: Option<Filters>,
    /// The time of the last packet, once it has come.
    last: Timestamp,
}

impl End {
    /// Cuts off what is too much.
    fn cut(&mut self, batch: &mut Batch) {
        let Self { left, filter, last } = self;
        let end = batch.packets.iter().position(|packet| {
            let bytes = batch.buffer.get(packet.bytes.clone()).unwrap_or_default();
            let counts = filter.as_mut().is_none_or(|filter| filter.accepts(packet, bytes));
            *left -= u64::from(counts);
            *last = packet.at;
            *left == 0
        });
        match end {
            Some(end) => batch.packets.truncate(end + 1),
            None => *last = Timestamp::LATEST,
        }
    }
}

impl<S> UpTo<S> {
    /// Ends after `most` packets, of which there must be one at least, of those that the filter
    /// leaves.
    pub(super) fn new(inner: S, most: Option<u64>, filter: Option<Filters>) -> Self {
        Self { inner, end: most.map(|left| End { left, filter, last: Timestamp::LATEST }) }
    }

    /// What packets come from.
    pub(super) fn inner(&self) -> &S {
        &self.inner
    }

    /// What packets come from.
    pub(super) fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The time of the last packet, where the number ended it.
    pub(super) fn cut_at(&self) -> Option<Timestamp> {
        self.end.as_ref().filter(|end| end.left == 0).map(|end| end.last)
    }
}

impl<S: PacketSource> PacketSource for UpTo<S> {
    fn fill(&mut self, batch: &mut Batch) -> std::io::Result<Fill> {
        if self.cut_at().is_some() {
            batch.clear();
            return Ok(Fill::End);
        }
        let fill = self.inner.fill(batch)?;
        if let Some(end) = &mut self.end {
            end.cut(batch);
        }
        Ok(if self.cut_at().is_some() { Fill::End } else { fill })
    }

    fn interfaces(&self) -> &Interfaces {
        self.inner.interfaces()
    }

    fn is_live(&self) -> bool {
        self.inner.is_live()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wirespan_capture::packet::LinkType;
    use wirespan_capture::source::memory::MemorySource;

    /// The lengths of the packets of each batch, of packets of 1, 2 … 5 bytes, two at a time.
    #[track_caller]
    fn check(most: Option<u64>, filter: Option<&str>, expected: &[&[u32]], cut_at: Option<i64>) {
        let source = (1..=5_usize).fold(MemorySource::new(2), |source, length| {
            let at = Timestamp(length as i64);
            source.packet(at, "eth0", LinkType::RAW, &[0x45; 5][..length])
        });
        let filter = filter.map(|filter| Filters::new(filter).unwrap());
        let (mut source, mut batch) = (UpTo::new(source, most, filter), Batch::default());
        let mut batches = Vec::new();
        loop {
            let fill = source.fill(&mut batch).unwrap();
            batches.push(batch.packets.iter().map(|head| head.wire_len).collect::<Vec<_>>());
            if fill == Fill::End {
                break;
            }
        }
        assert_eq!(batches, expected);
        assert_eq!(source.cut_at(), cut_at.map(Timestamp));
        assert_eq!(source.fill(&mut batch).unwrap(), Fill::End);
        assert!(batch.packets.is_empty());
    }

    #[test]
    fn a_source_ends_after_so_many_packets() {
        check(None, None, &[&[1, 2], &[3, 4], &[5]], None);
        check(Some(3), None, &[&[1, 2], &[3]], Some(3));
        check(Some(4), None, &[&[1, 2], &[3, 4]], Some(4));
        check(Some(9), None, &[&[1, 2], &[3, 4], &[5]], None);
    }

    #[test]
    fn packets_that_the_filter_leaves_out_do_not_count() {
        check(Some(2), Some("greater 3"), &[&[1, 2], &[3, 4]], Some(4));
    }
}
