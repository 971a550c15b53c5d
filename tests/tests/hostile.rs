//! What a user of the node without any privilege may do to root who looks at it: nothing. Needs root.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{
    fs,
    process::{Child, Command, Stdio},
};

use probe_tests::{tool::binary, wait_for};

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // The test's own failure is the one to show.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// flanneld has its lease where only it sees it, and so would a process that only is called so: of nobody, with a root of its
/// own, and a lease that is a link to the kernel's messages, which never end.
#[test]
fn a_process_called_flanneld_is_not_believed_and_holds_nobody_up() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().display();
    let script = format!(
        "mount --rbind / {root} && mount -t tmpfs none {root}/run && mkdir {root}/run/flannel && \
         ln -s /proc/kmsg {root}/run/flannel/subnet.env && cp $(readlink -f /bin/sleep) {root}/run/flanneld && \
         chmod 755 {root}/run/flanneld && exec chroot --userspec=65534:65534 {root} /run/flanneld 600"
    );
    let child = Command::new("unshare").args(["--mount", "sh", "-c", &script]).stdin(Stdio::null()).spawn();
    let child = Killed(child.unwrap());
    let comm = format!("/proc/{}/comm", child.0.id());
    wait_for("a process called flanneld", || {
        fs::read_to_string(&comm).is_ok_and(|name| name.trim() == "flanneld").then_some(())
    });
    let output = Command::new("timeout")
        .args(["--signal=KILL", "120"])
        .arg(binary())
        .args(["show", "node", "--format", "json"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.trim_end().ends_with('}'), "{:?}: {said}", output.status);
    assert!(!said.contains(&format!("/proc/{}/", child.0.id())), "{said}");
}
