//! Which eBPF programs are on the overlay's devices, ours and others', and what a run of each takes while programs are timed.

use super::{
    build::name,
    observer::{ns_between, timed},
};
use crate::{
    inventory::{Inventory, Tunnel},
    observed::Observed,
    sample::{Hook, ProgramCost, Sample},
};

/// A program on a hook of a device.
#[derive(Clone, Debug, PartialEq)]
pub struct HookRow {
    /// Name of the device. Hostile input: escape before showing.
    pub device: String,
    /// Its interface index.
    pub ifindex: u32,
    /// The hook.
    pub hook: Hook,
    /// The kernel's number of the program.
    pub id: u32,
    /// This run has put it there.
    pub is_own: bool,
    /// Name of the program, which may be empty; none where the kernel does not tell. Hostile input: escape before showing.
    pub name: Option<String>,
    /// Runs per second, wherever it runs, over the last time that programs were timed; none when they were not.
    pub runs_per_s: Option<f64>,
    /// Nanoseconds per run, over the last time that programs were timed in which it ran; none without one.
    pub ns_per_run: Option<f64>,
}

/// The programs, by device and hook, and on one hook in the order in which they run.
pub(super) fn hooks(inventory: &Inventory, now: &Sample, before: Option<&Sample>) -> Observed<Vec<HookRow>> {
    let since = before.and_then(|before| Some((before, timed(now, before)?)));
    let row = |ifindex, hook, id| {
        let cost = cost(now, id);
        let grown = cost.zip(since).and_then(|(now, (before, timed))| {
            let before = self::cost(before, id)?;
            let runs = now.runs.checked_sub(before.runs)?;
            Some((runs as f64 / timed.as_secs_f64(), ns_between(before, now)))
        });
        HookRow {
            device: name(inventory, ifindex),
            ifindex,
            hook,
            id,
            is_own: now.observer.programs.iter().any(|cost| cost.id == Some(id)),
            name: cost.map(|cost| cost.name.clone()),
            runs_per_s: grown.map(|(runs, _)| runs),
            ns_per_run: grown.and_then(|(_, ns)| ns),
        }
    };
    now.hooks
        .as_ref()
        .map(|hooks| hooks.places.iter().map(|place| row(place.ifindex, place.hook, place.program)).collect())
}

/// What a program costs, ours or another's.
fn cost(sample: &Sample, id: u32) -> Option<&ProgramCost> {
    let others = sample.hooks.value().map_or(&[][..], |hooks| &hooks.others);
    sample.observer.programs.iter().chain(others).find(|cost| cost.id == Some(id))
}

/// What was measured when programs were timed last stays until they are timed again.
pub(super) fn keep_timed(rows: &mut Observed<Vec<HookRow>>, before: &Observed<Vec<HookRow>>) {
    let Observed::Value(rows) = rows else { return };
    for row in rows {
        let Some(earlier) = before.rows().iter().find(|earlier| earlier.id == row.id) else { continue };
        row.runs_per_s = row.runs_per_s.or(earlier.runs_per_s);
        row.ns_per_run = row.ns_per_run.or(earlier.ns_per_run);
    }
}

/// Those on a tunnel's device, then those on the devices below it.
pub fn hooks_of<'a>(rows: &'a [HookRow], tunnel: &'a Tunnel) -> impl Iterator<Item = &'a HookRow> {
    let devices = std::iter::once(tunnel.ifindex).chain(tunnel.underlays().map(|below| below.ifindex));
    devices.flat_map(|ifindex| rows.iter().filter(move |row| row.ifindex == ifindex))
}

#[cfg(test)]
pub(crate) mod testdata {
    use super::super::{
        Model,
        testdata::{build, inventory, sample},
    };
    use crate::{
        inventory::Inventory,
        observed::Observed,
        sample::{Hook, HookPlace, Hooks, ProgramCost, Sample},
    };

    const OWN: [u32; 2] = [11, 12];
    const CILIUM: u32 = 87;
    const HOSTILE: u32 = 88;
    const UNKNOWN: u32 = 89;
    const LATE: u32 = 90;

    /// Our programs, one of Cilium's before ours, one with a hostile name behind it, one that nothing is told of, and one without a name
    /// that came in the last second. In each second each of them is timed.
    pub(crate) fn with_hooks(inventory: &Inventory, seconds: u64) -> Sample {
        let mut sample = sample(inventory, seconds);
        for (program, id) in sample.observer.programs.iter_mut().zip(OWN) {
            program.id = Some(id);
        }
        let place = |ifindex, hook, program| HookPlace { ifindex, hook, program };
        let [tx, rx] = OWN;
        let mut places = vec![
            place(2, Hook::Xdp, UNKNOWN),
            place(2, Hook::Egress, LATE),
            place(3, Hook::Ingress, rx),
            place(3, Hook::Egress, CILIUM),
            place(3, Hook::Egress, tx),
            place(3, Hook::Egress, HOSTILE),
            place(4, Hook::Egress, tx),
        ];
        let cost = |id, name: &str, runs, ns: u64| ProgramCost {
            name: name.to_owned(),
            id: Some(id),
            runs,
            run_time_ns: runs * ns,
        };
        let mut others = vec![
            // It was timed before, by somebody else, and was slower then.
            ProgramCost {
                run_time_ns: 9_000_000 + 240_000 * seconds,
                ..cost(CILIUM, "cil_to_overlay", 500 + 1000 * seconds, 0)
            },
            cost(HOSTILE, "ev\u{1b}[2Jil", 0, 0),
        ];
        if seconds >= 40 {
            others.push(cost(LATE, "", 7, 100));
        } else {
            places.retain(|place| place.program != LATE);
        }
        sample.hooks = Observed::Value(Box::new(Hooks { places, others }));
        sample
    }

    /// The node with them.
    pub(crate) fn model() -> Model {
        let inventory = inventory(2);
        build(&inventory, &with_hooks(&inventory, 40), Some(&with_hooks(&inventory, 39)))
    }
}

#[cfg(test)]
mod tests {
    use super::{testdata::with_hooks, *};
    use crate::model::testdata::{build, inventory};

    #[test]
    fn a_run_costs_what_it_took_in_the_period_and_what_is_not_known_is_none() {
        let model = super::testdata::model();
        let rows = model.hooks.value().unwrap();
        let found: Vec<_> = hooks_of(rows, &model.tunnels[0].tunnel)
            .map(|row| (row.device.as_str(), row.hook, row.id, row.is_own, row.runs_per_s, row.ns_per_run))
            .collect();
        let expected = [
            ("flannel.1", Hook::Ingress, 12, true, Some(1000.0), Some(310.0)),
            ("flannel.1", Hook::Egress, 87, false, Some(1000.0), Some(240.0)),
            ("flannel.1", Hook::Egress, 11, true, Some(1000.0), Some(310.0)),
            // It never ran.
            ("flannel.1", Hook::Egress, 88, false, Some(0.0), None),
            // Nothing is told of it; and what another cost before it was here is not known.
            ("eth0", Hook::Xdp, 89, false, None, None),
            ("eth0", Hook::Egress, 90, false, None, None),
        ];
        assert_eq!(found, expected);
        let names: Vec<_> = rows.iter().map(|row| row.name.as_deref()).collect();
        assert_eq!(names[..2], [None, Some("")]);
        assert_eq!(
            hooks_of(rows, &model.tunnels[1].tunnel).map(|row| row.id).collect::<Vec<_>>(),
            [11, 89, 90]
        );
    }

    #[test]
    fn what_was_timed_stays_until_it_is_timed_again() {
        let inventory = inventory(2);
        let (before, mut now) = (with_hooks(&inventory, 39), with_hooks(&inventory, 40));
        now.observer.timed = before.observer.timed;
        let (timed, mut untimed) =
            (super::testdata::model().hooks, build(&inventory, &now, Some(&before)).hooks);
        let costs = |rows: &Observed<Vec<HookRow>>| -> Vec<_> {
            rows.rows().iter().map(|row| (row.runs_per_s, row.ns_per_run)).collect()
        };
        assert!(costs(&untimed).iter().all(|cost| *cost == (None, None)), "{untimed:?}");
        keep_timed(&mut untimed, &timed);
        assert_eq!(untimed, timed);
        let mut unread = Observed::Failed { error: "x".to_owned() };
        keep_timed(&mut unread, &timed);
        assert_eq!(unread.value(), None);
    }
}
