//! Recordings that are whole, cut, changed, and of somebody else.

use std::{
    fs,
    io::Cursor,
    path::Path,
    sync::{Arc, LazyLock},
    time::Duration,
};

use proptest::prelude::*;

use super::{format::BEFORE_FRAME, *};
use crate::{
    facts::{PeerKey, PodKey, Snapshot, pods::PodFacts, testdata::any},
    inventory::testdata::{flannel4, node, snapshot},
    mac::Mac,
    sample::{Counts, Frame, OuterCounts, PeerSample, PerDirection, Sample},
};

fn second(number: u64) -> Duration {
    Duration::from_secs(1_800_000_000 + number)
}

fn frame(number: u64) -> Frame {
    let snapshot = if number.is_multiple_of(4) { any(number) } else { Arc::new(Snapshot::default()) };
    let mut sample: Sample = any(number);
    (sample.time, sample.monotonic) = (second(number), Duration::from_secs(number));
    Frame { snapshot, sample }
}

fn written(path: &Path, frames: &[Frame], rotation: Rotation) {
    let mut writer = Writer::create(path, Duration::from_secs(1), rotation).unwrap();
    writer.name("node1");
    for frame in frames {
        writer.write(frame).unwrap();
    }
}

fn bytes_of(frames: &[Frame]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.ovp");
    written(&path, frames, Rotation::default());
    fs::read(path).unwrap()
}

fn opened(bytes: &[u8]) -> Result<Recording<Cursor<&[u8]>>, RecordingError> {
    Recording::open(Cursor::new(bytes))
}

fn all(recording: &mut Recording<Cursor<&[u8]>>) -> Vec<Frame> {
    (0..recording.count()).map(|number| recording.frame(number).unwrap()).collect()
}

#[test]
fn what_is_written_is_read_in_any_order() {
    let frames: Vec<Frame> = (0..130).map(frame).collect();
    let bytes = bytes_of(&frames);
    let mut recording = opened(&bytes).unwrap();
    assert_eq!(*recording.end(), End::Ended);
    let header = recording.header();
    assert_eq!((header.node.as_str(), header.started), ("node1", second(0)));
    assert!(recording.times().eq((0..130).map(second)));
    assert!(all(&mut recording) == frames);
    for number in [129, 0, 64, 65, 63, 119, 120, 5] {
        assert!(recording.frame(number).unwrap() == frames[number], "frame {number}");
    }
    assert!(recording.frame(130).is_err());
    assert_eq!([0, 119, 120, 129].map(|number| recording.full_before(number)), [0, 0, 120, 120]);
}

#[test]
fn a_recording_that_was_cut_is_good_up_to_there() {
    let frames: Vec<Frame> = (0..6).map(frame).collect();
    let bytes = bytes_of(&frames);
    let starts: Vec<u64> = opened(&bytes).unwrap().starts().collect();
    // Each place near the beginning of a frame, and some others.
    let near = |cut: &usize| starts.iter().any(|start| start.abs_diff(*cut as u64) < 30);
    for cut in (0..bytes.len()).filter(|cut| cut % 397 == 0 || near(cut)) {
        let whole = starts.iter().filter(|start| **start <= cut as u64).count().saturating_sub(1);
        match opened(&bytes[..cut]) {
            Ok(mut recording) => {
                assert_eq!(recording.count(), whole, "cut at {cut}");
                assert!(all(&mut recording) == frames[..whole], "cut at {cut}");
                let is_open = starts.contains(&(cut as u64));
                match recording.end() {
                    End::Open => assert!(is_open, "cut at {cut}"),
                    End::Damaged { at, unused, .. } => {
                        assert_eq!((*at, at + unused), (starts[whole], cut as u64));
                    }
                    End::Ended => panic!("cut at {cut}"),
                }
            }
            Err(error) => assert_eq!(whole, 0, "cut at {cut}: {error}"),
        }
    }
}

/// Frames, and a recording of them.
static FIVE: LazyLock<(Vec<Frame>, Vec<u8>)> = LazyLock::new(|| {
    let frames: Vec<Frame> = (0..5).map(frame).collect();
    let bytes = bytes_of(&frames);
    (frames, bytes)
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What was changed is not read, and all before it is.
    #[test]
    fn a_recording_that_was_changed_is_good_up_to_there(at: usize, with in 1..=u8::MAX, inserted: bool) {
        let (frames, bytes) = &*FIVE;
        let mut bytes = bytes.clone();
        let starts: Vec<u64> = opened(&bytes).unwrap().starts().collect();
        let at = at % bytes.len();
        if inserted { bytes.insert(at, with) } else { bytes[at] ^= with }
        // A byte that is put in after one like it changes nothing before the next frame.
        let whole = starts.iter().filter(|start| **start <= at as u64).count().saturating_sub(1);
        match opened(&bytes) {
            Ok(mut recording) => {
                let found = all(&mut recording);
                prop_assert!(found.len() >= whole && found[..] == frames[..found.len()]);
                prop_assert!(*recording.end() != End::Ended);
            }
            Err(error) => prop_assert_eq!(whole, 0, "{}", error),
        }
    }

    #[test]
    fn any_bytes_are_none(bytes: Vec<u8>) {
        prop_assert!(opened(&bytes).is_err());
        let (frames, whole) = &*FIVE;
        let after = [&whole[..whole.len() - BEFORE_FRAME], &bytes].concat();
        prop_assert_eq!(opened(&after).unwrap().count(), frames.len());
    }
}

#[test]
fn a_frame_that_claims_more_than_there_is_takes_no_memory() {
    let mut bytes = bytes_of(&[frame(1), frame(2)]);
    let last = usize::try_from(opened(&bytes).unwrap().starts().nth(1).unwrap()).unwrap();
    for length in [u32::MAX, 60 << 20] {
        bytes[last + 13..last + 17].copy_from_slice(&length.to_le_bytes());
        let recording = opened(&bytes).unwrap();
        assert_eq!(recording.count(), 1);
        assert!(matches!(recording.end(), End::Damaged { .. }), "{:?}", recording.end());
    }
}

#[test]
fn files_are_begun_anew_and_the_oldest_go() {
    let directory = tempfile::tempdir().unwrap();
    let names = || {
        let mut names: Vec<String> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let frames: Vec<Frame> = (0..10).map(frame).collect();
    let rotation = Rotation { age: Some(Duration::from_secs(3)), keep: Some(2), ..Rotation::default() };
    written(&directory.path().join("night.ovp"), &frames, rotation);
    assert_eq!(names(), ["night-3.ovp", "night-4.ovp"]);
    for (name, expected) in [("night-3.ovp", &frames[6..9]), ("night-4.ovp", &frames[9..])] {
        let bytes = fs::read(directory.path().join(name)).unwrap();
        let mut recording = opened(&bytes).unwrap();
        assert_eq!(*recording.end(), End::Ended);
        assert!(all(&mut recording) == *expected, "{name}");
    }
    let rotation = Rotation { size: Some(1), ..Rotation::default() };
    written(&directory.path().join("each"), &frames[..3], rotation);
    assert_eq!(names()[..3], ["each", "each-2", "each-3"]);
    // Nobody's file is written over, and none is left that nothing is in.
    let path = directory.path().join("each");
    assert!(Writer::create(&path, Duration::ZERO, rotation).is_err());
    let path = directory.path().join("nothing");
    drop(Writer::create(&path, Duration::ZERO, rotation).unwrap());
    assert!(!path.exists());
}

/// 1,000 peers and 250 pods, each of which sends and receives in every second, none as much as another: a million packets a second.
#[test]
fn an_hour_of_a_large_node_stays_below_60_mb() {
    const FRAMES: u64 = 60;
    // The node's tables, with the peers of four tunnels in one.
    let mut tables = node();
    for _ in 0..4 {
        tables = flannel4(tables, 250);
    }
    let facts = Arc::new(snapshot(&tables, &PodFacts::default(), &[]));
    let mut random = 1_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let mut sample = Sample::default();
    for peer in 0..1000_u32 {
        let [_, _, high, low] = peer.to_be_bytes();
        let key = PeerKey::Mac(Mac([2, 0x6b, 0x9f, high, low, (peer % 251) as u8]));
        sample.peers.insert(
            (3, key),
            PeerSample { outer: Some(PerDirection::<OuterCounts>::default()), ..PeerSample::default() },
        );
    }
    for pod in 0..250 {
        let name = format!("app-{:x}-{pod}", pod * 2_654_435_761_u64);
        let key = PodKey { namespace: "shop".to_owned(), name, host_ifindex: 100 };
        sample.pods.insert(key, PerDirection::default());
    }
    let mut add = |counts: &mut Counts| {
        let packets = next(1_000);
        counts.skbs += packets / (1 + next(8));
        counts.packets += packets;
        counts.inner_bytes += packets * (200 + next(1200));
        counts.outer_bytes = counts.inner_bytes + 50 * counts.packets;
    };
    let directory = tempfile::tempdir().unwrap();
    let mut writer =
        Writer::create(&directory.path().join("x"), Duration::from_secs(1), Rotation::default()).unwrap();
    let mut in_full = 0;
    for number in 0..FRAMES {
        (sample.time, sample.monotonic) = (second(number), Duration::from_secs(number));
        for peer in sample.peers.values_mut() {
            add(&mut peer.counts.tx);
            add(&mut peer.counts.rx);
            if let Some(outer) = &mut peer.outer {
                for (outer, inner) in [(&mut outer.tx, peer.counts.tx), (&mut outer.rx, peer.counts.rx)] {
                    (outer.packets, outer.bytes) = (inner.packets, inner.outer_bytes);
                }
            }
        }
        for pod in sample.pods.values_mut() {
            add(&mut pod.tx);
            add(&mut pod.rx);
        }
        if number == 1 {
            in_full = writer.size();
        }
        // Ages of table entries are read anew every five seconds.
        let snapshot =
            if number.is_multiple_of(5) { Arc::new(Snapshot::clone(&facts)) } else { Arc::clone(&facts) };
        writer.write(&Frame { snapshot, sample: sample.clone() }).unwrap();
    }
    // One in 120 is in full.
    let in_part = (writer.size() - in_full) / (FRAMES - 1);
    let an_hour = in_part * 3570 + in_full * 30;
    println!("{an_hour} bytes an hour: {in_full} for a frame in full, {in_part} for one in part");
    assert!(
        an_hour < 60_000_000,
        "{an_hour} bytes: {in_full} for a frame in full, {in_part} for one in part"
    );
}
