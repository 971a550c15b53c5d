//! Whereabouts calls the node otherwise than Kubernetes does.

use super::{super::prelude::*, directory, files};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "cni-node-name-differs",
    family: Family::Cni,
    title: "Whereabouts takes the node for another one",
    symptom: "Pods with addresses from node slices stay in ContainerCreating: no slice for the node.",
    core: false,
    needs: &[Need::Files],
    explained_by: &[],
    explain: Explain {
        how: "`nodename` in whereabouts.d, else /etc/hostname, against the node's name, where networks with node slices are in use.",
        why: "The node's name is its full one, and its host name the short one.",
        fix: "Write the node's name into whereabouts.d/nodename.",
        not_if: "",
        seen_in: "whereabouts script/lib.sh",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let in_files = files(model).into_iter().flat_map(|files| {
        let own = files.cni.value().map(|directory| directory.files.as_slice()).unwrap_or_default();
        let all = own.iter().chain(files.multus_networks.rows());
        all.flat_map(|file| &file.network.plugins).filter_map(|plugin| plugin.node_slice_size.as_ref())
    });
    let attached = model.snapshot.pods.attachments.iter();
    let has_slices = in_files.count() > 0
        || attached.filter_map(|one| one.ipam.as_ref()).any(|ipam| ipam.node_slice_size.is_some());
    let Some(whereabouts) = files(model).and_then(|files| files.whereabouts.value()).filter(|_| has_slices)
    else {
        return Outcome::DoesNotApply("no network with node slices of Whereabouts");
    };
    let node = model.setup.intent.as_ref().and_then(|intent| intent.node_name.as_ref());
    let Some(node) = node.filter(|node| node.file.is_some()) else {
        return Outcome::DoesNotApply("no file says what Kubernetes calls this node");
    };
    if let Some(why) = whereabouts.nodename.trouble() {
        return Outcome::NotJudged(why);
    }
    let hostname = files(model).and_then(|files| files.hostname.value());
    let Some(used) = whereabouts.nodename.value().or(hostname) else {
        return Outcome::DoesNotApply("the node's host name is not known");
    };
    if used.value == node.value {
        return Outcome::Judged(Vec::new());
    }
    let directory = directory(model).map_or("/etc/cni/net.d", |directory| directory.path.value.as_str());
    let place = node.file.as_deref().map_or_else(String::new, escape);
    Outcome::Judged(vec![
        Finding::new(
            Fail,
            SubjectKind::Node,
            &node.value,
            format!("Whereabouts takes this node for {}: it finds no slice for it.", shown(&used.value)),
        )
        .seen("Whereabouts", shown(&used.value), escape(&used.place()))
        .seen("node name", shown(&node.value), place)
        .fix("Write the node's name where Whereabouts looks for it. Charts that set NODENAME write it when Whereabouts's pod is restarted.")
        .run(format!("echo {} > {}", quoted(&node.value), quoted(&format!("{directory}/whereabouts.d/nodename")))),
    ])
}
