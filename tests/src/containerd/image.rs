//! The image of the process that holds a pod's namespaces: Debian's static busybox, asleep. Made here, since nothing is
//! fetched. An OCI image layout (opencontainers/image-spec image-layout.md) in a tar file, as `ctr images import` takes it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use xtask::digest::sha256;

use crate::sh;

/// Its name in containerd.
pub(super) const NAME: &str = "docker.io/local/pause:1";

/// Where Debian's busybox-static is.
const BUSYBOX: &str = "/bin/busybox";

/// What it runs.
const COMMAND: [&str; 3] = ["/busybox", "sleep", "infinity"];

/// Makes the archive in a directory; returns its path.
pub(super) fn archive(directory: &TempDir) -> PathBuf {
    let at = |name: &str| directory.path().join(name);
    for folder in ["files", "layout", "layout/blobs", "layout/blobs/sha256"] {
        fs::create_dir(at(folder)).unwrap();
    }
    fs::copy(BUSYBOX, at("files/busybox")).unwrap_or_else(|e| panic!("{BUSYBOX} of busybox-static: {e}"));
    tar(&at("files"), &at("layer.tar"));
    let layer = fs::read(at("layer.tar")).unwrap();
    let blobs = at("layout/blobs/sha256");
    let config = json!({
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
        "os": "linux",
        "config": {"Entrypoint": COMMAND},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", sha256(&layer))]},
    });
    let manifest = json!({
        "schemaVersion": 2,
        "config": blob(&blobs, "config.v1+json", config.to_string().as_bytes()),
        "layers": [blob(&blobs, "layer.v1.tar", &layer)],
    });
    let mut manifest = blob(&blobs, "manifest.v1+json", manifest.to_string().as_bytes());
    manifest["annotations"] = json!({"io.containerd.image.name": NAME});
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    fs::write(at("layout/index.json"), index.to_string()).unwrap();
    fs::write(at("layout/oci-layout"), json!({"imageLayoutVersion": "1.0.0"}).to_string()).unwrap();
    let archive = at("image.tar");
    tar(&at("layout"), &archive);
    archive
}

/// Stores a blob under its digest; returns its descriptor.
fn blob(blobs: &Path, kind: &str, bytes: &[u8]) -> Value {
    let digest = sha256(bytes);
    fs::write(blobs.join(&digest), bytes).unwrap();
    json!({
        "mediaType": format!("application/vnd.oci.image.{kind}"),
        "digest": format!("sha256:{digest}"),
        "size": bytes.len(),
    })
}

fn tar(directory: &Path, to: &Path) {
    sh("tar", &["-C", directory.to_str().unwrap(), "-cf", to.to_str().unwrap(), "."]);
}
