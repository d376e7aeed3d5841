//! What a run needs to know, and the default of every limit.

use crate::join::window::WindowLimits;
use crate::load::limits::MemoryLimits;
use crate::names::files::NameFiles;
use crate::spoken;
use std::sync::Arc;
use wirespan_capture::decode::NamedPoint;
use wirespan_capture::entry::FlowLimits;
use wirespan_capture::source::alignment::Alignment;
use wirespan_parsers::protocol::{Hook, Protocol};
use wirespan_parsers::registry;

/// What a run needs to know.
pub struct Config {
    /// Threads that work at a time.
    pub threads: usize,
    /// Limits of all flows; each shard gets its part.
    pub flows: FlowLimits,
    /// Requests of all flows that may be open at a time.
    pub open: usize,
    /// Bytes of packets that each stage works on at a time, at most; as many as the source gives if it
    /// gives fewer.
    pub portion: usize,
    /// Taps that are one point each, by the user's word.
    pub points: Vec<NamedPoint>,
    /// What the user calls services and hosts.
    pub names: Arc<NameFiles>,
    /// How the clocks of files were found to differ, and their times are set right.
    pub clocks: Vec<Alignment>,
    /// What is to be said of clocks that could not be compared or set right.
    pub clock_remarks: Vec<String>,
    /// Limits of the join window.
    pub window: WindowLimits,
    /// Nanoseconds after which a request counts as unanswered.
    pub response_timeout: i64,
    /// Whether all is kept that messages say, such as every header.
    pub details: bool,
    /// Makes the protocols of one shard.
    pub protocols: Box<dyn Fn() -> Vec<Box<dyn Protocol>> + Send + Sync>,
    /// Makes the hooks of one shard.
    pub hooks: Box<dyn Fn() -> Vec<Box<dyn Hook>> + Send + Sync>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            flows: FlowLimits {
                flows: MAX_FLOWS,
                waiting: MAX_WAITING_BYTES,
                ..FlowLimits::default()
            },
            open: MAX_OPEN,
            portion: usize::MAX,
            points: Vec::new(),
            names: Arc::default(),
            clocks: Vec::new(),
            clock_remarks: Vec::new(),
            window: WindowLimits::default(),
            response_timeout: RESPONSE_TIMEOUT_SECONDS * 1_000_000_000,
            details: false,
            protocols: Box::new(|| registry::protocols(&Arc::default())),
            hooks: Box::new(Vec::new),
        }
    }
}

impl Config {
    /// The protocols of one shard, in the order in which they are asked.
    pub fn made_protocols(&self) -> Vec<Box<dyn Protocol>> {
        (self.protocols)()
    }

    /// Lowers limits that do not fit into a bound of memory.
    pub fn fit(&mut self, limits: &MemoryLimits) {
        self.flows.flows = self.flows.flows.min(limits.flows);
        self.flows.waiting = self.flows.waiting.min(limits.waiting);
        self.open = self.open.min(limits.open);
        self.portion = self.portion.min(limits.portion);
        self.window.held = self.window.held.min(limits.held);
        self.window.members = self.window.members.min(limits.held);
    }

    /// The names of the protocols, as [`spoken::names`] lists them.
    pub fn protocol_names(&self) -> Vec<String> {
        spoken::names(&self.made_protocols())
    }
}

/// Flows at a time.
pub const MAX_FLOWS: usize = 1 << 18;
/// Requests of all flows that are open at a time; each flow may have one more.
pub const MAX_OPEN: usize = 1 << 18;
/// Bytes of all flows that wait for a hole or for what they acknowledge.
pub const MAX_WAITING_BYTES: usize = 32 << 20;
/// Seconds after which a request counts as unanswered.
pub const RESPONSE_TIMEOUT_SECONDS: i64 = 120;
