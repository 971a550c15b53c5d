//! Tables that are read piece by piece, each piece with what became of it: one that could not be read is no empty one.

use serde::{Deserialize, Serialize};

use super::RouteFact;
use crate::observed::Observed;

/// What was asked about one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfDevice<T> {
    /// Interface index.
    pub ifindex: u32,
    /// The answer.
    pub told: Observed<T>,
}

/// Entries that are asked for device by device, in the order of asking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerDevice<T>(pub Vec<OfDevice<Vec<T>>>);

impl<T> PerDevice<T> {
    /// The entries that could be read, of all devices.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flat_map(|device| device.told.rows())
    }

    /// Why entries of a device could not be read, one for each such device.
    pub fn troubles(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter_map(|device| device.told.trouble())
    }
}

impl<T> Default for PerDevice<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// Unicast and blackhole routes of the main table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routes {
    /// Those of IPv4.
    pub ipv4: Observed<Vec<RouteFact>>,
    /// Those of IPv6.
    pub ipv6: Observed<Vec<RouteFact>>,
}

impl Routes {
    /// The routes that could be read, of both families.
    pub fn iter(&self) -> impl Iterator<Item = &RouteFact> {
        self.ipv4.rows().iter().chain(self.ipv6.rows())
    }

    /// Why routes of a family could not be read.
    pub fn troubles(&self) -> impl Iterator<Item = String> {
        self.ipv4.trouble().into_iter().chain(self.ipv6.trouble())
    }
}
