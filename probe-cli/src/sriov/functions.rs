//! Reads which network functions are on the PCI bus, with and without SR-IOV. PFs with their VFs are in `sysfs`.

use std::{io, path::Path};

use super::sysfs::{devices, name, number, target, text};
use crate::{facts::pci::PciFunctionFact, files::Root};

/// `PCI_BASE_CLASS_NETWORK`, include/linux/pci_ids.h.
const NETWORK: &str = "02";
/// Interfaces of one function that are listed.
const INTERFACES: usize = 64;
/// Longest text of such a file.
const LONGEST: usize = 32;

/// The network functions below `root`, by PCI address. None at all where there is no PCI bus.
pub fn network_functions(root: &Path) -> io::Result<Vec<PciFunctionFact>> {
    let root = Root::open(root)?;
    Ok(devices(&root)?.iter().filter_map(|device| network_function(&root, device)).collect())
}

fn network_function(root: &Root, device: &Path) -> Option<PciFunctionFact> {
    let class = hexadecimal(root, device, "class").filter(|class| class.starts_with(NETWORK))?;
    Some(PciFunctionFact {
        address: name(device)?,
        vendor: hexadecimal(root, device, "vendor")?,
        device: hexadecimal(root, device, "device")?,
        class,
        driver: target(root, device, "driver"),
        physical_function: target(root, device, "physfn"),
        // -1 where there is none, which is no number here.
        numa_node: number(root, device, "numa_node"),
        interfaces: interfaces(root, device),
    })
}

fn interfaces(root: &Root, device: &Path) -> Vec<String> {
    let directory = device.join("net");
    let names = root.names(&directory.to_string_lossy(), INTERFACES, |_, _| true);
    names.value().map(|names| names.first.clone()).unwrap_or_default()
}

/// The digits of a file that is `0x8086` and an end of line.
fn hexadecimal(root: &Root, device: &Path, file: &str) -> Option<String> {
    let text = text(root, device, file)?;
    let digits = text.trim().strip_prefix("0x")?;
    let fits = digits.len() <= LONGEST && digits.chars().all(|digit| digit.is_ascii_hexdigit());
    fits.then(|| digits.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a_pf_a_vf_without_a_driver_and_a_disk() {
        let root = tempfile::TempDir::new().unwrap();
        assert_eq!(network_functions(root.path()).unwrap(), []);
        let bus = root.path().join("sys/bus/pci/devices");
        for (address, vendor, device, class) in [
            ("0000:01:00.0", "0x8086\n", "0x1521\n", "0x020000\n"),
            ("0000:01:10.0", "0x8086\n", "0x1520\n", "0x020000\n"),
            ("0000:02:00.0", "0x1AF4\n", "0x1001\n", "0x010000\n"),
            ("0000:03:00.0", "nonsense", "0x1\n", "0x020000\n"),
        ] {
            let path = bus.join(address);
            fs::create_dir_all(&path).unwrap();
            for (file, text) in [("vendor", vendor), ("device", device), ("class", class)] {
                fs::write(path.join(file), text).unwrap();
            }
        }
        let pf = bus.join("0000:01:00.0");
        symlink("../../../../bus/pci/drivers/igb", pf.join("driver")).unwrap();
        fs::create_dir_all(pf.join("net/eth0")).unwrap();
        fs::write(pf.join("numa_node"), "1\n").unwrap();
        symlink("../0000:01:00.0", bus.join("0000:01:10.0/physfn")).unwrap();
        fs::write(bus.join("0000:01:10.0/numa_node"), "-1\n").unwrap();
        let expected = PciFunctionFact {
            address: "0000:01:00.0".to_owned(),
            vendor: "8086".to_owned(),
            device: "1521".to_owned(),
            class: "020000".to_owned(),
            driver: Some("igb".to_owned()),
            physical_function: None,
            numa_node: Some(1),
            interfaces: vec!["eth0".to_owned()],
        };
        let vf = PciFunctionFact {
            address: "0000:01:10.0".to_owned(),
            device: "1520".to_owned(),
            driver: None,
            physical_function: Some("0000:01:00.0".to_owned()),
            numa_node: None,
            interfaces: Vec::new(),
            ..expected.clone()
        };
        assert_eq!(network_functions(root.path()).unwrap(), [expected, vf]);
    }
}
