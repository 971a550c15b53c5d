//! Nanoseconds per packet of each program, through `BPF_PROG_TEST_RUN`, beside an empty program and beside one that bumps
//! one per-CPU counter. The programs are loaded a second time for it: nothing is attached.

use std::{net::IpAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use overlay_probe::{
    ebpf::{
        Limits,
        test_run::{Bench, TestPacket},
    },
    inventory::{Inventory, Mac, Peer, PeerKey, Pod, PodNetwork, PodNetworkOf, Tunnel, TunnelKind, Underlay},
    lab::plan,
    netns,
    observed::Observed,
};
use serde_json::Value;

use super::{Row, packets, spread::Spread, world};
use crate::ui;

/// Runs of one measurement: some milliseconds, so that the clock's own cost vanishes.
const REPEAT: u32 = 50_000;

/// What the nanoseconds above an empty program are called.
pub(super) const MORE: &str = "more than nothing";

/// The yardsticks.
const EMPTY: &str = "ovp_ref_empty";
const COUNTER: &str = "ovp_ref_counter";

struct Case {
    what: &'static str,
    program: &'static str,
    packet: Vec<u8>,
    ifindex: u32,
    /// Beside one counter.
    target: &'static str,
}

pub(super) fn measure(rounds: u32) -> Result<Vec<Row>> {
    ui::note("timing the programs");
    let world = world::World::up(2, 1)?;
    let node = netns::open(&world.node(1))?;
    netns::run_in(&node, || in_node(&world, rounds))?
}

fn in_node(world: &world::World, rounds: u32) -> Result<Vec<Row>> {
    let (inventory, cases) = prepare(world)?;
    let mut bench = Bench::load(&inventory, Limits::default())?;
    let mut over_counter = vec![Vec::new(); cases.len()];
    let mut over_empty = vec![Vec::new(); cases.len()];
    let mut added = vec![Vec::new(); cases.len()];
    // Once before, to warm up; it is not counted.
    for round in 0..=rounds {
        for (((case, over_counter), over_empty), added) in
            cases.iter().zip(&mut over_counter).zip(&mut over_empty).zip(&mut added)
        {
            // Forward and back, so that a machine that slows down slows all of them alike.
            let order = [EMPTY, COUNTER, case.program, case.program, COUNTER, EMPTY];
            let mut spent = [0.0; 3];
            for (index, program) in [0, 1, 2, 2, 1, 0].into_iter().zip(order) {
                if let Some(spent) = spent.get_mut(index) {
                    *spent += run(&mut bench, program, case)?.as_secs_f64();
                }
            }
            let [empty, counter, ours] = spent;
            if round > 0 {
                over_counter.push(ours / counter);
                over_empty.push(ours / empty);
                added.push((ours - empty) / 2.0 * 1e9);
            }
        }
    }
    check(&mut bench, &inventory, &cases, rounds)?;
    let mut rows = Vec::new();
    for (((case, counter), empty), added) in cases.iter().zip(over_counter).zip(over_empty).zip(added) {
        for (beside, values, unit, target) in [
            ("beside one counter", counter, "times", case.target),
            ("beside nothing", empty, "times", ""),
            (MORE, added, "ns", ""),
        ] {
            rows.push(Row {
                what: format!("{}{} {beside}", case.program, case.what),
                found: Spread::of(values).context("no round")?,
                unit,
                target,
            });
        }
    }
    Ok(rows)
}

fn run(bench: &mut Bench, program: &'static str, case: &Case) -> Result<Duration> {
    let packet = TestPacket {
        bytes: &case.packet,
        ifindex: case.ifindex,
        ingress_ifindex: 0,
        gso_size: 0,
        gso_segs: 0,
    };
    let outcome = bench.run(program, packet, REPEAT)?.context("the kernel refused the packet")?;
    if outcome.verdict != -1 {
        bail!("{program} returned {}", outcome.verdict);
    }
    Ok(outcome.per_run)
}

/// What was timed is the whole way: every packet was counted for its tunnel.
fn check(bench: &mut Bench, inventory: &Inventory, cases: &[Case], rounds: u32) -> Result<()> {
    let tunnel = inventory.tunnels.first().context("no tunnel")?.ifindex;
    let (counts, _) = bench.tunnel(tunnel)?;
    let outer = bench.outer(tunnel)?;
    let expected = u64::from(REPEAT) * 2 * u64::from(rounds + 1);
    for (case, counted) in
        cases.iter().zip([counts.tx.packets, counts.rx.packets, outer.tx.packets, outer.rx.packets])
    {
        if counted != expected {
            bail!("{} counted {counted} packets instead of {expected}", case.program);
        }
    }
    Ok(())
}

fn link(links: &Value, name: &str) -> Result<(u32, Mac)> {
    let link = links
        .as_array()
        .and_then(|links| links.iter().find(|link| link["ifname"] == name))
        .with_context(|| format!("no link {name}"))?;
    let ifindex =
        link["ifindex"].as_u64().and_then(|index| u32::try_from(index).ok()).context("no ifindex")?;
    let mut mac = [0; 6];
    let text = link["address"].as_str().context("no address")?;
    for (octet, text) in mac.iter_mut().zip(text.split(':')) {
        *octet = u8::from_str_radix(text, 16)?;
    }
    Ok((ifindex, Mac(mac)))
}

/// The node as the tool would see it, and a packet for every program.
fn prepare(world: &world::World) -> Result<(Inventory, Vec<Case>)> {
    let links: Value = serde_json::from_str(&world::inside(&world.node(1), "ip -j link show")?)?;
    let (tunnel, tunnel_mac) = link(&links, "flannel.1")?;
    let (underlay, underlay_mac) = link(&links, "eth0")?;
    let peer_mac = plan::vtep_mac(2, false);
    let node = |number: u16| IpAddr::from(plan::node_v4(number));
    let pod = |number: usize| -> Result<IpAddr> {
        let pod = world.lab.nodes.get(number - 1).and_then(|node| node.pods.first()).context("no pod")?;
        pod.addresses.first().copied().context("a pod without address")
    };
    let (ours, theirs) = (pod(1)?, pod(2)?);
    let inventory = Inventory {
        tunnels: vec![Tunnel {
            name: "flannel.1".to_owned(),
            ifindex: tunnel,
            kind: TunnelKind::Vxlan,
            vni: Some(1),
            port: Some(8472),
            local: Some(node(1)),
            outer_family: Some(4),
            underlay: Some(Underlay { name: "eth0".to_owned(), ifindex: underlay, mtu: 1500, l3: false }),
            mtu: 1450,
            more_underlays: Vec::new(),
            mac: Some(tunnel_mac),
            public_key: None,
            addresses: Vec::new(),
            external: false,
            l3: false,
            flood: 0,
            up: true,
            told: Observed::Value(()),
        }],
        peers: vec![Arc::new(Peer {
            tunnel,
            key: PeerKey::Mac(peer_mac),
            node_address: Some(node(2)),
            pod_cidrs: Vec::new(),
            last_tx_age_s: None,
            wireguard: None,
        })],
        // What the node's other traffic is compared with.
        pod_networks: vec![PodNetwork {
            network: format!("{}/24", plan::pod_base_v4(2)).parse()?,
            of: PodNetworkOf::Peer { tunnel, key: PeerKey::Mac(peer_mac) },
        }],
        pods: vec![Arc::new(Pod { name: Some("pod".to_owned()), addresses: vec![ours], ..Pod::default() })],
        ..Inventory::default()
    };
    let out = packets::frame((tunnel_mac, ours), (peer_mac, theirs))?;
    let back = packets::frame((peer_mac, theirs), (tunnel_mac, ours))?;
    let here = (underlay_mac, node(1));
    let there = (Mac([2, 0, 0, 0, 0, 9]), node(2));
    let case = |what, program, ifindex, packet| {
        let target = if ifindex == tunnel { "at most 2.0" } else { "at most 1.7" };
        Case { what, program, packet, ifindex, target }
    };
    let other = " for other traffic";
    let cases = vec![
        case("", "ovp_tunnel_tx", tunnel, out.clone()),
        case("", "ovp_tunnel_rx", tunnel, back.clone()),
        case("", "ovp_underlay_tx", underlay, packets::vxlan(here, there, &out)?),
        case("", "ovp_underlay_rx", underlay, packets::vxlan(there, here, &back)?),
        // What is no tunnel's and no pod's: most packets of a busy node may be that.
        case(other, "ovp_underlay_tx", underlay, packets::frame(here, there)?),
        case(other, "ovp_underlay_rx", underlay, packets::frame(there, here)?),
    ];
    Ok((inventory, cases))
}
