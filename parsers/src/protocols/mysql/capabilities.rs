//! What client and server agreed on at the login.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html>,
//! <https://mariadb.com/docs/server/reference/clientserver-protocol/1-connecting/connection>

/// A set of capability flags; MariaDB's own are the upper 32 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Capabilities(pub(super) u64);

impl Capabilities {
    pub(super) const CONNECT_WITH_DB: Self = Self(1 << 3);
    pub(super) const COMPRESS: Self = Self(1 << 5);
    pub(super) const PROTOCOL_41: Self = Self(1 << 9);
    pub(super) const SSL: Self = Self(1 << 11);
    pub(super) const SECURE_CONNECTION: Self = Self(1 << 15);
    pub(super) const PLUGIN_AUTH: Self = Self(1 << 19);
    pub(super) const CONNECT_ATTRS: Self = Self(1 << 20);
    pub(super) const PLUGIN_AUTH_LENENC_DATA: Self = Self(1 << 21);
    pub(super) const DEPRECATE_EOF: Self = Self(1 << 24);
    pub(super) const OPTIONAL_RESULTSET_METADATA: Self = Self(1 << 25);
    pub(super) const ZSTD_COMPRESSION_ALGORITHM: Self = Self(1 << 26);
    pub(super) const QUERY_ATTRIBUTES: Self = Self(1 << 27);

    /// The bit that MariaDB, but not MySQL, leaves out (`CLIENT_MYSQL`, `CLIENT_LONG_PASSWORD`).
    pub(super) const MYSQL: Self = Self(1);

    pub(super) fn has(self, flag: Self) -> bool {
        self.0 & flag.0 == flag.0
    }

    /// What both have.
    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// Whether an EOF packet stands between column definitions and rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Eof {
    /// It does.
    Sent,
    /// The client asked to do without (`CLIENT_DEPRECATE_EOF`).
    Deprecated,
    /// The login was not seen, and nothing has told it since.
    #[default]
    Unknown,
}
