//! Capabilities: what is needed, what is missing, giving up the rest.
