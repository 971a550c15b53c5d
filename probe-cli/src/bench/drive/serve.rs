//! `bench serve`: takes in what `bench run --to` sends from another machine, counts it and answers. It listens where it is told to
//! and nowhere else, and everything that it does for others is bounded: how many may be waiting, how many clients measure (one), how long
//! and how much. It sends no more than it is sent.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use thiserror::Error;

use self::slice::Slice;
use super::{
    far::{GLANCE, accept_timeout, echo, knocked, patient, sink},
    lines::{LineError, Lines},
};
use crate::{
    bench::{
        meter::{self, Path, Point},
        result::Machine,
        wire::{Answer, Ask, KNOCK, Purpose, Token, VERSION},
    },
    privilege,
};

mod slice;

/// Connections at most that have not shown the token yet, and those of one address.
const MOST_WAITING: usize = 32;
const MOST_WAITING_OF_ONE: usize = 8;
/// How long one may take for it.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Sessions at most: one has two when it measures beside the overlay as well.
const MOST_SESSIONS: usize = 4;
/// A session that asks nothing for so long is over.
const IDLE: Duration = Duration::from_secs(180);
/// How long a slice waits for what is under way when it is over.
const LINGER: Duration = Duration::from_secs(20);

/// What is allowed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a session may last.
    pub session: Duration,
    /// How many bytes a session may send.
    pub bytes: u64,
}

/// Why it does not listen.
#[derive(Debug, Error)]
pub enum ServeError {
    /// An address.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// What it has no use for could not be given up.
    #[error(transparent)]
    Privilege(#[from] privilege::PrivilegeError),
    /// No thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
}

/// What happened, for who started it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A session began.
    Began(SocketAddr),
    /// It is over, and why.
    Ended(SocketAddr, String),
    /// Somebody was refused.
    Refused(SocketAddr, String),
}

/// One address that is listened at, for connections and for datagrams.
#[derive(Debug)]
struct Door {
    listener: TcpListener,
    datagrams: Arc<UdpSocket>,
}

/// A server that listens and has not begun to answer.
#[derive(Debug)]
pub struct Server {
    doors: Vec<Door>,
    token: Token,
    limits: Limits,
}

/// Whom to tell what happened.
type Told = Box<dyn Fn(Event) + Send + Sync>;

/// What all of its threads share.
struct Shared {
    token: Token,
    limits: Limits,
    machine: Machine,
    stop: Arc<AtomicBool>,
    told: Told,
    state: Mutex<State>,
    /// Threads that have not ended.
    threads: AtomicUsize,
}

#[derive(Default)]
struct State {
    /// Connections without a token, by their address.
    waiting: BTreeMap<IpAddr, usize>,
    /// Sessions with the client that they are of: one client at a time.
    sessions: BTreeMap<u64, u64>,
    /// The slice that is being measured, with its session. There is one at a time.
    slice: Option<(u64, Arc<Slice>)>,
}

impl Server {
    /// Listens at these addresses, with TCP and UDP on the same port.
    pub fn bind(addresses: &[SocketAddr], token: Token, limits: Limits) -> Result<Self, ServeError> {
        let bind = |address: &SocketAddr| -> Result<Door, ServeError> {
            let failed = |source| ServeError::Listen { address: *address, source };
            let listener = TcpListener::bind(address).map_err(failed)?;
            accept_timeout(&listener).map_err(failed)?;
            let own = listener.local_addr().map_err(failed)?;
            let datagrams = UdpSocket::bind(own).map_err(failed)?;
            datagrams.set_read_timeout(Some(GLANCE)).map_err(failed)?;
            Ok(Door { listener, datagrams: Arc::new(datagrams) })
        };
        let doors = addresses.iter().map(bind).collect::<Result<_, _>>()?;
        Ok(Self { doors, token, limits })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.doors.iter().filter_map(|door| door.listener.local_addr().ok()).collect()
    }

    /// Answers until it is to stop; then everything is ended and closed.
    pub fn run(self, stop: &Arc<AtomicBool>, told: Told) -> Result<(), ServeError> {
        // Whatever comes is handled by threads that can do nothing but that.
        privilege::give_up_all()?;
        let shared = Arc::new(Shared {
            token: self.token,
            limits: self.limits,
            machine: meter::machine(),
            stop: Arc::clone(stop),
            told,
            state: Mutex::default(),
            threads: AtomicUsize::new(0),
        });
        for door in self.doors {
            let worker = Arc::clone(&shared);
            shared.start(move || worker.answer(&door)).map_err(ServeError::Thread)?;
        }
        while !shared.stopped() {
            thread::sleep(GLANCE);
        }
        shared.lock().abort();
        // Each looks every glance whether it is to end.
        let deadline = Instant::now() + Duration::from_secs(10);
        while shared.threads.load(Ordering::Acquire) > 0 && Instant::now() < deadline {
            thread::sleep(GLANCE / 10);
        }
        Ok(())
    }
}

impl State {
    fn abort(&mut self) {
        if let Some((_, slice)) = self.slice.take() {
            slice.abort();
        }
    }
}

/// Counts a thread as long as it lives, however it ends.
struct Alive(Arc<Shared>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.threads.fetch_sub(1, Ordering::Release);
    }
}

/// A number that nobody guesses.
fn unguessable() -> io::Result<u64> {
    random::<8>().map(u64::from_ne_bytes)
}

/// Random bytes of the kernel.
pub fn random<const LENGTH: usize>() -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    // SAFETY: the buffer is LENGTH bytes long and lives through the call.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), LENGTH, 0) };
    if usize::try_from(got).is_ok_and(|got| got == LENGTH) {
        Ok(bytes)
    } else {
        Err(io::Error::last_os_error())
    }
}

impl Shared {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(self: &Arc<Self>, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.fetch_add(1, Ordering::AcqRel);
        let alive = Alive(Arc::clone(self));
        let started = thread::Builder::new().name("bench-serve".to_owned()).spawn(move || {
            let _alive = alive;
            work();
        });
        started.map(drop)
    }

    /// Takes in connections of one address.
    fn answer(self: &Arc<Self>, door: &Door) {
        while !self.stopped() {
            let (stream, peer) = match patient(door.listener.accept()) {
                Ok(Some(came)) => came,
                Ok(None) => continue,
                // Somebody went at once; or there are no more descriptors, and waiting helps.
                Err(_) => {
                    thread::sleep(GLANCE);
                    continue;
                }
            };
            if self.is_knock(&stream, peer.ip()) {
                knocked(&stream);
                continue;
            }
            if !self.wait(peer.ip()) {
                // Too many that say nothing: closed without a word.
                continue;
            }
            let (worker, datagrams) = (Arc::clone(self), Arc::clone(&door.datagrams));
            let started = self.start(move || worker.connection(stream, peer, &datagrams));
            if started.is_err() {
                self.no_longer_waiting(peer.ip());
            }
        }
    }

    /// Whether it is a connection of the slice that is being measured, which is opened and closed only.
    fn is_knock(&self, stream: &TcpStream, peer: IpAddr) -> bool {
        let slice = self.lock().slice.clone();
        let expects = slice.is_some_and(|(_, slice)| slice.knocks_from(peer));
        let mut first = [0];
        expects
            && stream.set_read_timeout(Some(GLANCE)).is_ok()
            && stream.peek(&mut first).is_ok_and(|read| read > 0)
            && first == [KNOCK]
    }

    /// Lets a connection wait for its token, unless too many do.
    fn wait(&self, peer: IpAddr) -> bool {
        let mut state = self.lock();
        let all: usize = state.waiting.values().sum();
        let of_one = state.waiting.get(&peer).copied().unwrap_or(0);
        let has_room = all < MOST_WAITING && of_one < MOST_WAITING_OF_ONE;
        if has_room {
            state.waiting.insert(peer, of_one + 1);
        }
        has_room
    }

    fn no_longer_waiting(&self, peer: IpAddr) {
        let mut state = self.lock();
        match state.waiting.get_mut(&peer) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) => drop(state.waiting.remove(&peer)),
            None => {}
        }
    }

    /// A connection from its first message to its end.
    fn connection(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, datagrams: &Arc<UdpSocket>) {
        let hello = Lines::new(stream).map_err(LineError::from).and_then(|mut lines| {
            let hello = lines.read(HANDSHAKE, || !self.stopped())?;
            Ok((lines, hello))
        });
        self.no_longer_waiting(peer.ip());
        let (mut lines, hello) = match hello {
            Ok(hello) => hello,
            Err(error) => return (self.told)(Event::Refused(peer, error.to_string())),
        };
        let purpose = match self.allowed(&hello) {
            Ok(purpose) => purpose,
            Err(why) => {
                // Who is refused need not listen.
                let _ = lines.write(&Answer::Refused { why: why.to_owned() });
                return (self.told)(Event::Refused(peer, why.to_owned()));
            }
        };
        match purpose {
            Purpose::Session { client } => self.session(lines, peer, client, datagrams),
            Purpose::Sink { session } => self.flow(lines, session, sink),
            Purpose::Echo { session } => self.flow(lines, session, echo),
        }
    }

    /// What a connection is for, if it may.
    fn allowed(&self, hello: &Ask) -> Result<Purpose, &'static str> {
        match hello {
            // The token first: a stranger learns nothing else.
            Ask::Hello { token, .. } if !self.token.is(token) => Err("wrong token"),
            Ask::Hello { version, .. } if *version != VERSION => {
                Err("another version of the protocol: use the same version of overlay-probe at both ends")
            }
            Ask::Hello { purpose, .. } => Ok(*purpose),
            Ask::Begin { .. } | Ask::Mark | Ask::End => Err("no token"),
        }
    }

    /// A connection that carries a load.
    fn flow(
        &self,
        mut lines: Lines,
        session: u64,
        work: fn(&TcpStream, &super::far::Counter) -> io::Result<()>,
    ) {
        let slice = self.lock().slice.clone().filter(|(id, _)| *id == session).map(|(_, slice)| slice);
        let entered = slice.as_ref().map(|slice| slice.enter(lines.stream()));
        let (Some(slice), Some(Ok(_inside))) = (&slice, &entered) else {
            let why = match entered {
                Some(Err(why)) => why,
                Some(Ok(_)) | None => "this session measures nothing now".to_owned(),
            };
            let _ = lines.write(&Answer::Refused { why });
            return;
        };
        let welcome = Answer::Welcome { session, machine: None, devices: Vec::new() };
        if lines.write(&welcome).is_err() {
            return;
        }
        let Ok(stream) = lines.into_stream() else { return };
        // How it ended is seen by who sends.
        let _ = work(&stream, slice.counter());
    }

    fn session(
        self: &Arc<Self>,
        mut lines: Lines,
        peer: SocketAddr,
        client: u64,
        datagrams: &Arc<UdpSocket>,
    ) {
        let entered = unguessable().map_err(|error| error.to_string()).and_then(|id| {
            let mut state = self.lock();
            if state.sessions.len() >= MOST_SESSIONS || state.sessions.values().any(|one| *one != client) {
                return Err("busy: somebody else is measuring".to_owned());
            }
            state.sessions.insert(id, client);
            Ok(id)
        });
        let id = match entered {
            Ok(id) => id,
            Err(why) => {
                let _ = lines.write(&Answer::Refused { why: why.clone() });
                return (self.told)(Event::Refused(peer, why));
            }
        };
        (self.told)(Event::Began(peer));
        let ended = self.talk(&mut lines, id, peer.ip(), datagrams);
        let mut state = self.lock();
        state.sessions.remove(&id);
        if state.slice.as_ref().is_some_and(|(session, _)| *session == id) {
            state.abort();
        }
        drop(state);
        let why = match ended {
            Ok(()) | Err(LineError::Closed) => "the other end is done".to_owned(),
            Err(error) => {
                let _ = lines.write(&Answer::Refused { why: error.to_string() });
                error.to_string()
            }
        };
        (self.told)(Event::Ended(peer, why));
    }

    /// Answers a session's messages until it ends.
    fn talk(
        self: &Arc<Self>,
        lines: &mut Lines,
        id: u64,
        peer: IpAddr,
        datagrams: &Arc<UdpSocket>,
    ) -> Result<(), LineError> {
        let refused = |why: &str| LineError::Io(io::Error::other(why.to_owned()));
        let began = Instant::now();
        let point = lines.stream().local_addr().map(|own| Point::here("server", &[own.ip()]));
        let path =
            Path { sending: Vec::new(), receiving: point.ok().and_then(Result::ok).into_iter().collect() };
        // What cannot be read is not told.
        let devices = path.devices().unwrap_or_default();
        lines.write(&Answer::Welcome { session: id, machine: Some(self.machine.clone()), devices })?;
        let mut bytes = 0;
        loop {
            let own = self.lock().slice.clone().filter(|(session, _)| *session == id).map(|(_, slice)| slice);
            let moved = |slice: &Option<Arc<Slice>>| slice.as_ref().map_or(0, |slice| slice.bytes());
            let is_within =
                || bytes + moved(&own) <= self.limits.bytes && began.elapsed() <= self.limits.session;
            let read = lines.read(IDLE, || !self.stopped() && is_within());
            let ask = match read {
                Err(LineError::Stopped) if self.stopped() => return Err(refused("the server was stopped")),
                Err(LineError::Stopped) => {
                    return Err(refused("the limits of a session are reached (--max-time, --max-gigabytes)"));
                }
                Err(LineError::Late(_)) => return Err(refused("nothing was asked for too long")),
                read => read?,
            };
            match (ask, own) {
                (Ask::Begin { datagrams: counts, knocks, device }, None) => {
                    let slice = Slice::new(&path, knocks.then_some(peer), device);
                    let slice = Arc::new(slice.map_err(|why| refused(&why))?);
                    let mut state = self.lock();
                    if state.slice.is_some() {
                        return Err(refused("busy: another session of this client is measuring"));
                    }
                    state.slice = Some((id, Arc::clone(&slice)));
                    drop(state);
                    if counts {
                        let socket = Arc::clone(datagrams);
                        self.start(move || slice.count_datagrams(&socket, id))?;
                    }
                    lines.write(&Answer::Ready)?;
                }
                (Ask::Mark, Some(slice)) => {
                    let arrived = slice.mark(&path).map_err(|why| refused(&why))?;
                    lines.write(&Answer::Marked(arrived))?;
                }
                (Ask::End, Some(slice)) => {
                    let ended = slice.end(&path, LINGER);
                    bytes += slice.bytes();
                    self.lock().abort();
                    lines.write(&ended)?;
                }
                (Ask::Hello { .. } | Ask::Begin { .. } | Ask::Mark | Ask::End, _) => {
                    return Err(refused("this cannot be asked now"));
                }
            }
        }
    }
}
