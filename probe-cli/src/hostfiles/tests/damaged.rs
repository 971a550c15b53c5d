//! Files of real nodes, damaged: read and joined without a panic.

use std::{
    fs,
    path::{Path, PathBuf},
};

use proptest::prelude::*;

use super::Host;

/// A copy of a fixture, and the paths of its files.
fn copy(root: &Path) -> (Host, Vec<String>) {
    let (host, mut files) = (Host::new(), Vec::new());
    let mut rest = vec![root.to_owned()];
    while let Some(path) = rest.pop() {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        if path.is_symlink() {
            host.link(&name, fs::read_link(&path).unwrap().to_str().unwrap());
        } else if path.is_dir() {
            rest.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            fs::copy(&path, host.path(&name)).unwrap();
            files.push(name);
        }
    }
    files.sort();
    (host, files)
}

/// Any host with one file damaged, bytes cut, flipped, doubled and put in: read and joined without a panic.
#[test]
fn damaged_files() {
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/hosts");
    let mut fixtures: Vec<PathBuf> =
        fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().path()).collect();
    fixtures.sort();
    let hosts: Vec<(Host, Vec<String>)> = fixtures.iter().map(|root| copy(root)).collect();
    let edits = (0..5_u8, any::<prop::sample::Index>(), any::<u8>(), 0..64_usize);
    proptest!(ProptestConfig::with_cases(512), |(
        host in any::<prop::sample::Index>(),
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec(edits, 1..6),
    )| {
        let (host, files) = &hosts[host.index(hosts.len())];
        let path = host.path(&files[which.index(files.len())]);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, damage(&bytes, &edits)).unwrap();
        let files = host.read();
        fs::write(&path, bytes).unwrap();
        let _ = crate::intent::intent(&files);
    });
}

fn damage(bytes: &[u8], edits: &[(u8, prop::sample::Index, u8, usize)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (kind, at, byte, length) in edits {
        let at = at.index(bytes.len() + 1);
        let end = (at + length).min(bytes.len());
        match kind {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.iter_mut().skip(at).take(1).for_each(|old| *old ^= byte),
            3 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => bytes.insert(at, *byte),
        }
    }
    bytes
}
