//! A private multi-node data plane in network namespaces: nodes, pods and tunnels wired as Canal wires them.
//!
//! [`plan`] says what is where, and is pure. [`up`] and [`down`] do it and undo it; [`load`] sends traffic through it;
//! [`registry`] remembers it, and [`files`] are what its nodes would have on disk. Nothing outside the
//! lab's own namespaces is touched. [`fault`] breaks one thing at a time, and mends it.

mod down;
mod error;
pub mod fault;
pub mod files;
pub mod live;
pub mod load;
pub mod plan;
pub mod registry;
pub mod send;
mod status;
mod up;

pub use down::{down, force_down};
pub use error::LabError;
pub use plan::{DEFAULT_PREFIX, Dataplane, Family, LabOptions};
pub use status::{NodeStatus, Status, status};
pub use up::{Progress, raise_pod_mtu, up};
