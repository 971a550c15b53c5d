//! What planned changes come to, as tables: sizes before anything is set with them and afterwards.

use std::sync::Arc;

use super::*;
use crate::{
    facts::netlink::{Facts, LinkFact, RouteFact},
    intent::{Basis, Cni, Intended, Intent},
    inventory::testdata::*,
    model::testdata::of_facts,
};

/// A pod of both families.
fn pod(facts: Facts, mtu: u32) -> Facts {
    let mut facts = calico_pod(facts, 20, "10.42.0.20/32");
    facts.routes.push(route("fd42::20/128", None, 20));
    facts.links.iter_mut().filter(|link| link.ifindex == 20).for_each(|link| link.mtu = mtu);
    facts
}

/// Canal over VXLAN, of both families.
fn canal() -> Facts {
    let mut facts = pod(own_block(flannel6(flannel4(node(), 1), 1)), 1430);
    facts.routes.push(blackhole("fd42::/64"));
    facts
}

fn canal_v4() -> Facts {
    let facts = own_block(flannel4(node(), 1));
    let mut facts = calico_pod(facts, 20, "10.42.0.20/32");
    facts.links.iter_mut().filter(|link| link.ifindex == 20).for_each(|link| link.mtu = 1450);
    facts
}

fn host_gw() -> Facts {
    let mut facts = pod(own_block(node()), 1500);
    facts.routes.push(route("10.42.2.0/24", Some("192.0.2.2"), ETH0));
    facts
}

fn wireguard_node() -> Facts {
    let mut facts = pod(own_block(node()), 1420);
    facts.links.push(wireguard(9, "flannel-wg"));
    facts.routes.push(route("10.42.0.0/16", None, 9));
    facts.wireguard.push(told(wireguard_fact(9, 51820, &["10.42.2.0/24"])));
    facts
}

fn intended<T>(value: T, file: &str) -> Intended<T> {
    Intended { value, basis: Basis::Configured, file: Some(file.to_owned()), line: Some(1) }
}

fn with_intent(facts: &Facts, intent: Intent) -> Model {
    let mut model = of_facts(facts);
    Arc::make_mut(&mut model.setup).intent = Some(intent);
    model
}

fn changes(words: &str) -> Changes {
    words.split_whitespace().map(|word| word.parse::<Change>().unwrap()).collect()
}

fn of(model: &Model, words: &str) -> Planned {
    planned(model, changes(words)).unwrap()
}

/// `flannel.1 1450/1450 pods 1450`: the device's MTU, what it carries, and the pods' sizes.
fn shown(paths: &[MtuPath]) -> Vec<String> {
    let path = |path: &MtuPath| {
        let pods: Vec<String> = path.pods.iter().map(|pods| pods.mtu.to_string()).collect();
        format!("{} {}/{} pods {}", path.device, path.mtu, path.usable, pods.join(" "))
    };
    paths.iter().map(path).collect()
}

fn values(planned: &Planned) -> Vec<String> {
    let values = planned.settings.values.iter();
    values.map(|setting| format!("{}={}", setting.path.join("."), setting.value)).collect()
}

#[test]
fn what_each_change_comes_to() {
    type Case = (
        &'static str,
        fn() -> Facts,
        &'static str,
        &'static [&'static str],
        &'static [&'static str],
        &'static [&'static str],
    );
    let cases: [Case; 9] = [
        (
            "WireGuard instead of VXLAN",
            canal,
            "backend=wireguard",
            &["flannel-wg 1420/1420 pods 1430", "flannel-wg-v6 1420/1420 pods 1430"],
            &["flannel.backend=wireguard", "calico.vethuMTU=1420"],
            &["flannel-wg 1420/1420 pods 1420", "flannel-wg-v6 1420/1420 pods 1420"],
        ),
        (
            "VXLAN instead of WireGuard: 50 bytes for IPv4",
            wireguard_node,
            "backend=vxlan",
            &["flannel.1 1450/1450 pods 1420"],
            &["flannel.backend=vxlan", "calico.vethuMTU=1450"],
            &["flannel.1 1450/1450 pods 1450"],
        ),
        (
            "no tunnel",
            canal,
            "backend=host-gw",
            &["eth0 1500/1500 pods 1430"],
            &["flannel.backend=host-gw", "calico.vethuMTU=1500"],
            &["eth0 1500/1500 pods 1500"],
        ),
        (
            "a tunnel where there was none",
            host_gw,
            "backend=vxlan",
            &["flannel.1 1450/1450 pods 1500"],
            &["flannel.backend=vxlan", "calico.vethuMTU=1450"],
            &["flannel.1 1450/1450 pods 1450"],
        ),
        (
            "jumbo frames: what exists stays as it is",
            canal,
            "underlay=9000",
            &["flannel.1 1450/1450 pods 1430", "flannel-v6.1 1430/1430 pods 1430"],
            &["calico.vethuMTU=8930"],
            &["flannel.1 8950/8950 pods 8930", "flannel-v6.1 8930/8930 pods 8930"],
        ),
        (
            "a smaller network",
            canal,
            "underlay=1400",
            &["flannel.1 1450/1350 pods 1430", "flannel-v6.1 1430/1330 pods 1430"],
            &["calico.vethuMTU=1330"],
            &["flannel.1 1350/1350 pods 1330", "flannel-v6.1 1330/1330 pods 1330"],
        ),
        (
            "IPv6 too",
            canal_v4,
            "family=dual",
            &["flannel.1 1450/1450 pods 1450", "flannel-v6.1 1430/1430 pods 1450"],
            &["calico.vethuMTU=1430"],
            &["flannel.1 1450/1450 pods 1430", "flannel-v6.1 1430/1430 pods 1430"],
        ),
        (
            "IPv4 alone",
            canal,
            "family=ipv4",
            &["flannel.1 1450/1450 pods 1430"],
            &["calico.vethuMTU=1450"],
            &["flannel.1 1450/1450 pods 1450"],
        ),
        (
            "all at once",
            canal_v4,
            "backend=wireguard underlay=9000 family=dual",
            &["flannel-wg 8920/8920 pods 1450", "flannel-wg-v6 8920/8920 pods 1450"],
            &["flannel.backend=wireguard", "calico.vethuMTU=8920"],
            &["flannel-wg 8920/8920 pods 8920", "flannel-wg-v6 8920/8920 pods 8920"],
        ),
    ];
    for (name, facts, words, after, set, settled) in cases {
        let planned = of(&of_facts(&facts()), words);
        assert_eq!(shown(&planned.after), after, "{name}");
        assert_eq!(values(&planned), set, "{name}");
        assert_eq!(shown(&planned.settled), settled, "{name}");
    }
}

/// Once everything is set, every packet of a pod fits, and no byte more would.
#[test]
fn what_is_set_fits_exactly() {
    for facts in [canal(), canal_v4(), host_gw(), wireguard_node()] {
        let model = of_facts(&facts);
        for backend in ["vxlan", "wireguard", "host-gw"] {
            for underlay in [1400, 1500, 9000] {
                for family in ["ipv4", "dual"] {
                    let words = format!("backend={backend} underlay={underlay} family={family}");
                    let planned = of(&model, &words);
                    let fits: Vec<Option<Fit>> = planned
                        .settled
                        .iter()
                        .flat_map(|path| path.pods.iter().map(|pods| pods.fit))
                        .collect();
                    assert!(!fits.is_empty(), "{words}");
                    assert!(fits.iter().all(|fit| !matches!(fit, Some(Fit::TooBig(_)))), "{words}: {fits:?}");
                    assert!(fits.contains(&Some(Fit::Fits)), "{words}: {fits:?}");
                    let tunnels = planned.settled.iter().filter(|path| path.overhead > 0);
                    assert!(tunnels.clone().all(|path| !matches!(path.fit, Some(Fit::TooBig(_)))), "{words}");
                }
            }
        }
    }
}

#[test]
fn what_breaks() {
    let pods = |device: &str, largest, carries| Break::PodsTooBig {
        device: device.to_owned(),
        count: 1,
        largest,
        carries,
    };
    let tunnel = |device: &str, over| Break::TunnelTooBig { device: device.to_owned(), over };
    assert_eq!(
        of(&of_facts(&canal()), "backend=wireguard").breaks,
        [pods("flannel-wg", 1430, 1420), pods("flannel-wg-v6", 1430, 1420), Break::BackendsDiffer]
    );
    assert_eq!(
        of(&of_facts(&canal()), "underlay=1400").breaks,
        [
            tunnel("flannel.1", 100),
            pods("flannel.1", 1430, 1350),
            tunnel("flannel-v6.1", 100),
            pods("flannel-v6.1", 1430, 1330)
        ]
    );
    assert_eq!(of(&of_facts(&canal()), "underlay=9000").breaks, []);
    assert_eq!(of(&of_facts(&canal()), "backend=vxlan").breaks, []);
    // Below what IPv6 needs.
    let breaks = of(&of_facts(&canal()), "underlay=1300").breaks;
    assert!(breaks.contains(&Break::Ipv6TooSmall { device: "flannel-v6.1".to_owned(), carries: 1230 }));
    // No address of the family, and a backend that has only one.
    let mut without = canal_v4();
    without.addresses = vec![address(ETH0, "192.0.2.1/24")].into();
    let breaks = of(&of_facts(&without), "family=dual backend=ipip").breaks;
    assert!(
        breaks.contains(&Break::NoAddress { family: 6 }) && breaks.contains(&Break::OnlyIpv4),
        "{breaks:?}"
    );
    // A node behind a router.
    let mut behind = own_block(flannel4(node(), 0));
    behind.routes.push(route("10.42.2.0/24", Some("10.42.2.0"), FLANNEL));
    behind.neighbours.push(neighbour(FLANNEL, "10.42.2.0", mac(2)));
    behind.fdb.push(fdb(FLANNEL, mac(2), "198.51.100.2"));
    let breaks = of(&of_facts(&behind), "backend=host-gw").breaks;
    assert!(breaks.contains(&Break::NotNeighbours { nodes: vec![ip("198.51.100.2")] }), "{breaks:?}");
    // A route that holds packets to less.
    let mut held = canal_v4();
    held.routes.push(RouteFact { mtu: Some(1500), ..route("192.0.2.2/32", None, ETH0) });
    assert_eq!(of(&of_facts(&held), "underlay=9000").breaks, [Break::RouteMtu { mtu: 1500 }]);
}

#[test]
fn what_stays_behind_and_what_is_resized() {
    let planned = of(&of_facts(&canal()), "backend=wireguard");
    assert_eq!(
        (planned.leftover, planned.resized),
        (vec!["flannel.1".into(), "flannel-v6.1".into()], vec![])
    );
    let planned = of(&of_facts(&canal()), "underlay=9000");
    let resized = vec![("flannel.1".to_owned(), 8950), ("flannel-v6.1".to_owned(), 8930)];
    assert_eq!((planned.leftover, planned.resized), (vec![], resized));
    let planned = of(&of_facts(&canal()), "family=ipv4");
    assert_eq!((planned.leftover, planned.resized), (vec!["flannel-v6.1".to_owned()], vec![]));
    // What is made anew is never in use with an old size.
    assert_eq!(of(&of_facts(&wireguard_node()), "underlay=9000").resized, [("flannel-wg".to_owned(), 8920)]);
}

/// Where flannel is told an MTU, and where its pods have what it says.
#[test]
fn who_has_the_sizes_where() {
    let of_cni = |cni, underlay_mtu: Option<u32>| Intent {
        cni: Some(intended(cni, "/f")),
        underlay_mtu: underlay_mtu.map(|mtu| intended(mtu, "/f")),
        ..Intent::default()
    };
    // A number for the old MTU would hold everything to it.
    let canal_with = with_intent(&canal(), of_cni(Cni::Canal, Some(1480)));
    assert_eq!(values(&of(&canal_with, "underlay=9000")), ["flannel.mtu=9000", "calico.vethuMTU=8930"]);
    let planned = of(&canal_with, "backend=wireguard");
    assert_eq!(values(&planned), ["flannel.backend=wireguard", "calico.vethuMTU=1400"]);
    assert_eq!(shown(&planned.settled)[0], "flannel-wg 1400/1400 pods 1400");

    // flannel without Calico: pods get what VXLAN over IPv4 leaves, and IPv6 needs 20 bytes more.
    let mut bridged = bridged_pod(own_block(flannel6(flannel4(node(), 1), 1)), 30, "10.42.0.1/24");
    bridged.routes.push(blackhole("fd42::/64"));
    let k3s = with_intent(&bridged, of_cni(Cni::K3sFlannel, None));
    let planned = of(&k3s, "backend=wireguard");
    assert_eq!(
        (&planned.settings.place, values(&planned)),
        (&Where::K3s, vec!["flannel-backend=wireguard-native".to_owned()])
    );
    let flannel = with_intent(&bridged, of_cni(Cni::Flannel, None));
    let planned = of(&flannel, "family=dual");
    assert_eq!(
        (&planned.settings.place, values(&planned)),
        (&Where::NetConf, vec!["Backend.MTU=1480".to_owned()])
    );
    assert_eq!(
        shown(&planned.settled),
        ["flannel.1 1430/1430 pods 1430", "flannel-v6.1 1430/1430 pods 1430"]
    );
    assert_eq!(values(&of(&flannel, "family=ipv4")), Vec::<String>::new());
}

#[test]
fn other_systems_follow_what_is_below() {
    let mut calico = calico_pod(node(), 20, "10.42.0.9/32");
    calico.links.push(vxlan(
        9,
        "vxlan.calico",
        crate::facts::netlink::VxlanFact {
            vni: 4096,
            port: 4789,
            link: Some(ETH0),
            local: Some(ip("192.0.2.1")),
            ..Default::default()
        },
    ));
    calico.routes.push(RouteFact { protocol: 80, ..route("10.42.2.0/26", Some("10.42.2.1"), 9) });
    let found_out = of(&of_facts(&calico), "underlay=9000");
    assert_eq!(shown(&found_out.after), ["vxlan.calico 8950/8950 pods 1500"]);
    assert_eq!(
        (values(&found_out), shown(&found_out.settled)),
        (vec![], vec!["vxlan.calico 8950/8950 pods 8950".to_owned()])
    );
    let set = Intent { pod_mtu: Some(intended(1450, "/m/rke2-calico.yaml")), ..Intent::default() };
    let set = of(&with_intent(&calico, set), "underlay=9000");
    assert_eq!(shown(&set.after), ["vxlan.calico 1450/1450 pods 1500"]);
    assert_eq!(values(&set), ["installation.calicoNetwork.mtu=8950"]);

    let mut cilium = cilium_host(calico_pod(node(), 20, "10.0.0.9/32"), 30);
    let data = crate::facts::netlink::VxlanFact { port: 8472, collect_metadata: true, ..Default::default() };
    cilium.links.push(LinkFact { mtu: 1500, ..vxlan(9, "cilium_vxlan", data) });
    let model = of_facts(&cilium);
    // Its devices follow when the agents are restarted, and its routes keep to less than they are.
    let planned_cilium = of(&model, "underlay=9000");
    assert_eq!(shown(&planned_cilium.after), ["cilium_vxlan 1500/1450 pods 1500"]);
    assert_eq!(shown(&planned_cilium.settled), ["cilium_vxlan 9000/8950 pods 9000"]);
    assert_eq!(
        planned(&model, changes("backend=wireguard")),
        Err(NotPlanned::System { system: System::Cilium })
    );
}

#[test]
fn what_cannot_be_planned_is_said() {
    assert_eq!(planned(&of_facts(&node()), changes("underlay=9000")), Err(NotPlanned::NoPlane));
    for word in [
        "",
        "backend",
        "backend=",
        "backend=geneve",
        "underlay=575",
        "underlay=65536",
        "underlay=-1",
        "family=ipv5",
        "mtu=9000",
    ] {
        assert_eq!(word.parse::<Change>(), Err(NoChange), "{word:?}");
    }
    let last = changes("underlay=1400 underlay=9000");
    assert_eq!(last, Changes { underlay: Some(9000), ..Changes::default() });
}
