//! A runtime's answers as the fuzzer makes them up. Compiled for the fuzzer and for tests.

use std::path::Path;

use prost::Message;

use super::{
    Runtime,
    annotations::Annotations,
    messages::{PodSandbox, PodSandboxStatusResponse, VersionResponse},
    status::details,
};
use crate::pods::{
    grpc::{bounded, entries},
    limits::{self, LeftOut},
};

/// Sandboxes of one list. A reply has more than fit into the fuzzer's inputs.
const MOST: usize = 64;

/// Takes the bytes for each reply that there is. Returns what somebody else chose the words of.
pub(in crate::pods) fn replies(bytes: &[u8]) -> Vec<String> {
    let mut texts = list(bytes);
    texts.extend(status(bytes));
    if let Ok(told) = VersionResponse::decode(bytes) {
        texts.extend([bounded(&told.runtime_name), bounded(&told.runtime_version)]);
    }
    texts
}

fn list(mut bytes: &[u8]) -> Vec<String> {
    let listed = match entries::<PodSandbox>(&mut bytes, MOST) {
        Ok(listed) => listed.unwrap_or_default(),
        Err(error) => return vec![bounded(&error.to_string())],
    };
    assert!(listed.len() <= MOST, "more entries than are kept");
    for sandbox in &listed {
        let networks = |annotations: Option<Annotations>| annotations.and_then(|found| found.networks);
        let again = PodSandbox::decode(&*sandbox.encode_to_vec());
        let again = again.map(|again| networks(again.annotations));
        assert_eq!(
            again,
            Ok(networks(sandbox.annotations.clone())),
            "an annotation that is written is another"
        );
    }
    let mut left_out = LeftOut::default();
    let mut runtime = Runtime::new(Path::new("/"), None);
    runtime.take(listed.clone(), &mut left_out);
    let kept = runtime.known.len();
    // The same list says nothing new.
    runtime.take(listed, &mut left_out);
    assert_eq!(runtime.known.len(), kept, "the same list, other sandboxes");
    let mut texts: Vec<String> = left_out.note("the fuzzer").into_iter().collect();
    for known in runtime.known.into_values() {
        let sandbox = known.sandbox;
        assert!(sandbox.id.len().max(sandbox.uid.len()) <= limits::ID, "a long identifier is kept");
        assert!(sandbox.namespace.len().max(sandbox.name.len()) <= limits::NAME, "a long name is kept");
        for networks in sandbox.annotations.values() {
            assert!(networks.len() <= limits::NETWORKS, "a long list of networks is kept");
        }
        texts.extend([sandbox.id, sandbox.uid, sandbox.namespace, sandbox.name]);
        texts.extend(sandbox.annotations.into_values());
    }
    texts
}

fn status(bytes: &[u8]) -> Vec<String> {
    let reply = match PodSandboxStatusResponse::decode(bytes) {
        Ok(reply) => reply,
        Err(error) => return vec![bounded(&error.to_string())],
    };
    let (mut room, mut left_out) = (bytes.len(), LeftOut::default());
    let details = details(reply).bounded(&mut room, &mut left_out);
    assert!(room <= bytes.len(), "room that was not there");
    assert!(details.addresses.len() <= limits::ADDRESSES, "too many addresses are kept");
    assert!(!details.host_network || details.netns.is_none(), "a namespace of its own, and the node's");
    let netns = details.netns.unwrap_or_default();
    assert!(netns.len() <= limits::PATH, "a long path is kept");
    left_out.note("the fuzzer").into_iter().chain([netns]).collect()
}
