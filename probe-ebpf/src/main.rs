//! The object.
fn main() {}
