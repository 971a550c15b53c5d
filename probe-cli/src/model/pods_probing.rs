//! Whether TCP in pods looks for a size that gets through by itself (`tcp_mtu_probing`): where larger packets are lost silently it then
//! goes on, and what UDP, QUIC and ping lose is not noticed.

use super::Model;
use crate::observed::Observed;

/// Of the pods whose network namespaces were looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodsProbing {
    /// Pods where it is on: 1 after a loss, or 2 always.
    pub on: usize,
    /// Pods where it was read.
    pub read: usize,
}

/// None where it was read of no pod.
pub fn pods_probing(model: &Model) -> Option<PodsProbing> {
    let settings = model.snapshot.inside.iter().filter_map(|pod| pod.told.value());
    let values = settings.filter_map(|inside| match inside.sysctls.tcp_mtu_probing {
        Observed::Value(value) => Some(value),
        Observed::Absent
        | Observed::Denied { .. }
        | Observed::Unsupported { .. }
        | Observed::Failed { .. } => None,
    });
    let (on, read) = values.fold((0, 0), |(on, read), value| (on + usize::from(value > 0), read + 1));
    (read > 0).then_some(PodsProbing { on, read })
}

#[cfg(test)]
pub(crate) mod testdata {
    use std::sync::Arc;

    use super::*;
    use crate::facts::{
        host::Sysctls,
        network::{InsideFacts, PodNetwork},
    };

    /// Network namespaces of pods, each with its setting; none where nobody could look.
    pub(crate) fn inside(settings: &[Option<i32>]) -> Arc<Vec<PodNetwork>> {
        let of = |(number, setting): (usize, &Option<i32>)| {
            let sysctls = |value| Sysctls { tcp_mtu_probing: Observed::Value(value), ..Sysctls::default() };
            let told = setting.map_or_else(
                || Observed::Denied { need: "CAP_SYS_ADMIN".to_owned() },
                |value| Observed::Value(InsideFacts { sysctls: sysctls(value), ..InsideFacts::default() }),
            );
            PodNetwork { path: format!("/run/netns/pod{number}"), told }
        };
        Arc::new(settings.iter().enumerate().map(of).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn pods_are_counted_where_it_was_read() {
        for (settings, expected) in [
            (&[][..], None),
            (&[None], None),
            (&[Some(0), None], Some((0, 1))),
            (&[Some(1), Some(2), Some(0)], Some((2, 3))),
        ] {
            let mut model = Model::default();
            Arc::make_mut(&mut model.snapshot).inside = testdata::inside(settings);
            let found = pods_probing(&model).map(|found| (found.on, found.read));
            assert_eq!(found, expected, "{settings:?}");
        }
    }
}
