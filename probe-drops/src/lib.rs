//! What the kernel drops, by device and reason: the layout that both sides agree on byte by byte, and the reading of a dropped
//! packet's headers, built and tested on the host.
//!
//! No maps and no helpers: those are in the binary, whose program runs while somebody asks.
#![no_std]
#![allow(
    clippy::inline_always,
    reason = "BPF calls cost more than the code they would save, and the verifier loses track across them"
)]

pub mod layout;
pub mod packet;

pub use layout::{Device, DropCount, DropKey, Offsets};
pub use packet::Headers;
