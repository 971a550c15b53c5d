//! What the device below a tunnel takes, as a bar: how much of it is for packets of pods and how much for headers, and what is too
//! big beside it. What fits is computed by the model.

use ratatui::text::Span;

use super::{paint, theme::Theme};
use crate::{
    model::{Encapsulation, Fit, MtuPath},
    text,
};

/// A longer bar says no more.
const LONGEST: u16 = 100;

/// `eth0 1500 ├──── inner 1450 ────┼ VXLAN 50 ┤`; none where nothing is wrapped or known, and where there is no room.
pub(super) fn bar(path: &MtuPath, columns: u16, theme: Theme) -> Option<Vec<Span<'static>>> {
    let inner = path.max_inner.filter(|_| path.encapsulation != Encapsulation::None)?;
    let below = path.underlays.iter().min_by_key(|device| device.mtu)?;
    let (spare, over) = match path.fit {
        Some(Fit::Unused(bytes)) => (bytes.min(inner), 0),
        Some(Fit::TooBig(bytes)) => (0, bytes),
        Some(Fit::Fits) | None => (0, 0),
    };
    let front = format!(" {} {} ├", text::escape(&below.name), inner + path.overhead);
    let label = format!(" inner {} ", inner - spare);
    let unused = if spare > 0 { format!("┼ {spare} to spare ") } else { String::new() };
    let end = if over > 0 { "┼" } else { "┤" };
    let behind = format!("{unused}┼ {} {} {end}", path.encapsulation, path.overhead);
    let too_big = if over > 0 { format!(" {over} too big ┤") } else { String::new() };
    let taken = [&front, &label, &behind, &too_big].into_iter().map(|words| paint::width(words)).sum();
    let dashes = usize::from(columns.min(LONGEST).checked_sub(taken).filter(|left| *left >= 2)?);
    let line = |count: usize| "─".repeat(count);
    Some(vec![
        Span::styled(front, theme.dim()),
        Span::styled(line(dashes / 2) + &label + &line(dashes - dashes / 2), theme.normal()),
        Span::styled(behind, theme.dim()),
        Span::styled(too_big, theme.alarm()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::MtuDevice,
        tui::preferences::{Colours, Palette},
    };

    #[test]
    fn it_has_what_is_below_and_what_is_too_big() {
        let theme = Theme { plain: true, palette: Palette::default(), chosen: Colours::default() };
        let bar_of = |mtu, fit, encapsulation| {
            let path = MtuPath {
                encapsulation,
                underlays: vec![MtuDevice { name: "eth0".to_owned(), mtu }],
                overhead: 50,
                max_inner: Some(mtu - 50),
                fit,
                ifindex: 3,
                device: "flannel.1".to_owned(),
                outer_family: Some(4),
                families: vec![4],
                underlay_route_mtu: None,
                mtu: 1450,
                route_mtu: None,
                usable: 1450,
                route_limits_pods: false,
                pods: Vec::new(),
                stale: false,
                idle: false,
            };
            let spans = bar(&path, 60, theme)?;
            Some(spans.iter().map(|span| span.content.as_ref()).collect::<String>())
        };
        for (mtu, fit, expected) in [
            (1500, Some(Fit::Fits), " eth0 1500 ├──────────── inner 1450 ────────────┼ VXLAN 50 ┤"),
            (1500, Some(Fit::Unused(20)), " eth0 1500 ├───── inner 1430 ─────┼ 20 to spare ┼ VXLAN 50 ┤"),
            (1400, Some(Fit::TooBig(100)), " eth0 1400 ├───── inner 1350 ─────┼ VXLAN 50 ┼ 100 too big ┤"),
        ] {
            assert_eq!(bar_of(mtu, fit, Encapsulation::Vxlan).as_deref(), Some(expected));
        }
        assert_eq!(bar_of(1500, None, Encapsulation::None), None, "nothing is added");
    }
}
