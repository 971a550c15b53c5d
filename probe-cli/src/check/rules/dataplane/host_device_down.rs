//! A device of the CNI's own, by which pods' packets pass, is set down.

use super::super::{agent, prelude::*};
use crate::model::{LinkRow, LinkState};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "dataplane-host-device-down",
    family: Family::Dataplane,
    title: "the CNI's device between the node and its pods is down",
    symptom: "The node reaches none of its pods: probes fail, and so do connections that pass by the node's network stack.",
    core: true,
    needs: &[],
    explained_by: &[],
    explain: Explain {
        how: "IFF_UP of both ends of Cilium's pair of veths (cilium_host, cilium_net) and of that of Calico's eBPF data plane \
              (bpfin.cali, bpfout.cali), where both ends are in the node's network namespace.",
        why: "Somebody, or a network manager, took it down. The kernel removes the routes by a device that goes down, and the \
              agent does not always write them again.",
        fix: "Bring the device up and restart the CNI's agent, which writes the routes again.",
        not_if: "",
        seen_in: "",
    },
    run,
};

/// Both ends of such pairs: Cilium's (`setupBaseDevice`, pkg/datapath/loader) and Calico's
/// (`BPFInDev`, `BPFOutDev`, felix/dataplane/linux/dataplanedefs).
const PAIRS: [[&str; 2]; 2] = [["cilium_host", "cilium_net"], ["bpfin.cali", "bpfout.cali"]];

fn run(model: &Model) -> Outcome {
    let links = &model.inventory.links.links;
    let link = |name: &str| links.iter().find(|link| link.name == name);
    let pairs: Vec<[&LinkRow; 2]> =
        PAIRS.iter().filter_map(|[one, other]| Some([link(one)?, link(other)?])).collect();
    if pairs.is_empty() {
        return Outcome::DoesNotApply("no CNI has such a device here");
    }
    // The other end of one that is down has no carrier: it is not what is to be brought up.
    let down = pairs.into_iter().flatten().filter(|link| link.state == LinkState::Down);
    let findings = down.map(|link| {
        let name = escape(&link.name);
        let summary =
            format!("{name} is down: no packet passes by it, and the kernel has removed the routes by it.");
        Finding::new(Fail, SubjectKind::Interface, &link.name, summary)
            .on(link.ifindex)
            .seen(name, "down", "ip link: flags")
            .fix("Bring the device up and restart the CNI's agent on this node, which writes the routes again (pods keep running).")
            .run(format!("ip link set {} up", quoted(&link.name)))
    });
    agent::all_restarted(model, Outcome::Judged(findings.collect()))
}
