//! Whose word is taken for flannel's: of which process, and of which pod.

use super::SUBNET_ENV;
use crate::{
    facts::files::HostFiles,
    hostfiles::tests::{Host, note},
    observed::Observed,
};

/// Whoever calls a process flanneld is not believed for that.
#[test]
fn flanneld_is_a_program_of_root() {
    const LEASE: &str = "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.1.1/24\nFLANNEL_MTU=1450\n";
    let lease = |name: &str, uid: &str, user: &str, program: &str| {
        Host::new()
            .write("proc/4711/comm", format!("{name}\n"))
            .write("proc/4711/status", format!("Name:\t{name}\nUid:\t{uid}\nGid:\t0\t0\t0\t0\n"))
            .link("proc/4711/ns/user", user)
            .link("proc/4711/exe", program)
            .write(&format!("proc/4711/root{SUBNET_ENV}"), LEASE)
            .read()
            .subnet_env
    };
    let (root, user, program) = ("0\t0\t0\t0", "user:[4026531837]", "/opt/bin/flanneld");
    let found = lease("flanneld", root, user, program);
    assert_eq!(found.value().unwrap().file, format!("/proc/4711/root{SUBNET_ENV}"));
    assert!(lease("flanneld", root, user, "/flanneld (deleted)").value().is_some());
    for (name, uid, user, program) in [
        ("sleep", root, user, program),
        ("flanneld", "0\t65534\t0\t0", user, program),
        ("flanneld", "", user, program),
        ("flanneld", root, "user:[4026532200]", program),
        ("flanneld", root, user, "/usr/bin/sleep"),
    ] {
        assert_eq!(lease(name, uid, user, program), Observed::Absent, "{name} {uid} {user} {program}");
    }
}

/// Anybody who may make a pod can have a ConfigMap mounted as `flannel-cfg`.
#[test]
fn flannels_configuration_is_that_of_flannels_pod() {
    const VOLUME: &str = "volumes/kubernetes.io~configmap/flannel-cfg";
    let host = Host::new();
    for (pod, time, network, backend) in
        [("a", "2024_01_01", "10.42.0.0/16", "vxlan"), ("b", "2024_06_06", "6.6.0.0/16", "host-gw")]
    {
        let volume = format!("var/lib/kubelet/pods/{pod}/{VOLUME}");
        let text = format!("{{\"Network\": \"{network}\", \"Backend\": {{\"Type\": \"{backend}\"}}}}");
        host.write(&format!("{volume}/..{time}/net-conf.json"), text)
            .link(&format!("{volume}/..data"), &format!("..{time}"))
            .link(&format!("{volume}/net-conf.json"), "..data/net-conf.json");
    }
    let backend =
        |files: &HostFiles| files.flannel.value().and_then(|conf| Some(conf.backend.clone()?.value));
    let files = host.read_with(&[("a", "kube-system"), ("b", "shop")]);
    assert_eq!(backend(&files).as_deref(), Some("vxlan"));
    assert!(note(&files).contains("its pod is in the Kubernetes namespace shop"), "{files:?}");
    let files = host.read_with(&[("a", "kube-flannel"), ("c", "kube-system")]);
    assert_eq!((backend(&files).as_deref(), files.notes.len()), (Some("vxlan"), 0), "b's pod is gone");
    assert_eq!(host.read_with(&[("b", "shop")]).flannel, Observed::Absent);
    // Without a runtime nobody says whose they are.
    let trouble = host.read().flannel.trouble().unwrap();
    assert!(
        trouble.contains("they differ") && trouble.contains("/a/") && trouble.contains("/b/"),
        "{trouble}"
    );
}

#[test]
fn the_root_of_a_process_has_no_links() {
    let host = Host::new();
    host.write("proc/4711/comm", "flanneld\n")
        .write("proc/4711/status", "Uid:\t0\t0\t0\t0\n")
        .link("proc/4711/ns/user", "user:[4026531837]")
        .link("proc/4711/exe", "/opt/bin/flanneld")
        .write(&format!("proc/4711/root{}", SUBNET_ENV.replace("subnet.env", "other")), "FLANNEL_MTU=1450\n")
        .link(&format!("proc/4711/root{SUBNET_ENV}"), "other");
    assert!(host.read().subnet_env.trouble().is_some());
}
