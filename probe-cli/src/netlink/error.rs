//! What can go wrong with netlink on the read side. No recovery here.

use std::io;

/// Talking to the kernel failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetlinkError {
    /// The socket could not be made.
    #[error("cannot open a netlink socket ({step}): {source}; a sandbox may forbid AF_NETLINK")]
    Open {
        /// What was being done to it.
        step: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The network namespace that it should be in could not be entered.
    #[error(transparent)]
    Enter(#[from] crate::netns::NetnsError),
    /// A request could not be sent.
    #[error("cannot ask the kernel for {table}: {source}")]
    Send {
        /// What was asked for.
        table: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// An answer could not be read.
    #[error("cannot read the kernel's {table}: {source}")]
    Receive {
        /// What was being read.
        table: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The kernel answered with an error.
    #[error("the kernel refused to list {table}: {source}")]
    Refused {
        /// What was asked for.
        table: &'static str,
        /// The errno it gave.
        source: io::Error,
    },
    /// A file that was given for a network namespace is none.
    #[error("this is not a network namespace but a plain file, as an unmounted one leaves behind; remove it")]
    NoNamespace,
    /// An answer that is no netlink message or did not fit the buffer, so what follows it is lost.
    #[error("the kernel's {table} came as a malformed datagram of {len} bytes; nothing after it can be read")]
    Datagram {
        /// What was being read.
        table: &'static str,
        /// Length of the datagram in bytes.
        len: usize,
    },
    /// Traffic control could not be read or changed.
    #[error("cannot {operation}: {source}")]
    TrafficControl {
        /// What was tried.
        operation: &'static str,
        /// The cause.
        source: rtnetlink::Error,
    },
}

/// One message that cannot be understood. It is left out; the others stand.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub(super) enum DecodeError {
    /// Shorter than its fixed part.
    #[error("{message} has {len} bytes, its fixed part alone takes {need}")]
    Short {
        /// The kernel's name of the message.
        message: &'static str,
        /// Bytes present.
        len: usize,
        /// Bytes needed.
        need: usize,
    },
    /// An attribute says it is longer than what is left, or shorter than its own header.
    #[error("{message}: attribute {attribute} says it has {len} bytes, which does not fit the message")]
    Overrun {
        /// The kernel's name of the message.
        message: &'static str,
        /// Attribute number.
        attribute: u16,
        /// Length it claims, header included.
        len: usize,
    },
    /// An attribute of a size that its type does not have.
    #[error("{message}: attribute {attribute} has an invalid length ({len} bytes)")]
    Size {
        /// The kernel's name of the message.
        message: &'static str,
        /// Attribute number.
        attribute: u16,
        /// Bytes present.
        len: usize,
    },
    /// Something that the kernel always sends is not there, or is out of range.
    #[error("{message} has no usable {what}")]
    Missing {
        /// The kernel's name of the message.
        message: &'static str,
        /// What is not there.
        what: &'static str,
    },
}
