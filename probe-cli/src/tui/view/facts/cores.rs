//! Which cores handle a tunnel's packets, in words.

use super::Fact;
use crate::{
    model::{CoreRow, Model, TunnelRow, busiest_first},
    text,
};

/// Cores that are named; of more than these fewer, so that how many more there are fits beside them.
const NAMED: usize = 3;

/// Of each direction that carried something. What arrives is first: that is where one core can be too few.
pub(super) fn facts(row: &TunnelRow, model: &Model) -> Vec<Fact> {
    if !model.has_several_cores() {
        return Vec::new();
    }
    let directions = [("RX cores", &row.cores.rx), ("TX cores", &row.cores.tx)];
    directions.into_iter().filter_map(|(name, cores)| Some((name, words(cores)?, false))).collect()
}

fn words(cores: &[CoreRow]) -> Option<String> {
    let busiest = busiest_first(cores);
    let named = if busiest.len() > NAMED { NAMED - 1 } else { NAMED };
    let word = |core: &&CoreRow| Some(format!("{} on {}", text::percent(core.share?), core.cpu));
    let mut words: Vec<String> = busiest.iter().take(named).filter_map(word).collect();
    if busiest.len() > named {
        words.push(format!("{} more", busiest.len() - named));
    }
    (!words.is_empty()).then(|| words.join(", "))
}
