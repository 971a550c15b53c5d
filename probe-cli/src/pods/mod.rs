//! Which pods there are and which pod has which device: from the container runtime (CRI), the kubelet (pod-resources) and
//! the files that CNI plugins leave on a node. All paths are below a root. Every answer and every file is hostile input:
//! asking has deadlines, reading is bounded, and what does not parse is counted and named.
//!
//! Whose traffic is whose is decided in [`crate::inventory`].

mod cri;
mod device_info;
mod directory;
mod files;
mod follow;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod grpc;
mod kubelet;
mod libcni;
mod limits;
mod network_config;
#[cfg(test)]
mod quoting;
mod reader;
pub mod registry;
mod sriov_cni;

use std::path::Path;

pub use self::{
    cri::{Deadlines, Runtime},
    files::Files,
    follow::Follower,
    kubelet::{DEADLINE as KUBELET_DEADLINE, assignments},
};
use crate::{
    facts::pods::{PodFacts, Sandbox},
    observed::Observed,
};

/// Where the files of pods are, and names of their network namespaces.
pub const DIRECTORIES: [&str; 7] = [
    files::NAMESPACES,
    libcni::DIRECTORIES[0],
    libcni::DIRECTORIES[1],
    sriov_cni::ALLOCATIONS,
    sriov_cni::CONFIGURATIONS,
    device_info::OF_INTERFACES,
    device_info::OF_DEVICES,
];

/// What the files below `root` say of pods, once.
pub fn read_files(root: &Path) -> PodFacts {
    Files::new(root).read_now(&[])
}

/// Everything that is known of the pods of the host whose root is `root`, once; its runtime listens at `given` where that is
/// not to be looked for. The runtime and the kubelet are asked at the same time.
pub async fn read(root: &Path, given: Option<&Path>) -> PodFacts {
    let mut runtime = Runtime::new(root, given);
    let mut files = Files::new(root);
    let (facts, devices) = tokio::join!(named(&mut runtime, &mut files), assignments(root, KUBELET_DEADLINE));
    PodFacts { devices, ..facts }
}

/// What the runtime and the files say; the files of its sandboxes first.
async fn named(runtime: &mut Runtime, files: &mut Files) -> PodFacts {
    let sandboxes = runtime.refresh().await;
    let facts = files.read(sandboxes.value().map_or(&[], Vec::as_slice)).await;
    joined(runtime, sandboxes, facts)
}

/// What the runtime and the files said.
fn joined(runtime: &Runtime, sandboxes: Observed<Vec<Sandbox>>, mut facts: PodFacts) -> PodFacts {
    facts.notes.extend(runtime.notes().iter().cloned());
    PodFacts { runtime: runtime.told().cloned(), sandboxes, ..facts }
}
