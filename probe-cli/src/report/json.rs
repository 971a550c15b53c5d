//! What documents are made of: types of their own, so that a name in them stays when the model's changes. docs/json.md describes
//! each field. Texts for people are not here.

mod intended;
mod links;
mod metrics;
mod mtu;
mod node;
mod peers;
mod plane;
mod planned;
mod pods;
mod probed;
mod vfs;
pub(super) mod words;

pub(super) use intended::Intended;
pub(super) use links::Document as Links;
pub(super) use metrics::Metrics;
pub(super) use mtu::Mtu;
pub(super) use node::Node;
pub(super) use peers::{Document as Peers, Wireguard};
pub(super) use planned::PlannedMtu;
pub(super) use pods::{Document as Pods, Interface};
pub(super) use probed::Probed;
pub(super) use vfs::{Document as Vfs, Vf};
