//! Tables as tests write them: entry by entry, whatever device or family an entry is of. Writing to a table that was not read
//! makes it one that was.

use std::ops::{Deref, DerefMut, Index, IndexMut};

use super::{FdbFact, NeighbourFact, OfDevice, PerDevice, RouteFact, Routes, WireguardFact};
use crate::observed::Observed;

impl<T: 'static> Observed<Vec<T>> {
    const NOTHING: &'static Vec<T> = &Vec::new();
}

impl<T: 'static> Deref for Observed<Vec<T>> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        self.value().unwrap_or(Self::NOTHING)
    }
}

impl<T> From<Vec<T>> for Observed<Vec<T>> {
    fn from(rows: Vec<T>) -> Self {
        Self::Value(rows)
    }
}

impl<T> FromIterator<T> for Observed<Vec<T>> {
    fn from_iter<I: IntoIterator<Item = T>>(rows: I) -> Self {
        Self::Value(rows.into_iter().collect())
    }
}

impl<T: 'static> DerefMut for Observed<Vec<T>> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        if self.value().is_none() {
            *self = Self::Value(Vec::new());
        }
        let Self::Value(rows) = self else { panic!() };
        rows
    }
}

impl Routes {
    pub(crate) fn push(&mut self, route: RouteFact) {
        if route.destination.addr().is_ipv6() { self.ipv6.push(route) } else { self.ipv4.push(route) }
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&RouteFact) -> bool) {
        self.ipv4.retain(&keep);
        self.ipv6.retain(&keep);
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut RouteFact> {
        self.ipv4.iter_mut().chain(self.ipv6.iter_mut())
    }

    pub(crate) fn reverse(&mut self) {
        self.ipv4.reverse();
        self.ipv6.reverse();
    }

    pub(crate) fn clear(&mut self) {
        self.retain(|_| false);
    }
}

impl From<Vec<RouteFact>> for Routes {
    fn from(routes: Vec<RouteFact>) -> Self {
        let mut all = Self::default();
        for route in routes {
            all.push(route);
        }
        all
    }
}

/// An entry of a device's table.
pub trait Entry {
    fn ifindex(&self) -> u32;
}

impl Entry for NeighbourFact {
    fn ifindex(&self) -> u32 {
        self.ifindex
    }
}

impl Entry for FdbFact {
    fn ifindex(&self) -> u32 {
        self.ifindex
    }
}

impl<T: Entry + 'static> PerDevice<T> {
    pub(crate) fn push(&mut self, entry: T) {
        let ifindex = entry.ifindex();
        if let Some(device) = self.0.iter_mut().find(|device| device.ifindex == ifindex) {
            device.told.push(entry);
        } else {
            self.0.push(OfDevice { ifindex, told: Observed::Value(vec![entry]) });
        }
    }

    pub(crate) fn pop(&mut self) {
        self.0.iter_mut().rev().find_map(|device| device.told.pop());
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.0.iter_mut().for_each(|device| device.told.retain(&keep));
    }

    pub(crate) fn reverse(&mut self) {
        self.0.reverse();
        self.0.iter_mut().for_each(|device| device.told.reverse());
    }

    pub(crate) fn clear(&mut self) {
        self.retain(|_| false);
    }
}

impl<T> Index<usize> for PerDevice<T> {
    type Output = T;

    fn index(&self, at: usize) -> &T {
        self.iter().nth(at).unwrap()
    }
}

impl<T: 'static> IndexMut<usize> for PerDevice<T> {
    fn index_mut(&mut self, at: usize) -> &mut T {
        self.0.iter_mut().flat_map(|device| device.told.iter_mut()).nth(at).unwrap()
    }
}

/// A device that could be read.
pub(crate) fn told(device: WireguardFact) -> OfDevice<WireguardFact> {
    OfDevice { ifindex: device.ifindex, told: Observed::Value(device) }
}
