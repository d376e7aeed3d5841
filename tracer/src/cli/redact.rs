//! Options that say what is masked.

use anyhow::{Result, bail};
use clap::Args;
use wirespan_parsers::secrets::Secrets;

#[derive(Debug, Args)]
pub(super) struct RedactArgs {
    /// Mask values with these names too, beside passwords, tokens and the like
    ///
    /// Names of headers, of parameters in addresses, of fields in bodies and of keys, in any
    /// spelling: customer-id is also CustomerId and customer_id. What is masked is ***, in SQL and
    /// Redis ?, and never in the output; identifiers that join exchanges still do.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', help_heading = HEADING)]
    redact: Vec<String>,
    /// Mask nothing: show passwords, tokens, cookies and literals of SQL as they were sent
    #[arg(long, conflicts_with_all = ["redact", "sanitize"], help_heading = HEADING)]
    no_redact: bool,
}

impl RedactArgs {
    /// What is secret.
    pub(super) fn secrets(&self) -> Result<Secrets> {
        if self.no_redact {
            return Ok(Secrets::shown());
        }
        let has_sense = |name: &&String| name.bytes().any(|byte| byte.is_ascii_alphanumeric());
        if let Some(name) = self.redact.iter().find(|name| !has_sense(name)) {
            bail!("--redact {name:?} is no name; name what is secret, as in --redact iban,pin");
        }
        Ok(Secrets::with_names(self.redact.iter().map(String::as_bytes)))
    }
}

const HEADING: &str = "Secrets";
