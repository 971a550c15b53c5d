//! By how much each metric may get worse before that counts: one share for all, and others for metrics that a machine measures less
//! well.

use std::{collections::BTreeMap, str::FromStr};

use super::metric::Metric;

/// The shares.
#[derive(Clone, Debug, PartialEq)]
pub struct Margins {
    all: f64,
    own: BTreeMap<Metric, f64>,
}

/// Of one metric, or of all that have none of their own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margin {
    /// Of which; none for all.
    pub metric: Option<Metric>,
    /// What is worse by less than this share is the same.
    pub share: f64,
}

impl Margins {
    /// Of all metrics where nobody asks for another.
    pub const USUAL: f64 = 0.05;
    /// Less than the least no machine can tell, and more than the most is not the same thing any more.
    const LEAST: f64 = 0.001;
    /// The largest.
    pub const MOST: f64 = 0.5;

    /// In the order in which they were given: a later one replaces an earlier one of the same metric.
    pub fn new(given: impl IntoIterator<Item = Margin>) -> Self {
        let mut margins = Self { all: Self::USUAL, own: BTreeMap::new() };
        for margin in given {
            match margin.metric {
                Some(metric) => drop(margins.own.insert(metric, margin.share)),
                None => margins.all = margin.share,
            }
        }
        margins
    }

    /// That of a metric, as a share.
    pub fn of(&self, metric: Metric) -> f64 {
        self.own.get(&metric).copied().unwrap_or(self.all)
    }

    /// That of metrics which have none of their own.
    pub fn all(&self) -> f64 {
        self.all
    }

    /// Metrics that have one of their own.
    pub fn own(&self) -> impl Iterator<Item = (Metric, f64)> {
        self.own.iter().map(|(metric, share)| (*metric, *share))
    }
}

impl Default for Margins {
    fn default() -> Self {
        Self::new([])
    }
}

impl FromStr for Margin {
    type Err = String;

    /// `5%`, `0.05` or `throughput=20%`; metrics are named as in documents.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((name, of)) = text.split_once('=') else {
            return Ok(Self { metric: None, share: share(text)? });
        };
        let name = name.trim();
        let gating = || Metric::ALL.into_iter().filter(|metric| metric.gates());
        let metric = gating().find(|metric| metric.name() == name).ok_or_else(|| {
            let names: Vec<&str> = gating().map(Metric::name).collect();
            format!("no such metric decides: {name}; there are {}", names.join(", "))
        })?;
        Ok(Self { metric: Some(metric), share: share(of)? })
    }
}

/// A share: 5% or 0.05.
fn share(text: &str) -> Result<f64, String> {
    let (number, scale) = match text.trim().strip_suffix('%') {
        Some(number) => (number.trim(), 0.01),
        None => (text.trim(), 1.0),
    };
    let value = number.parse::<f64>().map_err(|_bad| "give a share such as 5% or 0.05".to_owned())? * scale;
    if (Margins::LEAST..=Margins::MOST).contains(&value) {
        Ok(value)
    } else {
        Err("give a share from 0.1% to 50%".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percent_or_parts_of_one() {
        for (text, expected) in [
            ("5%", Some(0.05)),
            ("5 %", Some(0.05)),
            ("0.05", Some(0.05)),
            ("50%", Some(0.5)),
            ("0.1%", Some(0.001)),
            ("5", None),
            ("0", None),
            ("-5%", None),
            ("NaN", None),
            ("inf%", None),
            ("", None),
            ("five", None),
        ] {
            let found = share(text).ok();
            assert_eq!(found.is_some(), expected.is_some(), "{text}");
            assert!(found.zip(expected).is_none_or(|(a, b)| (a - b).abs() < 1e-12), "{text}");
        }
    }

    #[test]
    fn a_metric_may_have_a_margin_of_its_own() {
        let of = |texts: &[&str]| Margins::new(texts.iter().map(|text| text.parse::<Margin>().unwrap()));
        let pair = |margins: &Margins| {
            let percent = |metric| format!("{:.0}", margins.of(metric) * 100.0);
            [Metric::Throughput, Metric::PacketRate].map(percent)
        };
        assert_eq!(pair(&Margins::default()), ["5", "5"]);
        assert_eq!(pair(&of(&["10%", "throughput=0.2"])), ["20", "10"]);
        // In any order; the last one counts.
        assert_eq!(pair(&of(&["throughput=0.2", "throughput=0.3", "10%"])), ["30", "10"]);
        for (text, said) in [
            ("throughput", "give a share such as"),
            ("throughput=90%", "from 0.1% to 50%"),
            ("speed=5%", "there are throughput, packet_rate, cpu_per_gbit"),
            // It informs, and no margin makes it decide.
            ("latency_p99=5%", "no such metric decides"),
            ("=5%", "no such metric decides"),
        ] {
            let error = text.parse::<Margin>().unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
