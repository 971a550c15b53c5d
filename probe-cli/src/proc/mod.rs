//! The node's own `/proc`: counters and settings of the kernel's network stack. What is per network namespace is that of the
//! calling thread's: `/proc/thread-self/net` and `/proc/sys/net` follow it.
//!
//! Here belong reading and parsing into [`crate::facts`]. The kernel makes each file inside of `read`, so that nothing waits
//! for anybody; how much is read is bounded nevertheless. What our own process costs is in [`crate::procfs`].

mod conntrack;
mod file;
mod modules;
mod protocol;
mod softnet;
mod stat;
mod sysctl;

pub use self::{
    conntrack::conntrack,
    modules::modules,
    protocol::protocols,
    softnet::softnet,
    stat::{cpu, each_cpu},
    sysctl::sysctls,
};
