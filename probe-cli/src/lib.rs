//! Overlay Probe: an eBPF and netlink data-plane diagnostic for Kubernetes nodes.
//!
//! Data flows one way: sources ([`netlink`], [`pods`], [`hostfiles`], [`ebpf`], ...) give facts and counters of one instant
//! ([`facts`], [`sample`]), [`inventory`] says what exists by the facts, [`model`] gives them meaning, and people and machines
//! see the model ([`tui`], [`report`]).
//! `ARCHITECTURE.md` has the picture, and a test in `tests/` holds every import against it.
//!
//! Here belongs the list of modules. No code.

pub mod bench;
pub mod check;
pub mod cli;
pub mod ebpf;
pub mod engine;
pub mod facts;
pub mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod hostfiles;
pub mod intent;
pub mod inventory;
pub mod lab;
pub mod leftovers;
pub mod mac;
pub mod model;
pub mod mtu;
pub mod netlink;
pub mod netns;
pub mod observed;
pub mod pods;
pub mod privilege;
pub mod proc;
pub mod procfs;
pub mod record;
pub mod report;
pub mod sample;
pub mod sriov;
pub mod text;
pub mod tui;
