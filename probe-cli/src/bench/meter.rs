//! Reads what the machine did during a slice, and what the path between two pods is like. Reading only; nothing is sent here.

mod programs;

use std::{collections::BTreeMap, net::IpAddr};

pub use self::programs::{OnPath, ProgramReading};
use crate::{
    bench::{
        facts::{Core, Counts, Device},
        metric::Side,
        result::{Cpu, Machine},
    },
    facts::counters::{CpuCounters, LinkStatistics, ProtocolCounters, SoftnetCounters},
    netlink::{NetlinkError, Source},
    netns::{self, Namespace, NetnsError},
    observed::Observed,
    proc, procfs,
};

/// The machine that this runs on.
pub fn machine() -> Machine {
    Machine {
        kernel: procfs::kernel_release(),
        architecture: std::env::consts::ARCH.to_owned(),
        cpu: procfs::cpu_model(),
        cores: u32::try_from(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
            .unwrap_or(u32::MAX),
        governor: procfs::cpu_governor(),
        boot_id: procfs::boot_id(),
    }
}

/// What the processors have done until now.
#[derive(Clone, Debug)]
pub struct CpuReading {
    time: Observed<CpuCounters>,
    softnet: Observed<Vec<SoftnetCounters>>,
}

impl CpuReading {
    /// Reads it.
    pub fn now() -> Self {
        Self { time: proc::cpu(), softnet: proc::softnet() }
    }

    /// What they did from then on until now.
    pub fn until(&self, now: &Self) -> Cpu {
        let squeezes = |reading: &Self| {
            let rows = reading.softnet.value()?;
            Some(rows.iter().map(|row| u64::from(row.time_squeeze)).sum::<u64>())
        };
        let time_squeezes = squeezes(now).zip(squeezes(self)).map(|(now, before)| now.saturating_sub(before));
        let (Some(before), Some(after)) = (self.time.value(), now.time.value()) else {
            return Cpu { time_squeezes, ..Cpu::default() };
        };
        let all = after.total().saturating_sub(before.total());
        let share = |part: fn(&CpuCounters) -> u64| {
            let part = part(after).saturating_sub(part(before));
            (all > 0).then(|| rounded(part as f64 / all as f64))
        };
        Cpu {
            busy_cores: share(CpuCounters::busy).map(|share| rounded(share * f64::from(after.cpus))),
            steal: share(|time| time.steal),
            softirq: share(|time| time.softirq),
            time_squeezes,
        }
    }
}

/// What each processor has done until now.
#[derive(Clone, Debug)]
pub struct CoresReading(Observed<BTreeMap<u32, CpuCounters>>);

impl CoresReading {
    /// Reads it.
    pub fn now() -> Self {
        Self(proc::each_cpu())
    }

    /// Adds what they did from then on until now. None where it cannot be read once.
    pub fn add_until(&self, now: &Self, sum: &mut Option<Vec<Core>>) {
        let (Some(before), Some(after)) = (self.0.value(), now.0.value()) else {
            *sum = None;
            return;
        };
        let Some(sum) = sum else { return };
        for (cpu, after) in after {
            // One that came meanwhile counts from the next time on.
            let Some(before) = before.get(cpu) else { continue };
            let grown = |of: fn(&CpuCounters) -> u64| of(after).saturating_sub(of(before));
            let more = Core {
                cpu: *cpu,
                user: grown(|time| time.user.saturating_add(time.nice)),
                system: grown(|time| time.system),
                softirq: grown(|time| time.softirq),
                steal: grown(|time| time.steal),
                all: grown(CpuCounters::total),
            };
            match sum.iter_mut().find(|core| core.cpu == *cpu) {
                Some(core) => core.add(&more),
                None => sum.push(more),
            }
        }
    }
}

/// To four digits behind the point: a tick is a hundredth of a second.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// Kinds of tunnel devices, by the kernel's names.
const TUNNELS: [&str; 6] = ["geneve", "gre", "ip6tnl", "ipip", "vxlan", "wireguard"];

/// A network namespace on the way, with the devices that packets pass there.
#[derive(Debug)]
pub struct Point {
    place: String,
    /// None is that of the caller.
    namespace: Option<Namespace>,
    names: Vec<String>,
    /// Counters of its tunnel are read here.
    tunnel: Option<String>,
}

impl Point {
    /// With the names of its devices, in the order in which packets pass them; `tunnel` is one of them.
    pub fn new(place: String, namespace: Namespace, names: Vec<String>, tunnel: Option<String>) -> Self {
        Self { place, namespace: Some(namespace), names, tunnel }
    }

    /// The caller's own network namespace, with the devices that have these addresses: connections from them leave there.
    pub fn here(place: &str, addresses: &[IpAddr]) -> Result<Self, MeterError> {
        let source = Source::connect()?;
        let (rows, links) = (source.addresses_of(None)?, source.links_of(None)?);
        let (mut names, mut tunnel): (Vec<String>, Option<String>) = (Vec::new(), None);
        for address in addresses {
            let row = rows.iter().find(|row| row.address.addr() == address.to_canonical());
            let link = links.iter().find(|(link, _)| row.is_some_and(|row| row.ifindex == link.ifindex));
            let Some((link, _)) = link.filter(|(link, _)| !names.contains(&link.name)) else { continue };
            names.push(link.name.clone());
            if link.kind.as_deref().is_some_and(|kind| TUNNELS.contains(&kind)) {
                tunnel = Some(link.name.clone());
            }
        }
        Ok(Self { place: place.to_owned(), namespace: None, names, tunnel })
    }

    /// The network namespace, the name of its tunnel and that of the device below, where it is another namespace than the caller's.
    pub fn tunnel_place(&self) -> Option<[&str; 3]> {
        let (namespace, tunnel) = self.namespace.as_ref().zip(self.tunnel.as_deref())?;
        let below = self.names.iter().skip_while(|name| *name != tunnel).nth(1)?;
        Some([namespace.name(), tunnel, below])
    }

    /// Runs `work` where the devices are.
    fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T, MeterError> + Send) -> Result<T, MeterError> {
        match &self.namespace {
            Some(namespace) => netns::run_in(namespace, work)?,
            None => work(),
        }
    }

    /// Its devices as they are now.
    pub fn devices(&self) -> Result<Vec<Device>, MeterError> {
        self.inside(|| {
            let source = Source::connect()?;
            let links = source.links_of(None)?;
            let device = |name: &String| {
                let (link, _) = links.iter().find(|(link, _)| link.name == *name)?;
                let told = source.device(link.ifindex, name).features;
                let features = told.value().map(|features| {
                    features.iter().map(|(name, feature)| (name.clone(), feature.is_active)).collect()
                });
                let (place, qdisc) = (self.place.clone(), link.qdisc.clone());
                Some(Device { place, name: name.clone(), mtu: link.mtu, qdisc, features })
            };
            Ok(self.names.iter().filter_map(device).collect())
        })
    }

    /// Bytes that one of its devices has received, as it counts them; none where there is no such device.
    fn received(&self, name: &str) -> Result<Option<u64>, MeterError> {
        self.inside(|| {
            let source = Source::connect()?;
            let links = source.links_of(None)?;
            let Some((link, _)) = links.iter().find(|(link, _)| link.name == name) else { return Ok(None) };
            Ok(source.link_statistics_of(link.ifindex).value().map(|counters| counters.rx_bytes))
        })
    }

    fn counters(&self) -> Result<Counters, MeterError> {
        self.inside(|| {
            let source = Source::connect()?;
            let mut links = BTreeMap::new();
            for (link, _) in
                source.links_of(None)?.into_iter().filter(|(link, _)| self.names.contains(&link.name))
            {
                if let Some(counters) = source.link_statistics_of(link.ifindex).value() {
                    links.insert(link.name, *counters);
                }
            }
            Ok(Counters { protocols: proc::protocols(), links })
        })
    }
}

/// Why the path cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MeterError {
    /// Its namespace.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// Its devices.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// The eBPF programs.
    #[error("cannot list the eBPF programs: {0}")]
    Programs(String),
}

#[derive(Clone, Debug)]
struct Counters {
    protocols: ProtocolCounters,
    links: BTreeMap<String, LinkStatistics>,
}

/// The way from where is sent to where is received, as far as it can be looked at from here.
#[derive(Debug)]
pub struct Path {
    /// What packets leave by, where they are sent first.
    pub sending: Vec<Point>,
    /// What they arrive by.
    pub receiving: Vec<Point>,
}

/// Everything that was counted on it until now.
#[derive(Clone, Debug)]
pub struct PathReading {
    sending: Vec<Counters>,
    receiving: Vec<Counters>,
}

impl Path {
    /// Its devices as they are now.
    pub fn devices(&self) -> Result<Vec<Device>, MeterError> {
        let found: Result<Vec<_>, _> =
            self.sending.iter().chain(&self.receiving).map(Point::devices).collect();
        Ok(found?.concat())
    }

    /// Bytes that the device has received by which packets arrive: of the last point, or of the first one's NIC where they are sent
    /// beside the overlay.
    pub fn received(&self, side: Side) -> Result<Option<u64>, MeterError> {
        let arrival = match side {
            Side::Host => self.receiving.first().and_then(|point| Some((point, point.names.first()?))),
            Side::Overlay => self.receiving.last().and_then(|point| Some((point, point.names.last()?))),
        };
        arrival.map_or(Ok(None), |(point, name)| point.received(name))
    }

    /// Reads everything that is counted.
    pub fn read(&self) -> Result<PathReading, MeterError> {
        let of = |points: &[Point]| points.iter().map(Point::counters).collect::<Result<_, _>>();
        Ok(PathReading { sending: of(&self.sending)?, receiving: of(&self.receiving)? })
    }

    /// What was counted from the one reading to the other.
    pub fn between(&self, before: &PathReading, after: &PathReading) -> Counts {
        let sending: Vec<Both<'_>> = before.sending.iter().zip(&after.sending).collect();
        let receiving: Vec<Both<'_>> = before.receiving.iter().zip(&after.receiving).collect();
        let grown = |(before, after): &Both<'_>, of: fn(&ProtocolCounters) -> Option<u64>| {
            Some(of(&after.protocols)?.saturating_sub(of(&before.protocols)?))
        };
        // Of no points nothing is known.
        let sum = |points: &[Both<'_>], of: fn(&ProtocolCounters) -> Option<u64>| -> Option<u64> {
            if points.is_empty() { None } else { points.iter().map(|both| grown(both, of)).sum() }
        };
        let sender = |of| sending.first().and_then(|both| grown(both, of));
        let buffers = |points: &[Point], both: &[Both<'_>], of: fn(&LinkStatistics) -> u64| {
            points.iter().zip(both).find_map(|(point, (before, after))| {
                let name = point.tunnel.as_ref()?;
                Some(of(after.links.get(name)?).saturating_sub(of(before.links.get(name)?)))
            })
        };
        let links: Vec<Option<u64>> = sending
            .iter()
            .chain(&receiving)
            .map(|(before, after)| Some(lost(after)?.saturating_sub(lost(before)?)))
            .collect();
        Counts {
            payload_bytes: None,
            segments: sender(|told| told.snmp.value()?.tcp.out_segments),
            retransmitted: sender(|told| told.snmp.value()?.tcp.retransmitted),
            tunnel_buffers: buffers(&self.sending, &sending, |link| link.tx_packets),
            received_buffers: buffers(&self.receiving, &receiving, |link| link.rx_packets),
            fragments: sum(&sending, fragments),
            checksum_errors: sum(&receiving, checksum_errors),
            drops: if links.is_empty() { None } else { links.into_iter().sum() },
        }
    }
}

/// A point's counters at both ends of a period.
type Both<'a> = (&'a Counters, &'a Counters);

/// Packets that devices could not send or did not take.
fn lost(counters: &Counters) -> Option<u64> {
    let of = |link: &LinkStatistics| {
        link.tx_dropped
            .saturating_add(link.tx_errors)
            .saturating_add(link.rx_dropped)
            .saturating_add(link.rx_errors)
    };
    (!counters.links.is_empty()).then(|| counters.links.values().map(of).sum())
}

fn fragments(told: &ProtocolCounters) -> Option<u64> {
    let ipv4 = told.snmp.value()?.ip.fragments_created?;
    Some(ipv4.saturating_add(of_ipv6(told, |told| told.ip.fragments_created)?))
}

fn checksum_errors(told: &ProtocolCounters) -> Option<u64> {
    let snmp = told.snmp.value()?;
    let ipv4 = snmp.tcp.in_checksum_errors?.saturating_add(snmp.udp.in_checksum_errors?);
    Some(ipv4.saturating_add(of_ipv6(told, |told| told.udp.in_checksum_errors)?))
}

/// Zero on a kernel without IPv6.
fn of_ipv6(told: &ProtocolCounters, of: fn(&crate::facts::counters::Snmp6) -> Option<u64>) -> Option<u64> {
    if matches!(told.snmp6, Observed::Absent) { Some(0) } else { of(told.snmp6.value()?) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_all_processors_and_unknown_without_both_ends() {
        let reading = |user, idle, softirq, steal| CpuReading {
            time: Observed::Value(CpuCounters {
                cpus: 2,
                user,
                idle,
                softirq,
                steal,
                ..CpuCounters::default()
            }),
            softnet: Observed::Absent,
        };
        let cpu = reading(100, 1000, 50, 0).until(&reading(180, 1080, 70, 20));
        let expected =
            Cpu { busy_cores: Some(1.0), steal: Some(0.1), softirq: Some(0.1), time_squeezes: None };
        assert_eq!(cpu, expected);
        let same = reading(1, 1, 1, 1);
        assert_eq!(same.until(&same).busy_cores, None, "no tick has passed");
        let unread = CpuReading { time: Observed::Absent, softnet: Observed::Value(Vec::new()) };
        assert_eq!(unread.until(&same), Cpu::default());
        assert_eq!(unread.until(&unread), Cpu { time_squeezes: Some(0), ..Cpu::default() });
    }

    #[test]
    fn what_each_processor_did_is_added_up() {
        let of = |rows: &[(u32, u64, u64)]| {
            let row = |(cpu, nice, softirq): &(u32, u64, u64)| {
                let counters = CpuCounters {
                    cpus: 1,
                    nice: *nice,
                    softirq: *softirq,
                    idle: 7,
                    ..CpuCounters::default()
                };
                (*cpu, counters)
            };
            CoresReading(Observed::Value(rows.iter().map(row).collect()))
        };
        let mut sum = Some(Vec::new());
        of(&[(0, 10, 5), (1, 3, 3)]).add_until(&of(&[(0, 14, 6), (1, 3, 3), (7, 1, 1)]), &mut sum);
        // The first was taken away meanwhile.
        of(&[(0, 14, 6), (1, 3, 3)]).add_until(&of(&[(1, 4, 4)]), &mut sum);
        let core = |cpu, user, softirq| Core { cpu, user, softirq, all: user + softirq, ..Core::default() };
        assert_eq!(sum, Some(vec![core(0, 4, 1), core(1, 1, 1)]));
        of(&[]).add_until(&CoresReading(Observed::Absent), &mut sum);
        of(&[]).add_until(&of(&[]), &mut sum);
        assert_eq!(sum, None, "what is not known of a part is not known of the whole");
        let mut own = Some(Vec::new());
        CoresReading::now().add_until(&CoresReading::now(), &mut own);
        assert!(own.is_some_and(|cores| !cores.is_empty()));
    }

    #[test]
    fn this_machine_is_known() {
        let machine = machine();
        assert!(machine.kernel.is_some() && machine.boot_id.is_some() && machine.cores > 0, "{machine:?}");
        assert_eq!(super::machine(), machine);
    }
}
