//! The options that say which traces are shown, for every command that shows some.

use crate::export::time::Zone;
use crate::moment::{self, Moment};
use crate::numbers::grouped;
use crate::select::{IdPrefix, Pattern, Selection};
use crate::summary::Summary;
use anyhow::{Result, bail};
use clap::Args;
use wirespan_capture::packet::Timestamp;

#[derive(Clone, Debug, Default, Args)]
pub(super) struct ChooseArgs {
    /// The trace with this id; its first digits will do
    ///
    /// At least 4 of them; the zeros before an id of 64 bits need not be there. Several may be
    /// named, each with --trace. All exchanges of such a trace have a line, however many there are.
    #[arg(long, value_name = "ID", value_parser = IdPrefix::parse, help_heading = WHICH)]
    trace: Vec<IdPrefix>,

    /// Traces with a failure
    ///
    /// A failure is a status such as 500, an error of the protocol, or a connection that was
    /// refused, reset or never answered.
    #[arg(long, help_heading = WHICH)]
    errors: bool,

    /// Traces that took at least so long: 10ms, 1.5s, 200us
    #[arg(long, value_name = "DURATION", value_parser = moment::duration, allow_hyphen_values = true, help_heading = WHICH)]
    min_duration: Option<i64>,

    /// Traces that ask this service; * stands for any characters
    #[arg(long, value_name = "NAME", value_parser = some_text, help_heading = WHICH)]
    service: Option<String>,

    /// Traces that hold this text, in capitals or not
    ///
    /// It is looked for in ids, operations, paths, queries, keys, hosts, services, addresses
    /// (10.0.0.7:80), status and all other texts.
    #[arg(long, value_name = "TEXT", value_parser = some_text, allow_hyphen_values = true, help_heading = WHICH)]
    find: Option<String>,

    /// Traces that were not over before this time: 01:09:35.5, +5s, 2026-11-25T01:09:35Z
    ///
    /// A time without date is on the capture's first day, in UTC unless --local-time; +5s is after
    /// its first packet. 2026-11-25 01:09:35 and seconds since 1970 are understood too.
    #[arg(long = "from", value_name = "TIME", value_parser = Moment::parse, allow_hyphen_values = true, help_heading = WHICH)]
    since: Option<Moment>,

    /// Traces that had begun by this time
    #[arg(long = "to", value_name = "TIME", value_parser = Moment::parse, allow_hyphen_values = true, help_heading = WHICH)]
    until: Option<Moment>,

    /// Of these, the slowest so many, slowest first
    #[arg(long, value_name = "N", value_parser = slowest, allow_negative_numbers = true, help_heading = WHICH)]
    slowest: Option<usize>,

    /// No more than so many
    ///
    /// Reading stops there, unless --slowest or --summary need the rest.
    #[arg(long, value_name = "N", value_parser = limit, allow_negative_numbers = true, help_heading = WHICH)]
    limit: Option<u64>,
}

impl ChooseArgs {
    /// What is wanted, where moments are meant by this clock.
    pub(super) fn selection(&self, zone: &Zone) -> Selection {
        Selection {
            traces: self.trace.clone(),
            errors: self.errors,
            min_duration: self.min_duration.unwrap_or_default(),
            service: self.service.as_deref().map(Pattern::new),
            find: self.find.clone(),
            from: self.since,
            to: self.until,
            zone: Some(zone.time_zone().clone()),
            slowest: self.slowest,
            limit: self.limit,
        }
    }

    /// Says what can never match.
    pub(super) fn check(&self) -> Result<()> {
        if let (Some(from), Some(to)) = (self.since, self.until)
            && from.is_surely_after(to)
        {
            bail!("--from lies behind --to; nothing can lie between");
        }
        Ok(())
    }

    /// Why no trace matches, by what the capture holds.
    pub(super) fn why_none(&self, summary: &Summary, zone: &Zone) -> String {
        let mut why = match summary.traces {
            1 => "its one trace does not match".to_owned(),
            traces => format!("none of {} traces matches", grouped(traces)),
        };
        if self.service.is_some() {
            let mut names: Vec<String> =
                summary.services.iter().take(NAMED).map(|one| one.service.clone()).collect();
            if summary.services.len() > NAMED {
                names.push(format!("{} more", summary.services.len() - NAMED));
            }
            why.push_str(&format!("; its services are {}", names.join(", ")));
        }
        if (self.since.is_some() || self.until.is_some() || !self.trace.is_empty())
            && let (Some(from), Some(to)) = (summary.from, summary.to)
        {
            let [from, to] = [from, to].map(|at| zone.moment_text(Timestamp(at)));
            why.push_str(&format!("; it goes from {from} to {to}"));
        }
        why
    }

    /// Whether nothing that comes after the limit is of use, as far as these options say.
    pub(super) fn ends_at_limit(&self) -> bool {
        self.limit.is_some() && self.slowest.is_none()
    }
}

fn some_text(text: &str) -> Result<String, &'static str> {
    if text.is_empty() { Err("it is empty, name a text") } else { Ok(text.to_owned()) }
}

fn limit(text: &str) -> Result<u64, &'static str> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or("name a whole number from 1 on")
}

fn slowest(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=MOST).contains(count));
    count.ok_or_else(|| format!("name a whole number from 1 to {MOST}"))
}

/// Services that are named where none matches.
const NAMED: usize = 10;
/// Traces that may be kept until the end.
const MOST: usize = 100_000;
const WHICH: &str = "Which traces";
