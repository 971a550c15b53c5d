//! What documents are made of: types of their own, so that a name in them stays when the model's changes. docs/json.md describes
//! each field. Texts for people are not here.

mod mtu;

pub(super) use mtu::Path;
