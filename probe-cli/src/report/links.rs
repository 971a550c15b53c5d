//! Links as text and JSON: `show links`.

use std::fmt::Write as _;

use super::{
    align::{aligned, wrapped},
    json::Links,
};
use crate::{
    model::{LinkRole, LinkRow, LinkState, Model},
    text,
};

/// The document, with a line end.
pub fn json(model: &Model) -> Result<String, serde_json::Error> {
    super::document(&Links::new(model, &notes(model)))
}

/// The node's own links, then those of pods.
pub fn table(model: &Model) -> String {
    let list = &model.inventory.links;
    let mut out = String::new();
    let (pods, own): (Vec<&LinkRow>, Vec<&LinkRow>) = list.links.iter().partition(|link| link.is_of_pod());
    for (heading, links) in [("LINK", own), ("POD LINK", pods)] {
        if links.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        let names = [heading, "KIND", "MTU", "STATE", "ON", "ROLE"].map(str::to_owned);
        let rows: Vec<_> = [names.to_vec()].into_iter().chain(links.into_iter().map(row)).collect();
        aligned(&mut out, &rows);
    }
    if list.others > 0 {
        let _ = writeln!(out, "\n({} not shown)", text::counted(list.others, "unrelated interface"));
    }
    for note in notes(model) {
        wrapped(&mut out, "! ", &text::escape(&note));
    }
    out
}

/// What could not be read of links.
pub fn notes(model: &Model) -> Vec<String> {
    model.inventory.sriov_notes.iter().chain(&model.inventory.table_notes).cloned().collect()
}

fn row(link: &LinkRow) -> Vec<String> {
    let roles: Vec<&str> = link.roles.iter().copied().map(role).collect();
    let detail =
        link.detail.as_ref().map_or_else(String::new, |detail| format!(" ({})", text::escape(detail)));
    let below = link.master.as_ref().or(link.parent.as_ref());
    vec![
        text::escape(&link.name),
        link.kind.as_deref().map_or_else(|| "hardware".to_owned(), text::escape),
        link.mtu.to_string(),
        state(link.state).to_owned(),
        below.map_or_else(|| "-".to_owned(), |name| text::escape(name)),
        format!("{}{detail}", roles.join(", ")),
    ]
}

/// In words.
pub(super) fn state(state: LinkState) -> &'static str {
    match state {
        LinkState::Up => "up",
        LinkState::NoCarrier => "no carrier",
        LinkState::Down => "down",
    }
}

fn role(role: LinkRole) -> &'static str {
    match role {
        LinkRole::Tunnel => "tunnel",
        LinkRole::Underlay => "underlay",
        LinkRole::BelowUnderlay => "below underlay",
        LinkRole::DefaultRoute => "default route",
        LinkRole::Nic => "NIC",
        LinkRole::PhysicalFunction => "PF",
        LinkRole::VirtualFunction => "VF",
        LinkRole::PodBridge => "pods' bridge",
        LinkRole::HostPair => "host pair",
        LinkRole::Pod => "pod",
        LinkRole::OtherNamespace => "other namespace",
    }
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::*;
    use crate::facts::netlink::{Facts, LinkFact};
    use crate::{inventory::testdata::*, model::testdata::of_facts, report::align::WIDTH};

    fn facts() -> Facts {
        let mut facts = calico_pod(flannel6(flannel4(node(), 1), 1), 20, "10.42.0.5/32");
        facts.links.push(LinkFact { kind: Some("dummy".to_owned()), ..ethernet(22, "kube-ipvs0") });
        facts.links.push(LinkFact {
            carrier: Some(false),
            master: Some(24),
            ..ethernet(23, "ens1f0\u{1b}[2J")
        });
        facts.links.push(pod_veth(25, "docker1"));
        facts
    }

    #[test]
    fn pods_come_after_the_rest() {
        let text = table(&of_facts(&Facts { notes: vec!["something odd".to_owned()], ..facts() }));
        insta::assert_snapshot!("links", text);
        for line in text.lines() {
            assert!(line.width() <= WIDTH && !line.contains(char::is_control), "{line:?}");
        }
    }

    #[test]
    fn the_document_is_documented() {
        let document = json(&of_facts(&facts())).unwrap();
        let value: serde_json::Value = serde_json::from_str(&document).unwrap();
        insta::assert_snapshot!("links-json", serde_json::to_string_pretty(&value["links"][2]).unwrap());
        crate::report::documented(&value, "# The JSON of `show links --format json`");
    }
}
