//! Reads every table that the inventory needs, once. What changes in between is noticed by [`super::changes`].

use std::{
    io,
    os::fd::OwnedFd,
    sync::{Mutex, PoisonError},
};

use super::{
    decode::{self, Frame, Neighbour, Problems},
    error::{DecodeError, NetlinkError},
    retry::{torn, whole},
    socket::{Dump, DumpSocket, Request},
    wireguard,
};

use crate::{
    facts::netlink::{
        AddressFact, Facts, FdbFact, LinkFact, NeighbourFact, OfDevice, PolicyTableFact, RouteFact, RuleFact,
        WIREGUARD, WireguardFact,
    },
    netns::{self, Namespace, helper::SocketKind},
    observed::Observed,
};

/// The kernel's tables of one network namespace.
#[derive(Debug)]
pub struct Source {
    pub(super) socket: Mutex<DumpSocket>,
    pub(super) generic: Mutex<DumpSocket>,
    /// For ioctls about interfaces, where that is another namespace than the calling thread's.
    pub(super) interfaces: Option<OwnedFd>,
}

impl Source {
    /// Opens its sockets in the calling thread's network namespace, and stay there wherever the thread goes later.
    pub fn connect() -> Result<Self, NetlinkError> {
        Ok(Self {
            socket: Mutex::new(DumpSocket::open()?),
            generic: Mutex::new(DumpSocket::open_generic()?),
            interfaces: None,
        })
    }

    /// Opens its sockets in another network namespace, which they keep alive until this is dropped.
    pub fn connect_in(namespace: &Namespace) -> Result<Self, NetlinkError> {
        let kinds = [SocketKind::Route, SocketKind::Generic, SocketKind::Interfaces];
        let [route, generic, interfaces] = netns::sockets_in(namespace, kinds)?;
        Ok(Self {
            socket: Mutex::new(DumpSocket::given(route)?),
            generic: Mutex::new(DumpSocket::given(generic)?),
            interfaces: Some(interfaces),
        })
    }

    /// Reads everything. Fails when the links cannot be read; what else cannot says so in its table's place.
    ///
    /// Routes are read before neighbours and neighbours before FDB entries: a CNI agent writes them in the opposite
    /// order, so a peer that is being added never looks like one with a hole.
    pub async fn facts(&self) -> Result<Facts, NetlinkError> {
        let mut reading = Reading { socket: &self.socket, problems: Problems::default(), notes: Vec::new() };
        let mut facts = Facts { links: reading.table(&links_request(), Table::link)?, ..Facts::default() };
        tokio::task::yield_now().await;

        facts.addresses = reading.observed(&Request::new("addresses", libc::RTM_GETADDR, 8), Table::address);
        tokio::task::yield_now().await;
        facts.routes.ipv4 = reading.observed(&routes_request("IPv4 routes", libc::AF_INET), Table::route);
        tokio::task::yield_now().await;
        facts.routes.ipv6 = reading.observed(&routes_request("IPv6 routes", libc::AF_INET6), Table::route);
        for link in facts.links.iter().filter(|link| link.vxlan.is_some()) {
            let ifindex = link.ifindex;
            tokio::task::yield_now().await;
            let told = reading.observed(&neighbours_request("neighbours", 0, ifindex), Table::neighbour);
            facts
                .neighbours
                .0
                .push(OfDevice { ifindex, told: told.map(|rows| own(rows, |row| row.ifindex == ifindex)) });
            let told = reading.observed(&neighbours_request("FDB entries", AF_BRIDGE, ifindex), Table::fdb);
            facts
                .fdb
                .0
                .push(OfDevice { ifindex, told: told.map(|rows| own(rows, |row| row.ifindex == ifindex)) });
        }
        tokio::task::yield_now().await;
        facts.rules = reading.observed(&Request::new("policy rules", libc::RTM_GETRULE, 12), Table::rule);
        for (table, family) in policy_tables(facts.rules.rows()) {
            let routes = reading.observed(&table_request(table, family), |request, frame| {
                Table::route_of(request, frame, table)
            });
            facts.policy_tables.push(PolicyTableFact { table, family: family_of(family), routes });
        }
        facts.notes = reading.notes;
        facts.notes.extend(reading.problems.lines());
        tokio::task::yield_now().await;
        let of_kind = |link: &&LinkFact| link.kind.as_deref() == Some(WIREGUARD);
        let ifindices: Vec<u32> = facts.links.iter().filter(of_kind).map(|link| link.ifindex).collect();
        let (devices, notes) = self.wireguard(&ifindices);
        facts.wireguard = devices;
        facts.notes.extend(notes);
        Ok(facts)
    }

    /// The WireGuard devices with these interface indices, and what is wrong with what was read. No notification comes
    /// when their peers change, and their counters are nowhere else: this is asked for every sample.
    pub fn wireguard(&self, ifindices: &[u32]) -> (Vec<OfDevice<WireguardFact>>, Vec<String>) {
        let mut socket = self.generic.lock().unwrap_or_else(PoisonError::into_inner);
        let read = wireguard::devices(&mut socket, ifindices);
        (read.devices, read.notes)
    }
}

/// Policy tables that are read. Calico has one for each family, wg-quick one for each of its devices.
const MOST_POLICY_TABLES: usize = 8;
pub(super) const AF_BRIDGE: u8 = 7;
/// linux/neighbour.h; filters a dump by device, for neighbours since Linux 4.4 and with strict checking for the FDB.
pub(super) const NDA_IFINDEX: u16 = 8;

/// Links without statistics, which nobody here reads, and without virtual functions, which may cost the driver a
/// round trip to its firmware each.
pub(super) fn links_request() -> Request {
    Request::new("links", libc::RTM_GETLINK, 16)
        .attribute(libc::IFLA_EXT_MASK, libc::RTEXT_FILTER_SKIP_STATS.cast_unsigned())
}

/// Routes of the main table: strict checking makes the kernel honour `rtm_table`.
pub(super) fn routes_request(table: &'static str, family: i32) -> Request {
    let family = u8::try_from(family).unwrap_or(0);
    Request::new(table, libc::RTM_GETROUTE, 12).byte(0, family).byte(4, libc::RT_TABLE_MAIN)
}

/// Tables beside the kernel's own that a rule sends packets without a mark to, with the rule's family; few, whoever made the rules.
fn policy_tables(rules: &[RuleFact]) -> Vec<(u32, i32)> {
    let mut tables = Vec::new();
    let is_of_kernel = |table: u32| {
        [libc::RT_TABLE_LOCAL, libc::RT_TABLE_MAIN, libc::RT_TABLE_DEFAULT].map(u32::from).contains(&table)
    };
    for rule in rules.iter().filter(|rule| rule.is_inverted == rule.mark.is_some()) {
        let family = if rule.family == 6 { libc::AF_INET6 } else { libc::AF_INET };
        let Some(table) = rule.table.filter(|&table| !is_of_kernel(table)) else { continue };
        if tables.len() < MOST_POLICY_TABLES && !tables.contains(&(table, family)) {
            tables.push((table, family));
        }
    }
    tables
}

/// Entries of one device: an ordinary node has a thousand multicast filters on its pods' veths.
fn neighbours_request(table: &'static str, family: u8, ifindex: u32) -> Request {
    Request::new(table, libc::RTM_GETNEIGH, 12).byte(0, family).attribute(NDA_IFINDEX, ifindex)
}

/// Those of the device that was asked for: without a filter in the kernel, it lists those of all.
fn own<T>(mut rows: Vec<T>, is_own: impl Fn(&T) -> bool) -> Vec<T> {
    rows.retain(is_own);
    rows
}

/// 4 or 6.
fn family_of(family: i32) -> u8 {
    if family == libc::AF_INET6 { 6 } else { 4 }
}

/// Routes of one table, whose number may not fit `rtm_table`.
fn table_request(table: u32, family: i32) -> Request {
    let family = u8::try_from(family).unwrap_or(0);
    Request::new("routes of a policy table", libc::RTM_GETROUTE, 12)
        .byte(0, family)
        .attribute(libc::RTA_TABLE, table)
}

/// How each table's messages are decoded.
struct Table;

impl Table {
    fn link(_: &Request, frame: &Frame<'_>) -> Result<Vec<LinkFact>, DecodeError> {
        Ok(wanted(frame, libc::RTM_NEWLINK).map(decode::link).transpose()?.flatten().into_iter().collect())
    }

    fn address(_: &Request, frame: &Frame<'_>) -> Result<Vec<AddressFact>, DecodeError> {
        Ok(wanted(frame, libc::RTM_NEWADDR).map(decode::address).transpose()?.flatten().into_iter().collect())
    }

    fn route(request: &Request, frame: &Frame<'_>) -> Result<Vec<RouteFact>, DecodeError> {
        Self::route_of(request, frame, libc::RT_TABLE_MAIN.into())
    }

    fn route_of(request: &Request, frame: &Frame<'_>, table: u32) -> Result<Vec<RouteFact>, DecodeError> {
        // Without IPv6 in the kernel, a request for its routes is answered with those of every family.
        let family = request.body.first();
        let payload = wanted(frame, libc::RTM_NEWROUTE).filter(|payload| payload.first() == family);
        Ok(payload.map(|payload| decode::routes_of(payload, table)).transpose()?.unwrap_or_default())
    }

    fn rule(_: &Request, frame: &Frame<'_>) -> Result<Vec<RuleFact>, DecodeError> {
        Ok(wanted(frame, libc::RTM_NEWRULE).map(decode::rule).transpose()?.flatten().into_iter().collect())
    }

    fn neighbour(_: &Request, frame: &Frame<'_>) -> Result<Vec<NeighbourFact>, DecodeError> {
        let payload = wanted(frame, libc::RTM_NEWNEIGH);
        Ok(match payload.map(decode::neighbour).transpose()?.flatten() {
            Some(Neighbour::Ip(fact)) => vec![fact],
            Some(Neighbour::Fdb(_)) | None => Vec::new(),
        })
    }

    fn fdb(_: &Request, frame: &Frame<'_>) -> Result<Vec<FdbFact>, DecodeError> {
        let payload = wanted(frame, libc::RTM_NEWNEIGH);
        Ok(match payload.map(decode::neighbour).transpose()?.flatten() {
            Some(Neighbour::Fdb(fact)) => vec![fact],
            Some(Neighbour::Ip(_)) | None => Vec::new(),
        })
    }
}

fn wanted<'a>(frame: &Frame<'a>, kind: u16) -> Option<&'a [u8]> {
    (frame.kind == kind).then_some(frame.payload)
}

/// One round of reading, and what went wrong in it.
struct Reading<'a> {
    socket: &'a Mutex<DumpSocket>,
    problems: Problems,
    notes: Vec<String>,
}

impl Reading<'_> {
    fn table<T>(
        &mut self,
        request: &Request,
        decode: impl Fn(&Request, &Frame<'_>) -> Result<Vec<T>, DecodeError>,
    ) -> Result<Vec<T>, NetlinkError> {
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        let mut attempt = || {
            let (mut rows, mut problems) = (Vec::new(), Vec::new());
            let dump = socket.dump(request, |frame| match decode(request, &frame) {
                Ok(found) => rows.extend(found),
                Err(problem) => problems.push(problem),
            })?;
            Ok((dump, (rows, problems)))
        };
        let (dump, (rows, problems)) = whole(&mut attempt)?;
        if dump == Dump::Torn {
            self.notes.push(torn(request.table));
        }
        for problem in problems {
            self.problems.add(problem);
        }
        Ok(rows)
    }

    /// As [`Self::table`]; a failure is the table's state. A routing table that the kernel has not made yet has no rows: it makes
    /// one with its first route, and before that listing it is `ENOENT` (`inet_dump_fib`). Rules are absent where the kernel
    /// was built without any.
    fn observed<T>(
        &mut self,
        request: &Request,
        decode: impl Fn(&Request, &Frame<'_>) -> Result<Vec<T>, DecodeError>,
    ) -> Observed<Vec<T>> {
        match self.table(request, decode) {
            Ok(rows) => Observed::Value(rows),
            Err(NetlinkError::Refused { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Observed::Value(Vec::new())
            }
            Err(NetlinkError::Refused { source, .. }) if source.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                Observed::Absent
            }
            Err(error) => Observed::Failed { error: error.to_string() },
        }
    }
}
