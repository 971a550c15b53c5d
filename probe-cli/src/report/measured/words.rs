//! What a measured path means in words, and what to do about it.

use crate::{
    mtu::{Forward, Outcome, Path, Reverse, Row, SomeFlows, Verdict, Way, Who},
    text,
};

/// A verdict in a few words, with who is named in it.
pub(super) fn verdict(row: &Row) -> String {
    let Outcome { verdict, reverse, loss, .. } = &row.outcome;
    match verdict {
        Verdict::Fits => {
            let outer = row.in_outer_fragments.map(|_| "in outer fragments".to_owned());
            let held = row.held_to.map(|held| format!("this node keeps to {held}"));
            let back = match reverse {
                Reverse::Fragments { largest } => Some(format!("back in fragments of {largest}")),
                Reverse::Unmeasured | Reverse::Whole | Reverse::Shorter => None,
            };
            let lost = (loss.lost > 0).then(|| format!("{} of {} lost", loss.lost, loss.sent));
            let all = ["fits".to_owned()].into_iter().chain(outer).chain(held).chain(back).chain(lost);
            all.collect::<Vec<_>>().join(", ")
        }
        Verdict::Refused => "refused here".to_owned(),
        Verdict::TooBig { from, .. } => format!("too big, says {from}"),
        Verdict::BlackHole if row.outcome.forward == Forward::Carries => {
            "black hole on the way back".to_owned()
        }
        Verdict::BlackHole => "black hole".to_owned(),
        Verdict::SomeFlows(some) => {
            let what = if some.said_by.is_some() { "too big" } else { "black hole" };
            format!("{what} in {} of {} flows", some.limited, row.outcome.flows)
        }
        Verdict::Unreachable { said_by: Some(Who::Here) } => "no route".to_owned(),
        Verdict::Unreachable { said_by: Some(Who::From(from)) } => format!("unreachable, says {from}"),
        Verdict::Unreachable { said_by: None } => "no answer".to_owned(),
        Verdict::Undecided { below: Some(below) } => format!("undecided below {below}"),
        Verdict::Undecided { below: None } => "undecided".to_owned(),
        Verdict::Interrupted { .. } => "interrupted".to_owned(),
        Verdict::NotSent { .. } => "not sent".to_owned(),
    }
}

/// The same word for machines.
pub(super) fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Fits => "fits",
        Verdict::Refused => "refused-here",
        Verdict::TooBig { .. } => "too-big",
        Verdict::BlackHole => "black-hole",
        Verdict::SomeFlows(_) => "some-flows",
        Verdict::Unreachable { .. } => "unreachable",
        Verdict::Undecided { .. } => "undecided",
        Verdict::Interrupted { .. } => "interrupted",
        Verdict::NotSent { .. } => "not-sent",
    }
}

pub(super) fn way(way: Way) -> &'static str {
    match way {
        Way::Underlay => "underlay",
        Way::Overlay => "overlay",
        Way::Other => "other",
    }
}

/// What is wrong and what to do: a sentence for each, first why nothing larger gets there; none where all is well.
pub(super) fn advice(row: &Row) -> Vec<String> {
    let Row { path, outcome, in_outer_fragments, held_to, .. } = row;
    let size = outcome.size.unwrap_or(0);
    let expected = path.expected;
    let mut said: Vec<String> = limit(row, size).into_iter().collect();
    if let Some(below) = in_outer_fragments {
        let inside = below.saturating_sub(path.overhead);
        said.push(format!(
            "packets of {size} bytes get there only in outer packets of {} that are cut where {below} fit: slower, and \
             lost where fragments are dropped. {}",
            size + path.overhead,
            smaller(row, inside)
        ));
    }
    if let Some(held) = held_to {
        said.push(format!(
            "this node's kernel has learned path MTU {held} and sends nothing larger, though {size} fit. It forgets it ten \
             minutes after it was last told (ip route show cache); if it comes back, who says so is wrong."
        ));
    }
    // Where larger packets are lost that is to be mended first, and the way back may be mended with it.
    if let (Reverse::Fragments { largest }, false) = (outcome.reverse, outcome.verdict == Verdict::BlackHole)
    {
        said.push(format!(
            "answers of {size} bytes come back in fragments of {largest}: less fits on the way back. Set the MTU there \
             that is set on the way there, {expected}."
        ));
    }
    let is_said = matches!(outcome.verdict, Verdict::Undecided { .. } | Verdict::Interrupted { .. });
    if outcome.loss.lost > 1 && !is_said {
        said.push(format!(
            "{} of {} packets of sizes that fit are lost: that is no matter of their size. Look for errors and drops of \
             the NICs and the switches between.",
            outcome.loss.lost, outcome.loss.sent
        ));
    }
    said
}

/// Its black hole is the one between the nodes, seen through a tunnel.
pub(super) fn follows(row: &Row) -> bool {
    row.outcome.verdict == Verdict::BlackHole && row.follows_from_underlay
}

/// What the black hole between the nodes leaves inside the tunnels to one peer.
pub(super) fn left(rows: &[&Row]) -> String {
    let mut parts: Vec<(String, u32, u32)> = Vec::new();
    for row in rows {
        let device = row.path.device.as_deref().map_or_else(|| "the tunnel".to_owned(), text::escape);
        let part = (device, row.outcome.size.unwrap_or(0), row.path.expected);
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    let inside: Vec<String> = parts
        .iter()
        .zip([" bytes"].into_iter().chain(std::iter::repeat("")))
        .map(|((device, size, expected), bytes)| format!("{size} of {expected}{bytes} inside {device}"))
        .collect();
    let set = match &parts[..] {
        [(device, size, _)] => format!("set the MTU of {device} and of pods to {size}"),
        parts => {
            let least = parts.iter().map(|(_, size, _)| *size).min().unwrap_or(0);
            format!("set their MTUs to that, and the MTU of pods to {least}")
        }
    };
    format!("the black hole between the nodes leaves {}. Until it is mended, {set}.", inside.join(" and "))
}

/// Why nothing larger gets there.
fn limit(row: &Row, size: u32) -> Option<String> {
    let Row { path, outcome, .. } = row;
    let (address, expected) = (path.address, path.expected);
    let more = || format!("{expected} are expected");
    Some(match &outcome.verdict {
        Verdict::Fits => return None,
        Verdict::BlackHole if row.follows_from_underlay => left(&[row]),
        Verdict::BlackHole => {
            let place = match outcome.forward {
                Forward::Unmeasured => ", there or on the way back",
                Forward::Carries => {
                    " on the way back; they do get to the peer, at least by one of several ways (`mtu --flows 16` tries more)"
                }
                Forward::Loses => " on the way there",
            };
            format!(
                "packets of more than {size} bytes are lost silently{place}; {}. Connections that send larger ones hang. {}{}",
                more(),
                smaller(row, size),
                let_messages_pass(path)
            )
        }
        Verdict::SomeFlows(some) => some_flows(row, *some, size),
        Verdict::TooBig { from, of_other } => {
            let of_other =
                if *of_other { ", though for other paths only: routers send few such messages" } else { "" };
            format!(
                "{from} passes on {size} bytes at most and says so{of_other}; {}. Each new connection loses its first large \
                 packets. {}",
                more(),
                smaller(row, size)
            )
        }
        Verdict::Refused => format!(
            "this node sends {size} bytes at most by the device that the route takes; {}. Look at that device's MTU: ip \
             route get {address}",
            more()
        ),
        Verdict::Unreachable { said_by } if row.answers_inside => format!(
            "{}, and through the tunnel there is an answer: something drops pings between nodes. Allow them for the MTU \
             to be measured there.",
            no_answer(*said_by)
        ),
        Verdict::Unreachable { said_by } if row.answers_below && !path.is_assumed => format!(
            "{}, though the node's own address answers: look there at the tunnel and its routes to this node, and on the way at what \
             drops the tunnel's packets. `overlay-probe check --only peer` looks at what this node knows of it.",
            no_answer(*said_by)
        ),
        Verdict::Unreachable { said_by } if path.is_assumed => format!(
            "{}. No table has the address {address}, which follows from the peer's pod network: if it is wrong, name a pod \
             of that node instead.",
            no_answer(*said_by)
        ),
        Verdict::Unreachable { said_by } => format!(
            "{}. Is the node up, and may it be pinged? `overlay-probe check --only peer` looks at what this node knows of it.",
            no_answer(*said_by)
        ),
        Verdict::Undecided { .. } => format!(
            "it is not decided what fits beyond {size} bytes: {} of {} packets of sizes that fit are lost, or answers come too \
             late. Try again with a longer --deadline.",
            outcome.loss.lost, outcome.loss.sent
        ),
        Verdict::Interrupted { device } => format!(
            "{} of this node was deleted, set down or made again while this was measured: that nothing was answered since says \
             nothing. Measure again.",
            text::escape(device)
        ),
        Verdict::NotSent { why } => format!("this node's kernel does not send there: {}.", text::escape(why)),
    })
}

fn some_flows(row: &Row, some: SomeFlows, size: u32) -> String {
    let SomeFlows { limited, dead, most, said_by } = some;
    let (flows, expected) = (row.outcome.flows, row.path.expected);
    let less = limited - dead;
    let mut what = Vec::new();
    if less > 0 {
        let how = said_by
            .map_or_else(|| "larger ones are lost silently".to_owned(), |from| format!("{from} says so"));
        what.push(format!("{less} of {flows} flows carry packets of up to {size} bytes, and {how}"));
    }
    if dead > 0 {
        what.push(format!("{dead} of {flows} flows carry nothing"));
    }
    let below = match &row.path.device {
        Some(device) if less > 0 => {
            format!(
                " Between the nodes that is {} bytes, {} added {}.",
                size + row.path.overhead,
                text::escape(device),
                row.path.overhead
            )
        }
        _ => String::new(),
    };
    format!(
        "{}; the others carry {most}, and {expected} are expected: one of several equal ways (a member of a LAG, or of equal routes) \
         is not as the others. Which connections hang depends on their ports.{below} Look at the MTU and the errors of each member.",
        what.join("; ")
    )
}

fn no_answer(said_by: Option<Who>) -> String {
    match said_by {
        None => "nothing of any size is answered".to_owned(),
        Some(Who::Here) => "this node has no route there".to_owned(),
        Some(Who::From(from)) => format!("nothing is answered, and {from} says that it cannot be delivered"),
    }
}

/// Which MTU to set where: so that less is sent, or more fits.
fn smaller(row: &Row, size: u32) -> String {
    let Path { device, way, expected, overhead, .. } = &row.path;
    match (device, way) {
        (Some(device), Way::Overlay) => format!(
            "Set the MTU of {} and of pods to {size}, or raise it between the nodes to {}.",
            text::escape(device),
            expected + overhead
        ),
        (_, Way::Underlay) => format!(
            "Raise the MTU to {expected} where they are stopped, or set it to {size} on the NICs of all nodes, and that of \
             tunnels and pods to what these leave."
        ),
        (_, Way::Overlay | Way::Other) => {
            format!("Raise the MTU to {expected} where they are stopped, or send no more than {size}.")
        }
    }
}

/// Who says "too big" says it to who sent the outer packet, which helps those below the tunnel only.
fn let_messages_pass(path: &Path) -> &'static str {
    match path.way {
        Way::Overlay => "",
        // Of both families, so that what is said of a node's two addresses is the same and is said once.
        Way::Underlay | Way::Other => " Let the messages about it pass: ICMP type 3 code 4, ICMPv6 type 2.",
    }
}
