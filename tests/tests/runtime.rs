//! The container runtime and the kubelet, asked over real sockets: what good ones say, and every way in which others do not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states what must hold by panicking")]

use std::{
    fs::{self, Permissions},
    future::Future,
    io::Write as _,
    os::unix::{
        fs::{PermissionsExt as _, chown, symlink},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use overlay_probe::{
    facts::pods::{PodFacts, Sandbox},
    observed::Observed,
    pods::{Deadlines, Follower, Runtime, assignments},
};
use probe_tests::{
    cri::{self, Pod, PodSandboxState},
    grpc::{Answer, Server},
    patience,
};
use prost::Message as _;
use tempfile::TempDir;

/// Short: who hangs here hangs for good.
const SHORT: Deadlines = Deadlines { call: Duration::from_millis(300), refresh: Duration::from_secs(2) };
/// The same beside others that answer, which a busy machine takes a while for.
const LONGER: Deadlines = Deadlines { call: Duration::from_secs(4), refresh: Duration::from_secs(60) };
/// A user who may nothing.
const NOBODY: u32 = 65_534;

/// Longer than anything takes on this machine.
fn long() -> Deadlines {
    Deadlines { call: patience(), refresh: patience() }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A host's root, and where RKE2's containerd listens below it.
fn host() -> (TempDir, PathBuf) {
    let root = TempDir::new().unwrap();
    let socket = root.path().join("run/k3s/containerd/containerd.sock");
    fs::create_dir_all(socket.parent().unwrap()).unwrap();
    (root, socket)
}

fn refresh(root: &Path, deadlines: Deadlines) -> (Observed<Vec<Sandbox>>, Vec<String>) {
    let mut runtime = Runtime::with_deadlines(root, None, deadlines);
    let found = block_on(runtime.refresh());
    (found, runtime.notes().to_vec())
}

fn failure<T: std::fmt::Debug>(found: &Observed<T>) -> String {
    match found {
        Observed::Failed { error } => error.clone(),
        other @ (Observed::Value(_)
        | Observed::Absent
        | Observed::Denied { .. }
        | Observed::Unsupported { .. }) => panic!("{other:?}"),
    }
}

fn names(found: &Observed<Vec<Sandbox>>) -> Vec<&str> {
    found.value().unwrap_or_else(|| panic!("{found:?}")).iter().map(|sandbox| sandbox.name.as_str()).collect()
}

fn shared(pods: Vec<Pod>) -> cri::Pods {
    Arc::new(Mutex::new(pods))
}

#[test]
fn everything_that_a_runtime_says_of_a_pod() {
    let (root, socket) = host();
    let mut ended = Pod::new("ended-0", &[]);
    ended.listed.state = PodSandboxState::NotReady.into();
    let mut host_pod = Pod::new("host-0", &[]);
    host_pod.host_network = true;
    let pods = shared(vec![Pod::new("cart-0", &["192.0.2.7", "2001:db8::7"]), ended, host_pod]);
    let _server = cri::runtime(&socket, &pods);
    let mut runtime = Runtime::with_deadlines(root.path(), None, long());
    let found = block_on(runtime.refresh());
    assert_eq!(runtime.notes(), Vec::<String>::new());
    let by_name = |name: &str| {
        let sandboxes = found.value().unwrap();
        sandboxes.iter().find(|sandbox| sandbox.name == name).unwrap().clone()
    };
    let expected = Sandbox {
        id: cri::id("cart-0"),
        namespace: "shop".to_owned(),
        name: "cart-0".to_owned(),
        uid: "u-cart-0".to_owned(),
        ready: true,
        created_at: 1_700_000_000_000_000_000,
        addresses: vec!["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()],
        netns: Some("/var/run/netns/cni-cart-0".to_owned()),
        host_network: false,
        annotations: [("k8s.v1.cni.cncf.io/networks".to_owned(), "macvlan".to_owned())].into(),
    };
    assert_eq!(by_name("cart-0"), expected);
    assert!(!by_name("ended-0").ready);
    let host_pod = by_name("host-0");
    assert!(host_pod.host_network && host_pod.netns.is_none() && host_pod.addresses.is_empty());
    let told = runtime.told().unwrap();
    assert_eq!((told.name.as_deref(), told.version.as_deref()), (Some("containerd"), Some("v2.0.5-k3s1")));
    assert_eq!(told.socket, socket.display().to_string());
}

#[test]
fn only_new_and_changed_pods_are_asked_about() {
    let (root, socket) = host();
    let many = (0..250).map(|number| Pod::new(&format!("pod-{number:03}"), &["192.0.2.7"])).collect();
    let pods = shared(many);
    let server = cri::runtime(&socket, &pods);
    block_on(async {
        let mut runtime = Runtime::with_deadlines(root.path(), None, long());
        assert_eq!(names(&runtime.refresh().await).len(), 250);
        let statuses = |calls: Vec<String>| calls.iter().filter(|call| *call == "PodSandboxStatus").count();
        assert_eq!(statuses(server.calls()), 250);
        assert_eq!(names(&runtime.refresh().await).len(), 250);
        assert_eq!(server.calls(), ["ListPodSandbox"]);
        // One goes, one comes, one ends, one is being made.
        {
            let mut pods = pods.lock().unwrap();
            pods.remove(0);
            pods[7].listed.state = PodSandboxState::NotReady.into();
            pods.push(Pod::new("new-0", &["192.0.2.9"]));
            pods.push(Pod::new("young-0", &[]));
        }
        assert_eq!(names(&runtime.refresh().await).len(), 251);
        assert_eq!(statuses(server.calls()), 3);
        pods.lock().unwrap().last_mut().unwrap().addresses.push("192.0.2.10".to_owned());
        let found = runtime.refresh().await;
        let young = found.value().unwrap().iter().find(|sandbox| sandbox.name == "young-0").unwrap();
        assert_eq!(young.addresses.len(), 1);
        assert_eq!(statuses(server.calls()), 1);
        let _ = runtime.refresh().await;
        assert_eq!(server.calls(), ["ListPodSandbox"]);
    });
}

#[test]
fn a_pod_that_never_has_an_address_is_asked_about_ever_more_seldom() {
    let (root, socket) = host();
    let server = cri::runtime(&socket, &shared(vec![Pod::new("odd-0", &[])]));
    block_on(async {
        let mut runtime = Runtime::with_deadlines(root.path(), None, long());
        for _ in 0..32 {
            assert_eq!(names(&runtime.refresh().await), ["odd-0"]);
        }
        let asked = server.calls().iter().filter(|call| *call == "PodSandboxStatus").count();
        assert_eq!(asked, 6, "in rounds 1, 2, 4, 8, 16 and 32");
    });
}

#[test]
fn sockets_of_a_host_below_a_root() {
    let root = TempDir::new().unwrap();
    assert_eq!(refresh(root.path(), long()).0, Observed::Absent);
    // CRI-O's path leads through a link that is absolute on the host, and is longer than a socket's address may be.
    let deep = root.path().join("a-long-name".repeat(12));
    fs::create_dir_all(deep.join("run")).unwrap();
    fs::create_dir_all(deep.join("var")).unwrap();
    symlink("/run", deep.join("var/run")).unwrap();
    let pods = shared(vec![Pod::new("cart-0", &["192.0.2.7"])]);
    let near = root.path().join("near.sock");
    let _server = cri::runtime(&near, &pods);
    fs::create_dir(deep.join("run/real")).unwrap();
    symlink("/run/real", deep.join("run/crio")).unwrap();
    fs::rename(&near, deep.join("run/real/crio.sock")).unwrap();
    assert_eq!(names(&refresh(&deep, long()).0), ["cart-0"]);
    // One that is given is a path of our own.
    let mut runtime = Runtime::with_deadlines(&deep, Some(&near), long());
    let trouble = block_on(runtime.refresh()).trouble().unwrap();
    assert!(trouble.contains("near.sock: no such socket"), "{trouble}");
}

#[test]
fn the_first_runtime_that_answers_and_a_word_of_the_others() {
    let (root, socket) = host();
    drop(UnixListener::bind(&socket).unwrap());
    let pods = shared(vec![Pod::new("cart-0", &["192.0.2.7"])]);
    let plain = root.path().join("run/containerd/containerd.sock");
    let _server = cri::runtime(&plain, &pods);
    block_on(async {
        let mut runtime = Runtime::with_deadlines(root.path(), None, long());
        assert_eq!(names(&runtime.refresh().await), ["cart-0"]);
        let [note] = runtime.notes() else { panic!("{:?}", runtime.notes()) };
        assert!(
            note.contains("refused") && note.contains("k3s") && note.contains("answers instead"),
            "{note}"
        );
        // The better one comes back.
        let _better = cri::runtime(&socket, &shared(vec![Pod::new("better-0", &["192.0.2.8"])]));
        assert_eq!(names(&runtime.refresh().await), ["better-0"]);
        assert_eq!(runtime.notes(), Vec::<String>::new());
    });
    // A containerd without CRI, as Docker has one.
    let _docker =
        Server::start(&socket, |_, _| Answer::Status(12, "unknown service runtime.v1.RuntimeService"));
    let (found, notes) = refresh(root.path(), long());
    assert_eq!(names(&found), ["cart-0"]);
    assert!(notes[0].contains("Unimplemented"), "{notes:?}");
}

#[test]
fn a_runtime_that_is_started_again_is_asked_again() {
    let (root, socket) = host();
    let pods = shared(vec![Pod::new("cart-0", &["192.0.2.7"])]);
    let server = cri::runtime(&socket, &pods);
    block_on(async {
        let mut runtime = Runtime::with_deadlines(root.path(), None, long());
        assert_eq!(names(&runtime.refresh().await), ["cart-0"]);
        drop(server);
        let found = runtime.refresh().await;
        assert!(failure(&found).contains("refused"), "what was known is not shown as current: {found:?}");
        assert!(runtime.told().is_none());
        let server = cri::runtime(&socket, &pods);
        assert_eq!(names(&runtime.refresh().await), ["cart-0"]);
        assert_eq!(server.calls(), ["ListPodSandbox", "Version"], "what is known is known");
        drop(server);
        // Between two refreshes.
        let _server = cri::runtime(&socket, &pods);
        assert_eq!(names(&runtime.refresh().await), ["cart-0"]);
    });
}

#[test]
fn nobody_listens_and_no_socket() {
    let (root, socket) = host();
    drop(UnixListener::bind(&socket).unwrap());
    let error = failure(&refresh(root.path(), long()).0);
    assert!(error.contains(&*socket.to_string_lossy()) && error.contains("refused"), "{error}");
    fs::remove_file(&socket).unwrap();
    fs::write(&socket, "").unwrap();
    let error = failure(&refresh(root.path(), long()).0);
    assert!(error.contains("it is not a socket"), "{error}");
    fs::remove_file(&socket).unwrap();
    symlink("containerd.sock", &socket).unwrap();
    let error = failure(&refresh(root.path(), long()).0);
    assert!(error.contains("cannot connect to"), "{error}");
}

#[test]
fn sockets_that_are_not_for_everybody() {
    let (root, socket) = host();
    let _server = cri::runtime(&socket, &shared(Vec::new()));
    let as_nobody = |of: &Path| {
        thread::scope(|scope| {
            let asked = scope.spawn(|| {
                // SAFETY: it takes and gives numbers. The system call, unlike libc's function, is for this thread only.
                let done = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
                assert_eq!(done, 0);
                refresh(of, long()).0
            });
            asked.join().unwrap()
        })
    };
    let denied = Observed::Denied { need: format!("root to use {}", socket.display()) };
    fs::set_permissions(root.path(), Permissions::from_mode(0o700)).unwrap();
    assert_eq!(as_nobody(root.path()), denied);
    fs::set_permissions(root.path(), Permissions::from_mode(0o711)).unwrap();
    fs::set_permissions(&socket, Permissions::from_mode(0o600)).unwrap();
    assert_eq!(as_nobody(root.path()), denied);
    // Who is not root has root's group here.
    fs::set_permissions(&socket, Permissions::from_mode(0o660)).unwrap();
    assert_eq!(as_nobody(root.path()), Observed::Value(Vec::new()));
}

/// What is found at a well-known place may be anybody's; what somebody points to is what they want.
#[test]
fn a_socket_of_another_user_is_not_asked() {
    let (root, socket) = host();
    let server = cri::runtime(&socket, &shared(vec![Pod::new("cart-0", &[])]));
    fs::set_permissions(&socket, Permissions::from_mode(0o666)).unwrap();
    let error = failure(&refresh(root.path(), long()).0);
    assert!(error.contains("every user may write it") && error.contains("--cri-socket"), "{error}");
    fs::set_permissions(&socket, Permissions::from_mode(0o600)).unwrap();
    chown(&socket, Some(NOBODY), None).unwrap();
    let error = failure(&refresh(root.path(), long()).0);
    assert!(error.contains("it belongs to user 65534, not to root"), "{error}");
    let mut given = Runtime::with_deadlines(root.path(), Some(&socket), long());
    assert_eq!(names(&block_on(given.refresh())), ["cart-0"]);
    drop(server);

    // Who listens counts, not only whose file it is.
    fs::remove_file(&socket).unwrap();
    chown(socket.parent().unwrap(), Some(NOBODY), None).unwrap();
    fs::set_permissions(root.path(), Permissions::from_mode(0o711)).unwrap();
    let _listener = thread::scope(|scope| {
        let listening = scope.spawn(|| {
            // SAFETY: it takes and gives numbers. The system call, unlike libc's function, is for this thread only.
            let done = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
            assert_eq!(done, 0);
            UnixListener::bind(&socket).unwrap()
        });
        listening.join().unwrap()
    });
    chown(&socket, Some(0), None).unwrap();
    fs::set_permissions(&socket, Permissions::from_mode(0o600)).unwrap();
    let error = failure(&refresh(root.path(), long()).0);
    assert!(error.contains("user 65534 answers there"), "{error}");
}

#[test]
fn what_a_runtime_says_too_much_is_left_out() {
    let (root, socket) = host();
    let long_path = format!("/run/netns/{}", "n".repeat(1_500_000));
    let addresses: Vec<String> =
        (0..1000).map(|number| format!("10.42.{}.{}", number / 250, number % 250)).collect();
    let mut liar = Pod::new("liar-0", &[]);
    (liar.netns, liar.addresses) = (long_path, addresses);
    liar.listed.annotations.insert("k8s.v1.cni.cncf.io/networks".to_owned(), "n".repeat(100_000));
    let mut name = Pod::new("name-0", &["192.0.2.8"]);
    name.listed.metadata.as_mut().unwrap().name = "n".repeat(100_000);
    let good = Pod::new("good-0", &["192.0.2.7"]);
    let _server = cri::runtime(&socket, &shared(vec![liar, name, good]));
    let (found, notes) = refresh(root.path(), long());
    let found = found.value().unwrap();
    let of = |name: &str| found.iter().find(|sandbox| sandbox.name == name).unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!((of("liar-0").netns.as_ref(), of("liar-0").addresses.len()), (None, 32));
    assert!(of("liar-0").annotations.is_empty());
    assert_eq!(of("good-0").annotations["k8s.v1.cni.cncf.io/networks"], "macvlan");
    assert_eq!(
        notes,
        [
            "the container runtime reports more than is kept; left out: 1 lists of addresses, 1 lists of networks, 1 paths of \
          network namespaces, 1 pod sandboxes with long names"
        ]
    );
}

#[test]
fn one_that_takes_connections_and_says_nothing() {
    let (root, socket) = host();
    let _listener = UnixListener::bind(&socket).unwrap();
    let error = failure(&refresh(root.path(), SHORT).0);
    assert_eq!(error, format!("ListPodSandbox at {}: did not answer within 0.3 s", socket.display()));
}

#[test]
fn one_that_takes_no_connections() {
    let (root, socket) = host();
    let listener = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    listener.bind(&socket2::SockAddr::unix(&socket).unwrap()).unwrap();
    listener.listen(0).unwrap();
    let _first = UnixStream::connect(&socket).unwrap();
    let error = failure(&refresh(root.path(), SHORT).0);
    assert!(error.contains("its queue was full for 0.3 s"), "{error}");
}

#[test]
fn one_that_speaks_something_else() {
    for garbage in ["HTTP/1.1 400 Bad Request\r\n\r\n", "\0\0\0\0\0\0\0\0\0", "x", ""] {
        let (root, socket) = host();
        let listener = UnixListener::bind(&socket).unwrap();
        let talker = thread::spawn(move || {
            // A broken connection is tried once more only when it has worked before.
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.write_all(&garbage.as_bytes().repeat(1000));
        });
        let error = failure(&refresh(root.path(), long()).0);
        // It may hang up before anything is asked.
        let told = error.starts_with("ListPodSandbox at ") || error.starts_with("cannot connect to ");
        assert!(told && error.contains(&*socket.to_string_lossy()), "{garbage:?}: {error}");
        assert!(error.contains("broke") || error.contains("Broken pipe"), "{garbage:?}: {error}");
        talker.join().unwrap();
    }
}

#[test]
fn an_error_has_its_code_and_words() {
    let (root, socket) = host();
    let _server = Server::start(&socket, |_, _| Answer::Status(13, "disk is%0A full"));
    let error = failure(&refresh(root.path(), long()).0);
    assert_eq!(error, format!("ListPodSandbox at {}: answered Internal: disk is\n full", socket.display()));
}

#[test]
fn replies_that_are_too_long_or_no_messages() {
    let (root, socket) = host();
    for (reply, says) in [
        (vec![0; (16 << 20) + 1], "too large"),
        ([0x0a, 0].repeat(100_000), "more than 16384 entries"),
        (vec![0x0a, 0xff], "answered Internal"),
        (vec![0x0a, 2, 0x0a, 0xff], "answered Internal"),
    ] {
        let _server = Server::start(&socket, move |_, _| Answer::Message(reply.clone()));
        let error = failure(&refresh(root.path(), long()).0);
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn pods_without_a_status_are_shown_without_what_it_says() {
    let (root, socket) = host();
    let pods = vec![Pod::new("cart-0", &["192.0.2.7"]), Pod::new("stuck-0", &["192.0.2.8"])];
    let stuck = cri::id("stuck-0");
    let _server = Server::start(&socket, move |method, request| {
        let is_stuck = method.ends_with("Status") && request.windows(64).any(|part| part == stuck.as_bytes());
        if is_stuck { Answer::Silence } else { cri::answer(method, &request, &pods) }
    });
    let (found, notes) = refresh(root.path(), LONGER);
    let [cart, stuck] = found.value().unwrap().as_slice() else { panic!("{found:?}") };
    assert_eq!((cart.addresses.len(), stuck.addresses.len()), (1, 0));
    assert_eq!((stuck.name.as_str(), stuck.netns.as_ref()), ("stuck-0", None));
    let [note] = notes.as_slice() else { panic!("{notes:?}") };
    assert!(note.contains("1 pod sandbox(es)") && note.contains("shop/stuck-0"), "{note}");
    assert!(note.contains("PodSandboxStatus at ") && note.contains("did not answer within 4 s"), "{note}");
}

#[test]
fn a_pod_that_goes_between_list_and_status_is_none() {
    let (root, socket) = host();
    let pods = [Pod::new("cart-0", &["192.0.2.7"]), Pod::new("gone-0", &["192.0.2.8"])];
    let _server = Server::start(&socket, move |method, request| {
        let there = if method.ends_with("Status") { &pods[..1] } else { &pods[..] };
        cri::answer(method, &request, there)
    });
    let (found, notes) = refresh(root.path(), long());
    assert_eq!((names(&found), notes), (vec!["cart-0"], Vec::new()));
}

#[test]
fn hostile_names_are_kept_as_they_are() {
    let (root, socket) = host();
    let mut pod = Pod::new("evil", &["not an address", "192.0.2.7"]);
    "a\u{1b}[2J\u{202e}\n".clone_into(&mut pod.listed.metadata.as_mut().unwrap().name);
    let mut nameless = Pod::new("x", &[]);
    nameless.listed.metadata = None;
    let mut without_id = Pod::new("y", &[]);
    without_id.listed.id.clear();
    let _server = cri::runtime(&socket, &shared(vec![pod, nameless, without_id]));
    let (found, _) = refresh(root.path(), long());
    let mut found = names(&found);
    found.sort_unstable();
    assert_eq!(found, ["", "a\u{1b}[2J\u{202e}\n"]);
}

#[test]
fn devices_that_the_kubelet_has_given() {
    let root = TempDir::new().unwrap();
    let devices = |root: &Path| block_on(assignments(root, SHORT.call));
    assert_eq!(devices(root.path()), Observed::Absent);
    let socket = root.path().join("var/lib/kubelet/pod-resources/kubelet.sock");
    fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let listener = UnixListener::bind(&socket).unwrap();
    let error = failure(&devices(root.path()));
    assert_eq!(error, format!("List at {}: did not answer within 0.3 s", socket.display()));
    drop(listener);
    let error = failure(&devices(root.path()));
    assert!(error.contains("refused") && error.contains("kubelet.sock"), "{error}");
    let _server = cri::kubelet(root.path(), &[("shop", "dpdk-0", "example.com/sriov", "0000:01:10.0")]);
    let found = block_on(assignments(root.path(), patience()));
    let [one] = found.value().unwrap().as_slice() else { panic!("{found:?}") };
    assert_eq!(
        [&one.namespace, &one.pod, &one.container, &one.resource, &one.device],
        ["shop", "dpdk-0", "app", "example.com/sriov", "0000:01:10.0"]
    );
}

#[test]
fn a_follower_waits_for_nobody() {
    let (root, socket) = host();
    let pods = shared(vec![Pod::new("cart-0", &["192.0.2.7"])]);
    let _server = cri::runtime(&socket, &pods);
    let kubelet = root.path().join("var/lib/kubelet/pod-resources/kubelet.sock");
    fs::create_dir_all(kubelet.parent().unwrap()).unwrap();
    let _silent = UnixListener::bind(&kubelet).unwrap();
    block_on(async {
        // It would not ask again by itself.
        let known = Arc::new(PodFacts { notes: vec!["known before".to_owned()], ..PodFacts::default() });
        let mut follower = Follower::start(root.path(), None, patience(), known.clone());
        assert_eq!(follower.latest(), known, "nobody was asked yet");
        let names = |follower: &Follower| -> Vec<String> {
            let latest = follower.latest();
            latest.sandboxes.value().into_iter().flatten().map(|sandbox| sandbox.name.clone()).collect()
        };
        while names(&follower) != ["cart-0"] {
            follower.changed().await;
        }
        pods.lock().unwrap().push(Pod::new("new-0", &["192.0.2.8"]));
        follower.hurry();
        while names(&follower).len() != 2 {
            follower.changed().await;
        }
        let silent = |follower: &Follower| {
            follower.latest().devices.trouble().is_some_and(|trouble| trouble.contains("did not answer"))
        };
        while !silent(&follower) {
            follower.changed().await;
        }
        assert!(follower.latest_if_changed().is_none(), "that was waited for");
    });
}

/// A reply with a byte changed or cut off is an error or other pods, never more than that.
#[test]
fn no_reply_does_harm() {
    let pods = vec![Pod::new("cart-0", &["192.0.2.7"])];
    let Answer::Message(good) = cri::answer("/runtime.v1.RuntimeService/ListPodSandbox", &[], &pods) else {
        panic!()
    };
    assert!(cri::PodSandbox::decode(&good[3..]).is_ok());
    let (root, socket) = host();
    let (turn, bytes) = (Arc::new(Mutex::new(0_usize)), good.clone());
    let _server = Server::start(&socket, move |method, request| {
        if !method.ends_with("ListPodSandbox") {
            return cri::answer(method, &request, &pods);
        }
        let mut turn = turn.lock().unwrap();
        *turn += 1;
        let mut bytes = bytes.clone();
        let at = *turn % bytes.len();
        if turn.is_multiple_of(2) {
            bytes[at] ^= 0xff;
        } else {
            bytes.truncate(at);
        }
        Answer::Message(bytes)
    });
    block_on(async {
        let mut runtime = Runtime::with_deadlines(root.path(), None, long());
        for _ in 0..good.len() {
            match runtime.refresh().await {
                Observed::Value(found) => assert!(found.len() <= 1),
                Observed::Failed { error } => assert!(error.starts_with("ListPodSandbox at "), "{error}"),
                other @ (Observed::Absent | Observed::Denied { .. } | Observed::Unsupported { .. }) => {
                    panic!("{other:?}")
                }
            }
        }
    });
}
