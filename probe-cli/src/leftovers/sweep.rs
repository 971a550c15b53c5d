//! Removing what dead runs left in the current network namespace, and saying what was left alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    time::Duration,
};

use thiserror::Error;

use super::{
    directory::{self, Dead, RunDirectory, Unknown},
    record::{Placed, Record},
};
use crate::{
    ebpf::Pulse,
    netlink::{
        NetlinkError,
        tc::{BpfFilter, TrafficControl},
    },
    netns, text,
};

/// What every program of ours is called.
const OUR_PREFIX: &str = "ovp_";

/// Which filters of our name are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those that the note of a dead run names: nobody needs them, for certain.
    Noted,
    /// All that are no living run's, by its note or by its heartbeat: somebody has asked for it.
    Unclaimed,
}

/// Why nothing was removed, or not everything.
#[derive(Debug, Error)]
pub enum SweepError {
    /// Whose filters there are cannot be told.
    #[error(
        "cannot tell which filters belong to a live run, so none is removed; {unknown}{more}",
        more = if *more == 0 { String::new() } else { format!("; and {more} more") }
    )]
    Unknown {
        /// The first run record that cannot be read.
        unknown: Unknown,
        /// How many others cannot, either.
        more: usize,
    },
    /// Whether the run of a filter lives cannot be told.
    #[error(
        "cannot tell which filters belong to a live run, so none is removed; cannot read the heartbeat of program {program}: \
         {source}{hint}",
        hint = if source.kind() == io::ErrorKind::PermissionDenied { "; needs CAP_SYS_ADMIN: run with sudo" } else { "" }
    )]
    Heartbeat {
        /// The kernel's number of the filter's program.
        program: u32,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The kernel did not say which network namespace this is.
    #[error("cannot tell which network namespace this is: {0}")]
    Namespace(#[source] io::Error),
    /// The kernel did not list or remove.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}

/// What was done.
#[derive(Debug, Default)]
pub struct Swept {
    /// Filters and qdiscs that went.
    pub removed: usize,
    /// What could be a living run's, or a dead one's.
    pub left: Left,
    /// What no note claims and has the heartbeat of a living run, or of one that ended just now.
    pub living: Left,
    /// How long ago at most the last beat of those was.
    pub silence: Duration,
    /// A run is putting its filters on just now, and what is left may be of it.
    pub attaching: bool,
    /// Run records that cannot be read: what is left may be of them, as far as it has no heartbeat.
    pub unknown: Vec<Unknown>,
}

/// Filters of our name that no note claims, by interface.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Left(BTreeMap<u32, (String, usize)>);

impl Left {
    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, ifindex: u32) {
        let name = || {
            // Gone since, the number has to do.
            let name = nix::net::if_::if_indextoname(ifindex).ok().filter(|name| !name.is_empty());
            name.map_or_else(|| ifindex.to_string(), |name| text::escape(&name.to_string_lossy()))
        };
        self.0.entry(ifindex).or_insert_with(|| (name(), 0)).1 += 1;
    }
}

/// As in "4 ovp_* filters without a run record on vx7 and u0".
impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.values().map(|(name, _)| name.as_str()).collect();
        let names = names.join(" and ");
        match self.0.values().map(|(_, count)| count).sum() {
            1_usize => write!(f, "1 ovp_* filter without a run record on {names}"),
            count => write!(f, "{count} ovp_* filters without a run record on {names}"),
        }
    }
}

/// A filter of our name, and what is known of its run.
struct Found {
    filter: BpfFilter,
    run: Run,
}

/// What is known of a filter's run.
enum Run {
    /// The note of a dead one names the filter.
    Dead,
    /// No note does; what its heartbeat says.
    Unclaimed(Pulse),
}

/// Removes filters of ours, as far as `reach` goes, then the qdiscs that dead runs made and nobody uses, and the notes.
///
/// Of filters that no note claims, the heartbeat decides. Where one has none, and a note cannot be read, it may be that
/// of a run that lives: then nothing is removed that no dead run's note names.
pub async fn sweep(notes: &RunDirectory, reach: Reach) -> Result<Swept, SweepError> {
    let here = netns::current_identity().map_err(SweepError::Namespace)?;
    let directory::Found { live, dead, mut unknown } = notes.read();
    let live: Vec<Record> = live.into_iter().filter(|record| record.netns == here).collect();
    let (ours, others): (Vec<_>, Vec<_>) = dead.into_iter().partition(|note| note.record.netns == here);
    let control = TrafficControl::connect()?;
    let interfaces = control.clsact_interfaces().await?;
    let mut found = Vec::new();
    for &ifindex in &interfaces {
        for egress in [false, true] {
            let (filters, _) = control.filters(ifindex, egress).await?;
            let named_ours = filters.into_iter().filter(|filter| filter.name.starts_with(OUR_PREFIX));
            for filter in named_ours.filter(|filter| !live.iter().any(|record| names(record, filter))) {
                let is_dead = ours.iter().any(|note| names(&note.record, &filter));
                let run = if is_dead {
                    Run::Dead
                } else {
                    match Pulse::of_program(filter.program) {
                        Pulse::Unknown(source) if reach == Reach::Unclaimed => {
                            return Err(SweepError::Heartbeat { program: filter.program, source });
                        }
                        pulse @ (Pulse::Beats(_) | Pulse::Stopped | Pulse::None | Pulse::Unknown(_)) => {
                            Run::Unclaimed(pulse)
                        }
                    }
                };
                found.push(Found { filter, run });
            }
        }
    }
    let has_none = found.iter().any(|found| matches!(found.run, Run::Unclaimed(Pulse::None)));
    if reach == Reach::Unclaimed && has_none && !unknown.is_empty() {
        let more = unknown.len() - 1;
        return Err(SweepError::Unknown { unknown: unknown.swap_remove(0), more });
    }
    let attaching = live.iter().any(|record| record.attaching);
    let mut swept = Swept { attaching, unknown, ..Swept::default() };
    for Found { filter, run } in found {
        let is_over = match run {
            Run::Dead => true,
            Run::Unclaimed(Pulse::Beats(silence)) => {
                swept.living.add(filter.ifindex);
                swept.silence = swept.silence.max(silence);
                continue;
            }
            Run::Unclaimed(Pulse::Stopped) => reach == Reach::Unclaimed,
            Run::Unclaimed(Pulse::None | Pulse::Unknown(_)) => reach == Reach::Unclaimed && !attaching,
        };
        if is_over {
            control.delete(&filter).await?;
            swept.removed += 1;
        } else {
            swept.left.add(filter.ifindex);
        }
    }
    swept.removed += remove_qdiscs(&control, ours.iter().map(|note| &note.record), &interfaces).await?;
    ours.iter().for_each(Dead::remove);
    // Once for all of them: it takes a look at every process.
    let held = if others.is_empty() || notes.are_shared() { BTreeSet::new() } else { netns::held() };
    for note in others {
        // Of another namespace that still is: for `overlay-probe --netns NAME cleanup`. A container does not see the
        // namespaces of others, and leaves what is theirs.
        let netns = note.record.netns;
        if netns == (0, 0) || !(notes.are_shared() || held.contains(&netns)) {
            note.remove();
        }
    }
    Ok(swept)
}

/// At the orderly end of a run, after its filters are off: removes the qdiscs that it made and nobody else uses.
pub async fn finish(record: &Record) -> Result<(), NetlinkError> {
    let control = TrafficControl::connect()?;
    let interfaces = control.clsact_interfaces().await?;
    remove_qdiscs(&control, [record].into_iter(), &interfaces).await.map(drop)
}

async fn remove_qdiscs(
    control: &TrafficControl,
    records: impl Iterator<Item = &Record>,
    interfaces: &[u32],
) -> Result<usize, NetlinkError> {
    let places = records.flat_map(|record| &record.places);
    let made: BTreeSet<u32> = places.filter(|place| place.made_qdisc).map(|place| place.ifindex).collect();
    let mut removed = 0;
    for ifindex in made.into_iter().filter(|ifindex| interfaces.contains(ifindex)) {
        let (_, ingress) = control.filters(ifindex, false).await?;
        let (_, egress) = control.filters(ifindex, true).await?;
        if ingress + egress == 0 {
            control.delete_clsact(ifindex).await?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn names(record: &Record, filter: &BpfFilter) -> bool {
    let is_at = |place: &Placed| {
        (place.ifindex, place.egress, place.priority, place.handle, place.program)
            == (filter.ifindex, filter.egress, filter.priority, filter.handle, filter.program)
    };
    record.places.iter().any(is_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_counted_and_named() {
        let mut left = Left::default();
        assert!(left.is_empty());
        // No such interface: its number stands for it.
        left.add(i32::MAX.unsigned_abs());
        assert_eq!(left.to_string(), "1 ovp_* filter without a run record on 2147483647");
        left.add(1);
        left.add(1);
        assert_eq!(left.to_string(), "3 ovp_* filters without a run record on lo and 2147483647");
    }
}
