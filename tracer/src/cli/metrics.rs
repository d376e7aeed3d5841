//! `--metrics`: where counts are served to Prometheus.

use super::scrape::Listening;
use anyhow::{Result, anyhow};
use clap::Args;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where metrics are served.
#[derive(Debug, Args)]
pub(super) struct MetricsArgs {
    /// Serve counts to Prometheus at http://ADDR/metrics; a port alone is for this machine only
    ///
    /// Counts of packets, losses, queues and traces, and rate, errors and durations of services and
    /// of who calls whom. ADDR is 9464 or localhost:9464 (only this machine can ask), :9464 (anybody
    /// who can reach it), or one address, such as 10.0.0.7:9464 or [::1]:9464.
    /// Signal USR1 prints the counts to the standard error at any time.
    #[arg(long, value_name = "ADDR", value_parser = addresses, help_heading = super::output::OUTPUT)]
    metrics: Option<Addresses>,
}

/// Addresses of which the first is taken that is to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Addresses(Vec<SocketAddr>);

impl MetricsArgs {
    /// Listens at the address, so that a port that is in use is told of at once, and rights that
    /// this needs can be given up.
    pub(super) fn listen(&self) -> Result<Option<Listening>> {
        let Some(Addresses(addresses)) = &self.metrics else { return Ok(None) };
        let listening = Listening::at(addresses).map_err(|error| {
            let at = addresses.last().map(ToString::to_string).unwrap_or_default();
            let why = match error.kind() {
                ErrorKind::AddrInUse => "it is in use already, name another port".to_owned(),
                ErrorKind::AddrNotAvailable => {
                    "this machine has no such address; name a port alone, or :PORT for all"
                        .to_owned()
                }
                ErrorKind::PermissionDenied => {
                    "permission denied, name a port from 1024 on".to_owned()
                }
                _ => error.to_string(),
            };
            anyhow!("serve metrics at {at}: {why}")
        });
        listening.map(Some)
    }
}

/// Reads where to listen.
fn addresses(text: &str) -> Result<Addresses, String> {
    let port = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| is_number)
    };
    let local = |port| vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()];
    // The first of them takes IPv4, too, where the machine has IPv6 at all.
    let all =
        |port| vec![(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()];
    let found = if let Some(text) = text.strip_prefix(':') {
        port(text).map(all)
    } else if let Some(port) = port(text.strip_prefix("localhost:").unwrap_or(text)) {
        Some(local(port))
    } else {
        text.parse().ok().map(|address| vec![address])
    };
    found.map(Addresses).ok_or_else(|| {
        "name a port (9464: for this machine only), :PORT for all its addresses, or an address and \
         a port, such as 10.0.0.7:9464 or [::1]:9464"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_for_this_machine_only() {
        for (text, expected) in [
            ("9464", ["127.0.0.1:9464", "[::1]:9464"].as_slice()),
            ("localhost:0", &["127.0.0.1:0", "[::1]:0"]),
            (":9464", &["[::]:9464", "0.0.0.0:9464"]),
            ("127.0.0.1:9464", &["127.0.0.1:9464"]),
            ("[::1]:9464", &["[::1]:9464"]),
        ] {
            let found = addresses(text).map(|found| found.0);
            let expected = expected.iter().map(|address| address.parse().unwrap()).collect();
            assert_eq!(found, Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_says_what_one_is() {
        for text in ["", ":", "70000", ":-1", "+80", "example.org:80", "127.0.0.1", "::1:80", "a:b"]
        {
            let error = addresses(text).unwrap_err();
            assert!(error.starts_with("name a port (9464"), "{text}: {error}");
        }
    }
}
