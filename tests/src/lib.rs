//! What the integration tests share: namespaces, traffic, outside judges. No tests here.
