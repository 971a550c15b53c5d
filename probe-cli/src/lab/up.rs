//! Building a lab.

use std::os::fd::AsRawFd as _;

use super::{
    down,
    error::LabError,
    plan::{self, LabOptions},
    registry::{self, Lab, Node, Pod},
};
use crate::{
    inventory::calico_veth_name,
    netlink::configure::{Step, configure, public_keys},
    netns::{self, Namespace},
};

/// How far building is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Namespaces that are ready.
    pub done: usize,
    /// Namespaces that there will be.
    pub total: usize,
}

/// Builds a lab. When it fails, nothing of it stays.
pub fn up(options: &LabOptions, progress: &mut dyn FnMut(Progress)) -> Result<Lab, LabError> {
    options.validate()?;
    if registry::read(&options.prefix).is_some() {
        return Err(LabError::Exists { prefix: options.prefix.clone() });
    }
    let mut names = netns::list();
    names.retain(|name| plan::is_lab_name(&options.prefix, name));
    if !names.is_empty() {
        return Err(LabError::Taken { prefix: options.prefix.clone(), names: names.join(", ") });
    }
    build(options, progress).inspect_err(|_| {
        // The first error is the one to show.
        let _ = down::down(&options.prefix);
    })
}

fn build(options: &LabOptions, progress: &mut dyn FnMut(Progress)) -> Result<Lab, LabError> {
    let total = 1 + usize::from(options.nodes) * (1 + usize::from(options.pods));
    let mut done = 0;
    let mut step = || {
        done += 1;
        progress(Progress { done, total });
    };
    let mut lab = Lab { options: options.clone(), nodes: Vec::new(), host_files: None, faults: Vec::new() };
    registry::write(&lab)?;
    let underlay = create(options, &options.underlay())?;
    configure(&underlay, &plan::underlay_steps(options))?;
    step();
    for number in 1..=options.nodes {
        lab.nodes.push(node(options, &underlay, number)?);
        registry::write(&lab)?;
        step();
    }
    if options.dataplane.wireguard() {
        wireguard_peers(&lab)?;
    }
    for node in &mut lab.nodes {
        let namespace = netns::open(&node.netns)?;
        for number in 1..=options.pods {
            let (kubernetes_namespace, name) = plan::pod_name(node.number, number);
            let addresses = plan::pod_addresses(options.family, node.number, number);
            let netns = options.pod(node.number, number);
            node.pods.push(pod(options, &namespace, &netns, kubernetes_namespace, name, addresses)?);
            step();
        }
    }
    registry::write(&lab)?;
    Ok(lab)
}

/// A node: its namespace, its NIC on the underlay, its tunnels and peers.
fn node(options: &LabOptions, underlay: &Namespace, number: u16) -> Result<Node, LabError> {
    let namespace = create(options, &options.node(number))?;
    let end = |name: &str| crate::netlink::configure::End {
        name: name.to_owned(),
        mtu: options.underlay_mtu,
        mac: None,
    };
    let veth = Step::Veth {
        here: end(&plan::port_name(number)),
        there: end("eth0"),
        there_netns: namespace.file().as_raw_fd(),
    };
    configure(underlay, &[vec![veth], plan::port_steps(number)].concat())?;
    configure(&namespace, &plan::node_steps(options, number))?;
    Ok(Node {
        number,
        netns: namespace.name().to_owned(),
        identity: identity(&namespace)?,
        addresses: plan::node_addresses(options.family, number).iter().map(ipnet::IpNet::addr).collect(),
        pods: Vec::new(),
    })
}

/// A pod on a node: its namespace, its veth, its routes.
pub(super) fn pod(
    options: &LabOptions,
    node: &Namespace,
    netns: &str,
    namespace: String,
    name: String,
    addresses: Vec<std::net::IpAddr>,
) -> Result<Pod, LabError> {
    let pod = create(options, netns)?;
    let host_ifname = calico_veth_name(&namespace, &name);
    let (here, there) = plan::veth_ends(&host_ifname, options.pod_mtu());
    let veth = Step::Veth { here, there, there_netns: pod.file().as_raw_fd() };
    configure(node, &[vec![veth], plan::host_veth_steps(&host_ifname, &addresses)].concat())?;
    configure(&pod, &plan::pod_steps(&addresses))?;
    Ok(Pod { namespace, name, addresses, host_ifname, netns: netns.to_owned() })
}

/// Gives the pods of a VXLAN lab over IPv4 the MTU of its tunnels, as an administrator does whose NICs carry jumbo frames: Canal
/// itself leaves its pods at 1450.
pub fn raise_pod_mtu(lab: &Lab) -> Result<(), LabError> {
    let step = |name: &str| [Step::Mtu { name: name.to_owned(), mtu: lab.options.v4_tunnel_mtu() }];
    for node in &lab.nodes {
        let namespace = netns::open(&node.netns)?;
        for pod in &node.pods {
            configure(&namespace, &step(&pod.host_ifname))?;
            configure(&netns::open(&pod.netns)?, &step("eth0"))?;
        }
    }
    Ok(())
}

/// Makes the nodes' WireGuard devices know each other's public keys, as flannel learns them from the cluster.
fn wireguard_peers(lab: &Lab) -> Result<(), LabError> {
    let mut nodes = Vec::new();
    for node in &lab.nodes {
        let namespace = netns::open(&node.netns)?;
        let keys = public_keys(&namespace)?;
        nodes.push((node.number, namespace, keys));
    }
    for (number, namespace, _) in &nodes {
        for (peer, _, keys) in &nodes {
            let key = |name: &str| keys.get(name).copied();
            configure(namespace, &plan::wireguard_peer_steps(&lab.options, *number, *peer, key))?;
        }
    }
    Ok(())
}

/// A namespace of the lab: noted and marked as its own.
fn create(options: &LabOptions, name: &str) -> Result<Namespace, LabError> {
    let prefix = &options.prefix;
    let namespace = netns::create(name, |identity| registry::note(prefix, name, identity))?;
    configure(&namespace, &[down::mark_step(prefix)])?;
    Ok(namespace)
}

fn identity(namespace: &Namespace) -> Result<(u64, u64), LabError> {
    namespace.identity().map_err(|source| {
        LabError::Netns(netns::NetnsError::Open {
            name: namespace.name().to_owned(),
            known: "-".to_owned(),
            source,
        })
    })
}
