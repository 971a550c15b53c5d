//! `top`: the terminal UI on live data.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};

use super::{
    args::TopArgs,
    confine,
    demo::Incident,
    live::{self, Context, Stop},
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
        confine::after_start(&engine);
        let hostname = engine.first().snapshot.host.hostname.value().cloned();
        Box::pin(show(engine, context, &context.node(hostname.as_deref()), None, &mut stop)).await
    })
}

/// Shows the engine's models until the user or a signal ends it.
pub(super) async fn show(
    mut engine: Engine,
    context: &Context,
    title: &str,
    mut incident: Option<Incident>,
    stop: &mut Stop,
) -> anyhow::Result<()> {
    let mut timeline = Timeline::default();
    let (sender, receiver) = watch::channel(Some(timeline.push_joined(engine.first(), engine.joined())));
    let (ask, asked) = mpsc::unbounded_channel();
    let options =
        TuiOptions { no_color: context.plain(), title: title.to_owned(), is_demo: incident.is_some() };
    // The engine ends only with an error; the screen then says so and stays until it is left.
    let mut failure = None;
    {
        let screen = tui::run(receiver, ask, options);
        tokio::pin!(screen);
        let feed = feed(&mut engine, &mut timeline, sender, asked, &mut incident);
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
                () = stop.asked() => break,
            }
        }
    }
    live::end(engine, stop).await;
    failure.map_or(Ok(()), |error| Err(error.into()))
}

async fn feed(
    engine: &mut Engine,
    timeline: &mut Timeline,
    models: watch::Sender<Option<Arc<Model>>>,
    mut asked: mpsc::UnboundedReceiver<Asked>,
    incident: &mut Option<Incident>,
) -> EngineError {
    loop {
        tokio::select! {
            frame = engine.tick() => match frame {
                // Nobody looks any more: the screen ends in a moment.
                Ok(frame) => drop(models.send(Some(timeline.push_joined(frame, engine.joined())))),
                Err(error) => return error,
            },
            Some(asked) = asked.recv() => match asked {
                Asked::Explain(packets) => engine.explain_if_possible(packets),
                Asked::LookAgain => engine.look_again(),
                Asked::Repair => Incident::turn(incident).await,
            },
            () = Incident::due(incident.as_ref()) => Incident::turn(incident).await,
        }
    }
}
