//! Reads what there is of pods: the runtime, files, a lab's registry, and the network namespaces of the pods that these name.
//! What is known already is not read again.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::host::HostOptions;
use crate::{
    facts::{
        OfNamespace,
        netlink::{LinkCounters, LinkFact, NamespaceFact},
        pods::{PodFacts, RegisteredPod},
    },
    files,
    netlink::{NetlinkError, Source},
    netns::{self, Namespace},
    observed::Observed,
    pods::{
        self, Follower,
        registry::{self, Registry},
    },
    procfs,
};

/// Everything in a pod is looked at again this often: nobody tells when an interface is added to a pod that runs.
const EVERY: Duration = Duration::from_secs(30);

/// The runtime, the kubelet and files are asked again this long after their last answer, and sooner when something happened.
const ASKED_EVERY: Duration = Duration::from_secs(5);
/// For so long after a change of the node's interfaces there may be a pod in the making.
const EVENTFUL: Duration = Duration::from_secs(10);

/// Pods, followed.
pub(super) struct PodSource {
    /// Where the node's files are; none when the files here are of another node.
    root: Option<PathBuf>,
    /// Where the runtime listens; none to look for it.
    cri_socket: Option<PathBuf>,
    registry: Registry,
    /// Asks in the background, where pods are followed; nothing here waits for an answer.
    follower: Option<Follower>,
    facts: Arc<PodFacts>,
    /// By path.
    namespaces: BTreeMap<String, ReadNamespace>,
    /// Something was read before.
    started: bool,
    /// Until then there may be a pod in the making.
    eventful: Duration,
    /// Namespaces that could not be looked into, with the cause.
    unread: Vec<OfNamespace>,
    /// Namespaces that have other interfaces than were known.
    restless: BTreeSet<String>,
    due: Duration,
}

/// A namespace that was looked into.
struct ReadNamespace {
    /// Device and inode: what tells it from another one of the same path.
    identity: (u64, u64),
    fact: NamespaceFact,
    /// Until then the pod is being made, and may get more interfaces.
    settles: Duration,
}

/// What is said of a pod whose namespace is this one: everything of the node would be the pod's.
const OURS: &str =
    "it is the node's own network namespace, and no pod's: who names it has an old or wrong path";

/// How long the plugins of a new pod may take to add the interfaces that it asked for.
const SETTLING: Duration = Duration::from_secs(20);

impl PodSource {
    /// For the node that lives in the calling thread's network namespace. Files of a host that it is not tell nothing of
    /// its pods.
    pub(super) fn new(host: &HostOptions) -> Self {
        let HostOptions { root, is_node, cri_socket } = host;
        Self {
            root: is_node.then(|| root.to_owned()),
            cri_socket: cri_socket.clone(),
            registry: Registry::new(Path::new(registry::DIRECTORY), netns::current_identity().ok()),
            follower: None,
            facts: Arc::default(),
            namespaces: BTreeMap::new(),
            started: false,
            eventful: Duration::ZERO,
            unread: Vec::new(),
            restless: BTreeSet::new(),
            due: Duration::ZERO,
        }
    }

    /// Asks the runtime, the kubelet and the files, and waits for them: they have deadlines.
    pub(super) async fn ask(&mut self) {
        if let Some(root) = &self.root {
            let asked = pods::read(root, self.cri_socket.as_deref()).await;
            self.facts = with_registered(Arc::new(asked), self.facts.registered.clone());
        }
    }

    /// Goes on asking in the background. Must be called inside a runtime of tokio.
    pub(super) fn follow(&mut self) {
        let start = |root: &PathBuf| {
            // The registry is not the follower's.
            let known = with_registered(Arc::clone(&self.facts), Vec::new());
            Follower::start(root, self.cri_socket.as_deref(), ASKED_EVERY, known)
        };
        self.follower = self.root.as_ref().map(start);
    }

    /// Something has happened that may have to do with pods.
    pub(super) fn happened(&mut self) {
        self.eventful = procfs::monotonic() + EVENTFUL;
    }

    /// Has everything in pods read again with the next reading, and asks who they are.
    pub(super) fn look_again(&mut self) {
        self.due = Duration::ZERO;
        if let Some(follower) = &mut self.follower {
            follower.hurry();
        }
    }

    /// True when pods have come or gone. Cheap.
    pub(super) fn changed(&mut self) -> bool {
        let mut changed = false;
        if let Some(pods) = self.registry.pods_if_changed() {
            changed |= pods != self.facts.registered;
            self.facts = with_registered(Arc::clone(&self.facts), pods);
        }
        if let Some(follower) = &mut self.follower {
            if let Some(facts) = follower.latest_if_changed() {
                let facts = with_registered(facts, self.facts.registered.clone());
                changed |= facts != self.facts;
                self.facts = facts;
            }
            if procfs::monotonic() < self.eventful {
                follower.hurry();
            }
        }
        changed
    }

    /// Looks into the namespaces of pods that are new.
    pub(super) fn read(&mut self, netlink: &Source) {
        self.changed();
        self.look(netlink);
    }

    /// What is known of pods.
    pub(super) fn facts(&self) -> &Arc<PodFacts> {
        &self.facts
    }

    /// What is in their namespaces, by path; then those that could not be looked into.
    pub(super) fn namespaces(&self) -> Vec<OfNamespace> {
        let read = self.namespaces.iter().map(|(path, known)| OfNamespace {
            path: path.clone(),
            told: Observed::Value(known.fact.clone()),
        });
        read.chain(self.unread.iter().cloned()).collect()
    }

    /// Looks into the namespaces that are named and not known yet.
    fn look(&mut self, netlink: &Source) {
        let now = procfs::monotonic();
        let again = now >= self.due;
        if again {
            self.due = now + EVERY;
        }
        self.unread.clear();
        let (root, node) = (self.open_root(), netns::current_identity().ok());
        let wanted = self.wanted();
        self.namespaces.retain(|path, _| wanted.contains(path));
        for path in wanted {
            let opened = root.as_ref().map_or_else(
                || Err(io::Error::new(io::ErrorKind::NotFound, "the host's root cannot be opened")),
                |root| netns::open_below(root, &path),
            );
            let opened =
                opened.and_then(|namespace| namespace.identity().map(|identity| (namespace, identity)));
            let (namespace, identity) = match opened {
                Ok(opened) => opened,
                Err(error) => {
                    self.namespaces.remove(&path);
                    // One that is not there has gone with its pod.
                    if error.kind() != io::ErrorKind::NotFound {
                        let error = format!("cannot open it: {error}");
                        self.unread.push(OfNamespace { path, told: Observed::Failed { error } });
                    }
                    continue;
                }
            };
            if Some(identity) == node {
                self.namespaces.remove(&path);
                self.unread.push(OfNamespace { path, told: Observed::Failed { error: OURS.to_owned() } });
                continue;
            }
            let known = self.namespaces.get(&path).filter(|known| known.identity == identity);
            if known.is_some_and(|known| !again && !self.restless.contains(&path) && now >= known.settles) {
                continue;
            }
            // Those that are there at the start have what they asked for.
            let settles =
                known.map_or(if self.started { now + SETTLING } else { now }, |known| known.settles);
            match fact(netlink, &path, &namespace) {
                Ok(fact) => drop(self.namespaces.insert(path, ReadNamespace { identity, fact, settles })),
                Err(error) => self
                    .unread
                    .push(OfNamespace { path, told: Observed::Failed { error: error.to_string() } }),
            }
        }
        self.restless.clear();
        self.started = true;
    }

    /// Paths of the namespaces that pods are said to have.
    fn wanted(&self) -> BTreeSet<String> {
        let facts = &self.facts;
        let sandboxes = facts.sandboxes.value().into_iter().flatten();
        let sandboxes = sandboxes.filter(|sandbox| sandbox.ready && !sandbox.host_network);
        sandboxes
            .filter_map(|sandbox| sandbox.netns.clone())
            .chain(facts.attachments.iter().filter_map(|attachment| attachment.netns.clone()))
            .chain(facts.registered.iter().map(|pod| pod.netns.clone()))
            .collect()
    }

    /// The network namespaces of pods by path, each with its device and inode.
    pub(super) fn identities(&self) -> BTreeMap<String, (u64, u64)> {
        self.namespaces.iter().map(|(path, known)| (path.clone(), known.identity)).collect()
    }

    /// Where the paths of namespaces begin.
    pub(super) fn open_root(&self) -> Option<files::Root> {
        files::Root::open(self.root.as_deref().unwrap_or(Path::new("/"))).ok()
    }

    /// Counters of the interfaces of pods that have more than a veth, by path of the namespace and interface index; and
    /// whether a pod has other interfaces than were known.
    pub(super) fn counters(&mut self, netlink: &Source) -> (BTreeMap<(String, u32), LinkCounters>, bool) {
        let mut counters = BTreeMap::new();
        let now = procfs::monotonic();
        let root = self.open_root();
        for (path, ReadNamespace { identity, fact, settles }) in &self.namespaces {
            // Loopback and the interface to the cluster network, whose other end is counted on the node.
            let is_only = fact.links.len() <= 2 && fact.links.iter().all(is_counted_outside);
            if is_only && now >= *settles {
                continue;
            }
            let Some(Ok(namespace)) = root.as_ref().map(|root| netns::open_below(root, path)) else {
                continue;
            };
            if namespace.identity().ok() != Some(*identity) {
                continue;
            }
            let links = match fact.nsid {
                Some(nsid) => netlink.links_of(Some(nsid)),
                None => Source::connect_in(&namespace).and_then(|source| source.links_of(None)),
            };
            let Ok(links) = links else { continue };
            if !links.iter().map(|(link, _)| link).eq(&fact.links) {
                self.restless.insert(path.clone());
            }
            if is_only {
                continue;
            }
            counters.extend(
                links
                    .into_iter()
                    .filter_map(|(link, counted)| Some(((path.clone(), link.ifindex), counted?))),
            );
        }
        (counters, !self.restless.is_empty())
    }
}

/// Nothing is asked for about it: a veth has its other end on the node, a VF or an ipvlan has not.
fn is_counted_outside(link: &LinkFact) -> bool {
    link.is_loopback() || link.kind.as_deref() == Some("veth")
}

/// The same facts with these pods of a lab; copied only where they have others.
fn with_registered(facts: Arc<PodFacts>, registered: Vec<RegisteredPod>) -> Arc<PodFacts> {
    if facts.registered == registered {
        return facts;
    }
    Arc::new(PodFacts { registered, ..PodFacts::clone(&facts) })
}

/// What is in a namespace. From outside where it has a number here, which spares entering it.
fn fact(netlink: &Source, path: &str, namespace: &Namespace) -> Result<NamespaceFact, NetlinkError> {
    let nsid = netlink.nsid(namespace.file())?;
    let node = netns::current().ok();
    let read = |source: &Source, nsid: Option<i32>| {
        let links = source.links_of(nsid)?.into_iter().map(|(link, _)| link).collect();
        let addresses = source.addresses_of(nsid)?;
        // After the links: the kernel gives the number when it first tells of a link that has its lower device there.
        let node_nsid = node.as_ref().and_then(|node| source.nsid(node.file()).ok().flatten());
        Ok(NamespaceFact { path: path.to_owned(), nsid, node_nsid, links, addresses })
    };
    match nsid {
        Some(nsid) => read(netlink, Some(nsid)),
        None => read(&Source::connect_in(namespace)?, None),
    }
}
