//! What can go wrong with the lab.

use std::{io, path::PathBuf};

use thiserror::Error;

use crate::{netlink::configure::ConfigureError, netns::NetnsError};

/// See the module.
#[derive(Debug, Error)]
pub enum LabError {
    /// A prefix that cannot be part of a namespace's name.
    #[error(
        "{prefix:?} is not a valid prefix for a lab: use 1 to 24 letters, digits and '-', starting with a letter"
    )]
    Prefix {
        /// What was asked for.
        prefix: String,
    },
    /// There is one already.
    #[error(
        "a lab with prefix {prefix} exists already; remove it with `overlay-probe lab down --prefix {prefix}`"
    )]
    Exists {
        /// Its prefix.
        prefix: String,
    },
    /// Somebody has the names.
    #[error(
        "cannot build a lab with prefix {prefix}: there are network namespaces of such names already ({names}); use another \
         --prefix, or remove them with `overlay-probe lab down --prefix {prefix}`"
    )]
    Taken {
        /// The prefix.
        prefix: String,
        /// The names.
        names: String,
    },
    /// They are named like a lab's.
    #[error(
        "removed {removed} namespaces, and left {names}: nothing says that the lab made them; `lab down --force` removes \
         network namespaces of such names all the same"
    )]
    NotOurs {
        /// The names.
        names: String,
        /// What was removed beside them.
        removed: usize,
    },
    /// There is none.
    #[error("there is no lab with prefix {prefix}; build it with `overlay-probe lab up --prefix {prefix}`")]
    NoLab {
        /// The prefix.
        prefix: String,
    },
    /// It has no such part.
    #[error("the lab has no {what}")]
    NoPart {
        /// What was asked for.
        what: String,
    },
    /// A fault that there is not.
    #[error("there is no fault called {name:?}; `overlay-probe lab fault --list` lists them")]
    NoFault {
        /// What was asked for.
        name: String,
    },
    /// A fault that this lab cannot be given.
    #[error("the fault {name} needs {need}")]
    Unfit {
        /// The fault.
        name: String,
        /// What the lab must be or have.
        need: &'static str,
    },
    /// A node has the fault already, or has it not.
    #[error("{node} {has} the fault {name}")]
    Faulty {
        /// The node's namespace.
        node: String,
        /// The fault.
        name: String,
        /// "has already", "has not".
        has: &'static str,
    },
    /// A namespace that the lab did not make.
    #[error("{name} is not the namespace that the lab made: nothing in it is changed")]
    Foreign {
        /// Its name.
        name: String,
    },
    /// The kernel cannot make the tunnels that were asked for.
    #[error("this kernel has no WireGuard; use --dataplane vxlan")]
    NoWireguard,
    /// A namespace.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// A configuration step.
    #[error(transparent)]
    Configure(ConfigureError),
    /// The registry.
    #[error("cannot write {path}: {source}")]
    Registry {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file of a node.
    #[error("cannot write {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A socket.
    #[error("cannot {operation} between {from} and {to}: {source}")]
    Send {
        /// What was tried.
        operation: &'static str,
        /// Sending namespace.
        from: String,
        /// Receiving namespace.
        to: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl From<ConfigureError> for LabError {
    fn from(error: ConfigureError) -> Self {
        if matches!(error, ConfigureError::NoSuchDevices { kind: "WireGuard" }) {
            Self::NoWireguard
        } else {
            Self::Configure(error)
        }
    }
}
