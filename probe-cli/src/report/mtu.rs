//! The MTU budget as text and JSON: `show mtu`.

use std::fmt::Write as _;

use super::{
    align::{indented, wrapped},
    intended,
    json::Mtu,
    node::{families, is_down},
    oversize,
};
use crate::{
    model::{
        Aspect, Encapsulation, Fit, LearnedMtu, Model, MtuPath, PodLearnedMtu, PodsLearned, PodsProbing,
        learned_mtus, pods_learned, pods_probing,
    },
    text,
};

/// The document, with a line end.
pub fn json(model: &Model) -> Result<String, serde_json::Error> {
    super::document(&Mtu::from(model))
}

/// A tree for each way, from the NIC to the pods.
pub fn table(model: &Model) -> String {
    let mut out = String::new();
    for path in &model.setup.mtu {
        if !out.is_empty() {
            out.push('\n');
        }
        tree(&mut out, path, is_down(&model.inventory, path.ifindex));
        indented(&mut out, 2, &cells(beside(model, path)));
    }
    if out.is_empty() && !model.inventory.data_planes.is_empty() {
        wrapped(
            &mut out,
            "",
            "No path to other nodes: there is no tunnel and no route to other nodes' pods.",
        );
    }
    if !model.setup.mtu.is_empty() {
        out.push('\n');
        wrapped(&mut out, "", MEASURED_BY);
        oversize::table(&mut out, model);
    }
    for note in &model.inventory.table_notes {
        wrapped(&mut out, "! ", &text::escape(note));
    }
    out
}

/// What these sizes are not.
pub const MEASURED_BY: &str =
    "Bytes of IP packets. Whether they arrive at the other nodes is measured by `overlay-probe mtu`.";

/// A way that pods' packets take to other nodes, in words that are safe to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MtuTree {
    /// Interface index of the tunnel, or of the NIC where nothing is wrapped.
    pub ifindex: u32,
    /// What it is: `flannel.1: VXLAN over IPv4, carries IPv4`.
    pub title: String,
    /// From what is below to the pods, then what stands beside these sizes.
    pub steps: Vec<MtuStep>,
}

/// A step of a way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MtuStep {
    /// What has the size.
    pub what: String,
    /// The size in bytes, or what is taken off; `-` where it is not known.
    pub bytes: String,
    /// How it compares with what there is room for; empty where nothing is compared.
    pub verdict: String,
    /// Packets of this size do not get through in one piece.
    pub is_wrong: bool,
}

/// All ways.
pub fn mtu_trees(model: &Model) -> Vec<MtuTree> {
    let of = |path: &MtuPath| {
        let mut steps = steps(path);
        steps.extend(beside(model, path));
        let title = title(path, is_down(&model.inventory, path.ifindex));
        MtuTree { ifindex: path.ifindex, title, steps }
    };
    model.setup.mtu.iter().map(of).collect()
}

fn cells(steps: Vec<MtuStep>) -> Vec<Vec<String>> {
    steps.into_iter().map(|step| vec![step.what, step.bytes, step.verdict]).collect()
}

/// One path, from what is below to the pods.
pub(super) fn tree(out: &mut String, path: &MtuPath, is_down: bool) {
    let _ = writeln!(out, "{}", title(path, is_down));
    indented(out, 2, &cells(steps(path)));
}

/// `flannel.1: VXLAN over IPv4, carries IPv4`.
fn title(path: &MtuPath, is_down: bool) -> String {
    let over = path.outer_family.map_or_else(String::new, |family| format!(" over IPv{family}"));
    let carries = match (path.stale, path.idle) {
        (true, _) => "probably stale".to_owned(),
        (false, _) if is_down => "is down".to_owned(),
        (false, true) => "leads to no other node".to_owned(),
        (false, false) => format!("carries {}", families(&path.families)),
    };
    format!("{}: {}{over}, {carries}", text::escape(&path.device), path.encapsulation)
}

fn steps(path: &MtuPath) -> Vec<MtuStep> {
    let mut rows = Vec::new();
    let mut add = |what: String, bytes: String, (verdict, is_wrong): (String, bool)| {
        rows.push(MtuStep { what, bytes, verdict, is_wrong });
    };
    let nothing = || (String::new(), false);
    let number = |mtu: Option<u32>| mtu.map_or_else(|| "-".to_owned(), |mtu| mtu.to_string());
    let words =
        |fit: Option<Fit>| fit.map_or_else(nothing, |fit| (fit_words(fit), matches!(fit, Fit::TooBig(_))));
    let is_wrapped = path.encapsulation != Encapsulation::None;
    if path.underlays.is_empty() {
        add("underlay".to_owned(), "-".to_owned(), ("unknown".to_owned(), false));
    }
    for underlay in &path.underlays {
        let role = if is_wrapped { "underlay" } else { "NIC" };
        add(format!("{role} {}", text::escape(&underlay.name)), underlay.mtu.to_string(), nothing());
    }
    if path.underlay_route_mtu.is_some() {
        add("route to other nodes".to_owned(), number(path.underlay_route_mtu), nothing());
    }
    if is_wrapped {
        add("outer headers".to_owned(), format!("-{}", path.overhead), nothing());
        add("max inner".to_owned(), number(path.max_inner), nothing());
        let fit = if path.route_limits_pods { nothing() } else { words(path.fit) };
        add(format!("tunnel {}", text::escape(&path.device)), path.mtu.to_string(), fit);
    }
    if path.route_mtu.is_some() {
        let fit = if path.route_limits_pods || !is_wrapped { words(path.fit) } else { nothing() };
        add("route to pods".to_owned(), number(path.route_mtu), fit);
    }
    if path.pods.is_empty() {
        let verdict =
            format!("no pod interface with {} is known", families(&path.families).replace(' ', " or "));
        add("pods".to_owned(), "-".to_owned(), (verdict, false));
    }
    for pods in &path.pods {
        let verdict = match pods.fit {
            None if path.route_limits_pods => ("limited by their route's MTU".to_owned(), false),
            fit => words(fit),
        };
        add(format!("pods, {}", text::counted(pods.count, "interface")), pods.mtu.to_string(), verdict);
    }
    rows
}

/// What stands beside the sizes: who set them, that TCP of pods gets around some of them, and what the kernel has learned.
fn beside(model: &Model, path: &MtuPath) -> Vec<MtuStep> {
    let mut rows = wanted(model, path);
    let probing = pods_probing(model).filter(|probing| probing.on > 0 && !path.pods.is_empty());
    if let Some(PodsProbing { on, read }) = probing {
        let verdict =
            format!("in {on} of {}: TCP finds what fits; UDP and ping do not", text::counted(read, "pod"));
        let (what, bytes) = ("tcp_mtu_probing".to_owned(), "on".to_owned());
        rows.push(MtuStep { what, bytes, verdict, is_wrong: false });
    }
    rows.extend(route_cache(path, &learned_mtus(model, path)));
    rows.extend(told(path, &pods_learned(model, path)));
    rows
}

/// The sizes that files set, with the files, and whether new pods' packets will fit.
fn wanted(model: &Model, path: &MtuPath) -> Vec<MtuStep> {
    let of = |aspect: Aspect, what: &str| {
        let rows = &mut model.setup.comparison.iter();
        let row = rows.find(|row| row.aspect == aspect && !row.intended.is_empty())?;
        let bytes = intended::words(&row.intended).join(" ");
        Some(MtuStep { what: what.to_owned(), bytes, verdict: intended::said_by(row), is_wrong: false })
    };
    let is_wrapped = path.encapsulation != Encapsulation::None;
    let tunnel = is_wrapped.then(|| of(Aspect::TunnelMtu, "tunnel, as set")).flatten();
    let mut pods = of(Aspect::PodMtu, "new pods, as set");
    let intent = model.setup.intent.as_ref().and_then(|intent| intent.pod_mtu.as_ref());
    let over = intent.and_then(|mtu| mtu.value.checked_sub(path.usable)).filter(|over| *over > 0);
    if let (Some(step), Some(over), false) = (&mut pods, over, path.route_limits_pods) {
        step.verdict = format!("{}; {}", fit_words(Fit::TooBig(over)), step.verdict);
        step.is_wrong = true;
    }
    if path.stale { Vec::new() } else { tunnel.into_iter().chain(pods).collect() }
}

/// What the kernel has learned of paths to other nodes, which holds packets to them to less than the tree says.
fn route_cache(path: &MtuPath, learned: &[LearnedMtu]) -> Vec<MtuStep> {
    let row = |learned: &LearnedMtu| {
        let name = learned.peer.as_deref().map(|name| format!(" ({})", text::escape(name)));
        let inner = learned.mtu.saturating_sub(path.overhead);
        let is_less = inner < path.usable;
        let less = is_less.then(|| format!("only {inner} of {} fit inside", path.usable));
        let words: Vec<String> = less.into_iter().chain(forgotten(learned.expires_s)).collect();
        MtuStep {
            what: format!("route cache to {}{}", learned.destination, name.unwrap_or_default()),
            bytes: learned.mtu.to_string(),
            verdict: words.join("; "),
            is_wrong: is_less,
        }
    };
    let mut rows: Vec<MtuStep> = learned.iter().take(CACHED).map(row).collect();
    if let Some(more) = learned.len().checked_sub(CACHED).filter(|more| *more > 0) {
        let what = format!("route cache, {}", text::counted(more, "more node"));
        rows.push(MtuStep { what, bytes: String::new(), verdict: String::new(), is_wrong: false });
    }
    rows
}

/// What pods were told of other nodes' pods, against what the path carries: less holds them to less, and of what is more not all
/// gets through.
fn told(path: &MtuPath, learned: &PodsLearned) -> Vec<MtuStep> {
    let row = |told: &PodLearnedMtu| {
        let fit = Fit::of(told.mtu, path.usable);
        let words = match fit {
            Fit::Fits => None,
            Fit::TooBig(_) => Some(fit_words(fit)),
            Fit::Unused(_) => Some(format!("only {} of {}", told.mtu, path.usable)),
        };
        let words = [format!("for {}", told.destination)].into_iter().chain(words);
        MtuStep {
            what: format!("pod {} was told", text::escape(&told.pod)),
            bytes: told.mtu.to_string(),
            verdict: words.chain(forgotten(told.expires_s)).collect::<Vec<_>>().join("; "),
            is_wrong: fit != Fit::Fits,
        }
    };
    let mut rows: Vec<MtuStep> = learned.rows.iter().take(CACHED).map(row).collect();
    let more = learned.rows.len().saturating_sub(CACHED);
    if more > 0 || learned.left_out > 0 {
        let what =
            if more > 0 { format!("pods were told, {more} more") } else { "pods were told".to_owned() };
        let unread = (learned.left_out > 0).then(|| format!("{} were not read", learned.left_out));
        let (bytes, verdict) = (String::new(), unread.unwrap_or_default());
        rows.push(MtuStep { what, bytes, verdict, is_wrong: false });
    }
    rows
}

/// Until when the kernel keeps to what it has learned.
fn forgotten(expires_s: Option<u64>) -> Option<String> {
    expires_s.map(|seconds| format!("forgotten in {seconds} s"))
}

/// Entries of route caches that are shown of a path, of the node and of its pods.
const CACHED: usize = 3;

fn fit_words(fit: Fit) -> String {
    let bytes = |bytes: u32| text::counted(usize::try_from(bytes).unwrap_or(usize::MAX), "byte");
    match fit {
        Fit::Fits => "fits".to_owned(),
        Fit::TooBig(over) => format!("{} too big", bytes(over)),
        Fit::Unused(unused) => format!("{} to spare", bytes(unused)),
    }
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::*;
    use crate::facts::{
        Bounded,
        netlink::{Facts, LinkFact, RouteFact, VxlanFact},
        network::{InsideFacts, PodNetwork},
    };
    use crate::model::{Basis, Intended, Intent, Setup, side_by_side};
    use crate::observed::Observed;
    use crate::{inventory::testdata::*, model::testdata::of_facts, report::align::WIDTH};

    fn canal() -> Facts {
        let mut facts = flannel6(flannel4(node(), 1), 1);
        for ifindex in [20, 21] {
            facts = calico_pod(facts, ifindex, &format!("10.42.0.{ifindex}/32"));
            facts.routes.push(route(&format!("fd42::{ifindex}/128"), None, ifindex));
            facts.links.iter_mut().filter(|link| link.ifindex == ifindex).for_each(|link| link.mtu = 1450);
        }
        facts.routes.push(RouteFact { mtu: Some(1400), ..route("192.0.2.2/32", None, ETH0) });
        facts
    }

    fn cilium() -> Facts {
        let mut facts = cilium_host(calico_pod(node(), 20, "10.0.0.9/32"), 30);
        let data = VxlanFact { port: 8472, collect_metadata: true, ..VxlanFact::default() };
        facts.links.push(LinkFact { mtu: 1500, ..vxlan(9, "cilium_vxlan", data) });
        facts
    }

    #[test]
    fn trees_from_the_nic_to_the_pods() {
        let mut direct = node();
        direct.routes.push(blackhole("10.42.0.0/24"));
        direct.routes.push(route("10.42.2.0/24", Some("192.0.2.2"), ETH0));
        for (name, facts) in [("canal", canal()), ("cilium", cilium()), ("direct", direct)] {
            let text = table(&of_facts(&Facts { notes: vec!["odd \u{1b}".to_owned()], ..facts }));
            insta::assert_snapshot!(format!("mtu-{name}"), text);
            for line in text.lines() {
                assert!(line.width() <= WIDTH && !line.contains(char::is_control), "{line:?}");
            }
        }
    }

    /// What the kernel has learned of the paths to more nodes than are shown.
    fn with_learned(facts: &Facts) -> Model {
        let mut model = of_facts(facts);
        let snapshot = std::sync::Arc::make_mut(&mut model.snapshot);
        let table = |to: &str, rows: &[(u8, u32)]| {
            let rows = rows.iter().map(|(host, mtu)| learned(&format!("{to}.{host}"), *mtu)).collect();
            Observed::Value(Bounded { rows, left_out: 0, notes: Vec::new() })
        };
        let network = std::sync::Arc::make_mut(&mut snapshot.network);
        let known = [(2, 1350), (3, 1492), (4, 1500), (5, 1501), (99, 600)];
        network.pmtu_ipv4 = table("192.0.2", &known);
        let mut inside = InsideFacts {
            pmtu_ipv4: table("10.42.2", &[(7, 1450), (8, 552), (9, 1480), (10, 1480), (11, 1490)]),
            // Not behind this path.
            pmtu_ipv6: table("198.51.100", &[(7, 1400)]),
            ..InsideFacts::default()
        };
        if let Observed::Value(table) = &mut inside.pmtu_ipv4 {
            table.left_out = 99_872;
        }
        let path = "/var/run/netns/a\u{1b}".to_owned();
        snapshot.inside = std::sync::Arc::new(vec![PodNetwork { path, told: Observed::Value(inside) }]);
        model
    }

    #[test]
    fn what_the_kernel_has_learned_stands_beside_what_fits() {
        let text = table(&with_learned(&flannel4(node(), 4)));
        insta::assert_snapshot!("mtu-learned", text);
        assert!(text.lines().all(|line| line.width() <= WIDTH) && !text.contains("192.0.2.99"), "{text}");
        assert!(!text.contains("198.51.100.7") && !text.contains('\u{1b}'), "{text}");
        let json = json(&with_learned(&flannel4(node(), 4))).unwrap();
        let document: serde_json::Value = serde_json::from_str(&json).unwrap();
        let of_pods = &document["paths"][0]["pods_learned"];
        assert_eq!((of_pods["rows"].as_array().unwrap().len(), &of_pods["left_out"]), (5, &99_872.into()));
        assert_eq!(
            (&of_pods["rows"][0]["mtu"], &of_pods["rows"][0]["destination"]),
            (&552.into(), &"10.42.2.8".into())
        );
    }

    #[test]
    fn who_set_the_size_of_new_pods_is_named_and_whether_it_fits() {
        let mut model = of_facts(&flannel6(flannel4(node(), 1), 1));
        let said = Intended {
            value: 1450,
            basis: Basis::Configured,
            file: Some("/etc/cni/net.d/10-canal.conflist".to_owned()),
            line: Some(9),
        };
        let intent = Intent { pod_mtu: Some(said), ..Intent::default() };
        let comparison = side_by_side(&intent, &model.inventory, &model.setup.mtu);
        let setup = Setup { comparison, intent: Some(intent), ..Setup::clone(&model.setup) };
        model.setup = setup.into();
        let text = table(&model);
        for line in [
            "  new pods, as set 1450 10-canal.conflist:9\n",
            "  new pods, as set 1450 20 bytes too big; 10-canal.conflist:9\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        let wrong: Vec<bool> =
            mtu_trees(&model).iter().map(|tree| tree.steps.iter().any(|step| step.is_wrong)).collect();
        assert_eq!(wrong, [false, true]);
    }

    #[test]
    fn pods_whose_tcp_gets_around_a_black_hole_are_named() {
        let mut model = of_facts(&canal());
        assert!(!table(&model).contains("tcp_mtu_probing"));
        std::sync::Arc::make_mut(&mut model.snapshot).inside =
            crate::model::pods_probing::testdata::inside(&[Some(1), Some(0), None]);
        let text = table(&model);
        assert!(text.lines().all(|line| line.width() <= WIDTH), "{text}");
        assert!(
            text.contains("  tcp_mtu_probing on in 1 of 2 pods: TCP finds what fits; UDP and ping do not\n"),
            "{text}"
        );
        let document: serde_json::Value = serde_json::from_str(&json(&model).unwrap()).unwrap();
        assert_eq!(
            document["tcp_mtu_probing"],
            serde_json::json!({"pods_on": 1, "pods_read": 2}),
            "{document}"
        );
        crate::report::documented(&document, "# The JSON of `show mtu --format json`");
    }

    #[test]
    fn the_document_is_documented() {
        let learned = json(&with_learned(&flannel4(node(), 1))).unwrap();
        let learned: serde_json::Value = serde_json::from_str(&learned).unwrap();
        assert_eq!(learned["paths"][0]["learned"][0]["mtu"], 1350, "{learned}");
        crate::report::documented(&learned, "# The JSON of `show mtu --format json`");
        let document = json(&of_facts(&canal())).unwrap();
        let value: serde_json::Value = serde_json::from_str(&document).unwrap();
        insta::assert_snapshot!("mtu-json", serde_json::to_string_pretty(&value["paths"][1]).unwrap());
        crate::report::documented(&value, "# The JSON of `show mtu --format json`");
    }
}
