//! What a CNI network's configuration says, as libcni's cache keeps it with each interface: the plugin, its device, and where
//! addresses come from. Configurations below a host's CNI directory are read elsewhere, with lines.

use serde_json::Value;

use crate::facts::pods::AttachmentIpam;

/// Ranges that are kept of one network.
const RANGES: usize = 64;

/// What is kept of a configuration.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Config {
    /// Type of the plugin, of the first one in a list.
    pub(super) plugin: Option<String>,
    /// `deviceID`: a PCI address.
    pub(super) device: Option<String>,
    /// `ipam`.
    pub(super) ipam: Option<AttachmentIpam>,
}

/// Takes a configuration apart: a plugin, or a list of plugins.
pub(super) fn of(config: &Value) -> Config {
    // To libcni a list is a map, in which the case of keys counts, and a plugin is a struct.
    let first = config.get("plugins").and_then(|plugins| plugins.get(0));
    let plugin = first.unwrap_or(config);
    Config {
        plugin: text(plugin, "type"),
        device: text(config, "deviceID"),
        ipam: field(plugin, "ipam").and_then(ipam),
    }
}

fn ipam(ipam: &Value) -> Option<AttachmentIpam> {
    let list = |key: &str| field(ipam, key).and_then(Value::as_array).into_iter().flatten();
    let short = ["subnet", "range"].into_iter().filter_map(|key| text(ipam, key));
    let sets = list("ranges").filter_map(Value::as_array).flatten().filter_map(|range| text(range, "subnet"));
    let listed = list("ipRanges").filter_map(|range| text(range, "range"));
    Some(AttachmentIpam {
        kind: text(ipam, "type")?,
        ranges: short.chain(sets).chain(listed).take(RANGES).collect(),
        node_slice_size: text(ipam, "node_slice_size"),
        network_name: text(ipam, "network_name"),
    })
}

fn text(map: &Value, key: &str) -> Option<String> {
    field(map, key)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The field of a struct of Go: the case of its key does not count.
fn field<'a>(map: &'a Value, key: &str) -> Option<&'a Value> {
    let map = map.as_object()?;
    map.get(key)
        .or_else(|| map.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plugins_lists_and_keys_of_any_case() {
        let whereabouts = json!({
            "name": "slow", "Type": "macvlan",
            "IPAM": {"type": "whereabouts", "Range": "192.0.2.0/24", "ipRanges": [{"range": "2001:db8::/64"}, {"Range": "198.51.100.0/24"}],
                     "node_slice_size": "/28", "Network_Name": "slow"}
        });
        let expected = AttachmentIpam {
            kind: "whereabouts".to_owned(),
            ranges: ["192.0.2.0/24", "2001:db8::/64", "198.51.100.0/24"].map(str::to_owned).to_vec(),
            node_slice_size: Some("/28".to_owned()),
            network_name: Some("slow".to_owned()),
        };
        let found = of(&whereabouts);
        assert_eq!((found.plugin.as_deref(), found.ipam), (Some("macvlan"), Some(expected)));
        let list = json!({
            "name": "pods", "plugins": [
                {"type": "bridge", "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.9.0.0/24"}], [{"subnet": "fd09::/64"}]]}},
                {"type": "portmap"}
            ]
        });
        let found = of(&list);
        let ipam = found.ipam.unwrap();
        assert_eq!((found.plugin.as_deref(), ipam.kind.as_str()), (Some("bridge"), "host-local"));
        assert_eq!((ipam.ranges.len(), ipam.node_slice_size, ipam.network_name), (2, None, None));
        let sriov = json!({"type": "sriov", "deviceID": "0000:01:10.0", "ipam": {}});
        let found = of(&sriov);
        assert_eq!((found.device.as_deref(), found.ipam), (Some("0000:01:10.0"), None));
        for nothing in [json!(null), json!([]), json!({"plugins": 7}), json!({"type": 7, "ipam": "dhcp"})] {
            assert_eq!(of(&nothing), Config::default(), "{nothing}");
        }
    }
}
