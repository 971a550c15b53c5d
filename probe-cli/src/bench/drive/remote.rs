//! A far end on another machine, where `bench serve` runs, as who measures sees it. What comes back is of anybody: it is bounded, and
//! never taken for true.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use thiserror::Error;

use super::{
    far::{Door, Far},
    lines::{LineError, Lines},
    tcp_info,
};
use crate::bench::{
    facts::{Counts, Device},
    result::{Cpu, Machine},
    wire::{Answer, Arrived, Ask, MOST_DEVICES, Purpose, Token, VERSION, short},
};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take: the far end waits for what is still under way.
const ANSWER: Duration = Duration::from_secs(60);

/// How long a session that has refused something may take to say why it ended.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Why a far end is none.
#[derive(Debug, Error)]
pub enum RemoteError {
    /// Nobody listens.
    #[error("nothing listens at {0}: run `overlay-probe bench serve --listen {0}` there")]
    NotThere(SocketAddr),
    /// No answer at all, or one that there is no way.
    #[error(
        "cannot reach {address}: {source}; check the address, and whether a firewall lets its TCP and UDP port through"
    )]
    Unreachable {
        /// Where to.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It is there and does not want to.
    #[error("the server at {address} refused: {why}")]
    Refused {
        /// Where.
        address: SocketAddr,
        /// Why, in its words.
        why: String,
    },
    /// It went away, or is something else.
    #[error("the server at {address}: {why}")]
    Failed {
        /// Where.
        address: SocketAddr,
        /// What was seen.
        why: String,
    },
}

impl From<RemoteError> for io::Error {
    fn from(error: RemoteError) -> Self {
        Self::other(error)
    }
}

/// A session with a server.
pub(super) struct Remote {
    address: SocketAddr,
    token: Token,
    control: Lines,
    session: u64,
    /// What it says that it is.
    pub(super) machine: Machine,
    /// The devices that it says the session came by.
    pub(super) devices: Vec<Device>,
    /// It is the machine that this runs on: its processors are ours.
    is_here: bool,
    streams: Vec<TcpStream>,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Remote {
    /// Begins a session of a client, which is this machine.
    pub(super) fn connect(
        address: SocketAddr,
        token: &Token,
        (client, here): (u64, &Machine),
    ) -> Result<Self, RemoteError> {
        let mut control = open(address)?;
        let answer = hello(&mut control, address, token, Purpose::Session { client })?;
        let Answer::Welcome { session, machine: Some(machine), mut devices } = answer else {
            return Err(RemoteError::Failed { address, why: "it did not say what machine it is".to_owned() });
        };
        devices.truncate(MOST_DEVICES);
        for device in &mut devices {
            "server".clone_into(&mut device.place);
        }
        let is_here = here.boot_id.is_some() && machine.boot_id == here.boot_id;
        let (token, streams) = (token.clone(), Vec::new());
        Ok(Self { address, token, control, session, machine, devices, is_here, streams })
    }

    /// The address that packets to the server are from.
    pub(super) fn local_address(&self) -> io::Result<IpAddr> {
        Ok(self.control.stream().local_addr()?.ip())
    }

    fn asked(&mut self, ask: &Ask) -> Result<Answer, RemoteError> {
        asked(&mut self.control, self.address, ask)
    }

    /// It answered something else than what was asked.
    fn confused(&self) -> RemoteError {
        let why = "it gave an answer to another question".to_owned();
        RemoteError::Failed { address: self.address, why }
    }

    /// A slice begins.
    fn begin_to(&mut self, ask: &Ask) -> io::Result<()> {
        self.streams.clear();
        match self.asked(ask)? {
            Answer::Ready => Ok(()),
            Answer::Welcome { .. } | Answer::Marked(_) | Answer::Ended { .. } | Answer::Refused { .. } => {
                Err(self.confused().into())
            }
        }
    }

    /// One begins that somebody else sends for: what the device there takes in is counted.
    pub(super) fn begin_device(&mut self) -> io::Result<()> {
        self.begin_to(&Ask::Begin { datagrams: false, knocks: false, device: true })
    }

    /// Where it is.
    pub(super) fn address(&self) -> IpAddr {
        self.address.ip()
    }

    /// One more connection of the session.
    fn flow(&mut self, purpose: Purpose) -> io::Result<TcpStream> {
        let mut lines = open(self.address)?;
        let answer = hello(&mut lines, self.address, &self.token, purpose);
        // The session ended meanwhile, and says why.
        let answer = answer.map_err(|error| self.refusal().unwrap_or(error))?;
        if !matches!(answer, Answer::Welcome { .. }) {
            return Err(self.confused().into());
        }
        let stream = lines.into_stream().map_err(|error| failed(self.address, &error))?;
        self.streams.push(stream.try_clone()?);
        Ok(stream)
    }

    /// What the server said when it ended the session.
    fn refusal(&mut self) -> Option<RemoteError> {
        match self.control.read(LAST_WORD, || true) {
            Ok(Answer::Refused { why }) => {
                Some(RemoteError::Refused { address: self.address, why: short(&why) })
            }
            Ok(_) | Err(_) => None,
        }
    }
}

fn open(address: SocketAddr) -> Result<Lines, RemoteError> {
    let unreachable = |source| RemoteError::Unreachable { address, source };
    let stream = TcpStream::connect_timeout(&address, CONNECT).map_err(|error| {
        if error.kind() == io::ErrorKind::ConnectionRefused {
            RemoteError::NotThere(address)
        } else {
            unreachable(error)
        }
    })?;
    Lines::new(stream).map_err(unreachable)
}

fn hello(
    lines: &mut Lines,
    address: SocketAddr,
    token: &Token,
    purpose: Purpose,
) -> Result<Answer, RemoteError> {
    asked(lines, address, &Ask::Hello { version: VERSION, token: token.reveal().to_owned(), purpose })
}

fn asked(lines: &mut Lines, address: SocketAddr, ask: &Ask) -> Result<Answer, RemoteError> {
    let answer = lines.write(ask).and_then(|()| lines.read(ANSWER, || true));
    match answer.map_err(|error| failed(address, &error))? {
        Answer::Refused { why } => Err(RemoteError::Refused { address, why: short(&why) }),
        answer @ (Answer::Welcome { .. } | Answer::Ready | Answer::Marked(_) | Answer::Ended { .. }) => {
            Ok(answer)
        }
    }
}

fn failed(address: SocketAddr, error: &LineError) -> RemoteError {
    RemoteError::Failed { address, why: error.to_string() }
}

/// Nothing that no machine can have.
fn sane(cpu: Cpu) -> Cpu {
    let share = |share: Option<f64>| share.filter(|share| (0.0..=1.0).contains(share));
    let busy_cores = cpu.busy_cores.filter(|busy| (0.0..=1e6).contains(busy));
    Cpu { busy_cores, steal: share(cpu.steal), softirq: share(cpu.softirq), ..cpu }
}

impl Far for Remote {
    fn begin(&mut self, datagrams: bool, knocks: bool) -> io::Result<()> {
        self.begin_to(&Ask::Begin { datagrams, knocks, device: false })
    }

    fn sink(&mut self) -> io::Result<TcpStream> {
        self.flow(Purpose::Sink { session: self.session })
    }

    fn echo(&mut self) -> io::Result<TcpStream> {
        self.flow(Purpose::Echo { session: self.session })
    }

    fn datagrams(&mut self) -> io::Result<(UdpSocket, u64)> {
        let any: IpAddr =
            if self.address.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let sender = UdpSocket::bind((any, 0))?;
        sender.connect(self.address)?;
        Ok((sender, self.session))
    }

    fn door(&self) -> io::Result<Door> {
        Ok(Door { namespace: None, address: self.address })
    }

    fn last_word(&mut self) -> Option<io::Error> {
        self.refusal().map(io::Error::from)
    }

    fn mark(&mut self) -> io::Result<Arrived> {
        match self.asked(&Ask::Mark)? {
            Answer::Marked(arrived) => {
                let unknown = arrived.cpu.unwrap_or_default();
                Ok(Arrived { cpu: (!self.is_here).then(|| sane(unknown)), ..arrived })
            }
            Answer::Welcome { .. } | Answer::Ready | Answer::Ended { .. } | Answer::Refused { .. } => {
                Err(self.confused().into())
            }
        }
    }

    fn end(&mut self) -> io::Result<(u64, Counts)> {
        let Answer::Ended { amount, received_buffers, checksum_errors, drops } = self.asked(&Ask::End)?
        else {
            return Err(self.confused().into());
        };
        let mut counts = Counts { received_buffers, checksum_errors, drops, ..Counts::default() };
        // By the connections' own account: other traffic of this machine is not in it. What others sent is not known.
        let none = (!self.streams.is_empty()).then_some(0);
        let (mut segments, mut retransmitted) = (none, none);
        for told in self.streams.drain(..).map(|stream| tcp_info::of(&stream)) {
            segments = segments.zip(told).map(|(sum, told)| sum + told.segments);
            retransmitted = retransmitted.zip(told).map(|(sum, told)| sum + told.retransmitted);
        }
        (counts.segments, counts.retransmitted) = (segments, retransmitted);
        Ok((amount, counts))
    }

    fn counts_datagrams(&self) -> bool {
        true
    }
}
