//! Recordings as the fuzzer makes them up. Compiled for the fuzzer and for tests.

use std::{io::Cursor, sync::Arc, time::Duration};

use super::{
    delta::{Decoder, Encoder},
    format::LONGEST_FRAME,
    pack::{pack, unpack, unpack_within},
    reader::Recording,
};

/// Bytes that are unpacked at most of what is no file.
const SHORT: usize = 1 << 20;

/// Reads a file, then the same bytes as a frame that was compressed and as one that was not: a fuzzer finds no checksums. Returns what
/// is said of what cannot be read.
pub(crate) fn recording(bytes: &[u8]) -> Vec<String> {
    let mut said = Vec::new();
    match Recording::open(Cursor::new(bytes)) {
        Ok(mut recording) => {
            for number in 0..recording.count().min(8) {
                said.extend(recording.frame(number).err().map(|error| error.to_string()));
            }
            said.push(recording.end().to_string());
        }
        Err(error) => said.push(error.to_string()),
    }
    // What an input may take is measured, and as little as three bytes are 128 KiB once they are unpacked.
    if let Some(unpacked) = unpack_within(bytes, SHORT, SHORT as u64) {
        assert_eq!(unpack(&pack(&unpacked), LONGEST_FRAME), Some(unpacked), "compressed again it is another");
    }
    let mut decoder = Decoder::default();
    match decoder.decode(bytes, true) {
        Ok(frame) => {
            // Once more in full, the same frame after it, and one that shares all of its snapshot but the time.
            let mut later = frame.clone();
            Arc::make_mut(&mut later.snapshot).taken_at = Duration::ZERO;
            let (mut encoder, mut again) = (Encoder::default(), Decoder::default());
            for (frame, in_full) in [(&frame, true), (&frame, false), (&later, false)] {
                let written = encoder.encode(frame, in_full).ok();
                let read = written.and_then(|written| again.decode(&written, in_full).ok());
                assert!(read.is_some_and(|read| read == *frame), "written again it is another frame");
            }
            // The same bytes as what is different from it.
            said.extend(decoder.decode(bytes, false).err().map(|error| error.to_string()));
        }
        Err(error) => said.push(error.to_string()),
    }
    said
}
