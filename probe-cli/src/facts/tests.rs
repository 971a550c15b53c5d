//! That facts survive being recorded: what is written as JSON is read back as the same.

use std::fmt::Debug;

use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Bounded, Snapshot, counters,
    files::HostFiles,
    host, ipam,
    netlink::{self, Facts, OfDevice},
    network, pci,
    testdata::any,
};
use crate::observed::Observed;

/// Writes and reads a value that was made up.
fn survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(seed: u64) {
    let value = any::<T>(seed);
    let text = serde_json::to_string(&value).unwrap();
    assert!(!text.contains('\n'), "a record is one line: {text}");
    assert_eq!(serde_json::from_str::<T>(&text).unwrap(), value, "{text}");
}

proptest! {
    #[test]
    fn what_is_recorded_is_read_back(seed: u64) {
        survives::<Snapshot>(seed);
        survives::<netlink::VfListFact>(seed);
        survives::<Bounded<netlink::PmtuException>>(seed);
        survives::<Bounded<netlink::NeighbourStateFact>>(seed);
        survives::<Bounded<netlink::BridgeVlansFact>>(seed);
        survives::<netlink::DeviceFact>(seed);
        survives::<counters::ProtocolCounters>(seed);
        survives::<counters::SoftnetCounters>(seed);
        survives::<counters::ConntrackCounters>(seed);
        survives::<Bounded<counters::LinkStatistics>>(seed);
        survives::<host::Sysctls>(seed);
        survives::<host::Modules>(seed);
        survives::<network::NetworkFacts>(seed);
        survives::<network::PodNetwork>(seed);
        survives::<ipam::IpamNetwork>(seed);
        survives::<pci::PciFunctionFact>(seed);
    }
}

#[test]
fn a_table_that_was_not_read_says_why_and_an_empty_one_says_nothing() {
    fn failed<T>() -> Observed<T> {
        Observed::Failed { error: "refused".to_owned() }
    }
    let denied = Observed::Denied { need: "CAP_NET_ADMIN".to_owned() };
    let mut facts =
        Facts { rules: Observed::Absent, addresses: Observed::Value(Vec::new()), ..Facts::default() };
    facts.routes.ipv4 = Observed::Value(Vec::new());
    assert_eq!(facts.troubles(), Vec::<String>::new());
    facts.routes.ipv6 = failed();
    facts.fdb.0 = vec![OfDevice { ifindex: 3, told: failed() }, OfDevice { ifindex: 4, told: failed() }];
    facts.notes = vec!["links kept changing".to_owned()];
    facts.wireguard = vec![OfDevice { ifindex: 5, told: denied }];
    assert_eq!(facts.troubles(), ["refused", "links kept changing", "needs CAP_NET_ADMIN"]);
    assert_eq!(facts.routes.iter().count() + facts.fdb.iter().count(), 0);
}

/// Otherwise the property above says nothing.
#[test]
fn what_is_made_up_differs_and_has_parts() {
    let facts: Vec<netlink::Facts> = (0..64).map(any).collect();
    assert!(facts.iter().any(|facts| {
        facts
            .wireguard
            .iter()
            .any(|device| device.told.value().is_some_and(|device| !device.peers.is_empty()))
    }));
    assert!(facts.iter().any(|facts| facts.links.iter().any(|link| link.vxlan.is_some())));
    assert!(facts.windows(2).all(|pair| pair[0] != pair[1]));
    let files: Vec<HostFiles> = (0..64).map(any).collect();
    assert!(files.iter().any(|files| files.charts.value().is_some_and(|charts| !charts.is_empty())));
    assert!(files.iter().any(|files| files.charts.trouble().is_some()));
}
