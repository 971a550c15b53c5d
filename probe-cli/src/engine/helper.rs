//! The process that enters network namespaces for this one ([`helper`]), with what it can do there.

use std::io;

use crate::{ebpf, hostfiles, netns::helper, proc};

/// Starts it. Once, and while this process has one thread.
pub fn start_helper() -> io::Result<()> {
    helper::start(helper::Abilities {
        attach: ebpf::attach_here,
        measure: ebpf::measure_here,
        programs: |ids| serde_json::to_vec(&ebpf::costs_of(ids)?).map_err(io::Error::other),
        // What cannot be written down is no answer, which who asks will see.
        sysctls: || serde_json::to_vec(&proc::sysctls()).unwrap_or_default(),
        lease: hostfiles::open_lease,
    })
}
