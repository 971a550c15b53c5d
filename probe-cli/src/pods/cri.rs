//! The container runtime's pod sandboxes, by CRI v1 on its socket: containerd of RKE2 and k3s, plain containerd, CRI-O. Listing
//! is cheap; a sandbox's status is asked for when it is new or its state changed.

mod annotations;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzz;
mod messages;
mod status;

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    path::Path,
    time::Duration,
};

use tokio::task::JoinSet;

use self::{
    annotations::NETWORKS,
    messages::{
        LIST, ListPodSandboxRequest, PodSandbox, PodSandboxStatusRequest, PodSandboxStatusResponse, READY,
        STATUS, VERSION, VersionRequest, VersionResponse,
    },
    status::{Details, details},
};
use super::{
    grpc::{Client, Socket, Trouble, Within, bounded},
    limits::{self, LeftOut},
};
use crate::{
    facts::pods::{RuntimeFact, Sandbox},
    observed::Observed,
};

/// Where runtimes listen: RKE2 and k3s, containerd, CRI-O. `/var/run` is `/run` on most systems.
const SOCKETS: [&str; 4] = [
    "/run/k3s/containerd/containerd.sock",
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/var/run/crio/crio.sock",
];

/// Longest list. The kubelet takes no longer one from a runtime (`maxMsgSize` in pkg/kubelet/cri/remote/utils.go).
const LONGEST_LIST: usize = 16 << 20;
/// Longest status of one sandbox, with the runtime's JSON. Annotations, of which a pod may have 256 KiB, are in it thrice.
const LONGEST_STATUS: usize = 2 << 20;
/// Statuses that are asked for at a time.
const AT_ONCE: usize = 4;
/// A status that did not come, or lacks something, as while the sandbox is being made, is asked for again after 1, 2, 4 and so
/// on refreshes, at last after two to the power of this.
const PATIENCE: u32 = 6;

/// How long a runtime may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// For each call.
    pub call: Duration,
    /// For everything that one [`Runtime::refresh`] asks.
    pub refresh: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { call: Duration::from_secs(2), refresh: Duration::from_secs(5) }
    }
}

/// A container runtime, with what it has said of its sandboxes.
#[derive(Debug)]
pub struct Runtime {
    sockets: Vec<Socket>,
    /// Somebody said where it listens.
    is_given: bool,
    deadlines: Deadlines,
    client: Option<Client>,
    told: Option<RuntimeFact>,
    /// Why earlier sockets were passed over for the one that answers.
    passed_over: Option<String>,
    known: BTreeMap<String, KnownStatus>,
    /// Refreshes so far.
    round: u64,
    notes: Vec<String>,
}

/// A sandbox, and what has come of asking for its status.
#[derive(Debug, Default)]
struct KnownStatus {
    sandbox: Sandbox,
    state: i32,
    /// All that there is to know in this state has been told.
    is_settled: bool,
    tries: u32,
    /// The round to ask in, or later.
    next: u64,
    /// Why the last status did not come.
    trouble: Option<String>,
}

impl Runtime {
    /// The runtime of the host whose root is `root`; or the one that listens at `given`, a path of our own.
    pub fn new(root: &Path, given: Option<&Path>) -> Self {
        Self::with_deadlines(root, given, Deadlines::default())
    }

    /// The same with less or more patience.
    pub fn with_deadlines(root: &Path, given: Option<&Path>, deadlines: Deadlines) -> Self {
        let found = || SOCKETS.iter().map(|path| Socket::new(root, Path::new(path))).collect();
        Self {
            sockets: given.map_or_else(found, |path| vec![Socket::given(path)]),
            is_given: given.is_some(),
            deadlines,
            client: None,
            told: None,
            passed_over: None,
            known: BTreeMap::new(),
            round: 0,
            notes: Vec::new(),
        }
    }

    /// Who answered last; none before anybody has.
    pub fn told(&self) -> Option<&RuntimeFact> {
        self.told.as_ref()
    }

    /// What the last [`Self::refresh`] could not find out though it answered, in words.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The sandboxes of now. Those that are known already cost nothing but their place in the list. Without an answer there
    /// are none, whatever was known before; what was known is used again once the runtime answers. When this is
    /// cancelled, the next call goes on where it was.
    pub async fn refresh(&mut self) -> Observed<Vec<Sandbox>> {
        let within = Within::new(self.deadlines.call, self.deadlines.refresh);
        self.notes.clear();
        self.round += 1;
        let (client, listed) = match self.list(within).await {
            Ok(found) => found,
            Err(trouble) => {
                self.client = None;
                self.told = None;
                return trouble.observed();
            }
        };
        self.notes.extend(self.passed_over.clone());
        let mut left_out = LeftOut::default();
        self.take(listed, &mut left_out);
        self.ask(&client, within, &mut left_out).await;
        self.notes.extend(left_out.note("the container runtime"));
        // Who stands in for another one gives way to it.
        self.client = Some(client).filter(|_| self.passed_over.is_none());
        Observed::Value(self.known.values().map(|known| known.sandbox.clone()).collect())
    }

    /// The list, from the connection that there is or from the first socket that answers.
    async fn list(&mut self, within: Within) -> Result<(Client, Vec<PodSandbox>), Trouble> {
        if let Some(client) = self.client.take() {
            match list(&client, within).await {
                Ok(listed) => return Ok((client, listed)),
                // A runtime that was started again; its socket is another file of the same name.
                Err(Trouble::Broken(_)) => {}
                Err(trouble) => return Err(trouble),
            }
        }
        self.passed_over = None;
        let mut first = None;
        for socket in &self.sockets {
            let answered = match socket.connect(within).await {
                Ok(client) => list(&client, within).await.map(|listed| (client, listed)),
                Err(trouble) => Err(trouble),
            };
            match answered {
                Ok((client, listed)) => {
                    self.told = Some(version(&client, socket, within).await);
                    self.passed_over = first.map(|trouble: Trouble| {
                        format!("{}; {} answers instead", trouble.words(), socket.shown())
                    });
                    return Ok((client, listed));
                }
                Err(Trouble::Absent) => {}
                Err(trouble @ Trouble::NotThis(_)) => drop(first.get_or_insert(trouble)),
                Err(trouble) => return Err(trouble),
            }
        }
        Err(first.unwrap_or_else(|| match self.sockets.first() {
            Some(given) if self.is_given => {
                Trouble::Failed(format!("cannot connect to {}: no such socket", given.shown()))
            }
            _ => Trouble::Absent,
        }))
    }

    /// Keeps what is listed, and what is known of that.
    fn take(&mut self, listed: Vec<PodSandbox>, left_out: &mut LeftOut) {
        let mut before = mem::take(&mut self.known);
        for PodSandbox { id, metadata, state, created_at, annotations } in listed {
            let names = metadata.unwrap_or_default();
            let is_short = id.len() <= limits::ID
                && names.uid.len() <= limits::ID
                && names.namespace.len().max(names.name.len()) <= limits::NAME;
            if id.is_empty() || !is_short {
                if !is_short {
                    left_out.add("pod sandboxes with long names");
                }
                continue;
            }
            let annotations = annotations.unwrap_or_default();
            if annotations.is_too_long {
                left_out.add("lists of networks");
            }
            let annotations = annotations.networks.map(|networks| (NETWORKS.to_owned(), networks));
            let mut known = before.remove(&id).unwrap_or_default();
            known.sandbox = Sandbox {
                id: id.clone(),
                namespace: names.namespace,
                name: names.name,
                uid: names.uid,
                ready: state == READY,
                created_at,
                annotations: annotations.into_iter().collect(),
                ..known.sandbox
            };
            if known.state != state {
                // Its addresses may be another one's by now.
                let sandbox = Sandbox { addresses: Vec::new(), netns: None, ..known.sandbox };
                known = KnownStatus { sandbox, state, ..KnownStatus::default() };
            }
            self.known.insert(id, known);
        }
    }

    /// Asks for each status that is needed.
    async fn ask(&mut self, client: &Client, within: Within, left_out: &mut LeftOut) {
        let round = self.round;
        let kept: usize = self.known.values().map(|known| size(&known.sandbox)).sum();
        let mut room = limits::ALL.saturating_sub(kept);
        let needed = self.known.iter().filter(|(_, known)| !known.is_settled && known.next <= round);
        let mut needed: BTreeSet<String> = needed.map(|(id, _)| id.clone()).collect();
        let mut asked = JoinSet::new();
        loop {
            while asked.len() < AT_ONCE
                && !within.is_over()
                && let Some(id) = needed.pop_first()
            {
                let client = client.clone();
                asked.spawn(async move { (status_of(&client, &id, within).await, id) });
            }
            // Only a task that panics or is aborted has no result.
            let Some(Ok((answer, id))) = asked.join_next().await else { break };
            if matches!(answer, Err(Trouble::Gone(_))) {
                self.known.remove(&id);
            } else if let Some(known) = self.known.get_mut(&id) {
                known.learn(answer, round, &mut room, left_out);
            }
        }
        let mut unknown = self.known.values().filter_map(|known| known.trouble.as_deref());
        if let Some(first) = unknown.next() {
            self.notes.push(format!(
                "{} pod sandbox(es) have no known address and network namespace, such as {first}",
                1 + unknown.count()
            ));
        }
        if !needed.is_empty() {
            self.notes.push(format!(
                "the runtime is slow: {} pod sandbox(es) were not queried within {} s; they are next",
                needed.len(),
                self.deadlines.refresh.as_secs_f64()
            ));
        }
    }
}

impl KnownStatus {
    /// Keeps what was answered, as far as there is room for it.
    fn learn(
        &mut self,
        answer: Result<Details, Trouble>,
        round: u64,
        room: &mut usize,
        left_out: &mut LeftOut,
    ) {
        match answer {
            Ok(details) => {
                let details = details.bounded(room, left_out);
                // One that is not ready has no network any more.
                self.is_settled = details.is_complete() || self.state != READY;
                self.trouble = None;
                self.sandbox.addresses = details.addresses;
                self.sandbox.netns = details.netns;
                self.sandbox.host_network = details.host_network;
            }
            Err(trouble) => {
                let name = format!("{}/{}", self.sandbox.namespace, self.sandbox.name);
                self.trouble = Some(format!("that of {}: {}", bounded(&name), trouble.words()));
            }
        }
        self.next = round + (1 << self.tries.min(PATIENCE));
        self.tries += 1;
    }
}

/// What a sandbox takes of the memory for all.
fn size(sandbox: &Sandbox) -> usize {
    let Sandbox { id, namespace, name, uid, addresses, netns, annotations, .. } = sandbox;
    let annotations: usize = annotations.iter().map(|(key, value)| key.len() + value.len()).sum();
    let texts = [id, namespace, name, uid].map(String::len).into_iter().sum::<usize>() + annotations;
    size_of::<KnownStatus>()
        + texts
        + netns.as_ref().map_or(0, String::len)
        + size_of_val(addresses.as_slice())
}

async fn list(client: &Client, within: Within) -> Result<Vec<PodSandbox>, Trouble> {
    client.list(LIST, ListPodSandboxRequest {}, LONGEST_LIST, within).await
}

/// Who answers. That is worth no failure: the list has come.
async fn version(client: &Client, socket: &Socket, within: Within) -> RuntimeFact {
    // As the kubelet asks: the version of its API, not of CRI.
    let request = VersionRequest { version: "0.1.0".to_owned() };
    let told: Result<VersionResponse, Trouble> = client.call(VERSION, request, LONGEST_STATUS, within).await;
    let told = told.unwrap_or_default();
    let known = |text: String| Some(text).filter(|text| !text.is_empty());
    RuntimeFact {
        socket: socket.shown(),
        name: known(bounded(&told.runtime_name)),
        version: known(bounded(&told.runtime_version)),
    }
}

async fn status_of(client: &Client, id: &str, within: Within) -> Result<Details, Trouble> {
    let request = PodSandboxStatusRequest { pod_sandbox_id: id.to_owned(), verbose: true };
    let reply: PodSandboxStatusResponse = client.call(STATUS, request, LONGEST_STATUS, within).await?;
    Ok(details(reply))
}
