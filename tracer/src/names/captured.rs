//! What a capture calls addresses in, as its blocks are read; out, with the first segment behind
//! them, so that neither batches nor filters change the order.

use std::collections::BTreeMap;
use std::vec::Drain;
use wirespan_capture::packet::{AddressName, FileId, Frame};

/// Names that were read and not told yet.
#[derive(Debug, Default)]
pub struct CapturedNames {
    /// By the packet before which they are to be told.
    waiting: BTreeMap<(FileId, u64), Vec<AddressName>>,
    due: Vec<AddressName>,
}

impl CapturedNames {
    /// Takes names that were read, some of them perhaps ahead of time.
    pub fn take(&mut self, names: &mut Vec<AddressName>) {
        for told in names.drain(..) {
            self.waiting.entry((told.frame.file, told.frame.number)).or_default().push(told);
        }
    }

    /// A packet has come; what was to be told before it is due.
    pub fn reach(&mut self, frame: Frame) {
        while !self.waiting.is_empty() {
            let mut until = self.waiting.range((frame.file, 0)..=(frame.file, frame.number));
            let Some(key) = until.next().map(|(key, _)| *key) else { return };
            self.due.extend(self.waiting.remove(&key).into_iter().flatten());
        }
    }

    /// No packet comes any more.
    pub fn reach_end(&mut self) {
        self.due.extend(std::mem::take(&mut self.waiting).into_values().flatten());
    }

    /// Gives what is due.
    pub fn due(&mut self) -> Drain<'_, AddressName> {
        self.due.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn told(file: u16, number: u64, name: &str) -> AddressName {
        let frame = Frame { file: FileId(file), number };
        AddressName { frame, address: IpAddr::from([10, 0, 0, 1]), name: name.into() }
    }

    #[test]
    fn names_wait_for_their_packet_or_one_behind_it() {
        let mut names = CapturedNames::default();
        names.take(&mut vec![told(0, 9, "c"), told(0, 2, "a"), told(1, 2, "d"), told(0, 3, "b")]);
        let mut reach = |frame: Option<(u16, u64)>| {
            match frame {
                Some((file, number)) => names.reach(Frame { file: FileId(file), number }),
                None => names.reach_end(),
            }
            names.due().map(|told| told.name).collect::<Vec<_>>().concat()
        };
        assert_eq!(reach(Some((0, 1))), "");
        // A filter may have left out those before.
        assert_eq!(reach(Some((0, 5))), "ab");
        assert_eq!(reach(Some((0, 9))), "c");
        assert_eq!(reach(Some((0, 9))), "");
        assert_eq!(reach(None), "d");
    }
}
