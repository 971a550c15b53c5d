//! What the kernel dropped between two samples, with the devices by name.

use std::collections::{BTreeMap, BTreeSet};

use super::build::name;
use crate::{
    inventory::Inventory,
    observed::Observed,
    sample::{self, DroppedPacket, Sample},
};

/// What the kernel dropped in the interval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// By device and reason, without those of which there were none.
    pub rows: Vec<DropRow>,
    /// Packets that found no room among these.
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropRow {
    /// The device.
    pub device: DropDevice,
    /// Its interface index.
    pub ifindex: u32,
    /// The reason, as `enum skb_drop_reason` has it without `SKB_DROP_REASON_`.
    pub reason: String,
    /// They were outer packets of a tunnel.
    pub is_outer: bool,
    /// They were to a group or to everybody.
    pub to_group: bool,
    /// Packets on the wire, in the interval.
    pub packets: u64,
    /// One of the last of them.
    pub last: DroppedPacket,
}

impl Drops {
    /// Whether the kernel drops for a reason of this name at all.
    pub fn knows(&self, reason: &str) -> bool {
        self.known.contains(reason)
    }
}

impl DropDevice {
    /// Its name. Hostile input: escape before showing.
    pub fn name(&self) -> &str {
        let (Self::Tunnel(name) | Self::Underlay(name) | Self::Pod(name)) = self;
        name
    }
}

/// What was dropped since `before`, which has nothing of it where counting began later.
pub(super) fn drops(inventory: &Inventory, now: &Sample, before: Option<&Sample>) -> Observed<Drops> {
    let earlier: BTreeMap<_, u64> = before
        .and_then(|before| before.drops.value())
        .map(|drops| drops.rows.iter().map(|row| (key(row), row.packets)).collect())
        .unwrap_or_default();
    now.drops.as_ref().map(|drops| Drops {
        rows: drops
            .rows
            .iter()
            .filter_map(|row| {
                let packets = row.packets.saturating_sub(earlier.get(&key(row)).copied().unwrap_or(0));
                (packets > 0).then(|| DropRow {
                    device: device(inventory, row.ifindex),
                    ifindex: row.ifindex,
                    reason: row.reason.clone(),
                    is_outer: row.is_outer,
                    to_group: row.to_group,
                    packets,
                    last: row.last.clone(),
                })
            })
            .collect(),
        uncounted: drops.uncounted,
        known: drops.known.iter().cloned().collect(),
    })
}

fn key(row: &sample::DropRow) -> (u32, &str, bool, bool) {
    (row.ifindex, &row.reason, row.is_outer, row.to_group)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
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

    #[test]
    fn rows_are_of_the_interval_and_have_names() {
        let mut inventory = inventory(0);
        let pod = Pod { name: Some("web".to_owned()), host_ifindex: Some(20), ..Pod::default() };
        inventory.pods.push(Arc::new(pod));
        let found = drops(&inventory, &sample(9), Some(&sample(4))).value().cloned().unwrap();
        let rows: Vec<_> = found.rows.iter().map(|row| (row.device.clone(), row.packets)).collect();
        assert_eq!(
            rows,
            [(DropDevice::Tunnel("flannel.1".to_owned()), 5)],
            "of the others there were no more"
        );
        let all = drops(&inventory, &sample(9), None).value().cloned().unwrap();
        let devices: Vec<_> = all.rows.iter().map(|row| row.device.clone()).collect();
        assert_eq!(
            devices[1..],
            [DropDevice::Pod("web".to_owned()), DropDevice::Underlay("eth0".to_owned())]
        );
        assert!(all.knows("OTHERHOST") && !all.knows("LOCAL_MAC"));
        assert_eq!(drops(&inventory, &Sample::default(), None), Observed::Absent);
    }
}
