//! A tunnel sends from an address that this node does not have.

use super::super::{agent, prelude::*};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "dataplane-source-not-here",
    family: Family::Dataplane,
    title: "a tunnel sends from an address that this node does not have",
    symptom: "Nothing that pods of this node send to other nodes arrives, since the node's address changed.",
    core: false,
    needs: &[Need::Addresses],
    explained_by: &["dataplane-underlay-down"],
    explain: Explain {
        how: "IFLA_VXLAN_LOCAL or IFLA_IPTUN_LOCAL of each tunnel against the node's addresses.",
        why: "DHCP or an administrator gave the node another address while the tunnel existed.",
        fix: "Restart the CNI's agent, which makes the tunnel again with the new address and tells other nodes.",
        not_if: "",
        seen_in: "flannel#2293",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let with_source: Vec<_> = model
        .inventory
        .all_tunnels()
        .filter(|tunnel| model.inventory.is_of_cni(tunnel.ifindex))
        .filter_map(|tunnel| Some((tunnel, tunnel.local?)))
        .collect();
    if with_source.is_empty() {
        return Outcome::DoesNotApply("no tunnel has a fixed source address");
    }
    let addresses = model.snapshot.netlink.addresses.rows();
    let is_here = |address| addresses.iter().any(|own| own.address.addr() == address);
    let away = with_source.into_iter().filter(|(_, local)| !local.is_unspecified() && !is_here(*local));
    let intent = model.setup.intent.as_ref();
    let findings = away.map(|(tunnel, local)| {
        let name = escape(&tunnel.name);
        let finding = Finding::new(
            Fail,
            SubjectKind::Interface,
            &tunnel.name,
            format!("{name} sends from {local}, which is not an address of this node."),
        )
        .on(tunnel.ifindex)
        .seen(name, local, "ip -d link: local");
        let configured = intent.and_then(|intent| intent.node_ips.iter().find(|own| own.value == local));
        let place = configured.and_then(|own| own.file.as_deref().map(|file| (escape(file), own.line)));
        match place {
            Some((file, line)) => {
                let place = line.map_or_else(|| file.clone(), |line| format!("{file}:{line}"));
                finding.seen("node-ip", local, place.clone()).fix(format!(
                    "Give the node this address back; or correct node-ip ({place}), restart RKE2 on this node, then the CNI's \
                     agent, which makes the tunnel again (traffic to other nodes stops for a few seconds)."
                ))
            }
            None => finding.fix(
                "Restart the CNI's agent on this node, which makes the tunnel again (traffic to other nodes stops for a few \
                 seconds).",
            ),
        }
    });
    agent::all_restarted(model, Outcome::Judged(findings.collect()))
}
