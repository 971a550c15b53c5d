//! What rtnetlink says of policy rules, and of the tables that they send packets to.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{RouteFact, RouteType};
use crate::observed::Observed;

/// A policy rule, from `RTM_NEWRULE`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleFact {
    /// 4 or 6.
    pub family: u8,
    /// `FRA_PRIORITY`: the smallest is asked first.
    pub priority: u32,
    /// `FRA_FWMARK` and `FRA_FWMASK`: the packets it is for; none for all.
    pub mark: Option<FwMark>,
    /// `FIB_RULE_INVERT`: it is for all others.
    pub is_inverted: bool,
    /// `FRA_SRC`: source addresses that it is for; none for all.
    pub from: Option<IpNet>,
    /// `FRA_DST`: destinations that it is for; none for all.
    pub to: Option<IpNet>,
    /// It is for fewer packets than marks and addresses tell: those of a device, a user, a protocol, ports, or a type of service.
    pub is_narrower: bool,
    /// The table that it sends packets to; none when it does something else.
    pub table: Option<u32>,
    /// `FRA_SUPPRESS_PREFIXLEN`: routes of the table whose prefixes have this length or less do not count; none when all do.
    pub suppressed_prefix_len: Option<u8>,
    /// How it drops packets: blackhole, unreachable or prohibit; none when it does something else.
    pub dropping: Option<RouteType>,
}

/// A packet mark and which of its bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FwMark {
    /// The mark.
    pub value: u32,
    /// The bits that count.
    pub mask: u32,
}

/// The routes of one family in one table other than the main one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyTableFact {
    /// Its number.
    pub table: u32,
    /// Family of the routes: 4 or 6.
    pub family: u8,
    /// Unicast and blackhole routes.
    pub routes: Observed<Vec<RouteFact>>,
}
