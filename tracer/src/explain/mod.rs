//! Why the links of one trace were made: the trace and what happened around it in, facts out, for
//! people to judge.
//!
//! ```text
//! all traces ─▶ asked ─Found─▶ (all traces again) ─▶ around ─▶ facts ─▶ words, or JSON
//! ```
//!
//! Nothing is decided here. What joining has decided is laid beside what stands in the packets, and
//! beside what else there was: what else was open at a caller, and who else carries an identifier.
//! The latter is known only once the trace is; so the input is read twice, and no more is kept than
//! what touches the trace.

pub mod hosts;
pub mod asked;
pub mod near;
pub mod queues;
pub mod around;
pub mod places;
mod reasons;
pub mod carriers;
pub mod callers;
pub mod facts;
pub mod words;
