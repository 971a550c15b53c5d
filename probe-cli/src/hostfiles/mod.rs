//! What a node's files say of its network: RKE2, k3s, flannel, CNI, Calico, Multus, Whereabouts, and the services that meddle
//! with interfaces. All paths are below a root. Every file is hostile input: reading is bounded, links never lead out of the
//! root, and what cannot be read or understood is a note.
//!
//! What follows from it is decided in [`crate::inventory`].

pub mod facts;
