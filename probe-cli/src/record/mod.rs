//! Recordings: frames in a file, and how to get them back. `docs/recording.md` describes the file.
//!
//! ```text
//! frame ──> delta (what differs) ──> pack (zstd) ──> format (checksum) ──> writer (files)
//! frame <── delta               <── unpack        <── format           <── reader
//! ```
//! Here belongs what makes bytes of frames and frames of bytes, and which frame is shown next. What frames mean is for
//! [`crate::model::Timeline`], which makes the same models of them as when they were recorded.

mod delta;
mod format;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod memory;
mod moment;
mod numbers;
mod pack;
pub mod player;
mod reader;
mod split;
#[cfg(test)]
mod tests;
mod writer;

pub use delta::EncodeError;
pub use format::{Header, HeaderError};
pub use memory::Memory;
pub use moment::{Moment, in_name};
pub use reader::{End, Recording, RecordingError};
pub use writer::{Rotation, WriteError, Writer};
