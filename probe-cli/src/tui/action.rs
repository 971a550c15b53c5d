//! What can happen to the screen. No behaviour: that is `update`.

use std::{net::IpAddr, sync::Arc, time::Duration};

use crate::{
    model::Model,
    record::player::Play,
    tui::{feed::Feed, tab::Tab},
};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    /// Leave.
    Quit,
    /// Show or hide the keys.
    Help,
    /// Close what is open, else clear the filter, else the selection.
    Back,
    /// Go to a tab.
    Tab(Tab),
    /// The tab to the right, round.
    NextTab,
    /// The tab to the left, round.
    PreviousTab,
    /// Move the selection by rows; negative is up.
    Move(isize),
    /// Select the first row.
    First,
    /// Select the last row.
    Last,
    /// Show or hide the details of the selected row; on the overview, go to its tab.
    Open,
    /// Sort by the next column; of findings, show those of the next severity.
    SortNext,
    /// Sort the other way round.
    SortReverse,
    /// Begin to type a filter.
    FilterStart,
    /// A character of the filter, or of the time.
    FilterType(char),
    /// Remove the last character.
    FilterErase,
    /// Keep the filter, or go to the time that was typed.
    FilterKeep,
    /// Begin to type a time.
    TimeStart,
    /// Stop or resume the picture; counting goes on.
    Pause,
    /// Begin totals anew, at zero.
    Zero,
    /// Show another measure in graphs and tables.
    NextMeasure,
    /// Other colours.
    NextTheme,
    /// Begin to say why packets are "other", or end it; of a finding, show or hide how its check finds it.
    Explain,
    /// Copy the commands that mend the finding in front.
    Copy,
    /// Repair the demo's incident, or make it again.
    Repair,
    /// Look again at what is looked at now and then only.
    LookAgain,
    /// Play a recording otherwise; live, look back, or take samples more often or less often.
    Play(Play),
    /// Begin to write a recording of what follows, or end it.
    Record,
    /// Measure which sizes arrive at the selected peer, or at all.
    Measure,
    /// What is said beside the models is another.
    Feed(Feed),
    /// Draw everything anew.
    Redraw,
    /// A new model.
    Model(Arc<Model>),
    /// A model of an earlier moment that somebody looks back to.
    Past(Arc<Model>),
    /// No model will come any more.
    FeedEnded,
}

/// What the world has to do after an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    None,
    /// End the UI.
    Quit,
    /// Clear the terminal before the next frame.
    Clear,
    /// Have it said why packets are "other", or not any more.
    Explain(bool),
    /// Give this to the terminal's clipboard.
    Copy(String),
    /// Have the demo's incident repaired, or made again.
    Repair,
    /// Have tables and pods' network namespaces read again.
    LookAgain,
    /// Play the recording otherwise, or look back.
    Play(Play),
    /// End looking back.
    Now,
    /// Take samples so far apart.
    Interval(Duration),
    /// Write a recording, or end it.
    Record,
    /// Send probes to the node with this address, else to all.
    Measure(Option<IpAddr>),
}
