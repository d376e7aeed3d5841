//! The options of what services and hosts are called.

use crate::names::files::{NameFiles, NamesError};
use anyhow::{Result, anyhow, bail};
use clap::{Args, ValueHint};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files that say what services and hosts are called.
#[derive(Debug, Args)]
pub(super) struct NamesArgs {
    /// What services are called: lines of [NETWORK] ADDRESS[/BITS][:PORT] NAME, or :PORT NAME
    ///
    /// Such as 10.0.0.7:8080 orders, 10.1.0.0/16:6379 redis, :5432 db, [2001:db8::7]:80 www; behind
    /// a # stands a comment. The longest prefix counts, then one with a network (vni7 10.0.0.0/8 a),
    /// then one with a port. These names are taken as they are. May be given several times.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = HEADING)]
    names: Vec<PathBuf>,
    /// What hosts are called, in the form of /etc/hosts; that one is read only if it is named
    ///
    /// Of several names of an address, a request takes the one that it asks for, else the first. A
    /// second port of a host has its number behind the name. May be given several times.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = HEADING)]
    hosts: Vec<PathBuf>,
}

impl NamesArgs {
    /// What is in the files.
    pub(super) fn files(&self) -> Result<Arc<NameFiles>> {
        let mut files = NameFiles::default();
        let hosts = ("--hosts", &self.hosts, NameFiles::add_hosts as Add);
        for (option, paths, add) in [("--names", &self.names, NameFiles::add_names as Add), hosts] {
            for path in paths {
                let text = text_of(option, path)?;
                let name = path.display().to_string();
                add(&mut files, &name, &text).map_err(|error| anyhow!("{option} {error}"))?;
            }
        }
        Ok(Arc::new(files))
    }
}

type Add = fn(&mut NameFiles, &str, &[u8]) -> Result<(), NamesError>;

fn text_of(option: &str, path: &Path) -> Result<Vec<u8>> {
    let name = path.display();
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut text));
    match read {
        Ok(_) if text.len() as u64 > LONGEST => bail!(
            "{option} {name}: it is longer than {} MiB; leave out what this capture lacks",
            LONGEST >> 20
        ),
        Ok(_) => Ok(text),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("{option} {name}: there is no such file, check the path")
        }
        Err(error) if error.kind() == ErrorKind::IsADirectory => {
            bail!("{option} {name}: it is a directory, name the file in it")
        }
        Err(error) => bail!("{option} {name}: {error}"),
    }
}

const HEADING: &str = "Names";
/// Bytes of a file of names.
const LONGEST: u64 = 16 << 20;
