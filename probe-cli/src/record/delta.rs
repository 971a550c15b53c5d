//! Frames as bytes: what is different from the frame before, or all of it. Bytes are compressed elsewhere.
//!
//! A frame is two documents, the snapshot and the sample, and each of them parts (`split`). For each part the text that is not as
//! before, between what is common at its beginning and at its end; and by how much each number is more than the one in its place before
//! (`numbers`).

use std::sync::Arc;

use super::{
    numbers::{Bytes, Packed, Unpacked, put},
    split::{MARK, Part, join, split},
};
use crate::{
    facts::Snapshot,
    sample::{Frame, Sample},
};

/// Longest document in bytes. Ten times those of a node with 1,000 peers and 250 pods.
pub(super) const LONGEST: usize = 32 << 20;

/// Parts of a document at most; there are as many as its type has fields.
const MOST_PARTS: u64 = 1000;

/// Why a frame cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// It is no JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Nobody could read it back.
    #[error("a frame has {0} bytes, and at most {LONGEST} are recorded")]
    TooLong(usize),
}

/// The documents of a frame.
#[derive(Debug, Default)]
struct Documents {
    snapshot: Vec<Known>,
    sample: Vec<Known>,
}

/// A part, and by how much its numbers were more than before.
#[derive(Clone, Debug, Default)]
struct Known {
    part: Part,
    grown: Vec<u64>,
}

/// Writes frames, and knows the last one.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    last: Documents,
    snapshot: Option<Arc<Snapshot>>,
}

impl Encoder {
    /// The bytes of a frame: in full, or only what is different from the one before.
    pub(super) fn encode(&mut self, frame: &Frame, in_full: bool) -> Result<Vec<u8>, EncodeError> {
        if in_full {
            *self = Self::default();
        }
        let is_same = self.snapshot.as_ref().is_some_and(|last| Arc::ptr_eq(last, &frame.snapshot));
        let mut out = Streams::default();
        if is_same {
            put(&mut out.texts, 0);
        } else {
            let (others, same) = other_fields(self.snapshot.as_deref(), &frame.snapshot);
            out.put_document(&mut self.last.snapshot, document(&serde_json::to_vec(&others)?)?, &same);
        }
        out.put_document(&mut self.last.sample, document(&serde_json::to_vec(&frame.sample)?)?, &[]);
        self.snapshot = Some(Arc::clone(&frame.snapshot));
        Ok(out.joined())
    }
}

fn document(text: &[u8]) -> Result<Vec<Part>, EncodeError> {
    if text.len() > LONGEST { Err(EncodeError::TooLong(text.len())) } else { Ok(split(text)) }
}

/// The snapshot with nothing in the fields that share their value with the last one, and which of its fields these are: what is not
/// written again need not be made into text again.
fn other_fields(last: Option<&Snapshot>, now: &Snapshot) -> (Snapshot, Vec<bool>) {
    fn field<T: Default>(last: &Arc<T>, now: &Arc<T>, same: &mut Vec<bool>) -> Arc<T> {
        let is_same = Arc::ptr_eq(last, now);
        same.push(is_same);
        if is_same { Arc::default() } else { Arc::clone(now) }
    }
    let Some(last) = last else { return (now.clone(), Vec::new()) };
    // Two numbers come first; the others are here in the order that they are written in.
    let mut same = vec![false; 2];
    let others = Snapshot {
        schema: now.schema,
        taken_at: now.taken_at,
        netlink: field(&last.netlink, &now.netlink, &mut same),
        pods: field(&last.pods, &now.pods, &mut same),
        namespaces: field(&last.namespaces, &now.namespaces, &mut same),
        network: field(&last.network, &now.network, &mut same),
        inside: field(&last.inside, &now.inside, &mut same),
        ipam: field(&last.ipam, &now.ipam, &mut same),
        pci: field(&last.pci, &now.pci, &mut same),
        runs: field(&last.runs, &now.runs, &mut same),
        files: field(&last.files, &now.files, &mut same),
        sriov: field(&last.sriov, &now.sriov, &mut same),
        host: field(&last.host, &now.host, &mut same),
    };
    (others, same)
}

/// What is said of texts, and apart from it the numbers.
#[derive(Default)]
struct Streams {
    texts: Vec<u8>,
    numbers: Packed,
}

impl Streams {
    /// Parts that are said to be the same are not looked at.
    fn put_document(&mut self, last: &mut Vec<Known>, now: Vec<Part>, same: &[bool]) {
        put(&mut self.texts, now.len() as u64);
        last.resize(now.len(), Known::default());
        let same = same.iter().copied().chain(std::iter::repeat(false));
        for ((last, now), is_same) in last.iter_mut().zip(now).zip(same) {
            if is_same {
                put(&mut self.texts, 0);
            } else {
                self.put_part(last, now);
            }
        }
    }

    fn put_part(&mut self, last: &mut Known, now: Part) {
        if last.part == now {
            return put(&mut self.texts, 0);
        }
        let common = Common::of(&last.part.text, &now.text);
        let middle = &now.text[common.before..now.text.len() - common.after];
        put(&mut self.texts, 1);
        put(&mut self.texts, common.before as u64);
        put(&mut self.texts, common.after as u64);
        put(&mut self.texts, middle.len() as u64);
        self.texts.extend_from_slice(middle);
        let at_end = marks(last_of(&last.part.text, common.after));
        let earlier = earlier(&last.part.numbers, now.numbers.len(), at_end);
        let grown: Vec<u64> =
            now.numbers.iter().zip(earlier).map(|(number, earlier)| number.wrapping_sub(earlier)).collect();
        self.numbers.put(before(last, grown.len()), &grown);
        *last = Known { part: now, grown };
    }

    fn joined(self) -> Vec<u8> {
        let Self { texts, numbers: Packed { lengths, wrong, bits, .. } } = self;
        let mut out = Vec::new();
        for stream in [texts, lengths, wrong] {
            put(&mut out, stream.len() as u64);
            out.extend(stream);
        }
        out.extend(bits);
        out
    }
}

/// By how much numbers had grown before, if there are as many: else each is in another place.
fn before(last: &Known, count: usize) -> &[u64] {
    if last.grown.len() == count { &last.grown } else { &[] }
}

/// Bytes that two texts have in common.
struct Common {
    before: usize,
    after: usize,
}

impl Common {
    fn of(last: &[u8], now: &[u8]) -> Self {
        let before = last.iter().zip(now).take_while(|(last, now)| last == now).count();
        let rest = last[before..].iter().rev().zip(now[before..].iter().rev());
        Self { before, after: rest.take_while(|(last, now)| last == now).count() }
    }
}

/// Numbers in a text.
fn marks(text: &[u8]) -> usize {
    text.split(|byte| *byte == MARK).count().saturating_sub(1)
}

/// The last bytes of a text.
fn last_of(text: &[u8], length: usize) -> &[u8] {
    &text[text.len().saturating_sub(length)..]
}

/// For each of `count` numbers the one in its place before: those of the common end counted from the end, the others from the
/// beginning; zero where there was none.
fn earlier(last: &[u64], count: usize, at_end: usize) -> impl Iterator<Item = u64> {
    let at_end = at_end.min(count).min(last.len());
    let (from_start, from_end) = last.split_at(last.len() - at_end);
    let zeros = std::iter::repeat(0);
    from_start.iter().copied().chain(zeros).take(count - at_end).chain(from_end.iter().copied())
}

/// Why bytes are no frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DecodeError {
    /// They are cut, or do not fit together, or not to the frame before.
    #[error("it cannot be taken apart")]
    Parts,
    /// A document is longer than any that is written.
    #[error("it is longer than {LONGEST} bytes")]
    TooLong,
    /// What they say is no frame. Where it is not is said; what stands there is not.
    #[error("its JSON is not that of a frame (line {line}, column {column})")]
    Json {
        /// Where.
        line: usize,
        /// Where.
        column: usize,
    },
}

impl From<serde_json::Error> for DecodeError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json { line: error.line(), column: error.column() }
    }
}

/// Reads frames, and knows the last one.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    last: Documents,
    snapshot: Option<Arc<Snapshot>>,
}

impl Decoder {
    /// The frame of these bytes; one in full knows nothing of those before it. After an error only one in full can be read.
    pub(super) fn decode(&mut self, bytes: &[u8], in_full: bool) -> Result<Frame, DecodeError> {
        let Self { mut last, snapshot } = std::mem::take(self);
        if in_full {
            last = Documents::default();
        }
        let mut input = Bytes(bytes);
        let mut stream = || input.length().and_then(|length| input.take(length)).ok_or(DecodeError::Parts);
        let (texts, lengths, wrong) = (stream()?, stream()?, stream()?);
        let mut streams = (Bytes(texts), Unpacked::new(lengths, wrong, input.0));
        let is_changed = take_document(&mut streams, &mut last.snapshot)?;
        let snapshot = match snapshot.filter(|_| !is_changed && !in_full) {
            Some(snapshot) => snapshot,
            None => Arc::new(serde_json::from_slice(&text(&last.snapshot)?)?),
        };
        take_document(&mut streams, &mut last.sample)?;
        let sample: Sample = serde_json::from_slice(&text(&last.sample)?)?;
        if !streams.0.is_empty() || !streams.1.is_empty() {
            return Err(DecodeError::Parts);
        }
        *self = Self { last, snapshot: Some(Arc::clone(&snapshot)) };
        Ok(Frame { snapshot, sample })
    }
}

fn text(parts: &[Known]) -> Result<Vec<u8>, DecodeError> {
    join(parts.iter().map(|known| &known.part), LONGEST).ok_or(DecodeError::TooLong)
}

/// True when it is another document than before.
fn take_document(
    streams: &mut (Bytes<'_>, Unpacked<'_>),
    last: &mut Vec<Known>,
) -> Result<bool, DecodeError> {
    let count = streams.0.number().filter(|count| *count <= MOST_PARTS).ok_or(DecodeError::Parts)?;
    if count == 0 {
        return Ok(false);
    }
    last.resize(usize::try_from(count).unwrap_or_default(), Known::default());
    let mut length = 0;
    for known in last {
        take_part(streams, known).ok_or(DecodeError::Parts)?;
        length += known.part.text.len();
        if length > LONGEST {
            return Err(DecodeError::TooLong);
        }
    }
    Ok(true)
}

fn take_part((texts, numbers): &mut (Bytes<'_>, Unpacked<'_>), known: &mut Known) -> Option<()> {
    match texts.number()? {
        0 => return Some(()),
        1 => {}
        _ => return None,
    }
    let Part { text, numbers: last } = &known.part;
    let (start, end, length) = (texts.length()?, texts.length()?, texts.length()?);
    let middle = texts.take(length)?;
    let start = text.get(..start)?;
    let at_end =
        text.get(text.len().checked_sub(end)?..).filter(|end| start.len() + end.len() <= text.len())?;
    let now = [start, middle, at_end].concat();
    let count = marks(&now);
    let grown = numbers.take(before(known, count), count)?;
    let earlier = earlier(last, count, marks(last_of(text, end)));
    let values = grown.iter().zip(earlier).map(|(grown, earlier)| earlier.wrapping_add(*grown)).collect();
    *known = Known { part: Part { text: now, numbers: values }, grown };
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::facts::testdata::any;

    proptest! {
        #[test]
        fn frames_are_the_same_after(seeds: [u64; 4], full in 0..4_usize) {
            let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
            let snapshot = any::<Arc<Snapshot>>(seeds[0]);
            for (number, seed) in seeds.into_iter().enumerate() {
                // The first two share a snapshot.
                let snapshot = if number < 2 { Arc::clone(&snapshot) } else { any(seed) };
                let frame = Frame { snapshot, sample: any(seed) };
                let in_full = number == 0 || number == full;
                let bytes = encoder.encode(&frame, in_full).unwrap();
                prop_assert_eq!(decoder.decode(&bytes, in_full).unwrap(), frame);
            }
        }

        #[test]
        fn any_bytes_are_a_frame_or_an_error(bytes: Vec<u8>) {
            prop_assert!(Decoder::default().decode(&bytes, true).is_err());
        }

        #[test]
        fn so_is_a_frame_that_was_changed(seeds: [u64; 2], at: usize, with in 1..=u8::MAX) {
            let mut encoder = Encoder::default();
            let frames = seeds.map(any::<Frame>);
            let first = encoder.encode(&frames[0], true).unwrap();
            let mut second = encoder.encode(&frames[1], false).unwrap();
            let at = at % second.len();
            second[at] ^= with;
            let mut decoder = Decoder::default();
            decoder.decode(&first, true).unwrap();
            // A frame, or an error, and none after an error.
            if decoder.decode(&second, false).is_err() {
                prop_assert!(decoder.decode(&second, false).is_err());
            }
            prop_assert!(decoder.decode(&first[..first.len() - 1], true).is_err());
        }
    }

    proptest! {
        #[test]
        fn fields_that_are_shared_are_written_as_equal_ones_are(seeds: [u64; 2], shared: [bool; 11]) {
            fn share<T>(is_shared: bool, from: &Arc<T>, to: &mut Arc<T>) {
                if is_shared {
                    *to = Arc::clone(from);
                }
            }
            let (first, mut second) = (any::<Frame>(seeds[0]), any::<Frame>(seeds[1]));
            let (from, to) = (&first.snapshot, Arc::make_mut(&mut second.snapshot));
            share(shared[0], &from.netlink, &mut to.netlink);
            share(shared[1], &from.pods, &mut to.pods);
            share(shared[2], &from.namespaces, &mut to.namespaces);
            share(shared[3], &from.network, &mut to.network);
            share(shared[4], &from.inside, &mut to.inside);
            share(shared[5], &from.ipam, &mut to.ipam);
            share(shared[6], &from.pci, &mut to.pci);
            share(shared[7], &from.runs, &mut to.runs);
            share(shared[8], &from.files, &mut to.files);
            share(shared[9], &from.sriov, &mut to.sriov);
            share(shared[10], &from.host, &mut to.host);
            let copied: Frame = serde_json::from_slice(&serde_json::to_vec(&second).unwrap()).unwrap();
            let written = [second, copied].map(|second| {
                let mut encoder = Encoder::default();
                encoder.encode(&first, true).unwrap();
                encoder.encode(&second, false).unwrap()
            });
            prop_assert!(written[0] == written[1]);
        }
    }

    #[test]
    fn a_snapshot_that_is_the_same_is_shared_and_costs_a_byte() {
        let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
        let frame: Frame = any(7);
        let first = encoder.encode(&frame, true).unwrap();
        let second = encoder.encode(&frame, false).unwrap();
        let one = decoder.decode(&first, true).unwrap();
        let other = decoder.decode(&second, false).unwrap();
        assert!(Arc::ptr_eq(&one.snapshot, &other.snapshot));
        assert!(second.len() < 60, "{} bytes", second.len());
    }

    /// Small in the file, and without end once it is joined.
    #[test]
    fn a_frame_that_would_be_large_is_refused() {
        const MARKS: usize = 2 << 20;
        let mut texts = Vec::new();
        for number in [1, 1, 0, 0, MARKS as u64] {
            put(&mut texts, number);
        }
        texts.resize(texts.len() + MARKS, MARK);
        // Each number is one less than nothing: 20 digits.
        let mut numbers = Packed::default();
        numbers.lengths.resize(MARKS, 0x81);
        let bytes = Streams { texts, numbers }.joined();
        let error = Decoder::default().decode(&bytes, true).unwrap_err();
        assert_eq!(error, DecodeError::TooLong);
        let mut claimed = Vec::new();
        for number in [1 << 40, 1, 1, 0, 0, 1 << 40] {
            put(&mut claimed, number);
        }
        assert_eq!(Decoder::default().decode(&claimed, true), Err(DecodeError::Parts));
    }
}
