//! NetworkManager runs and was not told to leave the CNI's interfaces alone.

use super::super::prelude::*;

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
        fix: "Exclude them: keyfile unmanaged-devices=interface-name:cali*;interface-name:flannel*, then reload.",
        not_if: "",
        seen_in: "rke2#786, calico#4662",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let manager = model.snapshot.files.value().and_then(|files| files.network_manager.value());
    let Some(manager) = manager else { return Outcome::DoesNotApply("NetworkManager is not installed") };
    match manager.is_running {
        Some(true) => {}
        Some(false) => return Outcome::DoesNotApply("NetworkManager does not run"),
        None => return Outcome::NotJudged("whether NetworkManager runs is not known".to_owned()),
    }
    let tunnels = model.inventory.all_tunnels().map(|tunnel| tunnel.name.as_str());
    let pods = model.inventory.pods.iter().filter_map(|pod| pod.host_ifname.as_deref());
    let is_left_alone = |name: &str| manager.unmanaged.iter().any(|rule| excludes(&rule.value, name));
    let mut managed: Vec<&str> = tunnels.chain(pods).filter(|name| !is_left_alone(name)).collect();
    managed.sort_unstable();
    managed.dedup();
    if managed.is_empty() {
        return Outcome::Judged(Vec::new());
    }
    let named: Vec<String> = managed.iter().take(3).map(|name| escape(name)).collect();
    Outcome::Judged(vec![
        Finding::new(
            Warn,
            SubjectKind::Setting,
            "NetworkManager",
            format!("NetworkManager runs and manages {} of the CNI.", counted(managed.len(), "interface")),
        )
        .seen("managed", named.join(", "), "no unmanaged-devices rule names them")
        .fix("Tell it to leave them alone; the reload interrupts nothing.")
        .run(
            "printf '[keyfile]\\nunmanaged-devices=interface-name:cali*;interface-name:flannel*;interface-name:cni*;\
             interface-name:vxlan*;interface-name:wireguard.cali\\n' > /etc/NetworkManager/conf.d/cni.conf",
        )
        .run("systemctl reload NetworkManager"),
    ])
}

/// Whether a rule of NetworkManager.conf(5) names an interface: `interface-name:`, with `*` and `?`; or a bare name.
fn excludes(rule: &str, name: &str) -> bool {
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
        for (rule, name, expected) in [
            ("interface-name:cali*", "cali12345", true),
            ("interface-name:flannel*", "cali12345", false),
            ("interface-name:=flannel.1", "flannel.1", true),
            ("cni?", "cni0", true),
            ("cni?", "cni10", false),
            ("*", "x", true),
            ("interface-name:veth*x", "vethabx", true),
        ] {
            assert_eq!(excludes(rule, name), expected, "{rule} {name}");
        }
    }
}
