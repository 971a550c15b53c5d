//! Which PCI functions each pool of the SR-IOV network device plugin takes, and which selector excludes the rest. Pure.
//!
//! The rules are the plugin's own (pkg/netdevice/netDeviceProvider.go, pkg/resources/deviceSelectors.go): a function of class
//! "network controller" that has no default route and is no PF with VFs is asked for by each selector in turn; within a map all
//! of them must match, of several maps one is enough, and what an earlier pool has taken no later one gets.

use std::collections::BTreeSet;

use crate::facts::{
    Snapshot,
    device_plugin::{DevicePool, DeviceSelector},
    files::Sourced,
    pci::PciFunctionFact,
};

/// A pool with what it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolRow<'a> {
    /// What its configuration says.
    pub pool: &'a DevicePool,
    /// PCI addresses of what its selectors match, in order.
    pub matches: Vec<&'a str>,
    /// Those that an earlier pool has taken, with that pool's name.
    pub taken: Vec<(&'a str, &'a str)>,
    /// It has selectors that cannot be evaluated from outside: it may take less than `matches`.
    pub is_partly_known: bool,
    /// For each map of selectors what each of them left over.
    pub steps: Vec<Vec<Step<'a>>>,
}

/// One selector of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Step<'a> {
    /// Its name in the file, such as `devices`.
    pub key: &'static str,
    /// What it allows.
    pub values: &'a [Sourced<String>],
    /// Functions before it, by address.
    pub before: Vec<&'a PciFunctionFact>,
    /// Functions after it.
    pub after: Vec<&'a PciFunctionFact>,
    /// Functions of the node that match it alone, PFs with VFs and functions in use included.
    pub alone: usize,
}

impl PoolRow<'_> {
    /// The first selector of each map that leaves nothing.
    pub fn excluding(&self) -> impl Iterator<Item = &Step<'_>> {
        self.steps.iter().filter_map(|steps| steps.iter().find(|step| step.after.is_empty()))
    }
}

/// A function with what selectors ask of it.
#[derive(Clone, Copy)]
struct Function<'a> {
    fact: &'a PciFunctionFact,
    /// Name of the PF's interface, its own for a function that is no VF.
    pf_name: Option<&'a str>,
    /// Number of the VF.
    vf: Option<u32>,
}

/// Whether a function passes one selector.
type Matches = fn(&Function<'_>, &str) -> bool;

/// The selectors that are evaluated, in the plugin's order.
fn selectors(map: &DeviceSelector) -> [(&'static str, &[Sourced<String>], Matches); 6] {
    [
        ("vendors", &map.vendors, |function, value| function.fact.vendor == value),
        ("devices", &map.devices, |function, value| function.fact.device == value),
        ("drivers", &map.drivers, |function, value| function.fact.driver.as_deref() == Some(value)),
        ("pciAddresses", &map.pci_addresses, |function, value| function.fact.address == value),
        ("pfNames", &map.pf_names, |function, value| {
            function.pf_name.is_some_and(|name| ranged(value, name, function.vf))
        }),
        ("rootDevices", &map.root_devices, |function, value| {
            let root = function.fact.physical_function.as_ref().unwrap_or(&function.fact.address);
            ranged(value, root, function.vf)
        }),
    ]
}

/// Whether `value`, a name with or without `#` and numbers of VFs (`ens1f0#0-3,5`), means this VF of `name`.
fn ranged(value: &str, name: &str, vf: Option<u32>) -> bool {
    let Some((wanted, numbers)) = value.split_once('#') else { return value == name };
    let within = |vf: u32| {
        numbers.split(',').any(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| text.trim().parse::<u32>().ok();
            number(first).zip(number(last)).is_some_and(|(first, last)| (first..=last).contains(&vf))
        })
    };
    wanted == name && vf.is_some_and(within)
}

/// Pools of network devices, in the file's order; none where the plugin's configuration, the PCI functions or the VFs were not
/// read.
pub fn device_pools(snapshot: &Snapshot) -> Vec<PoolRow<'_>> {
    let Some(config) = snapshot.files.value().and_then(|files| files.device_plugin.value()) else {
        return Vec::new();
    };
    let Some(facts) = snapshot.pci.value() else { return Vec::new() };
    let all: Vec<Function<'_>> = facts.iter().map(|fact| function(snapshot, fact)).collect();
    let candidates: Vec<Function<'_>> =
        all.iter().copied().filter(|function| is_offered(snapshot, function.fact)).collect();
    let mut taken: Vec<(&str, &str)> = Vec::new();
    let is_network = |pool: &&DevicePool| {
        pool.device_type.as_ref().is_none_or(|kind| kind.value.eq_ignore_ascii_case("netDevice"))
    };
    let mut rows = Vec::new();
    for pool in config.resources.iter().filter(is_network) {
        let maps: Vec<_> = pool.selectors.iter().map(|map| steps(map, &all, &candidates)).collect();
        let matches: BTreeSet<&str> = maps.iter().flat_map(|steps| left(steps, &candidates)).collect();
        let is_partly_known = pool.selectors.is_empty() || pool.selectors.iter().any(is_partly_known);
        let row = PoolRow {
            pool,
            taken: taken.iter().copied().filter(|(address, _)| matches.contains(address)).collect(),
            matches: matches.iter().copied().collect(),
            is_partly_known,
            steps: maps,
        };
        if !is_partly_known {
            let new = matches.iter().filter(|address| !taken.iter().any(|(one, _)| one == *address));
            let new: Vec<_> = new.map(|address| (*address, pool.name.value.as_str())).collect();
            taken.extend(new);
        }
        rows.push(row);
    }
    rows
}

/// Addresses of what a map of selectors leaves.
fn left<'a>(steps: &[Step<'a>], candidates: &[Function<'a>]) -> Vec<&'a str> {
    match steps.last() {
        Some(step) => step.after.iter().map(|fact| fact.address.as_str()).collect(),
        None => candidates.iter().map(|function| function.fact.address.as_str()).collect(),
    }
}

/// A map asks for more than is evaluated here.
fn is_partly_known(map: &DeviceSelector) -> bool {
    let evaluated = DeviceSelector {
        vendors: Vec::new(),
        devices: Vec::new(),
        drivers: Vec::new(),
        pci_addresses: Vec::new(),
        pf_names: Vec::new(),
        root_devices: Vec::new(),
        // The plugin asks the device for vhost-net with its allocation, and does not exclude it.
        needs_vhost_net: None,
        ..map.clone()
    };
    evaluated != DeviceSelector::default()
}

fn steps<'a>(map: &'a DeviceSelector, all: &[Function<'a>], candidates: &[Function<'a>]) -> Vec<Step<'a>> {
    let mut left: Vec<Function<'a>> = candidates.to_vec();
    let mut steps = Vec::new();
    for (key, values, matches) in selectors(map) {
        if values.is_empty() {
            continue;
        }
        let passes = |function: &Function<'_>| values.iter().any(|value| matches(function, &value.value));
        let before: Vec<_> = left.iter().map(|function| function.fact).collect();
        left.retain(passes);
        steps.push(Step {
            key,
            values,
            before,
            after: left.iter().map(|function| function.fact).collect(),
            alone: all.iter().filter(|function| passes(function)).count(),
        });
    }
    steps
}

fn function<'a>(snapshot: &'a Snapshot, fact: &'a PciFunctionFact) -> Function<'a> {
    let root = fact.physical_function.as_ref().unwrap_or(&fact.address);
    let interfaces = &snapshot.sriov.interfaces;
    let pf_name = interfaces.iter().find(|one| one.pci == *root).map(|one| one.name.as_str());
    let pfs = snapshot.sriov.pfs.rows();
    let vf = pfs.iter().flat_map(|pf| &pf.vfs).find(|vf| vf.pci == fact.address).map(|vf| vf.index);
    Function { fact, pf_name, vf }
}

/// The plugin offers it at all.
fn is_offered(snapshot: &Snapshot, fact: &PciFunctionFact) -> bool {
    let has_vfs = snapshot.sriov.pfs.rows().iter().any(|pf| pf.pci == fact.address && !pf.vfs.is_empty());
    let is_default = |ifindex: u32| {
        let routes = &snapshot.netlink.routes;
        let mut all = routes.ipv4.rows().iter().chain(routes.ipv6.rows());
        all.any(|route| route.destination.prefix_len() == 0 && route.ifindex == Some(ifindex))
    };
    let own = snapshot.sriov.interfaces.iter().filter(|one| one.netns.is_none() && one.pci == fact.address);
    !has_vfs && !own.into_iter().any(|interface| is_default(interface.ifindex))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        facts::{
            device_plugin::DevicePluginConfig,
            files::HostFiles,
            sriov::{PciInterface, PfFact, SriovFacts, VfFact},
        },
        observed::Observed,
    };

    fn texts(list: &[&str]) -> Vec<Sourced<String>> {
        let sourced = |text: &&str| Sourced {
            value: (*text).to_owned(),
            file: "/config.json".to_owned(),
            line: Some(1),
        };
        list.iter().map(sourced).collect()
    }

    fn pool(name: &str, selectors: Vec<DeviceSelector>) -> DevicePool {
        DevicePool { name: texts(&[name]).remove(0), selectors, ..DevicePool::default() }
    }

    /// A PF with four VFs, of which the last has vfio-pci, and a NIC without VFs that has the default route or not.
    fn snapshot(pools: Vec<DevicePool>) -> Snapshot {
        let function = |address: &str, device: &str, driver: &str, pf: Option<&str>| PciFunctionFact {
            address: address.to_owned(),
            vendor: "8086".to_owned(),
            device: device.to_owned(),
            class: "020000".to_owned(),
            driver: Some(driver.to_owned()),
            physical_function: pf.map(str::to_owned),
            ..PciFunctionFact::default()
        };
        let mut pci = vec![
            function("0000:01:00.0", "1592", "ice", None),
            function("0000:02:00.0", "1533", "igb", None),
        ];
        let mut vfs = Vec::new();
        for index in 0..4u32 {
            let driver = if index == 3 { "vfio-pci" } else { "iavf" };
            let address = format!("0000:01:01.{index}");
            pci.push(function(&address, "1889", driver, Some("0000:01:00.0")));
            vfs.push(VfFact { index, pci: address, ..VfFact::default() });
        }
        let interface = |pci: &str, ifindex: u32, name: &str| PciInterface {
            pci: pci.to_owned(),
            ifindex,
            name: name.to_owned(),
            ..PciInterface::default()
        };
        let sriov = SriovFacts {
            pfs: vec![PfFact { pci: "0000:01:00.0".to_owned(), vfs, ..PfFact::default() }].into(),
            interfaces: vec![interface("0000:01:00.0", 3, "ens1f0"), interface("0000:02:00.0", 2, "eno1")],
            ..SriovFacts::default()
        };
        let config = DevicePluginConfig { file: "/config.json".to_owned(), resources: pools };
        let files = HostFiles { device_plugin: Observed::Value(config), ..HostFiles::default() };
        Snapshot {
            pci: Arc::new(Observed::Value(pci)),
            sriov: Arc::new(sriov),
            files: Arc::new(Observed::Value(files)),
            ..Snapshot::default()
        }
    }

    /// Numbers of the VFs that one pool matches, `nic` for the other NIC.
    fn matched(selectors: Vec<DeviceSelector>) -> Vec<String> {
        let snapshot = snapshot(vec![pool("p", selectors)]);
        let short = |address: &&str| match address.strip_prefix("0000:01:01.") {
            Some(vf) => vf.to_owned(),
            None => "nic".to_owned(),
        };
        device_pools(&snapshot)[0].matches.iter().map(short).collect()
    }

    #[test]
    fn selectors_select_as_in_the_plugin() {
        let map = DeviceSelector::default;
        for (selector, expected) in [
            (map(), "0 1 2 3 nic"),
            (DeviceSelector { vendors: texts(&["8086"]), ..map() }, "0 1 2 3 nic"),
            (DeviceSelector { vendors: texts(&["15b3"]), ..map() }, ""),
            (DeviceSelector { devices: texts(&["1889", "9999"]), ..map() }, "0 1 2 3"),
            (DeviceSelector { devices: texts(&["1592"]), ..map() }, ""),
            (DeviceSelector { drivers: texts(&["iavf"]), ..map() }, "0 1 2"),
            (DeviceSelector { pci_addresses: texts(&["0000:01:01.2"]), ..map() }, "2"),
            (DeviceSelector { pci_addresses: texts(&["0000:01:00.0"]), ..map() }, ""),
            (DeviceSelector { pf_names: texts(&["ens1f0"]), ..map() }, "0 1 2 3"),
            (DeviceSelector { pf_names: texts(&["ens1f0#0,2-9"]), ..map() }, "0 2 3"),
            (DeviceSelector { pf_names: texts(&["ens1f0#x-"]), ..map() }, ""),
            (DeviceSelector { pf_names: texts(&["eno1"]), ..map() }, "nic"),
            (DeviceSelector { pf_names: texts(&["eno1#0"]), ..map() }, ""),
            (DeviceSelector { root_devices: texts(&["0000:01:00.0#1"]), ..map() }, "1"),
            (DeviceSelector { drivers: texts(&["vfio-pci"]), devices: texts(&["1889"]), ..map() }, "3"),
        ] {
            assert_eq!(matched(vec![selector.clone()]).join(" "), expected, "{selector:?}");
        }
        let either = vec![
            DeviceSelector { pf_names: texts(&["ens1f0#0"]), ..map() },
            DeviceSelector { drivers: texts(&["vfio-pci"]), ..map() },
        ];
        assert_eq!(matched(either), ["0", "3"]);
    }

    #[test]
    fn what_has_the_default_route_is_not_offered() {
        let mut snapshot = snapshot(vec![pool("p", vec![DeviceSelector::default()])]);
        let mut facts = crate::facts::netlink::Facts::default();
        facts.routes.ipv4 = Observed::Value(vec![crate::inventory::testdata::route("0.0.0.0/0", None, 2)]);
        snapshot.netlink = Arc::new(facts);
        assert!(!device_pools(&snapshot)[0].matches.contains(&"0000:02:00.0"));
    }

    #[test]
    fn the_first_pool_takes_a_device_unless_it_may_want_less() {
        let intel = DeviceSelector { devices: texts(&["1889"]), ..DeviceSelector::default() };
        let vdpa = DeviceSelector { others: texts(&["vdpaType"]), ..intel.clone() };
        let range = DeviceSelector { pf_names: texts(&["ens1f0#0-1"]), ..DeviceSelector::default() };
        let pools = vec![
            pool("vdpa", vec![vdpa]),
            pool("wide", vec![intel]),
            pool("narrow", vec![range]),
            DevicePool { device_type: texts(&["accelerator"]).pop(), ..pool("fpga", Vec::new()) },
        ];
        let snapshot = snapshot(pools);
        let rows = device_pools(&snapshot);
        let [vdpa, wide, narrow] = rows.as_slice() else { panic!("{rows:?}") };
        assert!(vdpa.is_partly_known && !wide.is_partly_known);
        assert_eq!(wide.taken, []);
        assert_eq!(narrow.taken, [("0000:01:01.0", "wide"), ("0000:01:01.1", "wide")]);
    }

    #[test]
    fn the_selector_that_excludes_everything_is_named() {
        let map = DeviceSelector {
            vendors: texts(&["8086"]),
            devices: texts(&["0d:00.1"]),
            drivers: texts(&["ice"]),
            ..DeviceSelector::default()
        };
        let snapshot = snapshot(vec![pool("p", vec![map])]);
        let rows = device_pools(&snapshot);
        let excluding: Vec<&Step<'_>> = rows[0].excluding().collect();
        assert_eq!((excluding[0].key, excluding[0].before.len(), excluding[0].alone), ("devices", 5, 0));
        let drivers = &rows[0].steps[0][2];
        assert_eq!((drivers.key, drivers.alone), ("drivers", 1), "the PF");
    }
}
