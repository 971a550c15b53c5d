//! What the two ends of a run between two machines say to each other: messages, a JSON object a line each, and the token that keeps
//! strangers out. Data only; who connects, reads and waits is outside (`drive`). Either end may be anybody: a line is bounded, and
//! what is not understood is an error.

use std::hint;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    facts::Device,
    result::{Cpu, Machine},
};

/// Version of these messages. Another one is refused.
pub const VERSION: u32 = 2;
/// Longest message in bytes, with its line end.
pub const LONGEST: usize = 64 << 10;
/// Devices of a far end at most.
pub const MOST_DEVICES: usize = 16;
/// What begins a connection that is only opened, answered and closed: no message begins with it.
pub const KNOCK: u8 = b'K';

/// From who measures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// First on each connection.
    Hello {
        /// [`VERSION`].
        version: u32,
        /// The token.
        token: String,
        /// What this connection is for.
        purpose: Purpose,
    },
    /// Get ready to be sent something.
    Begin {
        /// Count datagrams.
        datagrams: bool,
        /// Answer connections that begin with [`KNOCK`].
        knocks: bool,
        /// Count the bytes that the device takes in which the session came by, whoever sends them.
        device: bool,
    },
    /// What has arrived until now?
    Mark,
    /// Nothing more comes.
    End,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A session: messages.
    Session {
        /// A number of the client's own: its sessions have the same, and only one client measures at a time.
        client: u64,
    },
    /// What comes is counted and thrown away.
    Sink {
        /// Of which session.
        session: u64,
    },
    /// Each byte is answered.
    Echo {
        /// Of which session.
        session: u64,
    },
}

/// From who is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The token is right.
    Welcome {
        /// Names the session to its other connections and in datagrams.
        session: u64,
        /// The machine; of a session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        machine: Option<Machine>,
        /// The devices that the connection came by; of a session.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        devices: Vec<Device>,
    },
    /// It can be sent.
    Ready,
    /// What has arrived.
    Marked(Arrived),
    /// All of it.
    Ended {
        /// Payload bytes of streams, or datagrams, that arrived.
        amount: u64,
        /// Buffers that the tunnel device received meanwhile; null without one, or where that cannot be read.
        #[serde(default)]
        received_buffers: Option<u64>,
        /// Packets with a wrong checksum meanwhile; null where that cannot be read.
        checksum_errors: Option<u64>,
        /// Packets that the devices dropped meanwhile; null where that cannot be read.
        drops: Option<u64>,
    },
    /// No.
    Refused {
        /// Why not.
        why: String,
    },
}

/// What has arrived of a slice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Arrived {
    /// Payload bytes of streams, or datagrams; bytes of the device where those are counted.
    pub amount: u64,
    /// Since the slice was begun, in microseconds by the clock of who says it.
    pub at_us: u64,
    /// What its processors did since the first mark; null where they are those of who asks, or cannot be read.
    #[serde(default)]
    pub cpu: Option<Cpu>,
}

/// A message that is none.
#[derive(Debug, Error)]
pub enum WireError {
    /// Too long, or it never ends.
    #[error("the other end sent more than {LONGEST} bytes without an end: it does not speak this protocol")]
    Long,
    /// Not one of these.
    #[error("the other end does not speak this protocol ({0})")]
    Foreign(String),
}

/// The beginning of what the other end wrote, or of an error that quotes it.
pub fn short(text: &str) -> String {
    /// Characters, of the words for a person.
    const LONG: usize = 200;
    text.chars().take(LONG).collect()
}

fn foreign(error: &serde_json::Error) -> WireError {
    WireError::Foreign(short(&error.to_string()))
}

/// A message as bytes, with its line end.
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>, WireError> {
    let mut line = serde_json::to_vec(message).map_err(|error| foreign(&error))?;
    line.push(b'\n');
    if line.len() > LONGEST { Err(WireError::Long) } else { Ok(line) }
}

/// A message of a line, which may have its end or not.
pub fn decode<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, WireError> {
    if line.len() > LONGEST {
        return Err(WireError::Long);
    }
    serde_json::from_slice(line).map_err(|error| foreign(&error))
}

/// Bytes of a token at least: 64 random bits in hexadecimal, what nobody guesses over a network.
const SHORTEST: usize = 16;
/// And at most.
const MOST: usize = 128;

/// What both ends must know. It is never shown.
#[derive(Clone)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    /// Of a text; blanks around it are none of it.
    pub fn new(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("a token has printable ASCII characters only, and no blanks".to_owned());
        }
        if !(SHORTEST..=MOST).contains(&text.len()) {
            return Err(format!("a token has {SHORTEST} to {MOST} characters, and this one {}", text.len()));
        }
        Ok(Self(text.to_owned()))
    }

    /// Of random bytes.
    pub fn of_random(bytes: [u8; 16]) -> Self {
        Self(format!("{:032x}", u128::from_be_bytes(bytes)))
    }

    /// For the message, and for whoever started the server.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Compares in a time that depends on neither: every byte of the longest token is looked at, whatever comes before it.
    pub fn is(&self, offered: &str) -> bool {
        let byte = |text: &str, at: usize| text.as_bytes().get(at).copied().unwrap_or(0);
        let different = (0..MOST).fold(self.0.len() ^ offered.len(), |different, at| {
            hint::black_box(different | usize::from(byte(&self.0, at) ^ byte(offered, at)))
        });
        hint::black_box(different) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let hello = Ask::Hello {
            version: VERSION,
            token: "0123456789abcdef".to_owned(),
            purpose: Purpose::Sink { session: u64::MAX },
        };
        for ask in [hello, Ask::Begin { datagrams: true, knocks: false, device: false }, Ask::Mark, Ask::End]
        {
            let line = encode(&ask).unwrap();
            assert_eq!(line.split(|byte| *byte == b'\n').count(), 2, "one line");
            assert_ne!(line[0], KNOCK);
            assert_eq!(decode::<Ask>(&line).unwrap(), ask);
        }
        let cpu = Some(Cpu { busy_cores: Some(1.25), ..Cpu::default() });
        for answer in [
            Answer::Welcome { session: 7, machine: Some(Machine::default()), devices: Vec::new() },
            Answer::Marked(Arrived { amount: 1, at_us: 2, cpu }),
            Answer::Ended { amount: 3, received_buffers: Some(9), checksum_errors: None, drops: Some(0) },
            Answer::Refused { why: "a\nb".to_owned() },
        ] {
            let line = encode(&answer).unwrap();
            assert_eq!(line.split(|byte| *byte == b'\n').count(), 2, "one line");
            assert_eq!(decode::<Answer>(&line).unwrap(), answer);
        }
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        for line in [
            &b""[..],
            b"\n",
            b"GET / HTTP/1.1\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"{}",
            b"[]",
            b"null",
            b"{\"begin\":{}}",
            b"{\"begin\":{\"datagrams\":1,\"knocks\":false,\"device\":false}}",
            b"{\"hello\":{\"version\":-1,\"token\":\"\",\"purpose\":\"session\"}}",
            b"{\"hello\":{\"version\":1,\"token\":\"\",\"purpose\":{\"sink\":{\"session\":1e99}}}}",
            b"\"end\"\"end\"",
            b"\xff\xfe\x00",
        ] {
            assert!(decode::<Ask>(line).is_err(), "{}", String::from_utf8_lossy(line));
            assert!(decode::<Answer>(line).is_err(), "{}", String::from_utf8_lossy(line));
        }
        assert!(matches!(decode::<Ask>(&vec![b' '; LONGEST + 1]), Err(WireError::Long)));
        let why = "x".repeat(LONGEST);
        assert!(matches!(encode(&Answer::Refused { why }), Err(WireError::Long)));
        // What quotes it is short.
        let long = format!("{{\"{}\":1}}", "x".repeat(LONGEST / 2));
        let said = decode::<Answer>(long.as_bytes()).unwrap_err().to_string();
        assert!(said.chars().count() < 300, "{}", said.len());
        // A deep one ends as well.
        assert!(decode::<Ask>("[".repeat(LONGEST).as_bytes()).is_err());
    }

    #[test]
    fn only_the_token_itself_is_the_token() {
        let token = Token::new(" 0123456789abcdef\n").unwrap();
        assert!(token.is("0123456789abcdef"));
        let long = format!("0123456789abcdef{}", "\0".repeat(8));
        let longer = format!("{}x", "0".repeat(MOST));
        for other in ["", "0123456789abcdeF", "0123456789abcde", "0123456789abcdef0", "1", &long, &longer] {
            assert!(!token.is(other), "{other:?}");
        }
        // What is longer than any token is none, though all that is compared is the same.
        let most = Token::new(&"a".repeat(MOST)).unwrap();
        assert!(most.is(&"a".repeat(MOST)) && !most.is(&"a".repeat(MOST + 1)));
        for bad in ["", "short", "0123456789abcde", "0123 456789abcdef", "0123456789abcdef\u{e9}"] {
            assert!(Token::new(bad).is_err(), "{bad:?}");
        }
        assert!(Token::new(&"a".repeat(MOST + 1)).is_err());
        assert_eq!(format!("{token:?}"), "Token(..)");
        assert_eq!(Token::of_random([0xab; 16]).reveal(), "ab".repeat(16));
    }
}
