//! The gate as a whole: what it says of machines whose truth is known, and of files that are not what they should be.

mod files;
mod simulation;
