//! `top`: the terminal UI on live data.

use std::{
    io::{self, Write as _},
    sync::Arc,
};

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};

use super::{
    args::TopArgs,
    back::LookBack,
    confine,
    demo::Incident,
    live::{self, Context, Stop},
    mtu::PeerProber,
    on_demand::OnDemand,
    recorder::Recorder,
    settings::Settings,
};
use crate::{
    engine::{Engine, EngineError},
    model::{Model, Timeline},
    procfs,
    tui::{self, Asked, Feed, Preferences, TuiOptions},
};

pub(super) fn run(context: &Context, args: &TopArgs) -> anyhow::Result<()> {
    let settings = Settings::load(args.screen.ascii)?;
    if args.print_config {
        return io::stdout().write_all(settings.config().as_bytes()).context("cannot write to stdout");
    }
    tui::check_terminal()?;
    let probe = args.probe.with_interval(settings.interval);
    context.enter()?;
    live::block_on(async {
        let mut stop = Stop::catch()?;
        let probes = PeerProber::open(args.send.probe_peers)?;
        let measuring = OnDemand::open();
        let Some(mut engine) = live::start(probe.engine(context), &mut stop).await? else {
            return Ok(());
        };
        let hostname = engine.first().snapshot.host.hostname.value().cloned();
        let title = context.node(hostname.as_deref());
        // Before what can be opened is confined: it makes files later.
        let recorder = Recorder::start(&title, probe.interval())?;
        confine::after_start(&mut engine);
        let screen = Screen { title: &title, incident: None, measuring, preferences: settings.preferences };
        Box::pin(show(engine, probes, recorder, context, screen, &mut stop)).await
    })
}

/// What a screen is started with.
pub(super) struct Screen<'a> {
    /// The node's name, in the header.
    pub(super) title: &'a str,
    /// What the demo breaks.
    pub(super) incident: Option<Incident>,
    /// What measures paths when somebody asks.
    pub(super) measuring: OnDemand,
    /// Units, colours, first screen.
    pub(super) preferences: Preferences,
}

/// Shows the engine's models until the user or a signal ends it.
pub(super) async fn show(
    engine: Engine,
    mut probes: Option<PeerProber>,
    recorder: Recorder,
    context: &Context,
    screen: Screen<'_>,
    stop: &mut Stop,
) -> anyhow::Result<()> {
    let Screen { title, incident, measuring, preferences } = screen;
    let mut timeline = Timeline::default();
    let first = timeline.push_joined(engine.first(), engine.joined());
    live::follow(&mut probes, &first);
    let latest = Arc::clone(&first);
    let (models, shown) = watch::channel(Some(first));
    let (ask, asked) = mpsc::unbounded_channel();
    let (back, past) = LookBack::new();
    let (said, feed) = watch::channel(Feed::default());
    let options = TuiOptions {
        no_color: context.plain(),
        title: title.to_owned(),
        is_demo: incident.is_some(),
        interval: Some(engine.interval()),
        preferences,
        feed,
        past,
    };
    let models = Some(models);
    let mut source =
        Source { engine, probes, measuring, latest, recorder, timeline, back, models, said, asked, incident };
    // The engine ends only with an error; the screen then says so and stays until it is left.
    let mut failure = None;
    let mut was_asked = false;
    {
        let screen = tui::run(shown, ask, options);
        tokio::pin!(screen);
        let feed = source.feed();
        tokio::pin!(feed);
        let mut feeding = true;
        loop {
            tokio::select! {
                // By turns: of two models that are made before the screen has its turn, it would see the second one only, and graphs of
                // an earlier moment would lack the first.
                biased;
                result = &mut screen => {
                    result.context("cannot show the terminal UI")?;
                    break;
                }
                error = &mut feed, if feeding => {
                    feeding = false;
                    failure = Some(error);
                }
                () = stop.asked() => {
                    was_asked = true;
                    break;
                }
            }
        }
    }
    let Source { engine, recorder, .. } = source;
    live::end(engine, stop).await;
    recorder.end(stop.overdue(was_asked)).await.context("cannot end the recording")?;
    failure.map_or(Ok(()), |error| Err(error.into()))
}

/// What the screen shows, and does what it asks for.
struct Source {
    engine: Engine,
    probes: Option<PeerProber>,
    measuring: OnDemand,
    /// The newest model.
    latest: Arc<Model>,
    recorder: Recorder,
    timeline: Timeline,
    back: LookBack,
    /// None any more when the engine has ended.
    models: Option<watch::Sender<Option<Arc<Model>>>>,
    said: watch::Sender<Feed>,
    asked: mpsc::UnboundedReceiver<Asked>,
    incident: Option<Incident>,
}

impl Source {
    /// Until the engine fails.
    async fn feed(&mut self) -> EngineError {
        loop {
            let is_reading = self.back.is_reading();
            tokio::select! {
                frame = live::tick(&mut self.engine, &mut self.probes) => match frame {
                    // Nobody looks any more: the screen ends in a moment.
                    Ok(frame) => {
                        self.recorder.offer(&frame);
                        self.back.keep(&frame);
                        let model = self.timeline.push_joined(frame, self.engine.joined());
                        live::follow(&mut self.probes, &model);
                        self.latest = Arc::clone(&model);
                        drop(self.models.as_ref().map(|models| models.send(Some(model))));
                    }
                    Err(error) => {
                        // The screen says that no model comes any more.
                        self.models = None;
                        return error;
                    }
                },
                Some(asked) = self.asked.recv() => match asked {
                    Asked::Explain(packets) => self.engine.explain_if_possible(packets),
                    Asked::LookAgain => self.engine.look_again(),
                    Asked::Repair => Incident::turn(&mut self.incident).await,
                    Asked::Record => self.recorder.toggle(),
                    Asked::Play(play) => self.back.go(play, procfs::wall_clock()),
                    Asked::Now => self.back.end(),
                    Asked::Interval(interval) => self.engine.set_interval(interval),
                    Asked::Measure(node) => {
                        self.measuring.begin(&self.latest, node.map(|node| node.to_string()));
                    }
                },
                () = Incident::due(self.incident.as_ref()) => Incident::turn(&mut self.incident).await,
                Ok(()) = self.recorder.feed.changed() => {}
                () = self.measuring.go_on() => {}
                // Others have their turn after each frame.
                () = tokio::task::yield_now(), if is_reading => self.back.read(),
            }
            let (back, reading) = self.back.feed();
            let recording = self.recorder.feed.borrow_and_update().recording.clone();
            let feed = Feed { recording, back, reading, playback: None, measuring: self.measuring.told() };
            self.said.send_if_modified(|said| {
                let is_other = *said != feed;
                *said = feed;
                is_other
            });
        }
    }
}
