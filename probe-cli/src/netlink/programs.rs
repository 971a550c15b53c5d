//! Which eBPF programs rtnetlink says are on an interface: XDP, and the filters of its clsact qdisc. TCX is not listed here, and is asked for
//! in `ebpf`. Numbers only: what a program is called and costs is no business of rtnetlink's.

use std::io;

use super::{decode, rows::rows, socket::Request, source::Source};
use crate::{facts::Bounded, observed::Observed};

/// Programs of one hook of one interface that are read.
const MOST: usize = 256;
// include/uapi/linux/pkt_sched.h: `TC_H_CLSACT` with `TC_H_MIN_INGRESS` and `TC_H_MIN_EGRESS`.
const INGRESS: u32 = 0xffff_fff2;
const EGRESS: u32 = 0xffff_fff3;

/// The kernel's numbers of the programs on an interface, by hook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfacePrograms {
    /// XDP.
    pub xdp: Vec<u32>,
    /// Filters of what arrives, in the order in which they run.
    pub ingress: Vec<u32>,
    /// Filters of what leaves, likewise.
    pub egress: Vec<u32>,
}

impl InterfacePrograms {
    /// These with those of TCX, which `tcx` tells of egress or else of ingress: they run before filters (`sch_handle_ingress` and
    /// `sch_handle_egress` in net/core/dev.c).
    pub fn with_tcx(self, tcx: impl Fn(bool) -> io::Result<Vec<u32>>) -> io::Result<Self> {
        let Self { xdp, ingress, egress } = self;
        Ok(Self { xdp, ingress: [tcx(false)?, ingress].concat(), egress: [tcx(true)?, egress].concat() })
    }
}

impl Source {
    /// The programs on the interface with this index.
    pub fn programs_on(&self, ifindex: u32) -> Observed<InterfacePrograms> {
        let filters = |parent| {
            // `struct tcmsg`: interface at 4, parent at 12.
            let request = at(at(Request::new("filters", libc::RTM_GETTFILTER, 20), 4, ifindex), 12, parent);
            some(rows(&self.socket, &request, MOST, |frame| match frame.kind {
                libc::RTM_NEWTFILTER => decode::filter_program(frame.payload),
                _ => Ok(None),
            }))
        };
        // `struct ifinfomsg`: interface at 4.
        let link = at(Request::new("links", libc::RTM_GETLINK, 16).single(), 4, ifindex);
        let xdp = some(rows(&self.socket, &link, MOST, |frame| match frame.kind {
            libc::RTM_NEWLINK => decode::xdp_programs(frame.payload),
            _ => Ok(Vec::new()),
        }));
        xdp.and_then(|xdp| {
            filters(INGRESS)
                .and_then(|ingress| filters(EGRESS).map(|egress| InterfacePrograms { xdp, ingress, egress }))
        })
    }
}

fn at(request: Request, at: usize, value: u32) -> Request {
    value.to_ne_bytes().into_iter().zip(at..).fold(request, |request, (byte, at)| request.byte(at, byte))
}

/// An interface without the qdisc, or one that is gone, has none.
fn some(found: Observed<Bounded<u32>>) -> Observed<Vec<u32>> {
    if matches!(found, Observed::Absent) {
        return Observed::Value(Vec::new());
    }
    found.map(|found| found.rows)
}
