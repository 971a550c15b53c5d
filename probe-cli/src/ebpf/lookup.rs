//! The lookup maps: kept equal to the planned tables by writing what differs.

use std::collections::BTreeMap;

use aya::{
    Ebpf, Pod,
    maps::{Array, LpmTrie, Map, MapData, MapError, lpm_trie},
};
use probe_common::{
    keys::{AllowedIp, AllowedPeer, IfaceConfig, PodNetwork, PodRanges},
    table::Entry,
};

use super::{
    error::{EbpfError, map_error},
    plan::{PodPrefix, Prefix, Tables},
    table::{Table, Write},
};

/// All lookup maps and what they hold.
pub(super) struct LookupMaps {
    tunnel_ifaces: Named<Array<MapData, IfaceConfig>>,
    under_ifaces: Named<Array<MapData, IfaceConfig>>,
    outer_ports: Named<Array<MapData, u64>>,
    lookup: Named<Array<MapData, Entry>>,
    allowed: Named<LpmTrie<MapData, AllowedIp, AllowedPeer>>,
    pod_networks: Named<LpmTrie<MapData, [u8; 16], PodNetwork>>,
    pod_ranges: Named<Array<MapData, PodRanges>>,
    changes: u32,
    table: Table,
    current: Tables,
}

struct Named<M> {
    name: &'static str,
    map: M,
}

impl LookupMaps {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, EbpfError> {
        let lookup: Named<Array<MapData, Entry>> = take(ebpf, "LOOKUP")?;
        Ok(Self {
            tunnel_ifaces: take(ebpf, "TUNNEL_IFACES")?,
            under_ifaces: take(ebpf, "UNDER_IFACES")?,
            outer_ports: take(ebpf, "OUTER_PORTS")?,
            table: Table::new(lookup.map.len()),
            lookup,
            allowed: take(ebpf, "ALLOWED_IPS")?,
            pod_networks: take(ebpf, "POD_NETWORKS")?,
            pod_ranges: take(ebpf, "POD_RANGES")?,
            changes: 0,
            current: Tables::default(),
        })
    }

    /// Removes what `next` does not hold. Then nothing counts for slots that are free.
    pub(super) fn remove_stale(&mut self, next: &Tables) -> Result<(), EbpfError> {
        self.tunnel_ifaces.zero_stale(&mut self.current.tunnel_ifaces, &next.tunnel_ifaces)?;
        self.under_ifaces.zero_stale(&mut self.current.under_ifaces, &next.under_ifaces)?;
        self.outer_ports.zero_stale(&mut self.current.outer_ports, &next.outer_ports)?;
        self.allowed.remove_stale(&mut self.current.allowed, &next.allowed)?;
        self.pod_networks.remove_stale(&mut self.current.pod_networks, &next.pod_networks)?;
        self.lookup.write(self.table.remove_stale(&next.slots))?;
        self.changed()
    }

    /// Writes what `next` has new. The interfaces come last: counting begins with them.
    pub(super) fn insert(&mut self, next: Tables) -> Result<(), EbpfError> {
        self.lookup.write(self.table.insert_new(&next.slots))?;
        for (prefix, peer) in fresh(&self.current.allowed, &next.allowed) {
            self.allowed.set(&prefix, peer)?;
        }
        for (prefix, of) in fresh(&self.current.pod_networks, &next.pod_networks) {
            let key = lpm_trie::Key::new(prefix.bits, prefix.octets);
            let set = self.pod_networks.map.insert(&key, of, 0);
            set.map_err(|source| self.pod_networks.error("write", source))?;
        }
        self.pod_ranges.set_new(&self.current.pod_ranges, &next.pod_ranges)?;
        self.outer_ports.set_new(&self.current.outer_ports, &next.outer_ports)?;
        self.current = next;
        self.changed()
    }

    /// Writes the interfaces, and has the programs forget whose the last packets were (probe-ebpf/src/recent.rs): to be called
    /// after each change of what they look up.
    fn changed(&mut self) -> Result<(), EbpfError> {
        self.changes = self.changes.wrapping_add(1);
        self.under_ifaces.set_all(&self.current.under_ifaces, self.changes)?;
        self.tunnel_ifaces.set_all(&self.current.tunnel_ifaces, self.changes)
    }

    /// Keys that found no place in their table: what they name counts as "other".
    pub(super) fn unplaced(&self) -> u64 {
        self.table.unplaced() + self.current.allowed_left_out + self.current.pod_networks_left_out
    }
}

impl Named<Array<MapData, Entry>> {
    fn write(&mut self, writes: Vec<Write>) -> Result<(), EbpfError> {
        for (index, entry) in writes {
            self.map.set(index, entry, 0).map_err(|source| self.error("write", source))?;
        }
        Ok(())
    }
}

impl Named<Array<MapData, IfaceConfig>> {
    /// All anew, with this generation. A packet meanwhile finds the same words as before, or new ones (`array_map_update_elem` in
    /// kernel/bpf/arraymap.c copies).
    fn set_all(&mut self, interfaces: &BTreeMap<u32, IfaceConfig>, generation: u32) -> Result<(), EbpfError> {
        for (&index, &config) in interfaces {
            let set = self.map.set(index, IfaceConfig { generation, ..config }, 0);
            set.map_err(|source| self.error("write", source))?;
        }
        Ok(())
    }
}

impl Named<LpmTrie<MapData, AllowedIp, AllowedPeer>> {
    /// Takes out what `next` does not have. What it has for another peer leads to the tunnel's "other" until the new
    /// peer's counters are ready: an entry is replaced in one step (`trie_update_elem` in kernel/bpf/lpm_trie.c), so no
    /// packet finds it missing.
    fn remove_stale(
        &mut self,
        current: &mut BTreeMap<Prefix, AllowedPeer>,
        next: &BTreeMap<Prefix, AllowedPeer>,
    ) -> Result<(), EbpfError> {
        for prefix in stale(current, next) {
            let key = lpm_trie::Key::new(prefix.bits, prefix.ip);
            self.map.remove(&key).map_err(|source| self.error("delete from", source))?;
            current.remove(&prefix);
        }
        for (prefix, peer) in current {
            if let Some(wanted) = next.get(prefix).filter(|wanted| wanted.peer != peer.peer) {
                *peer = AllowedPeer { peer: prefix.ip.tunnel, overhead: wanted.overhead };
                self.set(prefix, *peer)?;
            }
        }
        Ok(())
    }

    fn set(&mut self, prefix: &Prefix, peer: AllowedPeer) -> Result<(), EbpfError> {
        let key = lpm_trie::Key::new(prefix.bits, prefix.ip);
        self.map.insert(&key, peer, 0).map_err(|source| self.error("write", source))
    }
}

impl Named<LpmTrie<MapData, [u8; 16], PodNetwork>> {
    /// Takes out what `next` does not have, or has for another. Until that is written, a wider network has the packets, or none.
    fn remove_stale(
        &mut self,
        current: &mut BTreeMap<PodPrefix, PodNetwork>,
        next: &BTreeMap<PodPrefix, PodNetwork>,
    ) -> Result<(), EbpfError> {
        let stale: Vec<PodPrefix> = current
            .iter()
            .filter(|(prefix, of)| next.get(prefix) != Some(of))
            .map(|(prefix, _)| *prefix)
            .collect();
        for prefix in stale {
            let key = lpm_trie::Key::new(prefix.bits, prefix.octets);
            self.map.remove(&key).map_err(|source| self.error("delete from", source))?;
            current.remove(&prefix);
        }
        Ok(())
    }
}

impl<V: Pod + Default + PartialEq> Named<Array<MapData, V>> {
    fn zero_stale(
        &mut self,
        current: &mut BTreeMap<u32, V>,
        next: &BTreeMap<u32, V>,
    ) -> Result<(), EbpfError> {
        for index in stale(current, next) {
            self.map.set(index, V::default(), 0).map_err(|source| self.error("write", source))?;
            current.remove(&index);
        }
        Ok(())
    }

    fn set_new(&mut self, current: &BTreeMap<u32, V>, next: &BTreeMap<u32, V>) -> Result<(), EbpfError> {
        for (index, value) in fresh(current, next) {
            self.map.set(index, value, 0).map_err(|source| self.error("write", source))?;
        }
        Ok(())
    }
}

fn stale<K: Ord + Copy, V>(current: &BTreeMap<K, V>, next: &BTreeMap<K, V>) -> Vec<K> {
    current.keys().filter(|key| !next.contains_key(key)).copied().collect()
}

fn fresh<K: Ord + Copy, V: Copy + PartialEq>(current: &BTreeMap<K, V>, next: &BTreeMap<K, V>) -> Vec<(K, V)> {
    next.iter()
        .filter(|(key, value)| current.get(key) != Some(value))
        .map(|(key, value)| (*key, *value))
        .collect()
}

impl<M> Named<M> {
    fn error(&self, operation: &'static str, source: MapError) -> EbpfError {
        let source = map_error(source);
        EbpfError::Map { operation, map: self.name, source }
    }
}

fn take<M: TryFrom<Map>>(ebpf: &mut Ebpf, name: &'static str) -> Result<Named<M>, EbpfError> {
    ebpf.take_map(name)
        .and_then(|map| M::try_from(map).ok())
        .map(|map| Named { name, map })
        .ok_or_else(|| EbpfError::Missing { what: format!("map {name}") })
}
