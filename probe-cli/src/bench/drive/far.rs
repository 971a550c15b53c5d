//! The far end of a slice: what takes in what is sent, counts it and answers. In a lab it runs in this process ([`Local`]), else on
//! another machine (`remote`); who sends cannot tell.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::pins::{Pins, settle};
use crate::{
    bench::{facts::Counts, wire::Arrived},
    lab::send::{tcp_connect, tcp_listener},
    netns::{self, Namespace},
};

/// How often a blocked thread looks whether it is to stop.
pub(super) const GLANCE: Duration = Duration::from_millis(100);

/// What a load counts, and how long it has to count.
#[derive(Debug, Default)]
pub(super) struct Counter {
    moved: AtomicU64,
    /// What begins now is part of the slice.
    pub(super) measuring: AtomicBool,
    /// The slice is over.
    pub(super) done: AtomicBool,
}

impl Counter {
    pub(super) fn is_done(&self) -> bool {
        self.done.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, amount: u64) {
        self.moved.fetch_add(amount, Ordering::Relaxed);
    }

    pub(super) fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }
}

/// Where connections lead that are opened and closed for their own sake.
pub(super) struct Door {
    /// The network namespace to open them in; none is this one.
    pub(super) namespace: Option<Arc<Namespace>>,
    pub(super) address: SocketAddr,
}

/// See the module. Connections have `TCP_NODELAY`, and wait for nothing longer than a [`GLANCE`].
pub(super) trait Far {
    /// A slice begins.
    fn begin(&mut self, datagrams: bool, knocks: bool) -> io::Result<()>;
    /// A connection whose other end reads everything and counts it.
    fn sink(&mut self) -> io::Result<TcpStream>;
    /// A connection whose other end answers each byte.
    fn echo(&mut self) -> io::Result<TcpStream>;
    /// A socket for datagrams, and what they begin with.
    fn datagrams(&mut self) -> io::Result<(UdpSocket, u64)>;
    /// Where connections are answered.
    fn door(&self) -> io::Result<Door>;
    /// What has arrived until now.
    fn mark(&mut self) -> io::Result<Arrived>;
    /// Nothing more comes: waits for what is under way. What it counted, and how much arrived.
    fn end(&mut self) -> io::Result<(u64, Counts)>;
    /// Why it closed the connections of a load, when it said so: who sends notices first that they are closed.
    fn last_word(&mut self) -> Option<io::Error> {
        None
    }
    /// Datagrams that arrive are counted, and not only taken in.
    fn counts_datagrams(&self) -> bool;
}

/// Not yet is no error: the thread looks whether it is to stop. None where it is.
pub(super) fn patient<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR)) => Ok(None),
        other => other.map(Some),
    }
}

/// Runs until the slice is over; what fails after that is the end.
pub(super) fn until_done(counter: &Counter, mut step: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    while !counter.is_done() {
        match step() {
            Err(error) if !counter.is_done() => return Err(error),
            Err(_) | Ok(()) => {}
        }
    }
    Ok(())
}

/// How connections of a slice are.
pub(super) fn prepared(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(GLANCE))?;
    stream.set_write_timeout(Some(GLANCE))
}

/// Counts what arrives, until the other end closes; once all is sent, until nothing more comes.
pub(super) fn sink(mut from: &TcpStream, counter: &Counter) -> io::Result<()> {
    /// Glances in vain after everything was sent: on a path that loses packets it may take a while.
    const IN_VAIN: u32 = 20;
    let mut buffer = vec![0; 1 << 18];
    let mut in_vain = 0;
    while in_vain < IN_VAIN {
        match patient(from.read(&mut buffer))? {
            Some(0) => break,
            Some(read) => {
                counter.add(read as u64);
                in_vain = 0;
            }
            None => in_vain += u32::from(counter.is_done()),
        }
    }
    Ok(())
}

/// Answers each byte, until the other end closes or the slice is over.
pub(super) fn echo(stream: &TcpStream, counter: &Counter) -> io::Result<()> {
    let (mut from, mut to) = (stream, stream);
    let mut byte = [0];
    while !counter.is_done() {
        match patient(from.read(&mut byte))? {
            Some(0) => break,
            Some(_) => to.write_all(&byte)?,
            None => {}
        }
    }
    Ok(())
}

/// From where to where in a lab.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) from: Arc<Namespace>,
    pub(super) to: Arc<Namespace>,
    pub(super) address: IpAddr,
}

/// A far end in this process.
pub(super) struct Local<'a> {
    ends: &'a Ends,
    pins: Pins,
    counter: Arc<Counter>,
    begun: Instant,
    threads: Vec<thread::JoinHandle<io::Result<()>>>,
    streams: Vec<TcpStream>,
    receiver: Option<UdpSocket>,
    door: Option<SocketAddr>,
}

impl<'a> Local<'a> {
    pub(super) fn new(ends: &'a Ends, pins: &Pins) -> Self {
        Self {
            ends,
            pins: *pins,
            counter: Arc::default(),
            begun: Instant::now(),
            threads: Vec::new(),
            streams: Vec::new(),
            receiver: None,
            door: None,
        }
    }

    /// A connection, of which the other end is with a thread that does `work`.
    fn connect(&mut self, work: fn(&TcpStream, &Counter) -> io::Result<()>) -> io::Result<TcpStream> {
        let listener = tcp_listener(&self.ends.to, self.ends.address.is_ipv6())?;
        let to = SocketAddr::new(self.ends.address, listener.local_addr()?.port());
        let client = tcp_connect(&self.ends.from, to)?;
        let (server, _) = listener.accept()?;
        prepared(&client)?;
        prepared(&server)?;
        self.streams.push(server.try_clone()?);
        self.start(move |counter| work(&server, counter));
        Ok(client)
    }

    fn start(&mut self, work: impl FnOnce(&Counter) -> io::Result<()> + Send + 'static) {
        let (counter, cpu) = (Arc::clone(&self.counter), self.pins.receiver);
        self.threads.push(thread::spawn(move || {
            settle(cpu)?;
            work(&counter)
        }));
    }
}

impl Far for Local<'_> {
    fn begin(&mut self, _datagrams: bool, knocks: bool) -> io::Result<()> {
        if knocks {
            let listener = tcp_listener(&self.ends.to, self.ends.address.is_ipv6())?;
            self.door = Some(SocketAddr::new(self.ends.address, listener.local_addr()?.port()));
            self.start(move |counter| answer_knocks(&listener, counter));
        }
        Ok(())
    }

    fn sink(&mut self) -> io::Result<TcpStream> {
        self.connect(sink)
    }

    fn echo(&mut self) -> io::Result<TcpStream> {
        self.connect(echo)
    }

    fn datagrams(&mut self) -> io::Result<(UdpSocket, u64)> {
        let bind = |namespace| {
            let any: IpAddr = if self.ends.address.is_ipv6() {
                Ipv6Addr::UNSPECIFIED.into()
            } else {
                Ipv4Addr::UNSPECIFIED.into()
            };
            netns::run_in(namespace, || UdpSocket::bind((any, 0))).map_err(io::Error::other)?
        };
        // Nobody reads: a socket whose buffer is full drops without waking anybody, so that only the way there is measured.
        let (sender, receiver) = (bind(&self.ends.from)?, bind(&self.ends.to)?);
        sender.connect(SocketAddr::new(self.ends.address, receiver.local_addr()?.port()))?;
        receiver.set_nonblocking(true)?;
        self.receiver = Some(receiver);
        Ok((sender, 0))
    }

    fn door(&self) -> io::Result<Door> {
        let address = self.door.ok_or_else(|| io::Error::other("nobody answers connections"))?;
        Ok(Door { namespace: Some(Arc::clone(&self.ends.from)), address })
    }

    fn mark(&mut self) -> io::Result<Arrived> {
        let at_us = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        Ok(Arrived { amount: self.counter.moved(), at_us, ..Arrived::default() })
    }

    fn end(&mut self) -> io::Result<(u64, Counts)> {
        self.counter.done.store(true, Ordering::Relaxed);
        let joined: Vec<io::Result<()>> = self
            .threads
            .drain(..)
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect();
        joined.into_iter().collect::<io::Result<()>>()?;
        if self.receiver.take().is_some_and(|receiver| receiver.recv(&mut [0; 64]).is_err()) {
            return Err(io::Error::other("no datagram arrived"));
        }
        // What is counted on the way is counted there; nothing is dropped behind it.
        Ok((self.counter.moved(), Counts { drops: Some(0), ..Counts::default() }))
    }

    fn counts_datagrams(&self) -> bool {
        false
    }
}

impl Drop for Local<'_> {
    /// Nobody waits for a connection that nobody ends.
    fn drop(&mut self) {
        self.counter.done.store(true, Ordering::Relaxed);
        for stream in &self.streams {
            // Closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Accepts connections until the slice is over, and answers the first byte of each.
fn answer_knocks(listener: &TcpListener, counter: &Counter) -> io::Result<()> {
    accept_timeout(listener)?;
    while !counter.is_done() {
        if let Some((stream, _)) = patient(listener.accept())? {
            knocked(&stream);
        }
    }
    Ok(())
}

/// Has `accept` wait no longer than a [`GLANCE`].
pub(super) fn accept_timeout(listener: &TcpListener) -> io::Result<()> {
    crate::lab::send::set_accept_timeout(listener, GLANCE)
}

/// One byte there, one back; a connection that fails is its opener's business.
pub(super) fn knocked(stream: &TcpStream) {
    let (mut from, mut to) = (stream, stream);
    let mut byte = [0];
    if stream.set_read_timeout(Some(GLANCE)).is_ok() && from.read(&mut byte).is_ok_and(|read| read > 0) {
        let _ = to.write_all(&byte);
    }
}
