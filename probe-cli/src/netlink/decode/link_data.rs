//! `IFLA_INFO_DATA` of kinds other than VXLAN, as each kind's `fill_info` writes it.

use std::net::IpAddr;

use super::Attribute;
use crate::{
    facts::netlink::{
        BridgeFact, GeneveFact, IpTunnelFact, IpvlanMode, LinkData, MacvlanMode, NetkitMode, VlanFact,
    },
    netlink::error::DecodeError,
};

// linux/if_tunnel.h.
const IFLA_IPTUN_LINK: u16 = 1;
const IFLA_IPTUN_LOCAL: u16 = 2;
const IFLA_IPTUN_REMOTE: u16 = 3;
const IFLA_IPTUN_COLLECT_METADATA: u16 = 19;
// linux/if_link.h.
const IFLA_BR_VLAN_FILTERING: u16 = 7;
const IFLA_BR_NF_CALL_IPTABLES: u16 = 36;
const IFLA_BR_NF_CALL_IP6TABLES: u16 = 37;
const IFLA_BR_VLAN_DEFAULT_PVID: u16 = 39;
const IFLA_GENEVE_ID: u16 = 1;
const IFLA_GENEVE_REMOTE: u16 = 2;
const IFLA_GENEVE_PORT: u16 = 5;
const IFLA_GENEVE_COLLECT_METADATA: u16 = 6;
const IFLA_GENEVE_REMOTE6: u16 = 7;
const IFLA_VLAN_ID: u16 = 1;
const IFLA_VLAN_PROTOCOL: u16 = 5;
const IFLA_MACVLAN_MODE: u16 = 1;
const IFLA_IPVLAN_MODE: u16 = 1;
const IFLA_NETKIT_MODE: u16 = 5;
/// linux/if_ether.h: 802.1ad.
const ETH_P_8021AD: u16 = 0x88a8;

/// What is read of a kind's data; none for a kind of which nothing is.
pub(super) fn link_data(kind: &str, data: &Attribute<'_>) -> Result<Option<LinkData>, DecodeError> {
    Ok(Some(match kind {
        "ipip" | "ip6tnl" => LinkData::IpTunnel(ip_tunnel(data)?),
        "bridge" => LinkData::Bridge(bridge(data)?),
        "geneve" => LinkData::Geneve(geneve(data)?),
        "vlan" => LinkData::Vlan(vlan(data)?),
        "macvlan" | "macvtap" => LinkData::Macvlan(value(data, IFLA_MACVLAN_MODE)?.and_then(macvlan_mode)),
        "ipvlan" | "ipvtap" => LinkData::Ipvlan(value(data, IFLA_IPVLAN_MODE)?.and_then(ipvlan_mode)),
        "netkit" => LinkData::Netkit(value(data, IFLA_NETKIT_MODE)?.and_then(netkit_mode)),
        _ => return Ok(None),
    }))
}

/// `br_fill_info`. Its timers are passed over.
fn bridge(data: &Attribute<'_>) -> Result<BridgeFact, DecodeError> {
    let mut bridge = BridgeFact::default();
    for attribute in data.nested() {
        let attribute = attribute?;
        match attribute.kind {
            IFLA_BR_VLAN_FILTERING => bridge.vlan_filtering = attribute.u8()? != 0,
            IFLA_BR_VLAN_DEFAULT_PVID => bridge.default_pvid = Some(attribute.u16()?),
            IFLA_BR_NF_CALL_IPTABLES => bridge.nf_call_iptables = Some(attribute.u8()? != 0),
            IFLA_BR_NF_CALL_IP6TABLES => bridge.nf_call_ip6tables = Some(attribute.u8()? != 0),
            _ => {}
        }
    }
    Ok(bridge)
}

/// `ipip_fill_info`: addresses always, all zero when they are not set; what collects metadata as a flag.
fn ip_tunnel(data: &Attribute<'_>) -> Result<IpTunnelFact, DecodeError> {
    let set = |address: IpAddr| Some(address).filter(|address| !address.is_unspecified());
    let mut tunnel = IpTunnelFact::default();
    for attribute in data.nested() {
        let attribute = attribute?;
        match attribute.kind {
            IFLA_IPTUN_LINK => tunnel.link = Some(attribute.u32()?).filter(|&index| index != 0),
            IFLA_IPTUN_LOCAL => tunnel.local = set(attribute.ip()?),
            IFLA_IPTUN_REMOTE => tunnel.remote = set(attribute.ip()?),
            IFLA_IPTUN_COLLECT_METADATA => tunnel.collect_metadata = true,
            _ => {}
        }
    }
    Ok(tunnel)
}

/// `geneve_fill_info`: a remote of a device that collects metadata is never set.
fn geneve(data: &Attribute<'_>) -> Result<GeneveFact, DecodeError> {
    let mut geneve = GeneveFact::default();
    for attribute in data.nested() {
        let attribute = attribute?;
        match attribute.kind {
            IFLA_GENEVE_ID => geneve.vni = attribute.u32()?,
            IFLA_GENEVE_PORT => geneve.port = attribute.u16_be()?,
            IFLA_GENEVE_REMOTE | IFLA_GENEVE_REMOTE6 => {
                geneve.remote = Some(attribute.ip()?).filter(|address| !address.is_unspecified());
            }
            IFLA_GENEVE_COLLECT_METADATA => geneve.collect_metadata = true,
            _ => {}
        }
    }
    Ok(geneve)
}

fn vlan(data: &Attribute<'_>) -> Result<VlanFact, DecodeError> {
    let mut vlan = VlanFact::default();
    for attribute in data.nested() {
        let attribute = attribute?;
        match attribute.kind {
            IFLA_VLAN_ID => vlan.id = attribute.u16()?,
            IFLA_VLAN_PROTOCOL => vlan.is_qinq = attribute.u16_be()? == ETH_P_8021AD,
            _ => {}
        }
    }
    Ok(vlan)
}

/// The number in the attribute of this kind. IPVLAN's mode has 16 bits, the others' 32.
fn value(data: &Attribute<'_>, kind: u16) -> Result<Option<u32>, DecodeError> {
    for attribute in data.nested() {
        let attribute = attribute?;
        if attribute.kind == kind {
            let value = attribute.u16().map(u32::from).or_else(|_short| attribute.u32())?;
            return Ok(Some(value));
        }
    }
    Ok(None)
}

fn macvlan_mode(mode: u32) -> Option<MacvlanMode> {
    Some(match mode {
        1 => MacvlanMode::Private,
        2 => MacvlanMode::Vepa,
        4 => MacvlanMode::Bridge,
        8 => MacvlanMode::Passthru,
        16 => MacvlanMode::Source,
        _ => return None,
    })
}

fn ipvlan_mode(mode: u32) -> Option<IpvlanMode> {
    Some(match mode {
        0 => IpvlanMode::L2,
        1 => IpvlanMode::L3,
        2 => IpvlanMode::L3s,
        _ => return None,
    })
}

fn netkit_mode(mode: u32) -> Option<NetkitMode> {
    Some(match mode {
        0 => NetkitMode::L2,
        1 => NetkitMode::L3,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        facts::netlink::{LinkFact, OperState},
        netlink::{decode::link, testdata::messages},
    };

    /// Compared with `ip -d link show`, which the script prints at its end.
    #[test]
    fn links_of_every_kind() {
        let links: Vec<LinkFact> =
            messages("kinds").iter().filter_map(|frame| link(frame.payload).unwrap()).collect();
        let of = |name: &str| links.iter().find(|link| link.name == name).unwrap();
        let data = |name| of(name).data.clone().unwrap();
        let eth0 = of("eth0").ifindex;
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());

        assert_eq!(of("tunl0").kind.as_deref(), Some("ipip"));
        assert_eq!(data("tunl0"), LinkData::IpTunnel(IpTunnelFact::default()), "any to any");
        let fixed = IpTunnelFact {
            link: Some(eth0),
            local: ip("192.0.2.1"),
            remote: ip("192.0.2.9"),
            collect_metadata: false,
        };
        assert_eq!(data("ipip1"), LinkData::IpTunnel(fixed));
        let external = IpTunnelFact { collect_metadata: true, ..IpTunnelFact::default() };
        assert_eq!(data("ipipx"), LinkData::IpTunnel(external));

        let geneve = |vni, port, remote| GeneveFact { vni, port, remote, collect_metadata: false };
        assert_eq!(data("gen1"), LinkData::Geneve(geneve(42, 6083, ip("192.0.2.9"))));
        assert_eq!(data("gen6"), LinkData::Geneve(geneve(43, 6082, ip("2001:db8::9"))));
        let external = GeneveFact { collect_metadata: true, ..geneve(0, 6081, None) };
        assert_eq!(data("genx"), LinkData::Geneve(external));

        assert_eq!(data("eth0.100"), LinkData::Vlan(VlanFact { id: 100, is_qinq: false }));
        assert_eq!(data("eth0.200"), LinkData::Vlan(VlanFact { id: 200, is_qinq: true }));
        assert_eq!(of("eth0.100").link, Some(eth0));
        for (name, mode) in [
            ("mv-private", MacvlanMode::Private),
            ("mv-vepa", MacvlanMode::Vepa),
            ("mv-bridge", MacvlanMode::Bridge),
            ("mv-source", MacvlanMode::Source),
        ] {
            assert_eq!(data(name), LinkData::Macvlan(Some(mode)), "{name}");
        }
        for (name, mode) in
            [("iv-l2", IpvlanMode::L2), ("iv-l3", IpvlanMode::L3), ("iv-l3s", IpvlanMode::L3s)]
        {
            assert_eq!(data(name), LinkData::Ipvlan(Some(mode)), "{name}");
        }
        assert_eq!(data("nkhost"), LinkData::Netkit(Some(NetkitMode::L3)));
        assert_eq!(of("nkhost").link, Some(of("nk0").ifindex));
        assert_eq!(of("eth1").master, Some(of("br0").ifindex));
        let bridge = BridgeFact {
            vlan_filtering: false,
            default_pvid: Some(1),
            nf_call_iptables: Some(false),
            nf_call_ip6tables: Some(false),
        };
        assert_eq!(data("br0"), LinkData::Bridge(bridge));

        let state = |name| (of(name).up, of(name).oper_state, of(name).carrier);
        assert_eq!(state("eth0"), (true, Some(OperState::Up), Some(true)));
        assert_eq!(state("br0"), (true, Some(OperState::Down), Some(false)), "no carrier");
        assert_eq!(state("tunl0"), (true, Some(OperState::Unknown), Some(true)));
        assert!(!of("gen1").up);
    }
}
