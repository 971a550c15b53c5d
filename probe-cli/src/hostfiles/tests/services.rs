//! What services of k3s and pods of flannel tell of whose the network is.

use super::Host;
use crate::{
    facts::files::{FirewallKind, FlannelOwner, K3sRole, Passed},
    observed::Observed,
};

#[test]
fn firewalls_that_are_on_and_what_they_let_in() {
    let host = Host::new();
    let of = |host: &Host| {
        let found = host.read().firewalls.into_iter();
        found.map(|one| (one.kind, one.is_on, one.passes.len())).collect::<Vec<_>>()
    };
    host.write("etc/ufw/ufw.conf", "# on at boot\nENABLED=yes\nLOGLEVEL=low\n");
    host.write("etc/ufw/user.rules", "*filter\n-A ufw-user-input -p udp --dport 8472 -j ACCEPT\nCOMMIT\n");
    assert_eq!(of(&host), [(FirewallKind::Ufw, Some(true), 1)]);
    host.write("etc/default/ufw", "DEFAULT_INPUT_POLICY=\"ACCEPT\"\n");
    assert_eq!(host.read().firewalls[0].passes[0].value, Passed::All);
    host.write("etc/ufw/ufw.conf", "ENABLED=no\n");
    assert_eq!(of(&host), [(FirewallKind::Ufw, Some(false), 2)]);
    host.write("usr/lib/systemd/system/firewalld.service", "[Unit]\n");
    host.write("etc/firewalld/zones/trusted.xml", "<zone><source address=\"10.42.0.0/16\"/></zone>");
    assert_eq!(of(&host)[0], (FirewallKind::Firewalld, None, 1));
    host.write("sys/fs/cgroup/system.slice/firewalld.service/cgroup.events", "populated 1\nfrozen 0\n");
    assert_eq!(of(&host)[0], (FirewallKind::Firewalld, Some(true), 1));
}

/// k3s with a unit and nothing else; and whose flannel's ConfigMap is, by what else is in it.
#[test]
fn who_runs_and_whose_flannel_it_is() {
    let host = Host::new();
    host.write(
        "etc/systemd/system/k3s-agent.service",
        "[Service]\nExecStart=/usr/local/bin/k3s \\\n    agent \\\n\n",
    );
    let files = host.read();
    assert_eq!(files.k3s_role.as_ref().map(|role| (role.value, role.line)), Some((K3sRole::Agent, Some(3))));
    assert_eq!((files.k3s, files.rke2), (Observed::Absent, Observed::Absent));
    let owner = |host: &Host| host.read().flannel.value().map(|conf| conf.owner);
    assert_eq!(owner(&host), None);
    host.write("var/lib/rancher/k3s/agent/etc/flannel/net-conf.json", "{\"Network\": \"10.42.0.0/16\"}");
    assert_eq!(owner(&host), Some(FlannelOwner::K3s));
    // Where k3s is told that it is somebody's own.
    host.write("etc/rancher/k3s/config.yaml", "flannel-conf: /etc/flannel/own.json\n");
    assert_eq!(owner(&host), None);
    host.write("etc/flannel/own.json", "{\"Backend\": {\"Type\": \"wireguard\"}}");
    let backend = host.read().flannel.value().and_then(|conf| conf.backend.clone());
    assert_eq!(
        backend.map(|backend| (backend.value, backend.file)),
        Some(("wireguard".to_owned(), "/etc/flannel/own.json".to_owned()))
    );
    assert_eq!(owner(&host), Some(FlannelOwner::K3s));
    let volume = "var/lib/kubelet/pods/a/volumes/kubernetes.io~configmap/flannel-cfg";
    host.write(&format!("{volume}/net-conf.json"), "{\"Network\": \"10.42.0.0/16\"}");
    assert_eq!(owner(&host), Some(FlannelOwner::Flannel));
    host.write(&format!("{volume}/canal_iface"), "");
    assert_eq!(owner(&host), Some(FlannelOwner::Canal));
}

/// k3s where there is no systemd.
#[test]
fn arguments_in_a_script_of_openrc() {
    let host = Host::new();
    let script = "#!/sbin/openrc-run\ncommand=\"/usr/local/bin/k3s\"\ncommand_args=\"server \\\n\t'--flannel-iface=eth1' \\\n\t\
        '--node-ip' \\\n\t'192.0.2.1' \\\n    >>/var/log/k3s.log 2>&1\"\n\nrespawn_max=0\n";
    host.write("etc/init.d/k3s", script);
    let files = host.read();
    let settings = files.k3s.value().unwrap();
    let said =
        |key: &str| settings[key].iter().map(|value| (value.value.as_str(), value.line)).collect::<Vec<_>>();
    assert_eq!(settings.len(), 2, "{settings:?}");
    assert_eq!(said("flannel-iface"), [("eth1", Some(4))]);
    assert_eq!(said("node-ip"), [("192.0.2.1", Some(6))]);
    assert_eq!(files.k3s_role.as_ref().map(|role| (role.value, role.line)), Some((K3sRole::Server, Some(3))));
    // A unit counts where there is one.
    host.write("etc/systemd/system/k3s.service", "[Service]\nExecStart=/usr/local/bin/k3s agent\n");
    let files = host.read();
    assert_eq!((files.k3s, files.k3s_role.map(|role| role.value)), (Observed::Absent, Some(K3sRole::Agent)));
}
