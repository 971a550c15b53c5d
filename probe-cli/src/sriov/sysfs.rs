//! Reads `/sys/bus/pci/devices` (Documentation/ABI/testing/sysfs-bus-pci). A VF that vanishes meanwhile is left out.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::stats::stats;
use crate::{
    facts::sriov::{PfFact, VfFact},
    files::Root,
    observed::Observed,
};

/// Functions looked at: a machine has hundreds of PCI functions, with all VFs some thousands.
const MAX_FUNCTIONS: usize = 65_536;
/// `PCI_BASE_CLASS_NETWORK`, include/linux/pci_ids.h, as a function's `class` begins.
const NETWORK: &str = "0x02";
/// Where the PCI functions of a machine are.
const DEVICES: &str = "/sys/bus/pci/devices";
/// Where sysfs has the buses of a machine, of whatever kind.
const BUSES: &str = "/sys/bus";

/// The PFs below `root`, by PCI address. None at all where there is no PCI bus; absent where there is no sysfs.
pub fn physical_functions(root: &Path) -> Observed<Vec<PfFact>> {
    let root = match Root::open(root) {
        Ok(root) => root,
        Err(error) => return Observed::Failed { error: error.to_string() },
    };
    match devices(&root) {
        // A kernel without PCI has other buses; a copy of some of a host's files has none.
        Ok(devices) if devices.is_empty() && root.exists(BUSES) == Observed::Absent => Observed::Absent,
        Ok(devices) => {
            Observed::Value(devices.iter().filter_map(|device| physical_function(&root, device)).collect())
        }
        Err(error) => Observed::Failed { error: error.to_string() },
    }
}

/// True where the functions below `root` are a copy of a machine's, and not what the running kernel tells of its own.
pub fn is_copy(root: &Path) -> bool {
    Root::open(root).is_ok_and(|root| root.exists(DEVICES).value().is_some() && !root.is_on_sysfs(DEVICES))
}

/// The PCI functions below a root, by address.
pub(super) fn devices(root: &Root) -> io::Result<Vec<PathBuf>> {
    match root.names(DEVICES, MAX_FUNCTIONS, |_, _| true) {
        Observed::Value(names) => Ok(names.first.iter().map(|name| Path::new(DEVICES).join(name)).collect()),
        // What is there and no directory says nothing.
        Observed::Absent if root.exists(DEVICES).value().is_some() => {
            Err(io::Error::other(format!("{DEVICES} is not a directory")))
        }
        Observed::Absent => Ok(Vec::new()),
        other @ (Observed::Denied { .. } | Observed::Unsupported { .. } | Observed::Failed { .. }) => {
            Err(io::Error::other(other.trouble().unwrap_or_default()))
        }
    }
}

fn physical_function(root: &Root, device: &Path) -> Option<PfFact> {
    let total_vfs = number(root, device, "sriov_totalvfs")?;
    // Accelerators and disks have VFs, too.
    if text(root, device, "class").is_some_and(|class| !class.starts_with(NETWORK)) {
        return None;
    }
    let is_vf = |name: &str| name.starts_with("virtfn");
    let links = root.names(device.to_str()?, MAX_FUNCTIONS, |name, _| is_vf(name));
    let links = &links.value()?.first;
    let mut vfs: Vec<VfFact> = links.iter().filter_map(|link| virtual_function(root, device, link)).collect();
    vfs.sort_by_key(|vf| vf.index);
    Some(PfFact {
        pci: name(device)?,
        driver: target(root, device, "driver"),
        total_vfs,
        num_vfs: number(root, device, "sriov_numvfs"),
        vfs,
    })
}

/// The VF that a link `virtfnN` of a PF leads to.
fn virtual_function(root: &Root, pf: &Path, link: &str) -> Option<VfFact> {
    let index = link.strip_prefix("virtfn")?.parse().ok()?;
    let device = pf.join(link_target(root, &pf.join(link))?);
    Some(VfFact {
        index,
        pci: name(&device)?,
        driver: target(root, &device, "driver"),
        iommu_group: target(root, &device, "iommu_group").and_then(|group| group.parse().ok()),
        stats: stats(root, pf, index),
    })
}

pub(super) fn name(path: &Path) -> Option<String> {
    path.file_name()?.to_str().map(str::to_owned)
}

/// The last part of what a link points to.
pub(super) fn target(root: &Root, device: &Path, link: &str) -> Option<String> {
    name(Path::new(&link_target(root, &device.join(link))?))
}

/// What a link points to. A copy that was made where there are no symbolic links has the target as text (git with
/// `core.symlinks=false`).
fn link_target(root: &Root, link: &Path) -> Option<String> {
    let link = link.to_str()?;
    let written =
        || root.text(link).value().filter(|text| text.starts_with("../") && !text.contains('\n')).cloned();
    root.link(link).or_else(written)
}

pub(super) fn number(root: &Root, device: &Path, file: &str) -> Option<u32> {
    text(root, device, file)?.trim().parse().ok()
}

/// What the kernel says in a file of a device.
pub(super) fn text(root: &Root, device: &Path, file: &str) -> Option<String> {
    root.kernel_text(device.join(file).to_str()?).value().cloned()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

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
        let found = physical_functions(root.path());
        let [pf] = found.rows() else { panic!("{found:?}") };
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
        assert_eq!(physical_functions(root.path()), Observed::Absent);
        fs::create_dir_all(root.path().join("sys/bus/usb")).unwrap();
        assert_eq!(physical_functions(root.path()), Observed::Value(Vec::new()));
        let pf = device(root.path(), "0000:01:00.0");
        fs::write(pf.join("sriov_totalvfs"), [0xff, 0xfe]).unwrap();
        assert_eq!(physical_functions(root.path()), Observed::Value(Vec::new()));
        fs::write(pf.join("sriov_totalvfs"), "4").unwrap();
        fs::write(pf.join("virtfn0"), "no link").unwrap();
        fs::write(pf.join("class"), "0x020000\n").unwrap();
        symlink("/", pf.join("virtfn1")).unwrap();
        symlink("../gone", pf.join("virtfnx")).unwrap();
        let found = physical_functions(root.path());
        let found = found.rows();
        assert_eq!((found.len(), found[0].vfs.len(), found[0].num_vfs), (1, 0, None));
        // An accelerator.
        fs::write(pf.join("class"), "0x0b4000\n").unwrap();
        assert_eq!(physical_functions(root.path()), Observed::Value(Vec::new()));
    }

    #[test]
    fn a_copy_may_have_the_targets_of_links_as_text() {
        let root = tempfile::TempDir::new().unwrap();
        assert!(!is_copy(root.path()) && !is_copy(Path::new("/")));
        let pf = device(root.path(), "0000:01:00.0");
        let vf = device(root.path(), "0000:01:10.0");
        assert!(is_copy(root.path()));
        fs::write(pf.join("sriov_totalvfs"), "4").unwrap();
        fs::write(pf.join("virtfn0"), "../0000:01:10.0").unwrap();
        fs::write(vf.join("driver"), "../../drivers/igbvf").unwrap();
        let found = physical_functions(root.path());
        let [PfFact { vfs, .. }] = found.rows() else { panic!("{found:?}") };
        let [VfFact { index: 0, pci, driver, .. }] = vfs.as_slice() else { panic!("{vfs:?}") };
        assert_eq!((pci.as_str(), driver.as_deref()), ("0000:01:10.0", Some("igbvf")));
    }
}
