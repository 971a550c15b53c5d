//! Judgement: what is wrong on the node, and how bad it is. Pure: a function of the model for each check, and one list of them.
//!
//! Here belong checks, the list of what goes wrong that they are measured by, the order in which causes explain symptoms, and the
//! verdict. What exists is said by the inventory, what it means by the model; how a finding looks is said in [`crate::report`].

mod accepted;
mod catalogue;
mod changes;
mod fault;
mod finding;
mod need;
mod ongoing;
mod quote;
mod registry;
mod rules;
mod run;
#[cfg(test)]
pub(crate) mod testdata;
#[cfg(test)]
mod tests;

pub use accepted::{Acceptance, Acceptances, Accepted, Wrong, WrongLine};
pub use catalogue::{Area, CATALOGUE, Failure, Missed};
pub use changes::{Became, Change, Changes, Key, Known};
pub use fault::{FAULTS, Fault, Plane, WITHOUT_FAULT, faults_of, why_without};
pub use finding::{Evidence, Finding, Fix, Outcome, Severity, Subject, SubjectKind, commands, worst};
pub use need::Need;
pub use ongoing::{Health, Ongoing, Standing};
pub use registry::{Check, Explain, Family, REGISTRY, Unknown, select};
pub use run::{Counts, Judgement, Row, Verdict, named, run, run_with};
