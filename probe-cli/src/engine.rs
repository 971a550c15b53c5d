//! Runs the sources and makes samples and inventories of them.
