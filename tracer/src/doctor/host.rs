//! The files in which a kernel says what it is. Whatever is missing or cannot be read is `None`:
//! hosts without `/sys`, or with half of `/proc`, are examined like all others.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// A host, by the root of its file system.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
}

impl Host {
    /// This one is at `/`; tests make up others.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The beginning of a file, without space around it.
    pub fn read(&self, path: &str) -> Option<String> {
        let mut bytes = Vec::new();
        File::open(self.path(path)).ok()?.take(LONGEST).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    /// A number that a file holds.
    pub fn number(&self, path: &str) -> Option<u64> {
        self.read(path)?.parse().ok()
    }

    /// Whether there is something at a path.
    pub fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// The last part of what a link points to.
    pub fn target(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.path(path)).ok()?;
        Some(target.file_name()?.to_string_lossy().into_owned())
    }

    /// The names in a folder, in order.
    pub fn list(&self, path: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(path)) else { return Vec::new() };
        let mut names: Vec<String> = entries
            .take(MOST)
            .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
            .collect();
        names.sort_unstable();
        names
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(Path::new(path.trim_start_matches('/')))
    }
}

/// Bytes of a file that are read.
const LONGEST: u64 = 1 << 20;
/// Names in a folder that are read.
const MOST: usize = 4_096;
