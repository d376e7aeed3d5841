//! What a run asks of all its protocols.

/// What a run asks of all its protocols.
#[derive(Debug)]
pub struct Settings {
    /// Whether what is secret is masked: values by their names, and literals of SQL.
    pub redact: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { redact: true }
    }
}
