//! NetworkManager runs and was not told to leave the CNI's interfaces alone.

use std::collections::BTreeSet;

use super::super::prelude::*;
use crate::facts::netlink::LinkFact;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "host-networkmanager-manages",
    family: Family::Host,
    title: "NetworkManager may change the CNI's interfaces",
    symptom: "Routes and addresses of pods or of the tunnel vanish at random, often after a reload.",
    core: false,
    needs: &[Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "`unmanaged-devices` of NetworkManager's configuration against the names of this node's tunnels and pod interfaces.",
        why: "NetworkManager takes care of every interface that no file excludes.",
        fix: "Write `[keyfile]` and `unmanaged-devices+=interface-name:cali*;interface-name:flannel*` (as the finding has it for this node) into \
              a file of /etc/NetworkManager/conf.d and reload; RKE2 asks for a reboot of a node that runs already.",
        not_if: "",
        seen_in: "rke2#786, calico#4662",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let manager = match super::network_manager(model) {
        Ok(manager) => manager,
        Err(outcome) => return outcome,
    };
    match manager.is_running {
        Some(true) => {}
        Some(false) => return Outcome::DoesNotApply("NetworkManager does not run"),
        None => return Outcome::NotJudged("whether NetworkManager runs is not known".to_owned()),
    }
    let links = &model.snapshot.netlink.links;
    let is_left_alone = |link: &LinkFact| {
        let kind = link.kind.as_deref().unwrap_or_default();
        manager.unmanaged.iter().any(|rule| excludes(&rule.value, &link.name, kind))
    };
    let tunnels = model.inventory.all_tunnels().map(|tunnel| tunnel.ifindex);
    let tunnels = tunnels.filter(|ifindex| model.inventory.is_of_cni(*ifindex));
    let pods = model.inventory.pods.iter().filter_map(|pod| pod.host_ifindex);
    let of_cni: BTreeSet<u32> = tunnels.chain(pods).collect();
    let managed: Vec<&LinkFact> =
        links.iter().filter(|link| of_cni.contains(&link.ifindex) && !is_left_alone(link)).collect();
    if managed.is_empty() {
        return Outcome::Judged(Vec::new());
    }
    let named: Vec<String> = managed.iter().take(3).map(|link| escape(&link.name)).collect();
    let patterns: BTreeSet<String> = managed.iter().map(|link| pattern(&link.name)).collect();
    let patterns: Vec<String> =
        patterns.into_iter().map(|pattern| format!("interface-name:{pattern}")).collect();
    let line = format!("unmanaged-devices+={}", patterns.join(";"));
    Outcome::Judged(vec![
        Finding::new(
            Warn,
            SubjectKind::Setting,
            "NetworkManager",
            format!("NetworkManager runs and manages {} of the CNI.", counted(managed.len(), "interface")),
        )
        .seen("managed", named.join(", "), "no unmanaged-devices rule names them")
        .fix("Tell NetworkManager to leave them alone. RKE2 asks for a reboot afterwards, when the node can be drained.")
        .run(format!("printf '%s\\n' '[keyfile]' {} > /etc/NetworkManager/conf.d/zz-cni.conf", quoted(&line)))
        .run("systemctl reload NetworkManager"),
    ])
}

/// One rule for all interfaces that a plugin names alike.
fn pattern(name: &str) -> String {
    let prefixes = ["cali", "lxc", "veth", "flannel", "cilium_"];
    prefixes
        .iter()
        .find(|prefix| name.starts_with(**prefix))
        .map_or_else(|| name.to_owned(), |prefix| format!("{prefix}*"))
}

/// Whether a rule of NetworkManager.conf(5) is for an interface: `interface-name:` or a bare name with `*` and `?`; `driver:` and
/// `type:` by what the kernel calls the link's kind.
fn excludes(rule: &str, name: &str, kind: &str) -> bool {
    if let Some(wanted) = rule.strip_prefix("driver:").or_else(|| rule.strip_prefix("type:")) {
        return matches(wanted.as_bytes(), kind.as_bytes());
    }
    let pattern = rule.strip_prefix("interface-name:").unwrap_or(rule);
    let pattern = pattern.strip_prefix('=').unwrap_or(pattern);
    matches(pattern.as_bytes(), name.as_bytes())
}

fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), None) => matches(rest, name),
        (Some((b'*', rest)), Some((_, further))) => matches(rest, name) || matches(pattern, further),
        (Some((b'?', rest)), Some((_, further))) => matches(rest, further),
        (Some((one, rest)), Some((other, further))) => one == other && matches(rest, further),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_name_interfaces() {
        for (rule, name, kind, expected) in [
            ("interface-name:cali*", "cali12345", "veth", true),
            ("interface-name:flannel*", "cali12345", "veth", false),
            ("interface-name:=flannel.1", "flannel.1", "vxlan", true),
            ("cni?", "cni0", "bridge", true),
            ("cni?", "cni10", "bridge", false),
            ("*", "x", "", true),
            ("interface-name:veth*x", "vethabx", "veth", true),
            ("driver:veth", "cali12345", "veth", true),
            ("type:wireguard", "wg0", "wireguard", true),
            ("type:wireguard", "flannel.1", "vxlan", false),
        ] {
            assert_eq!(excludes(rule, name, kind), expected, "{rule} {name}");
        }
        assert_eq!(["cali1", "flannel-wg", "tunl0"].map(pattern), ["cali*", "flannel*", "tunl0"]);
    }
}
