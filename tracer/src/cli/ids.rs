//! The options of identifiers: where an application has its own, and which ones may join.

use crate::join::IdSet;
use anyhow::{Result, anyhow, bail};
use clap::Args;
use wirespan_parsers::trace_context::Format;
use wirespan_parsers::trace_context::format::Label;
use wirespan_parsers::trace_context::own::OwnIds;

/// Where an application has identifiers of its own.
#[derive(Debug, Args)]
pub(super) struct OwnIdArgs {
    /// A header that holds an identifier, beside those that are known
    ///
    /// [LABEL=]NAME[:FORMAT]. The value is an id as it stands, and is called by the label, else by
    /// the header's name; with a format, such as x-old-trace:b3, it is read as that one. May be
    /// given several times.
    #[arg(long, value_name = "NAME", help_heading = HEADING)]
    id_header: Vec<String>,
    /// A place in messages that holds an identifier: a field of bodies, queries or comments of SQL
    ///
    /// [LABEL=]json:$.txn.id, xml:/txn/@id, form:NAME, query:NAME or sql:KEY. It is called by the
    /// label, else id; places with one label join one another. Bodies of HTTP are read for it, their
    /// first 64 KiB, requests and responses. May be given several times.
    #[arg(long, value_name = "PLACE", help_heading = HEADING)]
    id_field: Vec<String>,
}

impl OwnIdArgs {
    /// What is named.
    pub(super) fn ids(&self) -> Result<OwnIds> {
        let mut ids = OwnIds::default();
        for words in &self.id_header {
            ids.add_header(words).map_err(|fault| anyhow!("--id-header {words}: {fault}"))?;
        }
        for words in &self.id_field {
            ids.add_field(words).map_err(|fault| anyhow!("--id-field {words}: {fault}"))?;
        }
        Ok(ids)
    }
}

/// Which identifiers may join.
#[derive(Debug, Args)]
pub(super) struct JoinedByArgs {
    /// Identifiers that may join exchanges: on, off, or a list of names
    ///
    /// Names are those of the output, such as traceparent,x-request-id, and labels. The others are
    /// shown all the same.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "on", help_heading = HEADING)]
    ids: Vec<String>,
}

impl JoinedByArgs {
    /// What is named, where only known formats and labels that were named by now exist.
    pub(super) fn known(&self) -> Result<IdSet> {
        self.set(Label::known)
    }

    /// What is named, where spans may have labels of any name.
    pub(super) fn any(&self) -> Result<IdSet> {
        self.set(Label::new)
    }

    fn set(&self, label: fn(&str) -> Option<Label>) -> Result<IdSet> {
        if let [only] = self.ids.as_slice() {
            match only.as_str() {
                "on" => return Ok(IdSet::ALL),
                "off" => return Ok(IdSet::NONE),
                _ => {}
            }
        }
        let format = |name: &String| {
            let found = Format::known(name).or_else(|| label(name).map(Format::Named));
            let Some(format) = found else {
                let known: Vec<&str> = Format::KNOWN.iter().map(|format| format.name()).collect();
                bail!("--ids {name:?}: name on, off, a label, or some of {}", known.join(","));
            };
            Ok(format)
        };
        self.ids.iter().map(format).collect()
    }
}

const HEADING: &str = "Identifiers";
