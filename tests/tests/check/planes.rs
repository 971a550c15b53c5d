//! Data planes that the lab does not build, as their systems leave them on a node, with their files: nothing is found on a
//! healthy node, and on a broken one what was broken.

use probe_tests::plane::{CALICO, Plane};

#[test]
fn rke2_flannel() {
    let plane = Plane::rke2_flannel("prke2");
    plane.is_well("rke2-flannel VXLAN  flannel.4096  1 peer  1 pod", "1500 > 1450 >= pods 1450");
    plane.breaks(
        "link set veth1a2b3c4d mtu 1500",
        "mtu-pod-exceeds-tunnel",
        "link set veth1a2b3c4d mtu 1450",
    );
    plane.breaks("link set cni0 down", "pod-interface-down", "link set cni0 up");
    for (commands, undo) in [
        ("link set veth1a2b3c4d nomaster", "link set veth1a2b3c4d master cni0"),
        ("addr del 10.42.0.1/24 dev cni0", "addr add 10.42.0.1/24 dev cni0"),
    ] {
        plane.breaks(commands, "pod-gateway-unreachable", undo);
    }
    plane.breaks(
        "neigh del 10.42.1.0 dev flannel.4096",
        "peer-route-without-neighbour",
        "neigh add 10.42.1.0 lladdr 0a:00:00:00:00:02 dev flannel.4096 nud permanent",
    );
}

#[test]
fn calico_vxlan() {
    let plane = Plane::new("pcalico", &CALICO, "10.42.0.66/32", "169.254.1.1", |node| {
        node.calico_vxlan();
        node.calico_pod("10.42.0.66");
        node.ip("link set cali0a1b2c3d4e5 mtu 1450");
    });
    plane.is_well("Calico VXLAN  vxlan.calico  1 peer  1 pod", "1500 > 1450 >= pods 1450");
    plane.breaks(
        "route del 10.42.2.128/26 proto 80",
        "peer-fdb-without-route",
        "route add 10.42.2.128/26 via 10.42.2.129 dev vxlan.calico onlink proto 80",
    );
    plane.breaks("link set u0 mtu 1400", "mtu-tunnel-exceeds-underlay", "link set u0 mtu 1500");
}

#[test]
fn calico_ebpf() {
    let plane = Plane::new("pebpf", &CALICO, "10.42.0.66/32", "169.254.1.1", |node| {
        node.ip("link add name vxlan.calico mtu 1450 type vxlan external dstport 4789
             addr add 10.42.0.64/32 dev vxlan.calico
             link set vxlan.calico up
             route add 10.42.2.128/26 via 10.42.2.128 dev vxlan.calico onlink proto 80
             route add blackhole 10.42.0.64/26 proto 80");
        node.calico_pod("10.42.0.66");
        node.ip("link set cali0a1b2c3d4e5 mtu 1450");
    });
    plane.is_well("Calico eBPF VXLAN  vxlan.calico  peers unknown  1 pod", "1500 > 1450 >= pods 1450");
    let (_, text) = plane.check(&[]);
    assert!(text.contains("--    peers        not seen"), "{text}");
    plane.breaks("link set u0 mtu 1400", "mtu-tunnel-exceeds-underlay", "link set u0 mtu 1500");
    plane.breaks(
        "link set vxlan.calico down",
        "dataplane-tunnel-down",
        "link set vxlan.calico up
         route add 10.42.2.128/26 via 10.42.2.128 dev vxlan.calico onlink proto 80",
    );
}

#[test]
fn cilium_vxlan() {
    let tunnel = "link add name cilium_vxlan type vxlan external dstport 8472
         link set cilium_vxlan up";
    let plane = Plane::cilium_vxlan("pcilium", tunnel);
    plane.is_well("Cilium VXLAN  cilium_vxlan  peers unknown  1 pod", "1500 > 1450 of pods' routes");
    plane.breaks("link set cilium_vxlan down", "dataplane-tunnel-down", "link set cilium_vxlan up");
    plane.breaks("link del cilium_vxlan", "dataplane-missing", tunnel);
    plane.breaks(
        "link set cilium_host down",
        "dataplane-host-device-down",
        "link set cilium_host up
         route add 10.42.0.0/24 via 10.42.0.5 dev cilium_host src 10.42.0.5
         route add 10.42.1.0/24 via 10.42.0.5 dev cilium_host src 10.42.0.5 mtu 1450",
    );
    let route = "route change 10.42.1.0/24 via 10.42.0.5 dev cilium_host src 10.42.0.5 mtu";
    plane.breaks(&format!("{route} 1500"), "mtu-tunnel-exceeds-underlay", &format!("{route} 1450"));
}
