//! Messages of `wire` over a connection, a line each: bounded in length and in time, whoever is at the other end.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

use super::far::{patient, prepared};
use crate::bench::wire::{self, LONGEST, WireError};

/// Why there is no message.
#[derive(Debug, Error)]
pub(super) enum LineError {
    /// The other end went away.
    #[error("the other end closed the connection")]
    Closed,
    /// Nothing came for too long.
    #[error("the other end did not answer within {} s", .0.as_secs())]
    Late(Duration),
    /// It is to stop.
    #[error("interrupted")]
    Stopped,
    /// What came is none.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The connection.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// However the kernel says that the other end is gone.
fn gone(error: io::Error) -> LineError {
    if matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) {
        LineError::Closed
    } else {
        error.into()
    }
}

/// A connection with messages.
pub(super) struct Lines {
    stream: TcpStream,
    /// What came and is no whole line yet.
    pending: Vec<u8>,
}

impl Lines {
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        prepared(&stream)?;
        Ok(Self { stream, pending: Vec::new() })
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The connection for other things than messages: nothing else may have come.
    pub(super) fn into_stream(self) -> Result<TcpStream, LineError> {
        if self.pending.is_empty() {
            Ok(self.stream)
        } else {
            Err(WireError::Foreign("more than a message".to_owned()).into())
        }
    }

    pub(super) fn write(&mut self, message: &impl Serialize) -> Result<(), LineError> {
        /// Messages are short: who does not take one for so long is gone.
        const PATIENCE: Duration = Duration::from_secs(30);
        let line = wire::encode(message)?;
        let (mut rest, start) = (&line[..], Instant::now());
        while !rest.is_empty() {
            match patient(self.stream.write(rest)).map_err(gone)? {
                Some(written) => rest = rest.get(written..).unwrap_or_default(),
                None if start.elapsed() > PATIENCE => return Err(LineError::Late(PATIENCE)),
                None => {}
            }
        }
        Ok(())
    }

    /// The next message, if it is complete in time. `go_on` is asked now and then.
    pub(super) fn read<T: DeserializeOwned>(
        &mut self,
        patience: Duration,
        go_on: impl Fn() -> bool,
    ) -> Result<T, LineError> {
        let start = Instant::now();
        let mut buffer = [0; 4096];
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                return Ok(wire::decode(&line)?);
            }
            if self.pending.len() > LONGEST {
                return Err(WireError::Long.into());
            }
            if !go_on() {
                return Err(LineError::Stopped);
            }
            if start.elapsed() > patience {
                return Err(LineError::Late(patience));
            }
            match patient((&self.stream).read(&mut buffer)) {
                Ok(Some(0)) => return Err(LineError::Closed),
                Ok(Some(read)) => self.pending.extend(buffer.iter().take(read)),
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Err(LineError::Closed);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
