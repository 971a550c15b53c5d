//! Every tree of files in tests/fixtures/hosts, read and joined, as snapshots that people can read.

use std::{fs, path::PathBuf};

use serde_json::{Map, Value, json};

use crate::{
    facts::files::{
        Chart, ChartKind, CniDirectory, CniFile, CniNetwork, CniPlugin, FlannelConf, FlannelOwner, HostFiles,
        K3sRole, Multus, Settings, Sourced, SubnetEnv,
    },
    hostfiles,
    intent::{Backend, Basis, Cni, Intent, intent},
    observed::Observed,
    report,
};

fn hosts() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/hosts")
}

/// What git does not keep.
fn without_times(files: &mut HostFiles) {
    let forget = |file: &mut Observed<crate::facts::files::Kubeconfig>| {
        if let Observed::Value(file) = file {
            file.modified = 0;
        }
    };
    if let Observed::Value(directory) = &mut files.cni {
        for plugin in directory.files.iter_mut().flat_map(|file| &mut file.network.plugins) {
            if let Some(multus) = &mut plugin.multus {
                forget(&mut multus.kubeconfig_file);
            }
        }
    }
    if let Observed::Value(whereabouts) = &mut files.whereabouts {
        forget(&mut whereabouts.kubeconfig_file);
    }
}

/// Leaves out what is not there, and writes a value and its place in one line.
#[expect(clippy::wildcard_enum_match_arm, reason = "JSON has no further kinds of values")]
fn condensed(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) if text == "absent" => None,
        Value::Array(items) => {
            let items: Vec<Value> = items.into_iter().filter_map(condensed).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(mut map) => {
            if map.len() == 1 && map.contains_key("value") {
                return condensed(map.remove("value")?).or(Some(json!(true)));
            }
            if map.contains_key("value") && map.contains_key("line") {
                let file = map["file"].as_str().map(str::to_owned);
                let place = file.map(|file| match map["line"].as_u64() {
                    Some(line) => format!("{file}:{line}"),
                    None => file,
                });
                let basis = map.get("basis").and_then(Value::as_str).map(str::to_owned);
                let words: Vec<String> = basis.into_iter().chain(place).collect();
                let value = match map.remove("value")? {
                    Value::String(text) => text,
                    Value::Null => String::new(),
                    other => other.to_string(),
                };
                return Some(Value::String(
                    format!("{value} ({})", words.join(", ")).trim_start().to_owned(),
                ));
            }
            let map: Map<String, Value> =
                map.into_iter().filter_map(|(key, value)| Some((key, condensed(value)?))).collect();
            (!map.is_empty()).then_some(Value::Object(map))
        }
        other => Some(other),
    }
}

#[test]
fn every_system() {
    let mut names: Vec<String> = fs::read_dir(hosts())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        let mut files = hostfiles::read(&hosts().join(&name));
        without_times(&mut files);
        let both = json!({ "intent": report::intended(&intent(&files)), "facts": files });
        let text = serde_json::to_string_pretty(&condensed(both)).unwrap();
        assert!(!text.contains("not-to-be-kept"), "{name}: a secret is in the facts");
        // The test that no file of the repository names somebody's home takes this for one.
        insta::assert_snapshot!(name, text.replace(concat!("/ro", "ot/"), "/<root>/"));
    }
}

fn sourced<T>(value: T, file: &str) -> Sourced<T> {
    Sourced { value, file: file.to_owned(), line: Some(1) }
}

fn settings(entries: &[(&str, &[&str])]) -> Observed<Settings> {
    let values =
        |values: &[&str]| values.iter().map(|value| sourced((*value).to_owned(), "/config.yaml")).collect();
    Observed::Value(entries.iter().map(|(key, all)| ((*key).to_owned(), values(all))).collect())
}

/// A server with RKE2's configuration, and no other file.
fn server(entries: &[(&str, &[&str])]) -> HostFiles {
    HostFiles {
        rke2_directory: Observed::Value("/var/lib/rancher/rke2".to_owned()),
        rke2: settings(entries),
        charts: Observed::Value(Vec::new()),
        ..HostFiles::default()
    }
}

fn config(name: &str, namespace: Option<&str>, values: &[(&str, &str)]) -> Chart {
    let values =
        values.iter().map(|(key, value)| ((*key).to_owned(), vec![sourced((*value).to_owned(), "/m.yaml")]));
    Chart {
        kind: ChartKind::HelmChartConfig,
        api_version: Some(sourced("helm.cattle.io/v1".to_owned(), "/m.yaml")),
        name: sourced(name.to_owned(), "/m.yaml"),
        namespace: namespace.map(|namespace| sourced(namespace.to_owned(), "/m.yaml")),
        values: values.collect(),
        ..Chart::default()
    }
}

fn cni(intent: &Intent) -> Option<(&Cni, Basis)> {
    intent.cni.as_ref().map(|cni| (&cni.value, cni.basis))
}

#[test]
fn what_rke2_takes_for_its_cni() {
    for (names, expected) in [
        (&["canal"][..], Some(Cni::Canal)),
        (&["multus", "cilium"], Some(Cni::Cilium)),
        (&["none"], Some(Cni::None)),
        (&["multus"], None),
        (&["canal", "multus"], Some(Cni::Canal)),
        (&["canal", "calico"], Some(Cni::Calico)),
        (&["multus", "canal", "calico"], Some(Cni::Calico)),
        (&["weave\u{1b}"], Some(Cni::Other("weave\u{1b}".to_owned()))),
    ] {
        let intent = intent(&server(&[("cni", names)]));
        assert_eq!(cni(&intent), expected.as_ref().map(|cni| (cni, Basis::Configured)), "{names:?}");
        assert_eq!(intent.notes, Vec::<String>::new());
    }
}

#[test]
fn defaults_hold_where_they_are_known_to() {
    // A server without the key has Canal with VXLAN, and RKE2's networks.
    let found = intent(&server(&[]));
    assert_eq!(cni(&found), Some((&Cni::Canal, Basis::Default)));
    assert_eq!(found.backend.unwrap().value, Backend::Vxlan);
    let (vni, port) = (found.vni.unwrap(), found.port.unwrap());
    assert_eq!((vni.value, vni.basis, port.value, port.basis), (1, Basis::Default, 8472, Basis::Default));
    assert_eq!(found.cluster_cidrs[0].value.to_string(), "10.42.0.0/16");
    assert_eq!((found.pod_mtu.unwrap().value, found.ipv6.unwrap().value), (1450, false));
    // On an agent nothing is known without its files.
    let agent = HostFiles { charts: Observed::Absent, ..server(&[("node-ip", &["192.0.2.1"])]) };
    let found = intent(&agent);
    assert_eq!((found.cni, found.backend, found.cluster_cidrs), (None, None, Vec::new()));
    assert_eq!(found.node_ips[0].value.to_string(), "192.0.2.1");
    // Nor where the configuration may not be read.
    let denied = HostFiles { rke2: Observed::Denied { need: "root".to_owned() }, ..server(&[]) };
    let found = intent(&denied);
    assert_eq!((found.cni, found.cluster_cidrs), (None, Vec::new()));
    assert_eq!(found.notes, ["cannot read RKE2's configuration: needs root"]);
    assert_eq!(intent(&HostFiles::default()), Intent::default());
}

/// What no file says may have been said on the command line.
#[test]
fn what_is_there_counts_more_than_a_default() {
    let calico = CniPlugin { kind: sourced("calico".to_owned(), "/10.conf"), ..CniPlugin::default() };
    let network = CniNetwork { plugins: vec![calico], ..CniNetwork::default() };
    let file = CniFile { file: "/10.conf".to_owned(), network, problem: None, unread: None };
    let directory =
        CniDirectory { path: sourced("/".to_owned(), "/"), files: vec![file], default_network: Some(0) };
    for (entries, expected, foreign) in
        [(&[][..], Cni::Calico, None), (&[("cni", &["canal"][..])], Cni::Canal, Some(Cni::Calico))]
    {
        let found = intent(&HostFiles { cni: Observed::Value(directory.clone()), ..server(entries) });
        assert_eq!(found.cni.as_ref().map(|cni| &cni.value), Some(&expected));
        assert_eq!(found.foreign_cni.map(|cni| cni.value), foreign);
    }
}

#[test]
fn a_configuration_counts_by_name_and_namespace() {
    let backend = |chart: Chart| {
        let files = HostFiles { charts: Observed::Value(vec![chart]), ..server(&[]) };
        intent(&files).backend.unwrap().value
    };
    let values = [("flannel.backend", "host-gw")];
    assert_eq!(backend(config("rke2-canal", Some("kube-system"), &values)), Backend::HostGw);
    assert_eq!(backend(config("rke2-canal", None, &values)), Backend::Vxlan);
    assert_eq!(backend(config("canal", Some("kube-system"), &values)), Backend::Vxlan);
}

#[test]
fn what_does_not_fit_is_said_and_not_taken() {
    let files = HostFiles {
        charts: Observed::Value(vec![config(
            "rke2-canal",
            Some("kube-system"),
            &[("flannel.vni", "many"), ("flannel.backendPort", "70000"), ("calico.vethuMTU", "-1")],
        )]),
        ..server(&[("cluster-cidr", &["10.42.0.0"]), ("node-ip", &["eth0"])])
    };
    let found = intent(&files);
    assert_eq!(found.vni.unwrap().basis, Basis::Default);
    assert_eq!(found.port.unwrap().basis, Basis::Default);
    assert_eq!(found.node_ips, []);
    for (value, what) in
        [("many", "VNI"), ("70000", "port"), ("-1", "MTU"), ("10.42.0.0", "CIDR"), ("eth0", "address")]
    {
        let wrong = &format!("\"{value}\" is not a valid {what}");
        let notes = found.notes.iter().filter(|note| note.contains(wrong)).count();
        assert_eq!(notes, 1, "{wrong}: {:?}", found.notes);
    }
}

#[test]
fn a_conf_of_another_backend_says_nothing_of_this_one() {
    let conf = FlannelConf {
        file: "/net-conf.json".to_owned(),
        backend: Some(sourced("vxlan".to_owned(), "/net-conf.json")),
        vni: Some(sourced(7, "/net-conf.json")),
        port: Some(sourced(9999, "/net-conf.json")),
        ..FlannelConf::default()
    };
    let chart = config("rke2-canal", Some("kube-system"), &[("flannel.backend", "wireguard")]);
    let files =
        HostFiles { charts: Observed::Value(vec![chart]), flannel: Observed::Value(conf), ..server(&[]) };
    let found = intent(&files);
    assert_eq!(
        (found.backend.unwrap().value, found.vni, found.port.unwrap().value),
        (Backend::Wireguard, None, 51820)
    );
    assert!(
        found.notes.iter().any(|note| note.starts_with("flannel's backend: /m.yaml:1 says wireguard, but "))
    );
}

fn flannel_conf(owner: FlannelOwner, backend: Option<&str>) -> FlannelConf {
    let file = "/net-conf.json".to_owned();
    let backend = backend.map(|name| sourced(name.to_owned(), "/net-conf.json"));
    let network = Some(sourced("10.99.0.0/16".parse().unwrap(), "/net-conf.json"));
    FlannelConf { file, network, backend, owner, ..FlannelConf::default() }
}

/// The files that flannel and its pod have are enough to know it.
#[test]
fn flannels_own_files_are_enough() {
    let cni_conf = |kind: &str| {
        let plugin = CniPlugin { kind: sourced(kind.to_owned(), "/cni-conf.json"), ..CniPlugin::default() };
        let network = CniNetwork { plugins: vec![plugin], ..CniNetwork::default() };
        Observed::Value(CniFile { file: "/cni-conf.json".to_owned(), network, problem: None, unread: None })
    };
    let own = FlannelOwner::Flannel;
    for (owner, cni_conf, expected, place) in [
        (own, cni_conf("flannel"), Cni::Flannel, "/cni-conf.json"),
        (own, cni_conf("calico"), Cni::Canal, "/cni-conf.json"),
        (own, Observed::Absent, Cni::Flannel, "/net-conf.json"),
        (FlannelOwner::Canal, Observed::Absent, Cni::Canal, "/net-conf.json"),
        (FlannelOwner::K3s, Observed::Absent, Cni::K3sFlannel, "/net-conf.json"),
    ] {
        let flannel = Observed::Value(flannel_conf(owner, Some("vxlan")));
        let found = intent(&HostFiles { flannel, flannel_cni: cni_conf, ..HostFiles::default() });
        let cni = found.cni.unwrap();
        assert_eq!((&cni.value, cni.basis, cni.file.as_deref()), (&expected, Basis::Inferred, Some(place)));
        assert_eq!(found.backend.unwrap().value, Backend::Vxlan);
        assert_eq!(found.cluster_cidrs[0].value.to_string(), "10.99.0.0/16");
        assert_eq!(found.notes, Vec::<String>::new());
    }
    // Where it has no backend flannel takes UDP.
    let silent = Observed::Value(flannel_conf(own, None));
    let found = intent(&HostFiles { flannel: silent, ..HostFiles::default() });
    assert_eq!((found.backend.unwrap().value, found.port.unwrap().value), (Backend::Udp, 8285));
    // Another CNI's file, or another word of the distribution's configuration, counts more.
    let flannel = Observed::Value(flannel_conf(own, Some("vxlan")));
    let found = intent(&HostFiles { flannel, ..server(&[("cni", &["cilium"])]) });
    assert_eq!(found.cni.unwrap().value, Cni::Cilium);
}

#[test]
fn what_flanneld_wrote_down_is_enough() {
    let env = |file: &str| SubnetEnv {
        file: file.to_owned(),
        subnet: Some(sourced("10.99.3.1/24".parse().unwrap(), file)),
        mtu: Some(sourced(1450, file)),
        ..SubnetEnv::default()
    };
    let of = |file: &str, files: HostFiles| {
        let found = intent(&HostFiles { subnet_env: Observed::Value(env(file)), ..files });
        assert_eq!(found.pod_cidrs[0].value.to_string(), "10.99.3.0/24");
        found.cni.map(|cni| cni.value)
    };
    let on_host = "/run/flannel/subnet.env";
    // Written apart for the test that no file of the repository names somebody's home.
    let inside = concat!("/proc/77/ro", "ot/run/flannel/subnet.env");
    let k3s = || HostFiles {
        k3s_directory: Observed::Value("/var/lib/rancher/k3s".to_owned()),
        ..HostFiles::default()
    };
    let rke2 = || HostFiles {
        rke2_directory: Observed::Value("/var/lib/rancher/rke2".to_owned()),
        ..HostFiles::default()
    };
    assert_eq!(of(on_host, HostFiles::default()), Some(Cni::Flannel));
    assert_eq!(of(on_host, rke2()), Some(Cni::Flannel));
    assert_eq!(of(on_host, k3s()), Some(Cni::K3sFlannel));
    assert_eq!(of(inside, rke2()), Some(Cni::Canal), "flanneld has the file to itself there");
    assert_eq!(of(inside, HostFiles::default()), None, "whose flanneld that is nothing tells");
}

/// k3s without `config.yaml`: its unit tells what it starts.
#[test]
fn k3s_by_its_unit() {
    let with = |role: K3sRole, entries: &[(&str, &[&str])]| {
        let k3s_role = Some(sourced(role, "/k3s.service"));
        let k3s = if entries.is_empty() { Observed::Absent } else { settings(entries) };
        intent(&HostFiles { k3s, k3s_role, ..HostFiles::default() })
    };
    for entries in [&[][..], &[("flannel-iface", &["eth1"][..])]] {
        let found = with(K3sRole::Server, entries);
        assert_eq!(cni(&found), Some((&Cni::K3sFlannel, Basis::Default)));
        assert_eq!(found.backend.as_ref().map(|backend| &backend.value), Some(&Backend::Vxlan));
        assert_eq!(found.cluster_cidrs[0].value.to_string(), "10.42.0.0/16");
        assert_eq!(found.interface.is_some(), !entries.is_empty());
    }
    let found =
        with(K3sRole::Server, &[("flannel-backend", &["wireguard-native"]), ("node-ip", &["192.0.2.1"])]);
    assert_eq!(cni(&found), Some((&Cni::K3sFlannel, Basis::Inferred)));
    assert_eq!((found.backend.unwrap().value, found.port.unwrap().value), (Backend::Wireguard, 51820));
    // An agent is told by its server.
    let found = with(K3sRole::Agent, &[("node-ip", &["192.0.2.1"])]);
    assert_eq!((found.cni, found.backend, found.cluster_cidrs), (None, None, Vec::new()));
}

#[test]
fn a_backend_that_is_turned_off() {
    let off = || HostFiles {
        k3s: settings(&[("flannel-backend", &["none"])]),
        k3s_directory: Observed::Value("/data/k3s".to_owned()),
        ..HostFiles::default()
    };
    let with = |kind: &str, path: &str| {
        let plugin = CniPlugin { kind: sourced(kind.to_owned(), path), ..CniPlugin::default() };
        let network = CniNetwork { plugins: vec![plugin], ..CniNetwork::default() };
        let file = CniFile { file: path.to_owned(), network, problem: None, unread: None };
        let path = sourced("/etc/cni/net.d".to_owned(), path);
        let directory = CniDirectory { path, files: vec![file], default_network: Some(0) };
        intent(&HostFiles { cni: Observed::Value(directory), ..off() })
    };
    let found = intent(&off());
    assert_eq!(cni(&found), Some((&Cni::None, Basis::Inferred)));
    assert_eq!(found.backend.unwrap().value, Backend::None);
    // Somebody else's CNI is what there is instead.
    let found = with("calico", "/etc/cni/net.d/10-calico.conflist");
    assert_eq!((found.cni.unwrap().value, found.backend), (Cni::Calico, None));
    // The file of k3s' own flannel outlives it, wherever k3s keeps its state.
    for path in ["/data/k3s/agent/etc/cni/net.d/10-flannel.conflist", "/var/lib/rancher/k3s/agent/x.conflist"]
    {
        let found = with("flannel", path);
        assert_eq!((found.cni.unwrap().value, found.backend.unwrap().value), (Cni::None, Backend::None));
        assert_eq!(found.foreign_cni.map(|cni| cni.value), Some(Cni::K3sFlannel));
    }
}

/// What the plugins of a directory's files are, as they call each other.
#[test]
fn multus_that_calls_itself() {
    let plugin =
        |kind: &str| CniPlugin { kind: sourced(kind.to_owned(), "/00-multus.conf"), ..CniPlugin::default() };
    let network = |name: &str, plugin: CniPlugin| CniNetwork {
        name: Some(sourced(name.to_owned(), "/00-multus.conf")),
        plugins: vec![plugin],
        ..CniNetwork::default()
    };
    let multus = |multus: Multus| CniPlugin { multus: Some(Box::new(multus)), ..plugin("multus") };
    let around = |network: CniNetwork| multus(Multus { delegates: vec![network], ..Multus::default() });
    let found = |plugin: CniPlugin| {
        let network = network("multus-cni-network", plugin);
        let file = CniFile { file: "/00-multus.conf".to_owned(), network, problem: None, unread: None };
        let directory =
            CniDirectory { path: sourced("/".to_owned(), "/"), files: vec![file], default_network: Some(0) };
        let found = intent(&HostFiles { cni: Observed::Value(directory), ..HostFiles::default() });
        let multus = found.multus.unwrap();
        let chain: Vec<String> = multus.chain.into_iter().map(|plugin| plugin.value).collect();
        assert_eq!(found.notes, Vec::<String>::new());
        (chain.join(" > "), multus.delegate.map(|delegate| delegate.value), found.cni.map(|cni| cni.value))
    };
    let (chain, delegate, cni) = found(around(network("cbr0", plugin("flannel"))));
    assert_eq!(
        (chain.as_str(), delegate.as_deref(), cni),
        ("multus > flannel", Some("cbr0"), Some(Cni::Flannel))
    );

    let inner = network("multus-cni-network", around(network("cbr0", plugin("flannel"))));
    let (chain, delegate, cni) = found(around(inner));
    assert_eq!(
        (chain.as_str(), delegate.as_deref(), cni),
        ("multus > multus > flannel", Some("cbr0"), Some(Cni::Flannel))
    );

    // By its own name it would go round for ever.
    let wanted = Some(sourced("multus-cni-network".to_owned(), "/00-multus.conf"));
    let (chain, _, cni) = found(multus(Multus { cluster_network: wanted, ..Multus::default() }));
    assert_eq!((chain.as_str(), cni), ("multus > multus", None));
}

/// `clusterNetwork` is a name, a file or a directory; by name it is looked for in `confDir`.
#[test]
fn what_multus_takes_for_its_cluster_network() {
    let file = |path: &str, name: &str, kind: &str| {
        let plugin = CniPlugin { kind: sourced(kind.to_owned(), path), ..CniPlugin::default() };
        let network = CniNetwork {
            name: Some(sourced(name.to_owned(), path)),
            plugins: vec![plugin],
            ..CniNetwork::default()
        };
        CniFile { file: path.to_owned(), network, problem: None, unread: None }
    };
    let found = |wanted: &str, conf_dir: Option<&str>| {
        let multus = Multus {
            cluster_network: Some(sourced(wanted.to_owned(), "/00")),
            conf_dir: conf_dir.map(|directory| sourced(directory.to_owned(), "/00")),
            conf_dir_files: conf_dir.map_or(Observed::Absent, |_| {
                Observed::Value(vec![
                    file("/nets/10-cilium.conflist", "pods", "cilium-cni"),
                    file("/nets/20-bridge.conf", "lan", "bridge"),
                ])
            }),
            ..Multus::default()
        };
        let mut first = file("/etc/cni/net.d/00-multus.conf", "multus-cni-network", "multus-shim");
        first.network.plugins[0].multus = Some(Box::new(multus));
        let files = vec![first, file("/etc/cni/net.d/10-flannel.conflist", "cbr0", "flannel")];
        let path = sourced("/etc/cni/net.d".to_owned(), "/");
        let directory = CniDirectory { path, files, default_network: Some(0) };
        let files = HostFiles {
            cni: Observed::Value(directory),
            multus_networks: Observed::Value(vec![file("/etc/cni/multus/net.d/a.conf", "pods", "calico")]),
            ..HostFiles::default()
        };
        intent(&files).multus.unwrap().delegate_plugin.map(|plugin| plugin.value)
    };
    for (wanted, conf_dir, expected) in [
        ("pods", Some("/nets"), Some("cilium-cni")),
        ("pods", None, Some("calico")),
        ("cbr0", None, Some("flannel")),
        ("lan", None, None),
        ("/nets/20-bridge.conf", Some("/nets"), Some("bridge")),
        ("/nets", Some("/nets/"), Some("cilium-cni")),
        ("/host/etc/cni/net.d/10-flannel.conflist", None, Some("flannel")),
        ("/mounted/elsewhere/10-flannel.conflist", None, Some("flannel")),
        ("/host/etc/cni/net.d/20-gone.conflist", None, None),
    ] {
        assert_eq!(found(wanted, conf_dir).as_deref(), expected, "{wanted} with {conf_dir:?}");
    }
}

/// A manifest that the server does not apply states no wish.
#[test]
fn a_manifest_of_no_known_api_counts_for_nothing() {
    for version in [None, Some("v1")] {
        let chart = Chart {
            api_version: version.map(|version| sourced(version.to_owned(), "/m.yaml")),
            ..config("rke2-canal", Some("kube-system"), &[("flannel.backend", "wireguard")])
        };
        let found = intent(&HostFiles { charts: Observed::Value(vec![chart]), ..server(&[]) });
        assert_eq!(
            found.backend.map(|backend| (backend.value, backend.basis)),
            Some((Backend::Vxlan, Basis::Default))
        );
    }
}

/// A chart is what `spec.chart` names, not what the manifest is called.
#[test]
fn a_chart_of_another_name() {
    let chart = Chart {
        kind: ChartKind::HelmChart,
        chart: Some(sourced("oci://charts.example/rke2-canal-v3.29.0.tgz".to_owned(), "/m.yaml")),
        ..config("pods-network", Some("kube-system"), &[("flannel.backend", "host-gw")])
    };
    let settings = config("pods-network", Some("kube-system"), &[("flannel.vni", "9")]);
    let other = Chart { chart: Some(sourced("traefik".to_owned(), "/m.yaml")), ..chart.clone() };
    let backend = |charts: Vec<Chart>| {
        intent(&HostFiles { charts: Observed::Value(charts), ..server(&[("cni", &["canal"])]) })
            .backend
            .unwrap()
            .value
    };
    assert_eq!(backend(vec![chart, settings]), Backend::HostGw);
    assert_eq!(backend(vec![other]), Backend::Vxlan);
}

/// What each system calls it when packets between nodes are not wrapped, and where only some are.
#[test]
fn routes_instead_of_a_tunnel() {
    const POOL: &str = "installation.calicoNetwork.ipPools.0.encapsulation";
    for (cni, chart, values, backend, is_direct) in [
        ("canal", "rke2-canal", ("flannel.backend", "host-gw"), "host-gw", None),
        ("calico", "rke2-calico", (POOL, "None"), "no encapsulation", None),
        ("calico", "rke2-calico", (POOL, "VXLAN"), "vxlan", None),
        ("calico", "rke2-calico", (POOL, "VXLANCrossSubnet"), "vxlan", Some(true)),
        ("calico", "rke2-calico", (POOL, "IPIPCrossSubnet"), "ipip", Some(true)),
        ("cilium", "rke2-cilium", ("routingMode", "native"), "native routing", None),
    ] {
        let chart = config(chart, Some("kube-system"), &[values]);
        let found = intent(&HostFiles { charts: Observed::Value(vec![chart]), ..server(&[("cni", &[cni])]) });
        assert_eq!(found.backend.unwrap().value.to_string(), backend, "{values:?}");
        assert_eq!(found.direct_routing.map(|direct| direct.value), is_direct, "{values:?}");
    }
    for (kind, expected) in [("vxlan", Some(true)), ("wireguard", None)] {
        let conf = FlannelConf {
            backend: Some(sourced(kind.to_owned(), "/net-conf.json")),
            direct_routing: Some(sourced(true, "/net-conf.json")),
            ..FlannelConf::default()
        };
        let found = intent(&HostFiles { flannel: Observed::Value(conf), ..server(&[]) });
        assert_eq!(found.direct_routing.map(|direct| direct.value), expected, "{kind}");
    }
}
