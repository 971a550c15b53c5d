//! Which kernel modules the host has files of: `modules.builtin` and `modules.dep` (modprobe(8), depmod(8)) of one kernel.
//! Which are loaded the kernel says.

use std::collections::BTreeMap;

use super::root::Root;
use crate::{facts::host::Installed, observed::Observed};

/// Modules that a pod network may need, by name.
const NEEDED: [&str; 26] = [
    "8021q",
    "br_netfilter",
    "bridge",
    "cls_bpf",
    "geneve",
    "ip6_tunnel",
    "ip_set",
    "ip_tables",
    "ip_vs",
    "ipip",
    "ipvlan",
    "macvlan",
    "nf_conntrack",
    "nf_nat",
    "nf_tables",
    "nft_compat",
    "overlay",
    "sch_ingress",
    "veth",
    "vfio_pci",
    "vxlan",
    "wireguard",
    "xt_MASQUERADE",
    "xt_comment",
    "xt_conntrack",
    "xt_mark",
];

/// Where the modules that matter are, for the kernel of this release.
pub(super) fn read(root: &Root, release: &str) -> Observed<BTreeMap<String, Installed>> {
    // A release is one name and no path.
    if release.is_empty() || release.contains('/') || release == ".." {
        return Observed::Failed { error: "the kernel's release is not a name".to_owned() };
    }
    let directory = format!("/lib/modules/{release}");
    root.text(&format!("{directory}/modules.dep")).and_then(|loadable| {
        let built_in = match root.text(&format!("{directory}/modules.builtin")) {
            Observed::Value(text) => text,
            // A kernel with nothing built in.
            Observed::Absent => String::new(),
            other @ (Observed::Denied { .. } | Observed::Unsupported { .. } | Observed::Failed { .. }) => {
                return other.map(|_| BTreeMap::new());
            }
        };
        let mut found: BTreeMap<String, Installed> =
            NEEDED.iter().map(|name| ((*name).to_owned(), Installed::Missing)).collect();
        for (text, installed) in [(loadable, Installed::Loadable), (built_in, Installed::BuiltIn)] {
            for name in text.lines().filter_map(module) {
                if let Some(known) = found.get_mut(&name) {
                    *known = installed;
                }
            }
        }
        Observed::Value(found)
    })
}

/// `kernel/drivers/net/wireguard/wireguard.ko.xz: kernel/...`, or without what it needs: the name of the module, which has
/// underscores where its file may have hyphens.
pub(super) fn module(line: &str) -> Option<String> {
    let path = line.split(':').next()?;
    let (name, _) = path.rsplit('/').next()?.split_once(".ko")?;
    Some(name.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn built_in_loadable_and_missing() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        assert_eq!(read(&root, "6.1.0-1"), Observed::Absent);
        let modules = directory.path().join("lib/modules/6.1.0-1");
        fs::create_dir_all(&modules).unwrap();
        fs::write(
            modules.join("modules.dep"),
            "kernel/drivers/net/wireguard/wireguard.ko.xz: kernel/net/ipv4/udp_tunnel.ko.xz\n\
             kernel/drivers/vfio/pci/vfio-pci.ko.zst:\nkernel/net/netfilter/xt_mark.ko: \nnonsense\n",
        )
        .unwrap();
        fs::write(modules.join("modules.builtin"), "kernel/drivers/net/veth.ko\n").unwrap();
        let found = read(&root, "6.1.0-1");
        let found = found.value().unwrap();
        let of = |name: &str| found[name];
        assert_eq!(
            (of("wireguard"), of("vfio_pci"), of("xt_mark")),
            (Installed::Loadable, Installed::Loadable, Installed::Loadable)
        );
        // Named in another's line only.
        assert_eq!((of("veth"), of("vxlan")), (Installed::BuiltIn, Installed::Missing));
        assert_eq!(found.len(), NEEDED.len());
        for release in ["", "..", "../6.1.0-1"] {
            assert!(read(&root, release).trouble().is_some(), "{release:?}");
        }
    }
}
