//! Reads what a PF's driver counted for a VF, where the driver tells it by files: those that vendors publish apart from the
//! kernel do. Intel's have a directory with a file for each counter, NVIDIA's one file with a line for each.

use std::path::Path;

use super::sysfs;
use crate::{facts::sriov::VfStats, files::Root};

/// Bytes read of a file: one number, or some twenty lines.
const MAX_BYTES: usize = 4096;

/// What `sriov/<index>/stats` below the PF's `device` says. None when it is not there, or does not have all of
/// [`VfStats`]: half a row would be shown as zeros.
pub(super) fn stats(root: &Root, device: &Path, index: u32) -> Option<VfStats> {
    let of_vf = device.join("sriov").join(index.to_string());
    let Some(text) = read(root, &of_vf, "stats") else {
        let path = of_vf.join("stats");
        return VfStats::from(|name| read(root, &path, name)?.trim().parse().ok());
    };
    VfStats::from(|name| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.trim() == name)?.1.trim().parse().ok()
    })
}

impl VfStats {
    fn from(counter: impl Fn(&str) -> Option<u64>) -> Option<Self> {
        Some(Self {
            rx_packets: counter("rx_packets")?,
            tx_packets: counter("tx_packets")?,
            rx_bytes: counter("rx_bytes")?,
            tx_bytes: counter("tx_bytes")?,
            rx_dropped: counter("rx_dropped")?,
            tx_dropped: counter("tx_dropped")?,
        })
    }
}

/// A file as short as such files are.
fn read(root: &Root, directory: &Path, file: &str) -> Option<String> {
    sysfs::text(root, directory, file).filter(|text| text.len() <= MAX_BYTES)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const COUNTED: VfStats = VfStats {
        rx_packets: 12,
        tx_packets: 34,
        rx_bytes: 1200,
        tx_bytes: u64::MAX,
        rx_dropped: 1,
        tx_dropped: 0,
    };
    const NAMES: [&str; 6] = ["rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_dropped", "tx_dropped"];
    const NUMBERS: [&str; 6] = ["12\n", "34\n", "1200\n", "18446744073709551615\n", "1\n", "0\n"];

    /// A PF's directory with these files, of which the last part of the path is the name.
    fn found(files: &[(&str, &str)]) -> Option<VfStats> {
        let root = tempfile::TempDir::new().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        stats(&Root::open(root.path()).unwrap(), Path::new("/"), 3)
    }

    fn directory(change: impl Fn(&str, &str) -> Option<String>) -> Option<VfStats> {
        let files: Vec<(String, String)> = NAMES
            .iter()
            .zip(NUMBERS)
            .filter_map(|(name, number)| Some((format!("sriov/3/stats/{name}"), change(name, number)?)))
            .collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
        found(&files)
    }

    #[test]
    fn a_directory_of_counters() {
        assert_eq!(directory(|_, number| Some(number.to_owned())), Some(COUNTED));
        for wrong in ["", "-1", "12 packets", "18446744073709551616", "0x10"] {
            let of =
                |name: &str, number: &str| Some(if name == "rx_bytes" { wrong } else { number }.to_owned());
            assert_eq!(directory(of), None, "{wrong}");
        }
        for missing in NAMES {
            assert_eq!(directory(|name, number| (name != missing).then(|| number.to_owned())), None);
        }
    }

    #[test]
    fn a_file_of_counters() {
        let lines = "tx_packets    : 34\ntx_bytes      : 18446744073709551615\ntx_dropped    : 0\n\
                     rx_packets    : 12\nrx_bytes      : 1200\nrx_broadcast  : 7\nrx_dropped    : 1\n";
        let of = |text: &str| found(&[("sriov/3/stats", text)]);
        assert_eq!(of(lines), Some(COUNTED));
        for wrong in [
            String::new(),
            lines.replace("rx_bytes", "rx_octets"),
            lines.replace(':', "="),
            lines.replace("1200", "many"),
            // More than any driver writes.
            format!("{}{lines}", "note: x\n".repeat(1000)),
        ] {
            assert_eq!(of(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn another_vf_and_no_statistics_at_all() {
        assert_eq!(found(&[]), None);
        assert_eq!(found(&[("sriov/4/stats", "rx_packets : 1\n"), ("sriov/3/link_state", "auto\n")]), None);
    }
}
