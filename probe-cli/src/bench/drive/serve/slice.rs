//! One slice at the server: what arrives is counted by as many threads as it has connections, and one for datagrams.

use std::{
    net::{IpAddr, Shutdown, TcpStream, UdpSocket},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::super::far::{Counter, GLANCE, patient};
use crate::bench::{
    meter::{CpuReading, Path, PathReading},
    metric::Side,
    wire::{Answer, Arrived},
};

/// Connections of a slice at most.
const MOST_FLOWS: usize = 64;

/// See the module.
pub(super) struct Slice {
    counter: Counter,
    /// Datagrams are counted, of so many bytes each, and not bytes.
    datagrams: AtomicUsize,
    /// What the device had taken in before, where that is what is counted.
    device: Option<u64>,
    /// From where connections are answered that are only opened and closed.
    knocks: Option<IpAddr>,
    begun: Instant,
    cpu: Mutex<Option<CpuReading>>,
    before: Option<PathReading>,
    /// Threads that count for it.
    inside: AtomicUsize,
    streams: Mutex<Vec<TcpStream>>,
}

/// What the device has taken in that the session came by.
fn received(path: &Path) -> Result<u64, String> {
    let bytes = path.received(Side::Overlay).map_err(|error| error.to_string())?;
    bytes.ok_or_else(|| "no device has the address of this session".to_owned())
}

/// A thread that counts for a slice.
pub(super) struct Inside<'a>(&'a Slice);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Slice {
    /// `device` has what the path's device takes in counted.
    pub(super) fn new(path: &Path, knocks: Option<IpAddr>, device: bool) -> Result<Self, String> {
        Ok(Self {
            counter: Counter::default(),
            datagrams: AtomicUsize::new(0),
            device: device.then(|| received(path)).transpose()?,
            knocks,
            begun: Instant::now(),
            cpu: Mutex::default(),
            before: path.read().ok(),
            inside: AtomicUsize::new(0),
            streams: Mutex::default(),
        })
    }

    pub(super) fn counter(&self) -> &Counter {
        &self.counter
    }

    pub(super) fn knocks_from(&self, peer: IpAddr) -> bool {
        self.knocks == Some(peer) && !self.counter.is_done()
    }

    /// One more connection.
    pub(super) fn enter(&self, stream: &TcpStream) -> Result<Inside<'_>, String> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if streams.len() >= MOST_FLOWS || self.counter.is_done() {
            return Err(format!("more than {MOST_FLOWS} connections, or the measurement is over"));
        }
        streams.push(stream.try_clone().map_err(|error| error.to_string())?);
        self.inside.fetch_add(1, Ordering::AcqRel);
        Ok(Inside(self))
    }

    /// Payload that came.
    pub(super) fn bytes(&self) -> u64 {
        let each = self.datagrams.load(Ordering::Relaxed).max(1);
        self.counter.moved().saturating_mul(u64::try_from(each).unwrap_or(u64::MAX))
    }

    /// What has arrived until now. The processors' time begins with the first of these.
    pub(super) fn mark(&self, path: &Path) -> Result<Arrived, String> {
        if let Some(before) = self.device {
            let grown = received(path)?.saturating_sub(before);
            self.counter.add(grown.saturating_sub(self.counter.moved()));
        }
        let at_us = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let now = CpuReading::now();
        let mut first = self.cpu.lock().unwrap_or_else(PoisonError::into_inner);
        let cpu = first.get_or_insert_with(|| now.clone()).until(&now);
        Ok(Arrived { amount: self.counter.moved(), at_us, cpu: Some(cpu) })
    }

    /// Counts datagrams that begin with the session's number until the slice is over and no more come.
    pub(super) fn count_datagrams(&self, socket: &UdpSocket, session: u64) {
        /// What comes later than this was lost.
        const LATE: Duration = Duration::from_secs(2);
        self.inside.fetch_add(1, Ordering::AcqRel);
        let _inside = Inside(self);
        let (mark, mut buffer, mut over) = (session.to_be_bytes(), vec![0; 1 << 16], None::<Instant>);
        while over.is_none_or(|over| over.elapsed() < LATE) {
            // An error is an ICMP message that is about somebody else.
            let came = patient(socket.recv(&mut buffer)).unwrap_or(None);
            if let Some(length) = came.filter(|length| buffer.get(..*length.min(&8)) == Some(&mark)) {
                self.datagrams.store(length, Ordering::Relaxed);
                self.counter.add(1);
            }
            match (self.counter.is_done(), came) {
                (true, None) => break,
                (true, Some(_)) => over = over.or_else(|| Some(Instant::now())),
                (false, _) => {}
            }
        }
    }

    /// Waits for what is under way, no longer than `linger`, and says what came.
    pub(super) fn end(&self, path: &Path, linger: Duration) -> Answer {
        self.counter.done.store(true, Ordering::Relaxed);
        let start = Instant::now();
        while self.inside.load(Ordering::Acquire) > 0 && start.elapsed() < linger {
            thread::sleep(GLANCE / 20);
        }
        let counts =
            self.before.as_ref().zip(path.read().ok()).map(|(before, after)| path.between(before, &after));
        let counts = counts.unwrap_or_default();
        Answer::Ended {
            amount: self.counter.moved(),
            received_buffers: counts.received_buffers,
            checksum_errors: counts.checksum_errors,
            drops: counts.drops,
        }
    }

    /// Ends everything that goes on.
    pub(super) fn abort(&self) {
        self.counter.done.store(true, Ordering::Relaxed);
        for stream in self.streams.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // Closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
