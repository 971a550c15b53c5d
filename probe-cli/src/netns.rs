//! Network namespaces: by name or path, entered per thread.
