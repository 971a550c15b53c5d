//! The window over which counters are compared, in words.

use crate::model::Model;

/// `in 2.0 s`; empty when counters were read once only.
pub(super) fn over(model: &Model) -> String {
    model
        .window
        .as_ref()
        .map_or_else(String::new, |window| format!("in {:.1} s", window.length.as_secs_f64()))
}
