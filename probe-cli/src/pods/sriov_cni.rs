//! sriov-cni's allocations (sriov-cni pkg/utils/pci_allocator.go): `/var/lib/cni/sriov/pci/<PCI address>` holds the path of
//! the network namespace that has the VF.

use std::path::Path;

use super::{
    facts::{Allocation, PodFacts},
    files,
};

const DIRECTORY: &str = "var/lib/cni/sriov/pci";

pub(super) fn read(root: &Path, claims: &mut PodFacts) {
    let PodFacts { allocations, notes, .. } = claims;
    files::each(&root.join(DIRECTORY), notes, |name, bytes| {
        let text = std::str::from_utf8(bytes).map_err(|error| format!("not text ({error})"))?;
        let netns = text.trim();
        if netns.is_empty() {
            return Err("empty".to_owned());
        }
        allocations.push(Allocation { pci: name.to_owned(), netns: netns.to_owned() });
        Ok(())
    });
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::read_files;

    #[test]
    fn allocations_and_what_is_none() {
        let root = tempfile::TempDir::new().unwrap();
        let directory = root.path().join("var/lib/cni/sriov/pci");
        fs::create_dir_all(directory.join("vf_lock")).unwrap();
        fs::write(directory.join("0000:01:10.0"), "/var/run/netns/cni-1").unwrap();
        fs::write(directory.join("0000:01:10.2"), "").unwrap();
        fs::write(directory.join("0000:01:10.4"), vec![b'x'; 2 << 20]).unwrap();
        nix::unistd::mkfifo(&directory.join("0000:01:10.6"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let claims = read_files(root.path());
        assert_eq!(claims.allocations.len(), 1);
        assert_eq!(claims.allocations[0].netns, "/var/run/netns/cni-1");
        let [note] = claims.notes.as_slice() else { panic!("{:?}", claims.notes) };
        assert!(note.starts_with("2 file(s)"), "{note}");
    }
}
