//! Where secrets stand in a message, so that they can be overwritten in its packets: in its head by
//! names, in bodies of text too, and in other bodies everywhere.

use crate::protocol::{Key, Out};
use crate::secrets::Secrets;
use crate::secrets::scan::Scanner;
use memchr::{memchr, memrchr};

/// What is secret in a body.
pub(in crate::protocols) enum BodySecrets {
    /// What has a name that says so.
    Named(Scanner),
    /// The same, and what Connect tells of an error beside its code and text: base64 of a message
    /// with anything in it. <https://connectrpc.com/docs/protocol#error-details>
    Error(Box<(Scanner, Secrets)>),
    /// All of it, as nobody can look into it.
    All,
}

impl BodySecrets {
    /// What the headers say of the body.
    pub(in crate::protocols) fn of<'b>(
        headers: impl Iterator<Item = (&'b [u8], &'b [u8])>,
    ) -> Self {
        let mut is_text = true;
        for (name, value) in headers {
            if CODINGS.iter().any(|coding| name.eq_ignore_ascii_case(coding)) {
                let plain: [&[u8]; 3] = [b"", b"identity", b"chunked"];
                is_text &= plain.iter().any(|plain| value.trim_ascii().eq_ignore_ascii_case(plain));
            } else if name.eq_ignore_ascii_case(b"content-type") {
                let value = value.to_ascii_lowercase();
                let has = |word: &[u8]| memchr::memmem::find(&value, word).is_some();
                is_text &= value.starts_with(b"text/") || TEXTS.iter().any(|word| has(word));
            }
        }
        if is_text { Self::Named(Scanner::default()) } else { Self::All }
    }

    /// The same of a body that may have an error of Connect in it.
    pub(in crate::protocols) fn with_details(self, secrets: &Secrets) -> Self {
        match self {
            Self::Named(scanner) => {
                Self::Error(Box::new((scanner, secrets.clone().also([&b"details"[..]]))))
            }
            other => other,
        }
    }

    /// Reads on; these bytes stand at the offset of the input.
    pub(in crate::protocols) fn read(
        &mut self,
        secrets: &Secrets,
        key: Key,
        offset: usize,
        bytes: &[u8],
        out: &mut dyn Out,
    ) {
        let offset = offset as u64;
        let mut tell = |at: std::ops::Range<usize>| {
            out.secret(key, offset + at.start as u64..offset + at.end as u64);
        };
        match self {
            Self::Named(scanner) => scanner.read(secrets, bytes, &mut tell),
            Self::Error(both) => both.0.read(&both.1, bytes, &mut tell),
            Self::All if bytes.is_empty() => {}
            Self::All => tell(0..bytes.len()),
        }
    }

    /// Bytes are lost, and with them what the next ones belong to.
    pub(in crate::protocols) fn lose(&mut self) {
        *self = Self::All;
    }
}

/// Tells of the secrets of a head, or of fields of it.
pub(in crate::protocols) fn locate_secrets<'b>(
    out: &mut dyn Out,
    key: Key,
    input: &'b [u8],
    secrets: &Secrets,
    target: Option<&'b [u8]>,
    headers: impl Iterator<Item = (&'b [u8], &'b [u8])>,
) {
    let mut tell = |part: &[u8], at: std::ops::Range<usize>| {
        let start = part.as_ptr().addr().wrapping_sub(input.as_ptr().addr());
        // Parts of another buffer are none of these bytes.
        if start <= input.len() {
            out.secret(key, (start + at.start) as u64..(start + at.end) as u64);
        }
    };
    if let Some(target) = target {
        secrets.in_addresses(target, &mut |at| tell(target, at));
        // RFC 9112 section 3.2.3: that of CONNECT is an authority, and should have no user.
        if let Some(at) = memrchr(b'@', target)
            && memchr(b'/', target).is_none()
            && !secrets.are_shown()
        {
            tell(target, 0..at);
        }
    }
    for (name, value) in headers {
        secrets.in_header(name, value, &mut |at| tell(value, at));
    }
}

/// Headers that say how a body is coded, or each message in it.
const CODINGS: &[&[u8]] =
    &[b"content-encoding", b"transfer-encoding", b"grpc-encoding", b"connect-content-encoding"];

/// Words in the types of bodies that are text with names in it.
const TEXTS: &[&[u8]] =
    &[b"json", b"xml", b"x-www-form-urlencoded", b"multipart/", b"javascript", b"yaml", b"graphql"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::Recording;
    use crate::metadata::tests::opened;

    #[test]
    fn details_of_errors_of_grpc_are_secret_in_bodies_too() {
        let check = |content_type: &str, body: &str, secret: &[&str]| {
            let mut out = Recording::default();
            let key = opened(&mut out);
            let headers = [(&b"content-type"[..], content_type.as_bytes())];
            let secrets = Secrets::default();
            let mut reader = BodySecrets::of(headers.into_iter()).with_details(&secrets);
            reader.read(&secrets, key, 0, body.as_bytes(), &mut out);
            let place =
                |range: &std::ops::Range<u64>| &body[range.start as usize..range.end as usize];
            let found = out.messages[0].secrets.iter().map(place).collect::<Vec<_>>();
            assert_eq!(found, secret, "{body}");
        };
        let frame = "\0\0\0\0\x0f{\"number\": \"7\"}\0\0\0\x3egrpc-status:2\r\n\
                     grpc-status-details-bin:CAUSBXRva2Vu\r\ngrpc-message:no\r\n";
        check("application/grpc-web+json", frame, &["CAUSBXRva2Vu"]);
        let metadata = r#"{"metadata":{"grpc-status-details-bin":["CAUSBXRva2Vu"],"a":["b"]}}"#;
        check("application/connect+json", metadata, &["CAUSBXRva2Vu"]);
    }
}
