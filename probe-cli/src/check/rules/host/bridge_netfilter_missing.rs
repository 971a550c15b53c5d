//! Pods on a bridge, and the kernel shows no bridged packets to iptables.

use super::super::prelude::*;
use crate::{model::LinkRole, observed::Observed};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "host-bridge-netfilter-missing",
    family: Family::Host,
    title: "bridged packets of pods do not pass iptables",
    symptom: "Pods do not reach services whose endpoint is on the same node.",
    core: false,
    needs: &[Need::Sysctls],
    explained_by: &[],
    explain: Explain {
        how: "net.bridge.bridge-nf-call-iptables, where pods are ports of a bridge (cni0).",
        why: "The module br_netfilter is not loaded, or a sysctl file turns it off. The answer of a pod on the same bridge then \
              goes straight to the sender, who does not expect it from that address.",
        fix: "Load br_netfilter at boot and set the sysctl to 1.",
        not_if: "The CNI's bridge has no service traffic, or kube-proxy is replaced.",
        seen_in: "flannel#2068, flannel#2166",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let bridge = model.inventory.links.links.iter().find(|link| link.roles.contains(&LinkRole::PodBridge));
    let Some(bridge) = bridge else { return Outcome::DoesNotApply("no bridge of pods is here") };
    let value = &model.snapshot.network.sysctls.bridge_nf_call_iptables;
    let shown_value = match value {
        Observed::Value(1) => return Outcome::Judged(Vec::new()),
        Observed::Value(value) => value.to_string(),
        Observed::Absent => "missing (br_netfilter is not loaded)".to_owned(),
        Observed::Denied { .. } | Observed::Unsupported { .. } | Observed::Failed { .. } => {
            return Outcome::NotJudged(value.trouble().unwrap_or_default());
        }
    };
    let name = escape(&bridge.name);
    Outcome::Judged(vec![
        Finding::new(
            Warn,
            SubjectKind::Setting,
            "net.bridge.bridge-nf-call-iptables",
            format!("Packets between pods on {name} do not pass iptables, and so no service rules."),
        )
        .seen("bridge-nf-call-iptables", shown_value, "/proc/sys/net/bridge")
        .fix("Load br_netfilter and turn its settings on; make both last in /etc/modules-load.d and /etc/sysctl.d.")
        .run("modprobe br_netfilter")
        .run("sysctl -w net.bridge.bridge-nf-call-iptables=1")
        .run("sysctl -w net.bridge.bridge-nf-call-ip6tables=1"),
    ])
}
