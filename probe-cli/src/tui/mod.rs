//! The terminal UI: the only place that imports ratatui and crossterm.
//!
//! ```text
//!  events ──> keymap ──> Action ──> update(state, action) ──> Effect
//!  models ──────────────────^            │
//!                                        v
//!                                 view(state, frame)
//! ```
//! `update` and `view` are pure: they know the model and nothing else of the world, so every screen is tested from
//! data. Here belong screens and what a key does. Not rates, not joins: those are the model's.
//!
//! A new key is a row in `keymap`, a new column a variant in `columns` with what it says in `cells`, a new kind of row a
//! variant in `subject::Subject`, a new tab a variant in `tab::Tab` with a file in `view`.

mod action;
mod cells;
mod columns;
mod explaining;
mod feed;
mod filter;
mod findings;
mod history;
mod keymap;
mod list;
mod log;
mod measure;
mod past;
mod preferences;
mod rate;
mod run;
mod state;
mod story;
mod subject;
mod tab;
mod terminal;
#[cfg(test)]
mod testdata;
#[cfg(test)]
mod tests;
mod update;
mod vf;
mod view;

pub use feed::{Back, Feed, Measuring, Recording};
pub use preferences::Preferences;
pub use run::{Asked, TuiError, TuiOptions, check_terminal, run};
