//! The file: what is at its beginning, and what is before each frame. `docs/recording.md` describes it for others.
//!
//! ```text
//! magic 8 | version 2 | length 4 | header as JSON | checksum 4
//! mark 4 | kind 1 | time 8 | length 4 | checksum 4 | bytes       as often as there are frames
//! ```
//! Numbers have their lowest byte first. A checksum is a CRC-32 (as of zlib): the header's is of all before it, a frame's of all of it
//! but the mark and itself. A file that was cut anywhere is good up to there.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a recording begins with. The end of line shows when something has changed those of a file.
pub(super) const MAGIC: [u8; 8] = *b"OVPREC\r\n";

/// Of the file's format; of what is in the frames, see [`crate::facts::SCHEMA`].
pub(super) const VERSION: u16 = 1;

/// Before each frame.
const MARK: [u8; 4] = *b"OVPf";

/// Bytes before the JSON of the header.
pub(super) const BEFORE_HEADER: usize = 14;

/// Longest header.
pub(super) const LONGEST_HEADER: usize = 64 << 10;

/// Bytes before those of a frame.
pub(super) const BEFORE_FRAME: usize = 21;

/// Longest frame as it is in the file, and before it was compressed.
pub(super) const LONGEST_FRAME: usize = 64 << 20;

/// Bytes of a checksum.
pub(super) const CHECKSUM: usize = 4;

/// What a recording is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`crate::facts::SCHEMA`] of who made it.
    pub schema: u32,
    /// Version of who made it.
    pub tool: String,
    /// What the node is called; any text.
    pub node: String,
    /// Wall clock when recording began, since the Unix epoch.
    pub started: Duration,
    /// Time between frames, as it was asked for.
    pub interval: Duration,
}

/// What a frame is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// All of it.
    Full,
    /// What is different from the frame before.
    Delta,
    /// No frame: recording ended here, and was not killed.
    End,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Full, Self::Delta, Self::End];

    fn number(self) -> u8 {
        match self {
            Self::Full => 1,
            Self::Delta => 2,
            Self::End => 3,
        }
    }
}

/// What is before the bytes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// What the bytes are.
    pub(super) kind: Kind,
    /// Wall clock of the frame, since the Unix epoch; in the file with nanoseconds, up to the year 2554.
    pub(super) time: Duration,
    /// How many bytes.
    pub(super) length: usize,
    /// Of what is before, and of the bytes.
    checksum: u32,
}

/// Why a file is no recording that can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It does not begin as one.
    #[error("it is not a recording of overlay-probe")]
    Foreign,
    /// It ends within the header.
    #[error("it ends within its header")]
    Cut,
    /// The header is not what was written.
    #[error("its header is damaged")]
    Damaged,
    /// A later version wrote it.
    #[error(
        "a later version wrote it (format {format}, facts {schema}); this one reads format {VERSION}, facts {}",
        crate::facts::SCHEMA
    )]
    Newer {
        /// Of the file.
        format: u16,
        /// Of what is in it; 0 where it cannot be read.
        schema: u32,
    },
}

/// The beginning of a file.
pub(super) fn write_header(header: &Header) -> serde_json::Result<Vec<u8>> {
    let json = serde_json::to_vec(header)?;
    let mut out = Vec::with_capacity(BEFORE_HEADER + json.len() + CHECKSUM);
    out.extend(MAGIC);
    out.extend(VERSION.to_le_bytes());
    out.extend(u32::try_from(json.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(json);
    out.extend(crc32fast::hash(&out).to_le_bytes());
    Ok(out)
}

/// How long the JSON is, of the first bytes of a file.
pub(super) fn header_length(start: &[u8]) -> Result<usize, HeaderError> {
    let known = start.len().min(MAGIC.len());
    if start[..known] != MAGIC[..known] || start.is_empty() {
        return Err(HeaderError::Foreign);
    }
    let format = start.get(8..10).and_then(|bytes| bytes.try_into().ok()).map(u16::from_le_bytes);
    match format {
        None => return Err(HeaderError::Cut),
        Some(format) if format > VERSION => return Err(HeaderError::Newer { format, schema: 0 }),
        Some(_) => {}
    }
    let length = number(start.get(10..BEFORE_HEADER).ok_or(HeaderError::Cut)?);
    length.filter(|length| *length <= LONGEST_HEADER).ok_or(HeaderError::Damaged)
}

/// The header, of all bytes up to its checksum.
pub(super) fn read_header(bytes: &[u8]) -> Result<Header, HeaderError> {
    let length = header_length(bytes)?;
    let end = BEFORE_HEADER + length;
    let checksum = bytes.get(end..end + CHECKSUM).ok_or(HeaderError::Cut)?;
    if crc32fast::hash(&bytes[..end]).to_le_bytes() != checksum {
        return Err(HeaderError::Damaged);
    }
    let header: Header =
        serde_json::from_slice(&bytes[BEFORE_HEADER..end]).map_err(|_other| HeaderError::Damaged)?;
    if header.schema > crate::facts::SCHEMA {
        return Err(HeaderError::Newer { format: VERSION, schema: header.schema });
    }
    Ok(header)
}

/// A frame as it is in the file.
pub(super) fn write_frame(kind: Kind, time: Duration, bytes: &[u8]) -> Vec<u8> {
    let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let mut out = Vec::with_capacity(BEFORE_FRAME + bytes.len());
    out.extend(MARK);
    out.push(kind.number());
    out.extend(time.to_le_bytes());
    out.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    let checksum = sum(&out[4..17], bytes);
    out.extend(checksum.to_le_bytes());
    out.extend(bytes);
    out
}

/// What is before a frame; none where that is not what stands here.
pub(super) fn read_head(start: &[u8; BEFORE_FRAME]) -> Option<Head> {
    if start[..4] != MARK {
        return None;
    }
    let kind = Kind::ALL.into_iter().find(|kind| kind.number() == start[4])?;
    let time = Duration::from_nanos(u64::from_le_bytes(start[5..13].try_into().ok()?));
    let length = number(&start[13..17]).filter(|length| *length <= LONGEST_FRAME)?;
    Some(Head { kind, time, length, checksum: u32::from_le_bytes(start[17..].try_into().ok()?) })
}

impl Head {
    /// The bytes, and what was before them, are what was written.
    pub(super) fn is_of(&self, start: &[u8; BEFORE_FRAME], bytes: &[u8]) -> bool {
        sum(&start[4..17], bytes) == self.checksum
    }
}

fn sum(head: &[u8], bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(bytes);
    hasher.finalize()
}

fn number(bytes: &[u8]) -> Option<usize> {
    bytes.try_into().ok().map(u32::from_le_bytes).and_then(|number| usize::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            schema: crate::facts::SCHEMA,
            tool: "0.1.0".to_owned(),
            node: "evil\u{1b}[2J".to_owned(),
            started: Duration::new(1_800_000_000, 5),
            interval: Duration::from_secs(1),
        }
    }

    #[test]
    fn a_header_says_what_is_wrong_with_it() {
        let bytes = write_header(&header()).unwrap();
        assert_eq!(read_header(&bytes), Ok(header()));
        for cut in 1..bytes.len() {
            assert_eq!(read_header(&bytes[..cut]), Err(HeaderError::Cut), "{cut}");
        }
        assert_eq!(read_header(b""), Err(HeaderError::Foreign));
        assert_eq!(read_header(b"\x1f\x8b\x08"), Err(HeaderError::Foreign));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x20;
            assert!(read_header(&changed).is_err(), "{at}");
        }
        let mut later = bytes;
        later[8] = 9;
        assert_eq!(read_header(&later), Err(HeaderError::Newer { format: 9, schema: 0 }));
        let later = write_header(&Header { schema: 99, ..header() }).unwrap();
        assert_eq!(read_header(&later), Err(HeaderError::Newer { format: 1, schema: 99 }));
    }

    #[test]
    fn what_is_before_a_frame_is_read_back_and_checked() {
        let time = Duration::new(1_800_000_000, 7);
        let bytes = write_frame(Kind::Delta, time, b"abc");
        let start: [u8; BEFORE_FRAME] = bytes[..BEFORE_FRAME].try_into().unwrap();
        let head = read_head(&start).unwrap();
        assert_eq!((head.kind, head.time, head.length), (Kind::Delta, time, 3));
        assert!(head.is_of(&start, b"abc") && !head.is_of(&start, b"abd"));
        for bit in 0..BEFORE_FRAME * 8 {
            let mut changed = start;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(read_head(&changed).is_none_or(|head| !head.is_of(&changed, b"abc")), "{bit}");
        }
    }
}
