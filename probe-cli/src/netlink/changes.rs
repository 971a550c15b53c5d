//! Follows the kernel's notifications and says when the facts should be read again. It reads no table but the links,
//! which it needs to know the tunnel devices.

use std::{collections::BTreeSet, io};

use netlink_sys::{AsyncSocket as _, AsyncSocketExt as _, SocketAddr, TokioSocket, protocols::NETLINK_ROUTE};

pub use super::relevance::ChangeKind;
use super::{
    decode::{self, Frame, frames},
    error::NetlinkError,
    relevance::Relevance,
    socket::{DATAGRAM, Dump, DumpSocket},
    source::links_request,
};
use crate::facts::netlink::LinkFact;

const GROUPS: [u32; 6] = [
    libc::RTNLGRP_LINK,
    libc::RTNLGRP_NEIGH,
    libc::RTNLGRP_IPV4_IFADDR,
    libc::RTNLGRP_IPV6_IFADDR,
    libc::RTNLGRP_IPV4_ROUTE,
    libc::RTNLGRP_IPV6_ROUTE,
];
/// Room for the notifications of a node that loses or gains a thousand peers at once, about 500 bytes each with the
/// kernel's own overhead. The kernel caps it at `net.core.rmem_max`; less room only means more "everything".
const RECEIVE_BUFFER: i32 = 2 * 1024 * 1024;
/// Datagrams handled before other tasks of the runtime get a turn.
const BATCH: usize = 64;
/// Datagrams thrown away before they do: more than the receive buffer holds.
const MAX_DRAIN: usize = 16_384;

/// A subscription to the changes of one network namespace.
pub struct Changes {
    socket: TokioSocket,
    dumps: DumpSocket,
    buffer: Vec<u8>,
    relevance: Relevance,
    pending: BTreeSet<ChangeKind>,
    /// Notifications were lost: `relevance` must be made anew.
    stale: bool,
}

impl Changes {
    /// Subscribes in the calling thread's network namespace. Must be called inside a tokio runtime.
    ///
    /// Nothing that happens after this returns is missed: subscribe first, then read the facts.
    pub fn connect() -> Result<Self, NetlinkError> {
        let open = |step| move |source| NetlinkError::Open { step, source };
        let mut socket = TokioSocket::new(NETLINK_ROUTE).map_err(open("socket"))?;
        socket.socket_mut().bind_auto().map_err(open("bind"))?;
        let raw = socket.socket_ref();
        raw.set_rx_buf_sz(RECEIVE_BUFFER).map_err(open("SO_RCVBUF"))?;
        for group in GROUPS {
            raw.add_membership(group).map_err(open("NETLINK_ADD_MEMBERSHIP"))?;
        }
        let mut dumps = DumpSocket::open()?;
        let relevance = Relevance::new(links(&mut dumps)?);
        Ok(Self {
            socket,
            dumps,
            buffer: Vec::with_capacity(DATAGRAM),
            relevance,
            pending: BTreeSet::new(),
            stale: false,
        })
    }

    /// Waits for the next change that matters. Cancelling it loses nothing.
    ///
    /// A burst is reported as few changes, not as one; the caller waits for it to settle before it reads the facts.
    pub async fn next(&mut self) -> Result<ChangeKind, NetlinkError> {
        loop {
            if self.stale && self.drained() {
                self.relevance = Relevance::new(links(&mut self.dumps)?);
                self.stale = false;
                self.pending.clear();
                return Ok(ChangeKind::Everything);
            }
            if let Some(kind) = self.pending.pop_first().filter(|_| !self.stale) {
                return Ok(kind);
            }
            if !self.stale {
                self.buffer.clear();
                let received = self.socket.recv_from(&mut self.buffer).await;
                self.received(received)?;
            }
            // What is there already joins it.
            for _ in 0..BATCH {
                self.buffer.clear();
                match self.socket.socket_ref().recv_from(&mut self.buffer, libc::MSG_DONTWAIT) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    received => self.received(received.map(|(_, from)| from))?,
                }
            }
            // However many notifications do not matter, other tasks get their turn.
            if self.stale || self.pending.is_empty() {
                tokio::task::yield_now().await;
            }
        }
    }

    fn received(&mut self, received: io::Result<SocketAddr>) -> Result<(), NetlinkError> {
        match received {
            // Anybody with the capability may send here; only the kernel is believed.
            Ok(from) if from.port_number() != 0 => {}
            // A full buffer may hold a cut datagram.
            Ok(_) if self.buffer.len() >= DATAGRAM => self.stale = true,
            Ok(_) => self.datagram(),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => self.stale = true,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(NetlinkError::Receive { table: "notifications", source }),
        }
        Ok(())
    }

    /// Throws away what is queued; true when nothing is left. After an overrun the kernel reports no further one until
    /// the queue was empty (`NETLINK_S_CONGESTED`), so whatever is read before that may miss more.
    fn drained(&mut self) -> bool {
        (0..MAX_DRAIN).any(|_| {
            self.buffer.clear();
            let received = self.socket.socket_ref().recv_from(&mut self.buffer, libc::MSG_DONTWAIT);
            received.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        })
    }

    fn datagram(&mut self) {
        for frame in frames(&self.buffer) {
            match frame {
                Ok(frame) => self.pending.extend(self.relevance.apply(frame.kind, frame.payload)),
                Err(()) => self.stale = true,
            }
        }
    }
}

/// The links, for telling tunnel devices from others. A torn list is good enough: whatever changed meanwhile is
/// also notified.
fn links(socket: &mut DumpSocket) -> Result<Vec<LinkFact>, NetlinkError> {
    let mut links = Vec::new();
    let read = |frame: Frame<'_>| {
        if frame.kind == libc::RTM_NEWLINK {
            links.extend(decode::link(frame.payload).ok().flatten());
        }
    };
    let (Dump::Whole | Dump::Torn) = socket.dump(&links_request(), read)?;
    Ok(links)
}
