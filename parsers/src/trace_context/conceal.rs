//! Identifiers that are secret in, what stands for them out: a hash that nobody can make again
//! without the key. <https://github.com/BLAKE3-team/BLAKE3-specs>

use super::TraceContext;
use crate::secrets::Secrets;
use std::num::NonZeroU64;

/// What makes of secret identifiers something that still joins.
#[derive(Clone, Debug)]
pub struct Concealment {
    secrets: Secrets,
    key: [u8; 32],
    /// Whether the hash is told: only if nobody else has the key.
    told: bool,
}

impl Concealment {
    /// With a key of this run's program alone: hashes join, and are never told.
    #[must_use]
    pub fn within_run(secrets: Secrets) -> Self {
        Self { secrets, key: blake3::derive_key(CONTEXT, b""), told: false }
    }

    /// With a key of the user's: hashes are told in place of values, so that what was seen elsewhere
    /// with the same key joins.
    #[must_use]
    pub fn keyed(secrets: Secrets, material: &[u8]) -> Self {
        Self { secrets, key: blake3::derive_key(CONTEXT, material), told: true }
    }

    /// Whether the user said that what has this name is secret.
    pub(super) fn is_users(&self, name: &[u8]) -> bool {
        self.secrets.are_users(name)
    }

    /// Whether what has this name is secret, by the user's word or without it. So are cookies, of
    /// which only the names are shown elsewhere.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        let is_cookie =
            [&b"cookie"[..], b"set-cookie"].iter().any(|c| name.eq_ignore_ascii_case(c));
        self.secrets.has(name) || (is_cookie && !self.secrets.are_shown())
    }

    /// Hands out what stands for an identifier.
    pub(super) fn hide(
        &self,
        context: &TraceContext<'_>,
        found: &mut dyn FnMut(&TraceContext<'_>),
    ) {
        let hash = self.hash(&context.trace.to_le_bytes()).max(1);
        let text = if self.told { format!("{hash:032x}") } else { String::new() };
        let span = |span: Option<NonZeroU64>| {
            // The lower half of a hash is as good as any other.
            #[expect(clippy::cast_possible_truncation, reason = "a part of a hash")]
            span.and_then(|span| NonZeroU64::new(self.hash(&span.get().to_le_bytes()) as u64))
        };
        found(&TraceContext {
            format: context.format,
            // As it is read again from the text.
            trace: match context.format.is_text() && self.told {
                true => context.format.id_of(text.as_bytes()).unwrap_or(hash),
                false => hash,
            },
            text: text.as_bytes(),
            span: span(context.span),
            parent: span(context.parent),
            sampled: context.sampled,
        });
    }

    fn hash(&self, bytes: &[u8]) -> u128 {
        let mut hash = [0; 16];
        blake3::Hasher::new_keyed(&self.key).update(bytes).finalize_xof().fill(&mut hash);
        u128::from_be_bytes(hash)
    }
}

/// What the key is for, so that the same secret gives another one elsewhere.
const CONTEXT: &str = "wirespan identifiers that join 2026-11";

/// Whether the value of a format must not be told, as it stands in a message.
#[must_use]
pub fn is_hidden(context: &TraceContext<'_>) -> bool {
    context.text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace_context::{Format, opaque, traceparent};

    fn secrets() -> Secrets {
        Secrets::with_names([&b"txn"[..]])
    }

    fn hidden(
        concealment: &Concealment,
        context: &TraceContext<'_>,
    ) -> (u128, Option<u64>, String) {
        let mut all = Vec::new();
        concealment.hide(context, &mut |context| {
            let text = String::from_utf8_lossy(context.text).into_owned();
            all.push((context.trace, context.span.map(NonZeroU64::get), text));
        });
        all.remove(0)
    }

    #[test]
    fn hash_hangs_on_the_key_and_on_nothing_else() {
        let id = opaque::parse(Format::RequestId, b"1").unwrap();
        let one = Concealment::keyed(secrets(), b"one");
        let first = hidden(&one, &id);
        assert_eq!(hidden(&Concealment::keyed(secrets(), b"one"), &id), first);
        assert_ne!(hidden(&Concealment::keyed(secrets(), b"two"), &id), first);
        assert_eq!(
            Format::RequestId.id_of(first.2.as_bytes()),
            Some(first.0),
            "as it is read again"
        );
        assert_eq!(first.2.len(), 32);
    }

    #[test]
    fn without_a_key_no_text_is_told() {
        let id = opaque::parse(Format::RequestId, b"1").unwrap();
        let run = Concealment::within_run(secrets());
        let (trace, _, text) = hidden(&run, &id);
        assert_eq!(text, "");
        assert_ne!(trace, id.trace);
        assert_eq!(hidden(&Concealment::within_run(secrets()), &id).0, trace);
    }

    #[test]
    fn cookies_are_secret_unless_secrets_are_shown() {
        let run = Concealment::within_run(secrets());
        assert!(run.has(b"Cookie") && run.has(b"set-cookie") && !run.has(b"x-cookie-count"));
        assert!(!Concealment::within_run(Secrets::shown()).has(b"cookie"));
    }

    #[test]
    fn spans_are_hashed_too() {
        let value = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let id = traceparent::parse(value).unwrap();
        let (trace, span, _) = hidden(&Concealment::keyed(secrets(), b"one"), &id);
        assert_ne!(trace, id.trace);
        assert!(span.is_some() && span != id.span.map(NonZeroU64::get));
    }
}
