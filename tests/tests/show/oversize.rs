//! Packets that do not fit, as the kernel counts them: `/proc/net/snmp` and `snmp6` of the same namespace judge.

use std::{net::IpAddr, thread};

use overlay_probe::lab::{Family, send};
use probe_tests::{lab::TestLab, ns, tool::run, wait_for};
use serde_json::Value;

use super::{list, show, text};

/// A counter of `/proc/net/snmp`.
fn of_ipv4(netns: &str, group: &str, name: &str) -> u64 {
    let table = ns(netns, "cat /proc/self/net/snmp");
    let mut rows = table.lines().filter_map(|line| line.strip_prefix(&format!("{group}: ")));
    let (names, values) = (rows.next().unwrap(), rows.next().unwrap());
    let at = names.split(' ').position(|known| known == name).unwrap();
    values.split(' ').nth(at).unwrap().parse().unwrap()
}

/// A counter of `/proc/net/snmp6`.
fn of_ipv6(netns: &str, name: &str) -> u64 {
    let table = ns(netns, "cat /proc/self/net/snmp6");
    let mut rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.find(|row| row[0] == name).unwrap()[1].parse().unwrap()
}

/// A datagram of a pod that is larger than the tunnel takes and may not be cut. What the pod learned of earlier ones is forgotten.
fn send_too_big(lab: &TestLab, to: IpAddr) {
    let family = if to.is_ipv6() { "-6" } else { "-4" };
    ns(&lab.lab.options.pod(1, 1), &format!("ip {family} route flush cache"));
    let socket = send::udp_socket(&lab.pod(1, 1), to.is_ipv6(), 0).unwrap();
    socket.send_to(&[0; 1440], (to, 9)).unwrap();
    // The kernel lists what it has learned once a packet was routed by it.
    let _ = socket.send_to(&[0; 9], (to, 9));
}

/// What a pod's kernel was told of the path to an address.
fn cached(pod: &str, to: IpAddr) -> Option<Value> {
    let family = if to.is_ipv6() { "-6" } else { "-4" };
    let cache: Vec<Value> =
        serde_json::from_str(&ns(pod, &format!("ip -j {family} route show cache"))).unwrap();
    cache.into_iter().find(|row| row["dst"] == to.to_string().as_str())
}

#[test]
fn packets_that_do_not_fit_are_counted_since_boot_and_meanwhile() {
    let lab = TestLab::up(2, 1, Family::Dual);
    let node = lab.node(1);
    let pod = lab.lab.options.pod(1, 1);
    let shown = &show(&node, "pods")["pods"][0];
    let named = format!("{}/{}", text(shown, "namespace"), text(shown, "name"));
    let totals = |document: &Value, family: &str| document["counted"]["totals"][family].clone();
    assert_eq!(totals(&show(&node, "mtu"), "ipv4")["too_big_dropped"], 0);

    // Pods as somebody gave them more than the tunnel carries.
    let links = show(&node, "links");
    let host_end =
        list(&links, "links").iter().find(|link| link["roles"] == serde_json::json!(["pod"])).unwrap();
    ns(&node, &format!("ip link set {} mtu 1500", text(host_end, "name")));
    ns(&pod, "ip link set eth0 mtu 1500");
    let [v4, v6] = [false, true].map(|is_v6| lab.address(2, 1, is_v6));
    let judges = [v4, v6].map(|to| {
        wait_for("a path MTU that the pod was told", || {
            send_too_big(&lab, to);
            cached(&pod, to)
        })
    });
    let document = show(&node, "mtu");
    let (ipv4, ipv6) = (totals(&document, "ipv4"), totals(&document, "ipv6"));
    assert_eq!(ipv4["too_big_dropped"], of_ipv4(&node, "Ip", "FragFails"), "{document}");
    assert_eq!(ipv4["messages_sent"], of_ipv4(&node, "Icmp", "OutDestUnreachs"), "{document}");
    assert_eq!(ipv6["too_big_dropped"], of_ipv6(&node, "Ip6FragFails"), "{document}");
    assert_eq!(ipv6["messages_sent"], of_ipv6(&node, "Icmp6OutPktTooBigs"), "{document}");
    for counted in [&ipv4["too_big_dropped"], &ipv6["too_big_dropped"], &ipv6["messages_sent"]] {
        assert!(counted.as_u64().unwrap() > 0, "{document}");
    }
    assert_eq!(document["counted"]["in_window"], Value::Null);
    // Who was told so, for which address, as the pod's own kernel has it.
    for (to, judge) in [v4, v6].iter().zip(judges) {
        let told = list(&document, "paths").iter().flat_map(|path| list(&path["pods_learned"], "rows"));
        let told: Vec<&Value> = told.filter(|row| row["destination"] == to.to_string().as_str()).collect();
        assert_eq!(told.len(), 1, "{document}");
        assert_eq!(told[0]["mtu"], judge["metrics"][0]["mtu"], "{document}");
        let expires = [&told[0]["expires_s"], &judge["expires"]].map(|of| of.as_u64().unwrap());
        assert!(expires[0].abs_diff(expires[1]) <= 60, "{expires:?}");
        assert_eq!(told[0]["pod"], named.as_str(), "{document}");
    }

    // While it counts, another packet does not fit.
    let before = of_ipv4(&node, "Ip", "FragFails");
    let document: Value = thread::scope(|scope| {
        let shown = scope.spawn(|| {
            let options = ["--netns", &node, "show", "mtu", "--window", "2s", "--format", "json"];
            serde_json::from_slice(&run(&options).stdout).unwrap()
        });
        while !shown.is_finished() {
            send_too_big(&lab, v4);
        }
        shown.join().unwrap()
    });
    let grown = document["counted"]["in_window"]["ipv4"]["too_big_dropped"].as_u64().unwrap();
    let sent = of_ipv4(&node, "Ip", "FragFails") - before;
    assert!(grown > 0 && grown <= sent, "{grown} of {sent}: {document}");

    // It is evidence of what is wrong here.
    let output = run(&["--netns", &node, "check", "--only", "mtu", "--window", "50ms", "--format", "json"]);
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(words.contains("IPv4 packets dropped as too big"), "{words}");
    assert!(words.contains(&format!("pod {named} was told")), "{words}");
}
