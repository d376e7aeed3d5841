//! Captures read to their end, for commands that show no traces as they come.

use super::complain;
use super::inputs::Source;
use super::progress::Meter;
use crate::config::Config;
use crate::export::ndjson::SourceNames;
use crate::pipeline::{self, Surroundings};
use crate::span::SpanSink;
use crate::summary::Summary;
use anyhow::{Context, Result, bail};
use wirespan_capture::packet::Batch;

/// What is told on the standard error meanwhile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Talk {
    /// How far reading has come.
    pub(super) progress: bool,
    /// What is wrong with the captures.
    pub(super) warnings: bool,
}

/// Gives all traces to a sink.
///
/// # Errors
/// The captures cannot be read on.
pub(super) fn read(
    source: &mut Source,
    config: &Config,
    names: &SourceNames,
    what: &'static str,
    talk: Talk,
    sink: &mut (dyn SpanSink + Send),
) -> Result<Summary> {
    let mut here =
        Here { names: names.clone(), meter: Meter::new(source.progress(), what, talk.progress) };
    let outcomes = pool(config.threads)?.install(|| pipeline::run(source, &mut here, config, sink));
    here.meter.clear();
    if talk.warnings {
        source.tell_rotations();
        let reports = source.reports();
        let damage = reports.iter().flat_map(|report| {
            report.damage.iter().map(|damage| format!("{}: {damage}", report.name))
        });
        for remark in damage.chain(outcomes.summary.remarks.iter().cloned()) {
            complain(&format!("wirespan: warning: {remark}"));
        }
    }
    match outcomes.source_error {
        Some(error) => bail!("read: {error}"),
        None => Ok(outcomes.summary),
    }
}

/// Threads to work in.
///
/// # Errors
/// The system gives none.
pub(super) fn pool(threads: usize) -> Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().context("start the threads")
}

/// What the pipeline finds around it.
struct Here {
    names: SourceNames,
    meter: Meter,
}

impl Surroundings for Here {
    fn filter(&mut self, _: &mut Batch) {}

    fn taps(&mut self, names: Vec<String>) {
        self.names.add_taps(names);
    }

    fn networks(&mut self, names: Vec<String>) {
        self.names.add_networks(names);
    }

    fn go_on(&mut self, packets: u64) -> bool {
        self.meter.show(packets);
        true
    }
}
