//! What the walks over bytes of each format take and give: packets, interfaces and damage in one
//! place, how far they came out.

use crate::packet::{AddressName, InterfaceId, Loss, OwnerOf, PacketHead, Timestamp};
use crate::source::interfaces::{Interface, Interfaces};
use crate::source::report::{Damage, SourceReport};

/// What walking over the bytes of a read came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walked {
    /// How many bytes are done with.
    pub(super) used: usize,
    /// How many bytes are needed from there on.
    pub(super) wants: usize,
}

impl Walked {
    /// As `wants`: there is no more to be had from this file.
    pub(super) const STOP: usize = usize::MAX;
}

/// What a walk over bytes adds to.
pub(super) struct Context<'a> {
    pub(super) packets: &'a mut Vec<PacketHead>,
    pub(super) owners: &'a mut Vec<OwnerOf>,
    pub(super) losses: &'a mut Vec<Loss>,
    pub(super) names: &'a mut Vec<AddressName>,
    pub(super) report: &'a mut SourceReport,
    pub(super) interfaces: &'a mut Interfaces,
    /// How the file is called, for interfaces without a name.
    pub(super) label: &'a str,
    /// Where the bytes at hand begin in the file.
    pub(super) offset: u64,
    /// Whether the bytes at hand are the file's last ones.
    pub(super) ended: bool,
}

impl Context<'_> {
    /// Notes damage at that place of the bytes at hand.
    pub(super) fn hurt(&mut self, at: usize, damage: impl FnOnce(u64) -> Damage) {
        self.report.hurt(damage(self.offset + at as u64));
    }

    pub(super) fn cut_tail(&mut self, at: usize, bytes: usize) {
        self.hurt(at, |offset| Damage::CutTail { offset, bytes: bytes as u64 });
    }

    /// Notes packets that the capturing program lost, if there are any.
    pub(super) fn lost(&mut self, loss: Loss) {
        self.report.dropped = self.report.dropped.saturating_add(loss.packets);
        if loss.packets > 0 {
            self.losses.push(loss);
        }
    }

    /// Packets were captured until this moment.
    pub(super) fn until(&mut self, moment: Timestamp) {
        self.report.until = self.report.until.max(Some(moment));
    }

    /// Adds an interface and fills in its file and name.
    pub(super) fn add_interface(&mut self, mut interface: Interface) -> Option<InterfaceId> {
        interface.file = self.report.file;
        let name = interface.given.as_deref().unwrap_or(self.label);
        interface.name = if self.interfaces.may_have(name) {
            format!("{name}#{}", self.interfaces.len())
        } else {
            name.to_owned()
        };
        let id = self.interfaces.add(interface)?;
        self.report.interfaces.push(id);
        Some(id)
    }
}
