//! `RTM_NEWLINK`: `struct ifinfomsg` and `IFLA_*`, as `rtnl_fill_ifinfo` writes them. Nothing about other messages.

use super::{Attribute, Message, conf, link_data};
use crate::{
    facts::netlink::{LinkData, LinkFact, OperState, VxlanDf, VxlanFact},
    netlink::error::DecodeError,
};

// linux/if_link.h; libc has no IFLA_VXLAN_*.
const IFLA_PARENT_DEV_NAME: u16 = 56;
const IFLA_VXLAN_ID: u16 = 1;
const IFLA_VXLAN_GROUP: u16 = 2;
const IFLA_VXLAN_LINK: u16 = 3;
const IFLA_VXLAN_LOCAL: u16 = 4;
const IFLA_VXLAN_LEARNING: u16 = 7;
const IFLA_VXLAN_L2MISS: u16 = 13;
const IFLA_VXLAN_L3MISS: u16 = 14;
const IFLA_VXLAN_PORT: u16 = 15;
const IFLA_VXLAN_GROUP6: u16 = 16;
const IFLA_VXLAN_LOCAL6: u16 = 17;
const IFLA_VXLAN_UDP_CSUM: u16 = 18;
const IFLA_VXLAN_UDP_ZERO_CSUM6_TX: u16 = 19;
const IFLA_VXLAN_UDP_ZERO_CSUM6_RX: u16 = 20;
const IFLA_VXLAN_COLLECT_METADATA: u16 = 25;
const IFLA_VXLAN_DF: u16 = 29;

/// The link that `payload` describes. None for a message about something else: a bridge's view of its port
/// (`AF_BRIDGE`), or a wireless event, which comes as a link message with almost nothing in it.
pub(in crate::netlink) fn link(payload: &[u8]) -> Result<Option<LinkFact>, DecodeError> {
    let message = Message::new("RTM_NEWLINK", payload, 16)?;
    if i32::from(message.u8(0)) != libc::AF_UNSPEC {
        return Ok(None);
    }
    let mut link = LinkFact {
        ifindex: message.u32(4),
        hardware_type: message.u16(2),
        up: message.u32(8) & libc::IFF_UP.cast_unsigned() != 0,
        ..LinkFact::default()
    };
    let (mut mtu, mut name) = (None, None);
    let mut info = None;
    for attribute in message.attributes() {
        let attribute = attribute?;
        match attribute.kind {
            libc::IFLA_IFNAME => name = Some(attribute.text()),
            libc::IFLA_MTU => mtu = Some(attribute.u32()?),
            libc::IFLA_ADDRESS => link.mac = attribute.mac(),
            // 0 on a device that has nothing below it, as a veth's end whose other end is gone.
            libc::IFLA_LINK => link.link = Some(attribute.u32()?).filter(|&index| index != 0),
            libc::IFLA_LINK_NETNSID => link.link_netns = Some(attribute.i32()?),
            libc::IFLA_MASTER => link.master = Some(attribute.u32()?),
            libc::IFLA_OPERSTATE => link.oper_state = oper_state(attribute.u8()?),
            libc::IFLA_CARRIER => link.carrier = Some(attribute.u8()? != 0),
            libc::IFLA_QDISC => link.qdisc = Some(attribute.text()),
            IFLA_PARENT_DEV_NAME => link.parent_device = Some(attribute.text()),
            libc::IFLA_LINKINFO => info = Some(attribute),
            libc::IFLA_AF_SPEC => (link.ipv4_conf, link.ipv6_conf) = conf::conf(&attribute)?,
            libc::IFLA_WIRELESS => return Ok(None),
            _ => {}
        }
    }
    link.mtu = mtu.ok_or_else(|| message.missing("IFLA_MTU"))?;
    link.name = name.ok_or_else(|| message.missing("IFLA_IFNAME"))?;
    if let Some(info) = info {
        let info = link_info(&info)?;
        (link.kind, link.vxlan, link.data) = (info.kind, info.vxlan, info.data);
    }
    Ok(Some(link))
}

/// `IF_OPER_*`; none for a state that is not known here.
fn oper_state(state: u8) -> Option<OperState> {
    Some(match state {
        0 => OperState::Unknown,
        1 => OperState::NotPresent,
        2 => OperState::Down,
        3 => OperState::LowerLayerDown,
        4 => OperState::Testing,
        5 => OperState::Dormant,
        6 => OperState::Up,
        _ => return None,
    })
}

#[derive(Default)]
struct Info {
    kind: Option<String>,
    vxlan: Option<VxlanFact>,
    data: Option<LinkData>,
}

fn link_info(info: &Attribute<'_>) -> Result<Info, DecodeError> {
    let (mut found, mut data) = (Info::default(), None);
    for attribute in info.nested() {
        let attribute = attribute?;
        match attribute.kind {
            libc::IFLA_INFO_KIND => found.kind = Some(attribute.text()),
            libc::IFLA_INFO_DATA => data = Some(attribute),
            _ => {}
        }
    }
    if let (Some(kind), Some(data)) = (found.kind.as_deref(), data) {
        if kind == "vxlan" {
            found.vxlan = Some(vxlan(&data)?);
        } else {
            found.data = link_data::link_data(kind, &data)?;
        }
    }
    Ok(found)
}

/// As `vxlan_fill_info` writes it: addresses only when they are set.
fn vxlan(data: &Attribute<'_>) -> Result<VxlanFact, DecodeError> {
    let mut vxlan = VxlanFact::default();
    for attribute in data.nested() {
        let attribute = attribute?;
        match attribute.kind {
            IFLA_VXLAN_ID => vxlan.vni = attribute.u32()?,
            IFLA_VXLAN_PORT => vxlan.port = attribute.u16_be()?,
            IFLA_VXLAN_LINK => vxlan.link = Some(attribute.u32()?).filter(|&index| index != 0),
            IFLA_VXLAN_LOCAL | IFLA_VXLAN_LOCAL6 => vxlan.local = Some(attribute.ip()?),
            IFLA_VXLAN_GROUP | IFLA_VXLAN_GROUP6 => vxlan.group = Some(attribute.ip()?),
            IFLA_VXLAN_COLLECT_METADATA => vxlan.collect_metadata = attribute.u8()? != 0,
            IFLA_VXLAN_LEARNING => vxlan.learning = attribute.u8()? != 0,
            IFLA_VXLAN_L2MISS => vxlan.l2miss = Some(attribute.u8()? != 0),
            IFLA_VXLAN_L3MISS => vxlan.l3miss = Some(attribute.u8()? != 0),
            IFLA_VXLAN_UDP_CSUM => vxlan.udp_checksum = Some(attribute.u8()? != 0),
            IFLA_VXLAN_UDP_ZERO_CSUM6_TX => vxlan.udp_zero_checksum6_tx = Some(attribute.u8()? != 0),
            IFLA_VXLAN_UDP_ZERO_CSUM6_RX => vxlan.udp_zero_checksum6_rx = Some(attribute.u8()? != 0),
            IFLA_VXLAN_DF => vxlan.df = df(attribute.u8()?),
            _ => {}
        }
    }
    Ok(vxlan)
}

/// `VXLAN_DF_*`; none for a value that is not known here.
fn df(value: u8) -> Option<VxlanDf> {
    Some(match value {
        0 => VxlanDf::Unset,
        1 => VxlanDf::Set,
        2 => VxlanDf::Inherit,
        _ => return None,
    })
}
