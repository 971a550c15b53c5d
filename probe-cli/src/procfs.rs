//! What `/proc` says of our own process.
