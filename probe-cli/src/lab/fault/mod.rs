//! Faults: what is wrong with a node of a lab on purpose, and how it is undone. [`crate::check::FAULTS`] lists them; a module for
//! each family says what each changes.
//!
//! A fault is noted in the lab before anything is changed, and undoing it makes what the lab was built with: half a fault is
//! undone like a whole one. Namespaces that the lab did not make are not entered.

#![allow(clippy::unnecessary_wraps, reason = "makers have one type, those too that suit every lab")]

mod cni;
mod dataplane;
mod host;
mod intent;
mod mtu;
mod peers;
mod pods;
mod scene;
mod wireguard;

use std::{collections::BTreeMap, os::fd::AsRawFd as _, path::Path};

use super::{
    error::LabError,
    files, plan,
    registry::{self, Injected, Lab, Node},
};
use crate::{
    check::{self, Fault, Plane},
    lab::plan::Dataplane,
    netlink::configure::{Step, configure_here, ensure, public_keys},
    netns::{self, Namespace},
};
use scene::{Keys, Part, Place, Scene, Unfit};

/// The fault that the demo has.
pub const INCIDENT: &str = "nic-mtu-lowered";

/// How a fault is made, of the lab as it is.
type Maker = fn(&Scene<'_>) -> Result<Vec<Part>, Unfit>;

/// Gives a node of a lab a fault. When it fails, what was changed is undone.
pub fn inject(prefix: &str, name: &str, node: u16) -> Result<Lab, LabError> {
    let mut lab = read(prefix)?;
    let fault = find(name)?;
    let wanted = Injected { fault: name.to_owned(), node };
    let netns = part(&lab, node)?.netns.clone();
    if lab.faults.contains(&wanted) {
        return Err(LabError::Faulty { node: netns, name: name.to_owned(), has: "has already" });
    }
    let unfit = |need| LabError::Unfit { name: name.to_owned(), need };
    let is_fit = match fault.plane {
        Plane::Any => true,
        Plane::Vxlan => lab.options.dataplane == Dataplane::Vxlan,
        Plane::Wireguard => lab.options.dataplane == Dataplane::Wireguard,
    };
    if !is_fit {
        return Err(unfit(match fault.plane {
            Plane::Wireguard => "a lab with --dataplane wireguard",
            Plane::Any | Plane::Vxlan => "a lab with --dataplane vxlan",
        }));
    }
    let parts = parts(&lab, &wanted)?;
    if lab.host_files.is_none() && parts.iter().any(Part::is_file) {
        return Err(unfit("the nodes' files: build the lab with --host-files DIR"));
    }
    lab.faults.push(wanted.clone());
    registry::write(&lab)?;
    let made = parts.iter().try_for_each(|part| change(&lab, node, part, Change::Make));
    if let Err(error) = made {
        // The first error is the one to show.
        let _ = undo_one(&mut lab, &wanted);
        return Err(error);
    }
    Ok(lab)
}

/// A fault of the node whose network namespace the caller is in and stays in, made and undone without entering one: a run that has
/// begun may not. It is not noted in the lab.
#[derive(Debug)]
pub struct Staged {
    make: Vec<Step>,
    undo: Vec<Step>,
    is_made: bool,
}

impl Staged {
    /// Of a fault that is made on the node alone, in the kernel.
    pub fn new(lab: &Lab, name: &str, node: u16) -> Result<Self, LabError> {
        let parts = parts(lab, &Injected { fault: name.to_owned(), node })?;
        let mut staged = Self { make: Vec::new(), undo: Vec::new(), is_made: false };
        for part in parts {
            let Part::Steps { place: Place::Node, make, undo } = part else {
                return Err(LabError::Unfit { name: name.to_owned(), need: "a fault of the node alone" });
            };
            staged.make.extend(make);
            staged.undo.extend(undo);
        }
        Ok(staged)
    }

    /// Makes it, or undoes it.
    pub async fn turn(&mut self) -> Result<(), LabError> {
        configure_here(if self.is_made { &self.undo } else { &self.make }).await?;
        self.is_made = !self.is_made;
        Ok(())
    }

    /// It is there.
    pub fn is_made(&self) -> bool {
        self.is_made
    }
}

/// Undoes the faults of a lab, the last one first: all, or those of this name. Returns what was undone.
pub fn undo(prefix: &str, name: Option<&str>) -> Result<Vec<Injected>, LabError> {
    let mut lab = read(prefix)?;
    let is_meant = |injected: &&Injected| name.is_none_or(|name| injected.fault == name);
    let meant: Vec<Injected> = lab.faults.iter().rev().filter(is_meant).cloned().collect();
    if let Some(name) = name.filter(|_| meant.is_empty()) {
        find(name)?;
        let node = lab.options.prefix.clone();
        return Err(LabError::Faulty { node, name: name.to_owned(), has: "has not" });
    }
    for injected in &meant {
        undo_one(&mut lab, injected)?;
    }
    Ok(meant)
}

fn undo_one(lab: &mut Lab, injected: &Injected) -> Result<(), LabError> {
    for part in parts(lab, injected)?.iter().rev() {
        change(lab, injected.node, part, Change::Undo)?;
    }
    lab.faults.retain(|other| other != injected);
    registry::write(lab)
}

/// Gives the nodes' files back what faults changed in them: they outlive the lab.
pub(super) fn restore_files(lab: &Lab) -> Result<(), LabError> {
    for injected in lab.faults.iter().rev() {
        // What cannot be made of this lab has changed none.
        let parts = parts(lab, injected).unwrap_or_default();
        for part in parts.iter().filter(|part| part.is_file()) {
            change(lab, injected.node, part, Change::Undo)?;
        }
    }
    Ok(())
}

fn read(prefix: &str) -> Result<Lab, LabError> {
    plan::check_prefix(prefix)?;
    registry::read(prefix).ok_or_else(|| LabError::NoLab { prefix: prefix.to_owned() })
}

fn find(name: &str) -> Result<&'static Fault, LabError> {
    let fault = check::FAULTS.iter().find(|fault| fault.name == name);
    fault.ok_or_else(|| LabError::NoFault { name: name.to_owned() })
}

fn part(lab: &Lab, node: u16) -> Result<&Node, LabError> {
    let part = lab.nodes.iter().find(|entry| entry.number == node);
    part.ok_or_else(|| LabError::NoPart { what: format!("node {node}") })
}

/// What a fault of a node changes.
fn parts(lab: &Lab, injected: &Injected) -> Result<Vec<Part>, LabError> {
    let name = injected.fault.as_str();
    let keys = keys(lab)?;
    let scene = Scene::new(lab, part(lab, injected.node)?, &keys);
    let unfit = |Unfit(need)| LabError::Unfit { name: name.to_owned(), need };
    maker(name).ok_or_else(|| LabError::NoFault { name: name.to_owned() })?(&scene).map_err(unfit)
}

fn maker(name: &str) -> Option<Maker> {
    makers().find(|(known, _)| *known == name).map(|(_, maker)| *maker)
}

/// All that can be made, by name.
fn makers() -> impl Iterator<Item = &'static (&'static str, Maker)> {
    let families = [
        intent::MAKERS,
        dataplane::MAKERS,
        mtu::MAKERS,
        peers::MAKERS,
        wireguard::MAKERS,
        host::MAKERS,
        pods::MAKERS,
        cni::MAKERS,
    ];
    families.into_iter().flatten()
}

/// The public keys of the nodes' WireGuard devices.
fn keys(lab: &Lab) -> Result<Keys, LabError> {
    let mut keys = BTreeMap::new();
    if lab.options.dataplane.wireguard() {
        for node in &lab.nodes {
            keys.insert(node.number, public_keys(&ours(lab, &node.netns)?)?);
        }
    }
    Ok(keys)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Make,
    Undo,
}

fn change(lab: &Lab, node: u16, part: &Part, change: Change) -> Result<(), LabError> {
    let is_made = change == Change::Make;
    match part {
        Part::Steps { place, make, undo } => {
            let name = match place {
                Place::Node => lab.options.node(node),
                Place::Pod(pod) => lab.options.pod(node, *pod),
                Place::Underlay => lab.options.underlay(),
            };
            Ok(ensure(&ours(lab, &name)?, if is_made { make } else { undo })?)
        }
        // The kernel deletes it with the device below.
        Part::Macvlan { .. } if !is_made => Ok(()),
        Part::Macvlan { pod, name, below } => {
            let there = ours(lab, &lab.options.pod(node, *pod))?;
            let there_netns = there.file().as_raw_fd();
            let step = Step::Macvlan { name: name.clone(), below: below.clone(), there_netns };
            Ok(ensure(&ours(lab, &lab.options.node(node))?, &[step])?)
        }
        Part::File { path, text } => {
            let text = if is_made { Some(text.clone()) } else { original(lab, node, path) };
            put(lab, node, path, text.as_deref())
        }
        Part::Gone { path } => {
            put(lab, node, path, original(lab, node, path).filter(|_| !is_made).as_deref())
        }
        Part::Link { path, target } => in_tree(lab, node, path, |tree, path| {
            if is_made { tree.link(path, Path::new(target)) } else { tree.remove(path) }
        }),
    }
}

/// A file of the node as the lab wrote it; none where it wrote none.
fn original(lab: &Lab, node: u16, path: &str) -> Option<String> {
    let mut files = files::files(lab, part(lab, node).ok()?).into_iter();
    files.find(|(of, _)| of == path).map(|(_, text)| text)
}

fn put(lab: &Lab, node: u16, path: &str, text: Option<&str>) -> Result<(), LabError> {
    in_tree(lab, node, path, |tree, path| match text {
        Some(text) => tree.write(path, text.as_bytes()),
        None => tree.remove(path),
    })
}

fn in_tree(
    lab: &Lab,
    node: u16,
    path: &str,
    work: impl FnOnce(&crate::files::Tree, &Path) -> std::io::Result<()>,
) -> Result<(), LabError> {
    let Some(directory) = &lab.host_files else { return Ok(()) };
    let path = Path::new(&part(lab, node)?.netns).join(path);
    let failed = |source| LabError::File { path: directory.join(&path), source };
    work(&files::tree(directory)?, &path).map_err(failed)
}

/// A namespace of the lab's, if the one of this name is the one that was built.
fn ours(lab: &Lab, name: &str) -> Result<Namespace, LabError> {
    let namespace = netns::open(name)?;
    let foreign = || LabError::Foreign { name: name.to_owned() };
    let identity = namespace.identity().ok().ok_or_else(foreign)?;
    let noted = registry::noted(&lab.options.prefix);
    if noted.contains(&(name.to_owned(), identity)) { Ok(namespace) } else { Err(foreign()) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_fault_of_the_list_is_made_here_and_nothing_else_is() {
        let listed: BTreeSet<&str> = check::FAULTS.iter().map(|fault| fault.name).collect();
        assert_eq!(listed.len(), check::FAULTS.len(), "a name is there twice");
        for name in &listed {
            assert!(maker(name).is_some(), "nothing makes {name}");
        }
        for (name, _) in makers() {
            assert!(listed.contains(name), "{name} is not listed");
        }
    }
}
