//! How much is kept of what others say of pods: runtimes, the kubelet, files of CNI plugins. In one place, so that no answer and
//! no file decides how much memory this takes. What the values mean is for those who read.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};

use crate::facts::pods::{Allocation, Attachment, InterfaceDevice, ResourceDevice, VfConfiguration};

/// Longest name, in bytes. Names of Kubernetes are DNS names, 253 bytes; a resource's has a prefix, and a network's its
/// namespace.
pub(super) const NAME: usize = 512;
/// Longest identifier: of a sandbox, a pod, a PCI function.
pub(super) const ID: usize = 128;
/// Longest path, the kernel's `PATH_MAX`.
pub(super) const PATH: usize = 4096;
/// Most addresses of one sandbox or interface.
pub(super) const ADDRESSES: usize = 32;
/// Most interfaces that one plugin says it made.
pub(super) const INTERFACES: usize = 256;
/// Longest list of networks that a pod asks for. A network is named in some dozen bytes.
pub(super) const NETWORKS: usize = 16 << 10;
/// Longest configuration of a network in libcni's cache, in bytes of JSON. Real ones have some hundred.
pub(super) const CONFIG: usize = 64 << 10;
/// Bytes of everything that one source says.
pub(super) const ALL: usize = 32 << 20;

/// What is made of a document, which is kept.
pub(super) trait Size {
    /// Bytes that it takes, about.
    fn bytes(&self) -> usize;
}

impl Size for Attachment {
    fn bytes(&self) -> usize {
        let Self { container_id, namespace, pod, network, ifname, .. } = self;
        let optional = [&self.uid, &self.plugin, &self.netns, &self.device, &self.requested_networks];
        let optional = optional.into_iter().flatten();
        let ipam = self.ipam.iter().flat_map(|ipam| {
            let optional = [&ipam.node_slice_size, &ipam.network_name].into_iter().flatten();
            ipam.ranges.iter().chain([&ipam.kind]).chain(optional)
        });
        let texts = [container_id, namespace, pod, network, ifname].into_iter().chain(optional).chain(ipam);
        let names = self.host_ifnames.iter().map(|name| size_of::<String>() + name.len()).sum::<usize>();
        size_of::<Self>()
            + texts.map(String::len).sum::<usize>()
            + names
            + size_of_val(self.addresses.as_slice())
    }
}

impl Size for Allocation {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.pci.len() + self.netns.len()
    }
}

impl Size for VfConfiguration {
    fn bytes(&self) -> usize {
        let Self { pci, container_id, ifname, network } = self;
        size_of::<Self>() + pci.len() + container_id.len() + ifname.len() + network.len()
    }
}

impl Size for InterfaceDevice {
    fn bytes(&self) -> usize {
        let Self { pci, container_id, ifname, network } = self;
        size_of::<Self>() + pci.len() + container_id.len() + ifname.len() + network.len()
    }
}

impl Size for ResourceDevice {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.pci.len() + self.resource_and_device.len()
    }
}

/// What was too long, so that it was left out.
#[derive(Debug, Default)]
pub(super) struct LeftOut(BTreeMap<&'static str, usize>);

impl LeftOut {
    /// Counts one.
    pub(super) fn add(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    /// The text if it is short enough.
    pub(super) fn text(&mut self, what: &'static str, text: String, longest: usize) -> Option<String> {
        if text.len() <= longest {
            return Some(text);
        }
        self.add(what);
        None
    }

    /// The beginning of a list.
    pub(super) fn list<T>(&mut self, what: &'static str, mut list: Vec<T>, most: usize) -> Vec<T> {
        if list.len() > most {
            self.add(what);
            list.truncate(most);
            list.shrink_to_fit();
        }
        list
    }

    /// In words; none when nothing was left out.
    pub(super) fn note(&self, who: &str) -> Option<String> {
        let parts: Vec<String> = self.0.iter().map(|(what, count)| format!("{count} {what}")).collect();
        (!parts.is_empty())
            .then(|| format!("{who} reports more than is kept; left out: {}", parts.join(", ")))
    }

    /// The same for one document, which is then left out as a whole.
    pub(super) fn refusal(&self) -> Result<(), String> {
        match self.0.keys().next() {
            Some(what) => Err(format!("too many or too long {what}")),
            None => Ok(()),
        }
    }
}

/// The first entries of a list in JSON; the others are counted and not kept. Nothing (`null`) is an empty list.
#[derive(Debug)]
pub(super) struct First<T, const MOST: usize> {
    pub(super) kept: Vec<T>,
    pub(super) further: usize,
}

impl<T, const MOST: usize> Default for First<T, MOST> {
    fn default() -> Self {
        Self { kept: Vec::new(), further: 0 }
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for First<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for ListVisitor<T, MOST> {
    type Value = First<T, MOST>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(First::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut found = First::default();
        while found.kept.len() < MOST {
            match list.next_element()? {
                Some(entry) => found.kept.push(entry),
                None => return Ok(found),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            found.further += 1;
        }
        Ok(found)
    }
}

/// Where serde_json gave up, and what kind of mistake it is. Its own words quote the text, which may hold a secret.
pub(super) fn mistake(error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        serde_json::error::Category::Io => "it cannot be read",
        serde_json::error::Category::Syntax => "it is not JSON",
        serde_json::error::Category::Data => "a value has the wrong type",
        serde_json::error::Category::Eof => "it ends too soon",
    };
    format!("{kind}: line {}, column {}", error.line(), error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_end_and_the_rest_is_counted() {
        let of =
            |json: &str| serde_json::from_str::<First<u8, 2>>(json).map(|list| (list.kept, list.further));
        assert_eq!(of("[1,2,3,4]").unwrap(), (vec![1, 2], 2));
        assert_eq!(of("[1]").unwrap(), (vec![1], 0));
        assert_eq!(of("null").unwrap(), (vec![], 0));
        assert!(of("{}").is_err() && of("[\"x\"]").is_err());
    }

    #[test]
    fn what_is_too_long_is_named() {
        let mut left_out = LeftOut::default();
        assert_eq!(left_out.note("x"), None);
        assert_eq!(left_out.text("names", "abc".to_owned(), 3), Some("abc".to_owned()));
        assert_eq!(left_out.text("names", "abcd".to_owned(), 3), None);
        assert_eq!(left_out.list("addresses", vec![1, 2, 3], 2), [1, 2]);
        assert_eq!(
            left_out.note("x").unwrap(),
            "x reports more than is kept; left out: 1 addresses, 1 names"
        );
        assert_eq!(left_out.refusal().unwrap_err(), "too many or too long addresses");
    }
}
