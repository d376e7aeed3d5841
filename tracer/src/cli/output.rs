//! Where a command writes: the standard output, or a file that is none of its inputs.

use anyhow::{Result, anyhow, bail};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What is written to.
pub(super) struct Output {
    writer: Box<dyn Write + Send>,
    name: String,
}

impl Output {
    /// Makes the file, or takes the standard output for none and for `-`. What others use, it
    /// leaves alone.
    pub(super) fn create(path: Option<&Path>, in_use: &[PathBuf]) -> Result<Self> {
        let Some(path) = path.filter(|path| path.as_os_str() != "-") else {
            let writer = BufWriter::with_capacity(BUFFER, io::stdout());
            return Ok(Self { writer: Box::new(writer), name: "standard output".to_owned() });
        };
        let name = path.display().to_string();
        if in_use.iter().any(|other| is_same_file(other, path)) {
            bail!("write {name}: it is in use here already, name another place");
        }
        let file = File::create(path).map_err(|error| failure(&name, &error))?;
        Ok(Self { writer: Box::new(BufWriter::with_capacity(BUFFER, file)), name })
    }

    /// What to call it in messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Writes all of this, to the end.
    pub(super) fn write(mut self, text: &str) -> Result<()> {
        self.writer
            .write_all(text.as_bytes())
            .and_then(|()| self.writer.flush())
            .map_err(|error| failure(&self.name, &error))
    }

    /// What bytes go into.
    pub(super) fn writer(self) -> Box<dyn Write + Send> {
        self.writer
    }
}

/// Says why something could not be written, and what to do.
pub(super) fn failure(name: &str, error: &io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::NotFound => {
            anyhow!("write {name}: there is no such directory, make it or name another place")
        }
        io::ErrorKind::PermissionDenied => {
            anyhow!("write {name}: permission denied, name a place where you may write")
        }
        io::ErrorKind::IsADirectory => {
            anyhow!("write {name}: it is a directory, name a file in it")
        }
        io::ErrorKind::StorageFull => {
            anyhow!("write {name}: the disk is full, make room or name another place")
        }
        _ => anyhow!("write {name}: {error}"),
    }
}

/// Whether both are one regular file, by whatever names.
fn is_same_file(a: &Path, b: &Path) -> bool {
    let (Ok(a), Ok(b)) = (a.metadata(), b.metadata()) else { return false };
    a.is_file() && (a.dev(), a.ino()) == (b.dev(), b.ino())
}

const BUFFER: usize = 1 << 16;
