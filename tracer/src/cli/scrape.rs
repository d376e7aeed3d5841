//! A small server of HTTP for `--metrics`: one thread, few connections, each with little time. It
//! answers GET of three pages, and closes. Whoever is slow or sends nonsense disturbs nobody else.

use crate::exposition::{Exposition, TextFormat};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A place that clients can connect to, before anybody answers.
#[derive(Debug)]
pub(super) struct Listening {
    listener: TcpListener,
    address: SocketAddr,
}

/// Answers until it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    /// Says that it is over by being closed.
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Listening {
    /// Listens at the first of these addresses that is to be had.
    ///
    /// # Errors
    /// What the operating system said of the last one.
    pub(super) fn at(addresses: &[SocketAddr]) -> io::Result<Self> {
        let listener = TcpListener::bind(addresses)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The address, with the port that the system chose if that was left to it.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves these metrics from now on.
    ///
    /// # Errors
    /// That the system gives no thread.
    pub(super) fn serve(self, exposition: Arc<Exposition>) -> io::Result<Server> {
        let (stop, stopped) = UnixStream::pair()?;
        let mut serving = Serving {
            listener: self.listener,
            stopped,
            exposition,
            connections: Vec::new(),
            rendered: None,
            deaf_until: None,
        };
        let thread =
            thread::Builder::new().name("metrics".to_owned()).spawn(move || serving.run())?;
        Ok(Server { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It has nothing to tell, even if it has panicked.
            let _ = thread.join();
        }
    }
}

/// The thread's side.
struct Serving {
    listener: TcpListener,
    stopped: UnixStream,
    exposition: Arc<Exposition>,
    connections: Vec<Connection>,
    /// The last text, so that whoever asks all the time costs little.
    rendered: Option<(Instant, TextFormat, String)>,
    /// Nobody is let in before this moment, since the system had no room.
    deaf_until: Option<Instant>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    state: State,
    /// It is closed then, wherever it stands.
    deadline: Instant,
}

#[derive(Debug)]
enum State {
    /// The head of a request, as far as it has come.
    Reading(Vec<u8>),
    /// A response, and how much of it was sent.
    Writing(Vec<u8>, usize),
    /// The client has the response, and will close; what it still sends is thrown away. If it were
    /// closed here before, the client might lose what it has not read.
    Draining,
}

/// Whether anything more can come of a connection.
enum Next {
    Wait,
    Close,
}

impl Serving {
    fn run(&mut self) {
        loop {
            let now = Instant::now();
            self.connections.retain(|connection| now < connection.deadline);
            if self.deaf_until.is_some_and(|until| now >= until) {
                self.deaf_until = None;
            }
            let Ok((is_called, ready)) = self.wait(now) else { return };
            let now = Instant::now();
            let mut ready = ready.into_iter();
            let mut connections = std::mem::take(&mut self.connections);
            connections.retain_mut(|connection| {
                !ready.next().unwrap_or(false) || matches!(self.step(connection, now), Next::Wait)
            });
            self.connections = connections;
            if is_called {
                self.accept(now);
            }
        }
    }

    /// Waits until something can be done: whether somebody calls, and which connections go on.
    /// Fails when it is over.
    fn wait(&self, now: Instant) -> io::Result<(bool, Vec<bool>)> {
        let hears = if self.deaf_until.is_none() { PollFlags::POLLIN } else { PollFlags::empty() };
        let mut places = vec![
            PollFd::new(self.stopped.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.listener.as_fd(), hears),
        ];
        places.extend(self.connections.iter().map(|connection| {
            let flags = match connection.state {
                State::Reading(_) | State::Draining => PollFlags::POLLIN,
                State::Writing(..) => PollFlags::POLLOUT,
            };
            PollFd::new(connection.stream.as_fd(), flags)
        }));
        let deadlines = self.connections.iter().map(|connection| connection.deadline);
        let timeout = match deadlines.chain(self.deaf_until).min() {
            // A millisecond later, so that it has passed by then.
            Some(at) => {
                let milliseconds = at.saturating_duration_since(now).as_millis() + 1;
                PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)
            }
            None => PollTimeout::NONE,
        };
        match poll(&mut places, timeout) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok((false, Vec::new())),
            Err(error) => return Err(error.into()),
        }
        let mut ready = places.iter().map(|place| place.any().unwrap_or(true));
        if ready.next().unwrap_or(true) {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        Ok((ready.next().unwrap_or(false), ready.collect()))
    }

    fn accept(&mut self, now: Instant) {
        for _ in 0..CONNECTIONS {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // The client has gone again.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                // There are no descriptors or no memory left: that may change.
                Err(_) => {
                    self.deaf_until = Some(now + PAUSE);
                    return;
                }
            };
            if self.connections.len() >= CONNECTIONS && !self.make_room() {
                continue;
            }
            if stream.set_nonblocking(true).is_ok() {
                let (state, deadline) = (State::Reading(Vec::new()), now + TO_ASK);
                self.connections.push(Connection { stream, state, deadline });
            }
        }
    }

    /// Closes the connection that has had the most time and is not being answered.
    fn make_room(&mut self) -> bool {
        let waiting = self.connections.iter().enumerate();
        let waiting = waiting.filter(|(_, one)| !matches!(one.state, State::Writing(..)));
        let oldest = waiting.min_by_key(|(_, one)| one.deadline).map(|(place, _)| place);
        oldest.is_some_and(|place| {
            self.connections.swap_remove(place);
            true
        })
    }

    /// Does what can be done now.
    fn step(&mut self, connection: &mut Connection, now: Instant) -> Next {
        match &mut connection.state {
            State::Reading(head) => {
                let Ok(is_over) = receive(&mut connection.stream, head) else { return Next::Close };
                let Some(answer) = self.answer(head, now) else {
                    return if is_over { Next::Close } else { Next::Wait };
                };
                connection.state = State::Writing(answer, 0);
                connection.deadline = now + TO_TAKE;
                send(connection, now)
            }
            State::Writing(..) => send(connection, now),
            State::Draining => drain(&mut connection.stream),
        }
    }

    /// The response to a request, once its head is there.
    fn answer(&mut self, head: &[u8], now: Instant) -> Option<Vec<u8>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let text = "text/plain; charset=utf-8";
        match request.parse(head) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) if head.len() < HEAD => return None,
            Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                let status = "431 Request Header Fields Too Large";
                return Some(response(status, text, "", "the head of the request is too long\n"));
            }
            Err(_) => {
                return Some(response("400 Bad Request", text, "", "this is no request of HTTP\n"));
            }
        }
        let method = request.method.unwrap_or_default();
        if method != "GET" {
            let body = if method == "HEAD" { "" } else { "only GET is answered\n" };
            return Some(response("405 Method Not Allowed", text, "Allow: GET\r\n", body));
        }
        let path = request.path.unwrap_or_default();
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        Some(match path {
            "/metrics" => {
                let format = asked_format(request.headers);
                let body = self.rendered(format, now);
                response("200 OK", format.content_type(), "Vary: Accept\r\n", body)
            }
            "/healthz" => response("200 OK", text, "", "ok\n"),
            "/" => response("200 OK", "text/html; charset=utf-8", "", PAGE),
            _ => response("404 Not Found", text, "", "there is nothing here; see /metrics\n"),
        })
    }

    fn rendered(&mut self, format: TextFormat, now: Instant) -> &str {
        let is_fresh = matches!(&self.rendered, Some((at, of, _))
            if *of == format && now.saturating_duration_since(*at) < FRESH);
        if !is_fresh {
            self.rendered = Some((now, format, self.exposition.text(format)));
        }
        self.rendered.as_ref().map_or("", |(_, _, text)| text)
    }
}

/// Takes what has come, up to the limit of a head: whether there is no more.
fn receive(stream: &mut TcpStream, head: &mut Vec<u8>) -> io::Result<bool> {
    let mut piece = [0; 2_048];
    while head.len() < HEAD {
        match stream.read(&mut piece) {
            Ok(0) => return Ok(true),
            Ok(count) => head.extend_from_slice(piece.get(..count).unwrap_or(&piece)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Sends as much of the response as goes now.
fn send(connection: &mut Connection, now: Instant) -> Next {
    let State::Writing(bytes, sent) = &mut connection.state else { return Next::Wait };
    while let Some(rest) = bytes.get(*sent..).filter(|rest| !rest.is_empty()) {
        match connection.stream.write(rest) {
            Ok(0) => return Next::Close,
            Ok(count) => *sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Next::Wait,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Next::Close,
        }
    }
    if connection.stream.shutdown(Shutdown::Write).is_err() {
        return Next::Close;
    }
    connection.state = State::Draining;
    connection.deadline = now + TO_CLOSE;
    drain(&mut connection.stream)
}

/// Throws away what a client still sends.
fn drain(stream: &mut TcpStream) -> Next {
    let mut piece = [0; 2_048];
    // However much comes, others get their turn.
    for _ in 0..16 {
        match stream.read(&mut piece) {
            Ok(0) => return Next::Close,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Next::Wait,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Next::Close,
        }
    }
    Next::Wait
}

/// The format that a client asks for: OpenMetrics where it is wanted no less than the other.
///
/// RFC 9110, section 12.5.1.
fn asked_format(headers: &[httparse::Header<'_>]) -> TextFormat {
    let (mut open, mut plain) = (0.0_f32, 0.0_f32);
    for header in headers.iter().filter(|header| header.name.eq_ignore_ascii_case("accept")) {
        for range in String::from_utf8_lossy(header.value).split(',') {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
            let weight = weight.unwrap_or(1.0);
            match kind.as_str() {
                "application/openmetrics-text" => open = open.max(weight),
                "text/plain" => plain = plain.max(weight),
                _ => {}
            }
        }
    }
    let is_open = open > 0.0 && open >= plain;
    if is_open { TextFormat::OpenMetrics } else { TextFormat::Prometheus }
}

fn response(status: &str, content_type: &str, more: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
         {more}Connection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Connections at a time.
const CONNECTIONS: usize = 16;
/// Bytes of the head of a request.
const HEAD: usize = 8 << 10;
/// Headers of a request.
const HEADERS: usize = 64;
/// How long a client may take to ask.
const TO_ASK: Duration = Duration::from_secs(5);
/// How long a client may take to receive the response.
const TO_TAKE: Duration = Duration::from_secs(10);
/// How long a client may take to close.
const TO_CLOSE: Duration = Duration::from_secs(1);
/// How long nobody is let in where the system has no room.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a text is used again.
const FRESH: Duration = Duration::from_millis(250);
const PAGE: &str = "<!doctype html><title>wirespan</title><p>wirespan: see <a \
    href=\"/metrics\">/metrics</a>\n";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::ndjson::SourceNames;
    use crate::export::semantics::Semantics;
    use crate::red::RedMetrics;

    fn serve() -> (Server, SocketAddr) {
        let red = RedMetrics::new(Semantics::new(Vec::new(), SourceNames::default()));
        let listening = Listening::at(&[([127, 0, 0, 1], 0).into()]).unwrap();
        let address = listening.address();
        (listening.serve(Arc::new(Exposition::new(red.reader()))).unwrap(), address)
    }

    fn connect(address: SocketAddr) -> TcpStream {
        let stream = TcpStream::connect(address).unwrap();
        // A server that hangs fails the test.
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// Sends bytes, and reads to the end.
    fn ask(address: SocketAddr, bytes: &[u8]) -> String {
        let mut stream = connect(address);
        stream.write_all(bytes).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    #[track_caller]
    fn check(request: &str, status: &str, part: &str) {
        let (_server, address) = serve();
        let text = ask(address, request.as_bytes());
        assert!(text.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{text}");
        assert!(text.contains(part), "{part} is not in {text}");
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
        assert!(head.contains("\r\nConnection: close"), "{head}");
    }

    #[test]
    fn metrics_are_prometheus_text_unless_openmetrics_is_asked_for() {
        check("GET /metrics HTTP/1.1\r\n\r\n", "200 OK", "text/plain; version=0.0.4");
        check("GET /metrics?a=b HTTP/1.0\r\n\r\n", "200 OK", "\nwirespan_packets_total 0\n");
        let asked = "GET /metrics HTTP/1.1\r\nHost: a\r\naccept: application/openmetrics-text;\
            version=1.0.0;q=0.8,text/plain;q=0.5,*/*;q=0.1\r\n\r\n";
        check(asked, "200 OK", "application/openmetrics-text; version=1.0.0");
        check(asked, "200 OK", "\n# EOF\n");
    }

    #[test]
    fn accept_is_weighed() {
        for (accept, expected) in [
            ("*/*", TextFormat::Prometheus),
            ("text/plain, application/openmetrics-text; q=0.9", TextFormat::Prometheus),
            ("application/openmetrics-text;q=0", TextFormat::Prometheus),
            ("text/html, Application/OpenMetrics-Text; version=1.0.0", TextFormat::OpenMetrics),
        ] {
            let header = httparse::Header { name: "Accept", value: accept.as_bytes() };
            assert_eq!(asked_format(&[header]), expected, "{accept}");
        }
    }

    #[test]
    fn other_pages_say_where_to_look() {
        check("GET / HTTP/1.1\r\n\r\n", "200 OK", "/metrics");
        check("GET /healthz HTTP/1.1\r\n\r\n", "200 OK", "\r\n\r\nok\n");
        check("GET /x HTTP/1.1\r\n\r\n", "404 Not Found", "see /metrics");
    }

    #[test]
    fn what_is_no_get_is_refused() {
        let post = "POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello";
        check(post, "405 Method Not Allowed", "\r\nAllow: GET\r\n");
        check("HEAD /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed", "\r\nAllow: GET\r\n");
        check("\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n", "400 Bad Request", "no request");
        let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(HEAD));
        check(&long, "431 Request Header Fields Too Large", "too long");
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS + 1));
        check(&many, "431 Request Header Fields Too Large", "too long");
    }

    #[test]
    fn a_head_may_come_in_pieces() {
        let (_server, address) = serve();
        let mut stream = connect(address);
        stream.set_nodelay(true).unwrap();
        for piece in ["GET /hea", "lthz HTTP/1.1\r", "\nHost: x\r\n", "\r\n"] {
            stream.write_all(piece.as_bytes()).unwrap();
            // Another client is answered in between.
            assert!(ask(address, b"GET /healthz HTTP/1.1\r\n\r\n").ends_with("ok\n"));
        }
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.ends_with("ok\n"), "{text}");
    }

    #[test]
    fn idle_clients_keep_nobody_out() {
        let (_server, address) = serve();
        let mut idle: Vec<TcpStream> = (0..3 * CONNECTIONS).map(|_| connect(address)).collect();
        assert!(ask(address, b"GET /healthz HTTP/1.1\r\n\r\n").ends_with("ok\n"));
        // The first ones had to make room; to be closed without an answer is an end or a reset.
        let ended = idle[0].read(&mut [0; 1]);
        assert!(
            matches!(ended, Ok(0)) || ended.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset)
        );
    }

    #[test]
    fn client_that_leaves_early_does_no_harm() {
        let (_server, address) = serve();
        for sent in ["", "GET /met", "GET /metrics HTTP/1.1\r\n\r\n"] {
            connect(address).write_all(sent.as_bytes()).unwrap();
        }
        assert!(ask(address, b"GET /healthz HTTP/1.1\r\n\r\n").ends_with("ok\n"));
    }

    #[test]
    fn dropping_it_frees_the_port() {
        let (server, address) = serve();
        let idle = connect(address);
        drop(server);
        drop(idle);
        assert!(TcpStream::connect(address).is_err());
    }
}
