//! What is known of the processes at the ends of connections names services, travels with the
//! packets, and stays with the spans.

use crate::http::{Call, all};
use crate::packets::{Packet, source};
use crate::run::{Ran, join, name, run_live, run_source};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use wirespan::config::Config;
use wirespan::processes::{Asking, Watch};
use wirespan_capture::owner::Process;
use wirespan_capture::packet::{Batch, InterfaceId, PacketHead, Timestamp};
use wirespan_capture::savefile::Savefile;
use wirespan_capture::source::file::FileSource;
use wirespan_capture::source::interfaces::Interfaces;
use wirespan_capture::source::merge::MergedSource;
use wirespan_capture::source::{Fill, PacketSource};

/// Two services at one address, asked one after the other.
fn calls() -> [Call; 3] {
    let call = |times, path, port| Call::new(1, 7, times, path).server_port(port);
    [call(0..5, "/one", 8001), call(10..15, "/two", 8002), call(20..25, "/three", 8001)]
}

const COMMENTS: [&str; 4] = [
    "wirespan: tcp 10.0.0.7:8001 is orders (pid 7, exe python3, uid 33, netns 5, in 3f2a, on web1)",
    "wirespan: tcp 10.0.0.7:8002 is users (pid 8)",
    "wirespan: tcp 10.0.0.7:8001 is orders (pid 7, exe python3, uid 33, netns 5, in 3f2a, on web1)",
    "something else",
];

/// Writes packets to a file; each SYN has the next of these comments.
pub(crate) fn written(packets: &[Packet], path: &Path, comments: &[&str]) {
    let mut source = source(packets, 1_000);
    let mut batch = Batch::default();
    assert_eq!(source.fill(&mut batch).unwrap(), Fill::End);
    let mut savefile = Savefile::new(File::create(path).unwrap(), "test").unwrap();
    let mut comments = comments.iter().copied();
    for head in &batch.packets {
        let bytes = batch.bytes(head);
        let is_syn = bytes[47] == 0x02;
        let comments: Vec<&str> = if is_syn { comments.next() } else { None }.into_iter().collect();
        add(&mut savefile, head, bytes, source.interfaces(), &comments);
    }
    savefile.finish(batch.packets.last().unwrap().at).unwrap();
}

fn add(
    savefile: &mut Savefile<File>,
    head: &PacketHead,
    bytes: &[u8],
    interfaces: &Interfaces,
    comments: &[&str],
) {
    let interface = interfaces.get(head.interface).unwrap();
    savefile.packet(head, bytes, interface, "test", comments).unwrap();
}

/// What was asked of which service, by which processes at both ends.
fn told(ran: &Ran) -> Vec<String> {
    let spans = ran.spans().into_iter().map(|span| {
        let processes = &span.exchange.processes;
        let pid = |process: &Option<Arc<Process>>| {
            process.as_ref().map_or_else(|| "-".to_owned(), |process| process.pid.to_string())
        };
        let (client, server) = (pid(&processes.client), pid(&processes.server));
        format!("{} {} {client} > {server}", name(span), span.service)
    });
    spans.collect()
}

fn read(path: &Path, chunk: usize) -> Ran {
    let config = Config::default();
    let mut ran = run_source(&mut FileSource::open(path).unwrap().reading(chunk), &config);
    ran.protocols = config.protocol_names();
    ran
}

#[test]
fn a_call_is_made_for_what_its_own_process_was_asked() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.pcapng");
    // Two services of one host are asked at a time, and one of them calls.
    let calls = [
        Call::new(1, 7, 0..50, "/one").server_port(8001),
        Call::new(2, 7, 5..60, "/two").server_port(8002),
        Call::new(7, 9, 20..30, "/three").port(30_000),
    ];
    let comments = [
        "wirespan: tcp 10.0.0.7:8001 is orders (pid 7)",
        "wirespan: tcp 10.0.0.7:8002 is users (pid 8)",
        "wirespan: tcp 10.0.0.7:30000 > 10.0.0.9:80 is users (pid 8)",
    ];
    written(&all(&calls), &path, &comments);
    let ran = read(&path, 1_000_000);
    assert_eq!(ran.trees(), ["/one", "/two(/three[one-candidate])"]);
    let (again, _) = join(&[&ran.ndjson()], Default::default());
    assert_eq!(again, ran.ndjson());
    written(&all(&calls), &path, &[]);
    assert_eq!(read(&path, 1_000_000).trees(), ["/one", "/two", "/three"]);
}

#[test]
fn comments_of_packets_name_services() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.pcapng");
    written(&all(&calls()), &path, &COMMENTS);
    let expected = ["/one orders - > 7", "/two users - > 8", "/three orders - > 7"];
    let ran = read(&path, 1 << 20);
    assert_eq!(told(&ran), expected);
    let line = r#""server_process":{"pid":7,"name":"orders","executable":"python3","user":33,"namespace":5,"group":"3f2a","host":"web1"}"#;
    assert!(ran.ndjson().contains(line), "{}", ran.ndjson());
    // Where a read ends makes no difference, and spans alone say the same.
    assert_eq!(read(&path, 1).ndjson(), ran.ndjson());
    assert_eq!(join(&[&ran.ndjson()], Config::default().window).0, ran.ndjson());
}

#[test]
fn comments_of_merged_files_name_services() {
    let folder = TempDir::new().unwrap();
    let paths: Vec<PathBuf> = ["a", "b", "c"].map(|name| folder.path().join(name)).into();
    for ((path, call), comment) in paths.iter().zip(&calls()).zip(&COMMENTS[..2]) {
        written(&call.packets(), path, &[comment]);
    }
    // It overlaps both others, and knows nothing.
    written(&all(&[Call::new(3, 4, 0..30, "/other")]), &paths[2], &[]);
    let mut source = MergedSource::open(&paths).unwrap();
    let ran = run_source(&mut source, &Config::default());
    let expected = ["/one orders - > 7", "/other 10.0.0.4:80 - > -", "/two users - > 8"];
    assert_eq!(told(&ran), expected);
}

#[test]
fn without_comments_services_are_addresses() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.pcapng");
    written(&all(&calls()), &path, &[]);
    let expected =
        ["/one 10.0.0.7:8001 - > -", "/two 10.0.0.7:8002 - > -", "/three 10.0.0.7:8001 - > -"];
    assert_eq!(told(&read(&path, 1 << 20)), expected);
}

#[test]
fn packets_that_are_cut_out_say_whose_their_sockets_are() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.pcapng");
    written(&all(&calls()), &path, &COMMENTS[..2]);
    let config = Config::default();
    let id = read(&path, 1 << 20).trace_of("/three").id;
    let cut = crate::cut::cut_out_of(&|| FileSource::open(&path).unwrap(), id, &config);
    // What was said before with packets of another trace.
    assert_eq!(told(&read(cut.path(), 1 << 20)), ["/three orders - > 7"]);
}

#[test]
fn what_is_known_live_is_known_from_the_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("live.pcapng");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let _accepted = listener.accept().unwrap();
    let packets = between(client.local_addr().unwrap(), listener.local_addr().unwrap());
    let watch = match Watch::start(Path::new("/proc")) {
        Ok(watch) => watch,
        Err(error) => {
            println!("skipped: no /proc: {error}");
            return;
        }
    };
    let mut asking = Asking::new(watch).waiting(Duration::from_secs(60));
    let mut savefile = Savefile::new(File::create(&path).unwrap(), "test").unwrap();
    let ran = run_live(&mut source(&packets, 1), &mut asking, &mut |batch, interfaces| {
        for head in &batch.packets {
            let comments: Vec<String> =
                batch.owners(head).iter().map(|told| told.owner.to_string()).collect();
            let comments: Vec<&str> = comments.iter().map(String::as_str).collect();
            add(&mut savefile, head, batch.bytes(head), interfaces, &comments);
        }
    });
    savefile.finish(Timestamp::LATEST).unwrap();
    assert_eq!(read(&path, 1 << 20).ndjson(), ran.ndjson());
    let looked = asking.looked();
    assert_eq!((looked.asked, looked.found, looked.skipped), (1, 2, 0));
    let processes = &ran.span("/live").exchange.processes;
    assert!(processes.server.is_some(), "{looked:?}");
    assert_eq!(processes.server, processes.client);
}

fn between(client: SocketAddr, server: SocketAddr) -> Vec<Packet> {
    Call::new(1, 1, 0..5, "/live")
        .between([127, 0, 0, 1], [127, 0, 0, 1])
        .port(client.port())
        .server_port(server.port())
        .packets()
}

#[test]
fn namespaces_with_equal_addresses_are_told_apart() {
    let Some([red, blue]) = ["red", "blue"]
        .map(Pair::new)
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .and_then(|pairs| <[Pair; 2]>::try_from(pairs).ok())
    else {
        println!("skipped: no rights to make network namespaces, or no ip or python3");
        return;
    };
    let watch = Watch::start(Path::new("/proc")).unwrap();
    let mut asking = Asking::new(watch).waiting(Duration::from_secs(60));
    let mut ask = |port: u16, within: Option<&Pair>| {
        if let Some(pair) = within {
            asking.within(InterfaceId(0), pair.number());
        }
        let packets = Call::new(1, 2, 0..5, "/")
            .between([10, 77, 0, 1], [10, 77, 0, 2])
            .port(port)
            .server_port(8080)
            .packets();
        let ran = run_live(&mut source(&packets, 1), &mut asking, &mut |_, _| {});
        let processes = ran.spans()[0].exchange.processes.clone();
        let text = |process: Option<Arc<Process>>| {
            process.map(|process| (process.name.to_string(), process.namespace.is_some()))
        };
        (text(processes.client), text(processes.server))
    };
    let called = |name: &str| Some((name.to_owned(), true));
    // Ports differ, so that connections tell the namespaces apart, also where one has both ends.
    assert_eq!(ask(red.port, None), (called("caller-red"), called("red")));
    assert_eq!(ask(blue.port, None), (called("caller-blue"), called("blue")));
    // Of a connection that is over, only the namespace of the interface tells whose it was.
    assert_eq!(ask(9, None), (None, None));
    assert_eq!(ask(10, Some(&blue)), (None, called("blue")));
    assert_eq!(ask(11, Some(&red)), (None, called("red")));
}

/// A namespace with a server at 10.77.0.2:8080, and a connection of 10.77.0.1 to it that stays.
struct Pair {
    namespace: String,
    children: Vec<Child>,
    port: u16,
    folder: TempDir,
}

impl Pair {
    fn new(name: &str) -> Option<Self> {
        let namespace = format!("wslive-proc-{name}-{}", std::process::id());
        let ip = |words: &str| {
            let status = Command::new("ip").args(words.split(' ')).stderr(Stdio::null()).status();
            status.is_ok_and(|status| status.success())
        };
        if !ip(&format!("netns add {namespace}")) {
            return None;
        }
        let folder = TempDir::new().unwrap();
        let mut pair = Self { namespace: namespace.clone(), children: Vec::new(), port: 0, folder };
        for words in
            ["link set lo up", "addr add 10.77.0.1/32 dev lo", "addr add 10.77.0.2/32 dev lo"]
        {
            ip(&format!("-n {namespace} {words}")).then_some(())?;
        }
        let server = "import socket\n\
            s = socket.create_server(('10.77.0.2', 8080))\n\
            print(flush=True)\n\
            all = []\n\
            while True: all.append(s.accept())\n";
        pair.start(name, server)?;
        let client = "import socket\n\
            s = socket.create_connection(('10.77.0.2', 8080), source_address=('10.77.0.1', 0))\n\
            print(s.getsockname()[1], flush=True)\n\
            input()\n";
        pair.port = pair.start(&format!("caller-{name}"), client)?.trim().parse().ok()?;
        Some(pair)
    }

    /// Runs a script in the namespace; gives the first line that it prints.
    fn start(&mut self, name: &str, script: &str) -> Option<String> {
        let path = self.folder.path().join(format!("{name}.py"));
        std::fs::write(&path, script).unwrap();
        let mut child = Command::new("ip")
            .args(["netns", "exec", &self.namespace, "python3"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let out = child.stdout.take()?;
        self.children.push(child);
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line)
    }

    /// The number of the namespace.
    fn number(&self) -> u64 {
        let path = Path::new("/run/netns").join(&self.namespace);
        std::fs::metadata(path).unwrap().ino()
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = Command::new("ip").args(["netns", "del", &self.namespace]).status();
    }
}
