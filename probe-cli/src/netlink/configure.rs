//! Building a data plane: links, addresses, routes, neighbours and FDB entries, from a list of steps.
//!
//! Only for the lab, in namespaces of its own. Each step is plain data, so that what is built can be tested without
//! building it.

mod steps;
mod words;

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _},
    net::IpAddr,
    path::PathBuf,
};

use futures::TryStreamExt as _;
use ipnet::IpNet;
use netlink_packet_route::{
    AddressFamily,
    link::{InfoData, InfoVeth, LinkAttribute, MacVlanMode},
    neighbour::{NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState},
    route::{RouteMessage, RouteScope, RouteType},
    rule::{RuleAction, RuleAttribute, RuleMessage},
};
use rtnetlink::{
    Handle, LinkBridge, LinkMacVlan, LinkMessageBuilder, LinkUnspec, LinkVeth, LinkVxlan, LinkWireguard,
    RouteMessageBuilder,
};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{error::NetlinkError, socket::DumpSocket, source::Source, wireguard};
use crate::{
    files,
    mac::Mac,
    netns::{self, Namespace, NetnsError},
};
pub use steps::{End, Route, Step, Vxlan, Wireguard, WireguardPeer};

/// A step that failed.
#[derive(Debug, Error)]
pub enum ConfigureError {
    /// The namespace could not be entered.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// No socket or runtime.
    #[error("cannot open rtnetlink in {netns}: {source}")]
    Open {
        /// The namespace.
        netns: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The kernel cannot make devices of this kind.
    #[error("this kernel has no {kind} devices")]
    NoSuchDevices {
        /// Their kind: "WireGuard".
        kind: &'static str,
    },
    /// The kernel refused a step.
    #[error("cannot {step} in {netns}: {source}")]
    Refused {
        /// What was tried, in words.
        step: String,
        /// The namespace.
        netns: String,
        /// What the kernel answered.
        #[source]
        source: io::Error,
    },
    /// WireGuard refused a step.
    #[error("cannot set up {name} in {netns}: {source}")]
    Wireguard {
        /// The device.
        name: String,
        /// The namespace.
        netns: String,
        /// The cause.
        #[source]
        source: Box<NetlinkError>,
    },
    /// A sysctl could not be written.
    #[error("cannot write {path} in {netns}: {source}")]
    Sysctl {
        /// Its path.
        path: PathBuf,
        /// The namespace.
        netns: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// Does all steps, in order, in `namespace`.
pub fn configure(namespace: &Namespace, steps: &[Step]) -> Result<(), ConfigureError> {
    connected(namespace, async |handle| {
        for step in steps {
            run(handle, step, namespace.name()).await?;
        }
        Ok(())
    })
}

/// Does all steps, in order, in the network namespace of the calling thread. Inside a runtime of tokio.
pub async fn configure_here(steps: &[Step]) -> Result<(), ConfigureError> {
    let here = "this network namespace";
    let open = |source| ConfigureError::Open { netns: here.to_owned(), source };
    let (connection, handle, _) = rtnetlink::new_connection().map_err(open)?;
    let connection = tokio::spawn(connection);
    let mut done = Ok(());
    for step in steps {
        done = run(&handle, step, here).await;
        if done.is_err() {
            break;
        }
    }
    connection.abort();
    done
}

/// The same, where what is asked for may be so already: made twice is there, deleted twice is gone.
pub fn ensure(namespace: &Namespace, steps: &[Step]) -> Result<(), ConfigureError> {
    connected(namespace, async |handle| {
        for step in steps {
            match run(handle, step, namespace.name()).await {
                Err(ConfigureError::Refused { source, .. }) if words::says_already(step, &source) => {}
                result => result?,
            }
        }
        Ok(())
    })
}

/// Does `work` with a socket that was opened in `namespace`.
fn connected<T: Send>(
    namespace: &Namespace,
    work: impl AsyncFnOnce(&Handle) -> Result<T, ConfigureError> + Send,
) -> Result<T, ConfigureError> {
    netns::run_in(namespace, || {
        let open = |source| ConfigureError::Open { netns: namespace.name().to_owned(), source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(open)?;
        runtime.block_on(async {
            let (connection, handle, _) = rtnetlink::new_connection().map_err(open)?;
            let connection = tokio::spawn(connection);
            let done = work(&handle).await?;
            connection.abort();
            Ok(done)
        })
    })?
}

async fn run(handle: &Handle, step: &Step, netns: &str) -> Result<(), ConfigureError> {
    if let Step::Sysctl { path, value } = step {
        let path = PathBuf::from("/proc/sys/net").join(path);
        return files::write_setting(path.as_ref(), value).map_err(|source| ConfigureError::Sysctl {
            path,
            netns: netns.to_owned(),
            source,
        });
    }
    let refused = |error| {
        let source = words::answer(error);
        match words::device_kind(step) {
            // What `rtnl_newlink` says of a kind that it does not know.
            Some(kind) if source.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                ConfigureError::NoSuchDevices { kind }
            }
            _ => ConfigureError::Refused { step: step.to_string(), netns: netns.to_owned(), source },
        }
    };
    request(handle, step).await.map_err(refused)?;
    let (Step::Wireguard(Wireguard { name, .. })
    | Step::WireguardPeer(WireguardPeer { name, .. })
    | Step::ForgetWireguardPeer { name, .. }) = step
    else {
        return Ok(());
    };
    let ifindex = index(handle, name).await.map_err(refused)?;
    set_wireguard(step, ifindex).map_err(|source| ConfigureError::Wireguard {
        name: name.clone(),
        netns: netns.to_owned(),
        source: Box::new(source),
    })
}

/// Keys and peers have a protocol of their own.
fn set_wireguard(step: &Step, ifindex: u32) -> Result<(), NetlinkError> {
    let mut socket = DumpSocket::open_generic()?;
    if let Step::Wireguard(device) = step {
        wireguard::set_key(&mut socket, ifindex, &*private_key()?, device.port)?;
    }
    if let Step::WireguardPeer(peer) = step {
        wireguard::set_peer(&mut socket, ifindex, &peer.public_key, peer.endpoint, &peer.allowed_ips)?;
    }
    if let Step::ForgetWireguardPeer { public_key, .. } = step {
        wireguard::remove_peer(&mut socket, ifindex, public_key)?;
    }
    Ok(())
}

/// A new private key: random bytes, of which the kernel makes a point on the curve (`curve25519_clamp_secret`).
fn private_key() -> Result<Zeroizing<[u8; 32]>, NetlinkError> {
    let mut key = Zeroizing::new([0; 32]);
    let read = fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(key.as_mut_slice()));
    read.map(|()| key).map_err(|source| NetlinkError::Open { step: "read /dev/urandom", source })
}

/// The words that the kernel keeps about a device in `namespace` ([`Step::Alias`]); none without any.
pub fn alias(namespace: &Namespace, name: &str) -> Result<Option<String>, ConfigureError> {
    connected(namespace, async |handle| {
        let mut links = handle.link().get().match_name(name.to_owned()).execute();
        // A device that is not there has none.
        let link = links.try_next().await.ok().flatten();
        Ok(link.and_then(|link| {
            link.attributes.into_iter().find_map(|attribute| {
                if let LinkAttribute::IfAlias(alias) = attribute { Some(alias) } else { None }
            })
        }))
    })
}

/// The public keys of WireGuard devices in `namespace`, by name; those that have none are left out.
pub fn public_keys(namespace: &Namespace) -> Result<BTreeMap<String, [u8; 32]>, ConfigureError> {
    let failed = |source| ConfigureError::Wireguard {
        name: "WireGuard".to_owned(),
        netns: namespace.name().to_owned(),
        source: Box::new(source),
    };
    netns::run_in(namespace, || {
        let (source, runtime) = (
            Source::connect().map_err(failed)?,
            tokio::runtime::Builder::new_current_thread()
                .build()
                .map_err(|source| ConfigureError::Open { netns: namespace.name().to_owned(), source })?,
        );
        let facts = runtime.block_on(source.facts()).map_err(failed)?;
        let name =
            |ifindex| facts.links.iter().find(|link| link.ifindex == ifindex).map(|link| link.name.clone());
        Ok(facts
            .wireguard
            .iter()
            .filter_map(|device| Some((name(device.ifindex)?, device.told.value()?.public_key?.0)))
            .collect())
    })?
}

async fn request(handle: &Handle, step: &Step) -> Result<(), rtnetlink::Error> {
    match step {
        Step::Veth { here, there, there_netns } => {
            let peer = end(there).setns_by_fd(*there_netns).build();
            let mut link = LinkMessageBuilder::<LinkVeth>::new(&here.name, &there.name)
                .mtu(here.mtu)
                .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)));
            if let Some(mac) = here.mac {
                link = link.address(mac.0.to_vec());
            }
            handle.link().add(link.build()).execute().await
        }
        Step::Bridge { name } => handle.link().add(LinkBridge::new(name).build()).execute().await,
        Step::Macvlan { name, below, there_netns } => {
            let below = index(handle, below).await?;
            let link = LinkMacVlan::new(name, below, MacVlanMode::Bridge).up().setns_by_fd(*there_netns);
            handle.link().add(link.build()).execute().await
        }
        Step::Port { name, bridge } => {
            let (port, bridge) = (index(handle, name).await?, index(handle, bridge).await?);
            let change = LinkUnspec::new_with_index(port).controller(bridge).build();
            handle.link().change(change).execute().await
        }
        Step::Vxlan(vxlan) => {
            let mut link = LinkVxlan::new(&vxlan.name, vxlan.vni)
                .port(vxlan.port)
                .dev(index(handle, &vxlan.link).await?)
                .learning(false)
                .mtu(vxlan.mtu)
                .address(vxlan.mac.0.to_vec());
            if vxlan.collect_metadata {
                link = link.collect_metadata(true);
            }
            let link = match vxlan.local {
                IpAddr::V4(local) => link.local(local),
                IpAddr::V6(local) => link.local6(local),
            };
            handle.link().add(link.build()).execute().await
        }
        Step::Alias { name, alias } => {
            let change = LinkUnspec::new_with_index(index(handle, name).await?)
                .append_extra_attribute(LinkAttribute::IfAlias(alias.clone()))
                .build();
            handle.link().change(change).execute().await
        }
        Step::Up { name } => {
            let change = LinkUnspec::new_with_index(index(handle, name).await?).up().build();
            handle.link().change(change).execute().await
        }
        Step::Down { name } => {
            let change = LinkUnspec::new_with_index(index(handle, name).await?).down().build();
            handle.link().change(change).execute().await
        }
        Step::LinkAddress { name, mac } => {
            let change =
                LinkUnspec::new_with_index(index(handle, name).await?).address(mac.0.to_vec()).build();
            handle.link().change(change).execute().await
        }
        Step::Mtu { name, mtu } => {
            let change = LinkUnspec::new_with_index(index(handle, name).await?).mtu(*mtu).build();
            handle.link().change(change).execute().await
        }
        Step::Delete { name } => handle.link().del(index(handle, name).await?).execute().await,
        Step::Address { name, address } => {
            use netlink_packet_route::address::AddressHeaderFlags;
            let index = index(handle, name).await?;
            let mut add = handle.address().add(index, address.addr(), address.prefix_len());
            add.message_mut().header.flags |= AddressHeaderFlags::Nodad;
            add.execute().await
        }
        Step::DeleteAddress { name, address } => {
            let index = index(handle, name).await?;
            let mut same = handle.address().add(index, address.addr(), address.prefix_len());
            handle.address().del(same.message_mut().clone()).execute().await
        }
        Step::Route(wanted) => handle.route().add(route(handle, wanted).await?).execute().await,
        Step::DeleteRoute(wanted) => handle.route().del(route(handle, wanted).await?).execute().await,
        Step::Blackhole { destination } => handle.route().add(blackhole(*destination)?).execute().await,
        Step::Prohibit { from, priority } => {
            let mut add = handle.rule().add();
            *add.message_mut() = prohibit(*from, *priority);
            add.execute().await
        }
        Step::DeleteProhibit { from, priority } => {
            handle.rule().del(prohibit(*from, *priority)).execute().await
        }
        Step::DeleteBlackhole { destination } => handle.route().del(blackhole(*destination)?).execute().await,
        Step::Neighbour { name, address, mac } => {
            let add = handle.neighbours().add(index(handle, name).await?, *address);
            add.link_layer_address(&mac.0).state(NeighbourState::Permanent).replace().execute().await
        }
        Step::Fdb { name, mac, destination } => {
            let add = handle.neighbours().add_bridge(index(handle, name).await?, &mac.0);
            add.destination(*destination).flags(NeighbourFlags::Own).replace().execute().await
        }
        Step::FailedNeighbour { name, address } => {
            let add = handle.neighbours().add(index(handle, name).await?, *address);
            add.state(NeighbourState::Failed).replace().execute().await
        }
        Step::ForgetNeighbour { name, address } => {
            let gone = neighbour(index(handle, name).await?, *address);
            handle.neighbours().del(gone).execute().await
        }
        Step::ForgetFdb { name, mac, destination } => {
            let gone = fdb_entry(index(handle, name).await?, *mac, *destination);
            handle.neighbours().del(gone).execute().await
        }
        Step::Wireguard(device) => {
            handle.link().add(LinkWireguard::new(&device.name).mtu(device.mtu).build()).execute().await
        }
        Step::Sysctl { .. } | Step::WireguardPeer(_) | Step::ForgetWireguardPeer { .. } => Ok(()),
    }
}

fn end(end: &End) -> LinkMessageBuilder<LinkUnspec> {
    let builder = LinkUnspec::new_with_name(&end.name).mtu(end.mtu);
    match end.mac {
        Some(mac) => builder.address(mac.0.to_vec()),
        None => builder,
    }
}

async fn route(handle: &Handle, route: &Route) -> Result<RouteMessage, rtnetlink::Error> {
    let invalid = |error: String| rtnetlink::Error::InvalidNla(error);
    let mut builder = RouteMessageBuilder::<IpAddr>::new()
        .destination_prefix(route.destination.addr(), route.destination.prefix_len())
        .map_err(|error| invalid(error.to_string()))?
        .output_interface(index(handle, &route.name).await?);
    builder = match route.via {
        Some(via) => builder.gateway(via).map_err(|error| invalid(error.to_string()))?,
        None if route.destination.addr().is_ipv4() => builder.scope(RouteScope::Link),
        None => builder,
    };
    if route.onlink {
        builder = builder.onlink();
    }
    if let Some(protocol) = route.protocol {
        builder = builder.protocol(protocol.into());
    }
    Ok(builder.build())
}

fn blackhole(destination: IpNet) -> Result<RouteMessage, rtnetlink::Error> {
    Ok(RouteMessageBuilder::<IpAddr>::new()
        .destination_prefix(destination.addr(), destination.prefix_len())
        .map_err(|error| rtnetlink::Error::InvalidNla(error.to_string()))?
        .kind(RouteType::BlackHole)
        .build())
}

fn prohibit(from: IpNet, priority: u32) -> RuleMessage {
    let mut rule = RuleMessage::default();
    rule.header.family = if from.addr().is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    rule.header.src_len = from.prefix_len();
    rule.header.action = RuleAction::Prohibit;
    rule.attributes.push(RuleAttribute::Source(from.network()));
    rule.attributes.push(RuleAttribute::Priority(priority));
    rule
}

fn neighbour(index: u32, address: IpAddr) -> NeighbourMessage {
    let mut neighbour = NeighbourMessage::default();
    neighbour.header.family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    neighbour.header.ifindex = index;
    neighbour.attributes.push(NeighbourAttribute::Destination(address.into()));
    neighbour
}

fn fdb_entry(index: u32, mac: Mac, destination: IpAddr) -> NeighbourMessage {
    let mut fdb = NeighbourMessage::default();
    fdb.header.family = AddressFamily::Bridge;
    fdb.header.ifindex = index;
    fdb.header.flags = NeighbourFlags::Own;
    fdb.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
    fdb.attributes.push(NeighbourAttribute::Destination(destination.into()));
    fdb
}

/// Interface index of a name.
async fn index(handle: &Handle, name: &str) -> Result<u32, rtnetlink::Error> {
    let link = handle.link().get().match_name(name.to_owned()).execute().try_next().await?;
    let link = link.ok_or_else(|| rtnetlink::Error::InvalidNla(format!("no device {name}")))?;
    debug_assert!(link.attributes.iter().any(|a| matches!(a, LinkAttribute::IfName(n) if n == name)));
    Ok(link.header.index)
}
