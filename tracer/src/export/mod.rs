//! Traces out: one file per format.

mod json;
mod rows;
mod shares;
pub mod ndjson;
pub mod semantics;
pub mod otlp;
pub mod send;
pub mod jaeger;
pub mod zipkin;
pub mod chrome;
pub(crate) mod width;
pub mod time;
mod color;
mod bar;
pub(crate) mod details;
pub mod terminal;
mod singles;
pub mod table;
pub mod service_map;
pub mod view;
pub mod queue;

use crate::span::{SpanSink, Trace};
use crate::summary::Summary;
use rayon::prelude::*;
use std::io::{self, Write};

/// Takes traces, and has the last word when all counts are known.
pub trait Exporter: SpanSink + Send {
    /// Writes what stands behind the traces.
    ///
    /// # Errors
    /// What the operating system said on writing.
    fn conclude(&mut self, summary: &Summary) -> io::Result<()>;
}

/// Writes each trace as text that does not depend on others.
pub trait Render: Send + Sync {
    /// Appends one trace.
    fn trace(&self, trace: &Trace, out: &mut Vec<u8>);

    /// What makes one document of all traces.
    fn frame(&self) -> Frame {
        Frame::default()
    }
}

/// What stands around traces where all of them are one document.
#[derive(Clone, Copy, Debug, Default)]
pub struct Frame {
    /// Before the first one.
    pub before: &'static str,
    /// Between two.
    pub between: &'static str,
    /// Behind the last one.
    pub after: &'static str,
}

/// Renders traces, several at a time, and writes them in order.
pub struct TextSink<R, W> {
    render: R,
    output: W,
    /// Whether anything was written.
    begun: bool,
}

impl<R: Render, W: Write> TextSink<R, W> {
    /// Writes to this output.
    pub fn new(render: R, output: W) -> Self {
        Self { render, output, begun: false }
    }

    /// What renders, and what it writes to.
    pub(crate) fn parts(&mut self) -> (&R, &mut W) {
        (&self.render, &mut self.output)
    }
}

impl<R: Render, W: Write> SpanSink for TextSink<R, W> {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        self.traces(std::slice::from_ref(trace))
    }

    fn traces(&mut self, traces: &[Trace]) -> io::Result<()> {
        let frame = self.render.frame();
        let texts: Vec<Vec<u8>> = traces
            .par_chunks(TOGETHER)
            .map(|traces| {
                let spans: usize = traces.iter().map(|trace| trace.spans.len()).sum();
                let mut text = Vec::with_capacity(spans * SPAN);
                for (place, trace) in traces.iter().enumerate() {
                    if place > 0 {
                        text.extend_from_slice(frame.between.as_bytes());
                    }
                    self.render.trace(trace, &mut text);
                }
                text
            })
            .collect();
        for text in texts {
            let before = if self.begun { frame.between } else { frame.before };
            self.output.write_all(before.as_bytes())?;
            self.output.write_all(&text)?;
            self.begun = true;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        let frame = self.render.frame();
        if !self.begun {
            self.output.write_all(frame.before.as_bytes())?;
        }
        self.output.write_all(frame.after.as_bytes())?;
        self.output.flush()
    }
}

impl<R: Render, W: Write + Send> Exporter for TextSink<R, W> {
    fn conclude(&mut self, _: &Summary) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes that the text of a span mostly needs at most.
const SPAN: usize = 1400;
/// Traces that are rendered in one go.
const TOGETHER: usize = 32;
