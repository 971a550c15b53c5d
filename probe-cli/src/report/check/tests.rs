//! What the check prints.

use unicode_width::UnicodeWidthStr as _;

use super::*;
use crate::{
    check::{Acceptances, Family, Known, REGISTRY, run, run_with, testdata::Node},
    facts::netlink::FdbFact,
    inventory::testdata::mac,
    observed::Observed,
    report::align::WIDTH,
};

/// A node with a failure, one that it explains, a warning, and something that may not be read.
fn sick() -> Node {
    let mut node = Node::canal();
    node.pod_mtu(1500);
    node.leak(40);
    node.facts().fdb.retain(|entry: &FdbFact| entry.mac != mac(2));
    node.network().devices[0].device.features =
        Observed::Denied { need: "CAP_NET_ADMIN (run as root)".to_owned() };
    node
}

fn printed(node: &Node, print: impl Fn(&Health<'_>) -> String) -> String {
    printed_with(node, &Acceptances::default(), print)
}

#[test]
fn texts() {
    insta::assert_snapshot!("check-healthy", printed(&Node::canal(), |health| table(health, false)));
    insta::assert_snapshot!("check-wireguard", printed(&Node::wireguard(), |health| table(health, false)));
    insta::assert_snapshot!("check-sick", printed(&sick(), |health| table(health, false)));
    insta::assert_snapshot!("check-quiet", printed(&sick(), last_line));
    insta::assert_snapshot!("check-nagios", printed(&sick(), nagios));
    insta::assert_snapshot!("check-npd", printed(&sick(), npd));
    insta::assert_snapshot!("check-markdown", printed(&sick(), markdown));
    insta::assert_snapshot!("check-explain", explain(&REGISTRY[0]));
    insta::assert_snapshot!("check-list", list());
}

#[test]
fn lines_fit_a_terminal_but_for_commands() {
    for node in [Node::canal(), sick()] {
        for line in printed(&node, |health| table(health, true)).lines() {
            let is_command = line.starts_with("             ");
            assert!(line.width() <= WIDTH || is_command, "{line:?}");
        }
    }
    for check in REGISTRY {
        for line in explain(check).lines().skip(1) {
            assert!(line.width() <= WIDTH, "{line:?}");
        }
    }
    assert!(printed(&sick(), npd).width() <= 81);
}

/// However many peers or pods a fault is about.
#[test]
fn a_finding_is_short() {
    let mut node = sick();
    node.facts().fdb.clear();
    for node in [node, sick()] {
        let printed = printed(&node, |health| table(health, false));
        assert!(printed.is_ascii(), "{printed}");
        let findings = printed.split("\n\n").filter(|part| part.contains("  more   overlay-probe"));
        let mut count = 0;
        for finding in findings {
            count += 1;
            let lines = finding.lines().count();
            // What is wrong, one line of evidence and the fix are shown, however long they are.
            let evidence = finding.lines().skip_while(|line| !line.contains("  seen ")).skip(1);
            let spare = evidence.take_while(|line| !line.contains("  fix ") && !line.contains("  causes "));
            let spare = spare.filter(|line| !line.starts_with("               ")).count();
            assert!(lines <= 10 || spare <= 1, "{lines} lines:\n{finding}");
            assert!(finding.contains("  seen "), "{finding}");
        }
        assert!(count >= 2, "{printed}");
    }
}

/// Accepts what pods send, and a warning that is not there.
fn accepting() -> Acceptances {
    let text = "mtu-pod-exceeds-tunnel * pods are made anew on Monday 2030-01-31\n\
                mtu-underlay-wasted * by design 2030-01-31\n";
    Acceptances::parse(text).unwrap()
}

fn printed_with(node: &Node, accepted: &Acceptances, print: impl Fn(&Health<'_>) -> String) -> String {
    let model = node.model();
    let judgement = run_with(&model, REGISTRY, accepted);
    let verdict = judgement.verdict(false);
    print(&Health { model: &model, judgement: &judgement, verdict, took_s: 2.13, since: None })
}

/// What is accepted is in every format, and an alarm in none.
#[test]
fn accepted_findings_are_counted() {
    let accepted = accepting();
    let in_json = |print: fn(&Health<'_>) -> Result<String, serde_json::Error>| {
        let text = printed_with(&sick(), &accepted, |health| print(health).unwrap());
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let text = printed_with(&sick(), &accepted, |health| table(health, false));
    insta::assert_snapshot!("check-accepted", text);
    let document = in_json(json);
    assert_eq!(
        (document["counts"]["accepted"].as_u64(), document["counts"]["failed"].as_u64()),
        (Some(1), Some(1))
    );
    let of_check = |entry: &&serde_json::Value| entry["id"] == "mtu-pod-exceeds-tunnel";
    let entry = document["findings"].as_array().unwrap().iter().find(of_check).unwrap();
    assert_eq!(
        entry["accepted"],
        serde_json::json!({"reason": "pods are made anew on Monday", "until": "2030-01-31"})
    );
    let passed = document["passed"].as_array().unwrap();
    assert!(!passed.iter().any(|id| id == "mtu-pod-exceeds-tunnel"), "{passed:?}");
    crate::report::documented(&document, "# The JSON of `check`");
    let results = in_json(sarif)["runs"][0]["results"].clone();
    let of_rule = |result: &&serde_json::Value| result["ruleId"] == "mtu-pod-exceeds-tunnel";
    let result = results.as_array().unwrap().iter().find(of_rule).unwrap();
    assert_eq!(
        result["suppressions"][0]["justification"],
        "accepted until 2030-01-31: pods are made anew on Monday"
    );
    let junit = printed_with(&sick(), &accepted, junit);
    assert!(junit.contains("name=\"mtu-pod-exceeds-tunnel\"><skipped message=\"accepted until"), "{junit}");
    for text in [printed_with(&sick(), &accepted, nagios), printed_with(&sick(), &accepted, npd)] {
        assert!(
            !text.contains("mtu-pod-exceeds-tunnel") && text.contains("peer-neighbour-without-fdb"),
            "{text}"
        );
    }
}

/// A document that was written is what the next look is compared with.
#[test]
fn what_differs_from_an_earlier_document() {
    let earlier = |node: &Node| read(printed(node, |health| json(health).unwrap()).as_bytes()).unwrap();
    let compared = |mut known: Known, node: &Node, print: fn(&Health<'_>, &super::Changes) -> String| {
        let model = node.model();
        let judgement = run(&model, REGISTRY);
        let changes = known.compare(&judgement);
        let verdict = judgement.verdict(false);
        let health =
            Health { model: &model, judgement: &judgement, verdict, took_s: 2.13, since: Some(&changes) };
        print(&health, &changes)
    };
    let (well, mut other) = (Node::canal(), sick());
    other.facts().fdb.clear();
    other.pod_mtu(1450);
    let said = [(&well, &sick()), (&sick(), &other), (&sick(), &sick()), (&sick(), &well), (&well, &well)]
        .map(|(then, now)| compared(earlier(then).known, now, since));
    insta::assert_snapshot!("check-since", said.join("\n----\n"));
    for line in said.iter().flat_map(|text| text.lines()) {
        assert!(line.width() <= WIDTH, "{line:?}");
    }
    let document = compared(earlier(&sick()).known, &other, |health, _| json(health).unwrap());
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let ids = |list: &str| {
        let entries = document["since"][list].as_array().unwrap();
        entries.iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(ids("resolved").contains(&"mtu-pod-exceeds-tunnel".to_owned()), "{}", document["since"]);
    assert!(ids("new").contains(&"peer-neighbour-without-fdb".to_owned()), "{}", document["since"]);
    crate::report::documented(&document, "# The JSON of `check`");
}

#[test]
fn what_is_no_earlier_document_is_refused() {
    for (text, says) in [
        ("{}", "no document of `check --format json`"),
        ("not JSON", "no document of `check --format json`"),
        (&*unknown("needs root").unwrap(), "(needs root)"),
        (r#"{"schema_version":2,"reason":null,"node":null,"findings":[]}"#, "schema_version 2"),
    ] {
        let error = read(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

/// The last line's numbers are those of all checks.
#[test]
fn counts_add_up() {
    for node in [Node::canal(), Node::wireguard(), sick()] {
        let line = printed(&node, last_line);
        let first = line.lines().next().unwrap();
        let numbers = first.split(": ").nth(1).unwrap().split(", in ").next().unwrap();
        let sum: usize =
            numbers.split(", ").map(|part| part.split(' ').next().unwrap().parse::<usize>().unwrap()).sum();
        assert_eq!(sum, REGISTRY.len(), "{line}");
    }
}

#[test]
fn documents_can_be_read() {
    let node = sick();
    let json = printed(&node, |health| json(health).unwrap());
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(document["verdict"], "fail");
    assert_eq!(document["counts"]["failed"], 2, "{}", document["findings"]);
    let ids: Vec<&str> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["id"].as_str().unwrap())
        .collect();
    assert!(
        ids.contains(&"mtu-pod-exceeds-tunnel") && ids.contains(&"peer-neighbour-without-fdb"),
        "{ids:?}"
    );
    crate::report::documented(&document, "# The JSON of `check`");
    let none: serde_json::Value = serde_json::from_str(&unknown("needs root").unwrap()).unwrap();
    assert_eq!((none["verdict"].as_str(), none["reason"].as_str()), (Some("unknown"), Some("needs root")));
    let sarif: serde_json::Value =
        serde_json::from_str(&printed(&node, |health| sarif(health).unwrap())).unwrap();
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    for result in sarif["runs"][0]["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
}

#[test]
fn junit_is_well_formed_whatever_is_in_it() {
    let mut node = sick();
    node.rename("a<b>\"&\u{1b}");
    let text = printed(&node, junit);
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text.split_once("?>").unwrap().1;
    while let Some(start) = rest.find('<') {
        assert!(!rest[..start].contains('>'), "{text}");
        let end = rest[start..].find('>').unwrap() + start;
        let tag = &rest[start + 1..end];
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{text}");
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty(), "{open:?}");
    assert_eq!(text.matches("<testcase ").count(), REGISTRY.len());
    assert!(!text.contains('\u{1b}'));
}

/// `UPDATE_DOCS=1 cargo test -p overlay-probe` writes the pages.
#[test]
fn the_pages_of_the_documentation_are_those_of_the_checks() {
    let of_families = Family::ALL.map(|family| (family.name(), page(family)));
    for (name, page) in
        of_families.into_iter().chain([("faults", faults_page()), ("failures", failures_page())])
    {
        let path = format!("{}/../docs/checks/{name}.md", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &page).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(written, page, "{path}: run UPDATE_DOCS=1 cargo test -p overlay-probe report::check");
    }
}
