//! What people see of a capture: its traces as trees, the exchanges that joined nothing as lines,
//! then the table of what was asked of whom.

use crate::export::singles::Singles;
use crate::export::table::{Layout, table};
use crate::export::terminal::Terminal;
use crate::export::{Exporter, TextSink};
use crate::span::{SpanSink, Trace};
use crate::summary::Summary;
use std::io::{self, Write};

/// What becomes of exchanges that joined no other.
enum Alone {
    /// They are trees of one.
    Trees,
    /// Each is a line.
    Lines,
    /// They are kept for the end.
    AtTheEnd(Singles),
}

/// Writes the trees as they come, and at the end what there is beside them.
pub struct View<W> {
    trees: TextSink<Terminal, W>,
    singles: Alone,
    table: Option<Layout>,
}

impl<W: Write> View<W> {
    /// Writes each trace as a tree.
    pub fn new(terminal: Terminal, output: W) -> Self {
        Self { trees: TextSink::new(terminal, output), singles: Alone::Trees, table: None }
    }

    /// Keeps exchanges that joined nothing for the end, unless traces are waited for as they come:
    /// then each is a line, where it comes.
    pub fn with_singles_at_the_end(mut self) -> Self {
        self.singles = Alone::AtTheEnd(Singles::default());
        self
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
        for run in traces.chunk_by(|a, b| Singles::are(a) == Singles::are(b)) {
            let are_singles = run.first().is_some_and(Singles::are);
            match &mut self.singles {
                Alone::AtTheEnd(singles) if are_singles => {
                    run.iter().for_each(|trace| singles.add(trace));
                }
                Alone::Lines if are_singles => {
                    let (terminal, output) = self.trees.parts();
                    let mut text = Vec::new();
                    for trace in run {
                        Singles::write_one(terminal.look(), trace, &mut text);
                    }
                    output.write_all(&text)?;
                }
                _ => self.trees.traces(run)?,
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        // Somebody looks on: what joined nothing is shown from now on as it comes.
        if let Alone::AtTheEnd(singles) = &mut self.singles {
            let (terminal, output) = self.trees.parts();
            let mut text = Vec::new();
            singles.write(terminal.look(), &mut text);
            output.write_all(&text)?;
            self.singles = Alone::Lines;
        }
        self.trees.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.trees.finish()
    }
}

impl<W: Write + Send> Exporter for View<W> {
    fn conclude(&mut self, summary: &Summary) -> io::Result<()> {
        let (terminal, output) = self.trees.parts();
        let mut text = Vec::new();
        if let Alone::AtTheEnd(singles) = &mut self.singles {
            singles.write(terminal.look(), &mut text);
        }
        if let Some(layout) = self.table {
            text.extend(table(&summary.services, &[], summary.seconds(), layout));
        }
        output.write_all(&text)?;
        output.flush()
    }
}
