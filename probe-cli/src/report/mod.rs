//! The model for machines and pipes: tables and JSON. Pure: text out of data, written by the caller.

pub mod jsonl;
pub mod table;
pub mod vfs;
