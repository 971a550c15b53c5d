//! Dumps that change while they are read: when to read again, and what to say of one that never held still. No requests.

use super::{error::NetlinkError, socket::Dump};

/// How often a torn dump is read again before it is taken as it is.
const RETRIES: usize = 3;

/// Calls `attempt` until its dump is whole, at most [`RETRIES`] times more; gives what the last one read.
pub(super) fn whole<T>(
    attempt: &mut impl FnMut() -> Result<(Dump, T), NetlinkError>,
) -> Result<(Dump, T), NetlinkError> {
    let mut last = attempt()?;
    for _ in 0..RETRIES {
        if last.0 == Dump::Whole {
            break;
        }
        last = attempt()?;
    }
    Ok(last)
}

/// What to say of a table that could not be read in one piece.
pub(super) fn torn(table: &str) -> String {
    format!(
        "{table} kept changing while they were read ({} attempts): some may be missing or listed twice",
        RETRIES + 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_dump_is_read_again_and_then_taken_as_it_is() {
        for (torn, calls, outcome) in
            [(0, 1, Dump::Whole), (1, 2, Dump::Whole), (3, 4, Dump::Whole), (9, 4, Dump::Torn)]
        {
            let mut count = 0;
            let mut attempt = || {
                count += 1;
                let dump = if count <= torn { Dump::Torn } else { Dump::Whole };
                Ok((dump, count))
            };
            let (dump, read) = whole(&mut attempt).unwrap();
            assert_eq!((dump, read, count), (outcome, calls, calls), "torn {torn} times");
        }
    }
}
