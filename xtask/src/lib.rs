//! What the tests of the repository share with the chores: where things lie, and what the kernel objects are made of.
//!
//! The verbs themselves are in the binary, one file per verb.

pub mod digest;
pub mod manifest;
pub mod object;
pub mod tree;
