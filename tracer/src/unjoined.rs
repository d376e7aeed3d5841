//! Why exchanges joined nothing, in words: what a user could do about it depends on that.

use crate::exchange::State;
use crate::join::hosts::Callers;
use crate::numbers::grouped;
use crate::span::Trace;
use std::net::{IpAddr, SocketAddr};

/// What exchanges have in common that joined nothing.
#[derive(Clone, Debug, Default)]
pub struct Unjoined {
    exchanges: u64,
    /// Exchanges that are a trace of their own.
    singles: u64,
    /// Those of them that carry an identifier.
    identified: u64,
    one_sided: u64,
    client: Seen<IpAddr>,
    server: Seen<SocketAddr>,
}

impl Unjoined {
    /// Takes a trace.
    pub fn trace(&mut self, trace: &Trace) {
        let before = self.exchanges;
        for span in trace.exchanges() {
            let e = &*span.exchange;
            self.exchanges += 1;
            self.one_sided += u64::from(e.state == State::OneSided);
            self.client.see(e.client.ip());
            self.server.see(e.server);
        }
        if self.exchanges == before + 1 {
            self.singles += 1;
            let identified = trace
                .spans
                .iter()
                .any(|span| span.exchange.contexts.iter().any(|context| context.joins));
            self.identified += u64::from(identified);
        }
    }

    /// Why nothing joined, or little, if that is so; `repeat` says that identifiers repeated so
    /// often that they were no evidence.
    pub fn why(&self, callers: &Callers, repeat: bool) -> Option<String> {
        let Self { exchanges, singles, .. } = *self;
        if exchanges < 2 || 10 * singles < 9 * exchanges {
            return None;
        }
        let what = if singles == exchanges { "nothing" } else { "little" };
        Some(format!("{what}: {}", self.reason(callers, repeat)))
    }

    fn reason(&self, callers: &Callers, repeat: bool) -> String {
        if self.one_sided == self.exchanges {
            return "the capture holds one direction only".to_owned();
        }
        match (&self.client, &self.server) {
            (Seen::One(client), Seen::One(server)) => {
                return format!("all calls go from {client} to {server}");
            }
            (_, Seen::One(server)) => {
                return format!("all calls go to {server}, and it is seen to make none itself");
            }
            _ => {}
        }
        let Callers { not_asked, idle, one, several } = *callers;
        let all = not_asked + idle + one + several;
        if not_asked == all {
            return "no host is seen both to be asked and to ask: capture on a server, or where \
                    its own calls pass"
                .to_owned();
        }
        let identifiers = match (self.identified, self.singles == self.exchanges) {
            (0, true) => "no headers carry identifiers",
            (0, false) => "the others carry no identifiers",
            (some, _) if 2 * some < self.singles => "most carry no identifiers",
            _ if repeat => "identifiers repeat without end",
            (_, true) => "no two exchanges carry the same identifier",
            (_, false) => "the others carry identifiers of their own",
        };
        let count = |part: u64| format!("{} of {} calls", grouped(part), grouped(all));
        let when = match not_asked.max(idle).max(several) {
            most if most == several => {
                format!("{} began while several were open at their caller", count(several))
            }
            most if most == idle => {
                format!("{} began while none was open at their caller", count(idle))
            }
            _ => format!("{} come from hosts that are not seen to be asked", count(not_asked)),
        };
        format!("{identifiers}, and {when}")
    }
}

/// Whether there was one value, or several.
#[derive(Clone, Debug, Default)]
enum Seen<T> {
    #[default]
    None,
    One(T),
    Several,
}

impl<T: PartialEq> Seen<T> {
    fn see(&mut self, value: T) {
        match self {
            Self::None => *self = Self::One(value),
            Self::One(first) if *first != value => *self = Self::Several,
            _ => {}
        }
    }
}
