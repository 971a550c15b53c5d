//! Other network namespaces, seen from this one: their number here, their links and addresses. No namespace is entered, and
//! no socket is opened in one: a socket would keep it alive.

use std::{
    fs::File,
    os::fd::{AsFd as _, AsRawFd as _},
    sync::PoisonError,
};

use super::{decode, error::NetlinkError, socket::Request, source::Source};
use crate::facts::netlink::{AddressFact, LinkCounters, LinkFact};

// linux/net_namespace.h, linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h; libc lacks them.
const RTM_NEWNSID: u16 = 88;
const RTM_GETNSID: u16 = 90;
const NETNSA_NSID: u16 = 1;
const NETNSA_FD: u16 = 3;
/// Makes the kernel answer for another namespace (since Linux 4.16, `rtnl_get_net_ns_capable`); needs CAP_NET_ADMIN.
const IFLA_TARGET_NETNSID: u16 = 46;
/// The same for addresses (since Linux 4.20).
const IFA_TARGET_NETNSID: u16 = 10;

impl Source {
    /// The number that this namespace knows another one by; none when it has none, as when no link of the one has its
    /// other end or its lower device in the other.
    pub fn nsid(&self, namespace: &File) -> Result<Option<i32>, NetlinkError> {
        // `struct rtgenmsg`, padded.
        let request = Request::new("network namespaces", RTM_GETNSID, 4).single();
        let request = request.attribute(NETNSA_FD, namespace.as_fd().as_raw_fd().cast_unsigned());
        let mut nsid = None;
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = socket.dump(&request, |frame| {
            if frame.kind == RTM_NEWNSID {
                nsid = decode::nsid(frame.payload, NETNSA_NSID).ok().flatten();
            }
        });
        match asked {
            // What `get_net_ns_by_fd` says of a file that is something else (net/core/net_namespace.c).
            Err(NetlinkError::Refused { source, .. }) if source.raw_os_error() == Some(libc::EINVAL) => {
                Err(NetlinkError::NoNamespace)
            }
            asked => asked.map(|_| nsid),
        }
    }

    /// The links of the namespace with this number, with their counters; of this namespace without one.
    pub fn links_of(&self, nsid: Option<i32>) -> Result<Vec<(LinkFact, Option<LinkCounters>)>, NetlinkError> {
        let mut request = Request::new("links of a pod", libc::RTM_GETLINK, 16);
        if let Some(nsid) = nsid {
            request = request.attribute(IFLA_TARGET_NETNSID, nsid.cast_unsigned());
        }
        let mut found = Vec::new();
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        socket.dump(&request, |frame| {
            // What cannot be decoded is left out; the others stand.
            if frame.kind == libc::RTM_NEWLINK
                && let Ok(Some(link)) = decode::link(frame.payload)
            {
                let counters = decode::link_counters(frame.payload).ok().flatten();
                found.push((link, counters.map(|(_, counters)| counters)));
            }
        })?;
        Ok(found)
    }

    /// The addresses of the namespace with this number; of this namespace without one.
    pub fn addresses_of(&self, nsid: Option<i32>) -> Result<Vec<AddressFact>, NetlinkError> {
        let mut request = Request::new("addresses of a pod", libc::RTM_GETADDR, 8);
        if let Some(nsid) = nsid {
            request = request.attribute(IFA_TARGET_NETNSID, nsid.cast_unsigned());
        }
        let mut found = Vec::new();
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        socket.dump(&request, |frame| {
            if frame.kind == libc::RTM_NEWADDR {
                found.extend(decode::address(frame.payload).ok().flatten());
            }
        })?;
        Ok(found)
    }
}
