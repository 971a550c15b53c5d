//! What the kernel drops, by device and reason: an object of its own with one program on a tracepoint, loaded while somebody asks. What
//! it reads of a packet's socket buffer is found by the running kernel's type information. No judgement.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use aya::{
    Ebpf, EbpfLoader, Pod,
    maps::{Array, HashMap, Map, MapData},
    programs::RawTracePoint,
};
use probe_common::keys::Address;
use probe_drops::{
    Device, DropCount, DropKey, Offsets,
    layout::{self, BY_DESTINATION, BY_SOURCE, GROUP, HAS_VNI, IPV6, POD, REASONS, TUNNEL, UNDERLAY},
    packet::UDP,
};

use super::{
    btf::Btf,
    error::{EbpfError, map_error},
    object::DROPS_OBJECT,
    percpu::PerCpu,
    stats,
};
use crate::{
    inventory::{Inventory, Mac, Tunnel, TunnelKind},
    netns,
    observed::Observed,
    sample::{DropRow, DroppedPacket, Drops, OuterKind, ProgramCost},
};

const TRACEPOINT: &str = "kfree_skb";
const PROGRAM: &str = "ovp_drop";
const REASON: &str = "skb_drop_reason";
/// What the names of reasons begin with.
const PREFIX: &str = "SKB_DROP_REASON_";

/// Reasons that say nothing about the overlay: not a drop, no reason, and what sockets and programs of others do with packets that
/// are theirs. On a busy node these are nearly all.
const NOISE: &[&str] = &[
    "SKB_NOT_DROPPED_YET",
    "SKB_CONSUMED",
    "NOT_SPECIFIED",
    "PACKET_SOCK_ERROR",
    "PROTO_MEM",
    "QUEUE_PURGE",
    "SOCKET_BACKLOG",
    "SOCKET_CLOSE",
    "SOCKET_FILTER",
    "SOCKET_RCVBUFF",
    "TAP_FILTER",
    "TAP_TXFILTER",
    "UNHANDLED_PROTO",
    "UNICAST_IN_L2_MULTICAST",
];
/// TCP drops what is old, twice there or out of place, all the time.
const TCP: &str = "TCP_";
/// But not what has a wrong checksum.
const TCP_CHECKSUM: &str = "TCP_CSUM";

/// See the module. Dropping it detaches the program.
pub struct DropWatch {
    drops: HashMap<MapData, DropKey, DropCount>,
    uncounted: PerCpu<u64>,
    /// What is counted, as the maps have it; entries are added and never taken out.
    devices: Followed<Device>,
    outer: Followed<u32>,
    /// Devices that are there now: of others nothing is told.
    present: BTreeSet<u32>,
    /// Counts of the time before the maps were made anew, for want of room.
    earlier: Counted,
    /// Names of reasons by number.
    reasons: BTreeMap<u32, String>,
    offsets: Offsets,
    map_bytes: u64,
    ebpf: Ebpf,
}

/// Counts by device, reason, flags and what makes them outer packets, and those that found no room.
#[derive(Clone, Default)]
struct Counted {
    rows: BTreeMap<(u32, u32, u32, u32), DropRow>,
    uncounted: u64,
}

/// A map that is filled from the inventory.
struct Followed<V> {
    map: HashMap<MapData, u32, V>,
    name: &'static str,
    entries: BTreeMap<u32, V>,
}

impl<V: Pod + PartialEq> Followed<V> {
    fn take(ebpf: &mut Ebpf, name: &'static str) -> Result<Self, EbpfError> {
        let map = ebpf.take_map(name).and_then(|map| HashMap::try_from(map).ok());
        let map = map.ok_or_else(|| EbpfError::Missing { what: format!("map {name}") })?;
        Ok(Self { map, name, entries: BTreeMap::new() })
    }

    /// Writes what is new or another than before. Fails where there is no room.
    fn write(&mut self, wanted: &BTreeMap<u32, V>) -> Result<(), EbpfError> {
        for (key, value) in wanted {
            if self.entries.get(key) == Some(value) {
                continue;
            }
            self.map.insert(key, value, 0).map_err(|error| EbpfError::Map {
                operation: "write",
                map: self.name,
                source: map_error(error),
            })?;
            self.entries.insert(*key, *value);
        }
        Ok(())
    }
}

impl DropWatch {
    /// Begins to count for the devices of this node, in the calling thread's network namespace.
    pub fn start(inventory: &Inventory) -> Observed<Self> {
        let found = Btf::of_kernel().and_then(|btf| Ok((reasons(&btf)?, offsets(&btf)?)));
        let (reasons, offsets) = match found {
            Ok(found) => found,
            Err(why) => return Observed::Unsupported { why },
        };
        let netns = match netns::current_identity() {
            Ok((_, inode)) => u32::try_from(inode).unwrap_or(0),
            Err(error) => {
                return Observed::Failed {
                    error: format!("cannot look at the own network namespace: {error}"),
                };
            }
        };
        match Self::load(inventory, Offsets { netns, ..offsets }, reasons, Counted::default()) {
            Ok(watch) => Observed::Value(watch),
            Err(error) => Observed::Failed { error: error.to_string() },
        }
    }

    fn load(
        inventory: &Inventory,
        offsets: Offsets,
        reasons: BTreeMap<u32, String>,
        earlier: Counted,
    ) -> Result<Self, EbpfError> {
        let wanted = devices(inventory);
        let mut ebpf = create(DROPS_OBJECT, &offsets, wanted.len())?;
        let map_bytes = stats::map_bytes(&ebpf);
        let mut devices = Followed::take(&mut ebpf, "DEVICES")?;
        devices.write(&wanted)?;
        let mut tunnels = Followed::take(&mut ebpf, "OUTER")?;
        tunnels.write(&outer(inventory))?;
        ignore(&mut ebpf, ignored(&reasons))?;
        let program = program(&mut ebpf)?;
        program
            .load()
            .map_err(|source| EbpfError::LoadProgram { program: PROGRAM, source: Box::new(source) })?;
        program
            .attach(TRACEPOINT)
            .map_err(|source| EbpfError::Trace { tracepoint: TRACEPOINT, source: Box::new(source) })?;
        let missing = |what: &str| EbpfError::Missing { what: format!("map {what}") };
        let drops = ebpf.take_map(DROPS).and_then(|map| HashMap::try_from(map).ok());
        let uncounted = match ebpf.take_map(UNCOUNTED) {
            Some(Map::PerCpuArray(map)) => PerCpu::new(map, UNCOUNTED)?,
            _ => return Err(missing(UNCOUNTED)),
        };
        Ok(Self {
            drops: drops.ok_or_else(|| missing(DROPS))?,
            uncounted,
            devices,
            outer: tunnels,
            present: wanted.into_keys().collect(),
            earlier,
            reasons,
            offsets,
            map_bytes,
            ebpf,
        })
    }

    /// From here on counts for the devices of this inventory. Those that are gone stay in the map, where they do no harm; when it is
    /// full, it is made anew, and what is dropped meanwhile is not counted.
    pub fn follow(&mut self, inventory: &Inventory) -> Result<(), EbpfError> {
        let wanted = devices(inventory);
        if self.devices.write(&wanted).and_then(|()| self.outer.write(&outer(inventory))).is_err() {
            let mut counted = self.counted()?;
            counted.rows.retain(|(ifindex, ..), _| wanted.contains_key(ifindex));
            *self = Self::load(inventory, self.offsets, self.reasons.clone(), counted)?;
        }
        self.present = wanted.into_keys().collect();
        Ok(())
    }

    /// What was dropped until now on the devices that are there.
    pub fn read(&mut self) -> Result<Drops, EbpfError> {
        let Counted { rows, uncounted } = self.counted()?;
        let known: BTreeSet<String> = self.reasons.values().cloned().collect();
        let rows = rows.into_values().filter(|row| self.present.contains(&row.ifindex));
        Ok(Drops { rows: rows.collect(), uncounted, known: known.into_iter().collect() })
    }

    fn counted(&mut self) -> Result<Counted, EbpfError> {
        let failed = |error| EbpfError::Map { operation: "read", map: DROPS, source: map_error(error) };
        let mut counted = self.earlier.clone();
        for entry in &self.drops {
            let (key, count) = entry.map_err(failed)?;
            let together = (key.ifindex, key.reason, key.flags, key.outer);
            let row = counted.rows.entry(together).or_insert_with(|| DropRow {
                ifindex: key.ifindex,
                reason: self.name(key.reason),
                outer: kind(key.outer),
                to_group: key.flags & GROUP != 0,
                packets: 0,
                last: packet(&count),
            });
            row.packets += count.packets;
            row.last = packet(&count);
        }
        counted.uncounted += self.uncounted.sum(0, |sum, of_cpu| *sum += of_cpu)?;
        Ok(counted)
    }

    /// What the program costs so far: it runs for each packet that the machine drops.
    pub fn cost(&mut self) -> Result<ProgramCost, EbpfError> {
        let info = program(&mut self.ebpf)?
            .info()
            .map_err(|source| EbpfError::LoadProgram { program: PROGRAM, source: Box::new(source) })?;
        Ok(stats::cost(PROGRAM, &info))
    }

    /// Memory of its maps in bytes, as the kernel accounts it.
    pub fn map_bytes(&self) -> u64 {
        self.map_bytes
    }

    fn name(&self, reason: u32) -> String {
        self.reasons.get(&reason).cloned().unwrap_or_else(|| reason.to_string())
    }
}

/// Room for this many devices that appear later, and for as many as there are.
const MORE_DEVICES: usize = 16;
const DROPS: &str = "DROPS";
const IGNORED: &str = "IGNORED";
const UNCOUNTED: &str = "UNCOUNTED";

/// Names of the reasons; why the kernel gives none.
fn reasons(btf: &Btf) -> Result<BTreeMap<u32, String>, String> {
    // The data of the tracepoint, the buffer, the place, the reason.
    let values = btf.values(REASON).filter(|_| btf.has_parameter(TRACEPOINT, 3, REASON));
    let values = values.ok_or("this kernel does not say why it drops packets (Linux 5.17 does)")?;
    let name = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).to_owned();
    Ok(values.into_iter().map(|(word, number)| (number, name(word))).collect())
}

/// Where what is read is; why that cannot be said.
fn offsets(btf: &Btf) -> Result<Offsets, String> {
    let at = |structure: &str, path: &[&str]| {
        btf.offset(structure, path)
            .ok_or_else(|| format!("this kernel's type information has no {structure}.{}", path.join(".")))
    };
    Ok(Offsets {
        dev: at("sk_buff", &["dev"])?,
        head: at("sk_buff", &["head"])?,
        end: at("sk_buff", &["end"])?,
        mac_header: at("sk_buff", &["mac_header"])?,
        network_header: at("sk_buff", &["network_header"])?,
        gso_segs: at("skb_shared_info", &["gso_segs"])?,
        ifindex: at("net_device", &["ifindex"])?,
        net: at("net_device", &["nd_net", "net"])?,
        inum: at("net", &["ns", "inum"])?,
        netns: 0,
    })
}

/// Numbers of reasons that are not counted.
fn ignored(reasons: &BTreeMap<u32, String>) -> impl Iterator<Item = u32> {
    let is_noise = |name: &str| NOISE.contains(&name) || (name.starts_with(TCP) && name != TCP_CHECKSUM);
    reasons
        .iter()
        .filter(move |(number, name)| **number < REASONS && is_noise(name))
        .map(|(number, _)| *number)
}

/// Devices of the overlay by interface index. What is a tunnel and below another is a tunnel.
fn devices(inventory: &Inventory) -> BTreeMap<u32, Device> {
    let mut devices = BTreeMap::new();
    let ends = inventory.pods.iter().filter_map(|pod| pod.host_ifindex);
    for ifindex in ends.chain(inventory.pod_links.iter().map(|link| link.ifindex)) {
        devices.insert(ifindex, Device { role: POD, ethernet: 1 });
    }
    for below in inventory.all_tunnels().flat_map(Tunnel::underlays) {
        devices.insert(below.ifindex, Device { role: UNDERLAY, ethernet: u32::from(!below.l3) });
    }
    for tunnel in inventory.all_tunnels() {
        devices.insert(tunnel.ifindex, Device { role: TUNNEL, ethernet: u32::from(!tunnel.l3) });
    }
    devices
}

/// What makes outer packets.
fn outer(inventory: &Inventory) -> BTreeMap<u32, u32> {
    /// IP protocol number of IP in IP, RFC 2003.
    const IPIP: u8 = 4;
    let mut outer = BTreeMap::new();
    for tunnel in inventory.all_tunnels() {
        match (tunnel.kind, tunnel.port) {
            (TunnelKind::Ipip, _) => {
                outer.insert(layout::outer(IPIP, 0), BY_DESTINATION);
            }
            (TunnelKind::Wireguard, Some(port)) => {
                outer.insert(layout::outer(UDP, port), BY_DESTINATION | BY_SOURCE);
            }
            // Their source ports are hashes.
            (TunnelKind::Vxlan | TunnelKind::Geneve | TunnelKind::Udp, Some(port)) => {
                outer.insert(layout::outer(UDP, port), BY_DESTINATION);
            }
            (TunnelKind::Vxlan | TunnelKind::Geneve | TunnelKind::Udp | TunnelKind::Wireguard, None) => {}
        }
    }
    let endpoints = inventory.peers.iter().filter_map(|peer| peer.wireguard?.endpoint);
    for endpoint in endpoints {
        outer.entry(layout::outer(UDP, endpoint.port())).or_insert(BY_DESTINATION);
    }
    outer
}

fn create(object: &[u8], offsets: &Offsets, devices: usize) -> Result<Ebpf, EbpfError> {
    let mut loader = EbpfLoader::new();
    // aya would parse it to relocate accesses of which there are none.
    loader.btf(None);
    loader.override_global("OFFSETS", offsets, true);
    loader.map_max_entries("DEVICES", u32::try_from(devices * 2 + MORE_DEVICES).unwrap_or(u32::MAX));
    loader.load(object).map_err(|source| EbpfError::Load { source: Box::new(source) })
}

fn program(ebpf: &mut Ebpf) -> Result<&mut RawTracePoint, EbpfError> {
    ebpf.program_mut(PROGRAM)
        .and_then(|program| program.try_into().ok())
        .ok_or_else(|| EbpfError::Missing { what: format!("program {PROGRAM}") })
}

fn ignore(ebpf: &mut Ebpf, mut reasons: impl Iterator<Item = u32>) -> Result<(), EbpfError> {
    let map = ebpf.map_mut(IGNORED).and_then(|map| Array::<_, u32>::try_from(map).ok());
    let mut map = map.ok_or_else(|| EbpfError::Missing { what: format!("map {IGNORED}") })?;
    reasons.try_for_each(|reason| {
        map.set(reason, 1, 0).map_err(|error| EbpfError::Map {
            operation: "write",
            map: IGNORED,
            source: map_error(error),
        })
    })
}

/// What [`DropKey::outer`] says.
fn kind(outer: u32) -> Option<OuterKind> {
    let [_, protocol, port @ ..] = outer.to_be_bytes();
    let port = Some(u16::from_be_bytes(port)).filter(|port| *port != 0);
    (outer != 0).then_some(OuterKind { is_ipv6: outer & IPV6 != 0, protocol, port })
}

fn packet(count: &DropCount) -> DroppedPacket {
    let [_, _, octets @ ..] = count.mac.to_be_bytes();
    let has_ip = count.version != 0;
    let address = |address: Address| has_ip.then(|| IpAddr::from(address.octets).to_canonical());
    DroppedPacket {
        mac: (count.mac != 0).then_some(Mac(octets)),
        source: address(count.source),
        destination: address(count.destination),
        protocol: has_ip.then_some(count.protocol).and_then(|protocol| u8::try_from(protocol).ok()),
        port: (count.port != 0).then_some(count.port).and_then(|port| u16::try_from(port).ok()),
        vni: (count.vni & HAS_VNI != 0).then_some(count.vni & !HAS_VNI),
    }
}

/// How many instructions the verifier goes through for the program, as [`super::verified_instructions`] has it.
pub fn verified_drop_instructions(object: &[u8]) -> Result<Vec<(String, u32)>, EbpfError> {
    let failed = |source| EbpfError::LoadProgram { program: PROGRAM, source: Box::new(source) };
    let mut ebpf = create(object, &Offsets::default(), 1)?;
    let program = program(&mut ebpf)?;
    program.load().map_err(failed)?;
    let count = program.info().map_err(failed)?.verified_instruction_count();
    Ok(count.map(|count| (PROGRAM.to_owned(), count)).into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::testdata::{
        ETH0, FLANNEL, calico_pod, flannel4, node, of_kernel, told, wireguard, wireguard_fact,
    };

    #[test]
    fn devices_and_outer_packets_are_those_of_the_overlay() {
        let inventory = of_kernel(&calico_pod(flannel4(node(), 2), 20, "10.42.0.20/32"));
        let roles: Vec<(u32, u32)> =
            devices(&inventory).into_iter().map(|(ifindex, device)| (ifindex, device.role)).collect();
        let mut expected = [(ETH0, UNDERLAY), (FLANNEL, TUNNEL), (20, POD)];
        expected.sort_unstable();
        assert_eq!(roles, expected);
        assert_eq!(outer(&inventory), BTreeMap::from([(layout::outer(UDP, 8472), BY_DESTINATION)]));

        let mut facts = node();
        facts.links.push(wireguard(5, "flannel-wg"));
        facts.wireguard = vec![told(wireguard_fact(5, 51820, &["10.42.2.0/24"]))];
        let inventory = of_kernel(&facts);
        assert_eq!(devices(&inventory).get(&5), Some(&Device { role: TUNNEL, ethernet: 0 }));
        assert_eq!(outer(&inventory).get(&layout::outer(UDP, 51820)), Some(&(BY_DESTINATION | BY_SOURCE)));
    }

    #[test]
    fn outer_packets_are_told_apart() {
        let vxlan = OuterKind { is_ipv6: false, protocol: UDP, port: Some(8472) };
        assert_eq!(kind(0), None);
        assert_eq!(kind(layout::outer(UDP, 8472)), Some(vxlan));
        assert_eq!(kind(layout::outer(UDP, 8472) | IPV6), Some(OuterKind { is_ipv6: true, ..vxlan }));
        assert_eq!(kind(layout::outer(4, 0)), Some(OuterKind { protocol: 4, port: None, ..vxlan }));
    }

    #[test]
    fn noise_is_not_counted() {
        let names =
            ["NOT_SPECIFIED", "NETFILTER_DROP", "TCP_OLD_DATA", "TCP_CSUM", "SOCKET_RCVBUFF", "LOCAL_MAC"];
        let reasons: BTreeMap<u32, String> = (2..).zip(names.map(str::to_owned)).collect();
        assert_eq!(ignored(&reasons).collect::<Vec<_>>(), [2, 4, 6]);
    }
}
