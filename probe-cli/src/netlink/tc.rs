//! clsact qdiscs and the eBPF filters on them: listing, and deleting one by its exact place.
//!
//! Here belongs nothing that adds: aya attaches. Nothing deletes more than it names.

use futures::TryStreamExt as _;
use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::{
    RouteNetlinkMessage,
    tc::{TcAttribute, TcFilterBpfOption, TcHandle, TcMessage, TcOption},
};
use rtnetlink::Handle;

use super::{
    error::NetlinkError,
    socket::{DumpSocket, Request},
};

/// An eBPF filter on a clsact qdisc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BpfFilter {
    /// Interface index.
    pub ifindex: u32,
    /// Egress, else ingress.
    pub egress: bool,
    /// Priority.
    pub priority: u16,
    /// Handle.
    pub handle: u32,
    /// `TCA_BPF_ID`: the kernel's number of the program; 0 where the kernel does not say.
    pub program: u32,
    /// `TCA_BPF_NAME`: what the program was called when it was attached. Hostile input.
    pub name: String,
}

/// A connection for traffic control, in the network namespace of the thread that opened it.
pub struct TrafficControl {
    handle: Handle,
    connection: tokio::task::JoinHandle<()>,
}

impl Drop for TrafficControl {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl TrafficControl {
    /// Opens it. Must be called inside a tokio runtime.
    pub fn connect() -> Result<Self, NetlinkError> {
        let (connection, handle, _) = rtnetlink::new_connection()
            .map_err(|source| NetlinkError::Open { step: "traffic control", source })?;
        Ok(Self { handle, connection: tokio::spawn(connection) })
    }

    /// Interfaces that have a clsact qdisc.
    pub async fn clsact_interfaces(&self) -> Result<Vec<u32>, NetlinkError> {
        let mut qdiscs = self.handle.qdisc().get().execute();
        let mut interfaces = Vec::new();
        while let Some(message) = qdiscs.try_next().await.map_err(failed("list qdiscs"))? {
            let clsact = message
                .attributes
                .iter()
                .any(|attribute| matches!(attribute, TcAttribute::Kind(kind) if kind == "clsact"));
            if clsact {
                interfaces.push(message.header.index.cast_unsigned());
            }
        }
        Ok(interfaces)
    }

    /// eBPF filters of one direction; empty when the interface or its qdisc is gone. `all` counts the filters of
    /// every kind.
    pub async fn filters(&self, ifindex: u32, egress: bool) -> Result<(Vec<BpfFilter>, usize), NetlinkError> {
        let request = self.handle.traffic_filter(ifindex.cast_signed()).get();
        let mut filters = if egress { request.egress() } else { request.ingress() }.execute();
        let mut found = Vec::new();
        loop {
            match filters.try_next().await {
                Ok(Some(message)) => found.extend(bpf_filter(ifindex, egress, &message)),
                // What rtnetlink cannot decode, it leaves out: here each message counts.
                Ok(None) => return Ok((found, count(ifindex, egress)?)),
                Err(rtnetlink::Error::NetlinkError(error))
                    if matches!(error.raw_code().abs(), libc::ENODEV | libc::ENOENT) =>
                {
                    return Ok((Vec::new(), 0));
                }
                Err(source) => return Err(failed("list filters")(source)),
            }
        }
    }

    /// Deletes one filter by its exact place, if its program is there still: another filter may have the place by now. One that
    /// is gone already is no error.
    pub async fn delete(&self, filter: &BpfFilter) -> Result<(), NetlinkError> {
        let (now, _) = self.filters(filter.ifindex, filter.egress).await?;
        if !now.contains(filter) {
            return Ok(());
        }
        let mut message = TcMessage::with_index(filter.ifindex.cast_signed());
        message.header.parent = TcHandle {
            major: 0xffff,
            minor: if filter.egress { TcHandle::MIN_EGRESS } else { TcHandle::MIN_INGRESS },
        };
        message.header.handle = filter.handle.into();
        // tcm_info: priority and protocol (ETH_P_ALL, network byte order), as aya attached it.
        let protocol = u16::try_from(libc::ETH_P_ALL).unwrap_or(3).to_be();
        message.header.info = (u32::from(filter.priority) << 16) | u32::from(protocol);
        // Without the kind the kernel could take any filter with this number.
        message.attributes.push(TcAttribute::Kind("bpf".to_owned()));
        self.request(RouteNetlinkMessage::DelTrafficFilter(message), "delete our filter").await
    }

    /// Deletes a clsact qdisc, with whatever hangs on it: only for one that we made and that has no filters.
    pub async fn delete_clsact(&self, ifindex: u32) -> Result<(), NetlinkError> {
        let mut message = TcMessage::with_index(ifindex.cast_signed());
        message.header.parent = TcHandle::CLSACT;
        message.header.handle = TcHandle { major: 0xffff, minor: 0 };
        message.attributes.push(TcAttribute::Kind("clsact".to_owned()));
        self.request(RouteNetlinkMessage::DelQueueDiscipline(message), "delete our clsact qdisc").await
    }

    async fn request(
        &self,
        message: RouteNetlinkMessage,
        operation: &'static str,
    ) -> Result<(), NetlinkError> {
        use futures::StreamExt as _;
        let mut request = NetlinkMessage::from(message);
        request.header.flags = NLM_F_REQUEST | NLM_F_ACK;
        let mut answers = self.handle.clone().request(request).map_err(failed(operation))?;
        while let Some(answer) = answers.next().await {
            if let NetlinkPayload::Error(error) = answer.payload {
                match error.raw_code().abs() {
                    0 | libc::ENOENT | libc::ENODEV => {}
                    _ => return Err(failed(operation)(rtnetlink::Error::NetlinkError(error))),
                }
            }
        }
        Ok(())
    }
}

/// Messages about filters of one direction, of every kind, whatever is in them.
fn count(ifindex: u32, egress: bool) -> Result<usize, NetlinkError> {
    /// `struct tcmsg`, include/uapi/linux/rtnetlink.h: interface at 4, parent at 12.
    const FIXED: usize = 20;
    /// `TC_H_CLSACT` with `TC_H_MIN_INGRESS` or `TC_H_MIN_EGRESS`, include/uapi/linux/pkt_sched.h.
    const INGRESS: u32 = 0xffff_fff2;
    const EGRESS: u32 = 0xffff_fff3;
    let mut request = Request::new("filters", libc::RTM_GETTFILTER, FIXED);
    let parent = if egress { EGRESS } else { INGRESS };
    for (at, value) in [(4, ifindex), (12, parent)] {
        if let Some(place) = request.body.get_mut(at..at + 4) {
            place.copy_from_slice(&value.to_ne_bytes());
        }
    }
    let mut all = 0;
    let counted = DumpSocket::open()?.dump(&request, |frame| {
        all += usize::from(frame.kind == libc::RTM_NEWTFILTER);
    });
    match counted {
        Ok(_) => Ok(all),
        Err(NetlinkError::Refused { source, .. })
            if matches!(source.raw_os_error(), Some(libc::ENODEV | libc::ENOENT)) =>
        {
            Ok(0)
        }
        Err(error) => Err(error),
    }
}

fn bpf_filter(ifindex: u32, egress: bool, message: &TcMessage) -> Option<BpfFilter> {
    let handle = u32::from(message.header.handle);
    // A dump has an entry for the priority itself too, without a handle.
    if handle == 0 {
        return None;
    }
    let (mut name, mut program) = (None, 0);
    for attribute in &message.attributes {
        let TcAttribute::Options(options) = attribute else { continue };
        for option in options {
            if let TcOption::Bpf(TcFilterBpfOption::ProgName(value)) = option {
                name = Some(value.clone());
            } else if let TcOption::Bpf(TcFilterBpfOption::ProgId(value)) = option {
                program = *value;
            }
        }
    }
    let priority = u16::try_from(message.header.info >> 16).unwrap_or(0);
    Some(BpfFilter { ifindex, egress, priority, handle, program, name: name? })
}

fn failed(operation: &'static str) -> impl Fn(rtnetlink::Error) -> NetlinkError {
    move |source| NetlinkError::TrafficControl { operation, source }
}
