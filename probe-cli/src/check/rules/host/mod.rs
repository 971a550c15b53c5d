//! The node's own settings, counters and services, as far as they make or break the pod network.

pub(super) mod bridge_netfilter_missing;
pub(super) mod checksum_errors;
pub(super) mod checksum_offload_broken;
pub(super) mod cloud_setup_enabled;
pub(super) mod conntrack_full;
pub(super) mod conntrack_insert_failed;
pub(super) mod default_route_missing;
pub(super) mod firewall_active;
pub(super) mod forwarding_off;
pub(super) mod localhost_ipv6_missing;
pub(super) mod network_overlaps_pods;
pub(super) mod networkd_deletes_routes;
pub(super) mod networkmanager_manages;
pub(super) mod receive_queue_drops;
pub(super) mod reverse_path_filter;
pub(super) mod router_advertisements_ignored;

use crate::{
    check::{Outcome, quote::quoted},
    facts::files::{HostFiles, NetworkManager},
    model::{Model, System},
    observed::Observed,
};

/// `RTPROT_RA`: written by the kernel for a router advertisement (linux/rtnetlink.h).
const RTPROT_RA: u8 = 9;

/// The command that sets a sysctl of an interface: `setting` is `rp_filter=2`. In the interface's name sysctl(8) takes a slash for a dot.
pub(super) fn interface_sysctl(family: u8, name: &str, setting: &str) -> String {
    format!("sysctl -w {}", quoted(&format!("net.ipv{family}.conf.{}.{setting}", name.replace('.', "/"))))
}

/// What the files tell of a service. Where they tell nothing the check does not apply, unless they could not be read.
fn installed<'a, T>(
    model: &'a Model,
    service: fn(&'a HostFiles) -> &'a Observed<T>,
    absent: &'static str,
) -> Result<&'a T, Outcome> {
    let told = model.snapshot.files.value().map(service);
    told.and_then(Observed::value).ok_or_else(|| match told.and_then(Observed::trouble) {
        Some(why) => Outcome::NotJudged(why),
        None => Outcome::DoesNotApply(absent),
    })
}

fn network_manager(model: &Model) -> Result<&NetworkManager, Outcome> {
    installed(model, |files| &files.network_manager, "NetworkManager is not installed")
}

/// True when a data plane of one of these systems is here.
pub(super) fn has_system(model: &Model, systems: &[System]) -> bool {
    model.inventory.data_planes.iter().any(|plane| systems.contains(&plane.system))
}

/// Major and minor number of the running kernel; none when its release does not begin with them.
fn kernel(model: &Model) -> Option<(u32, u32)> {
    let release = model.snapshot.host.kernel.value()?;
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}
