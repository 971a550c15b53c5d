//! `top`: the terminal UI on live data.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};

use super::{
    args::TopArgs,
    confine,
    demo::Incident,
    live::{self, Context, Stop},
    recorder::Recorder,
};
use crate::{
    engine::{Engine, EngineError},
    model::{Model, Timeline},
    tui::{self, Asked, TuiOptions},
};

pub(super) fn run(context: &Context, args: &TopArgs) -> anyhow::Result<()> {
    tui::check_terminal()?;
    context.enter()?;
    live::block_on(async {
        let mut stop = Stop::catch()?;
        let Some(engine) = live::start(args.probe.engine(context), &mut stop).await? else { return Ok(()) };
        let hostname = engine.first().snapshot.host.hostname.value().cloned();
        let title = context.node(hostname.as_deref());
        // Before what can be opened is confined: it makes files later.
        let recorder = Recorder::start(&title, args.probe.interval)?;
        confine::after_start(&engine);
        Box::pin(show(engine, recorder, context, &title, None, &mut stop)).await
    })
}

/// Shows the engine's models until the user or a signal ends it.
pub(super) async fn show(
    mut engine: Engine,
    mut recorder: Recorder,
    context: &Context,
    title: &str,
    mut incident: Option<Incident>,
    stop: &mut Stop,
) -> anyhow::Result<()> {
    let mut timeline = Timeline::default();
    let (sender, receiver) = watch::channel(Some(timeline.push_joined(engine.first(), engine.joined())));
    let (ask, asked) = mpsc::unbounded_channel();
    let options = TuiOptions {
        no_color: context.plain(),
        title: title.to_owned(),
        is_demo: incident.is_some(),
        feed: recorder.feed.clone(),
    };
    // The engine ends only with an error; the screen then says so and stays until it is left.
    let mut failure = None;
    let mut was_asked = false;
    {
        let screen = tui::run(receiver, ask, options);
        tokio::pin!(screen);
        let feed = feed(&mut engine, &mut recorder, &mut timeline, sender, asked, &mut incident);
        tokio::pin!(feed);
        let mut feeding = true;
        loop {
            tokio::select! {
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
    live::end(engine, stop).await;
    recorder.end(stop.overdue(was_asked)).await.context("cannot end the recording")?;
    failure.map_or(Ok(()), |error| Err(error.into()))
}

async fn feed(
    engine: &mut Engine,
    recorder: &mut Recorder,
    timeline: &mut Timeline,
    models: watch::Sender<Option<Arc<Model>>>,
    mut asked: mpsc::UnboundedReceiver<Asked>,
    incident: &mut Option<Incident>,
) -> EngineError {
    loop {
        tokio::select! {
            frame = engine.tick() => match frame {
                // Nobody looks any more: the screen ends in a moment.
                Ok(frame) => {
                    recorder.offer(&frame);
                    drop(models.send(Some(timeline.push_joined(frame, engine.joined()))));
                }
                Err(error) => return error,
            },
            Some(asked) = asked.recv() => match asked {
                Asked::Explain(packets) => engine.explain_if_possible(packets),
                Asked::LookAgain => engine.look_again(),
                Asked::Repair => Incident::turn(incident).await,
                Asked::Record => recorder.toggle(),
                // There is nothing to play.
                Asked::Play(_) => {}
            },
            () = Incident::due(incident.as_ref()) => Incident::turn(incident).await,
        }
    }
}
