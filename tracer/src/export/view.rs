//! What people see of a capture: its traces as trees, then the table of what was asked of whom.

use crate::export::table::{Layout, table};
use crate::export::terminal::Terminal;
use crate::export::{Exporter, TextSink};
use crate::span::{SpanSink, Trace};
use crate::summary::Summary;
use std::io::{self, Write};

/// Writes the trees as they come, and at the end what there is beside them.
pub struct View<W> {
    trees: TextSink<Terminal, W>,
    table: Option<Layout>,
}

impl<W: Write> View<W> {
    /// Writes trees only.
    pub fn new(terminal: Terminal, output: W) -> Self {
        Self { trees: TextSink::new(terminal, output), table: None }
    }

    /// Writes the table, too, where the summary has one.
    pub fn with_table(mut self, layout: Layout) -> Self {
        self.table = Some(layout);
        self
    }
}

impl<W: Write> SpanSink for View<W> {
    fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        self.traces(std::slice::from_ref(trace))
    }

    fn traces(&mut self, traces: &[Trace]) -> io::Result<()> {
        self.trees.traces(traces)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.trees.finish()
    }
}

impl<W: Write + Send> Exporter for View<W> {
    fn conclude(&mut self, summary: &Summary) -> io::Result<()> {
        let mut text = Vec::new();
        if let Some(layout) = self.table.filter(|_| !summary.services.is_empty()) {
            text.extend(table(&summary.services, summary.seconds(), layout));
        }
        let output = self.trees.output();
        output.write_all(&text)?;
        output.flush()
    }
}
