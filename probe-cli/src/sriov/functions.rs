//! Reads which network functions are on the PCI bus, with and without SR-IOV. PFs with their VFs are in `sysfs`.

use std::{
    fs::{self, DirEntry},
    io,
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use super::sysfs::{MAX_FUNCTIONS, devices, name, number, target};
use crate::facts::pci::PciFunctionFact;

/// `PCI_BASE_CLASS_NETWORK`, include/linux/pci_ids.h.
const NETWORK: &str = "02";
/// Interfaces of one function that are listed.
const INTERFACES: usize = 64;
/// Longest text of such a file.
const LONGEST: usize = 32;

/// The network functions below `root`, by PCI address. None at all where there is no PCI bus.
pub fn network_functions(root: &Path) -> io::Result<Vec<PciFunctionFact>> {
    let entries = match fs::read_dir(devices(root)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found: Vec<PciFunctionFact> =
        entries.take(MAX_FUNCTIONS).flatten().filter_map(|entry| network_function(&entry)).collect();
    found.sort_by(|a, b| a.address.cmp(&b.address));
    Ok(found)
}

fn network_function(entry: &DirEntry) -> Option<PciFunctionFact> {
    let device = entry.path();
    let class = hexadecimal(&device, "class").filter(|class| class.starts_with(NETWORK))?;
    Some(PciFunctionFact {
        address: name(&device)?,
        vendor: hexadecimal(&device, "vendor")?,
        device: hexadecimal(&device, "device")?,
        class,
        driver: target(&device, "driver"),
        physical_function: target(&device, "physfn"),
        // -1 where there is none, which is no number here.
        numa_node: number(&device, "numa_node"),
        interfaces: interfaces(&device),
    })
}

fn interfaces(device: &Path) -> Vec<String> {
    let entries = fs::read_dir(device.join("net")).into_iter().flatten().take(INTERFACES).flatten();
    let mut names: Vec<String> =
        entries.map(|entry| String::from_utf8_lossy(entry.file_name().as_bytes()).into_owned()).collect();
    names.sort_unstable();
    names
}

/// The digits of a file that is `0x8086` and an end of line.
fn hexadecimal(device: &Path, file: &str) -> Option<String> {
    let text = fs::read_to_string(device.join(file)).ok()?;
    let digits = text.trim().strip_prefix("0x")?;
    let fits = digits.len() <= LONGEST && digits.chars().all(|digit| digit.is_ascii_hexdigit());
    fits.then(|| digits.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_pf_a_vf_without_a_driver_and_a_disk() {
        let root = tempfile::TempDir::new().unwrap();
        assert_eq!(network_functions(root.path()).unwrap(), []);
        let bus = devices(root.path());
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
