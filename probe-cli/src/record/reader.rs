//! Reading a recording: what of it is good, and any of its frames. The file is only read, and memory is bounded by what one frame may
//! take, whatever the file says.

use std::{
    fmt,
    io::{self, Read, Seek, SeekFrom},
    time::Duration,
};

use super::{
    delta::Decoder,
    format::{
        BEFORE_FRAME, BEFORE_HEADER, CHECKSUM, Head, Header, HeaderError, Kind, LONGEST_FRAME, header_length,
        read_head, read_header,
    },
    pack::unpack,
};
use crate::sample::Frame;

/// Frames that are read of one file: those of six weeks at one a second.
const MOST_FRAMES: usize = 4_000_000;

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The kernel said so.
    #[error("cannot read it: {0}")]
    Io(#[from] io::Error),
    /// It does not begin as a recording does.
    #[error("{0}")]
    Header(#[from] HeaderError),
    /// There is no frame before the end.
    #[error("no frame of it can be used: {0}")]
    Empty(End),
    /// A frame is not one, though nothing has changed it since it was written.
    #[error("frame {number} (byte {at}) cannot be read: {why}")]
    Frame {
        /// Which one, from 1.
        number: usize,
        /// Where it begins.
        at: u64,
        /// Why not.
        why: String,
    },
}

/// How a recording ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Recording was ended.
    Ended,
    /// It stops after a frame: recording goes on, or was killed.
    Open,
    /// It is damaged from here on.
    Damaged {
        /// Byte of the file.
        at: u64,
        /// Bytes that are not used.
        unused: u64,
        /// What is wrong there.
        why: &'static str,
    },
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("it was ended"),
            Self::Open => f.write_str("it stops after a frame: recording goes on, or was killed"),
            Self::Damaged { at, unused, why } => {
                write!(f, "it is damaged from byte {at} on ({why}); {unused} bytes are not used")
            }
        }
    }
}

/// Where a frame is.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at: u64,
    head: Head,
}

/// A recording whose frames have been found and whose checksums are right.
#[derive(Debug)]
pub struct Recording<R> {
    file: R,
    header: Header,
    entries: Vec<Entry>,
    end: End,
    decoder: Decoder,
    /// The frame that the decoder has read last.
    last: Option<usize>,
}

impl<R: Read + Seek> Recording<R> {
    /// Finds the frames of a file, up to where it is damaged.
    pub fn open(mut file: R) -> Result<Self, RecordingError> {
        let mut start = Vec::new();
        file.by_ref().take(BEFORE_HEADER as u64).read_to_end(&mut start)?;
        let rest = header_length(&start)? + CHECKSUM;
        file.by_ref().take(rest as u64).read_to_end(&mut start)?;
        let header = read_header(&start)?;
        let mut at = start.len() as u64;
        let size = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(at))?;
        let mut entries = Vec::new();
        let mut bytes = Vec::new();
        let end = loop {
            match entry(&mut file, &mut bytes, entries.is_empty())? {
                Found::Frame(head) if entries.len() < MOST_FRAMES => {
                    entries.push(Entry { at, head });
                    at += (BEFORE_FRAME + head.length) as u64;
                }
                Found::Frame(_) => break damaged(at, size, "there are more frames than are read"),
                Found::End if at + BEFORE_FRAME as u64 == size => break End::Ended,
                Found::End => break damaged(at, size, "more follows the end"),
                Found::Nothing => break End::Open,
                Found::Damage(why) => break damaged(at, size, why),
            }
        };
        if entries.is_empty() {
            return Err(RecordingError::Empty(end));
        }
        Ok(Self { file, header, entries, end, decoder: Decoder::default(), last: None })
    }

    /// What it is of.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How it ends.
    pub fn end(&self) -> &End {
        &self.end
    }

    /// How many frames there are, at least one.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// Wall clock of each frame, at least one, since the Unix epoch.
    pub fn times(&self) -> impl DoubleEndedIterator<Item = Duration> + ExactSizeIterator {
        self.entries.iter().map(|entry| entry.head.time)
    }

    /// Where each frame begins, and where the last one ends.
    #[cfg(test)]
    pub(super) fn starts(&self) -> impl Iterator<Item = u64> {
        let after = self.entries.last().map(|entry| entry.at + (BEFORE_FRAME + entry.head.length) as u64);
        self.entries.iter().map(|entry| entry.at).chain(after)
    }

    /// A frame, from 0. Those from the last full one on are read for it, unless the one before was the last that was read.
    pub fn frame(&mut self, number: usize) -> Result<Frame, RecordingError> {
        let full = self.full_before(number);
        let from = match self.last {
            Some(last) if (full..number).contains(&last) => last + 1,
            _ => full,
        };
        for earlier in from..number {
            self.read(earlier)?;
        }
        self.read(number)
    }

    /// The last frame in full up to this one.
    pub fn full_before(&self, number: usize) -> usize {
        let mut upto = self.entries.iter().take(number.saturating_add(1));
        upto.rposition(|entry| entry.head.kind == Kind::Full).unwrap_or_default()
    }

    fn read(&mut self, number: usize) -> Result<Frame, RecordingError> {
        let Some(&Entry { at, head }) = self.entries.get(number) else {
            return Err(RecordingError::Frame { number: number + 1, at: 0, why: "there is none".to_owned() });
        };
        let failed = |why: String| RecordingError::Frame { number: number + 1, at, why };
        self.last = None;
        self.file.seek(SeekFrom::Start(at + BEFORE_FRAME as u64))?;
        let mut packed = Vec::new();
        self.file.by_ref().take(head.length as u64).read_to_end(&mut packed)?;
        let bytes =
            unpack(&packed, LONGEST_FRAME).ok_or_else(|| failed("it cannot be unpacked".to_owned()))?;
        let frame =
            self.decoder.decode(&bytes, head.kind == Kind::Full).map_err(|why| failed(why.to_string()))?;
        self.last = Some(number);
        Ok(frame)
    }
}

fn damaged(at: u64, size: u64, why: &'static str) -> End {
    End::Damaged { at, unused: size.saturating_sub(at), why }
}

/// What stands at a place of the file.
enum Found {
    Frame(Head),
    End,
    Nothing,
    Damage(&'static str),
}

fn entry(file: &mut (impl Read + Seek), bytes: &mut Vec<u8>, is_first: bool) -> io::Result<Found> {
    bytes.clear();
    file.by_ref().take(BEFORE_FRAME as u64).read_to_end(bytes)?;
    if bytes.is_empty() {
        return Ok(Found::Nothing);
    }
    let Ok(start) = <[u8; BEFORE_FRAME]>::try_from(bytes.as_slice()) else {
        return Ok(Found::Damage("it is cut before a frame"));
    };
    let Some(head) = read_head(&start) else { return Ok(Found::Damage("no frame stands there")) };
    bytes.clear();
    // As much as there is, and not as much as is claimed.
    file.by_ref().take(head.length as u64).read_to_end(bytes)?;
    if bytes.len() < head.length {
        return Ok(Found::Damage("it is cut within a frame"));
    }
    Ok(match head.kind {
        _ if !head.is_of(&start, bytes) => Found::Damage("the checksum of a frame is wrong"),
        Kind::End if bytes.is_empty() => Found::End,
        Kind::End => Found::Damage("the end is none"),
        Kind::Delta if is_first => Found::Damage("the first frame is not in full"),
        Kind::Full | Kind::Delta => Found::Frame(head),
    })
}
