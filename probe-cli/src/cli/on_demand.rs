//! Paths to other nodes that are measured because somebody asks on the screen: as `mtu` does, beside samples and keys. What is
//! measured and what it means is for `mtu` and its report; here is when.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    engine,
    model::Model,
    mtu::{
        self, Path, Prober,
        wire::{self, Wire},
    },
    report::measured,
    tui::Measuring,
};

/// How long one path is measured at most.
const DEADLINE: Duration = Duration::from_secs(30);
/// How often the screen is told how far it is.
const PROGRESS: Duration = Duration::from_millis(200);

/// See the module.
pub(super) struct OnDemand {
    /// Opened when the run begins: later nobody may. Why there is none, in words.
    wire: Result<Wire, String>,
    current: Option<Current>,
    told: Option<Measuring>,
}

/// What is being measured.
struct Current {
    /// The node as it was at the beginning.
    model: Arc<Model>,
    paths: Vec<Path>,
    prober: Prober,
    start: Instant,
    told: Duration,
}

impl OnDemand {
    /// Opens sockets and sends nothing. In the node's network namespace, before privileges are given up.
    pub(super) fn open() -> Self {
        Self { wire: Wire::open_both().map_err(|error| error.to_string()), current: None, told: None }
    }

    /// Begins to measure the paths to one node, else to all that this model has; one request at a time.
    pub(super) fn begin(&mut self, model: &Arc<Model>, node: Option<String>) {
        if self.current.is_some() {
            return;
        }
        self.told = match self.start(model, node) {
            Ok(paths) => Some(Measuring::Going { done: 0, all: paths, trying: None }),
            Err(why) => Some(Measuring::Failed(why)),
        };
    }

    fn start(&mut self, model: &Arc<Model>, node: Option<String>) -> Result<usize, String> {
        let wire = self.wire.as_mut().map_err(|why| why.clone())?;
        let words: Vec<String> = node.into_iter().collect();
        let paths = mtu::plan(model, &words, &mut wire::route_mtu).map_err(|error| error.to_string())?;
        if paths.is_empty() {
            return Err("no address of another node is known".to_owned());
        }
        // Answers to what was sent before are not taken for answers to this.
        wire.renew().map_err(|error| error.to_string())?;
        let (prober, count) = (Prober::new(&mtu::targets(&paths, 1), DEADLINE), paths.len());
        let (model, start) = (Arc::clone(model), Instant::now());
        self.current = Some(Current { model, paths, prober, start, told: Duration::ZERO });
        Ok(count)
    }

    /// Sends and receives until there is something new to tell; never ends while nothing is measured. Dropping the future loses
    /// nothing.
    pub(super) async fn go_on(&mut self) {
        loop {
            let (Some(current), Ok(wire)) = (&mut self.current, &mut self.wire) else {
                return std::future::pending().await;
            };
            match wire.step(&mut current.prober, current.start).await {
                Ok(true) => {
                    let now = current.start.elapsed();
                    if now < current.told + PROGRESS {
                        continue;
                    }
                    current.told = now;
                    let (done, all) = current.prober.progress();
                    let trying = current.prober.latest().map(|probe| (probe.size, probe.address));
                    self.told = Some(Measuring::Going { done, all, trying });
                }
                Ok(false) => self.told = self.current.take().map(judged),
                Err(error) => {
                    self.current = None;
                    self.told = Some(Measuring::Failed(error.to_string()));
                }
            }
            return;
        }
    }

    /// How far it is, or what it came to; none where nobody has asked.
    pub(super) fn told(&self) -> Option<Measuring> {
        self.told.clone()
    }
}

fn judged(current: Current) -> Measuring {
    let Current { model, paths, prober, start, .. } = current;
    let mut outcomes = mtu::together(&prober.outcomes(), 1);
    let up = match engine::interfaces_up() {
        Ok(up) => up,
        // Whether a path is at fault or a device of this node that went away is not known then.
        Err(error) => {
            return Measuring::Failed(format!("cannot read whether interfaces are still there: {error}"));
        }
    };
    mtu::interrupt(&model, &mtu::gone(&model, &up, &paths), &paths, &mut outcomes);
    let judged = mtu::judge(paths, outcomes, start.elapsed(), Vec::new());
    let measured::Lines { rows, advice, sum } = measured::lines(&judged);
    Measuring::Done { at: model.time, rows, advice, sum }
}
