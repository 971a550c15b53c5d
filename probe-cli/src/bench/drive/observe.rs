//! One stream through the overlay that is in no round, so that what looks on may cost time: what eBPF programs cost meanwhile. Our own
//! programs are attached by who calls this; here is only where they belong, and what they have seen.

use std::{sync::atomic::AtomicBool, time::Duration};

use super::{Bench, DriveError, Way};
use crate::bench::{
    encapsulation::Encapsulation,
    instruments::{Instruments, TunnelCounts},
    meter::{OnPath, ProgramReading},
    metric::{Load, Scenario, Side},
};

/// The node of a lab that sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Its network namespace, by name or path.
    pub netns: String,
    /// Its tunnel device.
    pub tunnel: String,
    /// The device below.
    pub underlay: String,
}

impl Bench {
    /// Where the packets of a data plane enter its tunnel; none where that is no lab's node.
    pub fn sender(&self, scenario: Scenario) -> Option<Sender> {
        let lane = self.lanes.iter().find(|lane| lane.scenario == scenario)?;
        let places = lane.path.sending.iter().find_map(|point| point.tunnel_place())?;
        let [netns, tunnel, underlay] = places.map(str::to_owned);
        Some(Sender { netns, tunnel, underlay })
    }

    /// The programs that are on the path before any of ours is, or why they cannot be listed.
    pub fn programs(&self, scenario: Scenario) -> Result<OnPath, String> {
        let lane = self.lanes.iter().find(|lane| lane.scenario == scenario);
        lane.map_or_else(
            || Ok(OnPath::default()),
            |lane| lane.path.programs().map_err(|error| error.to_string()),
        )
    }

    /// Sends a stream with the time of all programs taken; those on the path that are not among `others` are ours. Payload bytes of the
    /// stream that arrived, or none when it was asked to stop meanwhile. What it shows is a fact of this data plane from then on.
    pub fn observe(
        &mut self,
        scenario: Scenario,
        others: Result<OnPath, String>,
        length: Duration,
        stop: &AtomicBool,
    ) -> Result<Option<u64>, DriveError> {
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.scenario == scenario) else {
            return Ok(None);
        };
        let unread = |source| DriveError::Meter { scenario, source };
        let mut seen = Instruments::default();
        let reading = others.and_then(|others| {
            let begun = ProgramReading::begin().map_err(|error| error.to_string())?;
            let on_path = lane.path.programs().map_err(|error| error.to_string())?;
            Ok((begun, on_path, others))
        });
        // A network that others use is not loaded for what cannot be seen.
        if let (Err(why), Way::Remote(_)) = (&reading, &lane.overlay) {
            seen.missing.push(why.clone());
            lane.instruments = Some(seen);
            return Ok(Some(0));
        }
        let before = lane.path.read().map_err(unread)?;
        let (load, side) = (Load::Stream, Side::Overlay);
        let sent = lane.overlay.send(load, usize::MAX, length, stop);
        let sent = sent.map_err(|source| DriveError::Send { scenario, load, side, source })?;
        let Some(sent) = sent else { return Ok(None) };
        let after = lane.path.read().map_err(unread)?;
        let buffers = lane.path.between(&before, &after).tunnel_buffers.unwrap_or(0);
        let programs = reading.and_then(|(begun, on_path, others)| {
            begun.end(&on_path, &others, buffers).map_err(|error| error.to_string())
        });
        match programs {
            Ok(programs) => seen.programs = Some(programs),
            Err(why) => seen.missing.push(why),
        }
        lane.instruments = Some(seen);
        Ok(Some(sent.counts.payload_bytes.unwrap_or(0)))
    }

    /// Adds what our own programs counted during that stream, or why they did not.
    pub fn counted(
        &mut self,
        scenario: Scenario,
        counted: Result<(TunnelCounts, Option<std::collections::BTreeMap<String, u64>>), String>,
    ) {
        let lane = self.lanes.iter_mut().find(|lane| lane.scenario == scenario);
        let Some(seen) = lane.and_then(|lane| lane.instruments.as_mut()) else { return };
        match counted {
            Ok((tunnel, drops)) => (seen.tunnel, seen.drops) = (Some(tunnel), drops),
            Err(why) => seen.missing.push(why),
        }
    }

    /// Adds how long encapsulation took during that stream, or why that is not known.
    pub fn timed(&mut self, scenario: Scenario, times: Result<Encapsulation, String>) {
        let lane = self.lanes.iter_mut().find(|lane| lane.scenario == scenario);
        let Some(seen) = lane.and_then(|lane| lane.instruments.as_mut()) else { return };
        match times {
            Ok(times) => seen.encapsulation = Some(times),
            Err(why) => seen.missing.push(format!("how long encapsulation takes: {why}")),
        }
    }
}
