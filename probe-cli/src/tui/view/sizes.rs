//! The packet-size histogram of a tunnel or a virtual function, with the MTU's edge in it.

use ratatui::{style::Style, text::Span};

use super::theme::Theme;
use crate::{
    model::{Edge, SizeBucket},
    text,
};

/// Columns before and after the bars.
const LABEL: u16 = 13;
const COUNT: u16 = 14;

/// Packets by size.
pub(super) struct Sizes<'a> {
    /// Whose bytes the sizes are.
    pub(super) bytes: &'static str,
    /// The packets.
    pub(super) buckets: &'a [SizeBucket],
    /// When counting these sizes began, where that needs saying.
    pub(super) since: Option<String>,
}

/// It in so many columns and lines at most: a line for each bucket, transmit and receive together, their counts beside. Where there is
/// little room, the smallest sizes share a line: those at the MTU's edge are what it is for.
pub(super) fn lines((columns, most): (u16, u16), of: &Sizes<'_>, theme: Theme) -> Vec<Vec<Span<'static>>> {
    let bars = columns.saturating_sub(LABEL + COUNT + 1);
    let heading = format!(
        " {:<label$}{:bars$}{:>7}{:>7}",
        of.bytes,
        "",
        "TX",
        "RX",
        label = usize::from(LABEL) - 1,
        bars = usize::from(bars)
    );
    let room = usize::from(most.saturating_sub(1)).saturating_sub(usize::from(of.since.is_some()));
    let sizes = smallest_together(of.buckets, room);
    let largest = sizes.iter().map(total).max().unwrap_or(0);
    let since = of.since.as_ref().map(|words| vec![Span::styled(format!(" {words}"), theme.dim())]);
    [vec![Span::styled(heading, theme.heading())]]
        .into_iter()
        .chain(sizes.iter().map(|bucket| bucket_line(bucket, largest, bars, theme)))
        .chain(since)
        .collect()
}

/// At most so many buckets, of which the first has the packets of those that have no line.
fn smallest_together(sizes: &[SizeBucket], most: usize) -> Vec<SizeBucket> {
    let (together, others) = sizes.split_at((sizes.len().saturating_sub(most.max(1)) + 1).min(sizes.len()));
    let Some((last, before)) = together.split_last() else { return Vec::new() };
    let mut first = *last;
    for bucket in before {
        first.from = first.from.min(bucket.from);
        first.packets.tx += bucket.packets.tx;
        first.packets.rx += bucket.packets.rx;
    }
    [first].into_iter().chain(others.iter().copied()).collect()
}

fn total(bucket: &SizeBucket) -> u64 {
    bucket.packets.tx + bucket.packets.rx
}

fn bucket_line(bucket: &SizeBucket, largest: u64, bars: u16, theme: Theme) -> Vec<Span<'static>> {
    let label = match (bucket.edge, bucket.to) {
        (Edge::Over, _) | (_, None) => format!(" over {}", bucket.from.saturating_sub(1)),
        (_, Some(to)) => format!(" {}-{to}", bucket.from),
    };
    let style: Style = match bucket.edge {
        // What arrived was carried.
        Edge::Over if bucket.packets.tx > 0 => theme.alarm(),
        Edge::At => theme.title(),
        Edge::Below | Edge::Over => theme.normal(),
    };
    let width = usize::from(LABEL);
    vec![
        Span::styled(format!("{label:<width$}"), style),
        Span::styled(bar(total(bucket), largest, bars), theme.tx()),
        Span::styled(
            format!("{:>7}{:>7}", text::si(bucket.packets.tx as f64), text::si(bucket.packets.rx as f64)),
            style,
        ),
    ]
}

/// A bar of eighths of columns; what is not zero has at least one eighth.
fn bar(value: u64, largest: u64, columns: u16) -> String {
    const EIGHTHS: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
    let most = u64::from(columns) * 8;
    let eighths = match u128::from(value) * u128::from(most) {
        0 => 0,
        product => u64::try_from(product / u128::from(largest.max(1))).unwrap_or(most).clamp(1, most),
    };
    (0..u64::from(columns))
        .map(|column| {
            let here = eighths.saturating_sub(column * 8).min(8);
            usize::try_from(here).ok().and_then(|here| EIGHTHS.get(here)).copied().unwrap_or(' ')
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PerDirection;

    #[test]
    fn where_there_is_little_room_the_smallest_sizes_share_a_line() {
        let bucket =
            |from, to| SizeBucket { from, to, edge: Edge::Below, packets: PerDirection { tx: 1, rx: 2 } };
        let all = [bucket(0, Some(64)), bucket(65, Some(128)), bucket(129, Some(256)), bucket(257, None)];
        assert_eq!(smallest_together(&all, 4), all);
        let packets = PerDirection { tx: 3, rx: 6 };
        assert_eq!(smallest_together(&all, 2), [SizeBucket { packets, ..bucket(0, Some(256)) }, all[3]]);
        assert_eq!(smallest_together(&all, 0)[0].packets.tx, 4);
        assert_eq!(smallest_together(&[], 3), []);
    }

    #[test]
    fn bars_keep_their_width_and_show_what_is_small() {
        assert_eq!(bar(0, 100, 4), "    ");
        assert_eq!(bar(1, 1_000_000, 4), "▏   ");
        assert_eq!(bar(50, 100, 4), "██  ");
        assert_eq!(bar(100, 100, 4), "████");
        assert_eq!(bar(u64::MAX, u64::MAX, 2), "██");
        assert_eq!(bar(5, 5, 0), "");
    }
}
