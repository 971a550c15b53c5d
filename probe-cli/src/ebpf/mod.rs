//! The eBPF object: the only place that imports aya. Loads, attaches, reads counters.
