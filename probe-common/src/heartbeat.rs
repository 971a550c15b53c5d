//! The map that says whether the run behind a filter still counts. Other versions of the tool read it: what is here stays
//! as it is, new fields take the place of reserved ones.

/// What the map is called, in the object and for the kernel, whose names have 15 bytes at most.
pub const NAME: &str = "OVP_HEARTBEAT";

/// The map's only value. Zeros before the first beat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Heartbeat {
    /// The node's `CLOCK_MONOTONIC` in nanoseconds when the run last read its counters.
    pub at: u64,
    /// Nanoseconds between two readings.
    pub interval: u64,
    /// Zeros, for later versions.
    pub reserved: [u64; 6],
}

const _: () = assert!(size_of::<Heartbeat>() == 64);
