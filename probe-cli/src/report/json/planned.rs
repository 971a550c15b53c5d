//! `show mtu --if ... --format json`.

use serde::Serialize;

use super::mtu::{Mtu, Path};
use crate::{
    model::{Break, Model, Planned, Settings, Where},
    report::planned::{cautions, steps, words},
};

/// The document of `show mtu`, and what is planned.
#[derive(Serialize)]
pub(in crate::report) struct PlannedMtu<'a> {
    #[serde(flatten)]
    now: Mtu<'a>,
    planned: Document<'a>,
}

#[derive(Serialize)]
struct Document<'a> {
    changes: Changes<'a>,
    after: Vec<Path<'a>>,
    breaks: Vec<Broken>,
    settings: Set<'a>,
    cautions: Vec<&'static str>,
    steps: Vec<String>,
    settled: Vec<Path<'a>>,
}

#[derive(Serialize)]
struct Changes<'a> {
    backend: Option<String>,
    underlay: Option<u32>,
    families: Option<&'a [u8]>,
}

#[derive(Serialize)]
struct Broken {
    kind: &'static str,
    words: String,
}

#[derive(Serialize)]
struct Set<'a> {
    place: &'static str,
    chart: Option<&'static str>,
    file: Option<&'a str>,
    values: Vec<Value<'a>>,
    pod_mtu: u32,
}

#[derive(Serialize)]
struct Value<'a> {
    key: String,
    value: &'a str,
}

impl<'a> PlannedMtu<'a> {
    pub(in crate::report) fn new(model: &'a Model, planned: &'a Planned) -> Self {
        let Planned { changes, after, breaks, settings, settled, .. } = planned;
        let Settings { place, values, pod_mtu, below_tunnel: _ } = settings;
        let (chart, file) = match place {
            Where::HelmChartConfig { chart, file } => (Some(*chart), file.as_deref()),
            Where::K3s | Where::NetConf | Where::Unknown => (None, None),
        };
        Self {
            now: Mtu::from(model),
            planned: Document {
                changes: Changes {
                    backend: changes.backend.map(|backend| backend.to_string()),
                    underlay: changes.underlay,
                    families: changes.families.as_deref(),
                },
                after: after.iter().map(Path::from).collect(),
                breaks: breaks
                    .iter()
                    .map(|broken| Broken { kind: kind(broken), words: words(broken) })
                    .collect(),
                settings: Set {
                    place: place_word(place),
                    chart,
                    file,
                    values: values
                        .iter()
                        .map(|setting| Value { key: setting.path.join("."), value: &setting.value })
                        .collect(),
                    pod_mtu: *pod_mtu,
                },
                cautions: cautions(planned),
                steps: steps(planned),
                settled: settled.iter().map(Path::from).collect(),
            },
        }
    }
}

fn place_word(place: &Where) -> &'static str {
    match place {
        Where::HelmChartConfig { .. } => "helm-chart-config",
        Where::K3s => "k3s-config",
        Where::NetConf => "net-conf",
        Where::Unknown => "unknown",
    }
}

fn kind(broken: &Break) -> &'static str {
    match broken {
        Break::PodsTooBig { .. } => "pods-too-big",
        Break::TunnelTooBig { .. } => "tunnel-too-big",
        Break::Ipv6TooSmall { .. } => "ipv6-too-small",
        Break::NoAddress { .. } => "no-address",
        Break::NotNeighbours { .. } => "not-neighbours",
        Break::OnlyIpv4 => "only-ipv4",
        Break::RouteMtu { .. } => "route-mtu",
        Break::BackendsDiffer => "backends-differ",
    }
}
