//! The model for machines and pipes: tables and JSON. No I/O but to the writer given.
