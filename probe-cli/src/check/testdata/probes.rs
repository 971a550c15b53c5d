//! What probes come to on a node of which nothing is wrong, and how that is changed.

use super::Node;
use crate::{
    inventory::testdata::ip,
    model::{Limit, Probed, ProbedPath},
    observed::Observed,
};

impl Node {
    /// Probes were sent to both other nodes, below the tunnel and through it, and everything gets there.
    pub(crate) fn probing(mut self) -> Self {
        let path = |number: u8, address: &str, tunnel: Option<&str>, overhead| ProbedPath {
            peer: format!("192.0.2.{number}"),
            address: ip(address),
            node_address: Some(ip(&format!("192.0.2.{number}"))),
            tunnel: tunnel.map(str::to_owned),
            overhead,
            expected: 1500 - overhead,
            measured: Some(1500 - overhead),
            flows: 16,
            limit: Limit::None,
            cut_at: None,
        };
        let paths = [2, 3].into_iter().flat_map(|number| {
            let below = path(number, &format!("192.0.2.{number}"), None, 0);
            [below, path(number, &format!("10.42.{number}.0"), Some("flannel.1"), 50)]
        });
        self.probed = Observed::Value(Probed { paths: paths.collect(), sent: 80, flows: 16 });
        self
    }

    /// Changes what came of the probes to an address.
    pub(crate) fn probe(&mut self, address: &str, change: impl FnOnce(&mut ProbedPath)) {
        let Observed::Value(probed) = &mut self.probed else { panic!("nothing is probed") };
        change(probed.paths.iter_mut().find(|path| path.address == ip(address)).unwrap());
    }
}
