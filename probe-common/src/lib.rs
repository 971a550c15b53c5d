//! Layout shared by the kernel side and the user side: map keys and values, limits, histogram buckets.
//!
//! Here belongs what both sides must agree on, byte by byte. No logic that can fail, no allocation, no I/O. Every
//! type is `repr(C)` with fixed-width integers and no padding, so that the verifier sees every byte of a map value
//! initialised and the user side may read it as plain bytes.
#![no_std]

pub mod counters;
pub mod event;
pub mod heartbeat;
pub mod keys;
pub mod limits;
pub mod sizes;
pub mod table;
