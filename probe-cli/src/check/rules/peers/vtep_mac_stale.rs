//! Other nodes send to a VTEP MAC address that this node does not have any more.

use super::{
    super::{drops, prelude::*},
    restart,
};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "peer-vtep-mac-stale",
    family: Family::Peers,
    title: "other nodes send to a VTEP MAC address that this node does not have",
    symptom: "Pods of this node are not reached from other nodes, although the tunnel receives packets.",
    core: false,
    needs: &[Need::Traffic, Need::Drops],
    explained_by: &["dataplane-packets-filtered", "peer-old-mac"],
    explain: Explain {
        how: "With --with-traffic: unicast packets that the kernel drops on a tunnel for OTHERHOST, since they are to another MAC \
              address than the device's.",
        why: "The device got another MAC address after the agent had announced the first: systemd-udevd makes it persistent \
              (MACAddressPolicy), or somebody set it. The other nodes keep the first.",
        fix: "Restart the CNI's agent, which announces the present address; and keep udev from changing it.",
        not_if: "",
        seen_in: "flannel#1155, flannel#1795, flannel#1828",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let is_meant = |row: &crate::model::DropRow| drops::is_on_tunnel(row) && !row.to_group && !row.is_outer();
    drops::judged(model, &["OTHERHOST"], is_meant, |row| {
        let device = escape(row.device.name());
        let text = |mac: Option<crate::model::Mac>| {
            mac.map_or_else(|| "another address".to_owned(), |mac| mac.to_string())
        };
        let (own, stale) = (model.inventory.tunnel(row.ifindex).and_then(|tunnel| tunnel.mac), row.last.mac);
        let finding = Finding::new(
            Fail,
            SubjectKind::Interface,
            row.device.name(),
            format!(
                "Other nodes send to {}, but {device} has {}: their packets are dropped.",
                text(stale),
                text(own)
            ),
        );
        let finding =
            drops::seen(finding, &[row]).on(row.ifindex).seen(format!("{device} here"), text(own), "ip link");
        let mut finding = restart(model, finding);
        finding.fix.text.push_str(
            " So that it lasts, write /etc/systemd/network/10-flannel.link with `OriginalName=flannel*` below `[Match]` and \
             `MACAddressPolicy=none` below `[Link]`.",
        );
        finding
    })
}
