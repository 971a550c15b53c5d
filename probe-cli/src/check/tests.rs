//! What must hold of every check: its entry in the list, its silence on healthy nodes, and its finding on its fault.

mod faults;
mod silent;

use std::collections::BTreeSet;

use super::{
    CATALOGUE, Check, FAULTS, Family, Finding, Need, Outcome, REGISTRY, Severity, Verdict, WITHOUT_FAULT,
    faults_of, run, select, why_without,
};
use crate::{
    check::{
        Explain,
        registry::near,
        testdata::{self, Node},
    },
    facts::{
        host::HostFacts,
        netlink::{LinkFact, RouteFact, Routes},
    },
    inventory::testdata::{FLANNEL, FLANNEL6, ethernet, flannel4, mac, route},
    model::{Condition, Model},
    observed::Observed,
};

#[test]
fn the_registry_is_well_formed() {
    let ids: BTreeSet<&str> = REGISTRY.iter().map(|check| check.id).collect();
    assert_eq!(ids.len(), REGISTRY.len(), "an id is there twice");
    let mut last = Family::ALL[0];
    for check in REGISTRY {
        let id = check.id;
        assert!(id.starts_with(&format!("{}-", check.family.name())), "{id} is not of its family");
        assert!(id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{id}");
        assert!(check.family >= last, "{id} is not with its family");
        last = check.family;
        for cause in check.explained_by {
            assert!(ids.contains(cause) && *cause != id, "{id} is explained by {cause}");
        }
        let Explain { how, why, fix, .. } = check.explain;
        for text in [check.symptom, how, why, fix] {
            assert!(text.ends_with('.') || text.ends_with(')'), "{id}: {text:?} is no sentence");
            assert!(!text.contains("  "), "{id}: {text:?}");
        }
        assert!(!check.title.ends_with('.'), "{id}: a title is no sentence");
    }
}

/// A check is proven by a fault of the lab, or the list says why it cannot be.
#[test]
fn each_check_has_a_fault_or_the_reason_why_not() {
    for check in REGISTRY {
        let has_fault = faults_of(check.id).next().is_some();
        assert_ne!(has_fault, why_without(check.id).is_some(), "{}: see check/fault.rs", check.id);
    }
    let ids: BTreeSet<&str> = REGISTRY.iter().map(|check| check.id).collect();
    for id in FAULTS.iter().flat_map(|fault| fault.also.iter().chain([&fault.raises])) {
        assert!(ids.contains(id), "no check is called {id}");
    }
    for (id, why, _) in WITHOUT_FAULT {
        assert!(ids.contains(id) && !why.is_empty(), "{id}");
    }
}

/// Each check is there for something that goes wrong; and of what no check finds it is said why.
#[test]
fn each_failure_has_its_checks_or_the_reason_why_not() {
    let ids: BTreeSet<&str> = REGISTRY.iter().map(|check| check.id).collect();
    let failures: Vec<_> = CATALOGUE.iter().flat_map(|area| area.failures).collect();
    let mut words = BTreeSet::new();
    let mut used = BTreeSet::new();
    for failure in &failures {
        assert!(words.insert(failure.what), "{:?} is there twice", failure.what);
        assert!(!failure.checks.is_empty() || failure.missed.is_some(), "{:?}", failure.what);
        let reason = failure.missed.map(|(_, words)| words);
        for text in [Some(failure.what), reason].into_iter().flatten() {
            assert!(!text.is_empty() && !text.ends_with('.') && !text.contains(['|', '\n']), "{text:?}");
        }
        for id in failure.checks {
            assert!(ids.contains(id), "no check is called {id}");
            used.insert(*id);
        }
    }
    let unused: Vec<_> = ids.difference(&used).collect();
    assert!(unused.is_empty(), "what do these find? {unused:?}");
}

/// Nothing is wrong with these, and so nothing is said of them.
#[test]
fn healthy_nodes_have_no_findings() {
    for (name, node) in testdata::healthy() {
        let judgement = run(&node.model(), REGISTRY);
        for row in &judgement.rows {
            assert_eq!(row.severity(), None, "{name}: {}: {:?}", row.check.id, row.outcome);
        }
        assert_eq!(judgement.verdict(false), Verdict::Ok, "{name}");
        let counts = judgement.counts();
        let sum = counts.passed + counts.not_judged + counts.not_applicable;
        assert_eq!(sum, REGISTRY.len(), "{name}: {counts:?}");
    }
}

/// Each check finds its fault, and no unrelated check finds anything.
#[test]
fn each_check_finds_its_fault_and_nothing_else_does() {
    let faults = faults::all();
    for check in REGISTRY {
        assert!(faults.iter().any(|fault| fault.raises == check.id), "no fault raises {}", check.id);
    }
    let mut wrong = Vec::new();
    for fault in faults {
        let judgement = run(&fault.node().model(), REGISTRY);
        let of_check = judgement.rows.iter().find(|row| row.check.id == fault.raises).unwrap();
        if of_check.severity().is_none() {
            wrong.push(format!("{} is not raised: {:?}", fault.raises, of_check.outcome));
        }
        for row in judgement.rows.iter().filter(|row| row.severity().is_some()) {
            let id = row.check.id;
            if id != fault.raises && row.explained_by.is_none() && !fault.with.contains(&id) {
                wrong.push(format!("{} also raises {id}: {:?}", fault.raises, row.outcome));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Without Multus's file new pods would have no secondary networks.
#[test]
fn of_a_foreign_cni_behind_multus_no_file_is_moved() {
    let faults = faults::all().into_iter().filter(|fault| fault.raises == "cni-first-file-foreign");
    let commands: Vec<usize> = faults
        .map(|fault| {
            let judgement = run(&fault.node().model(), REGISTRY);
            let row = judgement.rows.iter().find(|row| row.check.id == fault.raises).unwrap();
            row.findings().iter().map(|finding| finding.fix.commands.len()).sum()
        })
        .collect();
    assert_eq!(commands, [1, 0], "the first file, and Multus's");
}

/// What is found is on screen, and of healthy nodes the screen says nothing: both take the same faults.
#[test]
fn the_screen_says_what_is_found() {
    let is_wrong = |model: &Model| {
        let mut tunnels = model.tunnels.iter().map(|row| row.condition);
        let mut peers = model.peers.iter().map(|row| row.condition);
        tunnels.any(Condition::is_wrong) || peers.any(Condition::is_wrong)
    };
    for (name, node) in testdata::healthy() {
        let mut node = node;
        // A device of nobody's that is down is down.
        node.facts().links.retain(|link| link.up);
        let model = node.model();
        assert_eq!((&model.faults, is_wrong(&model)), (&Vec::new(), false), "{name}");
    }
    let both = [
        "dataplane-underlay-down",
        "dataplane-tunnel-down",
        "mtu-tunnel-exceeds-underlay",
        "peer-route-without-neighbour",
        "peer-neighbour-without-fdb",
        "peer-fdb-without-route",
        "wireguard-endpoint-missing",
    ];
    for id in both {
        let fault = faults::all().into_iter().find(|fault| fault.raises == id).unwrap();
        let model = fault.node().model();
        assert!(is_wrong(&model) && !model.notes.is_empty(), "{id}: {:?}", model.notes);
    }
}

#[test]
fn a_route_outside_of_the_clusters_networks_is_stale_and_one_inside_loses_packets() {
    for (network, gateway, protocol, expected) in [
        ("10.42.9.0/24", "10.42.9.0", 3, Severity::Fail),
        ("10.77.9.0/24", "10.77.9.0", 3, Severity::Warn),
        ("fd42:0:0:9::/64", "fd42:0:0:9::", 3, Severity::Fail),
        ("fd77:0:0:9::/64", "fd77:0:0:9::", 3, Severity::Warn),
        // Calico has pools that no file names.
        ("10.77.9.0/24", "10.77.9.0", 80, Severity::Fail),
        ("10.77.9.0/24", "10.77.9.0", 12, Severity::Fail),
    ] {
        let mut node = Node::canal();
        let device = if network.contains(':') { FLANNEL6 } else { FLANNEL };
        node.facts().routes.push(RouteFact { protocol, ..route(network, Some(gateway), device) });
        let found = run(&node.model(), REGISTRY);
        let row = found.rows.iter().find(|row| row.check.id == "peer-route-without-neighbour").unwrap();
        assert_eq!(row.severity(), Some(expected), "{network} {protocol}: {:?}", row.outcome);
    }
}

/// flannel was switched to WireGuard, and its VXLAN device still has its entries: the nodes are reached.
#[test]
fn entries_of_a_device_that_another_replaced_are_no_missing_routes() {
    let mut node = Node::wireguard();
    let mut facts = flannel4(std::mem::take(node.facts()), 2);
    facts.routes.retain(|route| route.ifindex != Some(FLANNEL));
    *node.facts() = facts;
    let found = run(&node.model(), REGISTRY);
    let ids: Vec<&str> = found.findings().iter().map(|row| row.check.id).collect();
    assert!(!ids.iter().any(|id| id.starts_with("peer-")), "{ids:?}");
}

/// Texts go to a terminal and into a shell: names in them are escaped, whatever they are.
#[test]
fn hostile_names_are_escaped() {
    for fault in faults::all() {
        let mut node = fault.node();
        node.rename("evil\u{1b}]0;x\u{7}");
        for row in run(&node.model(), REGISTRY).rows {
            let Outcome::Judged(findings) = row.outcome else { continue };
            for Finding { summary, evidence, fix, .. } in findings {
                let texts = evidence.iter().flat_map(|seen| [&seen.what, &seen.value, &seen.source]);
                for text in texts.chain([&summary, &fix.text]).chain(&fix.commands) {
                    assert!(!text.contains(char::is_control), "{}: {text:?}", row.check.id);
                }
            }
        }
    }
}

#[test]
fn findings_are_sentences_with_evidence_and_a_fix() {
    for fault in faults::all() {
        for row in run(&fault.node().model(), REGISTRY).rows {
            let Outcome::Judged(findings) = &row.outcome else { continue };
            for finding in findings {
                let id = row.check.id;
                assert!(finding.summary.ends_with('.'), "{id}: {}", finding.summary);
                assert!(!finding.evidence.is_empty(), "{id} shows no evidence");
                assert!(!finding.fix.text.is_empty(), "{id} has no fix");
                assert!(!finding.fix.elsewhere || finding.fix.commands.is_empty(), "{id}");
            }
        }
    }
}

#[test]
fn what_was_not_read_is_not_judged() {
    let mut node = Node::canal().counting().probing().before_wireguard();
    let denied = || Observed::Denied { need: "CAP_NET_ADMIN".to_owned() };
    let netlink = std::sync::Arc::make_mut(&mut node.snapshot.netlink);
    netlink.routes.ipv4 = denied();
    node.snapshot.host = std::sync::Arc::new(HostFacts::default());
    let judgement = run(&node.model(), REGISTRY);
    for row in &judgement.rows {
        let needs_routes = row.check.needs.contains(&Need::Routes);
        if needs_routes {
            assert!(
                matches!(&row.outcome, Outcome::NotJudged(why) if why.contains("CAP_NET_ADMIN")),
                "{}",
                row.check.id
            );
        }
    }
    assert_eq!(judgement.verdict(false), Verdict::Unknown);
}

/// What somebody must ask for is no gap while nobody does, and one when it cannot be had.
#[test]
fn packets_are_judged_when_somebody_asks() {
    let of_packets = |node: &Node| -> Vec<Outcome> {
        let rows = run(&node.model(), REGISTRY).rows.into_iter();
        rows.filter(|row| row.check.needs.contains(&Need::Traffic)).map(|row| row.outcome).collect()
    };
    for outcome in of_packets(&Node::canal()) {
        assert_eq!(outcome, Outcome::DoesNotApply("needs --with-traffic"));
    }
    let mut node = Node::canal();
    node.counted.counted = Observed::Denied { need: "CAP_BPF".to_owned() };
    for outcome in of_packets(&node) {
        assert_eq!(outcome, Outcome::NotJudged("needs CAP_BPF".to_owned()));
    }
    assert_eq!(
        run(&node.model(), REGISTRY).verdict(false),
        Verdict::Ok,
        "the others are judged all the same"
    );
    let mut alone = Node::host_gw();
    alone.counted.counted = Observed::Value(());
    for outcome in of_packets(&alone) {
        assert!(matches!(outcome, Outcome::DoesNotApply(why) if why.contains("tunnel")), "{outcome:?}");
    }
}

/// Probes are sent when somebody asks; where they cannot be, or none is answered, nothing is said to be well.
#[test]
fn paths_are_judged_when_probes_were_sent_and_answered() {
    let of_probes = |node: &Node| -> Vec<Outcome> {
        let rows = run(&node.model(), REGISTRY).rows.into_iter();
        let is_of_probes = |need: &Need| matches!(need, Need::Probes | Need::ProbedFlows);
        rows.filter(|row| row.check.needs.iter().any(is_of_probes)).map(|row| row.outcome).collect()
    };
    let [probe, flows] = ["needs --probe", "needs --probe --flows 16"].map(Outcome::DoesNotApply);
    assert_eq!(of_probes(&Node::canal()), [probe.clone(), flows.clone(), probe]);
    assert_eq!(of_probes(&Node::canal().probing()), vec![Outcome::Judged(Vec::new()); 3]);
    // One flow was asked for; and of several one was answered.
    let with_flows = |asked, answered| {
        let mut node = Node::canal().probing();
        if let Observed::Value(probed) = &mut node.probed {
            probed.flows = asked;
            probed.paths.iter_mut().for_each(|path| path.flows = answered);
        }
        of_probes(&node)
    };
    assert_eq!(with_flows(1, 1)[1], flows);
    let outcomes = with_flows(16, 1);
    assert!(matches!(outcomes[1], Outcome::NotJudged(_)), "{outcomes:?}");
    assert_eq!([&outcomes[0], &outcomes[2]], [&Outcome::Judged(Vec::new()); 2]);
    let mut node = Node::canal();
    node.probed = Observed::Denied { need: "CAP_NET_RAW".to_owned() };
    assert_eq!(of_probes(&node), vec![Outcome::NotJudged("needs CAP_NET_RAW".to_owned()); 3]);
    let mut silent = Node::canal().probing();
    for address in ["192.0.2.2", "192.0.2.3", "10.42.2.0", "10.42.3.0"] {
        silent.probe(address, |path| path.measured = None);
    }
    for outcome in of_probes(&silent) {
        assert!(
            matches!(&outcome, Outcome::NotJudged(why) if why.contains("probes to 192.0.2.2 and 1 more node")),
            "{outcome:?}"
        );
    }
    let mut alone = Node::canal();
    alone.probed = Observed::Value(crate::model::Probed::default());
    for outcome in of_probes(&alone) {
        assert!(matches!(outcome, Outcome::DoesNotApply(_)), "{outcome:?}");
    }
}

/// The core that cannot keep up is named with the tunnel that it works for; a share alone is no finding.
#[test]
fn cores_that_receive_a_tunnels_packets_are_evidence_and_no_fault() {
    let evidence = |dropped| {
        let mut node = Node::canal().counting();
        node.carry(FLANNEL, |tunnel| tunnel.cores.rx = [(0, 1), (1, 8)].into());
        if let Observed::Value(cpus) = &mut node.after.softnet {
            cpus[0].dropped += dropped;
        }
        let model = node.model();
        let judgement = run(&model, REGISTRY);
        let rows = judgement.rows.iter().filter(|row| row.check.id == "host-receive-queue-drops");
        let findings = rows.flat_map(|row| match &row.outcome {
            Outcome::Judged(findings) => findings.clone(),
            Outcome::DoesNotApply(_) | Outcome::NotJudged(_) => Vec::new(),
        });
        findings.flat_map(|finding| finding.evidence).map(|row| (row.what, row.value)).collect::<Vec<_>>()
    };
    assert_eq!(evidence(0), []);
    let found = evidence(50);
    let tunnel = ("flannel.1 received".to_owned(), "89 % on CPU 1, 11 % on CPU 0 of 9 packets".to_owned());
    assert!(found.contains(&tunnel) && found[0].0 == "CPU 0", "{found:?}");
}

fn outcome(node: &Node, id: &str) -> Outcome {
    let rows = run(&node.model(), REGISTRY).rows;
    rows.into_iter().find(|row| row.check.id == id).unwrap().outcome
}

/// Files of a node beside a network namespace that is no node's.
#[test]
fn an_empty_network_namespace_says_nothing_of_a_data_plane() {
    let mut node = Node::canal();
    let facts = std::mem::take(node.facts());
    node.facts().links = facts.links.into_iter().filter(LinkFact::is_loopback).collect();
    node.facts().addresses = Observed::Value(Vec::new());
    node.facts().routes = Routes { ipv4: Observed::Value(Vec::new()), ipv6: Observed::Value(Vec::new()) };
    let missing = outcome(&node, "dataplane-missing");
    assert!(matches!(&missing, Outcome::NotJudged(why) if why.contains("--netns")), "{missing:?}");
    node.facts().links.push(ethernet(2, "eth0"));
    let missing = outcome(&node, "dataplane-missing");
    assert!(matches!(&missing, Outcome::Judged(found) if found.len() == 1), "{missing:?}");
}

/// A kernel without a reason drops such packets all the same.
#[test]
fn a_reason_that_the_kernel_does_not_have_is_not_judged() {
    let mut node = Node::canal().counting();
    let Observed::Value(drops) = &mut node.counted.drops else { panic!("nothing is counted") };
    drops.known.retain(|reason| reason != "LOCAL_MAC");
    let found = outcome(&node, "peer-vtep-mac-duplicate");
    assert!(matches!(&found, Outcome::NotJudged(why) if why.contains("LOCAL_MAC")), "{found:?}");
    assert_eq!(outcome(&node, "peer-vtep-mac-stale"), Outcome::Judged(Vec::new()));
    node.counted.drops = Observed::Unsupported { why: "no BTF".to_owned() };
    for id in ["peer-vtep-mac-stale", "dataplane-packets-dropped"] {
        assert_eq!(outcome(&node, id), Outcome::NotJudged("no BTF".to_owned()));
    }
    assert_eq!(outcome(&node, "mtu-packets-too-big"), Outcome::Judged(Vec::new()), "counters tell enough");
}

const PANICS: Check = Check {
    id: "host-panics",
    family: Family::Host,
    title: "",
    symptom: "",
    core: true,
    needs: &[],
    explained_by: &[],
    explain: Explain { how: "", why: "", fix: "", not_if: "", seen_in: "" },
    run: |_| panic!("a check that fails to run"),
};

#[test]
fn a_check_that_panics_stops_no_other() {
    static ALL: [&Check; 2] = [&PANICS, &REGISTRY[0]];
    let judgement = run(&Node::canal().model(), ALL);
    assert!(matches!(&judgement.rows[0].outcome, Outcome::NotJudged(why) if why.contains("failed to run")));
    assert!(matches!(&judgement.rows[1].outcome, Outcome::Judged(_)));
    assert_eq!(judgement.verdict(false), Verdict::Unknown);
}

#[test]
fn checks_are_chosen_by_id_and_family() {
    let words = |all: &[&str]| all.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let ids = |only: &[&str], skip: &[&str]| {
        let found = select(&words(only), &words(skip))?;
        Ok::<_, super::Unknown>(found.into_iter().map(|check| check.id).collect::<Vec<_>>())
    };
    assert_eq!(ids(&[], &[]).unwrap().len(), REGISTRY.len());
    assert_eq!(ids(&["host-forwarding-off"], &[]).unwrap(), ["host-forwarding-off"]);
    let mtu = ids(&["mtu"], &["mtu-pods-differ"]).unwrap();
    assert!(
        mtu.iter().all(|id| id.starts_with("mtu-")) && !mtu.contains(&"mtu-pods-differ") && mtu.len() > 3
    );
    let unknown = ids(&["forwarding-is-off"], &[]).unwrap_err();
    assert_eq!(unknown.near, Some("host-forwarding-off"));
    assert_eq!(
        unknown.to_string(),
        "no check and no family is called \"forwarding-is-off\"; is it host-forwarding-off?"
    );
    assert_eq!(near("zzz"), None);
}

/// What is wrong on one device, or with one peer, is no cause of what is wrong with another, and a failure does not follow from a
/// warning.
#[test]
fn a_cause_explains_what_it_is_the_cause_of() {
    let judged = |change: fn(&mut Node)| {
        let mut node = Node::canal();
        change(&mut node);
        let judgement = run(&node.model(), REGISTRY);
        let ids = judgement.findings().iter().map(|row| row.check.id).collect::<Vec<_>>();
        (judgement.verdict(false), ids)
    };
    // One peer has lost its FDB entry, another one its route.
    let (verdict, ids) = judged(|node| {
        node.facts().fdb.retain(|entry| entry.mac != mac(2));
        node.facts().routes.retain(|route| route.destination != "10.42.3.0/24".parse().unwrap());
    });
    assert_eq!(verdict, Verdict::Fail);
    assert!(ids.contains(&"peer-neighbour-without-fdb"), "{ids:?}");
    // A route of another cluster is stale, which is a warning, and a peer has lost its route.
    let (verdict, ids) = judged(|node| {
        node.facts().routes.push(route("10.77.9.0/24", Some("10.77.9.0"), FLANNEL));
        node.facts().routes.retain(|route| route.destination != "10.42.3.0/24".parse().unwrap());
    });
    assert_eq!(verdict, Verdict::Fail);
    assert!(
        ids.contains(&"peer-fdb-without-route") && ids.contains(&"peer-route-without-neighbour"),
        "{ids:?}"
    );
    // One tunnel is down, and the other one has lost an FDB entry.
    let (_, ids) = judged(|node| {
        for link in node.facts().links.iter_mut().filter(|link| link.ifindex == FLANNEL) {
            link.up = false;
        }
        node.facts().fdb.retain(|entry| entry.ifindex != FLANNEL6 || entry.mac != mac(0x62));
    });
    assert!(ids.contains(&"dataplane-tunnel-down") && ids.contains(&"peer-neighbour-without-fdb"), "{ids:?}");
}

#[test]
fn a_failure_comes_before_a_warning_before_the_unknown() {
    let mut node = Node::canal();
    assert_eq!(run(&node.model(), REGISTRY).verdict(true), Verdict::Ok, "everything was read");
    faults::jumbo(&mut node);
    assert_eq!(run(&node.model(), REGISTRY).verdict(false), Verdict::Warn);
    faults::no_forwarding(&mut node);
    let judgement = run(&node.model(), REGISTRY);
    assert_eq!(judgement.verdict(false), Verdict::Fail);
    let worst = judgement.findings().pop().unwrap();
    assert_eq!(worst.severity(), Some(Severity::Fail), "the worst is last");
}
