//! Spans, the links between them, and the traces that they make.

use crate::exchange::{Exchange, State};
use smallvec::SmallVec;
use std::io;
use std::sync::Arc;
use wirespan_parsers::trace_context::Format;

/// An exchange seen at one point, with its identity.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its id, derived from the packets alone.
    pub id: u64,
    /// What was seen.
    pub exchange: Box<Exchange>,
    /// The number of the point that saw it, in order of first appearance.
    pub point: u32,
    /// The same of what was known of the point when joining first learnt of it.
    pub first_point: u32,
    /// The name of the service that was asked.
    pub service: Arc<str>,
    /// The link to the span above, if there is one.
    pub link: Option<Link>,
    /// The span that called, where it was handed out before this one.
    pub earlier: Option<Earlier>,
    /// Spans that it got messages of, by way of a queue, in the order of these.
    pub span_links: Vec<SpanLink>,
    /// What was considered where what was open at its caller decided, or nothing did.
    pub cause: Option<Box<Considered>>,
    /// How many spans lie above it.
    pub depth: u32,
}

/// A span that one got a message of: neither is the other's parent.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanLink {
    /// The other span's trace.
    pub trace: u128,
    /// Its id.
    pub span: u64,
    /// The evidence.
    pub reason: Reason,
    /// How sure it is, from 0 to 1.
    pub confidence: f32,
    /// What speaks against it.
    pub against: SmallVec<[&'static str; 2]>,
    /// The span that would have been the next best, where another was about as good.
    pub runner_up: Option<u64>,
}

/// What was considered as what was open at its caller decided what a span hangs under, or that it
/// hangs under nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Considered {
    /// How many exchanges were open there, without those that something excludes, and of those that
    /// lie in each other only the innermost; `u32::MAX` where they were too many to compare.
    pub open: u32,
    /// Calls of its kind that began while exactly one exchange was open there, this one among them.
    pub one: u32,
    /// Calls of its kind that began while none was.
    pub idle: u32,
    /// All calls of its kind: of this caller to this server and port, for the same but for numbers.
    pub all: u32,
    /// The share of the time in which nothing was open there, from 0 to 1.
    pub idle_share: f32,
    /// How likely a call of its kind is made for what is open, as these tell, from 0 to 1.
    pub confidence: f32,
    /// Stands for the address and port that most calls of its kind are made for.
    pub usual: Option<u64>,
    /// Nearly all are.
    pub nearly_always: bool,
    /// Stands for the port that the usual one is mostly asked for by its own machine.
    pub usual_outer: Option<u64>,
}

/// A span that was handed out before the one that hangs under it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Earlier {
    /// Its trace. Where that is not the trace of the span below, this is a *span link*.
    pub trace: u128,
    /// Its id.
    pub span: u64,
    /// The evidence.
    pub reason: Reason,
    /// How sure it is, from 0 to 1.
    pub confidence: f32,
}

impl Span {
    /// Whether it is the exchange of the span above, seen at another point.
    pub fn is_next_point(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.kind == LinkKind::SameExchange)
    }
}

/// Why a span hangs under another one, and how sure that is.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// The place of the span above in [`Trace::spans`].
    pub parent: usize,
    /// What the link says.
    pub kind: LinkKind,
    /// The evidence.
    pub reason: Reason,
    /// How sure it is, from 0 to 1.
    pub confidence: f32,
    /// What speaks for it besides.
    pub also: SmallVec<[&'static str; 2]>,
    /// What speaks against it.
    pub against: SmallVec<[&'static str; 2]>,
    /// The span that would have been the next best, where another was about as good.
    pub runner_up: Option<u64>,
}

/// What a link says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// The upper span caused the lower one.
    Parent,
    /// Both are one exchange, seen at two points.
    SameExchange,
}

impl LinkKind {
    /// Its name in the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parent => "parent",
            Self::SameExchange => "same_exchange",
        }
    }
}

/// The evidence for a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The same bytes by their TCP sequence numbers.
    TcpSequence,
    /// The same datagram by its id and time.
    Datagram,
    /// Both carry this identifier.
    Identifier(Format),
    /// The only incoming call that was open at the caller.
    OneCandidate,
    /// Of several that were open at the caller, the only one that asks for the same.
    Content,
    /// A message with this id was put into a queue by the one, and got out by the other.
    StreamId,
    /// The same by its content.
    MessageContent,
    /// The only message that the caller had got and not asked for the next one after.
    OneMessage,
}

impl Reason {
    /// Its name in the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::TcpSequence => "tcp-sequence",
            Self::Datagram => "datagram",
            Self::Identifier(format) => format.name(),
            Self::OneCandidate => "one-candidate",
            Self::Content => "content",
            Self::StreamId => "stream-id",
            Self::MessageContent => "message-content",
            Self::OneMessage => "one-message",
        }
    }
}

/// Spans that belong together: a tree, or several under one identifier.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Its id.
    pub id: u128,
    /// The format of the wire's id, where the trace bears one.
    pub wire: Option<Format>,
    /// A trace with this id was handed out before; this one came later.
    pub late: bool,
    /// The spans, each below the one that it hangs under, in order of time among siblings.
    pub spans: Vec<Span>,
}

impl Trace {
    /// Each exchange once, though several points may have seen it: the outermost span that saw the
    /// answer, else the outermost one.
    pub fn exchanges(&self) -> SmallVec<[&Span; 8]> {
        let mut exchanges: SmallVec<[&Span; 8]> = SmallVec::new();
        let mut places: SmallVec<[usize; 8]> = SmallVec::new();
        for span in &self.spans {
            let above = span.link.as_ref().filter(|_| span.is_next_point());
            let place = above.and_then(|link| places.get(link.parent)).copied();
            let place = place.unwrap_or(exchanges.len());
            places.push(place);
            let is_complete = |span: &Span| span.exchange.state == State::Complete;
            match exchanges.get_mut(place) {
                Some(known) if is_complete(span) && !is_complete(known) => *known = span,
                Some(_) => {}
                None => exchanges.push(span),
            }
        }
        exchanges
    }

    /// The service that called, where the spans above one of them tell it.
    pub fn caller<'s>(&'s self, span: &'s Span) -> Option<&'s str> {
        let mut at = span;
        loop {
            let above = self.spans.get(at.link.as_ref()?.parent)?;
            // The exchange at other points is no caller.
            if !at.is_next_point() {
                return Some(&above.service);
            }
            at = above;
        }
    }
}

/// Takes finished traces, in order.
pub trait SpanSink {
    /// One trace; it never changes again.
    ///
    /// # Errors
    /// What the operating system said on writing.
    fn trace(&mut self, trace: &Trace) -> io::Result<()>;

    /// Several traces, in order.
    ///
    /// # Errors
    /// What the operating system said on writing.
    fn traces(&mut self, traces: &[Trace]) -> io::Result<()> {
        traces.iter().try_for_each(|trace| self.trace(trace))
    }

    /// Several traces, in order, which nobody else needs.
    ///
    /// # Errors
    /// What the operating system said on writing.
    fn take(&mut self, traces: Vec<Trace>) -> io::Result<()> {
        self.traces(&traces)
    }

    /// Whoever waits for traces is to see those that were given.
    ///
    /// # Errors
    /// What the operating system said on writing.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// There are no more.
    ///
    /// # Errors
    /// What the operating system said on writing.
    fn finish(&mut self) -> io::Result<()>;
}

impl<S: SpanSink + ?Sized> SpanSink for Box<S> {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        (**self).trace(trace)
    }

    fn traces(&mut self, traces: &[Trace]) -> io::Result<()> {
        (**self).traces(traces)
    }

    fn take(&mut self, traces: Vec<Trace>) -> io::Result<()> {
        (**self).take(traces)
    }

    fn flush(&mut self) -> io::Result<()> {
        (**self).flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        (**self).finish()
    }
}
