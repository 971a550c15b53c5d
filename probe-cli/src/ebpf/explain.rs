//! The programs that say why packets are "other": a second object with maps of its own, loaded while somebody asks and attached
//! beside the programs that count, which it leaves as they are.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use aya::{
    Ebpf,
    maps::{Array, Map, MapData, RingBuf},
};
use probe_common::keys::{Address, TX};
use probe_explain::{
    Reason, ReasonCount, Record,
    record::{HAS_VLAN, TUNNEL},
};

use super::{
    attach::{AttachMode, Hook, LinkPlace},
    attached::Attached,
    error::{EbpfError, map_error},
    heartbeat::Heart,
    lookup::LookupMaps,
    object::{self, EXPLAIN_OBJECT, EXPLAIN_PROGRAMS, Limits},
    percpu::PerCpu,
    plan::Tables,
    stats,
};
use crate::{
    inventory::Mac,
    procfs,
    sample::{Direction, Explained, ExplainedPacket, ProgramCost, ReasonTotal, Seen},
};

/// No fragments of a datagram are further apart: those whose first was on its way before the programs were there are past.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// See the module. Dropping it detaches everything.
pub(super) struct Explainer {
    // Attachments go before the programs they refer to.
    attached: Attached,
    lookups: LookupMaps,
    records: RingBuf<MapData>,
    reasons: PerCpu<ReasonCount>,
    tracked_since: Array<MapData, u64>,
    heart: Option<Heart>,
    map_bytes: u64,
    /// Packets that are still wanted.
    left: u64,
    ebpf: Ebpf,
}

impl Explainer {
    /// Loads the object, for so many packets. Nothing is attached yet.
    pub(super) fn load(
        limits: Limits,
        mode: AttachMode,
        interval: Duration,
        packets: u64,
    ) -> Result<Self, EbpfError> {
        let mut ebpf = object::load_explaining(EXPLAIN_OBJECT, limits)?;
        let map_bytes = stats::map_bytes(&ebpf);
        // Before anything is attached, as for the programs that count.
        let heart = match mode {
            AttachMode::Clsact => Heart::start(&mut ebpf, EXPLAIN_PROGRAMS, interval)?,
            AttachMode::Tcx => None,
        };
        let missing = |what: &str| EbpfError::Missing { what: format!("map {what}") };
        let records = ebpf.take_map("EVENTS").and_then(|map| RingBuf::try_from(map).ok());
        let reasons = match ebpf.take_map(REASONS) {
            Some(Map::PerCpuArray(map)) => PerCpu::new(map, REASONS)?,
            _ => return Err(missing(REASONS)),
        };
        let tracked_since = ebpf.take_map(TRACKED_SINCE).and_then(|map| Array::try_from(map).ok());
        Ok(Self {
            attached: Attached::default(),
            lookups: LookupMaps::take(&mut ebpf)?,
            records: records.ok_or_else(|| missing("EVENTS"))?,
            reasons,
            tracked_since: tracked_since.ok_or_else(|| missing(TRACKED_SINCE))?,
            heart,
            map_bytes,
            left: packets,
            ebpf,
        })
    }

    /// Makes tables and attachments those of the programs that count.
    pub(super) fn follow(
        &mut self,
        tables: Tables,
        hooks: &BTreeMap<(u32, Hook), String>,
        mode: AttachMode,
    ) -> Result<Vec<EbpfError>, EbpfError> {
        self.lookups.remove_stale(&tables)?;
        self.lookups.insert(tables)?;
        let before: BTreeSet<(u32, Hook)> = self.attached.hooks().collect();
        let errors = self.attached.follow(&mut self.ebpf, mode, EXPLAIN_PROGRAMS, hooks);
        if self.attached.hooks().any(|hook| !before.contains(&hook)) {
            self.track()?;
        }
        Ok(errors)
    }

    /// From now on first fragments are seen; a moment later all that are on their way have been.
    fn track(&mut self) -> Result<(), EbpfError> {
        let since = procfs::node_monotonic() + ON_ITS_WAY;
        let since = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        self.tracked_since.set(0, since, 0).map_err(|error| EbpfError::Map {
            operation: "write",
            map: TRACKED_SINCE,
            source: map_error(error),
        })
    }

    /// What there is since the last call. `tunnels`: interface index and slot.
    pub(super) fn read(
        &mut self,
        tunnels: &[(u32, u32)],
        interval: Duration,
    ) -> Result<Explained, EbpfError> {
        if let Some(heart) = &mut self.heart {
            heart.beat(interval)?;
        }
        let mut explained = Explained::default();
        while let Some(item) = self.records.next() {
            if self.left > 0
                && let Some(packet) = decode(&item, tunnels)
            {
                self.left -= 1;
                explained.packets.push(packet);
            }
        }
        explained.left = self.left;
        for reason in Reason::ALL {
            let count = self.reasons.sum(reason.index(), |sum, of_cpu| {
                sum.packets += of_cpu.packets;
                sum.lost += of_cpu.lost;
            })?;
            explained.lost += count.lost;
            if count.packets > 0 {
                explained.reasons.push(ReasonTotal { reason, packets: count.packets });
            }
        }
        Ok(explained)
    }

    /// All packets that were asked for are there.
    pub(super) fn is_done(&self) -> bool {
        self.left == 0
    }

    /// See [`Attached::detached`].
    pub(super) fn detached(&self) -> impl Iterator<Item = u32> {
        self.attached.detached()
    }

    /// See [`Attached::forget`].
    pub(super) fn forget(&mut self, interfaces: &BTreeSet<u32>) {
        self.attached.forget(interfaces);
    }

    /// See [`Attached::places`].
    pub(super) fn places(&self) -> impl Iterator<Item = LinkPlace> {
        self.attached.places()
    }

    /// Memory of its maps in bytes.
    pub(super) fn map_bytes(&self) -> u64 {
        self.map_bytes
    }

    /// What its programs cost so far.
    pub(super) fn costs(&mut self) -> Result<Vec<ProgramCost>, EbpfError> {
        stats::costs(&mut self.ebpf, EXPLAIN_PROGRAMS.all())
    }

    /// Takes everything off.
    pub(super) fn end(mut self) {
        self.attached.detach();
    }
}

const REASONS: &str = "REASONS";
const TRACKED_SINCE: &str = "TRACKED_SINCE";

/// One record; none when it has not the size that both sides agreed on, or no reason that we know.
fn decode(bytes: &[u8], tunnels: &[(u32, u32)]) -> Option<ExplainedPacket> {
    if bytes.len() < size_of::<Record>() {
        return None;
    }
    // SAFETY: long enough, checked above; any bit pattern is a valid record, and the read does not ask for alignment.
    let raw = unsafe { bytes.as_ptr().cast::<Record>().read_unaligned() };
    let reasons: Vec<Reason> =
        Reason::ALL.into_iter().filter(|reason| raw.reasons & reason.bit() != 0).collect();
    if reasons.is_empty() {
        return None;
    }
    let tunnel = tunnels.iter().find(|(_, slot)| *slot == raw.tunnel).map(|(ifindex, _)| *ifindex);
    let number = |number: u32| u16::try_from(number).ok().filter(|number| *number != 0);
    let is_inner = raw.place == TUNNEL;
    Some(ExplainedPacket {
        at: Duration::from_nanos(raw.at),
        seen: if is_inner { Seen::Tunnel } else { Seen::Underlay },
        direction: if raw.direction == TX { Direction::Tx } else { Direction::Rx },
        ifindex: raw.ifindex,
        tunnel,
        reasons,
        packets: raw.packets,
        bytes: raw.bytes,
        budget: (raw.budget != 0).then_some(raw.budget),
        mac: (is_inner && raw.mac != 0).then(|| mac(raw.mac)),
        ethertype: number(raw.ethertype),
        vlan: (raw.vlan & HAS_VLAN != 0).then_some(raw.vlan & VLAN_ID).and_then(|id| u16::try_from(id).ok()),
        source: address(raw.version, raw.source),
        destination: address(raw.version, raw.destination),
        protocol: (raw.version != 0).then_some(raw.protocol).and_then(|protocol| u8::try_from(protocol).ok()),
        source_port: number(raw.source_port),
        destination_port: number(raw.destination_port),
        vni: (!is_inner && raw.source_port != 0 && raw.message == 0).then_some(raw.vni),
        message: (!is_inner && raw.message != 0).then_some(raw.message),
    })
}

/// The VLAN's number, without the priority.
const VLAN_ID: u32 = 0xfff;

fn mac(number: u64) -> Mac {
    let [_, _, octets @ ..] = number.to_be_bytes();
    Mac(octets)
}

/// None for what is not IP.
fn address(version: u32, address: Address) -> Option<IpAddr> {
    (version != 0).then(|| IpAddr::from(address.octets).to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(record: &Record) -> &[u8] {
        // SAFETY: integers without padding, for as long as the record lives.
        unsafe { std::slice::from_raw_parts((&raw const *record).cast(), size_of::<Record>()) }
    }

    fn mapped(octets: [u8; 4]) -> Address {
        Address { octets: std::net::Ipv4Addr::from(octets).to_ipv6_mapped().octets() }
    }

    #[test]
    fn a_record_is_what_the_kernel_side_wrote() {
        let record = Record {
            at: 5_000_000_000,
            mac: 0x0a00_0000_0002,
            packets: 3,
            source: mapped([10, 42, 0, 9]),
            destination: mapped([10, 42, 1, 9]),
            reasons: Reason::NoPeerMac.bit() | Reason::NoPod.bit(),
            tunnel: 2,
            ifindex: 7,
            bytes: 1400,
            budget: 1450,
            ethertype: 0x0800,
            vlan: HAS_VLAN | 0xe000 | 7,
            version: 4,
            protocol: 6,
            source_port: 40_000,
            destination_port: 80,
            ..Record::default()
        };
        let packet = decode(bytes(&record), &[(30, 1), (31, 2)]).unwrap();
        assert_eq!(
            packet,
            ExplainedPacket {
                at: Duration::from_secs(5),
                seen: Seen::Tunnel,
                direction: Direction::Tx,
                ifindex: 7,
                tunnel: Some(31),
                reasons: vec![Reason::NoPeerMac, Reason::NoPod],
                packets: 3,
                bytes: 1400,
                budget: Some(1450),
                mac: Some(Mac([0x0a, 0, 0, 0, 0, 2])),
                ethertype: Some(0x0800),
                vlan: Some(7),
                source: Some("10.42.0.9".parse().unwrap()),
                destination: Some("10.42.1.9".parse().unwrap()),
                protocol: Some(6),
                source_port: Some(40_000),
                destination_port: Some(80),
                vni: None,
                message: None,
            }
        );
    }

    #[test]
    fn what_is_not_there_is_none() {
        let record = Record { reasons: Reason::NotIp.bit(), tunnel: u32::MAX, ..Record::default() };
        let packet = decode(bytes(&record), &[(30, 1)]).unwrap();
        assert_eq!((packet.tunnel, packet.source, packet.protocol, packet.vlan), (None, None, None, None));
        assert_eq!((packet.mac, packet.source_port, packet.vni, packet.budget), (None, None, None, None));
        assert_eq!(decode(&bytes(&record)[1..], &[]), None, "cut short");
        assert_eq!(decode(bytes(&Record::default()), &[]), None, "without a reason");
        let unknown = Record { reasons: 1 << 31, ..Record::default() };
        assert_eq!(decode(bytes(&unknown), &[]), None, "of a reason that is none");
    }
}
