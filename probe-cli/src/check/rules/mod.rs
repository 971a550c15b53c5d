//! The checks, a folder for each family and a file for each check. A new check: its file, and a line here.

mod agent;
mod cni;
mod dataplane;
mod drops;
mod host;
mod intent;
mod mtu;
mod peers;
mod pods;
mod vfs;
mod wireguard;

use super::Check;

/// What nearly every check uses.
mod prelude {
    pub(super) use crate::{
        check::{
            Check, Explain, Family, Finding, Need, Outcome,
            Severity::{Fail, Warn},
            SubjectKind,
            quote::quoted,
        },
        model::Model,
        text::{counted, escape, shown},
    };
}

/// See [`super::REGISTRY`].
pub(super) const ALL: &[Check] = &[
    intent::cni_differs::CHECK,
    intent::backend_differs::CHECK,
    intent::families_differ::CHECK,
    intent::cluster_cidr_differs::CHECK,
    intent::pod_cidr_differs::CHECK,
    intent::node_address_differs::CHECK,
    intent::interface_differs::CHECK,
    intent::vni_differs::CHECK,
    intent::port_differs::CHECK,
    intent::wireguard_impossible::CHECK,
    intent::manifest_ignored::CHECK,
    intent::cni_unknown::CHECK,
    intent::multus_missing::CHECK,
    intent::multus_nested::CHECK,
    dataplane::missing::CHECK,
    dataplane::underlay_down::CHECK,
    dataplane::tunnel_down::CHECK,
    dataplane::bypassed::CHECK,
    dataplane::stale::CHECK,
    dataplane::source_not_here::CHECK,
    dataplane::port_shared::CHECK,
    dataplane::udp_backend::CHECK,
    dataplane::vni_unknown::CHECK,
    dataplane::packets_filtered::CHECK,
    dataplane::packets_dropped::CHECK,
    mtu::tunnel_exceeds_underlay::CHECK,
    mtu::pod_exceeds_tunnel::CHECK,
    mtu::pods_differ::CHECK,
    mtu::ipv6_too_small::CHECK,
    mtu::path_smaller::CHECK,
    mtu::underlay_wasted::CHECK,
    mtu::packets_too_big::CHECK,
    mtu::outer_fragments::CHECK,
    peers::route_without_neighbour::CHECK,
    peers::neighbour_without_fdb::CHECK,
    peers::fdb_without_route::CHECK,
    peers::vtep_mac_shared::CHECK,
    peers::destination_shared::CHECK,
    peers::own_address::CHECK,
    peers::underlay_silent::CHECK,
    peers::unrouted::CHECK,
    peers::family_missing::CHECK,
    peers::vtep_mac_duplicate::CHECK,
    peers::vtep_mac_stale::CHECK,
    peers::packets_without_fdb::CHECK,
    wireguard::never_handshook::CHECK,
    wireguard::handshake_old::CHECK,
    wireguard::endpoint_missing::CHECK,
    wireguard::allowed_ips_missing::CHECK,
    wireguard::allowed_ips_overlap::CHECK,
    host::forwarding_off::CHECK,
    host::reverse_path_filter::CHECK,
    host::default_route_missing::CHECK,
    host::router_advertisements_ignored::CHECK,
    host::bridge_netfilter_missing::CHECK,
    host::conntrack_full::CHECK,
    host::conntrack_insert_failed::CHECK,
    host::receive_queue_drops::CHECK,
    host::checksum_errors::CHECK,
    host::checksum_offload_broken::CHECK,
    host::networkmanager_manages::CHECK,
    host::cloud_setup_enabled::CHECK,
    host::networkd_deletes_routes::CHECK,
    host::network_overlaps_pods::CHECK,
    host::localhost_ipv6_missing::CHECK,
    pods::address_twice::CHECK,
    pods::address_outside::CHECK,
    pods::ipam_leaked::CHECK,
    pods::slice_unnamed::CHECK,
    pods::default_route_secondary::CHECK,
    vfs::link_down::CHECK,
    vfs::mac_mismatch::CHECK,
    vfs::mac_shared::CHECK,
    vfs::mtu_exceeds_pf::CHECK,
    vfs::vlan_twice::CHECK,
    vfs::rate_limited::CHECK,
    vfs::driver_missing::CHECK,
    vfs::pod_disputed::CHECK,
    vfs::allocation_stale::CHECK,
    vfs::addressed_on_node::CHECK,
    vfs::pool_empty::CHECK,
    vfs::pools_overlap::CHECK,
    cni::configuration_missing::CHECK,
    cni::file_broken::CHECK,
    cni::multus_alone::CHECK,
    cni::multus_waits::CHECK,
    cni::multus_kubeconfig::CHECK,
    cni::sriov_default::CHECK,
    cni::whereabouts_kubeconfig::CHECK,
    cni::node_name_differs::CHECK,
];
