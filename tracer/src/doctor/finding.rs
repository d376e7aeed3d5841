//! One thing that was looked at: how it is, and what to do where it could be better.

use serde::Serialize;

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be, or of no importance to live capture.
    Ok,
    /// Something is lost or slow with it.
    Warning,
    /// It is not to be had.
    Cannot,
}

/// What was found of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, for people and scripts.
    pub check: String,
    /// How it is.
    pub verdict: Verdict,
    /// The same in words.
    pub text: String,
    /// What to do, if there is something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// There is no live capture as long as it is so.
    pub blocks: bool,
}

impl Finding {
    /// All is well.
    pub fn ok(check: &str, text: impl Into<String>) -> Self {
        Self::of(check, Verdict::Ok, text.into())
    }

    /// Something is lost or slow.
    pub fn warning(check: &str, text: impl Into<String>) -> Self {
        Self::of(check, Verdict::Warning, text.into())
    }

    /// It is not to be had; live capture goes without.
    pub fn cannot(check: &str, text: impl Into<String>) -> Self {
        Self::of(check, Verdict::Cannot, text.into())
    }

    /// There is no live capture.
    pub fn blocks(check: &str, text: impl Into<String>) -> Self {
        Self { blocks: true, ..Self::cannot(check, text) }
    }

    /// The same, with what to do.
    #[must_use]
    pub fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    fn of(check: &str, verdict: Verdict, text: String) -> Self {
        // Names on this host may hold what would do things to the terminal.
        let tame = |text: &str| text.replace(char::is_control, "·");
        Self { check: tame(check), verdict, text: tame(&text), remedy: None, blocks: false }
    }
}
