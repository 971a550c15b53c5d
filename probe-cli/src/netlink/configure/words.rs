//! Steps and what the kernel says of them, in words. Nothing is done here.

use std::{fmt, io};

use super::{Route, Step};

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Veth { here, there, .. } => {
                write!(f, "make the veth pair {} and {}", here.name, there.name)
            }
            Self::Bridge { name } => write!(f, "make the bridge {name}"),
            Self::Macvlan { name, below, .. } => write!(f, "make the macvlan device {name} above {below}"),
            Self::Alias { name, .. } => write!(f, "set the alias of {name}"),
            Self::Port { name, bridge } => write!(f, "make {name} a port of {bridge}"),
            Self::Vxlan(device) => write!(f, "make the VXLAN device {}", device.name),
            Self::Wireguard(device) => write!(f, "make the WireGuard device {}", device.name),
            Self::WireguardPeer(peer) => match peer.endpoint {
                Some(endpoint) => write!(f, "add a peer at {endpoint} to {}", peer.name),
                None => write!(f, "add a peer without an endpoint to {}", peer.name),
            },
            Self::ForgetWireguardPeer { name, .. } => write!(f, "remove a peer of {name}"),
            Self::Up { name } => write!(f, "set {name} up"),
            Self::Down { name } => write!(f, "set {name} down"),
            Self::LinkAddress { name, mac } => write!(f, "set the link-layer address of {name} to {mac}"),
            Self::Mtu { name, mtu } => write!(f, "set the MTU of {name} to {mtu}"),
            Self::Delete { name } => write!(f, "delete {name}"),
            Self::Address { name, address } => write!(f, "add the address {address} to {name}"),
            Self::DeleteAddress { name, address } => write!(f, "delete the address {address} of {name}"),
            Self::Route(route) => write!(f, "add the route {}", Words(route)),
            Self::Blackhole { destination } => write!(f, "add the blackhole route {destination}"),
            Self::DeleteBlackhole { destination } => write!(f, "delete the blackhole route {destination}"),
            Self::Prohibit { from, priority } => {
                write!(f, "add the rule {priority} that drops packets from {from}")
            }
            Self::DeleteProhibit { from, priority } => {
                write!(f, "delete the rule {priority} about packets from {from}")
            }
            Self::Neighbour { name, address, .. } => write!(f, "add the neighbour {address} on {name}"),
            Self::Fdb { name, mac, destination } => {
                write!(f, "add the FDB entry {mac} to {destination} on {name}")
            }
            Self::FailedNeighbour { name, address } => {
                write!(f, "mark the neighbour {address} on {name} as failed")
            }
            Self::ForgetNeighbour { name, address } => write!(f, "delete the neighbour {address} on {name}"),
            Self::ForgetFdb { name, mac, .. } => write!(f, "delete the FDB entry {mac} on {name}"),
            Self::DeleteRoute(route) => write!(f, "delete the route {}", Words(route)),
            Self::Sysctl { path, value } => write!(f, "set {path} to {value}"),
        }
    }
}

/// A route as `ip route` has it.
struct Words<'a>(&'a Route);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Route { destination, via, name, .. } = self.0;
        match via {
            Some(via) => write!(f, "{destination} via {via} dev {name}"),
            None => write!(f, "{destination} dev {name}"),
        }
    }
}

/// The kernel's answer as it is, without the words of the library around it.
#[expect(clippy::wildcard_enum_match_arm, reason = "only this one has the kernel's answer")]
pub(super) fn answer(error: rtnetlink::Error) -> io::Error {
    match error {
        rtnetlink::Error::NetlinkError(answer) => answer.to_io(),
        other => io::Error::other(other.to_string()),
    }
}

/// What a device of the step's kind is called, for a kernel that has no such devices; none where no device is made.
pub(super) fn device_kind(step: &Step) -> Option<&'static str> {
    match step {
        Step::Veth { .. } => Some("veth"),
        Step::Bridge { .. } => Some("bridge"),
        Step::Macvlan { .. } => Some("macvlan"),
        Step::Vxlan(_) => Some("VXLAN"),
        Step::Wireguard(_) => Some("WireGuard"),
        Step::Alias { .. }
        | Step::Port { .. }
        | Step::WireguardPeer(_)
        | Step::ForgetWireguardPeer { .. }
        | Step::Up { .. }
        | Step::Down { .. }
        | Step::LinkAddress { .. }
        | Step::Mtu { .. }
        | Step::Delete { .. }
        | Step::Address { .. }
        | Step::DeleteAddress { .. }
        | Step::Route(_)
        | Step::Blackhole { .. }
        | Step::DeleteBlackhole { .. }
        | Step::Prohibit { .. }
        | Step::DeleteProhibit { .. }
        | Step::Neighbour { .. }
        | Step::Fdb { .. }
        | Step::FailedNeighbour { .. }
        | Step::ForgetNeighbour { .. }
        | Step::ForgetFdb { .. }
        | Step::DeleteRoute(_)
        | Step::Sysctl { .. } => None,
    }
}

/// The kernel refused a step because its outcome is there already: what is to be made exists, what is to go is gone.
pub(super) fn says_already(step: &Step, answer: &io::Error) -> bool {
    let gone = [libc::ENOENT, libc::ESRCH, libc::EADDRNOTAVAIL, libc::ENODEV];
    let is_to_go = matches!(
        step,
        Step::Delete { .. }
            | Step::DeleteAddress { .. }
            | Step::DeleteRoute(_)
            | Step::DeleteBlackhole { .. }
            | Step::DeleteProhibit { .. }
            | Step::ForgetNeighbour { .. }
            | Step::ForgetFdb { .. }
            | Step::ForgetWireguardPeer { .. }
    );
    let Some(error) = answer.raw_os_error() else { return false };
    if is_to_go { gone.contains(&error) } else { error == libc::EEXIST }
}

#[cfg(test)]
mod tests {
    use super::super::*;

    #[test]
    fn steps_are_said_in_words() {
        let name = || "eth0".to_owned();
        let end = |name: &str| End { name: name.to_owned(), mtu: 1500, mac: None };
        let route = |via: Option<&str>| Route {
            destination: "10.42.2.0/24".parse().unwrap(),
            via: via.map(|via| via.parse().unwrap()),
            name: name(),
            onlink: true,
            protocol: None,
        };
        for (step, expected) in [
            (Step::Veth { here: end("a"), there: end("b"), there_netns: 3 }, "make the veth pair a and b"),
            (
                Step::Wireguard(Wireguard { name: "flannel-wg".to_owned(), port: 51820, mtu: 1420 }),
                "make the WireGuard device flannel-wg",
            ),
            (Step::Mtu { name: name(), mtu: 1400 }, "set the MTU of eth0 to 1400"),
            (Step::Route(route(Some("192.0.2.2"))), "add the route 10.42.2.0/24 via 192.0.2.2 dev eth0"),
            (Step::DeleteRoute(route(None)), "delete the route 10.42.2.0/24 dev eth0"),
            (
                Step::Fdb {
                    name: name(),
                    mac: Mac([10, 0, 0, 0, 0, 2]),
                    destination: "192.0.2.2".parse().unwrap(),
                },
                "add the FDB entry 0a:00:00:00:00:02 to 192.0.2.2 on eth0",
            ),
        ] {
            assert_eq!(step.to_string(), expected);
        }
    }
}
