//! A private multi-node data plane in network namespaces.
