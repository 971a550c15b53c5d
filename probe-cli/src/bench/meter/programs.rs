//! Which eBPF programs are on the path's devices, and what they and others cost meanwhile. Reading, and having the kernel take times; nothing
//! is attached here.

use std::collections::BTreeMap;

use super::{MeterError, Path, Point};
use crate::{
    bench::instruments::{Hook, Hooked, Program},
    ebpf::{self, LoadedProgram, RunTimes},
    netlink::Source,
    observed::Observed,
};

/// A program that is on no device of the path is listed if it ran at least once for so many buffers of it.
const SELDOM: u64 = 10;

/// The programs that are on the path's devices, by the kernel's numbers, in the order in which packets pass the devices. One may be on
/// several.
#[derive(Clone, Debug, Default)]
pub struct OnPath {
    programs: Vec<(u32, Hooked)>,
    /// All devices that packets pass are known, so that a program on another one has nothing to do with them.
    is_whole: bool,
}

/// Programs with what they have cost until now. While it lives, times are taken.
#[derive(Debug)]
pub struct ProgramReading {
    before: BTreeMap<u32, LoadedProgram>,
    /// Goes with this.
    _times: RunTimes,
}

impl Point {
    fn programs(&self) -> Result<Vec<(u32, Hooked)>, MeterError> {
        self.inside(|| {
            let source = Source::connect()?;
            let links = source.links_of(None)?;
            let mut found = Vec::new();
            for name in &self.names {
                let Some((link, _)) = links.iter().find(|(link, _)| link.name == *name) else { continue };
                let told = source.programs_on(link.ifindex);
                if let Some(why) = told.trouble() {
                    return Err(MeterError::Programs(why));
                }
                let Observed::Value(told) = told else { continue };
                let told = told
                    .with_tcx(|is_egress| ebpf::tcx_programs(link.ifindex, is_egress))
                    .map_err(|error| MeterError::Programs(error.to_string()))?;
                let hooks =
                    [(Hook::Xdp, told.xdp), (Hook::Ingress, told.ingress), (Hook::Egress, told.egress)];
                for (hook, programs) in hooks {
                    let device = Hooked { place: self.place.clone(), name: name.clone(), hook };
                    found.extend(programs.into_iter().map(|id| (id, device.clone())));
                }
            }
            Ok(found)
        })
    }
}

impl Path {
    /// The programs on its devices now.
    pub fn programs(&self) -> Result<OnPath, MeterError> {
        let points = self.sending.iter().chain(&self.receiving);
        let found: Result<Vec<_>, _> = points.map(Point::programs).collect();
        // Of a way to another machine only this end is.
        Ok(OnPath { programs: found?.concat(), is_whole: !self.receiving.is_empty() })
    }
}

impl ProgramReading {
    /// Begins to take times.
    pub fn begin() -> Result<Self, MeterError> {
        let failed = |error: &dyn std::fmt::Display| MeterError::Programs(error.to_string());
        let times = RunTimes::take().map_err(|error| failed(&error))?;
        Ok(Self { before: listed().map_err(|error| failed(&error))?, _times: times })
    }

    /// What programs cost from then on until now, while `buffers` passed the path: those on it, of which what is not in `others` is ours;
    /// and those that ran for its packets elsewhere.
    pub fn end(self, on_path: &OnPath, others: &OnPath, buffers: u64) -> Result<Vec<Program>, MeterError> {
        let now = listed().map_err(|error| MeterError::Programs(error.to_string()))?;
        Ok(costs(&self.before, &now, (on_path, others), buffers))
    }
}

fn listed() -> std::io::Result<BTreeMap<u32, LoadedProgram>> {
    Ok(ebpf::loaded()?.into_iter().map(|program| (program.id, program)).collect())
}

fn costs(
    before: &BTreeMap<u32, LoadedProgram>,
    now: &BTreeMap<u32, LoadedProgram>,
    (on_path, others): (&OnPath, &OnPath),
    buffers: u64,
) -> Vec<Program> {
    let cost = |id: &u32, device: Option<Hooked>, is_own| {
        let after = now.get(id)?;
        // Loaded meanwhile, it began with nothing.
        let (runs, time) = before.get(id).map_or((0, 0), |one| (one.runs, one.run_time_ns));
        Some(Program {
            device,
            name: after.name.clone(),
            is_own,
            runs: after.runs.saturating_sub(runs),
            run_time_ns: after.run_time_ns.saturating_sub(time),
        })
    };
    let is_own = |id: &u32| others.programs.iter().all(|(other, _)| other != id);
    let mut found: Vec<Program> = on_path
        .programs
        .iter()
        .filter_map(|(id, device)| cost(id, Some(device.clone()), is_own(id)))
        .collect();
    let elsewhere = now.values().filter(|one| !(on_path.is_whole && one.is_of_interface)).map(|one| &one.id);
    let elsewhere = elsewhere.filter(|id| on_path.programs.iter().all(|(other, _)| other != *id));
    let ran = elsewhere.filter_map(|id| cost(id, None, false));
    found.extend(ran.filter(|program| program.runs > 0 && program.runs.saturating_mul(SELDOM) >= buffers));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_ran_for_the_path_is_listed_with_what_it_cost() {
        let loaded = |id: u32, runs, run_time_ns| {
            let (name, is_of_interface) = (format!("p{id}"), id <= 2 || id == 7);
            (id, LoadedProgram { id, name, is_of_interface, runs, run_time_ns })
        };
        let hook = |hook| Hooked { place: "node 1".to_owned(), name: "flannel.1".to_owned(), hook };
        let on = |programs| OnPath { programs, is_whole: true };
        let others = on(vec![(1, hook(Hook::Ingress)), (1, hook(Hook::Egress)), (9, hook(Hook::Xdp))]);
        let on_path = on([others.programs.clone(), vec![(2, hook(Hook::Egress))]].concat());
        let before =
            BTreeMap::from([loaded(1, 100, 5000), loaded(3, 7, 70), loaded(4, 0, 0), loaded(6, 50, 1)]);
        let now = BTreeMap::from([
            loaded(1, 1100, 2_005_000),
            loaded(2, 500, 1000),
            loaded(3, 107, 1070),
            loaded(4, 99, 99),
            loaded(6, 50, 1),
            loaded(7, 2000, 1),
        ]);
        let found = costs(&before, &now, (&on_path, &others), 1000);
        let seen: Vec<_> = found
            .iter()
            .map(|one| (one.name.as_str(), one.device.as_ref().map(|at| at.hook), one.is_own, one.runs))
            .collect();
        // 9 is gone; 4 ran too seldom for it to have to do with the path; 6 not at all; 7 is on a device that no packet passes.
        assert_eq!(
            seen,
            [
                ("p1", Some(Hook::Ingress), false, 1000),
                ("p1", Some(Hook::Egress), false, 1000),
                ("p2", Some(Hook::Egress), true, 500),
                ("p3", None, false, 100),
            ]
        );
        assert_eq!(found[0].ns_per_run(), Some(2000.0));
        assert_eq!(found[3].ns_per_run(), Some(10.0));
        // Where nothing is known to have passed, what ran at all is listed.
        assert_eq!(costs(&before, &now, (&on_path, &others), 0).len(), 5);
        // Where the path is known in part, it may be on the rest of it.
        let part = OnPath { is_whole: false, ..on_path };
        assert_eq!(costs(&before, &now, (&part, &others), 1000).last().unwrap().name, "p7");
    }
}
