//! What an interface counts beside what the wire carries: the kernel counts a buffer once, of however many packets it is.

use super::Fact;
use crate::{
    model::{Model, TunnelRow},
    text,
};

/// Of the tunnel's last interval; none where nothing was sent, and where one of the two is unknown.
pub(super) fn fact(row: &TunnelRow, model: &Model) -> Option<Fact> {
    let window = model.window.as_ref()?;
    let counted = window.links.get(&row.tunnel.ifindex)?.tx_packets;
    let rate = row.outer.as_ref()?.tx.rate?;
    let carried = (rate.packets_per_s * window.length.as_secs_f64()).round();
    let words = format!(
        "the interface counted {}, the wire carried {} packets in {} s",
        text::si(counted as f64),
        text::si(carried),
        text::si(window.length.as_secs_f64()),
    );
    (counted > 0 && carried > 0.0).then_some(("TX by GSO", words, false))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use super::*;
    use crate::model::{
        LinkWindow, Window,
        testdata::{build, inventory, sample},
    };

    #[test]
    fn a_buffer_of_many_packets_is_one_for_the_interface() {
        let inventory = inventory(2);
        let mut model = build(&inventory, &sample(&inventory, 2), Some(&sample(&inventory, 1)));
        assert_eq!(fact(&model.tunnels[0], &model), None, "the interface was not read");
        let carried = model.tunnels[0].outer.unwrap().tx.rate.unwrap().packets_per_s;
        let link = LinkWindow { tx_packets: 850, ..LinkWindow::default() };
        let links = BTreeMap::from([(model.tunnels[0].tunnel.ifindex, link)]);
        model.window = Some(Window { length: Duration::from_secs(2), links, ..Window::default() });
        let (_, words, _) = fact(&model.tunnels[0], &model).unwrap();
        let expected = text::si(carried * 2.0);
        assert_eq!(words, format!("the interface counted 850, the wire carried {expected} packets in 2 s"));
        model.tunnels[0].outer = None;
        assert_eq!(fact(&model.tunnels[0], &model), None);
    }
}
