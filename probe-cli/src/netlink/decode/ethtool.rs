//! `ETHTOOL_MSG_FEATURES_GET_REPLY` and `ETHTOOL_MSG_CHANNELS_GET_REPLY` (linux/ethtool_netlink.h), as `features_fill_reply`
//! and `channels_fill_reply` write them. Nothing about other messages.

use std::collections::{BTreeMap, BTreeSet};

use super::{Attribute, Message};
use crate::{
    facts::netlink::{ChannelsFact, FeatureFact},
    netlink::error::DecodeError,
};

const ETHTOOL_A_FEATURES_HW: u16 = 2;
const ETHTOOL_A_FEATURES_WANTED: u16 = 3;
const ETHTOOL_A_FEATURES_ACTIVE: u16 = 4;
const ETHTOOL_A_FEATURES_NOCHANGE: u16 = 5;
const ETHTOOL_A_BITSET_NOMASK: u16 = 1;
const ETHTOOL_A_BITSET_BITS: u16 = 3;
const ETHTOOL_A_BITSET_BITS_BIT: u16 = 1;
const ETHTOOL_A_BITSET_BIT_NAME: u16 = 2;
const ETHTOOL_A_BITSET_BIT_VALUE: u16 = 3;
const ETHTOOL_A_CHANNELS_RX_MAX: u16 = 2;
const ETHTOOL_A_CHANNELS_TX_MAX: u16 = 3;
const ETHTOOL_A_CHANNELS_COMBINED_MAX: u16 = 5;
const ETHTOOL_A_CHANNELS_RX_COUNT: u16 = 6;
const ETHTOOL_A_CHANNELS_TX_COUNT: u16 = 7;
const ETHTOOL_A_CHANNELS_COMBINED_COUNT: u16 = 9;

/// Those of the features in `payload` whose name `is_wanted`.
pub(in crate::netlink) fn features(
    payload: &[u8],
    is_wanted: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, FeatureFact>, DecodeError> {
    let message = Message::new("ETHTOOL_MSG_FEATURES_GET_REPLY", payload, 4)?;
    let (mut hardware, mut wanted, mut active, mut fixed) =
        (Bits::default(), Bits::default(), Bits::default(), Bits::default());
    for attribute in message.attributes() {
        let attribute = attribute?;
        match attribute.kind {
            ETHTOOL_A_FEATURES_HW => hardware = bits(&attribute)?,
            ETHTOOL_A_FEATURES_WANTED => wanted = bits(&attribute)?,
            ETHTOOL_A_FEATURES_ACTIVE => active = bits(&attribute)?,
            ETHTOOL_A_FEATURES_NOCHANGE => fixed = bits(&attribute)?,
            _ => {}
        }
    }
    // The hardware's have every feature that the kernel has a name for, on or off.
    let known = hardware.named.iter().filter(|name| is_wanted(name));
    Ok(known
        .map(|name| {
            let feature = FeatureFact {
                is_active: active.set.contains(name),
                is_wanted: wanted.set.contains(name),
                is_fixed: !hardware.set.contains(name) || fixed.set.contains(name),
            };
            (name.clone(), feature)
        })
        .collect())
}

/// A bit set with names.
#[derive(Default)]
struct Bits {
    named: BTreeSet<String>,
    set: BTreeSet<String>,
}

/// Without a mask every bit that is listed is set; else those with a value.
fn bits(bitset: &Attribute<'_>) -> Result<Bits, DecodeError> {
    let (mut has_mask, mut list) = (true, None);
    for part in bitset.nested() {
        let part = part?;
        match part.kind {
            ETHTOOL_A_BITSET_NOMASK => has_mask = false,
            ETHTOOL_A_BITSET_BITS => list = Some(part),
            _ => {}
        }
    }
    let mut bits = Bits::default();
    for bit in list.iter().flat_map(Attribute::nested) {
        let bit = bit?;
        if bit.kind != ETHTOOL_A_BITSET_BITS_BIT {
            continue;
        }
        let (mut name, mut is_set) = (None, !has_mask);
        for part in bit.nested() {
            let part = part?;
            match part.kind {
                ETHTOOL_A_BITSET_BIT_NAME => name = Some(part.text()),
                ETHTOOL_A_BITSET_BIT_VALUE => is_set = true,
                _ => {}
            }
        }
        let Some(name) = name else { continue };
        if is_set {
            bits.set.insert(name.clone());
        }
        bits.named.insert(name);
    }
    Ok(bits)
}

/// The channels in `payload`; those of a kind that the driver does not have are not in it (`channels_fill_reply`).
pub(in crate::netlink) fn channels(payload: &[u8]) -> Result<ChannelsFact, DecodeError> {
    let message = Message::new("ETHTOOL_MSG_CHANNELS_GET_REPLY", payload, 4)?;
    let mut channels = ChannelsFact::default();
    for attribute in message.attributes() {
        let attribute = attribute?;
        let field = match attribute.kind {
            ETHTOOL_A_CHANNELS_RX_COUNT => &mut channels.rx,
            ETHTOOL_A_CHANNELS_TX_COUNT => &mut channels.tx,
            ETHTOOL_A_CHANNELS_COMBINED_COUNT => &mut channels.combined,
            ETHTOOL_A_CHANNELS_RX_MAX => &mut channels.most_rx,
            ETHTOOL_A_CHANNELS_TX_MAX => &mut channels.most_tx,
            ETHTOOL_A_CHANNELS_COMBINED_MAX => &mut channels.most_combined,
            _ => continue,
        };
        *field = Some(attribute.u32()?);
    }
    Ok(channels)
}
