//! `--otlp`: traces go to a collector, beside what else is written.

use super::progress::Meter;
use crate::export::ndjson::SourceNames;
use crate::export::semantics::Semantics;
use crate::export::send::{Patience, Sender, Settings};
use crate::summary::Sent;
use anyhow::{Context, Result, anyhow};
use clap::Args;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Where traces are sent, for every command that shows some.
#[derive(Debug, Args)]
pub(super) struct SendArgs {
    /// Send the traces to a collector, as OTLP over HTTP; --otlp= to that of the environment
    ///
    /// /v1/traces is added to the URL unless it ends so. Without an URL, OpenTelemetry's variables
    /// tell it (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT), else it is
    /// http://localhost:4318. With --otlp, and only then, those for headers, timeout, compression,
    /// protocol and certificates count too. Traces are written as well if --format or -o says so.
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "", value_parser = url, help_heading = super::output::OUTPUT)]
    otlp: Option<String>,
}

impl SendArgs {
    /// Whether traces are sent.
    pub(super) fn is_wanted(&self) -> bool {
        self.otlp.is_some()
    }

    /// Where to, and how, if traces are sent. What is wrong with it is said before the reading.
    pub(super) fn settings(&self) -> Result<Option<Settings>> {
        let Some(url) = &self.otlp else { return Ok(None) };
        let url = Some(url.as_str()).filter(|url| !url.is_empty());
        let settings = Settings::new(url, &|name| std::env::var(name).ok());
        settings.map(Some).map_err(|why| anyhow!(why))
    }
}

/// What takes traces to be sent, of a run that goes on until a flag is set where one is given.
pub(super) fn sender(
    settings: Settings,
    protocols: &[String],
    names: &SourceNames,
    until: Option<Arc<AtomicBool>>,
) -> Result<Sender> {
    let semantics = Semantics::new(protocols.to_vec(), names.clone());
    Sender::new(semantics, settings, Patience::default(), until).context("start a thread to send")
}

/// Waits until all is sent, with a line of progress where one is wanted.
pub(super) fn finish(sender: &mut Sender, shows_progress: bool) -> Sent {
    let meter = Meter::counting(sender.handed(), "sent", shows_progress);
    let sent = sender.wait(&mut |done| meter.show(done));
    meter.clear();
    sent
}

/// A URL, or nothing.
fn url(text: &str) -> Result<String, String> {
    // A capture behind --otlp would be taken for one.
    match text {
        "" => Ok(String::new()),
        _ if text.starts_with("http://") || text.starts_with("https://") => Ok(text.to_owned()),
        _ => Err("name an URL such as http://localhost:4318, or say --otlp= for that of the \
                  environment"
            .to_owned()),
    }
}
