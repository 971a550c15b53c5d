//! What is known of one virtual function.

use super::Fact;
use crate::{
    model::{Counts, PerDirection, VfLinkState, VfRow, VfWire, VirtualFunction},
    text,
    tui::vf,
};

/// All of it: whose it is, where it is, what it carried, what is set.
pub(super) fn facts(row: &VfRow) -> Vec<Fact> {
    let function = &row.vf;
    let mut facts = owner(function);
    facts.extend(place(function));
    facts.extend(carried(row));
    facts.extend(settings(function));
    facts
}

/// The pod, who says so, and who says something else.
fn owner(function: &VirtualFunction) -> Vec<Fact> {
    let Some(pod) = &function.pod else { return vec![("pod", "none known".to_owned(), false)] };
    let mut facts: Vec<Fact> = vec![
        ("pod", vf::pod(pod), false),
        ("network", vf::network(function).unwrap_or_else(|| "-".to_owned()), false),
        ("known from", pod.source.words().to_owned(), false),
    ];
    facts.extend(
        function
            .disputed_by
            .iter()
            .map(|other| ("disputed", format!("{} says {}", other.source.words(), vf::pod(other)), true)),
    );
    facts
}

fn place(function: &VirtualFunction) -> Vec<Fact> {
    let group = function.iommu_group.map(|group| format!(", IOMMU group {group}"));
    let is_vfio = function.driver.as_deref() == Some("vfio-pci");
    let pf = [
        function.pf.as_deref().map(text::escape),
        Some(function.pf_pci_address.clone()),
        function.pf_driver.as_deref().map(text::escape),
    ];
    let pf: Vec<String> = pf.into_iter().flatten().collect();
    let mut facts: Vec<Fact> = vec![
        ("VF", format!("{}{}", function.pci_address, group.unwrap_or_default()), false),
        ("driver", format!("{}{}", vf::driver(function), if is_vfio { " (user space)" } else { "" }), false),
        ("PF", pf.join(", "), false),
    ];
    facts.push(match &function.interface {
        // With another driver it has one, in a namespace that could not be read.
        None => ("interface", if is_vfio { "none" } else { "none found" }.to_owned(), false),
        Some(interface) => {
            let netns = vf::netns(function).map_or_else(String::new, |netns| format!(" in netns {netns}"));
            let state = if interface.up { "" } else { ", DOWN" };
            let name = text::escape(&interface.name);
            ("interface", format!("{name}{netns}, MTU {}{state}", interface.mtu), !interface.up)
        }
    });
    facts.push(match vf::macs(function) {
        (Some(used), Some(set)) if used == set => ("MAC", format!("{used}, PF-set"), false),
        (Some(used), Some(set)) => ("MAC", format!("{used}, but PF-set is {set}"), true),
        (Some(used), None) => ("MAC", used.to_string(), false),
        (None, Some(set)) => ("MAC", format!("{set}, PF-set"), false),
        (None, None) => ("MAC", "-".to_owned(), false),
    });
    facts
}

/// Totals, and who counted.
fn carried(row: &VfRow) -> Vec<Fact> {
    let traffic = row.traffic;
    let mut facts: Vec<Fact> = vec![("counted by", traffic.counted_by().to_owned(), false)];
    let Some(counters) = traffic.counters() else { return facts };
    let direction =
        |packets: u64, bytes: u64| format!("{} packets, {}", text::si(packets as f64), text::bytes(bytes));
    if let Some(wire) = &row.wire {
        let direction = |counts: &Counts| direction(counts.packets, counts.outer_bytes);
        facts.push(("TX wire", direction(&wire.counts.tx), false));
        facts.push(("RX wire", direction(&wire.counts.rx), false));
        facts.extend(packets(wire));
    } else {
        facts.push(("TX total", direction(counters.tx_packets, counters.tx_bytes), false));
        facts.push(("RX total", direction(counters.rx_packets, counters.rx_bytes), false));
    }
    let dropped = PerDirection { tx: counters.tx_dropped, rx: counters.rx_dropped };
    let drops = format!("TX {}, RX {} packets", text::si(dropped.tx as f64), text::si(dropped.rx as f64));
    facts.push(("dropped", drops, dropped.tx > 0 || dropped.rx > 0));
    facts
}

/// What the packets of the wire are like.
fn packets(wire: &VfWire) -> Vec<Fact> {
    let PerDirection { tx, rx } = &wire.counts;
    let words = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
    };
    let size = |counts: &Counts| words(vf::mean_frame(counts), 0);
    let segments = |counts: &Counts| words(vf::segments(counts), 1);
    let oversize =
        format!("TX {}, RX {} over the MTU", text::si(tx.oversize as f64), text::si(rx.oversize as f64));
    // What arrived was carried, and what has stopped is no alarm.
    let goes_on = wire.rates.is_some_and(|rates| rates.tx.oversize_per_s > 0.0);
    vec![
        ("mean frame", format!("TX {}, RX {} bytes", size(tx), size(rx)), false),
        ("GSO, GRO", format!("TX {}, RX {} seg/skb", segments(tx), segments(rx)), false),
        ("too big", oversize, goes_on),
    ]
}

/// What the PF's driver has set. What it does not tell is `-`.
fn settings(function: &VirtualFunction) -> Vec<Fact> {
    let Some(settings) = &function.settings else {
        return vec![("settings", "not told by the PF's driver".to_owned(), false)];
    };
    let vlan = settings.vlan.map_or_else(
        || "none".to_owned(),
        |vlan| format!("{}{}, QoS {}", vlan.id, if vlan.is_qinq { " (802.1ad)" } else { "" }, vlan.qos),
    );
    let on = |value: Option<bool>| value.map_or("-", |on| if on { "on" } else { "off" });
    let rate = match (settings.min_tx_mbit, settings.max_tx_mbit) {
        (None, None) => "not limited".to_owned(),
        (Some(least), None) => format!("at least {least} Mbit/s"),
        (None, Some(most)) => format!("at most {most} Mbit/s"),
        (Some(least), Some(most)) => format!("{least} to {most} Mbit/s"),
    };
    let (link, is_down) = match settings.link_state {
        None => ("-", false),
        Some(VfLinkState::Auto) => ("auto: as the PF's", false),
        Some(VfLinkState::Enable) => ("enable: up whatever the PF's is", false),
        Some(VfLinkState::Disable) => ("disable: down", true),
    };
    vec![
        ("VLAN", vlan, false),
        ("spoof check", format!("{}, trust {}", on(settings.spoof_check), on(settings.trust)), false),
        ("TX rate", rate, false),
        ("link", link.to_owned(), is_down),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mac, PciInterface, testdata};

    fn said(function: &VirtualFunction, name: &str) -> (String, bool) {
        let mut row = testdata::vfs().vfs.remove(0);
        row.vf = function.clone();
        let fact = facts(&row).into_iter().find(|(fact, ..)| *fact == name).unwrap();
        (fact.1, fact.2)
    }

    #[test]
    fn an_address_that_the_pf_has_not_set_is_something_to_look_at() {
        let mut function = testdata::vfs().vfs[0].vf.clone();
        let mut with = |used: Option<u8>, set: Option<u8>| {
            let mac = |last: Option<u8>| last.map(|last| Mac([2, 0, 0, 0, 0, last]));
            function.interface = Some(PciInterface { mac: mac(used), ..PciInterface::default() });
            function.settings.as_mut().unwrap().mac = mac(set);
            said(&function, "MAC")
        };
        assert_eq!(with(None, None), ("-".to_owned(), false));
        assert_eq!(with(Some(1), None), ("02:00:00:00:00:01".to_owned(), false));
        assert_eq!(with(None, Some(1)), ("02:00:00:00:00:01, PF-set".to_owned(), false));
        assert_eq!(with(Some(1), Some(1)), ("02:00:00:00:00:01, PF-set".to_owned(), false));
        let other = "02:00:00:00:00:01, but PF-set is 02:00:00:00:00:02";
        assert_eq!(with(Some(1), Some(2)), (other.to_owned(), true));
    }

    #[test]
    fn what_ebpf_counts_is_of_the_wire_and_nothing_carried_has_no_size() {
        let mut row = testdata::vfs_by_ebpf().vfs.remove(0);
        let said = |row: &VfRow, name: &str| {
            let fact = facts(row).into_iter().find(|(fact, ..)| *fact == name).unwrap();
            (fact.1, fact.2)
        };
        assert_eq!(said(&row, "mean frame").0, "TX 67, RX 1444 bytes");
        assert_eq!(said(&row, "GSO, GRO").0, "TX 1.0, RX 30.0 seg/skb");
        assert_eq!(said(&row, "too big"), ("TX 0, RX 0 over the MTU".to_owned(), false));
        let counts = &mut row.wire.as_mut().unwrap().counts;
        counts.rx.oversize = 3;
        counts.tx = Counts::default();
        assert_eq!(said(&row, "mean frame").0, "TX -, RX 1444 bytes");
        assert_eq!(said(&row, "GSO, GRO").0, "TX -, RX 30.0 seg/skb");
        assert_eq!(said(&row, "too big"), ("TX 0, RX 3 over the MTU".to_owned(), false), "they arrived");
        row.wire.as_mut().unwrap().rates.as_mut().unwrap().tx.oversize_per_s = 1.0;
        assert!(said(&row, "too big").1);
    }

    #[test]
    fn limits_are_those_that_there_are() {
        let mut function = testdata::vfs().vfs[0].vf.clone();
        let mut with = |least: Option<u32>, most: Option<u32>| {
            let settings = function.settings.as_mut().unwrap();
            (settings.min_tx_mbit, settings.max_tx_mbit) = (least, most);
            said(&function, "TX rate").0
        };
        assert_eq!(with(None, None), "not limited");
        assert_eq!(with(Some(10), None), "at least 10 Mbit/s");
        assert_eq!(with(None, Some(20)), "at most 20 Mbit/s");
        assert_eq!(with(Some(10), Some(20)), "10 to 20 Mbit/s");
    }

    #[test]
    fn an_interface_that_was_not_found_is_not_none() {
        let mut function = VirtualFunction { driver: Some("iavf".to_owned()), ..VirtualFunction::default() };
        assert_eq!(said(&function, "interface").0, "none found");
        assert_eq!(said(&function, "settings").0, "not told by the PF's driver");
        function.driver = Some("vfio-pci".to_owned());
        assert_eq!(said(&function, "interface").0, "none");
    }
}
