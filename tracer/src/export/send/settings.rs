//! Where traces are sent, and how: from an URL of the command line, and the variables that all of
//! OpenTelemetry's exporters know. What is wrong is said before anything is read.
//!
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>

use crate::export::otlp::Content;
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use ureq::Proxy;
use ureq::http::header::AUTHORIZATION;
use ureq::http::{HeaderName, HeaderValue, Uri};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, parse_pem};

/// Where to, and how. It holds secrets, and so is not shown by `Debug`.
pub struct Settings {
    /// What is posted to.
    pub(super) url: Uri,
    /// What stands behind it in each request. Values are secrets.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) content: Content,
    pub(super) compression: Compression,
    /// How long one request may take.
    pub(super) timeout: Duration,
    /// Who is believed to be the server.
    pub(super) roots: RootCerts,
    /// Who we are to it.
    pub(super) client: Option<ClientCert>,
    /// What is told of each resource beside what the packets tell.
    pub(super) resource: Vec<(String, String)>,
}

/// What is done to bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
}

impl Settings {
    /// From the URL that was given, if one was, and variables of the environment by name.
    ///
    /// # Errors
    /// What cannot be used, in words.
    pub fn new(
        url: Option<&str>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let environment = Environment(environment);
        let content = environment.content()?;
        let url = environment.url(url)?;
        let mut headers = environment.headers()?;
        if let (Some(authority), false) =
            (url.authority(), headers.iter().any(|(name, _)| *name == AUTHORIZATION))
            && let Some((login, _)) = authority.as_str().rsplit_once('@')
        {
            headers.push((AUTHORIZATION, basic(&decoded(login))?));
        }
        Ok(Self {
            url: without_login(&url)?,
            headers,
            content,
            compression: environment.compression()?,
            timeout: environment.timeout()?,
            roots: environment.roots()?,
            client: environment.client()?,
            resource: environment.resource()?,
        })
    }

    /// The ports of TCP that connections may be made to: the server's, and that of a proxy.
    pub fn ports(&self) -> Vec<u16> {
        let usual = if self.url.scheme_str() == Some("https") { 443 } else { 80 };
        let proxy = Proxy::try_from_env().map(|proxy| proxy.port());
        std::iter::once(self.url.port_u16().unwrap_or(usual)).chain(proxy).collect()
    }

    /// Where traces go, without what may be secret in it: for people.
    pub fn endpoint(&self) -> String {
        let scheme = self.url.scheme_str().unwrap_or_default();
        let authority = self.url.authority().map(|all| all.as_str()).unwrap_or_default();
        format!("{scheme}://{authority}{}", self.url.path())
    }
}

/// Variables of the environment. Those that are empty are not set.
struct Environment<'e>(&'e dyn Fn(&str) -> Option<String>);

impl Environment<'_> {
    fn plain(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.trim().is_empty())
    }

    /// What holds of traces, else what holds of all signals, and the name of the variable.
    fn of_traces(&self, what: &str) -> Option<(String, String)> {
        ["OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_"].into_iter().find_map(|prefix| {
            let name = format!("{prefix}{what}");
            Some((self.plain(&name)?.trim().to_owned(), name))
        })
    }

    /// The URL of traces stands as it is; one of all signals lacks the path of traces.
    fn url(&self, given: Option<&str>) -> Result<Uri, String> {
        if let Some(url) = given {
            return complete(url).map_err(|why| format!("--otlp: {why}"));
        }
        match self.of_traces("ENDPOINT") {
            Some((url, name)) if name.contains("TRACES") => {
                parsed(&url).map_err(|why| format!("{name}: {why}"))
            }
            Some((url, name)) => complete(&url).map_err(|why| format!("{name}: {why}")),
            None => complete(DEFAULT_ENDPOINT),
        }
    }

    fn content(&self) -> Result<Content, String> {
        match self.of_traces("PROTOCOL") {
            None => Ok(Content::Protobuf),
            Some((value, name)) => match value.as_str() {
                "http/protobuf" => Ok(Content::Protobuf),
                "http/json" => Ok(Content::Json),
                "grpc" => Err(format!(
                    "{name}=grpc: only http/protobuf and http/json are spoken; set it to \
                     http/protobuf and name the port of OTLP over HTTP, mostly 4318"
                )),
                _ => Err(format!("{name}={value}: name http/protobuf or http/json")),
            },
        }
    }

    fn compression(&self) -> Result<Compression, String> {
        match self.of_traces("COMPRESSION") {
            None => Ok(Compression::Gzip),
            Some((value, name)) => match value.as_str() {
                "gzip" => Ok(Compression::Gzip),
                "none" => Ok(Compression::None),
                _ => Err(format!("{name}={value}: name gzip or none")),
            },
        }
    }

    fn timeout(&self) -> Result<Duration, String> {
        let Some((value, name)) = self.of_traces("TIMEOUT") else { return Ok(TIMEOUT) };
        match value.parse() {
            Ok(milliseconds @ 1..) => Ok(Duration::from_millis(milliseconds)),
            _ => Err(format!("{name}={value}: name a number of milliseconds from 1 on")),
        }
    }

    fn headers(&self) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
        let Some((list, name)) = self.of_traces("HEADERS") else { return Ok(Vec::new()) };
        let all = pairs(&list).map(|pair| {
            // Not even a part of it is said, as it may be of a secret.
            let (key, value) = pair.ok_or("write it as name=value,name=value")?;
            let key = HeaderName::from_bytes(key.as_bytes())
                .map_err(|_| "one of its names cannot be the name of a header")?;
            let mut value = HeaderValue::from_bytes(&decoded(value))
                .map_err(|_| "one of its values cannot stand in a header")?;
            value.set_sensitive(true);
            Ok((key, value))
        });
        all.collect::<Result<_, &str>>().map_err(|why| format!("{name}: {why}"))
    }

    fn resource(&self) -> Result<Vec<(String, String)>, String> {
        let name = "OTEL_RESOURCE_ATTRIBUTES";
        let list = self.plain(name).unwrap_or_default();
        let text = |text| String::from_utf8_lossy(&decoded(text)).into_owned();
        let mut all: Vec<(String, String)> = Vec::new();
        for pair in pairs(&list) {
            let (key, value) =
                pair.ok_or_else(|| format!("{name}: write it as name=value,name=value"))?;
            let (key, value) = (text(key), text(value));
            // What the packets tell of a service is not overruled by what holds of all of them.
            let is_ours = OURS.contains(&key.as_str());
            if !is_ours && all.iter().all(|(other, _)| *other != key) {
                all.push((key, value));
            }
        }
        Ok(all)
    }

    /// Those of the variable, else of the system, else those that are built in.
    fn roots(&self) -> Result<RootCerts, String> {
        let specific = |all: Vec<Certificate<'static>>| RootCerts::Specific(Arc::new(all));
        if let Some((path, name)) = self.of_traces("CERTIFICATE") {
            let pem = read(&path, &name)?;
            return match certificates(&pem) {
                all if all.is_empty() => {
                    Err(format!("{name}: there is no certificate in {path}, name a file in PEM"))
                }
                all => Ok(specific(all)),
            };
        }
        let system = BUNDLES.iter().filter_map(|path| fs::read(path).ok());
        let system = system.map(|pem| certificates(&pem)).find(|all| !all.is_empty());
        Ok(system.map_or(RootCerts::WebPki, specific))
    }

    fn client(&self) -> Result<Option<ClientCert>, String> {
        let (certificate, key) =
            (self.of_traces("CLIENT_CERTIFICATE"), self.of_traces("CLIENT_KEY"));
        let ((path, name), (key_path, key_name)) = match (certificate, key) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => (certificate, key),
            (Some((_, name)), None) | (None, Some((_, name))) => {
                return Err(format!(
                    "{name}: the certificate and its key belong together, set both"
                ));
            }
        };
        let chain = certificates(&read(&path, &name)?);
        if chain.is_empty() {
            return Err(format!("{name}: there is no certificate in {path}, name a file in PEM"));
        }
        let key = PrivateKey::from_pem(&read(&key_path, &key_name)?).map_err(|_| {
            format!("{key_name}: there is no key in {key_path}, name a file in PEM")
        })?;
        Ok(Some(ClientCert::new_with_certs(&chain, key)))
    }
}

/// The URL of traces below one of all signals. One that has the path of traces already is left.
fn complete(url: &str) -> Result<Uri, String> {
    let (base, query) = url.split_at(url.find('?').unwrap_or(url.len()));
    let base = base.trim_end_matches('/');
    if base.ends_with(TRACES) { parsed(url) } else { parsed(&format!("{base}{TRACES}{query}")) }
}

fn parsed(url: &str) -> Result<Uri, String> {
    // What it is called may hold a password, and is not said.
    let uri: Uri = url.parse().map_err(|_| NO_URL.to_owned())?;
    let is_known = matches!(uri.scheme_str(), Some("http" | "https"));
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    if !(is_known && has_host) {
        return Err(NO_URL.to_owned());
    }
    // `http` takes any digits for a port, and then knows none.
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let (_, behind_host) = authority.split_once(uri.host().unwrap_or_default()).unwrap_or_default();
    let behind_host = authority.rsplit_once(']').map_or(behind_host, |(_, behind)| behind);
    if behind_host.contains(':') && uri.port_u16().is_none() {
        return Err(NO_PORT.to_owned());
    }
    Ok(uri)
}

/// The login goes into a header, and nowhere else.
fn without_login(url: &Uri) -> Result<Uri, String> {
    let mut parts = url.clone().into_parts();
    if let Some((_, host)) = url.authority().and_then(|all| all.as_str().rsplit_once('@')) {
        parts.authority = Some(host.parse().map_err(|_| NO_URL.to_owned())?);
    }
    Uri::from_parts(parts).map_err(|_| NO_URL.to_owned())
}

fn basic(login: &[u8]) -> Result<HeaderValue, String> {
    use base64::Engine;
    let login = base64::engine::general_purpose::STANDARD.encode(login);
    let mut value =
        HeaderValue::from_str(&format!("Basic {login}")).map_err(|_| NO_URL.to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// `name=value,name=value`; what has no name is none.
fn pairs(list: &str) -> impl Iterator<Item = Option<(&str, &str)>> {
    let pieces = list.split(',').map(str::trim).filter(|piece| !piece.is_empty());
    pieces.map(|piece| {
        let (key, value) = piece.split_once('=')?;
        Some((key.trim(), value.trim())).filter(|(key, _)| !key.is_empty())
    })
}

/// Without percent signs: RFC 3986, section 2.1. What is no escape stands for itself.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digit =
            |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let escaped = match behind {
            [high, low, ..] if *first == b'%' => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                bytes.push(high << 4 | low);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    bytes
}

fn read(path: &str, name: &str) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{name}: read {path}: {error}"))
}

fn certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    let items = parse_pem(pem).filter_map(Result::ok);
    let certificates = items.filter_map(|item| match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    });
    certificates.collect()
}

const DEFAULT_ENDPOINT: &str = "http://localhost:4318";
/// The path of traces below an endpoint of all signals.
const TRACES: &str = "/v1/traces";
const TIMEOUT: Duration = Duration::from_secs(10);
const NO_URL: &str = "name an URL such as http://localhost:4318";
const NO_PORT: &str = "a port is a number up to 65535, mostly 4318";
/// Attributes of resources that the packets tell.
const OURS: &[&str] = &["service.name", "service.instance.id", "wirespan.network"];
/// Where systems keep the certificates that they believe.
const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: Option<&str>, set: &[(&str, &str)]) -> Result<Settings, String> {
        Settings::new(url, &|name| {
            let value = set.iter().find(|(key, _)| *key == name)?.1;
            Some(value.to_owned())
        })
    }

    #[track_caller]
    fn goes_to(url: Option<&str>, set: &[(&str, &str)], expected: &str) {
        assert_eq!(settings(url, set).map(|one| one.url.to_string()).as_deref(), Ok(expected));
    }

    #[track_caller]
    fn refused(set: &[(&str, &str)], expected: &str) {
        assert_eq!(settings(None, set).err().as_deref(), Some(expected));
    }

    const ALL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    const OF_TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

    #[test]
    fn endpoints_of_all_signals_get_the_path_of_traces() {
        goes_to(None, &[], "http://localhost:4318/v1/traces");
        goes_to(Some("http://a:4318"), &[], "http://a:4318/v1/traces");
        goes_to(Some("https://a/otlp/"), &[], "https://a/otlp/v1/traces");
        goes_to(Some("https://a/v1/traces"), &[], "https://a/v1/traces");
        goes_to(Some("https://a/x?key=1"), &[], "https://a/x/v1/traces?key=1");
        goes_to(None, &[(ALL, "http://b/x")], "http://b/x/v1/traces");
    }

    #[test]
    fn what_is_named_first_counts() {
        let both = [(ALL, "http://b"), (OF_TRACES, "http://c/in")];
        goes_to(None, &both, "http://c/in");
        goes_to(Some("http://a"), &both, "http://a/v1/traces");
        goes_to(None, &[(ALL, "http://b"), (OF_TRACES, " ")], "http://b/v1/traces");
        goes_to(None, &[(OF_TRACES, "http://c")], "http://c/");
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        refused(&[(ALL, "localhost:4318")], &format!("{ALL}: {NO_URL}"));
        refused(&[(ALL, "ftp://a")], &format!("{ALL}: {NO_URL}"));
        refused(&[(OF_TRACES, "http://")], &format!("{OF_TRACES}: {NO_URL}"));
        refused(&[(OF_TRACES, "http://a:99999")], &format!("{OF_TRACES}: {NO_PORT}"));
        for url in
            ["http://a:65535", "http://a", "http://[::1]", "http://u:p@[::1]:1", "http://u:p@a"]
        {
            assert!(settings(Some(url), &[]).is_ok(), "{url}");
        }
        refused(
            &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
            "OTEL_EXPORTER_OTLP_PROTOCOL=grpc: only http/protobuf and http/json are spoken; set it \
             to http/protobuf and name the port of OTLP over HTTP, mostly 4318",
        );
        refused(
            &[("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "soon")],
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=soon: name a number of milliseconds from 1 on",
        );
        refused(
            &[("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd")],
            "OTEL_EXPORTER_OTLP_COMPRESSION=zstd: name gzip or none",
        );
        refused(
            &[("OTEL_EXPORTER_OTLP_CLIENT_KEY", "key.pem")],
            "OTEL_EXPORTER_OTLP_CLIENT_KEY: the certificate and its key belong together, set both",
        );
        let error = settings(None, &[("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere")]).err();
        assert!(error.is_some_and(|error| error.contains("read /nowhere: No such file")));
    }

    #[test]
    fn headers_are_decoded_and_those_of_traces_count() {
        let set = [
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=1"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "api-key=se%20cret=, x = y"),
        ];
        let headers = settings(None, &set).map(|one| one.headers).unwrap_or_default();
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(headers, [("api-key", &b"se cret="[..]), ("x", &b"y"[..])]);
    }

    #[test]
    fn secrets_are_not_said() {
        let error = settings(None, &[("OTEL_EXPORTER_OTLP_HEADERS", "secret")]).err();
        assert_eq!(
            error.as_deref(),
            Some("OTEL_EXPORTER_OTLP_HEADERS: write it as name=value,name=value")
        );
        let one = settings(Some("https://me:pass%21@a/x?token=1"), &[]);
        let one = one.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(one.endpoint(), "https://a/x/v1/traces");
        let sent = one.headers.first().map(|(_, value)| value.as_bytes());
        assert_eq!(sent, Some(&b"Basic bWU6cGFzcyE="[..]));
    }

    #[test]
    fn resources_are_told_more_but_not_otherwise() {
        let set = [("OTEL_RESOURCE_ATTRIBUTES", "service.name=x,host.name=a%2Cb,host.name=c,k=")];
        let resource = settings(None, &set).map(|one| one.resource);
        let expected = [("host.name", "a,b"), ("k", "")].map(|(k, v)| (k.into(), v.into()));
        assert_eq!(resource, Ok(expected.to_vec()));
    }
}
