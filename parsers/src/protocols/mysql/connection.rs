//! One connection: what both sides have begun, and what they share.

use super::compression::{Compressed, Decompressor};
use super::prepared::Statements;
use super::request::Request;
use super::response::Response;
use super::session::Session;
use crate::message::Side;
use crate::settings::Settings;
use std::sync::Arc;

/// What the connections of a shard share.
pub(super) struct Shared {
    pub(super) settings: Arc<Settings>,
    pub(super) statements: Statements,
    pub(super) decompressor: Decompressor,
    /// Room to decompress into.
    pub(super) plain: Vec<u8>,
}

impl Shared {
    pub(super) fn new(settings: &Arc<Settings>) -> Self {
        let statements = Statements::new(settings);
        Self {
            settings: Arc::clone(settings),
            statements,
            decompressor: Decompressor::default(),
            plain: Vec::new(),
        }
    }
}

pub(super) struct Connection {
    pub(super) client: Side,
    pub(super) session: Session,
    pub(super) request: Request,
    pub(super) response: Response,
    /// The client's packets are within compressed ones.
    pub(super) compresses_commands: bool,
    /// What is left of packets whose middle was lost, of the client and of the server.
    rest: [u64; 2],
    /// What is within compressed packets, of the client and of the server.
    commands: Compressed,
    responses: Compressed,
}

impl Connection {
    pub(super) fn new(client: Side) -> Self {
        Self {
            client,
            session: Session::default(),
            request: Request::default(),
            response: Response::default(),
            compresses_commands: false,
            rest: [0; 2],
            commands: Compressed::default(),
            responses: Compressed::default(),
        }
    }

    /// Bytes to pass over up to the next packet of one side.
    pub(super) fn rest(&mut self, from: Side) -> &mut u64 {
        let [commands, responses] = &mut self.rest;
        if from == self.client { commands } else { responses }
    }

    /// What is within the compressed packets of one side.
    pub(super) fn within(&mut self, from: Side) -> &mut Compressed {
        if from == self.client { &mut self.commands } else { &mut self.responses }
    }
}
