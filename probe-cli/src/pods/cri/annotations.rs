//! The one annotation of a sandbox that is used, taken out of the map of all of them without keeping the others: a pod may have
//! many, and secrets among them.

use prost::{
    DecodeError, Message,
    bytes::{Buf, BufMut, Bytes},
    encoding::{DecodeContext, WireType, bytes, skip_field, string},
};

use crate::pods::limits;

/// What a pod asks Multus for (Kubernetes Network Custom Resource Definition De-facto Standard).
pub(super) const NETWORKS: &str = "k8s.v1.cni.cncf.io/networks";

/// The entries of a map of texts, each a message with its key in field 1 and its value in field 2, merged into one another.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Annotations {
    /// The value of [`NETWORKS`].
    pub(super) networks: Option<String>,
    /// There is one that is too long.
    pub(super) is_too_long: bool,
    /// The key of the entry that is being read is that.
    is_meant: bool,
}

impl Message for Annotations {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        if let Some(networks) = &self.networks {
            string::encode(1, &NETWORKS.to_owned(), buf);
            string::encode(2, networks, buf);
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        match (tag, wire_type) {
            (1, WireType::LengthDelimited) => {
                let key = text(wire_type, buf, context, NETWORKS.len())?;
                self.is_meant = key.as_deref() == Some(NETWORKS);
                Ok(())
            }
            (2, WireType::LengthDelimited) if self.is_meant => {
                let value = text(wire_type, buf, context, limits::NETWORKS)?;
                self.is_too_long |= value.is_none();
                self.networks = value;
                self.is_meant = false;
                Ok(())
            }
            _ => skip_field(wire_type, tag, buf, context),
        }
    }

    fn encoded_len(&self) -> usize {
        self.networks.as_ref().map_or(0, |networks| {
            string::encoded_len(1, &NETWORKS.to_owned()) + string::encoded_len(2, networks)
        })
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// A text of at most `longest` bytes; none for a longer one, and for what is no text. Nothing is copied of what is not kept.
fn text(
    wire_type: WireType,
    buf: &mut impl Buf,
    context: DecodeContext,
    longest: usize,
) -> Result<Option<String>, DecodeError> {
    let mut found = Bytes::new();
    bytes::merge(wire_type, &mut found, buf, context)?;
    let found = (found.len() <= longest).then(|| str::from_utf8(&found).ok().map(str::to_owned));
    Ok(found.flatten())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// As a runtime writes it.
    #[derive(Clone, PartialEq, Message)]
    struct Real {
        #[prost(btree_map = "string, string", tag = "6")]
        annotations: BTreeMap<String, String>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Ours {
        #[prost(message, optional, tag = "6")]
        annotations: Option<Annotations>,
    }

    fn read(annotations: &[(&str, &str)]) -> Annotations {
        let annotations = annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let bytes = Real { annotations: annotations.collect() }.encode_to_vec();
        Ours::decode(&*bytes).unwrap().annotations.unwrap_or_default()
    }

    #[test]
    fn one_of_many() {
        let found = read(&[("a", "secret"), (NETWORKS, "macvlan"), ("z", "other"), ("", "x")]);
        assert_eq!((found.networks.as_deref(), found.is_too_long), (Some("macvlan"), false));
        assert_eq!(read(&[("a", NETWORKS)]).networks, None);
        assert_eq!(read(&[]).networks, None);
        let long = read(&[(NETWORKS, &"n".repeat(limits::NETWORKS + 1)), ("z", "")]);
        assert_eq!((long.networks, long.is_too_long), (None, true));
    }

    #[test]
    fn a_torn_one_is_an_error() {
        let whole =
            Real { annotations: [(NETWORKS.to_owned(), "macvlan".to_owned())].into() }.encode_to_vec();
        for length in 1..whole.len() {
            assert!(Ours::decode(&whole[..length]).is_err(), "{length}");
        }
    }
}
