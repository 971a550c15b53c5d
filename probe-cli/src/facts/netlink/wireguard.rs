//! What generic netlink says of WireGuard devices and their peers. No secret: private and preshared keys have no place here.

use std::{fmt, net::SocketAddr, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// `IFLA_INFO_KIND` of a WireGuard device.
pub const WIREGUARD: &str = "wireguard";

/// A WireGuard device, from `WG_CMD_GET_DEVICE`. Its private key and the preshared keys of its peers come in the same
/// reply and have no place here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireguardFact {
    /// Interface index.
    pub ifindex: u32,
    /// `WGDEVICE_A_PUBLIC_KEY`; absent on a device without a key.
    pub public_key: Option<PublicKey>,
    /// `WGDEVICE_A_LISTEN_PORT`, host byte order; 0 on a device that has no socket, being down.
    pub listen_port: u16,
    /// `WGDEVICE_A_FWMARK`: the mark of its outer packets; 0 for none.
    pub fwmark: u32,
    /// Its peers, each once.
    pub peers: Vec<WireguardPeerFact>,
}

/// A peer of a WireGuard device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireguardPeerFact {
    /// `WGPEER_A_PUBLIC_KEY`.
    pub public_key: PublicKey,
    /// `WGPEER_A_ENDPOINT`: where outer packets go, or where the last came from; absent while nobody told.
    pub endpoint: Option<SocketAddr>,
    /// `WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL` in seconds; 0 when off.
    pub keepalive_s: u16,
    /// `WGPEER_A_ALLOWEDIPS`: what may come from it and what goes to it.
    pub allowed_ips: Vec<IpNet>,
    /// What the kernel counted for it.
    pub counters: WireguardCounters,
}

/// What changes with every packet of a WireGuard peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireguardCounters {
    /// `WGPEER_A_LAST_HANDSHAKE_TIME`, wall clock since the Unix epoch; none when there was none.
    pub last_handshake: Option<Duration>,
    /// `WGPEER_A_RX_BYTES`: UDP payload of data packets and keepalives received, and of handshake messages.
    pub rx_bytes: u64,
    /// `WGPEER_A_TX_BYTES`: the same, sent.
    pub tx_bytes: u64,
}

impl WireguardFact {
    /// The same device with its counters at zero: what is left changes only when somebody changes it, or when a peer
    /// moves.
    #[must_use]
    pub fn without_counters(&self) -> Self {
        let mut device = self.clone();
        for peer in &mut device.peers {
            peer.counters = WireguardCounters::default();
        }
        device
    }
}

/// A WireGuard public key, written as `wg` writes it: base64.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey(pub [u8; 32]);

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&BASE64_STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return <[u8; 32]>::deserialize(deserializer).map(Self);
        }
        let bytes = BASE64_STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)?;
        let bytes = <[u8; 32]>::try_from(bytes);
        bytes
            .map(Self)
            .map_err(|bytes| D::Error::invalid_length(bytes.len(), &"the 32 bytes of a public key"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_text_and_nothing_else_is_a_key() {
        let key = PublicKey([7; 32]);
        let text = serde_json::to_string(&key).unwrap();
        assert_eq!(text, "\"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\"");
        assert_eq!(serde_json::from_str::<PublicKey>(&text).unwrap(), key);
        for wrong in ["\"\"", "\"BwcH\"", "\"no base64\"", "[7]", "null"] {
            assert!(serde_json::from_str::<PublicKey>(wrong).is_err(), "{wrong}");
        }
    }
}
