//! What a process is, by its folder below `/proc`, and which one began it and those beside it.

use super::named::{Started, group};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use wirespan_capture::owner::{Process, word};

/// Describes a process, or the one that began it and others that do the same. What is not in its
/// folder is left out: its host, and its namespace.
pub(super) fn describe(root: &Path, pid: u32) -> Option<Process> {
    let folder = |pid: u32| root.join(pid.to_string());
    let mut status = Status::read(&folder(pid))?;
    let (mut pid, mut started) = (pid, started(&folder(pid), &status));
    let mut name = started.name();
    // Workers are forks of one process and do the same.
    for _ in 0..ANCESTORS {
        let parent = status.parent;
        if parent <= 1 {
            break;
        }
        let Some(above) = Status::read(&folder(parent)) else { break };
        let parent_started = self::started(&folder(parent), &above);
        let parent_name = parent_started.name();
        let same_file = parent_started.executable == started.executable
            && parent_name.executable == name.executable;
        if !same_file || (parent_name.name != name.name && !name.is_interpreter) {
            break;
        }
        (pid, started, name, status) = (parent, parent_started, parent_name, above);
    }
    let executable = word(name.executable.as_bytes());
    let called = word(name.name.as_bytes())?;
    Some(Process {
        pid,
        executable: executable.filter(|executable| *executable != called),
        name: called,
        user: status.user,
        namespace: None,
        group: started.group.as_deref().and_then(|group| word(group.as_bytes())),
        host: None,
    })
}

fn started(folder: &Path, status: &Status) -> Started {
    let link = |name: &str| {
        let target = fs::read_link(folder.join(name)).ok();
        target.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let arguments = bytes(&folder.join("cmdline")).unwrap_or_default();
    let arguments = arguments.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    let cgroup = text(&folder.join("cgroup")).unwrap_or_default();
    Started {
        comm: status.comm.clone(),
        executable: link("exe"),
        arguments: arguments.map(|word| String::from_utf8_lossy(word).into_owned()).collect(),
        directory: link("cwd"),
        group: group(&cgroup),
    }
}

/// What `/proc/PID/status` says.
#[derive(Debug)]
struct Status {
    comm: String,
    parent: u32,
    user: Option<u32>,
}

impl Status {
    fn read(process: &Path) -> Option<Self> {
        let text = text(&process.join("status"))?;
        let value = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
            lines.next().map(str::trim)
        };
        Some(Self {
            comm: value("Name:")?.to_owned(),
            parent: value("PPid:")?.parse().ok()?,
            // Real, effective, saved, and that of the file system.
            user: value("Uid:").and_then(|all| all.split_whitespace().nth(1)?.parse().ok()),
        })
    }
}

/// The beginning of a file, as much as one of this kind has.
fn bytes(path: &Path) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    File::open(path).ok()?.take(SHORT).read_to_end(&mut all).ok()?;
    Some(all)
}

/// The same as text, whatever bytes there are.
pub(super) fn text(path: &Path) -> Option<String> {
    Some(String::from_utf8_lossy(&bytes(path)?).into_owned())
}

/// How many processes up the one that began others is looked for.
const ANCESTORS: usize = 4;
/// Bytes of a file.
const SHORT: u64 = 1 << 20;
