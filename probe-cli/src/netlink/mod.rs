//! rtnetlink: the only place that imports the netlink crates. Reads facts, follows changes, configures the lab.
//!
//! Here belong requests and decoding into our own plain types ([`facts`]). What the facts mean is in
//! [`crate::inventory`].

pub mod facts;
