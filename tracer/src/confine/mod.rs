//! Least rights: a process that has opened its sockets gives up what it needs no more.
//!
//! ```text
//! root, or CAP_NET_RAW ─▶ user, groups ─▶ capabilities ─▶ no new privileges ─▶ seccomp ─▶ landlock
//!                         every kernel                    3.5                 3.5        5.13
//! ```
//!
//! Packets are what anybody sends. What reads them must not be worth taking over, so that
//! [`Prepared::apply`] is called once sockets and listeners are open, and before a thread is
//! started: user and groups are given up for the whole process, all else for the thread that calls
//! and for those that it starts. On a kernel that lacks a measure, or where something around the
//! process forbids it, the run goes on without; [`Applied`] says what was done and what was not.
//! No step is, or leads to, a call of bpf(2): filters of seccomp are loaded with prctl(2) or
//! seccomp(2), and are programs of the old kind.
//!
//! CAP_NET_RAW opens the sockets, and is enough. Nothing needs it after that: a socket is bound to
//! an interface that came back without it.

mod user;
mod capabilities;
mod seccomp;
mod landlock;

use nix::sys::prctl;
use std::fmt::{self, Display, Formatter};
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;
use tempfile::NamedTempFile;
use user::Account;

/// What a run still needs once its sockets are open.
#[derive(Clone, Debug, Default)]
pub struct Confinement {
    /// The user to become, as in tcpdump's `-Z`: `USER`, `USER:GROUP`, numbers in place of names,
    /// or `root`, who stays. Where it is absent, root becomes whoever called sudo, else `nobody`.
    /// It means nothing to a process that is not root.
    pub user: Option<String>,
    /// Files and folders that are opened for reading, but for those of the system that any run
    /// needs. They need not exist.
    pub reads: Vec<PathBuf>,
    /// Files and folders that are written to. In folders files are made, renamed and removed; so
    /// they are in the folder of a file that does not exist yet. Files that are open need no place
    /// here.
    pub writes: Vec<PathBuf>,
    /// Ports of TCP that connections are made to. If there is one, names are looked up, too.
    pub connects: Vec<u16>,
}

impl Confinement {
    /// Finds out who the process will be, while the system's list of users can be read.
    ///
    /// # Errors
    ///
    /// If the system does not know the user or the group.
    pub fn prepare(self) -> Result<Prepared, ConfineError> {
        let account = user::choose(self.user.as_deref())?;
        Ok(Prepared { account, confinement: self })
    }
}

/// A confinement whose user is known.
#[derive(Debug)]
pub struct Prepared {
    /// Absent if the user stays who it is.
    account: Option<Account>,
    confinement: Confinement,
}

impl Prepared {
    /// Adds files and folders that are written to: see [`Confinement::writes`].
    pub fn writes<'a>(&mut self, paths: impl IntoIterator<Item = &'a PathBuf>) {
        self.confinement.writes.extend(paths.into_iter().cloned());
    }

    /// Adds a series of files: the first has this path, the others stand beside it. That the first
    /// is there already, from a run before, says nothing of the next ones.
    pub fn writes_series(&mut self, first: &Path) {
        self.confinement.writes.push(folder(first));
        // What a link leads to is in another folder.
        if first.is_symlink() && first.exists() {
            self.confinement.writes.push(first.to_owned());
        }
    }

    /// Adds ports of TCP that connections are made to: see [`Confinement::connects`].
    pub fn connects(&mut self, ports: impl IntoIterator<Item = u16>) {
        self.confinement.connects.extend(ports);
    }

    /// Gives up all that is not needed.
    ///
    /// # Errors
    ///
    /// If other threads run, as they would keep their rights; if the user was asked for and cannot
    /// become it, or could become root again; and if what will be written to cannot be.
    pub fn apply(self) -> Result<Applied, ConfineError> {
        self.apply_after(&[], || ()).map(|(applied, ())| applied)
    }

    /// Like [`apply`](Self::apply); what `start` starts may look into the processes of others.
    ///
    /// Which process owns a socket stands in links below `/proc/PID/fd`. They take CAP_SYS_PTRACE
    /// and CAP_DAC_READ_SEARCH, and are closed to whoever is under landlock, whatever it allows.
    /// So `start` is called with these two, if there are any to keep, and under all other
    /// measures, among them those that forbid to trace, or to write to, another process. Threads
    /// that it starts keep them, and must handle nothing that comes from packets. The thread that
    /// calls gives them up, and so do those that it starts later.
    ///
    /// # Errors
    ///
    /// Those of [`apply`](Self::apply).
    pub fn apply_beside<T>(self, start: impl FnOnce() -> T) -> Result<(Applied, T), ConfineError> {
        self.apply_after(&capabilities::TO_LOOK_INTO_PROCESSES, start)
    }

    fn apply_after<T>(
        self,
        for_start: &[caps::Capability],
        start: impl FnOnce() -> T,
    ) -> Result<(Applied, T), ConfineError> {
        if other_threads_run() {
            return Err(ConfineError::Threads);
        }
        let mut missing = Vec::new();
        let writes: Vec<PathBuf> = self.confinement.writes.iter().map(|path| place(path)).collect();
        // Root without capabilities may not write where only another user may.
        let always = if self.account.is_none() && user::is_root() && !writes.is_empty() {
            &capabilities::TO_WRITE_AS_ROOT[..]
        } else {
            &[]
        };

        // The bounding set and the groups take rights which go with the user.
        capabilities::empty_bounding_set();
        if let Some(account) = &self.account {
            // Refused at most where capabilities go with the user, which is more than was asked.
            let _ = prctl::set_keepcaps(true);
            match account.become_it() {
                Ok(()) => {}
                Err(cause) if account.was_asked_for() => {
                    return Err(ConfineError::User { name: account.name().to_owned(), cause });
                }
                // A container may have root without the right to become anybody else.
                Err(cause) => missing.push(format!("user {} ({cause})", account.name())),
            }
            let _ = prctl::set_keepcaps(false);
        }
        let reader = capabilities::keep([for_start, always].concat())?;
        user::check_that_root_is_gone()?;

        // What the system's files tell is asked while they are open.
        let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
        let (user, groups) = (user::name(uid), user::groups());
        let no_new_privs = prctl::set_no_new_privs();
        missing.extend(no_new_privs.err().map(|cause| lacks("no new privileges", &cause)));
        let connects = !self.confinement.connects.is_empty();
        let seccomp = seccomp::apply(connects, !for_start.is_empty());
        missing.extend(seccomp.as_ref().err().map(|cause| lacks("seccomp", cause)));

        let started = start();
        let kept = capabilities::keep(always.to_vec())?;
        let reads = &self.confinement.reads;
        let landlock = landlock::apply(reads, &writes, &self.confinement.connects);
        missing.extend(landlock.as_ref().err().map(|cause| lacks("landlock", cause)));

        for (asked, place) in self.confinement.writes.iter().zip(&writes) {
            if let Err(cause) = try_to_write(place) {
                return Err(ConfineError::Write { path: asked.clone(), user, cause });
            }
        }
        let applied = Applied {
            user,
            uid: uid.as_raw(),
            gid: gid.as_raw(),
            groups,
            capabilities: capabilities::names(&kept),
            beside: if for_start.is_empty() { Vec::new() } else { capabilities::names(&reader) },
            no_new_privs: no_new_privs.is_ok(),
            seccomp: seccomp.is_ok(),
            landlock: landlock.ok(),
            missing,
        };
        Ok((applied, started))
    }
}

/// What was given up. Its text is one line.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The user's name, or its number where it has none.
    pub user: String,
    /// The user's number.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its other groups.
    pub groups: Vec<u32>,
    /// Capabilities that are left, spelt as `CAP_NET_RAW`.
    pub capabilities: Vec<String>,
    /// Those of the threads that were started by [`Prepared::apply_beside`].
    pub beside: Vec<String>,
    /// Whether no program that is run could have more rights.
    pub no_new_privs: bool,
    /// Whether system calls are filtered.
    pub seccomp: bool,
    /// The version of landlock that the kernel has, if it has one.
    pub landlock: Option<u32>,
    /// What could not be done, each with the cause.
    pub missing: Vec<String>,
}

impl Display for Applied {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "user {} ({}:{})", self.user, self.uid, self.gid)?;
        match self.capabilities.as_slice() {
            [] => out.write_str(", no capabilities")?,
            kept => write!(out, ", {}", kept.join(" "))?,
        }
        if !self.beside.is_empty() {
            write!(out, ", to look into processes {}", self.beside.join(" "))?;
        }
        if self.no_new_privs {
            out.write_str(", no new privileges")?;
        }
        if self.seccomp {
            out.write_str(", seccomp")?;
        }
        if let Some(version) = self.landlock {
            write!(out, ", landlock {version}")?;
        }
        if self.missing.is_empty() {
            return Ok(());
        }
        write!(out, "; not here: {}", self.missing.join(", "))
    }
}

/// Why a process does not get by with fewer rights.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// There is no such user.
    #[error("become {0}, a user that this system does not know: give -Z another, or root")]
    UnknownUser(String),
    /// A name is missing.
    #[error("become {0:?}: name a user, or a user and a group, as in -Z nobody:nogroup")]
    EmptyUser(String),
    /// There is no such group.
    #[error("join {0}, a group that this system does not know: give -Z USER alone, or another")]
    UnknownGroup(String),
    /// The list of users cannot be read.
    #[error("look up the user {0} of -Z ({1}): give its number")]
    LookUp(String, io::Error),
    /// The user was asked for.
    #[error("become {name} ({cause}): root stays root with -Z root")]
    User {
        /// The name of -Z.
        name: String,
        /// What the system says.
        cause: io::Error,
    },
    /// The user could become root again.
    #[error("give up the rights of root, as they can be had again: -Z root keeps them")]
    NotGone,
    /// Capabilities stay.
    #[error("give up capabilities: {0}")]
    Capabilities(String),
    /// Threads that run keep their rights.
    #[error("give up rights, since threads that run would keep theirs")]
    Threads,
    /// A file or folder is not open to the user.
    #[error(
        "write to {} as user {user} ({cause}): name a place where that user may write, or give -Z another \
         user, or root",
        path.display()
    )]
    Write {
        /// As it was asked for.
        path: PathBuf,
        /// Who could not.
        user: String,
        /// What the system says.
        cause: io::Error,
    },
}

/// Where rights are needed to write to a path: itself, or the folder in which it will be made.
fn place(path: &Path) -> PathBuf {
    if path.exists() {
        return path.to_owned();
    }
    folder(path)
}

/// The folder in which a path is.
fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
        Some(folder) => folder.to_owned(),
        None => path.to_owned(),
    }
}

/// Only trying tells: owners, modes, lists of access, mounts and landlock all have their say.
fn try_to_write(place: &Path) -> io::Result<()> {
    if place.is_dir() {
        let tried = tempfile::Builder::new().prefix(".wirespan-").tempfile_in(place);
        // The file's name, which the error holds, tells nobody anything.
        return tried.and_then(NamedTempFile::close).map_err(|cause| cause.kind().into());
    }
    OpenOptions::new().append(true).open(place).map(drop)
}

fn lacks(what: &str, cause: &dyn Display) -> String {
    format!("{what} ({cause})")
}

/// Whether the process has other threads, where /proc tells. One that has ended, and was waited
/// for, is listed for a moment still.
fn other_threads_run() -> bool {
    let is_alone = || fs::read_dir("/proc/self/task").map_or(true, |tasks| tasks.count() < 2);
    let is_alone_soon = |_| {
        let alone = is_alone();
        if !alone {
            thread::sleep(MOMENT);
        }
        alone
    };
    !(0..MOMENTS).any(is_alone_soon)
}

/// How often it is looked whether threads that ended are gone, and how long it takes to look again.
const MOMENTS: u32 = 50;
const MOMENT: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_names_what_is_left_and_what_is_missing() {
        let applied = Applied {
            user: "nobody".to_owned(),
            uid: 65534,
            gid: 65534,
            groups: vec![65534],
            capabilities: Vec::new(),
            beside: vec!["CAP_SYS_PTRACE".to_owned()],
            no_new_privs: true,
            seccomp: true,
            landlock: None,
            missing: vec![lacks("landlock", &"the kernel has none")],
        };
        assert_eq!(
            applied.to_string(),
            "user nobody (65534:65534), no capabilities, to look into processes CAP_SYS_PTRACE, \
             no new privileges, seccomp; not here: landlock (the kernel has none)"
        );
    }

    #[test]
    fn new_file_is_made_in_its_folder() {
        for (path, expected) in
            [("new.pcapng", "."), ("/tmp/new.pcapng", "/tmp"), ("/tmp", "/tmp"), ("/", "/")]
        {
            assert_eq!(place(Path::new(path)), Path::new(expected), "{path}");
        }
    }

    #[test]
    fn series_is_made_in_its_folder_whether_or_not_it_has_begun() {
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join("x.pcapng");
        let places = |first: &Path| -> Vec<PathBuf> {
            let mut prepared = Confinement::default().prepare().unwrap();
            prepared.writes_series(first);
            prepared.confinement.writes.iter().map(|path| place(path)).collect()
        };
        assert_eq!(places(&first), [folder.path()]);
        fs::write(&first, "").unwrap();
        assert_eq!(places(&first), [folder.path()]);
        let link = folder.path().join("link.pcapng");
        std::os::unix::fs::symlink(&first, &link).unwrap();
        assert_eq!(places(&link), [folder.path(), &link]);
    }

    #[test]
    fn threads_that_run_are_an_error() {
        let other = thread::spawn(thread::park);
        let prepared = Confinement::default().prepare().unwrap();
        let refused = prepared.apply();
        other.thread().unpark();
        other.join().unwrap();
        assert!(matches!(refused, Err(ConfineError::Threads)), "{refused:?}");
    }
}
