//! Links that concern the overlay or pods, each with what it is there for. No addresses, no counters.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    Encapsulation, Inventory,
    index::{Index, family},
    node::pod_bridges,
    uplink::uplinks,
};
use crate::facts::{
    netlink::{LinkData, LinkFact, OperState},
    sriov::PfFact,
};

/// How far down a stack of devices is followed: a VLAN on a bond on its ports.
const DEPTH: usize = 4;

/// What there is of links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkList {
    /// Those with a role, pods' after the others, each group by interface index.
    pub links: Vec<LinkRow>,
    /// Further links, which concern neither the overlay nor pods.
    pub others: usize,
}

/// A link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRow {
    /// Interface index.
    pub ifindex: u32,
    /// Interface name; escape before showing.
    pub name: String,
    /// `IFLA_INFO_KIND`; none on hardware.
    pub kind: Option<String>,
    /// What its kind has beside, in words: the VNI, the VLAN, the mode.
    pub detail: Option<String>,
    /// MTU in bytes.
    pub mtu: u32,
    /// Whether it carries packets.
    pub state: LinkState,
    /// The device below it, or the other end of a veth that is here; escape before showing.
    pub parent: Option<String>,
    /// The bridge or bond that it is a port of; escape before showing.
    pub master: Option<String>,
    /// What it is there for.
    pub roles: Vec<LinkRole>,
}

/// Whether a link carries packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// It does.
    Up,
    /// Somebody set it up, but there is no carrier.
    NoCarrier,
    /// It is set down.
    Down,
}

impl LinkState {
    /// Of a link. The operational state follows the carrier a moment later (`linkwatch_do_dev`, net/core/link_watch.c), so that
    /// the carrier decides; the state tells what the carrier does not: that somebody waits for 802.1X.
    pub(crate) fn of(link: &LinkFact) -> Self {
        let follows = matches!(link.oper_state, Some(OperState::Down | OperState::LowerLayerDown));
        let is_held = matches!(link.oper_state, Some(OperState::NotPresent | OperState::Dormant));
        match (link.up, link.carrier) {
            (false, _) => Self::Down,
            (true, Some(false)) => Self::NoCarrier,
            (true, _) if is_held => Self::NoCarrier,
            (true, None) if follows => Self::NoCarrier,
            (true, _) => Self::Up,
        }
    }
}

/// What a link is there for. The order is that of the roles of one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkRole {
    /// It wraps packets to other nodes.
    Tunnel,
    /// Outer packets leave by it, or pods' packets that nothing wraps.
    Underlay,
    /// A device below an underlay: a bond's port, a VLAN's parent.
    BelowUnderlay,
    /// A default route leaves by it.
    DefaultRoute,
    /// An interface of hardware, or the veth that a node in a container has in place of one.
    Nic,
    /// It can have virtual functions.
    PhysicalFunction,
    /// A virtual function.
    VirtualFunction,
    /// The bridge of the node's pod network.
    PodBridge,
    /// One of two veths of which both are here: Cilium and Calico's eBPF data plane lead packets through such a pair.
    HostPair,
    /// The node's end of a pod's interface.
    Pod,
    /// It leads into another network namespace, of which nothing more is known.
    OtherNamespace,
}

/// The links.
pub(super) fn links(index: &Index<'_>, inventory: &Inventory, pfs: &[PfFact]) -> LinkList {
    let roles = roles(index, inventory, pfs);
    let mut list = LinkList::default();
    let name = |ifindex: u32| index.link(ifindex).map(|link| link.name.clone());
    for link in &index.facts.links {
        let Some(roles) = roles.get(&link.ifindex) else {
            list.others += usize::from(!link.is_loopback());
            continue;
        };
        list.links.push(LinkRow {
            ifindex: link.ifindex,
            name: link.name.clone(),
            kind: link.kind.clone(),
            detail: detail(link),
            mtu: link.mtu,
            state: LinkState::of(link),
            // An index of another namespace says nothing here.
            parent: link.link.filter(|_| link.link_netns.is_none()).and_then(name),
            master: link.master.and_then(name),
            roles: roles.iter().copied().collect(),
        });
    }
    list.links.sort_by_key(|link| (link.is_of_pod(), link.ifindex));
    list
}

impl LinkRow {
    /// It leads to a pod, or into another namespace, and is there for nothing else.
    pub fn is_of_pod(&self) -> bool {
        self.roles.iter().all(|role| matches!(role, LinkRole::Pod | LinkRole::OtherNamespace))
    }
}

/// The node's ends of pods' interfaces, each with the families of its pod's addresses; none of them where only the bridge
/// tells that it is a pod's.
pub(super) fn pod_links(index: &Index<'_>, inventory: &Inventory) -> BTreeMap<u32, BTreeSet<u8>> {
    let mut found: BTreeMap<u32, BTreeSet<u8>> = BTreeMap::new();
    for pod in &inventory.pods {
        let Some(ifindex) = pod.host_ifindex else { continue };
        found.entry(ifindex).or_default().extend(pod.addresses.iter().map(|address| family(*address)));
    }
    let bridges: BTreeSet<u32> =
        pod_bridges(index, &inventory.node.pod_cidrs).map(|link| link.ifindex).collect();
    // A bridge of pods may have a NIC among its ports.
    let uplinks = uplinks(index);
    for link in index.facts.links.iter().filter(|link| !uplinks.contains(&link.ifindex)) {
        if link.master.is_some_and(|master| bridges.contains(&master)) && leads_elsewhere(link) {
            found.entry(link.ifindex).or_default();
        }
    }
    found
}

fn roles(index: &Index<'_>, inventory: &Inventory, pfs: &[PfFact]) -> HashMap<u32, BTreeSet<LinkRole>> {
    let mut roles: HashMap<u32, BTreeSet<LinkRole>> = HashMap::new();
    let mut add = |ifindex: u32, role: LinkRole| {
        roles.entry(ifindex).or_default().insert(role);
    };
    let mut underlays: BTreeSet<u32> = BTreeSet::new();
    for tunnel in inventory.all_tunnels() {
        add(tunnel.ifindex, LinkRole::Tunnel);
        underlays.extend(tunnel.underlays().map(|underlay| underlay.ifindex));
    }
    for plane in inventory.data_planes.iter().filter(|plane| plane.encapsulation == Encapsulation::None) {
        underlays
            .extend(plane.devices.iter().filter(|device| device.routes > 0).map(|device| device.ifindex));
    }
    for ifindex in pod_links(index, inventory).into_keys() {
        add(ifindex, LinkRole::Pod);
    }
    for link in pod_bridges(index, &inventory.node.pod_cidrs) {
        add(link.ifindex, LinkRole::PodBridge);
    }
    let is_default = |prefix: u8, ifindex: Option<u32>| ifindex.filter(|_| prefix == 0);
    for ifindex in index
        .facts
        .routes
        .iter()
        .filter_map(|route| is_default(route.destination.prefix_len(), route.ifindex))
    {
        add(ifindex, LinkRole::DefaultRoute);
    }
    let (mut below, uplinks) = (underlays.clone(), uplinks(index));
    for _ in 0..DEPTH {
        below = index.facts.links.iter().filter_map(|link| under(index, link, &below, &uplinks)).collect();
        for &ifindex in below.difference(&underlays) {
            add(ifindex, LinkRole::BelowUnderlay);
        }
    }
    for ifindex in underlays {
        add(ifindex, LinkRole::Underlay);
    }
    let is_pf = |pci: &str| pfs.iter().any(|pf| pf.pci == pci);
    let is_vf = |pci: &str| pfs.iter().flat_map(|pf| &pf.vfs).any(|vf| vf.pci == pci);
    for link in &index.facts.links {
        let pci = link.parent_device.as_deref();
        if pci.is_some_and(is_pf) {
            add(link.ifindex, LinkRole::PhysicalFunction);
        }
        if pci.is_some_and(is_vf) {
            add(link.ifindex, LinkRole::VirtualFunction);
        }
        let is_hardware = link.kind.is_none() && !link.is_loopback();
        if is_hardware || leads_elsewhere(link) && uplinks.contains(&link.ifindex) {
            add(link.ifindex, LinkRole::Nic);
        }
        let other_end = link.link.filter(|_| link.link_netns.is_none()).and_then(|end| index.link(end));
        if link.kind.as_deref() == Some("veth") && other_end.is_some() {
            add(link.ifindex, LinkRole::HostPair);
        }
    }
    for link in index.facts.links.iter().filter(|link| leads_elsewhere(link)) {
        roles.entry(link.ifindex).or_insert_with(|| BTreeSet::from([LinkRole::OtherNamespace]));
    }
    roles
}

/// A veth or netkit whose other end is in another network namespace.
fn leads_elsewhere(link: &LinkFact) -> bool {
    matches!(link.kind.as_deref(), Some("veth" | "netkit")) && link.link_netns.is_some()
}

/// The index of `link` when it is a port of one of `above`; that of its parent when it is one of `above` itself. A veth in a
/// bridge may be a pod's, and in a bond it is a NIC.
fn under(index: &Index<'_>, link: &LinkFact, above: &BTreeSet<u32>, uplinks: &BTreeSet<u32>) -> Option<u32> {
    let may_be_pods = leads_elsewhere(link) && !uplinks.contains(&link.ifindex);
    if link.master.is_some_and(|master| above.contains(&master)) && !may_be_pods {
        return Some(link.ifindex);
    }
    let parent = link.link.filter(|_| above.contains(&link.ifindex) && link.link_netns.is_none())?;
    index.link(parent).map(|parent| parent.ifindex)
}

fn detail(link: &LinkFact) -> Option<String> {
    if let Some(vxlan) = &link.vxlan {
        let port = vxlan.port;
        return Some(if vxlan.collect_metadata {
            format!("any VNI, port {port}")
        } else {
            format!("VNI {}, port {port}", vxlan.vni)
        });
    }
    match link.data.as_ref()? {
        LinkData::IpTunnel(data) => {
            let end = |end: Option<std::net::IpAddr>| end.map_or("any".to_owned(), |end| end.to_string());
            Some(format!("{} to {}", end(data.local), end(data.remote)))
        }
        LinkData::Bridge(_) => None,
        LinkData::Geneve(data) if data.collect_metadata => Some(format!("any VNI, port {}", data.port)),
        LinkData::Geneve(data) => Some(format!("VNI {}, port {}", data.vni, data.port)),
        LinkData::Vlan(data) => {
            Some(format!("id {}{}", data.id, if data.is_qinq { ", 802.1ad" } else { "" }))
        }
        LinkData::Macvlan(mode) => mode.map(|mode| format!("{mode:?}").to_lowercase()),
        LinkData::Ipvlan(mode) => mode.map(|mode| format!("{mode:?}").to_lowercase()),
        LinkData::Netkit(mode) => mode.map(|mode| format!("{mode:?}").to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        facts::{
            netlink::{Facts, VlanFact, VxlanFact},
            sriov::VfFact,
        },
        inventory::testdata::*,
    };

    /// A line for each link.
    fn lines(facts: &Facts, pfs: &[PfFact]) -> Vec<String> {
        let list = links(&Index::new(facts), &of_kernel(facts), pfs);
        let line = |link: &LinkRow| {
            let roles: Vec<_> = link.roles.iter().map(|role| format!("{role:?}")).collect();
            let below = link.parent.as_ref().or(link.master.as_ref());
            format!(
                "{} {:?} {} on {}",
                link.name,
                link.state,
                roles.join(" "),
                below.map_or("-", String::as_str)
            )
        };
        let mut lines: Vec<_> = list.links.iter().map(line).collect();
        lines.extend((list.others > 0).then(|| format!("{} others", list.others)));
        lines
    }

    #[test]
    fn the_carrier_decides_whether_a_link_that_is_up_sends() {
        use LinkState::{Down, NoCarrier, Up};
        use OperState::{Dormant, LowerLayerDown, NotPresent};
        for (up, carrier, oper_state, expected) in [
            (false, Some(true), Some(OperState::Up), Down),
            (true, Some(false), Some(OperState::Up), NoCarrier),
            // The operational state is late.
            (true, Some(true), Some(OperState::Down), Up),
            (true, Some(true), Some(LowerLayerDown), Up),
            (true, Some(true), Some(Dormant), NoCarrier),
            (true, Some(true), Some(NotPresent), NoCarrier),
            (true, Some(true), None, Up),
            (true, None, Some(OperState::Down), NoCarrier),
            (true, None, Some(LowerLayerDown), NoCarrier),
            (true, None, Some(OperState::Up), Up),
            (true, None, None, Up),
        ] {
            let link = LinkFact { up, oper_state, carrier, ..LinkFact::default() };
            assert_eq!(LinkState::of(&link), expected, "{up} {carrier:?} {oper_state:?}");
        }
    }

    #[test]
    fn what_links_are_there_for() {
        let mut facts = calico_pod(flannel4(node(), 1), 20, "10.42.0.5/32");
        facts.links.insert(0, pod_veth(21, "docker-veth"));
        facts.links.push(LinkFact { kind: Some("dummy".to_owned()), ..ethernet(22, "kube-ipvs0") });
        facts.links.push(LinkFact { up: false, ..ethernet(23, "eth1") });
        facts.links[1].hardware_type = libc::ARPHRD_LOOPBACK;
        assert_eq!(
            lines(&facts, &[]),
            [
                "eth0 Up Underlay DefaultRoute Nic on -",
                "flannel.1 Up Tunnel on -",
                "eth1 Down Nic on -",
                "cali20 Up Pod on -",
                "docker-veth Up OtherNamespace on -",
                "1 others",
            ]
        );
    }

    /// A node in a container: its NICs are veths, one with single addresses behind a router, one in the pods' bridge.
    #[test]
    fn nics_that_are_veths() {
        let mut facts = bridged_pod(flannel4(node(), 1), 20, "10.42.0.1/24");
        for link in facts.links.iter_mut().filter(|link| link.ifindex == ETH0) {
            *link = pod_veth(ETH0, "eth0");
        }
        facts.links.push(pod_veth(30, "eth1"));
        facts.addresses.push(address(30, "198.51.100.8/32"));
        facts.routes.push(route("198.51.100.1/32", None, 30));
        facts.routes.push(route("198.51.0.0/16", Some("198.51.100.1"), 30));
        facts.links.push(LinkFact { master: Some(20), ..pod_veth(31, "eth2") });
        let data = Some(LinkData::Vlan(VlanFact { id: 7, is_qinq: false }));
        let kind = Some("vlan".to_owned());
        facts.links.push(LinkFact { kind, link: Some(31), data, ..ethernet(32, "eth2.7") });
        facts.links.push(LinkFact { kind: Some("bond".to_owned()), ..ethernet(33, "bond0") });
        facts.links.push(LinkFact { master: Some(33), ..pod_veth(34, "eth3") });
        facts.routes.push(route("::/0", Some("2001:db8::fd"), 33));
        let data = VxlanFact { vni: 7, port: 4789, link: Some(33), ..VxlanFact::default() };
        facts.links.push(vxlan(35, "vx7", data));
        assert_eq!(
            lines(&facts, &[]),
            [
                "eth0 Up Underlay DefaultRoute Nic on -",
                "flannel.1 Up Tunnel on -",
                "cni0 Up PodBridge on -",
                "eth1 Up Nic on -",
                "eth2 Up Nic on cni0",
                "bond0 Up Underlay DefaultRoute on -",
                "eth3 Up BelowUnderlay Nic on bond0",
                "vx7 Up Tunnel on -",
                "veth1a2b3c4d Up Pod on cni0",
                "1 others",
            ]
        );
        let inventory = of_kernel(&facts);
        assert_eq!(inventory.pods, [], "eth1's router is no pod");
        assert_eq!(inventory.pod_links.iter().map(|link| link.ifindex).collect::<Vec<_>>(), [21]);
    }

    #[test]
    fn stacks_of_devices_and_hardware() {
        let mut facts = bridged_pod(cilium_host(flannel4(node(), 1), 30), 20, "10.42.0.1/24");
        // The underlay is a VLAN on a bond of two ports.
        facts.links[0].hardware_type = libc::ARPHRD_LOOPBACK;
        let vlan = Some(LinkData::Vlan(VlanFact { id: 100, is_qinq: false }));
        facts.links[1] = LinkFact {
            kind: Some("vlan".to_owned()),
            link: Some(40),
            data: vlan,
            ..ethernet(ETH0, "bond0.100")
        };
        facts.links.push(LinkFact { kind: Some("bond".to_owned()), ..ethernet(40, "bond0") });
        for (ifindex, name, carrier) in [(41, "ens1f0", true), (42, "ens1f1", false)] {
            let parent_device = Some(format!("0000:01:00.{}", ifindex - 41));
            let port = LinkFact {
                master: Some(40),
                carrier: Some(carrier),
                parent_device,
                ..ethernet(ifindex, name)
            };
            facts.links.push(port);
        }
        let vf = Some("0000:01:10.0".to_owned());
        facts.links.push(LinkFact { parent_device: vf, ..ethernet(43, "ens1f0v0") });
        let vfs = vec![VfFact { pci: "0000:01:10.0".to_owned(), ..VfFact::default() }];
        let pfs = [PfFact { pci: "0000:01:00.0".to_owned(), vfs, ..PfFact::default() }];
        assert_eq!(
            lines(&facts, &pfs),
            [
                "bond0.100 Up Underlay DefaultRoute on bond0",
                "flannel.1 Up Tunnel on -",
                "cni0 Up PodBridge on -",
                "cilium_net Up HostPair on cilium_host",
                "cilium_host Up HostPair on cilium_net",
                "bond0 Up BelowUnderlay on -",
                "ens1f0 Up BelowUnderlay Nic PhysicalFunction on bond0",
                "ens1f1 NoCarrier BelowUnderlay Nic on bond0",
                "ens1f0v0 Up Nic VirtualFunction on -",
                "veth1a2b3c4d Up Pod on cni0",
            ]
        );
        let list = links(&Index::new(&facts), &of_kernel(&facts), &pfs);
        let details: Vec<_> = list.links.iter().filter_map(|link| link.detail.as_deref()).collect();
        assert_eq!(details, ["id 100", "VNI 1, port 8472"]);
    }
}
