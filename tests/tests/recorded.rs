//! That a recording loses nothing: the models that are made live are those that the recorded frames give.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{fs::File, sync::Arc, thread, time::Duration};

use overlay_probe::{
    ebpf::{Limits, ProbeOptions},
    engine::{Engine, EngineOptions, HostOptions},
    inventory::Joined,
    lab::{
        Family, live,
        load::{Load, LoadOptions},
    },
    leftovers::RunDirectory,
    model::{Model, Timeline},
    netns,
    record::{End, Recording, Rotation, Writer},
    sample::Frame,
};
use probe_tests::{lab::TestLab, ns};
use xtask::burn::{Burn, Hook};

/// Enough for everything below to happen between them.
const FRAMES: usize = 60;
const INTERVAL: Duration = Duration::from_millis(250);

/// A node under load, whose pods come and go, and that gets a tunnel, loses it, and gets it again.
#[test]
fn live_models_are_those_of_the_recorded_frames() {
    let lab = TestLab::up(2, 3, Family::Dual);
    let options =
        LoadOptions { prefix: lab.prefix().to_owned(), tcp_mbit: 20, udp_pps: 200, flows: 4, waves: false };
    let load = Load::start(&options).unwrap();
    let node = lab.node(1);
    let burn = Burn::on(&node, "flannel.1", Hook::Egress).unwrap();
    let here = netns::open(&node).unwrap();
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("recording");
    // The engine lives on one thread, in the node's namespace.
    let models = thread::scope(|scope| {
        let watch = scope.spawn(|| {
            netns::enter(&here).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let recording = Writer::create(&path, INTERVAL, Rotation::default()).unwrap();
            runtime.block_on(watch(&node, lab.prefix(), recording))
        });
        watch.join().unwrap()
    });
    drop(load.stop());
    let mut timeline = Timeline::default();
    let mut recording = Recording::open(File::open(&path).unwrap()).unwrap();
    assert_eq!((recording.count(), recording.end()), (models.len(), &End::Ended));
    for (number, live) in models.iter().enumerate() {
        let replayed = timeline.push(recording.frame(number).unwrap());
        assert_eq!(replayed, *live, "frame {number}");
    }
    // What was to happen has happened.
    let tunnels = |name: &str| models.iter().filter(|model| has_tunnel(model, name)).count();
    let hand_made = tunnels("byhand9");
    assert!(hand_made > 0 && hand_made < models.len(), "{hand_made}");
    let pods: Vec<usize> = models.iter().map(|model| model.inventory.pods.len()).collect();
    assert!(pods.iter().min() < pods.iter().max(), "{pods:?}");
    let last = models.last().unwrap();
    // Not in each interval on a busy machine.
    let has_rate = |model: &Arc<Model>| {
        model.tunnels.iter().any(|row| row.flow.tx.rate.is_some_and(|rate| rate.packets_per_s > 0.0))
    };
    assert!(models.iter().any(has_rate));
    let timed = |is_own| last.hooks.rows().iter().any(|row| row.is_own == is_own && row.ns_per_run.is_some());
    assert!(timed(true) && timed(false), "{:?}", last.hooks);
    assert!(last.hooks.rows().iter().any(|row| row.id == burn.id && !row.is_own), "{:?}", last.hooks);
}

fn has_tunnel(model: &Model, name: &str) -> bool {
    model.tunnels.iter().any(|row| row.tunnel.name == name)
}

/// Models as they are made; the frames that they are made of are recorded.
async fn watch(node: &str, prefix: &str, mut recording: Writer) -> Vec<Arc<Model>> {
    let directory = tempfile::TempDir::new().unwrap();
    let mut engine = Engine::start(EngineOptions {
        interval: INTERVAL,
        probe: ProbeOptions { limits: Limits::default(), mode: None, interval: INTERVAL },
        host: HostOptions { is_node: false, ..HostOptions::default() },
        notes: RunDirectory::new(Some(directory.path())),
        drops: true,
    })
    .await
    .unwrap();
    let (mut timeline, mut models) = (Timeline::default(), Vec::new());
    let mut keep = |frame: Frame, joined: &Joined| {
        recording.write(&frame).unwrap();
        let model = timeline.push_joined(frame, joined);
        assert!(Arc::ptr_eq(&model.inventory, joined.inventory()), "the inventory was made twice");
        models.push(model);
    };
    keep(engine.first(), engine.joined());
    for number in 0..FRAMES {
        match number {
            8 | 30 => drop(ns(node, "ip link add byhand9 up type vxlan id 9 dev eth0 dstport 4789")),
            20 => drop(ns(node, "ip link del byhand9")),
            12 => {
                let address = "10.42.1.77".parse().unwrap();
                drop(live::add_pod(prefix, 1, 7, "shop", "late-0", vec![address]).unwrap());
            }
            40 => live::remove_pod(prefix, 1, "shop", "late-0").unwrap(),
            _ => {}
        }
        let frame = engine.tick().await.unwrap();
        keep(frame, engine.joined());
    }
    engine.stop().await;
    models
}
