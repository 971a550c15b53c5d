//! Driver, offloads and channels of one device, by the generic netlink family of ethtool (since Linux 5.7) and, where that has
//! nothing, by ioctl.

use std::{collections::BTreeMap, io, sync::PoisonError};

use super::{
    decode::{self, Frame},
    error::{DecodeError, NetlinkError},
    ethtool, generic,
    rows::observed,
    socket::Request,
    source::Source,
};
use crate::{
    facts::netlink::{ChannelsFact, DeviceFact, FeatureFact},
    observed::Observed,
};

// linux/ethtool_netlink.h.
const ETHTOOL_GENL_NAME: &[u8] = b"ethtool\0";
const ETHTOOL_GENL_VERSION: u8 = 1;
const ETHTOOL_MSG_FEATURES_GET: u8 = 11;
const ETHTOOL_MSG_CHANNELS_GET: u8 = 17;
/// Of every request: which device.
const ETHTOOL_A_HEADER: u16 = 1;
const ETHTOOL_A_HEADER_DEV_INDEX: u16 = 1;
/// linux/netlink.h: what is inside are attributes again.
const NLA_F_NESTED: u16 = 1 << 15;

/// Features that matter for what a tunnel carries and costs, as the kernel calls them
/// (`netdev_features_strings`).
const FEATURES: [&str; 25] = [
    "hw-tc-offload",
    "rx-checksum",
    "rx-gro",
    "rx-gro-hw",
    "rx-gro-list",
    "rx-lro",
    "rx-udp-gro-forwarding",
    "rx-udp_tunnel-port-offload",
    "rx-vlan-filter",
    "rx-vlan-hw-parse",
    "tx-checksum-ip-generic",
    "tx-checksum-ipv4",
    "tx-checksum-ipv6",
    "tx-generic-segmentation",
    "tx-gso-partial",
    "tx-ipxip4-segmentation",
    "tx-ipxip6-segmentation",
    "tx-scatter-gather",
    "tx-tcp-ecn-segmentation",
    "tx-tcp-segmentation",
    "tx-tcp6-segmentation",
    "tx-udp-segmentation",
    "tx-udp_tnl-csum-segmentation",
    "tx-udp_tnl-segmentation",
    "tx-vlan-hw-insert",
];

impl Source {
    /// What ethtool has of the device with this index and name. To be called in the network namespace that this was opened
    /// in: the ioctl looks for the name there.
    pub fn device(&self, ifindex: u32, name: &str) -> DeviceFact {
        DeviceFact {
            ifindex,
            driver: ethtool::driver(name),
            features: self.features(ifindex),
            channels: self.channels(ifindex),
        }
    }

    fn features(&self, ifindex: u32) -> Observed<BTreeMap<String, FeatureFact>> {
        self.ethtool("features of a device", ETHTOOL_MSG_FEATURES_GET, ifindex, |frame| {
            decode::features(frame.payload, |name| FEATURES.contains(&name))
        })
    }

    fn channels(&self, ifindex: u32) -> Observed<ChannelsFact> {
        self.ethtool("channels of a device", ETHTOOL_MSG_CHANNELS_GET, ifindex, |frame| {
            decode::channels(frame.payload)
        })
    }

    /// The one answer to a question about a device.
    fn ethtool<T>(
        &self,
        table: &'static str,
        command: u8,
        ifindex: u32,
        decode: impl Fn(&Frame<'_>) -> Result<T, DecodeError>,
    ) -> Observed<T> {
        let mut socket = self.generic.lock().unwrap_or_else(PoisonError::into_inner);
        let family =
            match generic::family(&mut socket, "the generic netlink family of ethtool", ETHTOOL_GENL_NAME) {
                Ok(family) => family,
                // Built without CONFIG_ETHTOOL_NETLINK.
                Err(NetlinkError::Refused { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    return Observed::Unsupported {
                        why: "the kernel does not answer ethtool by netlink".to_owned(),
                    };
                }
                Err(error) => return observed(&error),
            };
        let header = Request::attributes().attribute(ETHTOOL_A_HEADER_DEV_INDEX, ifindex);
        let request = Request::new(table, family, 4)
            .byte(0, command)
            .byte(1, ETHTOOL_GENL_VERSION)
            .bytes(ETHTOOL_A_HEADER | NLA_F_NESTED, &header.body)
            .single();
        let mut answer = None;
        let asked = socket.dump(&request, |frame| {
            if frame.kind == family {
                answer = Some(decode(&frame));
            }
        });
        match (asked, answer) {
            (Err(NetlinkError::Refused { source, .. }), _) if is_not_supported(&source) => {
                Observed::Unsupported { why: format!("the driver has no {table}") }
            }
            (Err(error), _) => observed(&error),
            (Ok(_), Some(Ok(value))) => Observed::Value(value),
            (Ok(_), Some(Err(cause))) => Observed::Failed { error: format!("cannot read {table}: {cause}") },
            (Ok(_), None) => Observed::Failed { error: format!("cannot read {table}: there is no answer") },
        }
    }
}

fn is_not_supported(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EOPNOTSUPP)
}
