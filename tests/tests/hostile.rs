//! What a user of the node without any privilege may do to root who looks at it: nothing. Needs root.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{
    fs,
    process::{Command, Stdio},
};

use probe_tests::{
    tool::{Killed, binary},
    wait_for,
};
use tempfile::TempDir;

/// A process that ends with this, and the directory that is its root. To remove that earlier would take the mounts off it: the
/// kernel detaches them in every mount namespace (`detach_mounts()`), on 7.3 with what is mounted below.
struct Flanneld(Killed, #[expect(dead_code, reason = "held until the process has ended")] TempDir);

/// A process that is called flanneld, of this user, with a root of its own in which `lease` makes a lease.
fn flanneld(user: &str, lease: &str) -> Flanneld {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().display();
    let script = format!(
        "mount --rbind / {root} && mount -t tmpfs none {root}/run && mkdir {root}/run/flannel && cd {root}/run/flannel && \
         {lease} && cp $(readlink -f /bin/sleep) {root}/run/flanneld && chmod 755 {root}/run/flanneld && \
         exec chroot --userspec={user} {root} /run/flanneld 600"
    );
    let child = Command::new("unshare").args(["--mount", "sh", "-c", &script]).stdin(Stdio::null()).spawn();
    let child = Flanneld(Killed(child.unwrap()), directory);
    let comm = format!("/proc/{}/comm", child.0.0.id());
    wait_for("a process called flanneld", || {
        fs::read_to_string(&comm).is_ok_and(|name| name.trim() == "flanneld").then_some(())
    });
    child
}

/// flanneld has its lease where only it sees it. Who looks may not look there any more by then, and asks who may.
#[test]
fn the_lease_of_the_true_flanneld_is_read() {
    let lease = "printf 'FLANNEL_NETWORK=10.42.0.0/16\\nFLANNEL_SUBNET=10.42.7.1/24\\n' > subnet.env";
    let child = flanneld("0:0", lease);
    let output = Command::new(binary()).args(["-v", "show", "node", "--format", "json"]).output().unwrap();
    let (said, told) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr).into_owned());
    let path = format!("/proc/{}/{}/run/flannel/subnet.env", child.0.0.id(), "root");
    assert!(said.contains("10.42.7.0/24") && said.contains(&path), "{told}{said}");
    // Which of both depends on how the kernel was built and started.
    let landlock = ["only what this command still opens can be opened", "this kernel has no Landlock"];
    assert!(landlock.iter().any(|words| told.contains(words)), "{told}");
}

/// So would a process that only is called so: of nobody, with a lease that is a link to the kernel's messages, which never end.
#[test]
fn a_process_called_flanneld_is_not_believed_and_holds_nobody_up() {
    let child = flanneld("65534:65534", "ln -s /proc/kmsg subnet.env");
    let output = Command::new("timeout")
        .args(["--signal=KILL", "120"])
        .arg(binary())
        .args(["show", "node", "--format", "json"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.trim_end().ends_with('}'), "{:?}: {said}", output.status);
    assert!(!said.contains(&format!("/proc/{}/", child.0.0.id())), "{said}");
}
