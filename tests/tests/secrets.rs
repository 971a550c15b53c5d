//! That no secret of a node gets into what a recording holds, nor into anything that the tool prints: each place where a node
//! keeps one has a marker, and what stands beside it was read.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

use overlay_probe::{engine, engine::HostOptions, netns, record::Recording, sample::Frame};
use probe_tests::{
    base64,
    cri::{self, Pod},
    hand::Pair,
    hostroot::HostRoot,
    sh,
    tool::run,
};

/// In every secret.
const SECRET: &str = "hunter2";

/// A node's configuration, with `hunter2` wherever a secret may be.
fn files() -> Vec<(&'static str, String)> {
    let config = serde_json::json!({
        "cniVersion": "1.0.0", "name": "cbr0", "type": "calico",
        "ipam": {"type": "whereabouts", "range": "10.60.7.0/24", "kubernetes": {"kubeconfig": "/etc/cni/net.d/whereabouts.d/whereabouts.kubeconfig", "token": "hunter2"}},
        "kubernetes": {"k8s_auth_token": "hunter2"}, "etcd_password": "hunter2",
    });
    let cached = serde_json::json!({
        "kind": "cniCacheV1", "containerId": "c".repeat(64), "ifName": "net7", "networkName": "cbr0",
        "config": base64(config.to_string().as_bytes()),
        "cniArgs": [["K8S_POD_NAME", "cart-0"], ["K8S_POD_NAMESPACE", "shop"], ["TOKEN", "hunter2"]],
        "capabilityArgs": {"io.kubernetes.cri.pod-annotations": {
            "k8s.v1.cni.cncf.io/networks": "macvlan", "vault/token": "hunter2",
            "kubectl.kubernetes.io/last-applied-configuration": "{\"env\": \"hunter2\"}",
        }},
        "result": {"cniVersion": "1.0.0", "interfaces": [{"name": "net7", "sandbox": "/var/run/netns/cni-cart-0"}],
            "ips": [{"interface": 0, "address": "10.60.7.9/24"}]},
    });
    // A service account's: header, claims, signature.
    let claims = base64(b"{\"exp\":1893456000,\"sub\":\"wb\"} ");
    let token = format!("hunter2.{claims}.hunter2");
    vec![
        (
            "etc/rancher/rke2/config.yaml",
            "token: hunter2\nagent-token: hunter2\netcd-s3-secret-key: hunter2\ndatastore-endpoint: postgres://u:hunter2@db\n\
             private-registry: hunter2\ncluster-cidr: 10.60.0.0/16\nkube-apiserver-arg:\n- basic-auth=hunter2\n"
                .to_owned(),
        ),
        (
            "etc/systemd/system/rke2-server.service",
            "[Service]\nEnvironment=RKE2_TOKEN=hunter2\nExecStart=/usr/local/bin/rke2 server --token hunter2 --cni canal \\\n\
             --etcd-s3-secret-key=hunter2 --service-cidr 10.61.0.0/16\n"
                .to_owned(),
        ),
        ("etc/default/rke2-server", "RKE2_TOKEN=hunter2\nRKE2_CLUSTER_DNS=10.61.0.10\n".to_owned()),
        (
            "var/lib/rancher/rke2/server/manifests/rke2-canal-config.yaml",
            "apiVersion: helm.cattle.io/v1\nkind: HelmChartConfig\nmetadata:\n  name: rke2-canal\n  namespace: kube-system\n\
             spec:\n  valuesContent: |-\n    flannel:\n      backend: wireguard\n      wireguard: {psk: hunter2}\n    \
             calico:\n      vethuMTU: 1420\n      password: hunter2\n    tls: {key: hunter2}\n"
                .to_owned(),
        ),
        (
            "var/lib/rancher/rke2/server/manifests/secret.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: hunter2\ndata:\n  password: hunter2\n".to_owned(),
        ),
        ("etc/cni/net.d/10-canal.conflist", serde_json::json!({
            "cniVersion": "1.0.0", "name": "cbr0", "plugins": [config],
        }).to_string()),
        (
            "etc/cni/net.d/whereabouts.d/whereabouts.kubeconfig",
            "apiVersion: v1\nkind: Config\nclusters:\n- name: local\n  cluster: {server: 'https://10.61.0.1:443'}\nusers:\n\
             - name: wb\n  user: {token: TOKEN, client-key-data: hunter2, password: hunter2}\n"
                .replace("TOKEN", &token),
        ),
        (
            "etc/cni/net.d/whereabouts.d/whereabouts.conf",
            "{\"datastore\": \"kubernetes\", \"etcd_password\": \"hunter2\", \"kubernetes\": {\"kubeconfig\": \
             \"/etc/cni/net.d/whereabouts.d/whereabouts.kubeconfig\"}}"
                .to_owned(),
        ),
        (
            "var/lib/kubelet/pods/0000/volumes/kubernetes.io~configmap/flannel-cfg/net-conf.json",
            "{\"Network\": \"10.60.0.0/16\", \"Backend\": {\"Type\": \"wireguard\", \"PSK\": \"hunter2\"}, \"Password\": \"hunter2\"}"
                .to_owned(),
        ),
        ("run/flannel/subnet.env", "FLANNEL_NETWORK=10.60.0.0/16\nFLANNEL_SUBNET=10.60.1.1/24\nETCD_PASSWORD=hunter2\n".to_owned()),
        ("var/lib/cni/results/cbr0-cart-0-net7", cached.to_string()),
    ]
}

/// What is found on the node of these files, as a recording holds it.
fn recorded(node: &netns::Namespace, root: &Path, socket: &Path) -> String {
    let options = HostOptions { root: root.to_owned(), is_node: true, cri_socket: Some(socket.to_owned()) };
    thread::scope(|scope| {
        let look = scope.spawn(|| {
            netns::enter(node).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let frame: Frame = runtime.block_on(engine::look(&options)).unwrap();
            serde_json::to_string(&frame).unwrap()
        });
        look.join().unwrap()
    })
}

#[test]
fn a_recording_of_a_node_full_of_secrets_holds_none() {
    let pair = Pair::new("secrets");
    let root = HostRoot::new(&files());
    let mut pod = Pod::new("cart-0", &["10.60.1.9"]);
    pod.listed.annotations.insert("vault/token".to_owned(), SECRET.to_owned());
    pod.listed.labels.insert("password".to_owned(), SECRET.to_owned());
    let directory = tempfile::TempDir::new().unwrap();
    let socket = directory.path().join("cri.sock");
    let _runtime = cri::runtime(&socket, &Arc::new(Mutex::new(vec![pod])));
    let recording = recorded(&pair.open(1), root.path(), &socket);
    // The files and the runtime were read: what stands beside the secrets is there.
    for beside in [
        "10.60.0.0/16",
        "10.61.0.0/16",
        "canal",
        "1420",
        "wireguard",
        "10.60.7.0/24",
        "whereabouts.kubeconfig",
        "1893456000",
        "10.60.1.1/24",
        "net7",
        "macvlan",
        "cart-0",
    ] {
        assert!(recording.contains(beside), "{beside} is not in {recording}");
    }
    assert_eq!(leak(&recording), None);
    let bundle = bundle(pair.node(1), root.path(), &socket, directory.path());
    assert!(bundle.contains("10.60.0.0/16") && bundle.contains("verdict"), "{bundle}");
    assert_eq!(leak(&bundle), None);
    let file = file(pair.node(1), root.path(), &socket, directory.path());
    assert!(file.contains("10.60.0.0/16") && file.contains("cart-0"), "{file}");
    assert_eq!(leak(&file), None);
}

/// All frames that `record` writes of the node.
fn file(node: &str, root: &Path, socket: &Path, directory: &Path) -> String {
    let path = directory.join("node.ovp");
    let [root, socket, file] = [root, socket, &path].map(|path| path.to_str().unwrap());
    let target = ["--netns", node, "--host-root", root, "--cri-socket", socket];
    let output = run(&[&target[..], &["record", file, "--count", "2", "--interval", "200ms"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut recording = Recording::open(fs::File::open(&path).unwrap()).unwrap();
    (0..recording.count())
        .map(|number| serde_json::to_string(&recording.frame(number).unwrap()).unwrap())
        .collect()
}

/// All that is in a support bundle of the node.
fn bundle(node: &str, root: &Path, socket: &Path, directory: &Path) -> String {
    let file = directory.join("bundle.tar.gz");
    let [root, socket, file] = [root, socket, &file].map(|path| path.to_str().unwrap());
    let target = ["--netns", node, "--host-root", root, "--cri-socket", socket];
    run(&[&target[..], &["check", "--window", "50ms", "--support-bundle", file]].concat());
    sh("tar", &["-xzf", file, "-C", directory.to_str().unwrap()]);
    let members = fs::read_dir(directory.join("overlay-probe")).unwrap();
    members.map(|member| fs::read_to_string(member.unwrap().path()).unwrap()).collect()
}

/// The same files, each of them broken in one of the ways that files break: cut short, with something behind its end, of another
/// type than expected. The secret is then where parsers stop, and what errors quote.
fn broken() -> Vec<(&'static str, String)> {
    let broken = |(number, (path, text)): (usize, (&'static str, String))| {
        let cut = |at: &str| text.rfind(at).map(|end| text[..end + at.len()].to_owned());
        let text = match number % 3 {
            0 => cut(SECRET).unwrap(),
            1 => format!("{text}\n\thunter2: }}hunter2\"{{hunter2\n"),
            _ => text.replace(['[', ']'], "hunter2").replace(": {", ": hunter2 {"),
        };
        (path, text)
    };
    files().into_iter().enumerate().map(broken).collect()
}

/// Commands that read a node, each with every format that it has.
fn commands() -> Vec<Vec<&'static str>> {
    let mut commands = vec![vec!["cleanup"]];
    for what in ["node", "links", "peers", "mtu", "pods", "vfs"] {
        commands.extend(["table", "json"].map(|format| vec!["show", what, "--format", format]));
    }
    for format in ["table", "jsonl"] {
        commands.push(vec!["watch", "--count", "1", "--interval", "200ms", "--format", format]);
    }
    for format in ["table", "json", "junit", "sarif", "markdown", "nagios", "npd"] {
        commands.push(vec!["check", "--window", "100ms", "--format", format]);
    }
    commands
}

/// In tables, documents, logs and errors, with all that `-vv` says.
#[test]
fn nothing_that_is_printed_holds_a_secret() {
    let pair = Pair::new("printed");
    let pod = Pod::new("cart-0", &["10.60.1.9"]);
    let directory = tempfile::TempDir::new().unwrap();
    let socket = directory.path().join("cri.sock");
    let _runtime = cri::runtime(&socket, &Arc::new(Mutex::new(vec![pod])));
    for (files, is_broken) in [(files(), false), (broken(), true)] {
        let root = HostRoot::new(&files);
        let node = ["-vv", "--netns", pair.node(1), "--host-root", root.path().to_str().unwrap()];
        let mut printed = String::new();
        for command in commands() {
            let mut words = [&node[..], &command].concat();
            if command[0] != "cleanup" {
                words.extend(["--cri-socket", socket.to_str().unwrap()]);
            }
            let output = run(&words);
            for text in [&output.stdout, &output.stderr] {
                let text = String::from_utf8_lossy(text);
                assert_eq!(leak(&text), None, "{command:?}, broken: {is_broken}");
                assert!(!text.contains("panicked"), "{text}");
                printed.push_str(&text);
            }
        }
        // The files were read, or what is wrong with them was said.
        let seen = if is_broken { "config.yaml" } else { "10.60.0.0/16" };
        assert!(printed.contains(seen) && printed.contains("cart-0"), "{printed}");
    }
}

/// What is around a secret in the recording.
fn leak(recording: &str) -> Option<String> {
    // In base64 a text has one of three forms, by where it begins. Characters that depend on its neighbours are left out.
    let encoded = (0..3).map(|before| {
        let encoded = base64(format!("{}{SECRET}__", "_".repeat(before)).as_bytes());
        encoded[(before * 4).div_ceil(3)..(before + SECRET.len()) * 4 / 3].to_owned()
    });
    let mut forms = encoded.chain([SECRET.to_owned()]);
    forms.find_map(|form| {
        let at = recording.find(form.as_str())?;
        let around = &recording.as_bytes()[at.saturating_sub(80)..at + form.len()];
        Some(String::from_utf8_lossy(around).into_owned())
    })
}

#[test]
fn a_leak_is_found_plain_and_in_base64() {
    for text in ["password hunter2", "x hunter2 y", "xy hunter2 z", "hunter2"] {
        assert!(leak(&base64(text.as_bytes())).is_some(), "{text}");
        assert!(leak(text).is_some(), "{text}");
    }
    assert_eq!(leak("hunter1"), None);
}
