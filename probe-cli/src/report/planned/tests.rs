//! The text at 80 columns, and that every field of the document is documented.

use unicode_width::UnicodeWidthStr as _;

use super::*;
use crate::{
    inventory::testdata::*,
    model::{Change, planned, testdata::of_facts},
    report::align::WIDTH,
};

fn model() -> Model {
    let mut facts = own_block(flannel6(flannel4(node(), 2), 2));
    facts.routes.push(blackhole("fd42::/64"));
    for ifindex in [20, 21] {
        facts = calico_pod(facts, ifindex, &format!("10.42.0.{ifindex}/32"));
        facts.routes.push(route(&format!("fd42::{ifindex}/128"), None, ifindex));
        facts.links.iter_mut().filter(|link| link.ifindex == ifindex).for_each(|link| link.mtu = 1450);
    }
    of_facts(&facts)
}

fn of(model: &Model, words: &[&str]) -> Planned {
    planned(model, words.iter().map(|word| word.parse::<Change>().unwrap()).collect()).unwrap()
}

#[test]
fn what_a_change_comes_to() {
    for (name, words) in [
        ("wireguard", vec!["backend=wireguard"]),
        ("smaller", vec!["underlay=1400"]),
        ("jumbo", vec!["underlay=9000", "family=ipv4"]),
    ] {
        let text = table(&of(&model(), &words));
        insta::assert_snapshot!(format!("planned-{name}"), text);
        for line in text.lines() {
            assert!(line.width() <= WIDTH && !line.contains(char::is_control), "{line:?}");
        }
    }
}

#[test]
fn the_document_is_documented() {
    let model = model();
    let document = json(&model, &of(&model, &["backend=wireguard"])).unwrap();
    let value: serde_json::Value = serde_json::from_str(&document).unwrap();
    insta::assert_snapshot!("planned-json", serde_json::to_string_pretty(&value["planned"]).unwrap());
    assert_eq!(
        value["planned"]["after"][0]["ifindex"],
        serde_json::Value::Null,
        "of a device that is not there"
    );
    crate::report::documented(&value, "# The JSON of `show mtu --format json`");
}

#[test]
fn keys_that_lead_to_several_values_stand_once() {
    let set = |path, value: &str| Setting { path, value: value.to_owned(), is_text: false };
    let values = [
        set(&["flannel", "backend"], "a"),
        set(&["flannel", "mtu"], "1"),
        set(&["calico", "vethuMTU"], "2"),
        set(&["MTU"], "3"),
    ];
    assert_eq!(yaml(&values), ["flannel:", "  backend: a", "  mtu: 1", "calico:", "  vethuMTU: 2", "MTU: 3"]);
}
