//! The eBPF object: the only place that imports aya. Loads, attaches, keeps the lookup maps in step with the
//! inventory, reads the counters.
//!
//! Here belongs everything that needs a map, a program or a link. What exists is decided by [`crate::inventory`],
//! what the numbers mean by [`crate::model`].

mod attach;
mod attached;
mod baseline;
mod btf;
mod counters;
mod drops;
mod encap;
mod error;
mod events;
mod explain;
mod heartbeat;
mod loaded;
mod lookup;
mod object;
mod percpu;
mod plan;
mod probe;
mod slots;
mod stats;
mod sys;
mod table;
mod tcx;
pub mod test_run;
mod vf;
mod vf_room;

pub use attach::{AttachMode, Hook, LinkPlace};
pub use drops::{DropWatch, verified_drop_instructions};
pub use encap::{EncapTimes, EncapWatch, verified_encap_instructions};
pub use error::EbpfError;
pub use heartbeat::{Heart, Pulse};
pub use loaded::{LoadedProgram, RunTimes, costs_of, loaded};
pub use object::{
    DROPS_OBJECT, ENCAP_OBJECT, EXPLAIN_OBJECT, EXPLAIN_PROGRAMS, Limits, OBJECT, PROGRAMS, Programs,
    map_bytes, verified_instructions,
};
pub use probe::{Probe, ProbeOptions};
pub use stats::measure_here;
pub use tcx::{attach_here, tcx_programs};
pub use vf::{VfCounters, VfPlace};
