//! Devices of this node that went away while paths were measured: that nothing was answered since says nothing of the path. Pure.

use std::collections::BTreeSet;

use super::{
    classify::{Outcome, Verdict},
    plan::{Path, Way},
};
use crate::model::{Model, MtuPath, paths_in_use};

/// Index and name of interfaces that are up.
pub type Up = BTreeSet<(u32, String)>;

/// Names of the paths' devices that were up in the model and are not any more, or are others; `up` is what is up now.
pub fn gone(model: &Model, up: &Up, paths: &[Path]) -> BTreeSet<String> {
    let before = model.snapshot.netlink.links.iter().filter(|link| link.up);
    let gone: BTreeSet<&str> = before
        .filter(|link| !up.contains(&(link.ifindex, link.name.clone())))
        .map(|link| link.name.as_str())
        .collect();
    let devices = paths.iter().flat_map(|path| devices(model, path));
    devices.filter(|device| gone.contains(device)).map(str::to_owned).collect()
}

/// Replaces what paths by such a device came to after it was gone; what was answered before stays.
pub fn interrupt(model: &Model, gone: &BTreeSet<String>, paths: &[Path], outcomes: &mut [Option<Outcome>]) {
    for (path, outcome) in paths.iter().zip(outcomes) {
        let device = devices(model, path).find(|device| gone.contains(*device));
        let (Some(outcome), Some(device)) = (outcome, device) else { continue };
        match outcome.verdict {
            Verdict::Unreachable { .. }
            | Verdict::Undecided { .. }
            | Verdict::NotSent { .. }
            | Verdict::SomeFlows(_) => {
                outcome.verdict = Verdict::Interrupted { device: device.to_owned() };
            }
            Verdict::Fits
            | Verdict::Refused
            | Verdict::TooBig { .. }
            | Verdict::BlackHole
            | Verdict::Interrupted { .. } => {}
        }
    }
}

/// What is below the tunnel, and the tunnel, which goes with it. Which NIC leads to a node without a tunnel is not known: each that
/// other nodes are behind.
fn devices<'a>(model: &'a Model, path: &'a Path) -> impl Iterator<Item = &'a str> {
    let is_of = |way: &&MtuPath| path.way != Way::Overlay || path.device.as_ref() == Some(&way.device);
    let ways = paths_in_use(&model.inventory, &model.setup.mtu).filter(is_of);
    let below = ways.flat_map(|way| &way.underlays).map(|device| device.name.as_str());
    below.chain(path.device.as_deref())
}

#[cfg(test)]
mod tests {
    use super::{
        super::testdata::{outcome, path},
        *,
    };
    use crate::{inventory::testdata::*, model::testdata::of_facts};

    #[test]
    fn what_was_not_answered_after_a_device_was_gone_says_nothing() {
        let model = of_facts(&flannel4(node(), 1));
        let both = || [path(Way::Underlay, "192.0.2.2", 1500), path(Way::Overlay, "10.42.2.0", 1450)];
        let paths = [both(), both()].concat();
        let links = model.snapshot.netlink.links.iter().filter(|link| link.up);
        let all: Up = links.map(|link| (link.ifindex, link.name.clone())).collect();
        let without = |name: &str| all.iter().filter(|(_, other)| other != name).cloned().collect::<Up>();
        let is_interrupted = |up: &Up| {
            let lost = outcome(Verdict::Unreachable { said_by: None }, None);
            let known = outcome(Verdict::BlackHole, Some(1400));
            let mut outcomes = [&lost, &lost, &known, &known].map(|outcome| Some(outcome.clone()));
            let gone = gone(&model, up, &paths);
            interrupt(&model, &gone, &paths, &mut outcomes);
            let which = outcomes.map(|outcome| {
                matches!(outcome.map(|outcome| outcome.verdict), Some(Verdict::Interrupted { .. }))
            });
            (which, gone.into_iter().collect::<Vec<_>>().join(" "))
        };
        assert_eq!(is_interrupted(&all), ([false; 4], String::new()));
        let tunnel = "flannel.1".to_owned();
        assert_eq!(is_interrupted(&without("flannel.1")), ([false, true, false, false], tunnel.clone()));
        assert_eq!(is_interrupted(&without("eth0")), ([true, true, false, false], "eth0".to_owned()));
        // Made again it is another one.
        let mut again = without("flannel.1");
        again.insert((99, tunnel.clone()));
        assert_eq!(is_interrupted(&again), ([false, true, false, false], tunnel));
    }
}
