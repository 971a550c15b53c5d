//! Other nodes address the tunnel by a MAC address that it does not have.

use super::{
    super::{prelude::*, window::over},
    restart, with_tables,
};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "peer-old-mac",
    family: Family::Peers,
    title: "other nodes send to another MAC address than this node's tunnel has",
    symptom: "Pods of this node are not reached from some other nodes, and their answers do not arrive, either.",
    core: false,
    needs: &[Need::TunnelTables, Need::Window],
    explained_by: &[],
    explain: Explain {
        how: "rx_otherhost_dropped of VXLAN devices during the window: frames for another MAC address (since Linux 5.19).",
        why: "Something gave the device another address after the agent had told it to the other nodes: udev's \
              MACAddressPolicy=persistent, a network manager, a device that was made again.",
        fix: "Restart the agent, which announces the present address. So that it lasts, write /etc/systemd/network/10-flannel.link with \
              `OriginalName=flannel*` below `[Match]` and `MACAddressPolicy=none` below `[Link]`: it is for devices made afterwards.",
        not_if: "The device floods or learns: those are not judged.",
        seen_in: "flannel#1155, flannel#1795",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let tunnels: Vec<_> = with_tables(model)
        .into_iter()
        .filter(|tunnel| tunnel.flood == 0 && model.inventory.is_in_use(tunnel.ifindex))
        .collect();
    if tunnels.is_empty() {
        return Outcome::DoesNotApply("no VXLAN device has its peers in the kernel's tables");
    }
    let Some(window) = &model.window else {
        return Outcome::NotJudged("counters were read once only".to_owned());
    };
    let counted: Vec<_> = tunnels
        .into_iter()
        .filter_map(|tunnel| Some((tunnel, window.links.get(&tunnel.ifindex)?.rx_other_host?)))
        .collect();
    if counted.is_empty() {
        return Outcome::NotJudged(
            "the kernel does not count frames for other MAC addresses: Linux 5.19 and newer do".to_owned(),
        );
    }
    let found = counted.into_iter().filter(|(_, dropped)| *dropped > 0);
    Outcome::Judged(
        found
            .map(|(tunnel, dropped)| {
                let name = escape(&tunnel.name);
                let mac = tunnel.mac.map_or_else(|| "none".to_owned(), |mac| mac.to_string());
                let finding = Finding::new(
                    Fail,
                    SubjectKind::Interface,
                    &tunnel.name,
                    format!("{name} dropped {dropped} packets that other nodes sent to another MAC address than its own."),
                )
                .on(tunnel.ifindex)
                .seen("dropped", format!("{dropped} {}", over(model)), "rx_otherhost_dropped")
                .seen(format!("{name} here"), mac, "ip link");
                restart(model, finding)
            })
            .collect(),
    )
}
