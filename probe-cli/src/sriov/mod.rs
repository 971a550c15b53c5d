//! SR-IOV as sysfs shows it: physical functions, their virtual functions, and which driver has them. All paths are below a
//! root, so that a tree of files can stand for a machine. What drivers tell by netlink is in [`crate::netlink`]; whose
//! a VF is, in [`crate::inventory`].

mod functions;
mod stats;
mod sysfs;

pub use functions::network_functions;
pub use sysfs::{is_copy, physical_functions};
