//! Reads a document that `check --format json` wrote, for `check --since`: which findings it has, and nothing else of it.

use serde::{Deserialize, de::IgnoredAny};
use thiserror::Error;

use super::json::{KINDS, SCHEMA_VERSION};
use crate::{
    check::{Key, Known, Severity},
    text,
};

/// A document that was written before.
#[derive(Debug)]
pub struct Earlier {
    /// The node that it is about.
    pub node: Option<String>,
    /// What was found: neither symptoms of other findings nor what was accepted.
    pub known: Known,
}

/// Why a file is no such document.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It is something else.
    #[error("it is no document of `check --format json` (line {line}, column {column})")]
    Json {
        /// Where it is none. What stands there is not quoted: the file may be another one than was meant.
        line: usize,
        /// Where.
        column: usize,
    },
    /// It is from a version that this one does not know.
    #[error("it has schema_version {0}, and this version reads {SCHEMA_VERSION}")]
    Version(u32),
    /// The node could not be looked at then.
    #[error("there is nothing to compare with: the node could not be looked at then ({0})")]
    Unknown(String),
}

#[derive(Deserialize)]
struct EarlierDocument {
    schema_version: u32,
    reason: Option<String>,
    node: Option<String>,
    findings: Vec<EarlierEntry>,
}

#[derive(Deserialize)]
struct EarlierEntry {
    id: String,
    severity: EarlierSeverity,
    subject: EarlierSubject,
    explained_by: Option<String>,
    accepted: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum EarlierSeverity {
    Warn,
    Fail,
}

#[derive(Deserialize)]
struct EarlierSubject {
    kind: String,
    name: String,
}

/// Reads what `check --format json` wrote.
pub fn read(text: &[u8]) -> Result<Earlier, ReadError> {
    let document: EarlierDocument = serde_json::from_slice(text)
        .map_err(|error| ReadError::Json { line: error.line(), column: error.column() })?;
    if document.schema_version != SCHEMA_VERSION {
        return Err(ReadError::Version(document.schema_version));
    }
    if let Some(reason) = document.reason {
        return Err(ReadError::Unknown(text::shown(&reason)));
    }
    let stood = document
        .findings
        .into_iter()
        .filter(|entry| entry.explained_by.is_none() && entry.accepted.is_none());
    let known = stood.filter_map(|EarlierEntry { id, severity, subject, .. }| {
        // A kind that this version does not have is of a check that it does not have either.
        let (kind, _) = KINDS.iter().find(|(_, word)| *word == subject.kind)?;
        let severity = match severity {
            EarlierSeverity::Warn => Severity::Warn,
            EarlierSeverity::Fail => Severity::Fail,
        };
        Some((Key { id, kind: *kind, name: subject.name }, severity))
    });
    Ok(Earlier { known: Known::new(known), node: document.node })
}
