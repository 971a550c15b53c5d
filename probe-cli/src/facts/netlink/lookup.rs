//! Routes by destination: finds those that an address may take without a look at each. Which of them it takes is for who asks.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    net::IpAddr,
};

use ipnet::IpNet;

use super::RouteFact;

/// See the module.
#[derive(Debug, Default)]
pub struct RouteLookup<'a> {
    by_network: HashMap<IpNet, Vec<&'a RouteFact>>,
    /// Lengths of the prefixes that there are, the longest first.
    lengths: BTreeSet<Reverse<u8>>,
}

impl<'a> RouteLookup<'a> {
    /// Of these routes.
    pub fn new(routes: impl Iterator<Item = &'a RouteFact>) -> Self {
        let mut lookup = Self::default();
        for route in routes {
            let network = route.destination.trunc();
            lookup.by_network.entry(network).or_default().push(route);
            lookup.lengths.insert(Reverse(network.prefix_len()));
        }
        lookup
    }

    /// The routes of the longest prefix that has this address, in the order that they were given in; empty without any.
    pub fn longest(&self, address: IpAddr) -> &[&'a RouteFact] {
        let networks = self.lengths.iter().filter_map(|length| IpNet::new(address, length.0).ok());
        let mut found = networks.filter_map(|network| self.by_network.get(&network.trunc()));
        found.next().map(Vec::as_slice).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::facts::testdata::any;

    proptest! {
        #[test]
        fn it_finds_what_a_look_at_each_finds(seed: u64, networks: [u8; 12], address: u8) {
            // Close together, so that some are in others and some are the same.
            let destination = |number: u8| {
                let (length, is_v6) = (number % 8, number & 8 != 0);
                let text = if is_v6 { format!("fd00::{number:x}/{}", 120 + length) } else { format!("10.0.0.{number}/{}", 24 + length) };
                text.parse::<IpNet>().unwrap()
            };
            let routes = networks.map(|number| RouteFact { destination: destination(number), ..any(seed) });
            let lookup = RouteLookup::new(routes.iter());
            for address in [format!("10.0.0.{address}"), format!("fd00::{address:x}")] {
                let address: IpAddr = address.parse().unwrap();
                let with_it = || routes.iter().filter(|route| route.destination.contains(&address));
                let longest = with_it().map(|route| route.destination.prefix_len()).max();
                let expected: Vec<_> =
                    with_it().filter(|route| Some(route.destination.prefix_len()) == longest).collect();
                prop_assert_eq!(lookup.longest(address), expected);
            }
        }
    }
}
