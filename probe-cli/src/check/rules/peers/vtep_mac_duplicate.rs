//! Another node sends with this node's own VTEP MAC address.

use super::{
    super::{drops, prelude::*},
    another_identity,
};
use crate::model::Tunnel;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "peer-vtep-mac-duplicate",
    family: Family::Peers,
    title: "another node has this node's VTEP MAC address",
    symptom: "Pods of that node are not reached, and no counter of the tunnel moves.",
    core: false,
    needs: &[Need::Traffic, Need::Drops],
    explained_by: &["peer-vtep-mac-shared"],
    explain: Explain {
        how: "With --with-traffic: packets that a VXLAN device drops for LOCAL_MAC, since their source is its own MAC address. Kernels \
              that do not have the reason do not say that they drop such packets.",
        why: "Cloned machines have one machine-id, of which udev makes MAC addresses (MACAddressPolicy=persistent); or the address stands in \
              the annotations of both Nodes, where flannel keeps it.",
        fix: "On the clone: a new machine-id, delete the tunnel device, remove flannel's annotations from the Node, reboot.",
        not_if: "The network below sends this node its own packets back.",
        seen_in: "flannel#1155, flannel#1788, systemd#14744",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    drops::judged(model, &["LOCAL_MAC"], drops::is_on_tunnel, |row| {
        let mac = model.inventory.tunnel(row.ifindex).and_then(|tunnel: &Tunnel| tunnel.mac);
        let mac = mac.map_or_else(|| "the MAC address".to_owned(), |mac| mac.to_string());
        let (from, device) = (drops::sender(model, row), escape(row.device.name()));
        drops::seen(
            Finding::new(
                Fail,
                SubjectKind::Peer,
                &from,
                format!("{from} sends with {mac}, which is that of {device} here: its packets are dropped."),
            ),
            &[row],
        )
        .on(row.ifindex)
        .seen(format!("{device} here"), mac, "ip link")
        .fix_elsewhere(another_identity(&from))
    })
}
