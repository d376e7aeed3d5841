//! Least rights, as the kernel sees them: a process of its own gives up what it had, `/proc` tells
//! what is left, and what it may not do is tried.

#![expect(clippy::unwrap_used, reason = "what a test cannot do fails it")]
#![expect(clippy::print_stdout, reason = "a test that cannot run says why")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn root_becomes_nobody_without_rights() {
    let Some(confined) = confined("root", &["env"], &[]) else { return };
    assert!(confined.line.starts_with("user nobody ("), "{}", confined.line);
    assert!(confined.line.contains("no capabilities, no new privileges, seccomp"));
    confined.check_threads(&[], &[]);
    confined.check_tries(NEVER);
    confined.check_tries(&[
        ("bind", "ok"),
        ("packet-stats", "ok"),
        ("own-status", "ok"),
        ("interface-number", "ok"),
        ("thread", "ok"),
        ("socket-udp", "ENOSYS"),
        ("connect-elsewhere", "ENOSYS"),
        ("listen", "ENOSYS"),
    ]);
}

#[test]
fn user_is_the_one_that_was_asked_for() {
    let Some(confined) = confined("root", &["env"], &["user=4000000:4000001"]) else { return };
    assert!(confined.line.starts_with("user 4000000 (4000000:4000001)"), "{}", confined.line);
    for status in confined.threads() {
        assert_eq!(ids(&status, "Uid"), [4_000_000; 4]);
        assert_eq!(ids(&status, "Gid"), [4_000_001; 4]);
        assert_eq!(ids(&status, "Groups"), [4_000_001]);
    }
}

#[test]
fn caller_of_sudo_gets_what_is_written() {
    let sudo = ["env", "SUDO_UID=4000000", "SUDO_GID=4000000"];
    let Some(confined) = confined("root", &sudo, &[]) else { return };
    for status in confined.threads() {
        assert_eq!(ids(&status, "Uid"), [4_000_000; 4]);
        assert_eq!(ids(&status, "Groups"), [4_000_000]);
    }
}

#[test]
fn root_that_stays_has_no_capabilities_but_to_write() {
    let folder = open_folder();
    let write = format!("write={}", folder.path().display());
    let words = ["user=root", write.as_str()];
    let Some(confined) = confined("root", &["env"], &words) else { return };
    for status in confined.threads() {
        assert_eq!(ids(&status, "Uid"), [0; 4]);
        assert_eq!(status["CapEff"], "0000000000000002", "CAP_DAC_OVERRIDE");
        assert_eq!(status["CapBnd"], "0000000000000000");
    }
    confined.check_tries(&[("write", "ok"), ("socket-packet", "ENOSYS"), ("bpf", "ENOSYS")]);
}

#[test]
fn only_what_is_named_is_written_to() {
    let (folder, other) = (open_folder(), open_folder());
    let write = format!("write={}", folder.path().display());
    let elsewhere = format!("elsewhere={}", other.path().display());
    let words = [write.as_str(), elsewhere.as_str()];
    let Some(confined) = confined("root", &["env"], &words) else { return };
    confined.check_tries(&[("write", "ok")]);
    if confined.line.contains("landlock") && !confined.line.contains("not here") {
        confined.check_tries(&[("write-elsewhere", "EACCES")]);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "what was tried is removed");
}

#[test]
fn folder_that_is_not_open_to_the_user_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let write = format!("write={}/new.pcapng", folder.path().display());
    let Some(refused) = refused(&["user=4000000", &write]) else { return };
    let expected =
        "new.pcapng as user 4000000 (permission denied): name a place where that user may";
    assert!(refused.contains(expected), "{refused}");
}

#[test]
fn user_that_is_not_known_is_said_at_once() {
    let Some(refused) = refused(&["user=no-such-user"]) else { return };
    assert!(refused.contains("become no-such-user, a user that this system"), "{refused}");
}

#[test]
fn connections_are_made_where_they_were_asked_for() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let connect = format!("connect={}", listener.local_addr().unwrap().port());
    let Some(confined) = confined("root", &["env"], &[&connect]) else { return };
    confined.check_threads(&[], &[]);
    confined.check_tries(NEVER);
    confined.check_tries(&[("connect", "ok"), ("name", "ok")]);
    // Ports are of landlock's fourth version.
    if version(&confined.line).is_some_and(|version| version >= 4) {
        confined.check_tries(&[("connect-elsewhere", "EACCES"), ("listen", "EACCES")]);
    }
}

#[test]
fn one_thread_looks_into_processes() {
    let Some(other) = Process::start(Command::new("sleep").arg("600")) else { return };
    let process = format!("process={}", other.0.id());
    let words = ["beside", process.as_str()];
    let Some(confined) = confined("root", &["env"], &words) else { return };
    confined.check_tries(NEVER);
    confined.check_tries(&[("links", "EACCES"), ("links-beside", "ok")]);
    // CAP_DAC_READ_SEARCH is the bit 2, CAP_SYS_PTRACE is 19.
    confined.check_threads(&[], &["0000000000080004"]);
}

#[test]
fn capability_to_open_packet_sockets_is_enough() {
    let as_user = "setpriv --reuid=4000000 --regid=4000000 --clear-groups --inh-caps=-all,+net_raw \
                   --ambient-caps=-all,+net_raw";
    let words: Vec<&str> = as_user.split_whitespace().collect();
    let is_open = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o001 != 0;
    if !example().ancestors().all(is_open) {
        println!("skipped: only the owner of this folder may run what is built in it");
        return;
    }
    let Some(confined) = confined("root, for a user with CAP_NET_RAW", &words, &[]) else { return };
    assert!(confined.line.starts_with("user 4000000 ("), "{}", confined.line);
    confined.check_tries(NEVER);
    confined.check_tries(&[("bind", "ok"), ("packet-stats", "ok"), ("thread", "ok")]);
    for status in confined.threads() {
        for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
            assert_eq!(status[set], NONE, "{set}");
        }
    }
}

#[test]
fn root_that_can_become_nobody_else_goes_on_without_capabilities() {
    let in_container = ["setpriv", "--bounding-set=-setuid,-setgid"];
    let Some(confined) = confined("root", &in_container, &[]) else { return };
    assert!(confined.line.contains("not here: user nobody (Operation"), "{}", confined.line);
    for status in confined.threads() {
        assert_eq!(status["CapEff"], NONE);
        assert_eq!(status["NoNewPrivs"], "1");
    }
}

#[test]
fn older_kernels_have_fewer_measures_and_nothing_fails() {
    for errno in ["ENOSYS", "EPERM"] {
        let newer = format!("without=newer,{errno}");
        let Some(confined) = confined("root", &["env"], &[&newer]) else { return };
        confined.check_tries(&[("thread", "ok"), ("bind", "ok"), ("bpf", "ENOSYS")]);
        confined.check_tries(&[("program", "ENOSYS"), ("code", "ENOSYS")]);
        assert!(confined.line.contains("not here: landlock"), "{}", confined.line);
        confined.check_threads(&[], &[]);

        let any = format!("without=any,{errno}");
        let Some(confined) = confined_by(&["env"], &[&any]) else { return };
        confined.check_tries(&[("thread", "ok"), ("bind", "ok"), ("shadow", "EACCES")]);
        confined.check_tries(&[("socket-packet", "EPERM")]);
        for status in confined.threads() {
            assert_eq!(status["CapEff"], NONE);
            assert_eq!(status["NoNewPrivs"], "0");
        }
    }
}

#[test]
fn live_capture_has_no_rights_once_it_listens() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: it takes root");
        return;
    }
    // What looks into processes keeps what that takes.
    check_live("/proc", &["0000000000080004"]);
    check_live("none", &[]);
}

fn check_live(proc: &str, beside: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wirespan"));
    command.args(["live", "-i", "lo", "-v", "--workers", "2", "--proc", proc]);
    command.env_remove("SUDO_UID").env_remove("SUDO_GID");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let Some(mut process) = Process::start(&mut command) else { return };
    let mut lines = BufReader::new(process.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.next().unwrap();
    assert!(line.starts_with("wirespan: rights: user nobody ("), "{line}");
    assert!(lines.any(|line| line.contains("listening on lo")));
    Confined { process, line, tries: BTreeMap::new() }.check_threads(&[], beside);
}

#[test]
fn series_of_files_goes_on_where_its_first_is_there_from_before() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: it takes root");
        return;
    }
    let folder = open_folder();
    let first = folder.path().join("x.pcapng");
    fs::write(&first, "of a run before").unwrap();
    fs::set_permissions(&first, fs::Permissions::from_mode(0o666)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wirespan"));
    command.args(["live", "-i", "lo", "-C", "1", "--proc", "none", "-w"]).arg(&first);
    command.env_remove("SUDO_UID").env_remove("SUDO_GID");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let Some(mut process) = Process::start(&mut command) else { return };
    let mut lines = BufReader::new(process.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("listening on lo")));

    let files = || fs::read_dir(folder.path()).unwrap().count();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut sent = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut came = listener.accept().unwrap().0;
    let mut bytes = vec![0; 16 << 10];
    // Until the next file is there, however late what writes gets to run.
    let began = Instant::now();
    let mut has_more = false;
    while !has_more && began.elapsed() < Duration::from_secs(60) {
        sent.write_all(&bytes).unwrap();
        came.read_exact(&mut bytes).unwrap();
        has_more = files() > 1;
    }
    let pid = process.0.id().to_string();
    assert!(Command::new("sh").args(["-c", "kill -INT $0", &pid]).status().unwrap().success());
    let said: Vec<String> = lines.collect();
    assert!(has_more, "{said:?}");
    assert!(process.0.wait().unwrap().success(), "{said:?}");
}

/// What is refused whatever was asked for.
const NEVER: &[(&str, &str)] = &[
    ("bpf", "ENOSYS"),
    ("perf", "ENOSYS"),
    ("ptrace", "ENOSYS"),
    ("unshare", "ENOSYS"),
    ("kill", "ENOSYS"),
    ("fork", "ENOSYS"),
    ("program", "ENOSYS"),
    ("socket-packet", "ENOSYS"),
    ("socket-unix", "ENOSYS"),
    ("code", "ENOSYS"),
    ("shadow", "EACCES"),
];

const NONE: &str = "0000000000000000";

/// A process that has given up its rights and waits.
struct Confined {
    process: Process,
    line: String,
    tries: BTreeMap<String, String>,
}

impl Confined {
    fn check_tries(&self, expected: &[(&str, &str)]) {
        for (name, outcome) in expected {
            let found = self.tries.get(*name).map(String::as_str);
            assert_eq!(found, Some(*outcome), "{name}, of {}", self.line);
        }
    }

    /// No thread has capabilities, but for as many as `beside` has, which have these.
    fn check_threads(&self, common: &[&str], beside: &[&str]) {
        let threads = self.threads();
        assert!(threads.len() >= 2, "{threads:?}");
        let mut others = Vec::new();
        for status in &threads {
            let nobody = ids(status, "Uid");
            assert!(!nobody.contains(&0), "{nobody:?}");
            assert!(!ids(status, "Gid").contains(&0));
            assert!(!ids(status, "Groups").contains(&0));
            assert_eq!(status["CapPrm"], status["CapEff"]);
            for set in ["CapInh", "CapBnd", "CapAmb"] {
                assert_eq!(status[set], NONE, "{set}");
            }
            assert_eq!(status["NoNewPrivs"], "1");
            assert_eq!(status["Seccomp"], "2");
            if status["CapEff"] != NONE {
                others.push(status["CapEff"].as_str());
            }
        }
        assert_eq!(others, [common, beside].concat());
    }

    fn threads(&self) -> Vec<BTreeMap<String, String>> {
        let tasks = format!("/proc/{}/task", self.process.0.id());
        let status = |entry: fs::DirEntry| {
            let text = fs::read_to_string(entry.path().join("status")).unwrap();
            let fields = text.lines().filter_map(|line| line.split_once(':'));
            fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
        };
        fs::read_dir(tasks).unwrap().map(|entry| status(entry.unwrap())).collect()
    }
}

/// A child that ends with the test.
struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Option<Self> {
        match command.spawn() {
            Ok(child) => Some(Self(child)),
            Err(failure) => {
                println!("skipped: {command:?} does not run: {failure}");
                None
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the example by way of the words in front, and waits until all was tried. Nothing, where it
/// cannot run.
fn confined(needs: &str, by: &[&str], words: &[&str]) -> Option<Confined> {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: it takes {needs}");
        return None;
    }
    confined_by(by, words)
}

fn confined_by(by: &[&str], words: &[&str]) -> Option<Confined> {
    let mut process = Process::start(command(by, words).stderr(Stdio::inherit()))?;
    let mut lines = BufReader::new(process.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.next().expect("the process could not give up its rights");
    let mut tries = BTreeMap::new();
    for said in lines {
        if said == "ready" {
            return Some(Confined { process, line, tries });
        }
        let (name, outcome) = said.split_once(' ').unwrap();
        tries.insert(name.to_owned(), outcome.to_owned());
    }
    panic!("the process ended after {tries:?}");
}

/// What the example says when it does not come to its tries.
fn refused(words: &[&str]) -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: it takes root");
        return None;
    }
    let output = command(&["env"], words).stderr(Stdio::piped()).output().unwrap();
    assert!(!output.status.success());
    Some(String::from_utf8(output.stderr).unwrap())
}

fn command(by: &[&str], words: &[&str]) -> Command {
    let [first, others @ ..] = by else { panic!("no program") };
    let mut command = Command::new(first);
    command.args(others).arg(example()).args(words);
    command.env_remove("SUDO_UID").env_remove("SUDO_GID");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

fn example() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own.parent().and_then(Path::parent).unwrap().join("examples/confined");
    assert!(path.exists(), "build the example first: cargo build -p wirespan --example confined");
    path
}

fn ids(status: &BTreeMap<String, String>, field: &str) -> Vec<u32> {
    status[field].split_whitespace().map(|id| id.parse().unwrap()).collect()
}

fn version(line: &str) -> Option<u32> {
    line.split_once("landlock ")?.1.split(';').next()?.parse().ok()
}

/// A folder that anybody may write to.
fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    folder
}
