//! Why a packet is counted as "other", not parsed, not sent or too big: the record that the kernel side sends for one, and
//! the reading of the packet for it, built and tested on the host.
//!
//! What the user side needs is here too: both sides agree on the record byte by byte. No maps and no helpers: those are in
//! the binary, whose programs run beside those of `probe-ebpf` and only while somebody asks.
#![no_std]
#![allow(
    clippy::inline_always,
    reason = "BPF calls cost more than the code they would save, and the verifier loses track across them"
)]

pub mod read;
pub mod reason;
pub mod record;

pub use reason::Reason;
pub use record::{ReasonCount, Record};
