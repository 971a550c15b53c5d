//! Faults that no lab can be given, on nodes that a test makes: each raises its check and no other, and undone nothing is found.
//! What the host's kernel lacks for some of them, the newest of the virtual machines has.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states what must hold by panicking")]

use std::{
    fs::{self, File},
    net::UdpSocket,
    os::fd::AsRawFd as _,
};

use overlay_probe::netns;
use probe_tests::{
    lab::TestNetns,
    needs,
    node::Node,
    ns,
    plane::{BRIDGE_NETFILTER, CALICO, FLANNEL, Plane},
    raw::{self, Repeat},
    routed::Routed,
    tool::run,
    wait_for,
};
use serde_json::Value;

const IPV4: u16 = 0x0800;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// The MAC address of the node's NIC.
fn nic(node: &Node) -> [u8; 6] {
    let link: Value = serde_json::from_str(&ns(node.name(), "ip -j link show dev u0")).unwrap();
    let octets = link[0]["address"].as_str().unwrap().split(':');
    let octets: Vec<u8> = octets.map(|octet| u8::from_str_radix(octet, 16).unwrap()).collect();
    octets.try_into().unwrap()
}

/// A frame to it, with an IPv4 packet to the node.
fn frame(nic: [u8; 6], source: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let packet = raw::ipv4(source, [192, 0, 2, 1], protocol, 0, payload);
    raw::frame(nic, [2, 0, 0, 0, 0, 2], IPV4, &packet)
}

/// What is sent meanwhile is found, and nothing else; a busy machine may send too little in one window.
fn finds(plane: &Plane, id: &str) {
    let found = wait_for(id, || Some(plane.found()).filter(|found| !found.is_empty()));
    assert_eq!(found, [id]);
}

#[test]
fn a_router_teaches_the_kernel_a_smaller_path() {
    const ROUTED: u32 = 1400;
    let routed = Routed::new(false, "");
    let near = routed.near.name();
    let found = || -> Vec<String> {
        let output =
            run(&["--netns", near, "check", "--window", "50ms", "--only", "mtu", "--format", "json"]);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = document["findings"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        findings.map(|finding| format!("{} {}", text(&finding["id"]), text(&finding["summary"]))).collect()
    };
    assert_eq!(found(), [""; 0]);
    routed.limit(ROUTED);
    let socket =
        netns::run_in(&netns::open(near).unwrap(), || UdpSocket::bind("0.0.0.0:0").unwrap()).unwrap();
    wait_for("a learned path MTU", || {
        // Too large for the router, which says so.
        let _ = socket.send_to(&[0; 1472], "192.0.2.2:9");
        ns(near, "ip route show cache").contains("mtu 1400").then_some(())
    });
    let summary = "The path to 192.0.2.2 takes packets of 1400 bytes; vx7 sends up to 1500.";
    assert_eq!(found(), [format!("{} {summary}", "mtu-path-smaller")]);
    routed.limit(1500);
    ns(near, "ip route flush cache");
    assert_eq!(found(), [""; 0]);
}

#[test]
fn packets_of_a_bridge_do_not_pass_iptables() {
    let plane = Plane::rke2_flannel("nobrnf");
    let id = "host-bridge-netfilter-missing";
    if plane.has_bridge_netfilter() {
        let off = |node: &Node| drop(ns(node.name(), &format!("sysctl -q -w {BRIDGE_NETFILTER}=0")));
        let on = |node: &Node| drop(ns(node.name(), &format!("sysctl -q -w {BRIDGE_NETFILTER}=1")));
        plane.breaks_by(off, id, on);
    } else {
        // The kernel has it without the module: then that is what is found.
        let (code, text) = plane.check(&["--only", "host"]);
        assert!(code == Some(0), "{text}");
        let only = ["--netns", plane.node.name(), "--host-root", plane.files.arg(), "check", "--only", id];
        let text = String::from_utf8(run(&only).stdout).unwrap();
        assert!(text.contains("br_netfilter is not loaded"), "{text}");
    }
}

#[test]
fn segments_with_wrong_checksums_arrive() {
    let plane = Plane::rke2_flannel("badsum");
    let mut segment = vec![0x9c, 0x40, 0, 22, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0xba, 0xad, 0, 0];
    let wrong = frame(nic(&plane.node), [192, 0, 2, 2], TCP, &segment);
    let sending = Repeat::start(plane.node.beyond().name(), "u0", wrong);
    finds(&plane, "host-checksum-errors");
    drop(sending);
    assert_eq!(plane.found(), [""; 0]);
    // The sum of the addresses, the protocol and the length, and of the segment (RFC 9293, section 3.1).
    segment[16..18].copy_from_slice(&[0, 0]);
    let words = [&[192, 0, 2, 2, 192, 0, 2, 1, 0, TCP, 0, 20][..], &segment].concat();
    segment[16..18].copy_from_slice(&raw::checksum(&words).to_be_bytes());
    let right = frame(nic(&plane.node), [192, 0, 2, 2], TCP, &segment);
    let _sending = Repeat::start(plane.node.beyond().name(), "u0", right);
    assert_eq!(plane.found(), [""; 0], "segments with right checksums");
}

/// The limit is that of the whole machine, and is not touched; entries are a namespace's own.
#[test]
fn the_connection_tracking_table_fills() {
    let plane = Plane::rke2_flannel("fullct");
    let name = plane.node.name();
    // Entries live until the test ends, however slow the machine is. A namespace tracks once a rule asks for it.
    ns(name, "iptables -A INPUT -m conntrack --ctstate INVALID -j DROP");
    ns(name, "sysctl -q -w net.netfilter.nf_conntrack_udp_timeout=3600");
    let number = |of: &str| -> usize {
        ns(name, &format!("cat /proc/sys/net/netfilter/nf_conntrack_{of}")).trim().parse().unwrap()
    };
    let (most, nic) = (number("max"), nic(&plane.node));
    // Somebody listens, so that nothing is answered.
    let _taken =
        netns::run_in(&netns::open(name).unwrap(), || UdpSocket::bind("192.0.2.1:9").unwrap()).unwrap();
    let open = |flows: std::ops::Range<usize>| {
        let frames = flows.map(|flow| {
            let host = u8::try_from(2 + flow / 50_000).unwrap();
            let port = u16::try_from(1_024 + flow % 50_000).unwrap();
            frame(nic, [198, 51, 100, host], UDP, &raw::udp(port, 9, &[0]))
        });
        raw::send(plane.node.beyond().name(), "u0", &frames.collect::<Vec<_>>());
    };
    open(0..most / 2);
    assert!(number("count") > most / 4, "{} of {most}", number("count"));
    assert_eq!(plane.found(), [""; 0], "half full");
    wait_for("a table that is nearly full", || {
        open(most / 2..most / 100 * 95);
        (number("count") >= most / 100 * 92).then_some(())
    });
    assert_eq!(plane.found(), ["host-conntrack-full"]);
}

/// Source NAT has one port for two flows: the second is never entered.
#[test]
fn flows_are_given_one_source_port() {
    let plane = Plane::rke2_flannel("clash");
    let name = plane.node.name();
    ns(name, "iptables -t nat -A POSTROUTING -o u0 -p udp --dport 53 -j SNAT --to-source 192.0.2.1:5000");
    // The first flow keeps the port until the test ends, however slow the machine is.
    ns(name, "sysctl -q -w net.netfilter.nf_conntrack_udp_timeout=3600");
    plane.node.ip("neigh add 192.0.2.53 lladdr 02:00:00:00:00:53 dev u0 nud permanent");
    let sockets =
        netns::run_in(&netns::open(name).unwrap(), || [0, 1].map(|_| UdpSocket::bind("0.0.0.0:0").unwrap()));
    let [first, second] = sockets.unwrap();
    first.send_to(b"x", "192.0.2.53:53").unwrap();
    assert_eq!(plane.found(), [""; 0]);
    let sending = Repeat::doing(move || drop(second.send_to(b"x", "192.0.2.53:53")));
    finds(&plane, "host-conntrack-insert-failed");
    drop(sending);
    assert_eq!(plane.found(), [""; 0]);
}

/// flannel's backend for kernels without VXLAN, with the process that encapsulates and without it.
#[test]
fn a_process_encapsulates() {
    let plane = Plane::new("udpnode", &FLANNEL, "10.42.7.2/24", "10.42.7.1", |node| {
        ns(node.name(), "ip tuntap add dev flannel0 mode tun");
        node.ip("link set flannel0 mtu 1472 up
             addr add 10.42.7.0/16 dev flannel0");
        node.bridged_pod("10.42.7.1/24");
    });
    plane.files.write("run/flannel/subnet.env", "FLANNEL_SUBNET=10.42.7.1/24\nFLANNEL_MTU=1472\n");
    let says = |words: &str| {
        assert_eq!(plane.found(), ["dataplane-udp-backend"], "{words}");
        let (_, text) = plane.check(&[]);
        assert!(text.contains(words), "{text}");
    };
    let held = hold(&plane.node, b"flannel0");
    says("a process copies every packet");
    drop(held);
    says("flannel0 has no carrier");
}

/// Opens a tun device of the node's, as who reads its packets does.
fn hold(node: &Node, name: &[u8]) -> File {
    // linux/if_tun.h
    const TUNSETIFF: libc::Ioctl = 0x4004_54ca;
    let device = netns::run_in(&netns::open(node.name()).unwrap(), || {
        let device = File::options().read(true).write(true).open("/dev/net/tun").unwrap();
        // SAFETY: all of it is numbers.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, from) in request.ifr_name.iter_mut().zip(name) {
            *to = libc::c_char::try_from(*from).unwrap();
        }
        request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_TUN | libc::IFF_NO_PI).unwrap();
        // SAFETY: the kernel reads a request of this size, and writes no more.
        let done = unsafe { libc::ioctl(device.as_raw_fd(), TUNSETIFF, &raw mut request) };
        assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
        device
    });
    device.unwrap()
}

#[test]
fn networkd_deletes_what_it_did_not_write() {
    let plane = Plane::cilium_vxlan(
        "networkd",
        "link add name cilium_vxlan type vxlan external dstport 8472
         link set cilium_vxlan up",
    );
    let group = "sys/fs/cgroup/system.slice/systemd-networkd.service/cgroup.events";
    // Not through the link to the machine's own control groups.
    plane.files.unlink("sys");
    plane.files.write(group, "populated 0\nfrozen 0\n");
    plane.files.write("usr/lib/systemd/system/systemd-networkd.service", "[Unit]\n");
    assert_eq!(plane.found(), [""; 0], "it does not run");
    let drop_in = plane.files.path().join("etc/systemd/networkd.conf.d/cni.conf");
    plane.breaks_by(
        |_| plane.files.write(group, "populated 1\nfrozen 0\n"),
        "host-networkd-deletes-routes",
        |_| {
            let keys = "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n";
            plane.files.write("etc/systemd/networkd.conf.d/cni.conf", keys);
        },
    );
    fs::remove_file(drop_in).unwrap();
    assert_eq!(plane.found(), ["host-networkd-deletes-routes"]);
}

#[test]
fn a_tunnel_leaves_by_a_dummy_device() {
    needs!(Dummy);
    let tunnel = |node: &Node, below: &str| {
        node.ip(&format!(
            "link del flannel.4096
             link add name flannel.4096 type vxlan id 4096 dev {below} local 192.0.2.1 dstport 4789 nolearning
             addr add 10.42.0.0/32 dev flannel.4096
             link set flannel.4096 up
             neigh add 10.42.1.0 lladdr 0a:00:00:00:00:02 dev flannel.4096 nud permanent
             route add 10.42.1.0/24 via 10.42.1.0 dev flannel.4096 onlink"
        ));
        node.fdb("0a:00:00:00:00:02", "flannel.4096", "192.0.2.2");
    };
    let plane = Plane::rke2_flannel("dummy");
    plane.node.ip("link add name d0 type dummy
         link set d0 up");
    plane.breaks_by(|node| tunnel(node, "d0"), "dataplane-underlay-dummy", |node| tunnel(node, "u0"));
}

#[test]
fn an_interface_delays_packets_on_purpose() {
    needs!(Netem);
    let plane = Plane::rke2_flannel("netem");
    let delay = |node: &Node| drop(ns(node.name(), "tc qdisc add dev flannel.4096 root netem delay 1ms"));
    plane.breaks_and_is_mended(delay, "dataplane-netem");
}

#[test]
fn a_vlan_ends_at_its_bridge() {
    needs!(BridgeVlan);
    // The uplink: a veth whose other end is elsewhere would be a pod's.
    needs!(Dummy);
    let plane = Plane::rke2_flannel("vlanend");
    let second = TestNetns::new("vlanpod");
    plane.node.ip(&format!(
        "link add name br7 type bridge vlan_filtering 1
         link set br7 up
         link add name up7 type dummy
         link set up7 master br7 up
         link add name pod7 type veth peer name net1 netns {}
         link set pod7 master br7 up",
        second.name()
    ));
    let vlan = |node: &Node, words: &str| drop(ns(node.name(), &format!("bridge vlan {words}")));
    vlan(&plane.node, "add dev pod7 vid 7 pvid untagged");
    vlan(&plane.node, "add dev up7 vid 7");
    assert_eq!(plane.found(), [""; 0]);
    plane.breaks_and_is_mended(|node| vlan(node, "del dev up7 vid 7"), "pod-vlan-without-uplink");
}

#[test]
fn no_rule_leads_to_wireguard() {
    needs!(Wireguard);
    let rule = "rule add not fwmark 0x100000/0x100000 table 1 priority 99";
    let plane = Plane::new("wgrule", &CALICO, "10.42.0.67/32", "169.254.1.1", |node| {
        node.ip(&format!(
            "link add name wireguard.cali mtu 1440 type wireguard
             addr add 10.42.0.66/32 dev wireguard.cali
             link set wireguard.cali up
             route add blackhole 10.42.0.64/26 proto 80
             route add 10.42.2.128/26 dev wireguard.cali table 1
             {rule}"
        ));
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), ns(node.name(), "wg genkey")).unwrap();
        let set = "wg set wireguard.cali listen-port 51820 fwmark 0x100000 private-key";
        let peer = "peer xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg= allowed-ips 10.42.2.128/26 endpoint 192.0.2.2:51820";
        ns(node.name(), &format!("{set} {} {peer}", file.path().display()));
        node.calico_pod("10.42.0.67");
        node.ip("link set cali0a1b2c3d4e5 mtu 1440");
    });
    plane.pod.ip("link set eth0 mtu 1440");
    assert_eq!(plane.found(), [""; 0]);
    let id = "wireguard-rule-missing";
    plane.breaks("rule del priority 99", id, rule);
    let route = "10.42.2.128/26 dev wireguard.cali table 1";
    plane.breaks(&format!("route del {route}"), id, &format!("route add {route}"));
}
