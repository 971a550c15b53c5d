//! Packet parsing for the TC programs: pure, generic over where the bytes come from, built and tested on the host.
//!
//! Here belongs everything that can be said about a packet from its bytes and its GSO size. No maps, no helpers, no
//! counting: that is in the binary, one file per hook.
#![no_std]
#![allow(
    clippy::inline_always,
    reason = "BPF calls cost more than the code they would save, and the verifier loses track across them"
)]

pub mod extensions;
pub mod icmp;
pub mod inner;
pub mod ip;
pub mod link;
pub mod outer;
pub mod packet;
pub mod segments;
pub mod tcp;
pub mod wireguard;
