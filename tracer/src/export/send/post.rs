//! One request, and what the server made of it.
//!
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp-response>

use super::settings::{Compression, Settings};
use crate::export::otlp::{Content, PartialSuccess};
use flate2::write::GzEncoder;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use std::io::{self, ErrorKind, Write};
use std::time::Duration;
use ureq::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use ureq::http::{Response, StatusCode};
use ureq::tls::TlsConfig;
use ureq::{Agent, Body, Error, Proxy};

/// What became of a request.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// The spans were taken, but for some.
    Taken(PartialSuccess),
    /// Another try may help.
    Later { why: String, after: Option<Duration> },
    /// Less at a time may help.
    TooLarge { why: String },
    /// No other try of this request helps.
    Refused { why: String },
    /// Nobody is there, or not yet.
    Absent { why: String },
    /// No request will be taken there.
    Hopeless { why: String },
}

/// Posts to one place.
pub(super) struct Client {
    agent: Agent,
    settings: Settings,
}

impl Client {
    pub(super) fn new(settings: Settings) -> Self {
        let tls = TlsConfig::builder()
            .root_certs(settings.roots.clone())
            .client_cert(settings.client.clone())
            .build();
        let mut config = Agent::config_builder()
            .timeout_global(Some(settings.timeout))
            .http_status_as_error(false)
            // What is posted is not posted elsewhere, together with secrets.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .tls_config(tls)
            .user_agent(concat!("wirespan/", env!("CARGO_PKG_VERSION")));
        // No proxy reaches what is on this machine.
        let is_here = settings.url.host().is_some_and(is_loopback);
        config = config.proxy(Proxy::try_from_env().filter(|_| !is_here));
        Self { agent: config.build().new_agent(), settings }
    }

    pub(super) fn endpoint(&self) -> String {
        self.settings.endpoint()
    }

    /// Sends spans. `now` is the time that dates in answers are compared with.
    pub(super) fn post(&self, body: &[u8], now: fn() -> Timestamp) -> Answer {
        let content = match self.settings.content {
            Content::Protobuf => PROTOBUF,
            Content::Json => JSON,
        };
        let mut request = self.agent.post(&self.settings.url).header(CONTENT_TYPE, content);
        for (name, value) in &self.settings.headers {
            request = request.header(name, value);
        }
        let sent = match self.settings.compression {
            Compression::None => request.send(body),
            Compression::Gzip => match zipped(body) {
                Ok(zipped) => request.header(CONTENT_ENCODING, "gzip").send(&zipped),
                Err(error) => Err(Error::Io(error)),
            },
        };
        match sent {
            Ok(response) => answer(response, now),
            Err(error) => failed(&error, self.settings.timeout),
        }
    }
}

fn zipped(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

fn answer(response: Response<Body>, now: fn() -> Timestamp) -> Answer {
    let status = response.status();
    let header = |name| response.headers().get(&name).and_then(|value| value.to_str().ok());
    let is_json = header(CONTENT_TYPE).is_some_and(|of| of.trim_start().starts_with(JSON));
    let after = header(RETRY_AFTER).and_then(|text| wait(text, now));
    let body = response.into_body().into_with_config().limit(LONGEST_ANSWER).read_to_vec();
    let content = if is_json { Content::Json } else { Content::Protobuf };
    if status.is_success() {
        // Spans that were taken are not sent again for an answer that cannot be read.
        return Answer::Taken(PartialSuccess::read(&body.unwrap_or_default(), content));
    }
    let said = PartialSuccess::reason(&body.unwrap_or_default(), content);
    let reason = status.canonical_reason().map_or_else(String::new, |reason| format!(" {reason}"));
    let said = if said.is_empty() { said } else { format!(": {said}") };
    let why = format!("{}{reason}{said}", status.as_u16());
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Answer::Later { why, after },
        StatusCode::PAYLOAD_TOO_LARGE => Answer::TooLarge { why },
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Answer::Hopeless {
            why: format!("{why}; put the key into OTEL_EXPORTER_OTLP_HEADERS=name=value"),
        },
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Answer::Hopeless {
            why: format!("{why}; it takes no traces there, name its port of OTLP over HTTP"),
        },
        _ if status.is_redirection() => {
            Answer::Hopeless { why: format!("{why}; name the place that it points to") }
        }
        _ => Answer::Refused { why },
    }
}

/// A number of seconds, or a date: RFC 9110, section 10.2.3.
fn wait(text: &str, now: fn() -> Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = rfc2822::parse(text.trim()).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(now())).unwrap_or_default())
}

fn failed(error: &Error, timeout: Duration) -> Answer {
    let later = |why: String| Answer::Later { why, after: None };
    match error {
        Error::Io(error) => match error.kind() {
            ErrorKind::ConnectionRefused => Answer::Absent {
                why: "nobody listens there; start a collector or name another URL".to_owned(),
            },
            // What TLS says is in what cannot be read.
            ErrorKind::InvalidData => Answer::Hopeless {
                why: format!("{error}; OTEL_EXPORTER_OTLP_CERTIFICATE names whom to believe"),
            },
            // The standard library has no kind for what the system's look-up says.
            _ if error.to_string().contains("failed to lookup address") => no_host(),
            _ => later(error.to_string()),
        },
        Error::HostNotFound => no_host(),
        Error::Timeout(_) => later(format!("no answer within {} ms", timeout.as_millis())),
        Error::Rustls(_) | Error::Tls(_) => Answer::Hopeless {
            why: format!("{error}; OTEL_EXPORTER_OTLP_CERTIFICATE names whom to believe"),
        },
        Error::ConnectProxyFailed(_) | Error::InvalidProxyUrl => {
            Answer::Hopeless { why: "the proxy of the environment does not connect".to_owned() }
        }
        // Where nothing stands that TLS or HTTP is spoken by.
        _ => later(error.to_string()),
    }
}

fn no_host() -> Answer {
    Answer::Absent { why: "there is no host of this name, check the URL".to_owned() }
}

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";
/// Bytes of an answer that are read.
const LONGEST_ANSWER: u64 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_say_seconds_or_a_date() {
        let now = || "1994-11-06T08:49:30Z".parse().unwrap();
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(wait("120", now), seconds(120));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT", now), seconds(7));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:07 GMT", now), seconds(0));
        assert_eq!(wait("soon", now), None);
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for (host, expected) in
            [("localhost", true), ("127.0.0.9", true), ("[::1]", true), ("10.0.0.1", false)]
        {
            assert_eq!(is_loopback(host), expected, "{host}");
        }
    }
}
