//! `bench trend`: runs over time, as a chart for a terminal, as SVG, and as CSV for programs that look for the change.

use std::{fmt::Write as _, time::Duration};

use super::{csv::field, words};
use crate::{
    bench::{
        gate::Difference,
        result::Run,
        trend::{Line, Point, Trend},
    },
    report::{align, rfc3339, xml},
    text,
};

/// Columns of the axis: what is left of 80 beside the time and the value.
const AXIS: usize = 54;

/// A chart for each metric: a row for each run, with its level, and the interval of 95 % on an axis.
pub fn table(trend: &Trend<'_>) -> String {
    let mut out = String::from("overlay / host, with the interval of 95 %; the newest run is last\n");
    for line in &trend.lines {
        let _ = writeln!(out, "\n{} {}", line.scenario, line.metric.title());
        let range = range(line);
        if let Some((low, high)) = range {
            let (low, high) = (format!("{low:.3}"), format!("{high:.3}"));
            let between = AXIS.saturating_sub(low.len());
            let _ = writeln!(out, "{:25} {low}{high:>between$}", "");
        }
        for (session, point) in trend.sessions.iter().zip(&line.points) {
            for change in &session.changes {
                align::wrapped(&mut out, "  -- ", &difference(change));
            }
            let time = minute(session.run.started_at_s);
            match (point, range) {
                (Ok(point), Some(range)) => {
                    let _ = writeln!(out, "{time}  {:>6.3}  {}", point.ratio, axis(point, range));
                }
                (Ok(_), None) => {}
                (Err(why), _) => {
                    align::wrapped(&mut out, &format!("{time}       -  "), &words::why_unknown(*why));
                }
            }
        }
    }
    let accepted =
        trend.sessions.iter().filter_map(|session| Some((session.run, session.run.accepted.as_ref()?)));
    for (number, (run, accepted)) in accepted.enumerate() {
        if number == 0 {
            out.push('\n');
        }
        let only = match accepted.metrics.as_slice() {
            [] => String::new(),
            metrics => format!(" for {} only", words::titles(metrics)),
        };
        let mark = format!("{} accepted{only}: ", minute(run.started_at_s));
        align::wrapped(&mut out, &mark, &text::escape(&accepted.reason));
    }
    out
}

/// The ends of the axis; none when no run says anything.
fn range(line: &Line) -> Option<(f64, f64)> {
    let points: Vec<&Point> = line.points.iter().filter_map(|point| point.as_ref().ok()).collect();
    // With few rounds an interval has no end.
    let ends = points.iter().flat_map(|point| [point.low, point.high, point.ratio]);
    let ends: Vec<f64> = ends.filter(|end| end.is_finite()).collect();
    let low = ends.iter().copied().reduce(f64::min)?;
    let high = ends.iter().copied().reduce(f64::max)?;
    Some((low, high))
}

/// A part of the axis, from 0 to 1.
fn place(value: f64, (low, high): (f64, f64)) -> f64 {
    if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 }
}

/// The interval and its middle.
fn axis(point: &Point, range: (f64, f64)) -> String {
    let column = |value: f64| {
        let place = place(value, range) * (AXIS - 1) as f64;
        (1..AXIS).filter(|at| place >= *at as f64 - 0.5).count()
    };
    let (low, middle, high) = (column(point.low), column(point.ratio), column(point.high));
    let row = (0..=high).map(|at| match at {
        at if at == middle => 'o',
        at if at >= low => '-',
        _ => ' ',
    });
    row.collect()
}

fn difference(Difference { what, base, new }: &Difference) -> String {
    format!("{what}: {} -> {}", text::escape(base), text::escape(new))
}

/// `2026-11-26 17:02`, UTC.
fn minute(seconds: u64) -> String {
    let text = rfc3339(Duration::from_secs(seconds));
    let shown = text.get(..16).map_or_else(|| "unknown time".to_owned(), |text| text.replace('T', " "));
    format!("{shown:16}")
}

/// A row for each run, a column for each metric; empty where a run says nothing.
pub fn csv(trend: &Trend<'_>) -> String {
    let mut out = String::from("time,kernel,tool_version");
    for line in &trend.lines {
        let _ = write!(out, ",{}_{}", line.scenario, line.metric.name());
    }
    out.push('\n');
    for (number, session) in trend.sessions.iter().enumerate() {
        let time = rfc3339(Duration::from_secs(session.run.started_at_s));
        let Run { machine, tool_version, .. } = session.run;
        let kernel = machine.kernel.as_deref().unwrap_or_default();
        let _ = write!(out, "{time},{},{}", field(kernel), field(tool_version));
        for line in &trend.lines {
            match line.points.get(number) {
                Some(Ok(point)) => drop(write!(out, ",{:.6}", point.ratio)),
                Some(Err(_)) | None => out.push(','),
            }
        }
        out.push('\n');
    }
    out
}

/// Size of a chart of one metric, in pixels.
const CHART: (f64, f64) = (720.0, 120.0);
/// Left of it are its figures, above it its title.
const MARGIN: (f64, f64) = (60.0, 28.0);

/// A picture: a chart for each metric, runs from left to right at equal distances.
pub fn svg(trend: &Trend<'_>) -> String {
    let (width, height) = (CHART.0 + MARGIN.0 + 20.0, (CHART.1 + MARGIN.1 + 12.0) * trend.lines.len() as f64);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (number, line) in trend.lines.iter().enumerate() {
        let top = (CHART.1 + MARGIN.1 + 12.0) * number as f64 + MARGIN.1;
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{}\">{} {}, overlay / host</text>",
            MARGIN.0,
            top - 8.0,
            line.scenario,
            line.metric.title()
        );
        chart(&mut out, trend, line, top);
    }
    out.push_str("</svg>\n");
    out
}

fn chart(out: &mut String, trend: &Trend<'_>, line: &Line, top: f64) {
    let _ = writeln!(
        out,
        "<rect x=\"{}\" y=\"{top}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#bbb\"/>",
        MARGIN.0, CHART.0, CHART.1
    );
    let Some(range) = range(line) else {
        let _ = writeln!(out, "<text x=\"{}\" y=\"{}\">no run says it</text>", MARGIN.0 + 8.0, top + 20.0);
        return;
    };
    for (value, y) in [(range.1, top + 10.0), (range.0, top + CHART.1)] {
        let _ = writeln!(out, "<text x=\"8\" y=\"{y:.1}\" fill=\"#555\">{value:.3}</text>");
    }
    let step = CHART.0 / line.points.len() as f64;
    let y = |value: f64| top + (1.0 - place(value, range)) * CHART.1;
    let mut path = String::new();
    for (number, (point, session)) in line.points.iter().zip(&trend.sessions).enumerate() {
        let x = MARGIN.0 + step * (number as f64 + 0.5);
        if !session.changes.is_empty() {
            let words: Vec<String> = session.changes.iter().map(difference).collect();
            let _ = writeln!(
                out,
                "<line x1=\"{0:.1}\" y1=\"{top}\" x2=\"{0:.1}\" y2=\"{1}\" stroke=\"#c60\" stroke-dasharray=\"4\">\
                 <title>{2}</title></line>",
                x - step / 2.0,
                top + CHART.1,
                xml(&words.join("; "))
            );
        }
        let Ok(point) = point else { continue };
        let _ = write!(path, "{}{x:.1} {:.1}", if path.is_empty() { "M" } else { " L" }, y(point.ratio));
        let _ = writeln!(
            out,
            "<line x1=\"{x:.1}\" y1=\"{:.1}\" x2=\"{x:.1}\" y2=\"{:.1}\" stroke=\"#8ac\" stroke-width=\"3\"/>\n\
             <circle cx=\"{x:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"#048\"><title>{} {:.3}</title></circle>",
            y(point.low),
            y(point.high),
            y(point.ratio),
            minute(session.run.started_at_s),
            point.ratio
        );
    }
    let _ = writeln!(out, "<path d=\"{path}\" fill=\"none\" stroke=\"#048\"/>");
}
