//! A process of its own that enters other network namespaces for the rest of the tool, and does nothing else: so that who reads
//! what pods and files say need not keep `CAP_SYS_ADMIN`. It parses no answer of anybody: it hands out sockets and
//! descriptors, of other processes' namespaces and of flanneld's lease too, which a process below Landlock cannot see itself, and says what
//! the kernel tells of programs.
//!
//! Here belongs asking it; how both talk is in `wire`, what it does in `serve`.

mod serve;
mod wire;

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use nix::{
    sys::socket::{
        self, AddressFamily, SockFlag, SockProtocol, SockType, setsockopt, socketpair,
        sockopt::ReceiveTimeout,
    },
    unistd::{ForkResult, fork},
};

use self::wire::{Request, What};
use super::{Namespace, of_handle};

/// What it does for others, in the namespace that it is in when it is called.
#[derive(Clone, Copy, Debug)]
pub struct Abilities {
    /// Puts a program on the interface of this index, on egress or else on ingress, and gives the link.
    pub attach: fn(BorrowedFd<'_>, u32, bool) -> io::Result<OwnedFd>,
    /// Has the kernel take the time of programs while what it gives is open.
    pub measure: fn() -> io::Result<OwnedFd>,
    /// What the kernel tells of the programs with these numbers, as who asks reads it.
    pub programs: fn(&[u32]) -> io::Result<Vec<u8>>,
    /// The namespace's sysctls, as who asks reads them.
    pub sysctls: fn() -> Vec<u8>,
    /// Opens flanneld's lease below the root of its process, by the host's root; with the number of that process.
    pub lease: fn(&Path) -> io::Result<(u32, File)>,
}

/// A kind of socket that is opened in another namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketKind {
    /// rtnetlink.
    Route,
    /// Generic netlink.
    Generic,
    /// What ioctls about interfaces are made on.
    Interfaces,
}

/// Opens one in the calling thread's namespace.
pub(super) fn open_socket(kind: SocketKind) -> io::Result<OwnedFd> {
    let (family, kind, protocol) = match kind {
        SocketKind::Route => (AddressFamily::Netlink, SockType::Raw, Some(SockProtocol::NetlinkRoute)),
        SocketKind::Generic => (AddressFamily::Netlink, SockType::Raw, Some(SockProtocol::NetlinkGeneric)),
        SocketKind::Interfaces => (AddressFamily::Inet, SockType::Datagram, None),
    };
    Ok(socket::socket(family, kind, SockFlag::SOCK_CLOEXEC, protocol)?)
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// This process' end.
struct Connection {
    socket: OwnedFd,
    /// Of the last request: an answer that came too late for its own is told by it.
    sequence: u32,
}

static HELPER: OnceLock<Mutex<Connection>> = OnceLock::new();

/// Starts it. Once, while the process has one thread. It has what this process has, gives up what it has no use for, and ends
/// when this process does.
pub fn start(abilities: Abilities) -> io::Result<()> {
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
    let parent = nix::unistd::getpid();
    // SAFETY: there is one thread, so that no lock is held by another; the child runs nothing but `serve`, which ends it.
    match unsafe { fork() }? {
        ForkResult::Child => {
            drop(ours);
            serve::serve(&theirs, parent, abilities)
        }
        ForkResult::Parent { .. } => {
            let timeout = nix::sys::time::TimeVal::new(i64::try_from(PATIENCE.as_secs()).unwrap_or(1), 0);
            setsockopt(&ours, ReceiveTimeout, &timeout)?;
            let connection = Connection { socket: ours, sequence: 0 };
            HELPER.set(Mutex::new(connection)).map_err(|_there| io::Error::other("it was started before"))
        }
    }
}

/// Whether it was started.
pub fn is_there() -> bool {
    HELPER.get().is_some()
}

fn connection() -> Option<MutexGuard<'static, Connection>> {
    HELPER.get().map(|helper| helper.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A socket in another namespace; none where there is no helper.
pub(super) fn socket(namespace: &Namespace, kind: SocketKind) -> Option<io::Result<OwnedFd>> {
    let request = Request::of(What::Socket { kind });
    Some(connection()?.ask(&request, &[namespace.file.as_fd()]).and_then(Answer::descriptor))
}

/// Opens a namespace of a path that this process may not follow; none where there is no helper.
pub(super) fn open_below(root: &Path, path: &str) -> Option<io::Result<Namespace>> {
    let mut text = root.as_os_str().as_bytes().to_vec();
    text.push(0);
    text.extend_from_slice(path.as_bytes());
    let answer = connection()?.ask(&Request { what: What::Open, text }, &[]).and_then(Answer::descriptor);
    // It is checked here, too: what it is decides what is done with it.
    Some(answer.and_then(|handle| of_handle(path, &handle)))
}

/// Puts a program on an interface in another namespace; none where there is no helper.
pub fn attach(
    program: BorrowedFd<'_>,
    namespace: &Namespace,
    ifindex: u32,
    is_egress: bool,
) -> Option<io::Result<OwnedFd>> {
    let request = Request::of(What::Attach { ifindex, is_egress });
    Some(connection()?.ask(&request, &[program, namespace.file.as_fd()]).and_then(Answer::descriptor))
}

/// Has the kernel take the time of programs while what this gives is open; none where there is no helper.
pub fn measure() -> Option<io::Result<OwnedFd>> {
    Some(connection()?.ask(&Request::of(What::Measure), &[]).and_then(Answer::descriptor))
}

/// What the kernel tells of programs, as [`Abilities::programs`] says it; none where there is no helper.
pub fn programs(ids: &[u32]) -> Option<io::Result<Vec<u8>>> {
    let request = Request { what: What::Programs, text: wire::numbers(ids) };
    Some(connection()?.ask(&request, &[]).map(|answer| answer.bytes))
}

/// The sysctls of another namespace, as [`Abilities::sysctls`] says them; none where there is no helper.
pub fn sysctls(namespace: &Namespace) -> Option<io::Result<Vec<u8>>> {
    let answer = connection()?.ask(&Request::of(What::Sysctls), &[namespace.file.as_fd()]);
    Some(answer.map(|answer| answer.bytes))
}

/// Flanneld's lease, open to be read, and the number of its process; none where there is no helper.
pub fn lease(root: &Path) -> Option<io::Result<(u32, File)>> {
    let request = Request { what: What::Lease, text: root.as_os_str().as_bytes().to_vec() };
    let answer = connection()?.ask(&request, &[]);
    Some(answer.and_then(|answer| {
        let pid = answer.bytes.first_chunk().copied().map(u32::from_ne_bytes);
        let pid = pid.ok_or_else(|| io::Error::other("the helper process gave no process number"))?;
        Ok((pid, answer.descriptor()?.into()))
    }))
}

/// The namespaces of processes, by device and inode; none where there is no helper, or without an answer.
pub(super) fn of_processes() -> Option<BTreeSet<(u64, u64)>> {
    let answer = connection()?.ask(&Request::of(What::Held), &[]).ok()?;
    Some(wire::identities(&answer.bytes))
}

/// What it answered.
struct Answer {
    bytes: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

impl Answer {
    fn descriptor(mut self) -> io::Result<OwnedFd> {
        self.descriptors.pop().ok_or_else(|| io::Error::other("the helper process gave no descriptor"))
    }
}

impl Connection {
    fn ask(&mut self, request: &Request, descriptors: &[BorrowedFd<'_>]) -> io::Result<Answer> {
        // Not as a closed pipe: that would be the reader of stdout.
        let gone = |_: io::Error| io::Error::other("the process that enters namespaces has ended");
        self.sequence = self.sequence.wrapping_add(1);
        wire::send(self.socket.as_fd(), &request.encode(self.sequence), descriptors).map_err(gone)?;
        let until = Instant::now() + PATIENCE;
        let mut buffer = vec![0; wire::LONGEST];
        while Instant::now() < until {
            let (length, descriptors) = match wire::receive(self.socket.as_fd(), &mut buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(gone(error)),
            };
            let received = buffer.get(..length).unwrap_or_default();
            let answer = wire::decode_answer(received).ok_or(io::ErrorKind::UnexpectedEof);
            let (sequence, outcome) = answer.map_err(|kind| gone(kind.into()))?;
            if sequence == self.sequence {
                return outcome.map(|bytes| Answer { bytes: bytes.to_vec(), descriptors });
            }
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "the process that enters namespaces does not answer"))
    }
}
