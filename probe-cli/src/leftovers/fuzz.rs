//! Run records as the fuzzer makes them up. Compiled for the fuzzer and for tests.

use super::record::{VERSION, understood};

/// Reads a record. Returns what is said of one that cannot be read.
pub(crate) fn record(text: &[u8]) -> Option<String> {
    let record = match understood(text) {
        Ok(record) => record,
        Err(why) => return Some(why),
    };
    assert!(record.version <= VERSION, "a record of a later version is understood");
    let written = serde_json::to_vec(&record).unwrap_or_default();
    assert_eq!(understood(&written), Ok(record), "a record is another one once it was written");
    // A new note is written over a longer one, which is blanked.
    let padded = [&written[..], &[b' '; 9]].concat();
    assert!(understood(&padded).is_ok(), "blanks behind a record");
    None
}
