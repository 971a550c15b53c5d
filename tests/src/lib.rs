//! What the integration tests share: labs, the running tool, outside judges. No tests here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test states what must hold by panicking, its helpers too"
)]

pub mod benched;
pub mod checked;
pub mod containerd;
pub mod cri;
pub mod equal;
pub mod faulted;
pub mod grpc;
pub mod hand;
pub mod hostroot;
pub mod judge;
pub mod kernel;
pub mod lab;
pub mod liar;
pub mod measured;
pub mod needs;
pub mod node;
pub mod packets;
mod patience;
pub mod plane;
pub mod raw;
pub mod routed;
pub mod terminal;
pub mod tool;

pub use self::patience::{Patience, patience, settled, wait_for};

use std::process::Command;

/// Runs a command that must succeed; returns what it printed.
pub fn sh(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(
        output.status.success(),
        "{program} {args:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a command inside a network namespace, words separated by blanks. Not by `ip netns exec`, which makes a mount
/// namespace each time: on an emulated processor that takes longer than the command.
pub fn ns(netns: &str, command: &str) -> String {
    let words: Vec<&str> = command.split(' ').collect();
    match words.as_slice() {
        ["ip", words @ ..] => sh("ip", &[&["-n", netns], words].concat()),
        words => sh("nsenter", &[&[format!("--net=/run/netns/{netns}").as_str()], words].concat()),
    }
}

/// Base64, by the program that everybody has.
pub fn base64(bytes: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    sh("base64", &["-w0", file.path().to_str().unwrap()])
}
