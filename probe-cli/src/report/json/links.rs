//! `show links --format json`.

use serde::Serialize;

use super::words;
use crate::model::{self, LinkRow};

/// The document.
#[derive(Serialize)]
pub(in crate::report) struct Document<'a> {
    schema_version: u32,
    links: Vec<Link<'a>>,
    others: usize,
    notes: &'a [String],
}

#[derive(Serialize)]
struct Link<'a> {
    ifindex: u32,
    name: &'a str,
    kind: Option<&'a str>,
    detail: Option<&'a str>,
    mtu: u32,
    state: &'static str,
    parent: Option<&'a str>,
    master: Option<&'a str>,
    roles: Vec<&'static str>,
}

impl<'a> Document<'a> {
    /// The links, with what could not be read of them.
    pub(in crate::report) fn new(model: &'a model::Model, notes: &'a [String]) -> Self {
        let list = &model.inventory.links;
        Self {
            schema_version: 1,
            links: list.links.iter().map(Link::from).collect(),
            others: list.others,
            notes,
        }
    }
}

impl<'a> From<&'a LinkRow> for Link<'a> {
    fn from(link: &'a LinkRow) -> Self {
        let LinkRow { ifindex, name, kind, detail, mtu, state, parent, master, roles } = link;
        Self {
            ifindex: *ifindex,
            name,
            kind: kind.as_deref(),
            detail: detail.as_deref(),
            mtu: *mtu,
            state: words::link_state(*state),
            parent: parent.as_deref(),
            master: master.as_deref(),
            roles: roles.iter().copied().map(words::link_role).collect(),
        }
    }
}
