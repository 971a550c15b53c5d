//! A switch of the backend that somebody plans (`check --for`), for the checks about it.

use super::prelude::*;
use crate::model::{Changes, Planned, PlannedBackend, planned};

/// UDP ports that flannel's WireGuard devices take by default: over IPv4 and over IPv6 (pkg/backend/wireguard/wireguard.go).
const WIREGUARD_PORTS: [(u8, u16); 2] = [(4, 51820), (6, 51821)];

/// What the planned switch comes to; else what a check comes to without it.
pub(super) fn of(model: &Model) -> Result<Planned, Outcome> {
    let changes = Changes { backend: model.planned_backend, ..Changes::default() };
    let planned = planned(model, changes).map_err(|why| Outcome::NotJudged(escape(&why.to_string())))?;
    if planned.backend_before == model.planned_backend {
        return Err(Outcome::DoesNotApply("the planned backend is the one that is there"));
    }
    Ok(planned)
}

/// The UDP ports that are needed then.
pub(super) fn ports(planned: &Planned) -> Vec<u16> {
    let is_wireguard = planned.changes.backend == Some(PlannedBackend::Wireguard);
    let has = |family: u8| planned.after.iter().any(|path| path.outer_family == Some(family));
    let ports = WIREGUARD_PORTS.iter().filter(|(family, _)| is_wireguard && has(*family));
    ports.map(|(_, port)| *port).collect()
}
