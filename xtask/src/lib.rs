//! What the tests of the repository share with the chores: where things lie, what the kernel objects are made of, and a program that
//! burns time.
//!
//! The verbs themselves are in the binary, one file per verb.

pub mod burn;
pub mod digest;
pub mod manifest;
pub mod object;
pub mod tree;
