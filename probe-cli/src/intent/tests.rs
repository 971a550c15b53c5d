//! Every tree of files in tests/fixtures/hosts, read and joined, as snapshots that people can read.

use std::{fs, path::PathBuf};

use serde_json::{Map, Value, json};

use crate::{
    facts::files::{
        Chart, ChartKind, CniDirectory, CniFile, CniNetwork, CniPlugin, FlannelConf, HostFiles, Multus,
        Settings, Sourced,
    },
    hostfiles,
    intent::{Backend, Basis, Cni, Intent, intent},
    observed::Observed,
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
        let both = json!({ "intent": intent(&files), "facts": files });
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
    for (names, expected, note) in [
        (&["canal"][..], Some(Cni::Canal), None),
        (&["multus", "cilium"], Some(Cni::Cilium), None),
        (&["none"], Some(Cni::None), None),
        (&["multus"], None, Some("multus needs the name of another CNI")),
        (&["canal", "multus"], Some(Cni::Canal), Some("multus must come first")),
        (&["canal", "calico"], Some(Cni::Calico), Some("only when multus is the first of two")),
        (&["multus", "canal", "calico"], Some(Cni::Calico), Some("at most multus and one CNI")),
        (
            &["weave\u{1b}"],
            Some(Cni::Other("weave\u{1b}".to_owned())),
            Some("the CNI weave\\u{1b}: it takes canal"),
        ),
    ] {
        let intent = intent(&server(&[("cni", names)]));
        assert_eq!(cni(&intent), expected.as_ref().map(|cni| (cni, Basis::Configured)), "{names:?}");
        match note {
            Some(note) => {
                assert!(intent.notes.iter().any(|text| text.contains(note)), "{:?}", intent.notes);
            }
            None => {
                assert!(intent.notes.iter().all(|text| text.contains("wants Multus")), "{:?}", intent.notes);
            }
        }
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
    assert_eq!(found.notes, ["RKE2's configuration is not known: needs root"]);
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
    for (entries, expected, cause) in [
        (&[][..], Cni::Calico, "chosen on the command line"),
        (&[("cni", &["canal"][..])], Cni::Canal, "left over"),
    ] {
        let found = intent(&HostFiles { cni: Observed::Value(directory.clone()), ..server(entries) });
        assert_eq!(found.cni.as_ref().map(|cni| &cni.value), Some(&expected));
        assert!(found.notes[0].contains(cause), "{:?}", found.notes);
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
    for wrong in
        ["many is no VNI", "70000 is no port", "-1 is no MTU", "10.42.0.0 is no CIDR", "eth0 is no address"]
    {
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

#[test]
fn multus_with_sriov_or_nothing_behind_it() {
    let plugin =
        |kind: &str| CniPlugin { kind: sourced(kind.to_owned(), "/00.conf"), ..CniPlugin::default() };
    let with = |delegates: Vec<CniNetwork>| {
        let multus = Multus { delegates, ..Multus::default() };
        let first = CniPlugin { multus: Some(Box::new(multus)), ..plugin("multus") };
        let network = CniNetwork { plugins: vec![first], ..CniNetwork::default() };
        let file = CniFile { file: "/00.conf".to_owned(), network, problem: None, unread: None };
        let directory =
            CniDirectory { path: sourced("/".to_owned(), "/"), files: vec![file], default_network: Some(0) };
        intent(&HostFiles { cni: Observed::Value(directory), ..HostFiles::default() }).notes
    };
    assert!(with(Vec::new())[0].contains("Multus has nothing behind it"));
    let sriov = CniNetwork { plugins: vec![plugin("sriov")], ..CniNetwork::default() };
    assert!(with(vec![sriov])[0].contains("SR-IOV is the default network of all pods"));
}
