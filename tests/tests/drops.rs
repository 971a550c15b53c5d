//! What the kernel drops on the overlay, by `check --with-traffic` and `watch --drops`: each fault made with real packets, and as many drops found as
//! packets were sent; those of another node, whose devices have the same numbers, are not among them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states what must hold by panicking")]

use std::{
    fs,
    process::{Command, Stdio},
};

use probe_tests::{
    hand::{Pair, TUNNEL},
    kernel::{Held, is_before},
    needs::Feature,
    ns, patience,
    raw::{self, frame, ipv4, udp},
    tool::{Watch, binary, entry},
    wait_for,
};
use serde_json::{Value, json};

const IPV4: u16 = 0x0800;
const UDP: u8 = 17;
/// VTEP MAC addresses: of the node that is checked, of its peer, and of nobody.
const OWN: [u8; 6] = [0x0a, 0, 0, 0, 0, 1];
const PEER: [u8; 6] = [0x0a, 0, 0, 0, 0, 2];
const NOBODY: [u8; 6] = [0x0a, 0, 0, 0, 0, 0x99];
const STALE: [u8; 6] = [0x0a, 0, 0, 0, 0, 0x77];
const GROUP: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];

/// A check, since which Linux its reason is there, and how many packets are sent for it. Those of VXLAN came with Linux 6.13, and
/// with 6.12.46 to kernels of 6.12, which Debian's is.
const SENT: [(&str, (u32, u32), usize); 5] = [
    ("dataplane-vni-unknown", (6, 12), 11),
    ("peer-vtep-mac-duplicate", (6, 12), 12),
    ("peer-vtep-mac-stale", (5, 17), 13),
    ("peer-packets-without-fdb", (6, 12), 14),
    ("dataplane-packets-filtered", (5, 17), 15),
];

fn sent(id: &str) -> usize {
    SENT.iter().find(|(of, ..)| *of == id).unwrap().2
}

fn inner(from: [u8; 4], to: [u8; 4]) -> Vec<u8> {
    ipv4(from, to, UDP, 0, &udp(40_000, 53, &[0; 8]))
}

/// A VXLAN packet of node 2's to node 1.
fn outer(vni: u8) -> Vec<u8> {
    outer_to(8472, vni)
}

/// The same to another port.
fn outer_to(port: u16, vni: u8) -> Vec<u8> {
    let vxlan =
        [&[8, 0, 0, 0, 0, 0, vni, 0][..], &frame(OWN, PEER, IPV4, &inner([10, 7, 2, 9], [10, 7, 1, 9]))];
    let packet = ipv4([192, 0, 2, 2], [192, 0, 2, 1], UDP, 0, &udp(50_000, port, &vxlan.concat()));
    frame([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2], IPV4, &packet)
}

/// Packets of [`damaged`].
const DAMAGED: usize = 16;

/// An inner packet of node 2's to node 1, whose datagram has a wrong checksum.
fn damaged() -> Vec<u8> {
    let mut datagram = udp(40_000, 53, &[0; 8]);
    datagram[6..8].copy_from_slice(&[0xba, 0xad]);
    frame(OWN, PEER, IPV4, &ipv4([10, 7, 2, 9], [10, 7, 1, 0], UDP, 0, &datagram))
}

/// Each fault, by so many packets.
fn send_all(pair: &Pair) {
    let (back, there) = (inner([10, 7, 2, 9], [10, 7, 1, 9]), inner([10, 7, 1, 9], [10, 7, 2, 9]));
    raw::send(pair.node(2), "u0", &vec![outer(9); sent("dataplane-vni-unknown")]);
    let own = frame(OWN, OWN, IPV4, &back);
    raw::send(pair.node(2), TUNNEL, &vec![own; sent("peer-vtep-mac-duplicate")]);
    let stale = frame(STALE, PEER, IPV4, &back);
    raw::send(pair.node(2), TUNNEL, &vec![stale; sent("peer-vtep-mac-stale")]);
    let lost = frame(NOBODY, OWN, IPV4, &there);
    raw::send(pair.node(1), TUNNEL, &vec![lost; sent("peer-packets-without-fdb")]);
    // As IPv6 does by itself, on every node.
    raw::send(pair.node(1), TUNNEL, &vec![frame(GROUP, OWN, IPV4, &there); 20]);
    ns(pair.node(1), "iptables -A INPUT -p udp --dport 8472 -j DROP");
    raw::send(pair.node(2), "u0", &vec![outer(7); sent("dataplane-packets-filtered")]);
}

fn pair(name: &str) -> Pair {
    let pair = Pair::new(name);
    ns(pair.node(2), &format!("bridge fdb add 0a:00:00:00:00:77 dev {TUNNEL} dst 192.0.2.1"));
    pair
}

#[test]
fn as_many_drops_are_found_as_packets_were_sent() {
    let (one, other) = (pair("drop"), pair("else"));
    let ids = SENT.map(|(id, ..)| id).join(",");
    let more = "dataplane-packets-dropped";
    // All is sent in it, once both have begun: longer on a slower machine.
    let window = format!("{}ms", (patience() / 10).as_millis());
    let start = |pair: &Pair, only: &str| {
        Command::new(binary())
            .args([
                "--netns",
                pair.node(1),
                "check",
                "--with-traffic",
                "--window",
                &window,
                "--format",
                "json",
            ])
            .args(["--only", only])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    // Of the other node it is of interest what no other check is about.
    let mut children = [start(&one, &format!("{ids},{more}")), start(&other, more)];
    let has_btf = fs::exists("/sys/kernel/btf/vmlinux").unwrap();
    let has_reasons = has_btf && !is_before(5, 17);
    let tcx = if Feature::Tcx.missing().is_none() { 4 } else { 0 };
    for child in &children {
        wait_for("its programs", || {
            let held = Held::by(child.id());
            let is_there = held.programs.len() >= 4 + usize::from(has_reasons)
                && held.links.len() >= tcx + usize::from(has_reasons);
            is_there.then_some(())
        });
    }
    // Before nothing comes in any more.
    raw::send(other.node(2), TUNNEL, &vec![damaged(); DAMAGED]);
    send_all(&one);
    send_all(&other);
    let [document, of_other] = children.each_mut().map(|child| -> Value {
        let text = probe_tests::tool::output(child);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    });
    if has_reasons {
        let [found] = of_other["findings"].as_array().unwrap().as_slice() else { panic!("{of_other}") };
        assert_eq!(found["id"], more, "{of_other}");
        let seen = &found["evidence"][0];
        let expected = (format!("{TUNNEL}, UDP_CSUM"), format!("{DAMAGED} dropped"));
        assert_eq!((&seen["what"], &seen["value"]), (&expected.0.into(), &expected.1.into()), "{found}");
    }
    let findings = document["findings"].as_array().unwrap();
    for (id, (major, minor), count) in SENT {
        let missing = document["not_judged"].as_array().unwrap().iter().find(|row| row["id"] == id);
        if !has_btf || is_before(major, minor) {
            let why = missing.unwrap_or_else(|| panic!("{id}: {document}"))["why"].as_str().unwrap();
            let expected = if has_btf { "this kernel" } else { "BTF" };
            assert!(why.contains(expected), "{id}: {why}");
            continue;
        }
        let found: Vec<&Value> = findings.iter().filter(|finding| finding["id"] == id).collect();
        assert_eq!(found.len(), 1, "{id}: {document}");
        assert_eq!(found[0]["evidence"][0]["value"], format!("{count} dropped"), "{id}: {}", found[0]);
    }
    if has_reasons && !is_before(6, 12) {
        let words =
            |id: &str| findings.iter().find(|finding| finding["id"] == id).unwrap()["summary"].to_string();
        assert!(words("dataplane-vni-unknown").contains("VNI 9 arrive on u0 from 192.0.2.2"), "{document}");
        assert!(words("peer-vtep-mac-stale").contains("0a:00:00:00:00:77"), "{document}");
        assert!(words("peer-vtep-mac-duplicate").contains("192.0.2.2 sends"), "{document}");
        assert!(words("peer-packets-without-fdb").contains("0a:00:00:00:00:99"), "{document}");
    }
    assert!(!findings.iter().any(|finding| finding["id"] == more), "{document}");
}

/// Packets that were dropped so far on devices of this name for one reason.
fn dropped(value: &Value, device: &str, reason: &str) -> Option<u64> {
    let rows = value["drops"].as_array()?.iter();
    let rows = rows.filter(|row| row["device"] == device && row["reason"] == reason && row["group"] == false);
    rows.map(|row| row["packets"].as_u64()).sum()
}

/// A run counts them all the time, also on a device that is made meanwhile. What cannot be had is unknown, and the reason is told.
#[test]
fn a_run_counts_as_many_drops_as_packets_were_sent() {
    const VNI: &str = "VXLAN_VNI_NOT_FOUND";
    let (one, other) = (pair("run"), pair("far"));
    let watch = Watch::start_with(one.node(1), &["--drops"]);
    let has_btf = fs::exists("/sys/kernel/btf/vmlinux").unwrap();
    let first = watch.next();
    if !has_btf || is_before(5, 17) {
        let notes = first["notes"].to_string();
        assert!(
            first["drops"].is_null() && notes.contains("what the kernel drops is not counted: "),
            "{first}"
        );
        return;
    }
    assert!(first["drops"].is_array(), "{first}");
    assert!(first["self"]["programs"].to_string().contains("ovp_drop"), "{first}");
    if !is_before(6, 12) {
        for sent in [17, 40] {
            raw::send(one.node(2), "u0", &vec![outer(9); sent]);
            raw::send(other.node(2), "u0", &vec![outer(9); 5]);
            let is_all = |value: &Value| dropped(value, "u0", VNI) >= Some(if sent == 17 { 17 } else { 57 });
            let found = watch.until("packets of another VNI", |value| is_all(value).then(|| value.clone()));
            let row = found["drops"].as_array().unwrap().iter().find(|row| row["reason"] == VNI).unwrap();
            assert_eq!((&row["role"], &row["outer"]), (&"underlay".into(), &true.into()), "{row}");
            assert_eq!(row["last"]["source"], "192.0.2.2", "{row}");
            assert_eq!((&row["last"]["vni"], &row["last"]["destination_port"]), (&9.into(), &8472.into()));
            assert!(row["packets_per_s"].as_f64().unwrap() > 0.0, "{row}");
        }
        assert_eq!(dropped(&watch.settled(), "u0", VNI), Some(57));
        // A second tunnel of the family on the same NIC has its own, by its port.
        one.at(1).ip("link add name vx8 type vxlan id 8 dev u0 local 192.0.2.1 dstport 8473 nolearning
             link set vx8 up");
        let of = |value: &Value, tunnel: &str| -> u64 {
            let rows = value["drops"].as_array().unwrap().iter();
            let rows = rows.filter(|row| row["reason"] == VNI && row["tunnels"] == json!([tunnel]));
            rows.map(|row| row["packets"].as_u64().unwrap()).sum()
        };
        let found = watch.until("packets to the second tunnel", |value| {
            raw::send(one.node(2), "u0", &[outer_to(8473, 9)]);
            (of(value, "vx8") > 0).then(|| value.clone())
        });
        assert_eq!(of(&found, TUNNEL), 57, "{}", found["drops"]);
    }
    let stale = frame(STALE, PEER, IPV4, &inner([10, 7, 2, 9], [10, 7, 1, 9]));
    let tell = |count: usize, before: u64| {
        let all = Some(before + count as u64);
        raw::send(one.node(2), TUNNEL, &vec![stale.clone(); count]);
        watch.until("packets to a MAC address that is no more", |value| {
            (dropped(value, TUNNEL, "OTHERHOST") >= all).then_some(())
        });
        assert_eq!(dropped(&watch.settled(), TUNNEL, "OTHERHOST"), all);
    };
    tell(13, 0);
    // Made anew, it has counts of its own.
    one.replace_tunnel(1, 777);
    watch.until("the new device", |value| {
        entry(value, "tunnels", &[("name", TUNNEL)]).filter(|tunnel| tunnel["ifindex"] == 777).map(drop)
    });
    tell(21, 0);
    // More devices than its map has room for: what was counted stays.
    let pods = 1..=40;
    let commands = pods.clone().map(|pod| {
        let far = one.node(2);
        format!(
            "link add name p{pod} type veth peer name p{pod} netns {far}
             link set p{pod} up
             route add 10.7.1.{pod}/32 dev p{pod} scope link"
        )
    });
    one.at(1).ip(&commands.collect::<Vec<_>>().join("\n"));
    watch.until("the pods", |value| {
        let rows = value["pods"].as_array()?.iter();
        (rows.filter(|pod| pod["other"] == false).count() == pods.clone().count()).then_some(())
    });
    tell(9, 21);
    // Nobody asked.
    assert!(Watch::start(one.node(1)).next()["drops"].is_null());
}

/// The limit holds on every kernel that counts what its verifier goes through.
#[test]
fn the_verifier_takes_it_and_what_times_encapsulation_within_their_budgets() {
    use overlay_probe::ebpf;
    let budget: toml::Table = include_str!("../../probe-ebpf/prebuilt/budget.toml").parse().unwrap();
    let counts = [
        ("drops", ebpf::verified_drop_instructions(ebpf::DROPS_OBJECT).unwrap()),
        ("encap", ebpf::verified_encap_instructions(ebpf::ENCAP_OBJECT).unwrap()),
    ];
    for (object, counts) in counts {
        for (program, count) in counts {
            let limit = budget[object]["verified-instructions"][program.as_str()].as_integer().unwrap();
            assert!(i64::from(count) <= limit, "{program}: {count} of {limit}");
            println!("{program}: {count} instructions of {limit}");
        }
    }
}
