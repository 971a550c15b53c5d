//! A network of the node overlaps with those of pods or services.

use ipnet::IpNet;

use super::super::prelude::*;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "host-network-overlaps-pods",
    family: Family::Host,
    title: "a network of the node overlaps with the pods' or services' network",
    symptom: "Some addresses outside of the cluster, or some pods, are not reached from this node.",
    core: false,
    needs: &[Need::Files, Need::Addresses],
    explained_by: &[],
    explain: Explain {
        how: "Networks of the node's NICs against cluster CIDRs and service CIDRs.",
        why: "The default networks (10.42.0.0/16, 10.43.0.0/16) are in use in the node's network.",
        fix: "Choose another cluster-cidr or service-cidr for a new cluster; or give the NIC's network other addresses.",
        not_if: "The node's address is in the network on purpose, as with some clouds' native routing.",
        seen_in: "rke2#3726, flannel#844, kubernetes#59687",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let Some(intent) = &model.setup.intent else { return Outcome::DoesNotApply("no files are read") };
    let networks: Vec<(&str, IpNet)> = intent
        .cluster_cidrs
        .iter()
        .map(|cidr| ("pods", cidr.value))
        .chain(intent.service_cidrs.iter().map(|cidr| ("services", cidr.value)))
        .collect();
    if networks.is_empty() {
        return Outcome::DoesNotApply("no file names the cluster's networks");
    }
    let overlap = |one: IpNet, other: IpNet| one.contains(&other.network()) || other.contains(&one.network());
    let mut findings = Vec::new();
    for own in &model.inventory.node.addresses {
        let network = own.address.trunc();
        let taken = networks.iter().find(|(_, taken)| overlap(network, *taken));
        let Some((who, taken)) = taken else { continue };
        let name = escape(&own.interface);
        findings.push(
            Finding::new(
                Warn,
                SubjectKind::Interface,
                &own.interface,
                format!("{network} of {name} overlaps with {taken} of {who}."),
            )
            .seen(name, own.address, "ip address")
            .seen(format!("network of {who}"), taken, "configuration")
            .fix(format!("Give the network of {} other addresses, or choose another network for {who} in a new cluster.", escape(&own.interface))),
        );
    }
    Outcome::Judged(findings)
}
