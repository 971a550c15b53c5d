//! Follows pods in the background, for those who must never wait: the runtime and the kubelet are asked again and again, the last
//! answers are there at any time.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::sleep,
};

use super::{Files, KUBELET_DEADLINE, Runtime, assignments, joined, reader::Reader};
use crate::facts::pods::PodFacts;

/// Pods, followed until this is dropped.
#[derive(Debug)]
pub struct Follower {
    latest: watch::Receiver<Arc<PodFacts>>,
    hurry: Arc<Notify>,
    /// Aborted when they are dropped.
    _tasks: JoinSet<()>,
}

impl Follower {
    /// Begins to ask, `every` so often after the last answer. Files and sockets are below `root`; `given` is the runtime's
    /// socket, where it is not to be looked for; `known` is what was answered before. Must be called inside a runtime of
    /// tokio.
    pub fn start(root: &Path, given: Option<&Path>, every: Duration, known: Arc<PodFacts>) -> Self {
        let (sender, latest) = watch::channel(known);
        let (sender, hurry) = (Arc::new(sender), Arc::new(Notify::new()));
        let mut tasks = JoinSet::new();
        let runtime = Runtime::new(root, given);
        tasks.spawn(follow_named(
            runtime,
            Reader::new(Files::new(root)),
            every,
            Arc::clone(&sender),
            Arc::clone(&hurry),
        ));
        // Apart: one that does not answer delays nothing of the other.
        tasks.spawn(follow_devices(root.to_owned(), every, sender));
        Self { latest, hurry, _tasks: tasks }
    }

    /// The last answers.
    pub fn latest(&self) -> Arc<PodFacts> {
        Arc::clone(&self.latest.borrow())
    }

    /// The last answers, when they are others than this gave before.
    pub fn latest_if_changed(&mut self) -> Option<Arc<PodFacts>> {
        // When nobody answers any more, the last answer stays what it is.
        let changed = self.latest.has_changed().unwrap_or(false);
        changed.then(|| Arc::clone(&self.latest.borrow_and_update()))
    }

    /// Waits for other answers. Cancelling loses nothing.
    pub async fn changed(&mut self) {
        if self.latest.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Asks the runtime now: something has happened that comes with pods.
    pub fn hurry(&self) {
        self.hurry.notify_one();
    }
}

async fn follow_named(
    mut runtime: Runtime,
    mut files: Reader,
    every: Duration,
    latest: Arc<watch::Sender<Arc<PodFacts>>>,
    hurry: Arc<Notify>,
) {
    loop {
        let sandboxes = runtime.refresh().await;
        let facts = files.read(sandboxes.value().cloned().unwrap_or_default()).await;
        let facts = joined(&runtime, sandboxes, facts);
        latest.send_if_modified(|latest| {
            let facts = PodFacts { devices: latest.devices.clone(), ..facts };
            let differs = facts != **latest;
            if differs {
                *latest = Arc::new(facts);
            }
            differs
        });
        let pause = files.pause();
        sleep(pause).await;
        tokio::select! {
            () = sleep(every.saturating_sub(pause)) => {}
            () = hurry.notified() => {}
        }
    }
}

async fn follow_devices(root: PathBuf, every: Duration, latest: Arc<watch::Sender<Arc<PodFacts>>>) {
    loop {
        let devices = assignments(&root, KUBELET_DEADLINE).await;
        latest.send_if_modified(|latest| {
            let differs = devices != latest.devices;
            if differs {
                Arc::make_mut(latest).devices = devices;
            }
            differs
        });
        sleep(every).await;
    }
}
