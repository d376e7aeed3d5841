//! What exchanges' protocols are called: the names of all protocols in, a number for each out.

use crate::exchange::ProtocolIndex;
use wirespan_parsers::message::Dialect;
use wirespan_parsers::protocol::Protocol;

/// The names of these protocols and of what travels within them, each once, in this order.
pub fn names(protocols: &[Box<dyn Protocol>]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in protocols.iter().flat_map(|protocol| names_of(&**protocol)) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

fn names_of(protocol: &dyn Protocol) -> impl Iterator<Item = &str> {
    std::iter::once(protocol.name()).chain(protocol.dialects().iter().copied())
}

/// Where the names of each protocol stand in that list: its own, then those of its dialects.
#[derive(Debug, Default)]
pub(crate) struct Spoken(Vec<Vec<ProtocolIndex>>);

impl Spoken {
    /// Of these protocols.
    pub(crate) fn of(protocols: &[Box<dyn Protocol>]) -> Self {
        let all = names(protocols);
        let place = |name: &str| all.iter().position(|other| other == name).unwrap_or_default();
        let number = |name| ProtocolIndex(place(name) as u8);
        Self(protocols.iter().map(|p| names_of(&**p).map(number).collect()).collect())
    }

    /// The numbers of the protocol at this place.
    pub(crate) fn by(&self, protocol: usize) -> &[ProtocolIndex] {
        self.0.get(protocol).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The number of a message of the protocol that has these.
pub(crate) fn number(spoken: &[ProtocolIndex], dialect: Dialect) -> ProtocolIndex {
    let place = match dialect {
        Dialect::Plain => 0,
        Dialect::Within(number) => 1 + usize::from(number),
    };
    let number = spoken.get(place).or_else(|| spoken.first());
    number.copied().unwrap_or(ProtocolIndex::CONNECT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wirespan_parsers::message::Side;
    use wirespan_parsers::protocol::{
        AfterGap, Conn, FlowInfo, Malformed, Out, Probe, Step, Timestamp, Transport,
    };

    struct Named(&'static str, &'static [&'static str]);

    impl Protocol for Named {
        fn name(&self) -> &str {
            self.0
        }

        fn dialects(&self) -> &[&'static str] {
            self.1
        }

        fn port(&self, _: u16) -> bool {
            false
        }

        fn runs_over(&self, _: Transport) -> bool {
            true
        }

        fn probe(&mut self, _: &FlowInfo, _: Side, _: &[u8]) -> Probe {
            Probe::No
        }

        fn open(&mut self, _: &FlowInfo, _: Side) -> Conn {
            Conn(0)
        }

        fn parse(
            &mut self,
            _: Conn,
            _: Side,
            _: Timestamp,
            _: &[u8],
            _: &mut dyn Out,
        ) -> Result<Step, Malformed> {
            Err(Malformed("all"))
        }

        fn skipped(&mut self, _: Conn, _: Side, _: Timestamp, _: &mut dyn Out) {}

        fn gap(&mut self, _: Conn, _: Side, _: &[u8], _: u64, _: &mut dyn Out) -> AfterGap {
            AfterGap::Stop
        }

        fn resume(&mut self, _: Conn, _: Side, _: &[u8]) -> bool {
            false
        }

        fn end(&mut self, _: Conn, _: Side, _: &[u8], _: &mut dyn Out) {}

        fn forget(&mut self, _: Conn) {}
    }

    #[test]
    fn a_name_that_two_protocols_carry_is_one() {
        let protocols: Vec<Box<dyn Protocol>> = vec![
            Box::new(Named("one", &["rpc", "socket"])),
            Box::new(Named("two", &["socket", "one"])),
        ];
        let all = names(&protocols);
        assert_eq!(all, ["one", "rpc", "socket", "two"]);
        let spoken = Spoken::of(&protocols);
        let name = |protocol: usize, dialect| number(spoken.by(protocol), dialect).name(&all);
        let within = [Dialect::Plain, Dialect::Within(0), Dialect::Within(1), Dialect::Within(2)];
        assert_eq!(within.map(|dialect| name(0, dialect)), ["one", "rpc", "socket", "one"]);
        assert_eq!(within.map(|dialect| name(1, dialect)), ["two", "socket", "one", "two"]);
    }
}
