//! The options of how packets become traces: what is masked, which identifiers join, the limits;
//! for every command that has packets.

use super::complain;
use super::ids::{JoinedByArgs, OwnIdArgs};
use super::limits::{JoiningArgs, LIMITS, count, memory, nanoseconds, seconds};
use super::names::NamesArgs;
use super::redact::RedactArgs;
use crate::config::{self, Config};
use crate::join::window::WindowLimits;
use crate::load::gauge::resident;
use crate::load::limits::{MemoryLimits, limits_for};
use crate::names::files::NameFiles;
use anyhow::{Result, bail};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use std::sync::Arc;
use wirespan_capture::decode::NamedPoint;
use wirespan_parsers::registry;
use wirespan_parsers::settings::Settings;

/// How packets become traces.
#[derive(Debug, Args)]
pub(super) struct TracingArgs {
    #[command(flatten)]
    redact: RedactArgs,

    #[command(flatten)]
    own_ids: OwnIdArgs,

    #[command(flatten)]
    joined_by: JoinedByArgs,

    #[command(flatten)]
    joining: JoiningArgs,

    #[command(flatten)]
    names: NamesArgs,

    /// Seconds after which a request counts as unanswered
    #[arg(long, value_name = "SECONDS", default_value_t = config::RESPONSE_TIMEOUT_SECONDS as f64, value_parser = seconds, allow_hyphen_values = true, help_heading = LIMITS, hide_short_help = true)]
    response_timeout: f64,

    /// These taps are one capture point, for what is dealt out over several taps (TAPs are named
    /// as the closing counts name them, or by the file; what sees each direction on a tap of its
    /// own is found without it)
    #[arg(long, value_name = "NAME=TAP,TAP…", value_parser = named_point, help_heading = "Capture points")]
    point: Vec<NamedPoint>,

    /// Flows that are followed at a time
    #[arg(long, value_name = "N", default_value_t = config::MAX_FLOWS, value_parser = count, allow_negative_numbers = true, help_heading = LIMITS, hide_short_help = true)]
    max_flows: usize,

    /// Requests that are open at a time, beside one of each flow
    #[arg(long, value_name = "N", default_value_t = config::MAX_OPEN, value_parser = count, allow_negative_numbers = true, help_heading = LIMITS, hide_short_help = true)]
    max_open: usize,

    /// Bytes of memory that are kept to by leaving flows out, such as 256M; counted and marked
    ///
    /// Other limits are made to fit where they do not. What is left out depends on the machine
    /// then, so that two runs may differ. Live, it is a quarter of the memory that there is if
    /// nothing is said, 2 GiB at most, and the rings beside.
    #[arg(long, value_name = "BYTES", value_parser = memory, allow_hyphen_values = true, help_heading = LIMITS, hide_short_help = true)]
    pub(super) max_memory: Option<u64>,

    /// Bytes that may wait for missing ones, and as many of unfinished messages
    #[arg(long, value_name = "BYTES", default_value_t = config::MAX_WAITING_BYTES, value_parser = count, allow_negative_numbers = true, help_heading = LIMITS, hide_short_help = true)]
    max_waiting_bytes: usize,
}

/// Which of these options stand on the command line. What has it has it in front of them, as they
/// take what they need away.
#[derive(Clone, Debug)]
pub(super) struct TracingGiven(Vec<String>);

impl TracingGiven {
    /// The first of them that is neither about joining nor about names, which spans need as well.
    pub(super) fn other_than_joining(&self) -> Option<&str> {
        let known = JoinedByArgs::augment_args(JoiningArgs::augment_args(Command::new("")));
        let known = NamesArgs::augment_args(known);
        let joins = |option: &&String| {
            known.get_arguments().any(|arg| option.strip_prefix("--") == arg.get_long())
        };
        self.0.iter().find(|option| !joins(option)).map(String::as_str)
    }

    /// The first of them as it is written, if there is one.
    pub(super) fn first(&self) -> Option<&str> {
        self.0.first().map(String::as_str)
    }
}

impl Args for TracingGiven {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

impl FromArgMatches for TracingGiven {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let known = TracingArgs::augment_args(Command::new(""));
        let is_given = |arg: &&Arg| {
            matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
        };
        let given = known.get_arguments().filter(is_given);
        Ok(Self(given.filter_map(|arg| Some(format!("--{}", arg.get_long()?))).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl TracingArgs {
    /// The limits of joining spans that were written, which may have labels of any name.
    pub(super) fn window_of_spans(&self) -> Result<WindowLimits> {
        Ok(self.joining.window(self.joined_by.any()?))
    }

    /// What the user calls services and hosts.
    pub(super) fn name_files(&self) -> Result<Arc<NameFiles>> {
        self.names.files()
    }

    /// How many threads work at a time.
    pub(super) fn threads(&self) -> usize {
        self.joining.threads()
    }

    /// What a run needs to know. With details, all is kept that messages say; where secrets are to
    /// be overwritten in packets, it is noted where they stand.
    pub(super) fn config(&self, details: bool, locate_secrets: bool) -> Result<Config> {
        name_once(&self.point)?;
        let mut ids = self.own_ids.ids()?;
        let secrets = ids.secrets(self.redact.secrets()?);
        if let Some(concealment) = self.redact.concealment(&secrets, &ids)? {
            ids.conceal(concealment);
        }
        let settings = Arc::new(Settings { secrets, locate_secrets, ids, ..Settings::default() });
        let mut config = Config {
            threads: self.joining.threads(),
            window: self.joining.window(self.joined_by.known()?),
            response_timeout: nanoseconds(self.response_timeout),
            open: self.max_open,
            details,
            points: self.point.clone(),
            names: self.names.files()?,
            protocols: Box::new(move || registry::protocols(&settings)),
            ..Config::default()
        };
        config.flows.flows = self.max_flows;
        config.flows.waiting = self.max_waiting_bytes;
        Ok(config)
    }

    /// Lowers limits to a bound of memory, if one was named.
    pub(super) fn fit_if_bounded(&self, config: &mut Config) {
        if let Some(memory) = self.max_memory {
            self.fit(config, &limits_for(memory, 0, config.threads));
            tell_if_memory_is_unseen();
        }
    }

    /// Lowers limits to those of a bound of memory, and says which of them were asked for.
    pub(super) fn fit(&self, config: &mut Config, limits: &MemoryLimits) {
        let asked = limits_of(config);
        config.fit(limits);
        let lowered = lowered(&asked, &limits_of(config), &limits_of(&Config::default()));
        if !lowered.is_empty() {
            let lowered = lowered.join(", ");
            complain(&format!(
                "wirespan: limits are lowered to fit into memory: {lowered}; name more with \
                 --max-memory"
            ));
        }
    }
}

/// Says that a bound of memory is kept to by limits alone, where nothing tells what the process has.
pub(super) fn tell_if_memory_is_unseen() {
    if resident().is_none() {
        complain(
            "wirespan: warning: /proc/self/statm cannot be read: memory is bounded by limits alone \
             (--max-flows, --max-held), and nothing is left out where they do not suffice",
        );
    }
}

/// The limits that a bound of memory lowers, under the names of their options.
fn limits_of(config: &Config) -> [(&'static str, usize); 5] {
    [
        ("--max-flows", config.flows.flows),
        ("--max-waiting-bytes", config.flows.waiting),
        ("--max-open", config.open),
        ("--max-held", config.window.held),
        ("--max-trace-spans", config.window.members),
    ]
}

/// Which limits are lower now than they were asked for. Who leaves one as it usually is asks for
/// nothing.
fn lowered<const N: usize>(
    asked: &[(&str, usize); N],
    now: &[(&str, usize); N],
    usual: &[(&str, usize); N],
) -> Vec<String> {
    let all = asked.iter().zip(now).zip(usual);
    let lowered = all.filter(|((asked, now), usual)| now.1 < asked.1 && asked.1 != usual.1);
    lowered.map(|((asked, now), _)| format!("{} {} to {}", asked.0, asked.1, now.1)).collect()
}

/// Reads `NAME=TAP,TAP…`.
fn named_point(text: &str) -> Result<NamedPoint, String> {
    let (name, taps) = text.split_once('=').unwrap_or_default();
    let taps: Vec<String> = taps.split(',').map(|tap| tap.trim().to_owned()).collect();
    if name.trim().is_empty() || taps.iter().any(String::is_empty) {
        return Err("name a point and its taps, as in --point core=eth1,eth2".to_owned());
    }
    Ok(NamedPoint { name: name.trim().to_owned(), taps, because: None })
}

/// A tap is in one point only, and a point is named once.
fn name_once(points: &[NamedPoint]) -> Result<()> {
    for (before, point) in points.iter().enumerate() {
        for other in points.iter().take(before) {
            let name = &point.name;
            if other.name == *name {
                bail!("--point {name} is there twice; name all of its taps in one");
            }
            if let Some(tap) = point.taps.iter().find(|tap| other.taps.contains(tap)) {
                bail!("--point {name}: the tap {tap} is in --point {} already", other.name);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_for_is_told_to_be_lowered() {
        let usual = [("--max-flows", 100), ("--max-held", 100)];
        for (asked, now, expected) in [
            ([100, 100], [50, 50], &[][..]),
            ([80, 100], [50, 50], &["--max-flows 80 to 50"]),
            ([40, 200], [40, 50], &["--max-held 200 to 50"]),
            ([80, 70], [80, 70], &[]),
        ] {
            let named = |[flows, held]: [usize; 2]| [("--max-flows", flows), ("--max-held", held)];
            assert_eq!(lowered(&named(asked), &named(now), &usual), expected, "{asked:?}");
        }
    }
}
