//! Files that want to do harm, below a root made for it: each has to end in an answer and a clear note, soon.

mod damaged;
mod owners;
mod services;

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use nix::{
    sys::stat::Mode,
    unistd::{Uid, mkfifo, setfsuid},
};

use super::{Owners, read, read_all};
use crate::{
    facts::{
        files::{HostFiles, K3sRole},
        pods::Sandbox,
    },
    observed::Observed,
};

const CONFIG: &str = "etc/rancher/rke2/config.yaml";
const MANIFESTS: &str = "var/lib/rancher/rke2/server/manifests";
const CNI: &str = "etc/cni/net.d";

/// A root that is gone after the test.
pub(super) struct Host(tempfile::TempDir);

impl Host {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    pub(super) fn write(&self, path: &str, text: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path(path), text).unwrap();
        self
    }

    pub(super) fn link(&self, path: &str, target: &str) -> &Self {
        symlink(target, self.path(path)).unwrap();
        self
    }

    pub(super) fn read(&self) -> HostFiles {
        // Without the deadline: a test's machine may be slow.
        read_all(self.0.path(), &Owners::new(&Observed::Absent), |_root| None)
    }

    /// The same, with a runtime that has pods of these UIDs in these namespaces.
    pub(super) fn read_with(&self, pods: &[(&str, &str)]) -> HostFiles {
        let sandboxes = pods.iter().map(|(uid, namespace)| Sandbox {
            uid: (*uid).to_owned(),
            namespace: (*namespace).to_owned(),
            ..Sandbox::default()
        });
        read_all(self.0.path(), &Owners::new(&Observed::Value(sandboxes.collect())), |_root| None)
    }
}

/// The one note there is.
pub(super) fn note(files: &HostFiles) -> String {
    assert_eq!(files.notes.len(), 1, "{:#?}", files.notes);
    format!("{}: {}", files.notes[0].place(), files.notes[0].value)
}

#[test]
fn nothing_at_all() {
    assert_eq!(Host::new().read(), HostFiles::default());
    let gone = read(Path::new("/nowhere/at/all"));
    assert!(note(&gone).contains("cannot open /nowhere/at/all"), "{:?}", gone.notes);
}

#[test]
fn files_that_are_no_text() {
    let large = "a: b\n".repeat(2 << 20);
    let binary: Vec<u8> = (0..=255).collect();
    for (bytes, cause) in [
        (&b"cni: canal\nnode-ip: \xff\xfe\n"[..], "byte 21 is not UTF-8"),
        (&binary, "byte 129 is not UTF-8"),
        (large.as_bytes(), "longer than 2097152 bytes"),
        (b"cni: [canal", "line 1: "),
        (b"cni: canal\n\tnode-ip: x\n", "found a tab"),
        (b"\0\0\0\0", "line 1: "),
    ] {
        let files = Host::new().write(CONFIG, bytes).read();
        let error = files.rke2.trouble().unwrap();
        assert!(error.contains("/etc/rancher/rke2/config.yaml") && error.contains(cause), "{error}");
        assert_eq!(files.notes, Vec::new());
    }
    // Beside one that can be read it is a note.
    let host = Host::new();
    host.write(CONFIG, "cni: canal")
        .write(&format!("{CONFIG}.d/1.yaml"), "\0")
        .write(&format!("{CONFIG}.d/2.yaml"), "cni: x");
    let files = host.read();
    assert_eq!(files.rke2.value().unwrap()["cni"][0].value, "x");
    assert!(
        note(&files).starts_with("/etc/rancher/rke2/config.yaml.d/1.yaml: cannot read"),
        "{:?}",
        files.notes
    );
    let empty = Host::new().write(CONFIG, "").read();
    assert_eq!(
        (empty.rke2, empty.notes),
        (Observed::Value(crate::facts::files::Settings::new()), Vec::new())
    );
}

#[test]
fn a_list_where_a_map_should_be() {
    let files = Host::new().write(CONFIG, "- cni\n- canal\n").read();
    assert_eq!(note(&files), "/etc/rancher/rke2/config.yaml:1: is not a map of settings");
    let files = Host::new().write("etc/cni/net.d/10-x.conf", "[1, 2]").read();
    let directory = files.cni.value().unwrap();
    assert_eq!(directory.default_network, None);
    assert!(directory.files[0].problem.as_ref().unwrap().contains("it is not a map"));
}

#[test]
fn what_is_no_file_is_not_opened() {
    let host = Host::new();
    mkfifo(&host.path(CONFIG), Mode::S_IRUSR).unwrap();
    fs::create_dir_all(host.path("etc/hostname/x")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(host.path("etc/hosts")).unwrap();
    mkfifo(&host.path("etc/cni/net.d/00-x.conf"), Mode::S_IRUSR).unwrap();
    let files = host.read();
    let told = |trouble: Option<String>, kind: &str| assert!(trouble.unwrap().ends_with(kind), "{kind}");
    told(files.rke2.trouble(), "it is a pipe, not a file");
    told(files.hostname.trouble(), "it is a directory, not a file");
    told(files.hosts.trouble(), "it is a socket, not a file");
    told(files.cni.value().unwrap().files[0].problem.clone(), "it is a pipe, not a file");
}

#[test]
fn a_device_is_not_opened() {
    let host = Host::new();
    let outcome = nix::sys::stat::mknod(
        &host.path("etc/hostname"),
        nix::sys::stat::SFlag::S_IFCHR,
        Mode::S_IRUSR,
        nix::sys::stat::makedev(1, 5),
    );
    // Without root there is no device to be made, and a container may forbid it to root.
    if outcome.is_ok() {
        assert!(host.read().hostname.trouble().unwrap().ends_with("it is a device, not a file"));
    }
}

#[test]
fn links_stay_below_the_root() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("hostname"), "outside").unwrap();
    let target = outside.path().join("hostname");
    let target = target.to_str().unwrap();
    let up = format!("../../../../../../../../../..{target}");
    for link in [target, &up] {
        assert_eq!(Host::new().link("etc/hostname", link).read().hostname, Observed::Absent);
        // The same link leads to the file of the host that has such a path.
        let host = Host::new();
        let files = host.link("etc/hostname", link).write(&target[1..], "inside").read();
        assert_eq!(files.hostname.value().unwrap().value, "inside");
    }
    // A directory on the way, and one that leads out of it again.
    let host = Host::new();
    host.link("etc", outside.path().to_str().unwrap());
    assert_eq!(host.read().hostname, Observed::Absent);
}

#[test]
fn links_in_a_circle() {
    let files = Host::new().link("etc/hosts", "hosts").link("etc/hostname", "/etc/hosts").read();
    for trouble in [files.hosts.trouble(), files.hostname.trouble()] {
        assert!(trouble.unwrap().contains("circle"));
    }
    let host = Host::new();
    host.link("var/lib/kubelet/pods/a/volumes/kubernetes.io~configmap/flannel-cfg/..data", "..data");
    host.link(
        "var/lib/kubelet/pods/a/volumes/kubernetes.io~configmap/flannel-cfg/net-conf.json",
        "..data/net-conf.json",
    );
    assert!(host.read().flannel.trouble().unwrap().contains("circle"));
}

#[test]
fn what_is_not_allowed_is_said() {
    let host = Host::new();
    let (closed, first) = (host.path("var/lib/calico/mtu"), host.path("etc/cni/net.d/00-multus.conf"));
    host.write("etc/cni/net.d/00-multus.conf", "{}").write("etc/cni/net.d/10-x.conf", r#"{"type":"bridge"}"#);
    host.write("var/lib/calico/mtu", "1440").write(CONFIG, "cni: canal");
    for path in [&closed, &first, &host.path("etc/rancher/rke2").join(".")] {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    }
    fs::set_permissions(host.0.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let root = host.0.path().to_owned();
    // Of this thread only: without capabilities for files.
    let thread = std::thread::spawn(move || {
        if Uid::effective().is_root() {
            setfsuid(Uid::from_raw(65_534));
        }
        read(&root)
    });
    let files = thread.join().unwrap();
    fs::set_permissions(host.path("etc/rancher/rke2"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    for answer in [files.rke2.trouble(), files.calico_mtu.trouble()] {
        assert!(answer.unwrap().starts_with("needs root, or CAP_DAC_READ_SEARCH, to "));
    }
    assert!(matches!((files.rke2, files.calico_mtu), (Observed::Denied { .. }, Observed::Denied { .. })));
    assert_eq!(files.k3s, Observed::Absent);
    // Nobody knows whether the file that comes first is valid.
    let directory = files.cni.value().unwrap();
    assert_eq!((directory.default_network, &directory.files[0].problem), (None, &None));
    assert!(directory.files[0].unread.as_ref().unwrap().contains("00-multus.conf"));
}

#[test]
fn bombs() {
    // Nine times nine ... lists: a billion values when written out.
    let mut laughs = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (last, next) in ('a'..='h').zip('b'..='i') {
        let list = vec![format!("*{last}"); 9].join(",");
        writeln!(laughs, "{next}: &{next} [{list}]").unwrap();
    }
    let files = Host::new().write(CONFIG, format!("{laughs}cni: *i\nnode-ip: 192.0.2.1\n")).read();
    assert!(
        files.rke2.trouble().unwrap().contains("line 7: aliases stand for more than"),
        "{:?}",
        files.rke2
    );
    // One long text, many times.
    let long = format!("a: &a {}\ntls-san: [{}]\n", "x".repeat(100_000), vec!["*a"; 200].join(","));
    let files = Host::new().write(CONFIG, long).read();
    assert!(files.rke2.trouble().unwrap().contains("line 2: aliases stand for more than"));
    // As a key, and in maps that are merged into others.
    let mut long = format!("? &a {}\n: 1\n", "x".repeat(50_000));
    (0..200).for_each(|index| writeln!(long, "m{index}: {{*a : 1}}").unwrap());
    assert!(Host::new().write(CONFIG, long).read().rke2.trouble().unwrap().contains("aliases stand"));
    let mut merged = format!("m0: &m0 {{{}: 1}}\n", "x".repeat(50_000));
    (1..9).for_each(|n| writeln!(merged, "m{n}: &m{n} {{<<: [*m{0}, *m{0}, *m{0}, *m{0}]}}", n - 1).unwrap());
    let files = Host::new().write(CONFIG, &merged).read();
    assert!(files.rke2.trouble().unwrap().contains("aliases stand"), "{:?}", files.rke2);
    // The same with merge keys, which repeat entries: cut off, and said so.
    let mut merged = "a: &m0 {".to_owned();
    (0..100).for_each(|index| write!(merged, "k{index}: 1, ").unwrap());
    merged.push_str("}\n");
    (0..2_000).for_each(|index| writeln!(merged, "m{index}: {{<<: [*m0, *m0]}}").unwrap());
    let files = Host::new().write(CONFIG, &merged).read();
    assert!(files.rke2.trouble().unwrap().contains("more than 100000 values"), "{:?}", files.rke2);
    // Levels, written and by alias.
    for deep in ["[".repeat(100_000), "a: ".repeat(100_000), "- ".repeat(100_000)] {
        assert!(Host::new().write(CONFIG, deep).read().rke2.trouble().is_some());
    }
    let mut chain = "- &a0 []\n".to_owned();
    (0..10_000).for_each(|index| writeln!(chain, "- &a{} [*a{index}]", index + 1).unwrap());
    let files = Host::new().write(CONFIG, chain).read();
    assert!(files.rke2.trouble().unwrap().contains("more than 64 levels"), "{:?}", files.rke2);
    // An alias of what it is in.
    let files = Host::new().write(CONFIG, "cni: &a [*a]\n").read();
    assert!(files.rke2.trouble().is_some());
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let files = Host::new().write("etc/cni/net.d/1.conf", deep).read();
    assert!(files.cni.value().unwrap().files[0].problem.is_some());
}

#[test]
fn documents_and_anchors() {
    let manifest = "---\n# nothing\n---\nkind: HelmChartConfig\nmetadata: &m\n  name: rke2-canal\n  namespace: kube-system\nspec:\n  \
                    valuesContent: |\n\n    flannel: &f\n      mtu: 1400\n    calico:\n      <<: *f\n      vethuMTU: 1300\n---\nkind: \
                    HelmChartConfig\nmetadata: *m\n---\nkind: [\n";
    let files = Host::new().write(&format!("{MANIFESTS}/x.yaml"), manifest).read();
    let charts = files.charts.value().unwrap();
    assert_eq!(charts.len(), 1);
    let places: Vec<_> =
        charts[0].values.iter().map(|(key, values)| (key.as_str(), values[0].line)).collect();
    assert_eq!(places, [("calico.mtu", Some(12)), ("calico.vethuMTU", Some(15)), ("flannel.mtu", Some(12))]);
    // Anchors end with their document, so that the second object cannot be read.
    assert!(note(&files).contains("x.yaml:18: left out from here: "), "{:?}", files.notes);
}

#[test]
fn values_in_quotes_point_to_where_they_are() {
    let manifest = "kind: HelmChartConfig\nmetadata: {name: rke2-canal}\nspec:\n  valuesContent: \"flannel:\\n  iface: eth1\\n\"\n";
    let files = Host::new().write(&format!("{MANIFESTS}/x.yml"), manifest).read();
    assert_eq!(files.charts.value().unwrap()[0].values["flannel.iface"][0].line, Some(4));
    let broken = "kind: HelmChartConfig\nmetadata: {name: rke2-canal}\nspec:\n  valuesContent: |\n    flannel:\n      iface: [\n";
    let files = Host::new().write(&format!("{MANIFESTS}/x.yml"), broken).read();
    assert!(note(&files).starts_with(&format!("/{MANIFESTS}/x.yml:")), "{:?}", files.notes);
    assert!(note(&files).contains("valuesContent is not valid YAML"), "{:?}", files.notes);
}

#[test]
fn what_is_not_to_be_applied_is_not_read() {
    let config = "kind: HelmChartConfig\nmetadata: {name: rke2-canal}\n";
    let host = Host::new();
    host.write(&format!("{MANIFESTS}/a.yaml"), config).write(&format!("{MANIFESTS}/a.yaml.skip"), "");
    host.write(&format!("{MANIFESTS}/below/b.json"), r#"{"kind":"HelmChart","metadata":{"name":"x"}}"#);
    host.write(&format!("{MANIFESTS}/c.txt"), config);
    let names: Vec<String> =
        host.read().charts.value().unwrap().iter().map(|chart| chart.name.value.clone()).collect();
    assert_eq!(names, ["x"]);
}

#[test]
fn later_files_replace_and_add() {
    let host = Host::new();
    host.write(
        CONFIG,
        "cni: canal\nnode-ip: 192.0.2.1,2001:db8::1\ntls-san: [a]\ncluster-cidr+: 10.42.0.0/16\n",
    );
    host.write("etc/rancher/rke2/config.yaml.d/b.yml", "cni: [multus, calico]\ntls-san+: [c, d]\n");
    host.write("etc/rancher/rke2/config.yaml.d/a.YAML", "cni: cilium\ntls-san+: b\n");
    host.write("etc/rancher/rke2/config.yaml.d/z.conf", "cni: none\n");
    let files = host.read();
    let values = |key: &str| -> Vec<String> {
        files.rke2.value().unwrap()[key].iter().map(|value| value.value.clone()).collect()
    };
    assert_eq!(values("cni"), ["multus", "calico"]);
    assert_eq!(values("tls-san"), ["a", "b", "c", "d"]);
    assert_eq!(values("node-ip"), ["192.0.2.1", "2001:db8::1"]);
    assert_eq!(values("cluster-cidr"), ["10.42.0.0/16"]);
}

#[test]
fn arguments_of_the_service() {
    let host = Host::new();
    host.write("etc/rancher/k3s/config.yaml", "flannel-backend: vxlan\nnode-ip: 192.0.2.1\n");
    host.write(
        "lib/systemd/system/k3s.service",
        "[Service]\nExecStart=/bin/k3s server --cluster-cidr=10.1.0.0/16\n",
    );
    host.write(
        "etc/systemd/system/k3s.service",
        "[Service]\nExecStartPre=-/sbin/modprobe overlay\nExecStart=/usr/local/bin/k3s \\\n    server \\\n\t'--flannel-backend' \\\n\t\
         'none' \\\n\t'--node-ip=2001:db8::1' '--token=not-to-be-kept' \\\n--disable-network-policy\n\nRestart=always\n",
    );
    host.write("etc/systemd/system/k3s.service.env", "K3S_TOKEN='not-to-be-kept'\nK3S_NODE_NAME=\"one\"\n");
    let files = host.read();
    let settings = files.k3s.value().unwrap();
    let places: Vec<_> = settings
        .iter()
        .flat_map(|(key, values)| {
            values.iter().map(move |value| (key.as_str(), value.value.as_str(), value.line))
        })
        .collect();
    assert_eq!(
        places,
        [
            ("disable-network-policy", "true", Some(8)),
            ("flannel-backend", "none", Some(6)),
            ("node-ip", "192.0.2.1", Some(2)),
            ("node-ip", "2001:db8::1", Some(7)),
            ("node-name", "one", Some(2)),
        ]
    );
    assert!(!format!("{files:?}").contains("not-to-be-kept"));
    let role = files.k3s_role.as_ref().unwrap();
    assert_eq!((role.value, role.line), (K3sRole::Server, Some(4)));
    // A drop-in forgets the unit's own command; the environment counts least.
    host.write(
        "etc/systemd/system/rke2-server.service.d/1.conf",
        "[Service]\nExecStart=\nExecStart=/bin/rke2 server --cni \"multus\" --cni=calico",
    );
    host.write(
        "usr/local/lib/systemd/system/rke2-server.service",
        "[Service]\nExecStart=/bin/rke2 server --cni=canal",
    );
    host.write("etc/default/rke2-server", "RKE2_CNI=cilium\nRKE2_NODE_NAME=two\n");
    let files = host.read();
    let values = |key: &str| -> Vec<&str> {
        files.rke2.value().unwrap()[key].iter().map(|value| value.value.as_str()).collect()
    };
    assert_eq!((values("cni"), values("node-name")), (vec!["multus", "calico"], vec!["two"]));
}

#[test]
fn what_helm_sets_counts_more_than_values() {
    let chart = "kind: HelmChart\nmetadata: {name: rke2-canal}\nspec:\n  set: {flannel.mtu: 2}\n  valuesContent: 'flannel: {mtu: 1, vni: 3}'\n";
    let files = Host::new().write(&format!("{MANIFESTS}/x.yaml"), chart).read();
    let values = &files.charts.value().unwrap()[0].values;
    assert_eq!(
        (values["flannel.mtu"][0].value.as_str(), values["flannel.vni"][0].value.as_str()),
        ("2", "3")
    );
}

#[test]
fn very_many_entries() {
    let host = Host::new();
    for index in 0..2_000 {
        host.write(&format!("{CNI}/{index:05}.conf"), "");
    }
    host.write(&format!("{CNI}/.conf"), r#"{"name":"first","type":"bridge"}"#);
    let files = host.read();
    let directory = files.cni.value().unwrap();
    assert_eq!((directory.files.len(), directory.default_network), (64, Some(0)));
    assert!(note(&files).contains("1937 more files than 64 are left out"), "{:?}", files.notes);
}

#[test]
fn names_that_are_no_text() {
    use std::os::unix::ffi::OsStrExt as _;
    let host = Host::new();
    host.write(&format!("{CNI}/10-x.conf"), r#"{"name":"x","type":"bridge"}"#);
    let odd = std::ffi::OsStr::from_bytes(b"\xff\x1b[2J.conf");
    fs::write(host.path(CNI).join(odd), "").unwrap();
    let files = host.read();
    assert_eq!(files.cni.value().unwrap().files.len(), 1);
    assert_eq!(note(&files), "/etc/cni/net.d: 1 file names that are not UTF-8 are left out");
}

#[test]
fn all_files_together_have_a_bound() {
    let host = Host::new();
    let almost = format!("# {}\n", "x".repeat((2 << 20) - 100));
    for index in 0..20 {
        host.write(&format!("{MANIFESTS}/{index}.yaml"), &almost);
    }
    let files = host.read();
    assert!(
        files.notes.iter().any(|note| note.value.contains("of configuration files")),
        "{:?}",
        files.notes
    );
}

#[test]
fn drop_ins_hide_each_other() {
    let host = Host::new();
    let unit = "usr/lib/systemd/system/systemd-networkd.service";
    host.write(unit, "").write("usr/lib/systemd/networkd.conf", "[Network]\nManageForeignRoutes=no\n");
    host.write("usr/lib/systemd/networkd.conf.d/10-a.conf", "[Network]\nManageForeignRoutes=yes\n");
    host.link("etc/systemd/networkd.conf.d/10-a.conf", "/dev/null");
    host.write(
        "run/systemd/networkd.conf.d/20-b.conf",
        "[Network]\nManageForeignRoutingPolicyRules=no\n[Other]\nManageForeignNextHops=no\n",
    );
    host.write("etc/systemd/networkd.conf.d/05-c.conf", "[Network]\nManageForeignRoutingPolicyRules=maybe\n");
    let files = host.read();
    let networkd = files.networkd.value().unwrap();
    assert_eq!(networkd.is_running, None);
    assert_eq!(networkd.manage_foreign_routes.as_ref().map(|found| found.value), Some(false));
    assert_eq!(
        networkd.manage_foreign_rules.as_ref().unwrap().place(),
        "/run/systemd/networkd.conf.d/20-b.conf:2"
    );
    assert_eq!(networkd.manage_foreign_next_hops, None);
    assert!(note(&files).contains("05-c.conf:2: ManageForeignRoutingPolicyRules is \"maybe\""));
}

#[test]
fn network_manager_reads_the_administrators_files_last() {
    let host = Host::new();
    host.write("usr/lib/systemd/system/NetworkManager.service", "");
    host.write("sys/fs/cgroup/system.slice/x", "");
    host.write("usr/lib/NetworkManager/conf.d/z.conf", "[keyfile]\nunmanaged-devices=interface-name:a*\n");
    host.write(
        "etc/NetworkManager/NetworkManager.conf",
        "[keyfile]\nunmanaged-devices+=interface-name:b*, interface-name:c*\n",
    );
    host.write("etc/NetworkManager/conf.d/a.conf", "[keyfile]\nunmanaged-devices-=interface-name:b*\n[device-x]\nmatch-device=interface-name:d*\nmanaged=0\n[device-y]\nmatch-device=interface-name:e*\nmanaged=1\n");
    let files = host.read();
    let manager = files.network_manager.value().unwrap();
    let unmanaged: Vec<&str> = manager.unmanaged.iter().map(|device| device.value.as_str()).collect();
    assert_eq!(unmanaged, ["interface-name:a*", "interface-name:c*", "interface-name:d*"]);
    assert_eq!((manager.is_running, manager.cloud_setup), (Some(false), false));
}

#[test]
fn the_runtimes_directory() {
    let conf = r#"{"name":"x","type":"bridge"}"#;
    for (file, text, directory) in [
        (
            "etc/containerd/config.toml",
            "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.cni]\nconf_dir = '/a/b/'\n",
            "/a/b",
        ),
        (
            "etc/containerd/config.toml",
            "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".cni]\nconf_dir = \"/a\"\n",
            "/a",
        ),
        ("etc/containerd/config.toml", "[plugins.cri.cni]\nconf_dir = \"/a\"\n", "/a"),
        ("etc/containerd/config.toml", "[plugins.cri.cni]\nconf_dir = 7\n", "/etc/cni/net.d"),
        ("etc/containerd/config.toml", "[plugins", "/etc/cni/net.d"),
        ("etc/crio/crio.conf.d/1.conf", "[crio.network]\nnetwork_dir = \"/c/\"\n", "/c"),
        ("etc/crio/crio.conf", "[crio]\n", "/etc/cni/net.d"),
        ("var/lib/rancher/k3s/agent/etc/cni/net.d/x", "", "/var/lib/rancher/k3s/agent/etc/cni/net.d"),
    ] {
        let host = Host::new();
        host.write(file, text).write(&format!("{}/1.conf", &directory[1..]), conf);
        let files = host.read();
        let found = files.cni.value().unwrap();
        assert_eq!((found.path.value.as_str(), found.files.len()), (directory, 1), "{file}: {text}");
    }
}

#[test]
fn another_data_directory() {
    let host = Host::new();
    host.write(CONFIG, "data-dir: /srv/rke2/\n")
        .write("srv/rke2/server/manifests/a.yaml", "kind: HelmChart\nmetadata: {name: a}\n");
    let files = host.read();
    assert_eq!(files.rke2_directory.value().map(String::as_str), Some("/srv/rke2"));
    assert_eq!(files.charts.value().unwrap().len(), 1);
}

#[test]
fn a_token_is_passed_over_and_its_end_kept() {
    let host = Host::new();
    // {"exp":1700000000.5}
    host.write(
        "etc/cni/net.d/multus.d/k",
        "users:\n- user: {token: a.eyJleHAiOjE3MDAwMDAwMDAuNX0.b}\n- user: {token: odd}\n- 7\n",
    );
    host.write(
        "etc/cni/net.d/00.conf",
        r#"{"type":"multus","kubeconfig":"/etc/cni/net.d/multus.d/k","delegates":[]}"#,
    );
    let files = host.read();
    let multus = files.cni.value().unwrap().files[0].network.plugins[0].multus.as_ref().unwrap();
    assert_eq!(multus.kubeconfig_file.value().unwrap().token_expires, Some(1_700_000_000));
    assert!(!format!("{files:?}").contains("eyJ"));
}
