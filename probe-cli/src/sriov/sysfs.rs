//! Reads `/sys/bus/pci/devices` (Documentation/ABI/testing/sysfs-bus-pci). A VF that vanishes meanwhile is left out.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::stats::stats;
use crate::facts::sriov::{PfFact, VfFact};

/// Functions looked at: a machine has hundreds of PCI functions, with all VFs some thousands.
pub(super) const MAX_FUNCTIONS: usize = 65_536;

/// The PFs below `root`, by PCI address. None at all where there is no PCI bus.
pub fn physical_functions(root: &Path) -> io::Result<Vec<PfFact>> {
    let entries = match fs::read_dir(devices(root)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found: Vec<PfFact> =
        entries.take(MAX_FUNCTIONS).flatten().filter_map(|entry| physical_function(&entry.path())).collect();
    found.sort_by(|a, b| a.pci.cmp(&b.pci));
    Ok(found)
}

/// Where the PCI functions of a machine are.
pub(super) fn devices(root: &Path) -> PathBuf {
    root.join("sys/bus/pci/devices")
}

fn physical_function(device: &Path) -> Option<PfFact> {
    let total_vfs = number(device, "sriov_totalvfs")?;
    let entries = fs::read_dir(device).ok()?;
    let mut vfs: Vec<VfFact> =
        entries.take(MAX_FUNCTIONS).flatten().filter_map(|entry| virtual_function(&entry.path())).collect();
    vfs.sort_by_key(|vf| vf.index);
    Some(PfFact {
        pci: name(device)?,
        driver: target(device, "driver"),
        total_vfs,
        num_vfs: number(device, "sriov_numvfs"),
        vfs,
    })
}

/// The VF that a link `virtfnN` leads to.
fn virtual_function(link: &Path) -> Option<VfFact> {
    let index = name(link)?.strip_prefix("virtfn")?.parse().ok()?;
    let device = fs::read_link(link).ok()?;
    let device = link.parent()?.join(device);
    Some(VfFact {
        index,
        pci: name(&device)?,
        driver: target(&device, "driver"),
        iommu_group: target(&device, "iommu_group").and_then(|group| group.parse().ok()),
        stats: stats(link.parent()?, index),
    })
}

pub(super) fn name(path: &Path) -> Option<String> {
    path.file_name()?.to_str().map(str::to_owned)
}

/// The last part of what a link points to.
pub(super) fn target(device: &Path, link: &str) -> Option<String> {
    fs::read_link(device.join(link)).ok().and_then(|target: PathBuf| name(&target))
}

pub(super) fn number(device: &Path, file: &str) -> Option<u32> {
    fs::read_to_string(device.join(file)).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::facts::sriov::VfStats;

    fn device(root: &Path, pci: &str) -> PathBuf {
        let path = root.join("sys/devices/pci0000:00").join(pci);
        fs::create_dir_all(&path).unwrap();
        let bus = root.join("sys/bus/pci/devices");
        fs::create_dir_all(&bus).unwrap();
        symlink(Path::new("../../../devices/pci0000:00").join(pci), bus.join(pci)).unwrap();
        path
    }

    #[test]
    fn a_pf_with_one_vf_of_a_driver_and_one_of_vfio() {
        let root = tempfile::TempDir::new().unwrap();
        let pf = device(root.path(), "0000:01:00.0");
        fs::write(pf.join("sriov_totalvfs"), "7\n").unwrap();
        fs::write(pf.join("sriov_numvfs"), "2\n").unwrap();
        symlink("../../../bus/pci/drivers/igb", pf.join("driver")).unwrap();
        for (index, pci, driver) in [(1, "0000:01:10.2", "vfio-pci"), (0, "0000:01:10.0", "igbvf")] {
            let vf = device(root.path(), pci);
            symlink(format!("../../../bus/pci/drivers/{driver}"), vf.join("driver")).unwrap();
            symlink(format!("../../../kernel/iommu_groups/{}", 20 + index), vf.join("iommu_group")).unwrap();
            symlink(format!("../{pci}"), pf.join(format!("virtfn{index}"))).unwrap();
        }
        let stats = pf.join("sriov/1/stats");
        fs::create_dir_all(&stats).unwrap();
        for name in ["rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_dropped", "tx_dropped"] {
            fs::write(stats.join(name), "5\n").unwrap();
        }
        device(root.path(), "0000:00:1f.0");
        let found = physical_functions(root.path()).unwrap();
        let [pf] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((pf.pci.as_str(), pf.driver.as_deref()), ("0000:01:00.0", Some("igb")));
        assert_eq!((pf.total_vfs, pf.num_vfs), (7, Some(2)));
        let vf = |index, pci: &str, driver: &str, group| VfFact {
            index,
            pci: pci.to_owned(),
            driver: Some(driver.to_owned()),
            iommu_group: Some(group),
            stats: None,
        };
        let second = VfFact {
            stats: Some(VfStats {
                rx_packets: 5,
                tx_packets: 5,
                rx_bytes: 5,
                tx_bytes: 5,
                rx_dropped: 5,
                tx_dropped: 5,
            }),
            ..vf(1, "0000:01:10.2", "vfio-pci", 21)
        };
        assert_eq!(pf.vfs, [vf(0, "0000:01:10.0", "igbvf", 20), second]);
    }

    #[test]
    fn files_of_nonsense_are_no_pf() {
        let root = tempfile::TempDir::new().unwrap();
        assert_eq!(physical_functions(root.path()).unwrap(), []);
        let pf = device(root.path(), "0000:01:00.0");
        fs::write(pf.join("sriov_totalvfs"), [0xff, 0xfe]).unwrap();
        assert_eq!(physical_functions(root.path()).unwrap(), []);
        fs::write(pf.join("sriov_totalvfs"), "4").unwrap();
        fs::write(pf.join("virtfn0"), "no link").unwrap();
        symlink("/", pf.join("virtfn1")).unwrap();
        symlink("../gone", pf.join("virtfnx")).unwrap();
        let found = physical_functions(root.path()).unwrap();
        assert_eq!((found.len(), found[0].vfs.len(), found[0].num_vfs), (1, 0, None));
    }
}
