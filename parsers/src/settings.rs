//! What a run asks of all its protocols, and what they share.

use crate::inflate::Room;
use crate::secrets::Secrets;
use crate::trace_context::own::OwnIds;

/// What a run asks of all its protocols, and what they share.
#[derive(Debug, Default)]
pub struct Settings {
    /// What is masked; where secrets are shown, so are literals of SQL.
    pub secrets: Secrets,
    /// Whether it is told where secrets stand ([`crate::protocol::Out::secret`]), so that they can
    /// be overwritten in packets.
    pub locate_secrets: bool,
    /// Identifiers of the user's, beside those that are known.
    pub ids: OwnIds,
    /// What windows of all that is inflated take, of all protocols and shards.
    pub room: Room,
}
