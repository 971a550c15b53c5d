//! The terminal UI: the only place that imports ratatui and crossterm.
#![allow(missing_docs, reason = "x")]
use std::sync::Arc;
pub struct TuiOptions {
    pub no_color: bool,
    pub title: String,
}
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct TuiError;
pub async fn run(
    _m: tokio::sync::watch::Receiver<Option<Arc<crate::model::Model>>>,
    _o: TuiOptions,
) -> Result<(), TuiError> {
    Ok(())
}
