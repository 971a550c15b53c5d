//! What the kernel dropped between two samples, with the devices by name.

use std::collections::{BTreeMap, BTreeSet};

use super::build::name;
use crate::{
    inventory::{Inventory, Tunnel, TunnelKind},
    observed::Observed,
    sample::{self, DroppedPacket, OuterKind, Sample},
};

/// Fewer in an interval are nothing: single packets are dropped on every node.
pub(crate) const NOISE: u64 = 10;
/// What a program or a packet filter is told to drop: between pods that is policy.
const POLICY: [&str; 6] =
    ["BPF_CGROUP_EGRESS", "NETFILTER_DROP", "SECURITY_HOOK", "TC_EGRESS", "TC_INGRESS", "XDP"];

/// What the kernel dropped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drops {
    /// By device and reason, on devices that are there.
    pub rows: Vec<DropRow>,
    /// Packets that found no room among these, totals.
    pub uncounted: u64,
    /// Reasons that this kernel knows: of others it never drops.
    known: BTreeSet<String>,
}

/// The device that packets were dropped on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropDevice {
    /// A tunnel, by its name. Hostile input: escape before showing.
    Tunnel(String),
    /// What is below a tunnel, likewise.
    Underlay(String),
    /// The node's end of a pod's interface, by the pod's label, likewise.
    Pod(String),
}

/// Packets that were dropped on one device for one reason.
#[derive(Clone, Debug, PartialEq)]
pub struct DropRow {
    /// The device.
    pub device: DropDevice,
    /// Its interface index.
    pub ifindex: u32,
    /// The reason, as `enum skb_drop_reason` has it without `SKB_DROP_REASON_`.
    pub reason: String,
    /// What makes them outer packets of a tunnel; none of others.
    pub outer: Option<OuterKind>,
    /// The tunnels whose packets they can be, names by interface index: several where nothing in a packet tells them apart. Hostile
    /// input: escape before showing.
    pub tunnels: BTreeMap<u32, String>,
    /// They were to a group or to everybody.
    pub to_group: bool,
    /// Packets on the wire, in the interval.
    pub packets: u64,
    /// The same since counting began.
    pub total: u64,
    /// Rate of the interval; none without one, and when nothing was known before.
    pub per_s: Option<f64>,
    /// One of the last of them.
    pub last: DroppedPacket,
}

impl Drops {
    /// Whether the kernel drops for a reason of this name at all.
    pub fn knows(&self, reason: &str) -> bool {
        self.known.contains(reason)
    }

    /// What was dropped on a tunnel, and of its outer packets on the devices below it. Two tunnels of one address family and port have
    /// these in common.
    pub fn of_tunnel(&self, tunnel: &Tunnel) -> impl Iterator<Item = &DropRow> {
        self.rows.iter().filter(|row| row.tunnels.contains_key(&tunnel.ifindex))
    }

    /// What was dropped on one device.
    pub fn of_device(&self, ifindex: u32) -> impl Iterator<Item = &DropRow> {
        self.rows.iter().filter(move |row| row.ifindex == ifindex)
    }
}

impl DropRow {
    /// True for outer packets of a tunnel.
    pub fn is_outer(&self) -> bool {
        self.outer.is_some()
    }

    /// True for what is dropped on healthy nodes: what nobody wants of what is sent to everybody, packets of others that a NIC hands
    /// up, and policy between pods. A tunnel's outer packets are nobody's policy.
    pub fn is_usual(&self) -> bool {
        let is_anothers = self.reason == "OTHERHOST" && !matches!(self.device, DropDevice::Tunnel(_));
        self.to_group || is_anothers || (!self.is_outer() && self.is_policy())
    }

    /// True when packets of both are counted together.
    pub(super) fn is_the_same(&self, other: &Self) -> bool {
        let key = |row: &Self| (row.ifindex, row.outer, row.to_group);
        key(self) == key(other) && self.reason == other.reason
    }

    /// True of more than single packets, which are dropped on every node.
    pub fn is_more_than_noise(&self) -> bool {
        self.packets >= NOISE
    }

    /// True for reasons by which the node drops what somebody has told it to.
    pub fn is_policy(&self) -> bool {
        POLICY.contains(&self.reason.as_str())
    }
}

/// Packets of a tunnel that the kernel drops and should not, on its device and below it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dropped {
    /// Since counting began.
    pub total: u64,
    /// Rate of the interval; none when it is not known of some of them.
    pub per_s: Option<f64>,
}

impl Dropped {
    /// Of a tunnel; none where nobody asks for drops, and where they cannot be had.
    pub(super) fn of(drops: &Observed<Drops>, tunnel: &Tunnel) -> Option<Self> {
        let drops = drops.value()?;
        let rows = || drops.of_tunnel(tunnel).filter(|row| !row.is_usual());
        Some(Self {
            total: rows().map(|row| row.total).sum(),
            per_s: rows().try_fold(0.0, |sum, row| Some(sum + row.per_s?)),
        })
    }
}

impl DropDevice {
    /// Its name. Hostile input: escape before showing.
    pub fn name(&self) -> &str {
        let (Self::Tunnel(name) | Self::Underlay(name) | Self::Pod(name)) = self;
        name
    }
}

/// What was dropped, and what of it since `before`, which has nothing of it where counting began later.
pub(super) fn drops(inventory: &Inventory, now: &Sample, before: Option<&Sample>) -> Observed<Drops> {
    let interval = before.and_then(|before| now.time_after(before));
    let earlier: BTreeMap<_, u64> = before
        .and_then(|before| before.drops.value())
        .map(|drops| drops.rows.iter().map(|row| (key(row), row.packets)).collect())
        .unwrap_or_default();
    // What could not be read then is not known.
    let is_known = before.is_none_or(|before| matches!(before.drops, Observed::Value(_) | Observed::Absent));
    now.drops.as_ref().map(|drops| Drops {
        rows: drops
            .rows
            .iter()
            .filter(|row| row.packets > 0)
            .map(|row| {
                let before = earlier.get(&key(row)).copied().unwrap_or(0);
                let grown = row.packets.checked_sub(before).filter(|_| is_known);
                DropRow {
                    device: device(inventory, row.ifindex),
                    ifindex: row.ifindex,
                    reason: row.reason.clone(),
                    outer: row.outer,
                    tunnels: tunnels(inventory, row),
                    to_group: row.to_group,
                    packets: grown.unwrap_or(0),
                    total: row.packets,
                    per_s: grown.zip(interval).map(|(grown, interval)| grown as f64 / interval.as_secs_f64()),
                    last: row.last.clone(),
                }
            })
            .collect(),
        uncounted: drops.uncounted,
        known: drops.known.iter().cloned().collect(),
    })
}

/// That they cannot be had, though somebody asks, and that some are in no row.
pub(super) fn notes(now: &Sample) -> Vec<String> {
    let why = now.drops.trouble().map(|why| uncounted(&why));
    let uncounted = now.drops.value().map_or(0, |drops| drops.uncounted);
    let full = (uncounted > 0).then(|| {
        format!("{uncounted} dropped packets found no room in the kernel's table and are in no row")
    });
    why.into_iter().chain(full).collect()
}

/// That there are none, and why.
pub(super) fn uncounted(why: &str) -> String {
    format!("what the kernel drops is not counted: {why}")
}

fn key(row: &sample::DropRow) -> (u32, &str, Option<OuterKind>, bool) {
    (row.ifindex, &row.reason, row.outer, row.to_group)
}

/// See [`DropRow::tunnels`].
fn tunnels(inventory: &Inventory, row: &sample::DropRow) -> BTreeMap<u32, String> {
    let is_below = |tunnel: &Tunnel| tunnel.underlays().any(|below| below.ifindex == row.ifindex);
    let carries = |tunnel: &Tunnel| row.outer.is_some_and(|outer| is_below(tunnel) && sends(tunnel, outer));
    let of = inventory.all_tunnels().filter(|tunnel| tunnel.ifindex == row.ifindex || carries(tunnel));
    of.map(|tunnel| (tunnel.ifindex, tunnel.name.clone())).collect()
}

/// A tunnel's packets look like this.
fn sends(tunnel: &Tunnel, outer: OuterKind) -> bool {
    let family = if outer.is_ipv6 { 6 } else { 4 };
    let is_of_kind = match tunnel.kind {
        TunnelKind::Ipip => outer.port.is_none(),
        // WireGuard's port is known to who may ask.
        TunnelKind::Wireguard => outer.port.is_some_and(|port| tunnel.port.is_none_or(|own| own == port)),
        TunnelKind::Vxlan | TunnelKind::Geneve | TunnelKind::Udp => {
            outer.port.is_some() && tunnel.port == outer.port
        }
    };
    is_of_kind && tunnel.outer_family.is_none_or(|own| own == family)
}

fn device(inventory: &Inventory, ifindex: u32) -> DropDevice {
    if let Some(tunnel) = inventory.tunnel(ifindex) {
        return DropDevice::Tunnel(tunnel.name.clone());
    }
    let pod = inventory.pods.iter().find(|pod| pod.host_ifindex == Some(ifindex));
    match pod {
        Some(pod) => DropDevice::Pod(pod.label()),
        None if inventory.pod_links.iter().any(|link| link.ifindex == ifindex) => {
            DropDevice::Pod(format!("interface {ifindex}"))
        }
        None => DropDevice::Underlay(name(inventory, ifindex)),
    }
}

/// A node on which somebody asked.
#[cfg(test)]
pub(crate) mod testdata {
    use crate::{
        inventory::Inventory,
        mac::Mac,
        model::{
            Model,
            testdata::{build, inventory, sample},
        },
        observed::Observed,
        sample::{DropRow, DroppedPacket, Drops, OuterKind, Sample},
    };

    /// Packets of flannel's VXLAN.
    pub(crate) const VXLAN: OuterKind = OuterKind { is_ipv6: false, protocol: 17, port: Some(8472) };

    /// Outer packets of another VNI, a pod that nobody answers for, policy, and what nobody wants to have.
    pub(crate) fn model() -> Model {
        let inventory = inventory(2);
        build(&inventory, &at(&inventory, 61), Some(&at(&inventory, 60)))
    }

    fn at(inventory: &Inventory, second: u64) -> Sample {
        let packet = |source: &str, destination: &str| DroppedPacket {
            mac: Some(Mac([2, 0, 0, 0, 0, 1])),
            source: source.parse().ok(),
            destination: destination.parse().ok(),
            protocol: Some(17),
            ..DroppedPacket::default()
        };
        let row = |ifindex: u32, reason: &str, packets: u64| DropRow {
            ifindex,
            reason: reason.to_owned(),
            packets,
            last: packet("10.42.2.9", "10.42.1.1"),
            ..DropRow::default()
        };
        let strays = DropRow {
            outer: Some(VXLAN),
            last: DroppedPacket { port: Some(8472), vni: Some(9), ..packet("172.31.77.3", "172.31.77.1") },
            ..row(2, "VXLAN_VNI_NOT_FOUND", 12 * second)
        };
        let group = DropRow { to_group: true, ..row(3, "NO_TX_TARGET", 3) };
        let rows =
            vec![strays, row(3, "NEIGH_FAILED", 25 * second), group, row(12, "NETFILTER_DROP", 7 * second)];
        let drops = Drops { rows, ..Drops::default() };
        Sample { drops: Observed::Value(Box::new(drops)), ..sample(inventory, second) }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::{testdata::VXLAN, *};
    use crate::{inventory::Pod, model::testdata::inventory};

    /// Devices of that inventory.
    const ETH0: u32 = 2;
    const FLANNEL: u32 = 3;

    fn sample(packets: u64) -> Sample {
        let row = |ifindex, reason: &str, packets| sample::DropRow {
            ifindex,
            reason: reason.to_owned(),
            packets,
            ..sample::DropRow::default()
        };
        let rows =
            vec![row(FLANNEL, "OTHERHOST", packets), row(20, "PKT_TOO_BIG", 3), row(ETH0, "OTHERHOST", 7)];
        let known = vec!["OTHERHOST".to_owned()];
        Sample {
            drops: Observed::Value(Box::new(sample::Drops { rows, uncounted: 0, known })),
            ..Sample::default()
        }
    }

    fn after(sample: Sample, seconds: u64) -> Sample {
        Sample { monotonic: Duration::from_secs(seconds), ..sample }
    }

    #[test]
    fn rows_have_names_and_what_came_in_the_interval() {
        let mut inventory = inventory(0);
        let pod = Pod { name: Some("web".to_owned()), host_ifindex: Some(20), ..Pod::default() };
        inventory.pods.push(Arc::new(pod));
        let found = drops(&inventory, &after(sample(9), 4), Some(&after(sample(4), 2)));
        let found = found.value().unwrap();
        let rows: Vec<_> =
            found.rows.iter().map(|row| (row.device.clone(), row.packets, row.total, row.per_s)).collect();
        assert_eq!(
            rows,
            [
                (DropDevice::Tunnel("flannel.1".to_owned()), 5, 9, Some(2.5)),
                (DropDevice::Pod("web".to_owned()), 0, 3, Some(0.0)),
                (DropDevice::Underlay("eth0".to_owned()), 0, 7, Some(0.0)),
            ]
        );
        assert!(found.knows("OTHERHOST") && !found.knows("LOCAL_MAC"));
        // Those on eth0 are no outer packets.
        assert_eq!(found.of_tunnel(&inventory.tunnels[0]).map(|row| row.total).collect::<Vec<_>>(), [9]);
        assert_eq!(found.of_device(20).map(|row| row.total).collect::<Vec<_>>(), [3]);
        assert_eq!(drops(&inventory, &Sample::default(), None), Observed::Absent);
    }

    #[test]
    fn a_rate_is_known_from_the_moment_on_that_counting_is() {
        let first = |before: Option<Sample>| {
            let found = drops(&inventory(0), &after(sample(8), 4), before.as_ref());
            let row = found.value().unwrap().rows[0].clone();
            (row.packets, row.total, row.per_s)
        };
        assert_eq!(first(None), (8, 8, None), "the first sample");
        // Somebody began to count in the window.
        assert_eq!(first(Some(after(Sample::default(), 2))), (8, 8, Some(4.0)));
        let failed = Sample { drops: Observed::Failed { error: String::new() }, ..Sample::default() };
        assert_eq!(first(Some(after(failed, 2))), (0, 8, None), "not read before");
        assert_eq!(first(Some(after(sample(9), 2))), (0, 8, None), "went back");
    }

    #[test]
    fn what_healthy_nodes_drop_is_usual() {
        let found = drops(&inventory(0), &after(sample(8), 4), Some(&after(sample(2), 2)));
        let row = found.value().unwrap().rows[0].clone();
        let named = |reason: &str, is_outer: bool, to_group| DropRow {
            reason: reason.to_owned(),
            outer: is_outer.then_some(VXLAN),
            to_group,
            ..row.clone()
        };
        for (row, is_usual) in [
            (named("NEIGH_FAILED", false, false), false),
            (named("NO_TX_TARGET", false, true), true),
            (named("NETFILTER_DROP", false, false), true),
            (named("NETFILTER_DROP", true, false), false),
            (named("OTHERHOST", true, false), false),
            (
                DropRow {
                    device: DropDevice::Underlay("eth0".to_owned()),
                    ifindex: ETH0,
                    ..named("OTHERHOST", true, false)
                },
                true,
            ),
        ] {
            assert_eq!(row.is_usual(), is_usual, "{row:?}");
            let expected = if is_usual { (0, 0.0) } else { (8, 3.0) };
            let drops = Observed::Value(Drops { rows: vec![row.clone()], ..Drops::default() });
            let found = Dropped::of(&drops, &inventory(0).tunnels[0]).unwrap();
            assert_eq!((found.total, found.per_s), (expected.0, Some(expected.1)), "{row:?}");
        }
        let unknown =
            Observed::Value(Drops { rows: vec![DropRow { per_s: None, ..row }], ..Drops::default() });
        assert_eq!(Dropped::of(&unknown, &inventory(0).tunnels[0]).unwrap().per_s, None);
        assert_eq!(Dropped::of(&Observed::Absent, &inventory(0).tunnels[0]), None);
    }

    /// Of two tunnels on one device they are that one's whose family and port they have, and of both where these are the same.
    #[test]
    fn outer_packets_are_those_of_a_tunnel_by_family_and_port() {
        let mut both = inventory(0);
        both.tunnels.truncate(2);
        let of_tunnels = |inventory: &Inventory, outer: Option<OuterKind>| -> Vec<u64> {
            let row = sample::DropRow { ifindex: ETH0, outer, packets: 8, ..sample::DropRow::default() };
            let rows = vec![row];
            let sample = Sample {
                drops: Observed::Value(Box::new(sample::Drops { rows, ..sample::Drops::default() })),
                ..Sample::default()
            };
            let found = drops(inventory, &sample, None);
            inventory.tunnels.iter().map(|tunnel| Dropped::of(&found, tunnel).unwrap().total).collect()
        };
        let ipv6 = OuterKind { is_ipv6: true, ..VXLAN };
        let other = OuterKind { port: Some(4789), ..VXLAN };
        for (outer, expected) in
            [(None, [0, 0]), (Some(VXLAN), [8, 0]), (Some(ipv6), [0, 8]), (Some(other), [0, 0])]
        {
            assert_eq!(of_tunnels(&both, outer), expected, "{outer:?}");
        }
        both.tunnels[1].outer_family = both.tunnels[0].outer_family;
        assert_eq!(of_tunnels(&both, Some(VXLAN)), [8, 8], "nothing tells them apart");
        both.tunnels[1].port = Some(4789);
        assert_eq!(of_tunnels(&both, Some(VXLAN)), [8, 0]);
        assert_eq!(of_tunnels(&both, Some(other)), [0, 8]);
        both.tunnels[1].kind = TunnelKind::Ipip;
        let ipip = OuterKind { is_ipv6: false, protocol: 4, port: None };
        assert_eq!((of_tunnels(&both, Some(ipip)), of_tunnels(&both, Some(VXLAN))), (vec![0, 8], vec![8, 0]));
    }

    #[test]
    fn what_cannot_be_had_is_said_when_somebody_asks() {
        let with = |drops| notes(&Sample { drops, ..Sample::default() });
        assert_eq!(with(Observed::Absent), [""; 0]);
        assert_eq!(notes(&sample(1)), [""; 0]);
        let told = with(Observed::Unsupported { why: "this kernel has no BTF".to_owned() });
        assert!(told[0].contains("not counted: ") && told[0].contains("no BTF"), "{told:?}");
        let full = sample::Drops { uncounted: 7, ..sample::Drops::default() };
        assert!(with(Observed::Value(Box::new(full)))[0].starts_with("7 dropped packets"));
    }
}
