//! The model for machines and pipes: tables and JSON. Pure: text out of data, written by the caller.

mod align;
pub mod jsonl;
pub mod pods;
pub mod table;
pub mod vfs;
