//! Canal's VXLAN, both families, as the lab builds it: every figure is one of `ip`'s or `bridge`'s.

use std::{collections::BTreeMap, fs};

use overlay_probe::lab::{Family, LabOptions, files, send};
use probe_tests::{
    lab::TestLab,
    ns,
    tool::{NOBODY, run, with_privileges},
    wait_for,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{judge, list, show, show_with_code, sorted, table, text};

/// Destinations of routes; a host's comes without its length.
fn destinations(routes: &[Value], length: &str) -> Vec<String> {
    sorted(routes.iter().map(|route| {
        let destination = text(route, "dst");
        if destination.contains('/') { destination.to_owned() } else { format!("{destination}{length}") }
    }))
}

#[test]
fn the_node_is_as_ip_has_it() {
    let lab = TestLab::up(3, 2, Family::Dual);
    let node = lab.node(1);
    let value = show(&node, "node");
    let actual = &value["actual"];
    assert_eq!(text(&value, "kernel"), ns(&node, "uname -r").trim());

    let [plane] = list(actual, "data_planes") else { panic!("{actual}") };
    assert_eq!(
        (text(plane, "system"), text(plane, "encapsulation"), text(plane, "certainty")),
        ("canal", "vxlan", "certain")
    );
    assert_eq!((&plane["families"], &plane["stale"]), (&json!([4, 6]), &json!(false)));
    let devices = sorted(list(plane, "devices").iter().map(|device| text(device, "name")));
    assert_eq!(devices, ["flannel-v6.1", "flannel.1"]);

    let blackholes = [("-4", "/32"), ("-6", "/128")].map(|(family, length)| {
        destinations(&judge(&node, &format!("ip {family} -j route show type blackhole")), length)
    });
    let own = list(actual, "pod_cidrs").iter().map(|own| text(own, "cidr").to_owned());
    assert_eq!(sorted(own), sorted(blackholes.concat()));

    for (family, option) in [(4, "-4"), (6, "-6")] {
        let judged = judge(&node, &format!("ip {option} -j route show default"));
        let of_family = |route: &&Value| route["family"] == family;
        let shown: Vec<_> = list(actual, "default_routes").iter().filter(of_family).collect();
        assert_eq!(shown.len(), judged.len());
        assert_eq!(
            (text(shown[0], "gateway"), text(shown[0], "interface")),
            (text(&judged[0], "gateway"), text(&judged[0], "dev"))
        );
        assert_eq!(shown[0]["metric"], judged[0]["metric"].as_u64().unwrap_or(0));
    }

    for link in judge(&node, "ip -d -j link show type vxlan") {
        let name = text(&link, "ifname");
        let shown = list(actual, "tunnels").iter().find(|tunnel| text(tunnel, "name") == name).unwrap();
        let data = &link["linkinfo"]["info_data"];
        assert_eq!((&shown["vni"], &shown["port"]), (&data["id"], &data["port"]), "{name}");
        assert_eq!((&shown["mtu"], &shown["mac"]), (&link["mtu"], &link["address"]), "{name}");
        assert_eq!(shown["underlay"]["name"], data["link"], "{name}");
        let local = data["local"].as_str().or_else(|| data["local6"].as_str()).unwrap();
        assert_eq!(text(shown, "local"), local);
        let (option, remote) = if name == "flannel.1" { ("-4", "172.31.77.2") } else { ("-6", "fd77::2") };
        let matching = judge(&node, &format!("ip {option} -j route show match {remote}"));
        let best = matching.iter().max_by_key(|route| {
            text(route, "dst").split_once('/').map_or(0, |(_, length)| length.parse::<u8>().unwrap())
        });
        let routes: Vec<_> = list(shown, "outer_routes")
            .iter()
            .map(|route| (text(route, "destination"), text(route, "interface"), route["peers"].as_u64()))
            .collect();
        assert_eq!(routes, [(text(best.unwrap(), "dst"), "eth0", Some(2))], "{name}");
    }
    let counts = ["peers", "pod_interfaces", "holes"].map(|name| actual[name].as_u64());
    assert_eq!(counts, [Some(2), Some(2), Some(0)], "a node of two families is one");
    assert_eq!(value["notes"], json!([]));
    let table = table(&node, "node");
    assert!(table.contains("Canal, VXLAN (certain)"), "{table}");
}

#[test]
fn links_are_as_ip_has_them() {
    let lab = TestLab::up(2, 3, Family::Dual);
    let node = lab.node(1);
    let value = show(&node, "links");
    let judged: BTreeMap<u64, Value> = judge(&node, "ip -d -j link")
        .into_iter()
        .map(|link| (link["ifindex"].as_u64().unwrap(), link))
        .collect();
    let links = list(&value, "links");
    assert_eq!(links.len() + 1, judged.len(), "all but lo: {value}");
    for link in links {
        let judge = &judged[&link["ifindex"].as_u64().unwrap()];
        assert_eq!((&link["name"], &link["mtu"]), (&judge["ifname"], &judge["mtu"]));
        assert_eq!(link["kind"], judge["linkinfo"]["info_kind"]);
        let is_up = judge["flags"].as_array().unwrap().iter().any(|flag| flag == "LOWER_UP");
        assert_eq!(text(link, "state") == "up", is_up, "{link}");
    }
    let roles: Vec<_> = links.iter().map(|link| link["roles"].clone()).collect();
    let pod = json!(["pod"]);
    assert_eq!(roles[3..], [pod.clone(), pod.clone(), pod], "pods come last");

    ns(&node, "ip link set flannel.1 down");
    let value = show(&node, "links");
    let state = |name: &str| {
        let link = list(&value, "links").iter().find(|link| text(link, "name") == name).unwrap();
        text(link, "state").to_owned()
    };
    assert_eq!((state("flannel.1"), state("flannel-v6.1")), ("down".to_owned(), "up".to_owned()));
    assert!(table(&node, "links").contains("tunnel (VNI 1, port 8472)"));
}

/// Seconds since each VTEP was sent to, by `bridge`.
fn used(node: &str, device: &str) -> BTreeMap<String, u64> {
    judge(node, &format!("bridge -s -j fdb show dev {device}"))
        .iter()
        .filter(|entry| entry["dst"].is_string())
        .map(|entry| (text(entry, "mac").to_owned(), entry["used"].as_u64().unwrap()))
        .collect()
}

#[test]
fn peers_are_as_route_neighbour_and_fdb_have_them() {
    let lab = TestLab::up(3, 1, Family::Dual);
    let node = lab.node(1);
    for (device, family) in [("flannel.1", "-4"), ("flannel-v6.1", "-6")] {
        let before = used(&node, device);
        let value = show(&node, "peers");
        let after = used(&node, device);
        assert_eq!(value["holes"], json!([]));
        let shown: Vec<_> = list(&value, "peers").iter().filter(|p| text(p, "tunnel") == device).collect();
        assert_eq!(shown.len(), 2);
        let fdb = judge(&node, &format!("bridge -j fdb show dev {device}"));
        let neighbours = judge(&node, &format!("ip {family} -j neigh show dev {device}"));
        let routes = judge(&node, &format!("ip {family} -j route show dev {device}"));
        for peer in shown {
            let mac = text(peer, "key");
            let entry = fdb.iter().find(|entry| entry["mac"] == mac).unwrap();
            assert_eq!(peer["node_address"], entry["dst"]);
            let neighbour = neighbours.iter().find(|neighbour| neighbour["lladdr"] == mac).unwrap();
            let behind = |route: &&Value| route["gateway"] == neighbour["dst"];
            let cidrs = destinations(&routes.iter().filter(behind).cloned().collect::<Vec<_>>(), "");
            assert_eq!(peer["pod_cidrs"], json!(cidrs));
            // Nobody sends, so the age only grows.
            let age = peer["last_tx_age_s"].as_u64().unwrap();
            assert!((before[mac]..=after[mac]).contains(&age), "{age}: {before:?} {after:?}");
        }
    }

    // What is sent to one node makes its age the younger one.
    let age = |of: u16| {
        let value = show(&node, "peers");
        let address = format!("172.31.77.{of}");
        let peer =
            list(&value, "peers").iter().find(|peer| peer["node_address"] == address.as_str()).unwrap();
        peer["last_tx_age_s"].as_u64().unwrap()
    };
    wait_for("the entries to grow old", || (age(2) >= 3).then_some(()));
    let (from, to) = (lab.pod(1, 1), lab.pod(2, 1));
    send::send_udp(&from, &to, lab.address(2, 1, false), 3, 100).unwrap();
    let (second, third) = (age(2), age(3));
    assert!(second < third, "{second} {third}");
    assert!(table(&node, "peers").contains("flannel.1: VXLAN, 2 peers"));
}

#[test]
fn what_does_not_join_is_shown() {
    let lab = TestLab::up(4, 1, Family::V4);
    let node = lab.node(1);
    ns(&node, "ip neigh del 10.42.2.0 dev flannel.1");
    ns(&node, "bridge fdb del 02:42:04:00:00:03 dev flannel.1 dst 172.31.77.3");
    ns(&node, "ip route del 10.42.4.0/24 dev flannel.1");
    let value = show(&node, "peers");
    let kinds = |kind: &str| -> Vec<&Value> {
        list(&value, "holes").iter().filter(|hole| text(hole, "kind") == kind).collect()
    };
    let [route] = kinds("route-without-neighbour")[..] else { panic!("{value}") };
    assert_eq!((text(route, "tunnel"), text(route, "pod_cidr")), ("flannel.1", "10.42.2.0/24"));
    let [neighbour] = kinds("neighbour-without-fdb")[..] else { panic!("{value}") };
    assert_eq!((text(neighbour, "gateway"), text(neighbour, "mac")), ("10.42.3.0", "02:42:04:00:00:03"));
    let lost = sorted(kinds("fdb-without-route").iter().map(|hole| text(hole, "node_address")));
    assert_eq!(lost, ["172.31.77.2", "172.31.77.4"], "one's route leads nowhere, the other's is gone");
    let shown = table(&node, "peers");
    for words in ["no neighbour 10.42.2.0", "no FDB entry for 10.42.3.0", "no route to it"] {
        assert!(shown.contains(words), "{shown}");
    }
    assert_eq!(show(&node, "node")["actual"]["holes"], 4);
}

/// What is compared, and each way's figures by device.
fn paths(node: &str) -> BTreeMap<String, Value> {
    let value = show(node, "mtu");
    let paths = list(&value, "paths").iter();
    paths.map(|path| (text(path, "device").to_owned(), path.clone())).collect()
}

fn fit(of: &Value) -> (String, u64) {
    (text(of, "verdict").to_owned(), of["bytes"].as_u64().unwrap_or(0))
}

#[test]
fn the_mtu_budget_follows_the_nic_the_route_and_the_pods() {
    let lab = TestLab::with(&LabOptions { nodes: 2, pods: 2, family: Family::Dual, ..LabOptions::default() });
    let node = lab.node(1);
    let fits = ("fits".to_owned(), 0);
    let before = paths(&node);
    for (device, overhead, mtu) in [("flannel.1", 50, 1450), ("flannel-v6.1", 70, 1430)] {
        let path = &before[device];
        let judged = &judge(&node, &format!("ip -j link show {device}"))[0]["mtu"];
        assert_eq!((&path["mtu"], &path["overhead"], &path["most"]), (judged, &json!(overhead), &json!(mtu)));
        assert_eq!((fit(&path["fit"]), &path["carries"]), (fits.clone(), &json!(mtu)));
    }
    assert_eq!(
        before["flannel-v6.1"]["pods"],
        json!([{ "mtu": 1430, "count": 2, "fit": { "verdict": "fits" } }])
    );

    assert_eq!(show(&node, "mtu")["tcp_mtu_probing"], json!({ "pods_on": 0, "pods_read": 2 }));
    ns(&format!("{node}-pod1"), "sysctl -q -w net.ipv4.tcp_mtu_probing=1");
    assert_eq!(show(&node, "mtu")["tcp_mtu_probing"], json!({ "pods_on": 1, "pods_read": 2 }));

    // A pod as Canal's chart makes it, a NIC that was lowered later, a route with an MTU.
    let links = show(&node, "links");
    let pod = list(&links, "links").iter().find(|link| link["roles"] == json!(["pod"])).unwrap();
    ns(&node, &format!("ip link set {} mtu 1450", text(pod, "name")));
    let path = &paths(&node)["flannel-v6.1"];
    let pods: Vec<_> =
        list(path, "pods").iter().map(|pods| (pods["mtu"].clone(), fit(&pods["fit"]))).collect();
    assert_eq!(pods, [(json!(1430), fits), (json!(1450), ("too-big".to_owned(), 20))]);
    assert!(table(&node, "mtu").contains("1450 20 bytes too big"));

    ns(&node, "ip link set eth0 mtu 1400");
    let path = &paths(&node)["flannel.1"];
    assert_eq!((fit(&path["fit"]), &path["carries"]), (("too-big".to_owned(), 100), &json!(1350)));
    ns(&node, "ip link set eth0 mtu 1500");
    ns(&node, "ip route add 172.31.77.2/32 dev eth0 mtu 1420");
    let path = &paths(&node)["flannel.1"];
    assert_eq!((&path["underlay_route_mtu"], &path["most"]), (&json!(1420), &json!(1370)));
}

#[test]
fn nothing_to_show_is_said() {
    let lab = TestLab::up(2, 0, Family::V4);
    let netns = lab.lab.options.underlay();
    for (what, version, is_printed) in [("node", 2, true), ("peers", 1, false), ("mtu", 2, false)] {
        let (value, code) = show_with_code(&netns, what);
        assert_eq!((code, &value["schema_version"]), (Some(3), &json!(version)), "{what}");
        let output = run(&["--netns", &netns, "show", what]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert!(said.contains("no data plane found: no tunnel and no route"), "{said}");
        assert_eq!(!output.stdout.is_empty(), is_printed, "{what}");
    }
}

/// What could not be read is not "none".
#[test]
fn virtual_functions_that_cannot_be_read_are_not_none() {
    let root = TempDir::new().unwrap();
    fs::create_dir_all(root.path().join("sys/bus/pci")).unwrap();
    fs::write(root.path().join("sys/bus/pci/devices"), "").unwrap();
    let output = run(&["--host-root", root.path().to_str().unwrap(), "show", "vfs"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0), "{said}");
    assert!(
        said.contains("no virtual function is known: virtual functions cannot be read: /sys/bus/pci/devices is not a directory"),
        "{said}"
    );
}

#[test]
fn no_privilege_is_needed() {
    let lab = TestLab::up(2, 1, Family::Dual);
    for what in ["node", "links", "peers", "mtu"] {
        let output = with_privileges(&lab.node(1), &NOBODY, &["show", what]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{what}: {said}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("flannel-v6.1"), "{what}");
    }
}

/// The rows of `side_by_side` for a node of a lab with these files, by their question.
fn compared(lab: &TestLab, root: &str) -> BTreeMap<String, Value> {
    let node = lab.node(1);
    let output = run(&["--netns", &node, "--host-root", root, "show", "node", "--format", "json"]);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = list(&value, "side_by_side").iter();
    rows.map(|row| (text(row, "aspect").to_owned(), row.clone())).collect()
}

#[test]
fn what_is_intended_beside_what_there_is() {
    let lab = TestLab::up(2, 1, Family::Dual);
    let directory = TempDir::new().unwrap();
    let roots = files::write(&lab.lab, directory.path()).unwrap();
    let root = roots[0].to_str().unwrap();
    let rows = compared(&lab, root);
    for aspect in ["cni", "backend", "families", "cluster-cidrs", "node-addresses", "pod-mtu", "vni", "port"]
    {
        assert_eq!(rows[aspect]["agrees"], true, "{aspect}: {}", rows[aspect]);
    }
    let manifest = "/var/lib/rancher/rke2/server/manifests/rke2-canal-config.yaml";
    let place = |row: &Value| (text(row, "file").to_owned(), row["line"].clone(), row["basis"].clone());
    let written = fs::read_to_string(roots[0].join(&manifest[1..])).unwrap();
    let line = written.lines().position(|line| line.contains("vethuMTU")).unwrap() + 1;
    assert_eq!(place(&rows["pod-mtu"]), (manifest.to_owned(), line.into(), "configured".into()));

    // Somebody switches the backend, and nothing has happened yet.
    fs::write(roots[0].join(&manifest[1..]), written.replace("vxlan", "wireguard")).unwrap();
    let rows = compared(&lab, root);
    assert_eq!(
        (&rows["backend"]["agrees"], &rows["backend"]["intended"], &rows["backend"]["actual"]),
        (&false.into(), &json!(["wireguard"]), &json!(["VXLAN"]))
    );
    let shown =
        String::from_utf8(run(&["--netns", &lab.node(1), "--host-root", root, "show", "node"]).stdout)
            .unwrap();
    assert!(shown.contains("wireguard") && shown.contains("!= VXLAN"), "{shown}");
    assert!(shown.contains("the chart's values have not reached this node"), "{shown}");
    // Other nodes are called by the names of the hosts file.
    let output =
        run(&["--netns", &lab.node(1), "--host-root", root, "watch", "--count", "1", "--format", "jsonl"]);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let peer = &list(&value, "peers")[0];
    assert_eq!(text(peer, "node_name"), lab.node(2), "{peer}");
}
