//! Names, MTUs and addresses of a lab.

use super::*;

#[test]
fn mtus_follow_flannels_rules() {
    let lab = |underlay_mtu, family| LabOptions { family, underlay_mtu, ..LabOptions::default() };
    for (options, v4, v6, pod) in [
        (lab(1500, Family::V4), 1450, 1430, 1450),
        (lab(1500, Family::Dual), 1450, 1430, 1430),
        (lab(9000, Family::Dual), 8950, 8930, 1450),
        (lab(1400, Family::V4), 1350, 1330, 1350),
        (LabOptions { dataplane: Dataplane::Wireguard, ..lab(1500, Family::V4) }, 1450, 1430, 1420),
    ] {
        assert_eq!((options.v4_tunnel_mtu(), options.v6_tunnel_mtu(), options.pod_mtu()), (v4, v6, pod));
    }
}

#[test]
fn only_the_labs_own_names_are_its_own() {
    for (name, own) in [
        ("ovp-underlay", true),
        ("ovp-node1", true),
        ("ovp-node12-pod3", true),
        ("ovp-node", false),
        ("ovp-node1x", false),
        ("ovp-node1-pod", false),
        ("ovp-nodepool", false),
        ("ovp2-node1", false),
        ("cni-1234", false),
        ("ovp", false),
    ] {
        assert_eq!(is_lab_name("ovp", name), own, "{name}");
    }
}

#[test]
fn prefixes_cannot_leave_their_directory() {
    for (prefix, good) in [
        ("ovp", true),
        ("a-1", true),
        ("", false),
        ("../x", false),
        ("1a", false),
        ("a b", false),
        ("a/b", false),
    ] {
        assert_eq!(check_prefix(prefix).is_ok(), good, "{prefix}");
    }
}

#[test]
fn three_hundred_pods_have_three_hundred_addresses() {
    let mut seen = std::collections::BTreeSet::new();
    let mut names = std::collections::BTreeSet::new();
    for pod in 1..=300 {
        assert!(names.insert(pod_name(3, pod)), "pod {pod} has another's name");
        for address in pod_addresses(Family::Dual, 3, pod) {
            assert!(seen.insert(address), "{address} twice");
        }
    }
    assert_eq!(seen.iter().filter(|a| a.is_ipv6()).count(), 300);
}
