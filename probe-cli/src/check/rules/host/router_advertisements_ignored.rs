//! A forwarding node takes no default route from router advertisements.

use super::{super::prelude::*, RTPROT_RA, interface_sysctl};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "host-router-advertisements-ignored",
    family: Family::Host,
    title: "router advertisements are not accepted, and there is no IPv6 default route",
    symptom: "IPv6 to outside of the cluster stops some time after the agent started; IPv4 works.",
    core: false,
    needs: &[Need::Routes, Need::Addresses],
    explained_by: &[],
    explain: Explain {
        how: "accept_ra of NICs with global IPv6 addresses: 1 means not while forwarding.",
        why: "The agent turns IPv6 forwarding on; the kernel then takes no router advertisements any more, and the default route of \
              an earlier one expires.",
        fix: "`sysctl -w net.ipv6.conf.NIC.accept_ra=2` (a slash for each dot in the NIC's name), and the same in a file of /etc/sysctl.d; \
              the route comes with the router's next advertisement. Or a static default route.",
        not_if: "The network has no IPv6 router.",
        seen_in: "k3s#12538",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let node = &model.inventory.node;
    let nics: Vec<&str> = node
        .addresses
        .iter()
        .filter(|own| own.address.addr().is_ipv6())
        .map(|own| own.interface.as_str())
        .collect();
    if nics.is_empty() {
        return Outcome::DoesNotApply("the node has no global IPv6 address");
    }
    if node.default_routes.iter().any(|route| route.family == 6) {
        return Outcome::Judged(Vec::new());
    }
    let ignoring = model.snapshot.netlink.links.iter().find(|link| {
        let conf = link.ipv6_conf.as_ref();
        nics.contains(&link.name.as_str())
            && conf.is_some_and(|conf| conf.forwarding != 0 && conf.accept_ra == 1)
    });
    let Some(link) = ignoring else { return Outcome::Judged(Vec::new()) };
    // Addresses without autoconfiguration are set by hand: nobody expects a router there.
    let learned = model
        .snapshot
        .netlink
        .routes
        .ipv6
        .rows()
        .iter()
        .any(|route| route.ifindex == Some(link.ifindex) && route.protocol == RTPROT_RA);
    if !learned {
        return Outcome::Judged(Vec::new());
    }
    let name = escape(&link.name);
    Outcome::Judged(vec![
        Finding::new(
            Warn,
            SubjectKind::Interface,
            &link.name,
            format!("{name} takes no default route from router advertisements, and there is no other."),
        )
        .seen(format!("{name} accept_ra"), 1, "IFLA_INET6_CONF")
        .seen(format!("{name} forwarding"), 1, "IFLA_INET6_CONF")
        .seen("IPv6 default route", "missing", "ip -6 route")
        .fix(
            "Accept router advertisements while forwarding, and write it into /etc/sysctl.d so that it lasts. The route comes back with \
             the router's next advertisement, which may take minutes.",
        )
        .run(interface_sysctl(6, &link.name, "accept_ra=2")),
    ])
}
