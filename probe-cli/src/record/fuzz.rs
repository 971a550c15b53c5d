//! Recordings as the fuzzer makes them up. Compiled for the fuzzer and for tests.

use std::io::Cursor;

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
            let again = Encoder::default().encode(&frame, true).ok();
            let again = again.and_then(|again| Decoder::default().decode(&again, true).ok());
            assert!(again.is_some_and(|again| again == frame), "written again it is another frame");
            // The same bytes as what is different from it.
            said.extend(decoder.decode(bytes, false).err().map(|error| error.to_string()));
        }
        Err(error) => said.push(error.to_string()),
    }
    said
}
