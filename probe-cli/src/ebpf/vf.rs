//! The programs of tunnel devices on the interfaces of VFs, with maps of their own. Here belongs what the kernel has of it;
//! which VFs there are and how their namespaces are entered is the caller's affair.
//!
//! TCX links only: a clsact filter would stay behind in a pod's namespace when we are killed.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::fd::AsFd as _,
    time::Duration,
};

use aya::{
    Ebpf,
    maps::{Array, MapData},
    programs::ProgramError,
};
use probe_common::{keys::IfaceConfig, limits::TUNNELS};

use super::{
    counters::TunnelCounts,
    error::{EbpfError, map_error},
    object, stats,
    tcx::TcxLink,
    vf_room::Room,
};
use crate::{
    netns::Namespace,
    procfs,
    sample::{ProgramCost, TunnelSample, VfCounts},
};

/// Sets of programs and maps, of which each has room for [`TUNNELS`] VFs. Having the kernel verify one takes the longest of
/// all that is done here, and they are kept once they are there: this bounds both.
const MOST_SETS: usize = 8;

/// What goes on an interface: transmit, receive.
const PROGRAMS: [&str; 2] = ["ovp_tunnel_tx", "ovp_tunnel_rx"];

/// Entries of maps: slots where the programs count, and as little as can be where they look up what no VF has.
const ENTRIES: [(&str, u32); 10] = [
    ("TUNNEL_COUNTS", TUNNELS * 2),
    ("PEER_COUNTS", TUNNELS * 2),
    ("POD_COUNTS", 2),
    ("POD_SYNS", 2),
    ("UNDER_IFACES", 1),
    ("OUTER_PORTS", 1),
    ("LOOKUP", 1),
    ("ALLOWED_IPS", 1),
    ("POD_NETWORKS", 1),
    ("FRAGMENTS", 1),
];

/// The smallest ring: a page, whatever its size is.
const EVENT_RING: (&str, u32) = ("EVENTS", 1);

/// Where the interface of a VF is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VfPlace {
    /// PCI address of the VF.
    pub pci: String,
    /// Name of the network namespace; none for the node's own.
    pub netns: Option<String>,
    /// Interface index there.
    pub ifindex: u32,
}

/// The VFs that are counted. Dropping it takes all programs off.
#[derive(Default)]
pub struct VfCounters {
    sets: Vec<Set>,
}

/// Programs and maps that were loaded once.
struct Set {
    // Links go before the programs they refer to.
    counted: BTreeMap<VfPlace, Counted>,
    room: Room,
    ifaces: Array<MapData, IfaceConfig>,
    counts: TunnelCounts,
    map_bytes: u64,
    ebpf: Ebpf,
}

/// One VF's part of a set.
struct Counted {
    slot: u32,
    mtu: u32,
    since: Duration,
    links: [TcxLink; 2],
}

impl VfCounters {
    /// Takes the programs off what is not in `wanted`, wherever it is now, and forgets what they are not on any more; MTUs
    /// follow.
    pub fn keep(&mut self, wanted: &BTreeMap<VfPlace, u32>) -> Result<(), EbpfError> {
        self.sets.iter_mut().try_for_each(|set| set.keep(wanted))
    }

    /// True when the VF is counted there.
    pub fn has(&self, place: &VfPlace) -> bool {
        self.sets.iter().any(|set| set.counted.contains_key(place))
    }

    /// Sees to it that there is room for one more interface of this index: loads the programs once more where none is. False
    /// when they are loaded as often as they may be.
    pub fn make_room(&mut self, ifindex: u32) -> Result<bool, EbpfError> {
        if self.sets.iter().any(|set| set.room.fits(ifindex)) {
            return Ok(true);
        }
        if self.sets.len() >= MOST_SETS {
            return Ok(false);
        }
        self.sets.push(Set::load()?);
        Ok(true)
    }

    /// Puts the programs on an interface, in another network namespace or in the calling thread's, after [`Self::make_room`]. On
    /// an error nothing stays attached.
    pub fn attach(
        &mut self,
        place: &VfPlace,
        interface: &str,
        mtu: u32,
        there: Option<&Namespace>,
    ) -> Result<(), EbpfError> {
        match self.sets.iter_mut().find(|set| set.room.fits(place.ifindex)) {
            Some(set) => set.attach(place, interface, mtu, there),
            None => Err(EbpfError::Missing { what: "room for another VF".to_owned() }),
        }
    }

    /// What was counted, by PCI address. A VF whose interface the programs are not on any more is left out.
    pub fn read(&mut self) -> Result<BTreeMap<String, VfCounts>, EbpfError> {
        let mut samples = BTreeMap::new();
        for set in &mut self.sets {
            for (place, counted) in set.counted.iter().filter(|(place, counted)| counted.is_on(place.ifindex))
            {
                let TunnelSample { counts, kinds, .. } = set.counts.read(counted.slot)?;
                samples.insert(place.pci.clone(), VfCounts { since: counted.since, counts, kinds });
            }
        }
        Ok(samples)
    }

    /// How many VFs have programs, as far as is known.
    pub fn len(&self) -> usize {
        self.sets.iter().map(|set| set.counted.len()).sum()
    }

    /// True when no VF has programs.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the programs cost so far, on all VFs together.
    pub fn costs(&mut self) -> Result<Vec<ProgramCost>, EbpfError> {
        let mut sums: BTreeMap<String, ProgramCost> = BTreeMap::new();
        for set in &mut self.sets {
            for cost in stats::costs(&mut set.ebpf, PROGRAMS)? {
                let name = format!("{} (VFs)", cost.name);
                let sum = sums.entry(name.clone()).or_insert(ProgramCost { name, ..ProgramCost::default() });
                sum.runs += cost.runs;
                sum.run_time_ns += cost.run_time_ns;
            }
        }
        Ok(sums.into_values().collect())
    }

    /// Memory of all their maps in bytes.
    pub fn map_bytes(&self) -> u64 {
        self.sets.iter().map(|set| set.map_bytes).sum()
    }
}

impl Set {
    fn load() -> Result<Self, EbpfError> {
        let entries: Vec<_> = ENTRIES.into_iter().chain([EVENT_RING]).collect();
        let mut ebpf = object::create(object::OBJECT, &entries)?;
        let map_bytes = stats::map_bytes(&ebpf);
        for name in PROGRAMS {
            object::load_program(&mut ebpf, name)?;
        }
        let counts = TunnelCounts::take(&mut ebpf)?;
        let ifaces = ebpf.take_map(IFACES).and_then(|map| Array::try_from(map).ok());
        let ifaces = ifaces.ok_or_else(|| EbpfError::Missing { what: format!("map {IFACES}") })?;
        // The programs hold what they use: a file descriptor for each of the others would be too many.
        let rest: BTreeSet<String> = ebpf.maps().map(|(name, _)| name.to_owned()).collect();
        for name in rest {
            drop(ebpf.take_map(&name));
        }
        Ok(Self { counted: BTreeMap::new(), room: Room::default(), ifaces, counts, map_bytes, ebpf })
    }

    fn keep(&mut self, wanted: &BTreeMap<VfPlace, u32>) -> Result<(), EbpfError> {
        let gone: Vec<VfPlace> = self
            .counted
            .iter()
            .filter(|(place, counted)| !wanted.contains_key(*place) || !counted.is_on(place.ifindex))
            .map(|(place, _)| place.clone())
            .collect();
        for place in gone {
            // The links first: then nothing counts for a slot that is free.
            self.counted.remove(&place);
            if let Some(index) = self.room.remove(place.ifindex) {
                write(&mut self.ifaces, index, IfaceConfig::default())?;
            }
        }
        for (place, counted) in &mut self.counted {
            if let Some(&mtu) = wanted.get(place).filter(|mtu| **mtu != counted.mtu)
                && let Some((index, config)) = self.room.set_mtu(place.ifindex, mtu)
            {
                write(&mut self.ifaces, index, config)?;
                counted.mtu = mtu;
            }
        }
        Ok(())
    }

    fn attach(
        &mut self,
        place: &VfPlace,
        interface: &str,
        mtu: u32,
        there: Option<&Namespace>,
    ) -> Result<(), EbpfError> {
        let ifindex = place.ifindex;
        let mut link = |program, is_egress| {
            let failed = |source| EbpfError::Attach {
                interface: interface.to_owned(),
                direction: if is_egress { "egress" } else { "ingress" },
                source: Box::new(source),
            };
            let program = object::program(&mut self.ebpf, program)?;
            let program = program.fd().map_err(failed)?.as_fd();
            let link = match there {
                Some(namespace) => TcxLink::first_in(namespace, program, ifindex, is_egress),
                None => TcxLink::first(program, ifindex, is_egress),
            };
            link.map_err(|error| failed(ProgramError::IOError(error)))
        };
        let [tx, rx] = PROGRAMS;
        let links = [link(tx, true)?, link(rx, false)?];
        let Some((index, config)) = self.room.add(ifindex, mtu) else {
            return Err(EbpfError::Missing { what: "room for another VF".to_owned() });
        };
        // The interface last: counting begins with it.
        let begun = self.counts.clear(config.tunnel).and_then(|()| write(&mut self.ifaces, index, config));
        if let Err(error) = begun {
            self.room.remove(ifindex);
            return Err(error);
        }
        let counted = Counted { slot: config.tunnel, mtu, since: procfs::monotonic(), links };
        self.counted.insert(place.clone(), counted);
        Ok(())
    }
}

impl Counted {
    /// Both programs are on the interface that has this index: not when it is deleted, and not when it had to take another
    /// one in another namespace, into which they go with it.
    fn is_on(&self, ifindex: u32) -> bool {
        self.links.iter().all(|link| matches!(link.ifindex(), Ok(Some(on)) if on == ifindex))
    }
}

const IFACES: &str = "TUNNEL_IFACES";

fn write(map: &mut Array<MapData, IfaceConfig>, index: u32, config: IfaceConfig) -> Result<(), EbpfError> {
    map.set(index, config, 0).map_err(|error| EbpfError::Map {
        operation: "write",
        map: IFACES,
        source: map_error(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_says_how_many_are_counted() {
        let most = MOST_SETS * usize::try_from(TUNNELS).unwrap();
        let words = include_str!("../../../README.md").replace('\n', " ");
        assert!(words.contains(&format!("for {most} VFs at most")), "{most}");
    }
}
