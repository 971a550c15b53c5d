//! Interfaces of hardware, and the virtual functions of one PF. The latter are in no dump, because a driver may have to ask
//! its firmware for each VF.

use std::{
    os::fd::{AsFd as _, OwnedFd},
    sync::PoisonError,
};

use super::{
    decode,
    error::{DecodeError, NetlinkError},
    ethtool,
    socket::Request,
    source::Source,
};
use crate::facts::netlink::{LinkCounters, LinkFact, VfListFact};

/// linux/rtnetlink.h.
const RTEXT_FILTER_VF: u32 = 1;

impl Source {
    /// The VFs of the PF with this interface index.
    pub fn vf_list(&self, ifindex: u32) -> Result<VfListFact, NetlinkError> {
        const TABLE: &str = "virtual functions";
        let request = link(TABLE, ifindex).attribute(libc::IFLA_EXT_MASK, RTEXT_FILTER_VF);
        self.one(&request, decode::vf_list)
    }

    /// The counters of the interface with this index; none when the kernel sends none.
    pub fn link_counters(&self, ifindex: u32) -> Result<Option<LinkCounters>, NetlinkError> {
        let found = self.one(&link("interface counters", ifindex), decode::link_counters)?;
        Ok(found.filter(|(index, _)| *index == ifindex).map(|(_, counters)| counters))
    }

    /// Interfaces of hardware with the bus address of what is behind them, and their counters. To be called in the network
    /// namespace that this was opened in, unless it was opened in another by [`Self::connect_in`].
    pub fn hardware(&self) -> Result<Vec<(LinkFact, Option<LinkCounters>)>, NetlinkError> {
        let mut found = Vec::new();
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        socket.dump(&Request::new("links", libc::RTM_GETLINK, 16), |frame| {
            if frame.kind == libc::RTM_NEWLINK
                && let Ok(Some(link)) = decode::link(frame.payload)
                // Of virtual kinds there are thousands, and none has hardware.
                && link.kind.is_none()
            {
                let counters = decode::link_counters(frame.payload).ok().flatten();
                found.push((link, counters.map(|(_, counters)| counters)));
            }
        })?;
        for (link, _) in &mut found {
            if link.parent_device.is_none() {
                link.parent_device =
                    ethtool::bus_info(&link.name, self.interfaces.as_ref().map(OwnedFd::as_fd));
            }
        }
        found.retain(|(link, _)| link.parent_device.is_some());
        Ok(found)
    }

    fn one<T: Default>(
        &self,
        request: &Request,
        decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<T, NetlinkError> {
        let mut answer = Ok(T::default());
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        socket.dump(request, |frame| {
            if frame.kind == libc::RTM_NEWLINK {
                answer = decode(frame.payload);
            }
        })?;
        answer.map_err(|source| NetlinkError::Refused {
            table: request.table,
            source: std::io::Error::new(std::io::ErrorKind::InvalidData, source),
        })
    }
}

fn link(table: &'static str, ifindex: u32) -> Request {
    let request = Request::new(table, libc::RTM_GETLINK, 16).single();
    // `ifi_index` is at 4.
    ifindex.to_ne_bytes().into_iter().zip(4..).fold(request, |request, (byte, at)| request.byte(at, byte))
}
