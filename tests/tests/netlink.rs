//! The netlink source against the real kernel: a data plane made by hand with `ip` and `bridge` in a namespace of the
//! test's own. Needs root. What the facts mean in every corner is tested in the library, on data.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test states what must hold by panicking, its helpers too"
)]

use std::{future::Future, io::Write as _, process::Command, sync::Arc, time::Duration};

use nix::sched::{CloneFlags, unshare};
use overlay_probe::{
    facts::Snapshot,
    inventory::{Inventory, PeerKey, inventory},
    model::mtu::room,
    netlink::{ChangeKind, Changes, Source},
};
use probe_tests::{Patience, patience};

/// Runs `test` on a thread of its own in a new network namespace, which goes away with the thread.
fn in_namespace<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send) {
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                unshare(CloneFlags::CLONE_NEWNET).expect("these tests need root");
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(test());
            })
            .join()
            .unwrap();
    });
}

fn run(tool: &str, commands: &str) {
    for line in commands.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let output = Command::new(tool).args(line.split(' ')).output().unwrap();
        assert!(output.status.success(), "{tool} {line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

fn ip(commands: &str) {
    run("ip", commands);
}

fn underlay() {
    ip("link add eth0 type veth peer name far
        addr add 192.0.2.1/24 dev eth0
        link set lo up
        link set eth0 up
        link set far up
        route add default via 192.0.2.254");
}

/// Waits until so many devices have an address of their own, and none is being looked for on the link any more (RFC 4862): either is a
/// change, too, and a busy kernel begins with it a little after the device is up (`linkwatch_event`).
async fn settled(devices: usize) {
    let addresses = |kind: &str| -> usize {
        let output =
            Command::new("ip").args(["-6", "-o", "addr", "show", "scope", "link", kind]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().count()
    };
    let mut patience = Patience::start();
    while patience.left().is_some() {
        if addresses("permanent") == devices && addresses("tentative") == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("addresses stay tentative");
}

fn tunnel(name: &str) {
    ip(&format!(
        "link add {name} type vxlan id 1 dev eth0 local 192.0.2.1 dstport 8472 nolearning
         addr add 10.42.0.0/32 dev {name}
         link set {name} up"
    ));
}

fn peer(tunnel: &str, n: u8) {
    ip(&format!("neigh add 10.42.{n}.0 lladdr 0a:00:00:00:00:{n:02x} dev {tunnel} nud permanent"));
    run("bridge", &format!("fdb add 0a:00:00:00:00:{n:02x} dev {tunnel} dst 192.0.2.{n}"));
    ip(&format!("route add 10.42.{n}.0/24 via 10.42.{n}.0 dev {tunnel} onlink"));
}

async fn look(source: &Source) -> Inventory {
    let facts = source.facts().await.unwrap();
    assert_eq!(facts.troubles(), Vec::<String>::new());
    inventory(&Snapshot { netlink: Arc::new(facts), ..Snapshot::default() })
}

#[test]
fn the_inventory_of_a_hand_made_data_plane() {
    in_namespace(|| async {
        let source = Source::connect().unwrap();
        assert_eq!(look(&source).await, Inventory::default(), "a new namespace has no routing table yet");

        underlay();
        tunnel("uplink7");
        peer("uplink7", 2);
        peer("uplink7", 9);
        let seen = look(&source).await;
        let [tunnel] = seen.tunnels.as_slice() else { panic!("{:?}", seen.tunnels) };
        assert_eq!((tunnel.name.as_str(), tunnel.vni, tunnel.port), ("uplink7", Some(1), Some(8472)));
        let room = room(&seen, tunnel);
        assert_eq!((room.budget, room.overhead, tunnel.flood), (1450, 50, 0));
        assert_eq!(tunnel.underlay.as_ref().map(|underlay| underlay.name.as_str()), Some("eth0"));
        let rows: Vec<_> = seen
            .peers
            .iter()
            .map(|peer| {
                assert!(matches!(peer.key, PeerKey::Mac(_)), "{:?}", peer.key);
                (peer.key.to_string(), peer.node_address.unwrap().to_string(), peer.pod_cidrs[0].to_string())
            })
            .collect();
        let row = |mac: &str, node: &str, cidr: &str| (mac.to_owned(), node.to_owned(), cidr.to_owned());
        assert_eq!(
            rows,
            [
                row("0a:00:00:00:00:02", "192.0.2.2", "10.42.2.0/24"),
                row("0a:00:00:00:00:09", "192.0.2.9", "10.42.9.0/24")
            ]
        );
        assert_eq!(seen.notes, Vec::<String>::new());

        // A socket stays where it was opened.
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        assert_eq!(look(&source).await.peers.len(), 2);
    });
}

/// The changes up to one that is in `until`; panics when none comes.
async fn changes(changes: &mut Changes, until: &[ChangeKind]) -> Vec<ChangeKind> {
    let mut seen = Vec::new();
    while seen.last().is_none_or(|kind| !until.contains(kind)) {
        let next = tokio::time::timeout(patience(), changes.next()).await;
        seen.push(next.unwrap_or_else(|_| panic!("no {until:?} after {seen:?}")).unwrap());
    }
    seen
}

#[test]
fn changes_that_matter_are_reported_and_chatter_is_not() {
    in_namespace(|| async {
        underlay();
        tunnel("flannel.1");
        settled(3).await;
        let mut watch = Changes::connect().unwrap();
        // Each line gives what follows it; what an earlier one must not give would come first.
        ip("neigh add 192.0.2.77 lladdr 02:00:00:00:00:77 dev eth0
            route add 198.51.100.0/24 via 192.0.2.254 table 100
            neigh add 10.42.2.0 lladdr 0a:00:00:00:00:02 dev flannel.1 nud permanent");
        assert_eq!(changes(&mut watch, &[ChangeKind::Neighbours]).await, [ChangeKind::Neighbours]);
        ip("neigh change 10.42.2.0 lladdr 0a:00:00:00:00:02 dev flannel.1 nud permanent");
        run("bridge", "fdb add 0a:00:00:00:00:02 dev flannel.1 dst 192.0.2.2");
        assert_eq!(changes(&mut watch, &[ChangeKind::Fdb]).await, [ChangeKind::Fdb]);
        ip("route add 10.42.2.0/24 via 10.42.2.0 dev flannel.1 onlink");
        assert_eq!(changes(&mut watch, &[ChangeKind::Routes]).await, [ChangeKind::Routes]);
        ip("link set flannel.1 txqueuelen 500
            addr add 10.42.0.1/32 dev flannel.1");
        assert_eq!(changes(&mut watch, &[ChangeKind::Addresses]).await, [ChangeKind::Addresses]);
        ip("link set flannel.1 mtu 1400");
        changes(&mut watch, &[ChangeKind::Links]).await;
    });
}

#[test]
fn a_tunnel_that_is_recreated_is_followed() {
    in_namespace(|| async {
        underlay();
        tunnel("flannel.1");
        let mut watch = Changes::connect().unwrap();
        let source = Source::connect().unwrap();
        let before = look(&source).await.tunnels[0].ifindex;
        ip("link del flannel.1");
        tunnel("flannel.1");
        changes(&mut watch, &[ChangeKind::Links]).await;
        let after = look(&source).await;
        assert_ne!(after.tunnels[0].ifindex, before);
        run("bridge", "fdb add 0a:00:00:00:00:02 dev flannel.1 dst 192.0.2.2");
        changes(&mut watch, &[ChangeKind::Fdb]).await;
        assert_eq!(look(&source).await.peers.len(), 1);
    });
}

#[test]
fn lost_notifications_mean_everything() {
    in_namespace(|| async {
        underlay();
        let mut watch = Changes::connect().unwrap();
        tunnel("flannel.1");
        // Nobody reads: the receive buffer of a few hundred KiB overruns.
        let mut batch = tempfile::NamedTempFile::new().unwrap();
        for n in 0..20_000 {
            writeln!(batch, "route add 10.{}.{}.{}/32 dev eth0", 50 + n / 65_536, n / 256 % 256, n % 256)
                .unwrap();
        }
        ip(&format!("-batch {}", batch.path().display()));
        let seen = changes(&mut watch, &[ChangeKind::Everything]).await;
        assert_eq!(seen.last(), Some(&ChangeKind::Everything));
        // The tunnel came while notifications were lost; its entries are followed all the same.
        run("bridge", "fdb add 0a:00:00:00:00:02 dev flannel.1 dst 192.0.2.2");
        changes(&mut watch, &[ChangeKind::Fdb]).await;
    });
}
