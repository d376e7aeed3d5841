//! Which process of this host owns a socket, from what the kernel tells in `/proc`.
//!
//! ```text
//!  segments ─▶ asking ─ ends of new flows ─▶ watch, a thread ─▶ table ─▶ /proc
//!                 ◀────────── owners ──────────
//! ```
//!
//! See proc_pid_fd(5), proc_pid_net(5) and namespaces(7), <https://man7.org/linux/man-pages/>.

mod lines;
mod named;
mod process;
mod sockets;
mod table;
mod watch;
mod asking;

pub use asking::{Asking, Told};
pub use watch::{Looked, Watch};
