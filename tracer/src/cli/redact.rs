//! Options that say what is masked.

use anyhow::{Context, Result, bail};
use clap::{Args, ValueHint};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use wirespan_parsers::secrets::Secrets;
use wirespan_parsers::trace_context::conceal::Concealment;
use wirespan_parsers::trace_context::own::OwnIds;

#[derive(Debug, Args)]
pub(super) struct RedactArgs {
    /// Mask values with these names too, beside passwords, tokens and the like
    ///
    /// Names of headers, of parameters in addresses, of fields in bodies and of keys, in any
    /// spelling: customer-id is also CustomerId and customer_id. What is masked is ***, in SQL and
    /// Redis ?, and never in the output; identifiers with such a name still join.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', help_heading = HEADING)]
    redact: Vec<String>,
    /// A file with a key, so that secret identifiers join across machines
    ///
    /// What --redact names and holds an identifier is told as a hash that nobody can make without
    /// this key; spans of machines with the same key join. Without a key it joins within the run,
    /// and nothing of it is told. Make one: head -c 32 /dev/urandom > FILE
    #[arg(long, value_name = "FILE", conflicts_with = "no_redact", value_hint = ValueHint::FilePath, help_heading = HEADING)]
    redact_key: Option<PathBuf>,
    /// Mask nothing: show passwords, tokens, cookies and literals of SQL as they were sent
    #[arg(long, conflicts_with = "redact", help_heading = HEADING)]
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

    /// What stands for secret identifiers, where there may be some.
    pub(super) fn concealment(
        &self,
        secrets: &Secrets,
        ids: &OwnIds,
    ) -> Result<Option<Concealment>> {
        let key = self.redact_key.as_deref().map(key).transpose()?;
        if self.no_redact || (self.redact.is_empty() && ids.is_empty()) {
            return Ok(None);
        }
        let secrets = secrets.clone();
        Ok(Some(match key {
            Some(key) => Concealment::keyed(secrets, &key),
            None => Concealment::within_run(secrets),
        }))
    }
}

/// Reads a key; what an editor adds at its end is none of it.
fn key(path: &Path) -> Result<Vec<u8>> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("read --redact-key {shown}"))?;
    let mut key = Vec::new();
    file.take(KEY_LIMIT)
        .read_to_end(&mut key)
        .with_context(|| format!("read --redact-key {shown}"))?;
    let key = key.trim_ascii_end();
    if key.len() < KEY_LENGTH {
        bail!(
            "--redact-key {shown}: {} bytes are too few; make one: head -c 32 /dev/urandom > FILE",
            key.len()
        );
    }
    Ok(key.to_vec())
}

/// Bytes of a file that are taken for a key.
const KEY_LIMIT: u64 = 64 << 10;
/// Bytes that a key has at least.
const KEY_LENGTH: usize = 16;
const HEADING: &str = "Secrets";
