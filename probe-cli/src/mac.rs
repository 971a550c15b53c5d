//! Link-layer addresses: what netlink reads and the inventory joins by. Nothing else.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A link-layer address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.0;
        write!(f, "{first:02x}")?;
        rest.iter().try_for_each(|octet| write!(f, ":{octet:02x}"))
    }
}

impl FromStr for Mac {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut mac = Self::default();
        let mut octets = text.split(':');
        for octet in &mut mac.0 {
            let digits = octets.next().filter(|digits| digits.len() == 2 && !digits.starts_with('+'));
            *octet = digits
                .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                .ok_or("not six pairs of hex digits")?;
        }
        if octets.next().is_none() { Ok(mac) } else { Err("more than six octets") }
    }
}

/// In documents as people write it.
impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return <[u8; 6]>::deserialize(deserializer).map(Self);
        }
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let mac = Mac([2, 0, 0xab, 0, 0, 1]);
        assert_eq!(serde_json::to_string(&mac).unwrap(), "\"02:00:ab:00:00:01\"");
        assert_eq!(serde_json::from_str::<Mac>("\"02:00:ab:00:00:01\"").unwrap(), mac);
        for bad in [
            "",
            "02:00:ab:00:00",
            "02:00:ab:00:00:01:02",
            "2:0:ab:0:0:1",
            "02:00:ab:00:00:0g",
            "+2:00:ab:00:00:01",
        ] {
            assert!(bad.parse::<Mac>().is_err(), "{bad}");
        }
    }
}
