//! The command line: the only place that imports clap. From arguments to a command, from its result to an exit code.

mod args;
mod back;
mod bench;
mod bundle;
mod check;
mod cleanup;
mod confine;
mod definition;
mod demo;
mod exit;
mod lab;
mod live;
mod logging;
mod mtu;
mod on_demand;
mod pieces;
mod record;
mod recorder;
mod replay;
mod settings;
mod show;
mod top;
mod watch;
mod writer;

use std::{cell::Cell, env, process::ExitCode};

use self::args::{Args, Command, WatchArgs, Where};
use crate::privilege::{self, Role};

/// Runs the tool.
pub fn main() -> ExitCode {
    // Before anything is read, and while there is one thread.
    if let Err(error) = privilege::harden() {
        return exit::code(Err(error.into()));
    }
    let args = match args::parse() {
        Ok(args) => args,
        Err(error) => {
            if error.use_stderr() {
                check::tell_usage(
                    env::args_os().map(|argument| argument.to_string_lossy().into_owned()),
                    &error,
                );
            }
            return exit::usage(&error);
        }
    };
    logging::start(args.verbose);
    let role = role(args.command.as_ref());
    let restricted = privilege::restrict(role);
    confine::at_start(role);
    exit::code(restricted.map_err(Into::into).and_then(|()| run(args)))
}

/// What a command has a use for.
fn role(command: Option<&Command>) -> Role {
    match command {
        // Who looks at the screen may ask for it.
        None | Some(Command::Top(_)) => Role::FollowAndPing,
        Some(Command::Watch(WatchArgs { send, .. })) if send.probe_peers => Role::FollowAndPing,
        Some(Command::Watch(_) | Command::Record(_)) => Role::Follow,
        // A recording is read by nobody who could do more.
        Some(Command::Check(check)) if check.recording.replay.is_some() => Role::Print,
        Some(Command::Show(show)) if show.args().recording.replay.is_some() => Role::Print,
        Some(Command::Check(check)) if check.with_traffic && check.probe => Role::FollowAndPing,
        Some(Command::Check(check)) if check.with_traffic => Role::Follow,
        Some(Command::Check(check)) if check.probe => Role::Ping,
        Some(Command::Check(_) | Command::Show(_)) => Role::Look,
        Some(Command::Mtu(_)) => Role::Ping,
        Some(Command::Cleanup) => Role::Clean,
        Some(Command::Lab(_)) => Role::Build,
        Some(Command::Demo(_)) => Role::Demonstrate,
        Some(Command::Bench(command)) => match command.measures() {
            Some(Where::InLabs) => Role::Measure,
            Some(Where::InLabsByCommand) => Role::MeasureCommand,
            Some(Where::ToAnotherMachine) => Role::MeasureThere,
            Some(Where::ToAnotherMachineByCommand) => Role::MeasureThereCommand,
            None => Role::Print,
        },
        Some(Command::Completions { .. } | Command::Man { .. } | Command::Replay(_)) => Role::Print,
    }
}

fn run(args: Args) -> anyhow::Result<ExitCode> {
    let context = live::Context {
        netns: args.netns,
        host_root: args.host_root,
        is_elsewhere: Cell::new(false),
        cri_socket: args.cri_socket,
        no_color: args.no_color,
    };
    // Who wants a document of the check's gets one also when the node is not there.
    if let Some(Command::Check(check)) = &args.command {
        return check::run(&context, check, args.verbose > 0);
    }
    context.check()?;
    if let Some(Command::Mtu(args)) = &args.command {
        return mtu::run(&context, args);
    }
    if let Some(Command::Bench(command)) = &args.command {
        return Ok(bench::run(command));
    }
    let done = match args.command {
        Some(Command::Check(_) | Command::Mtu(_) | Command::Bench(_)) => Ok(()),
        None if std::io::IsTerminal::is_terminal(&std::io::stdout()) => {
            top::run(&context, &args::TopArgs::default())
        }
        None => watch::run(&context, &args::WatchArgs::default()),
        Some(Command::Top(args)) => top::run(&context, &args),
        Some(Command::Watch(args)) => watch::run(&context, &args),
        Some(Command::Record(args)) => record::run(&context, &args),
        Some(Command::Replay(args)) => replay::run(&context, &args),
        Some(Command::Show(what)) => show::run(&context, &what),
        Some(Command::Lab(command)) => lab::run(command),
        Some(Command::Demo(args)) => demo::run(&context, &args),
        Some(Command::Cleanup) => cleanup::run(&context),
        Some(Command::Completions { shell }) => definition::completions(shell),
        Some(Command::Man { directory }) => definition::man(&directory),
    };
    done.map(|()| ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Whoever adds a command says what it may, here and to those who have to allow it.
    #[test]
    fn every_command_has_a_role_and_is_in_the_table_of_privileges() {
        let lines = [
            ("", Role::FollowAndPing),
            ("top", Role::FollowAndPing),
            ("watch", Role::Follow),
            ("record x.ovp", Role::Follow),
            ("check", Role::Look),
            ("check --accept x", Role::Look),
            ("check --watch 5s", Role::Look),
            ("check --probe", Role::Ping),
            ("check --with-traffic", Role::Follow),
            ("check --with-traffic --probe", Role::FollowAndPing),
            ("check --replay x.ovp", Role::Print),
            ("show node", Role::Look),
            ("show pods", Role::Look),
            ("show mtu --replay x.ovp", Role::Print),
            ("mtu", Role::Ping),
            ("cleanup", Role::Clean),
            ("lab up", Role::Build),
            ("demo", Role::Demonstrate),
            ("bench run --output x", Role::Measure),
            ("bench run --output x --load {address}", Role::MeasureCommand),
            ("bench run --output x --to 192.0.2.1:7 --token-file x", Role::MeasureThere),
            ("bench gate --baseline x --to 192.0.2.1 --load {address}", Role::MeasureThereCommand),
            ("bench serve --listen 192.0.2.1:7", Role::Print),
            ("bench compare a b", Role::Print),
            ("replay x.ovp", Role::Print),
            ("completions bash", Role::Print),
            ("man x", Role::Print),
        ];
        let mut seen = BTreeSet::new();
        for (line, expected) in lines {
            let words = std::iter::once("overlay-probe").chain(line.split_whitespace());
            let args = args::parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(role(args.command.as_ref()), expected, "{line}");
            seen.extend(line.split_whitespace().next());
        }
        let security = include_str!("../../../SECURITY.md");
        let (_, table) = security.split_once("\n| Command |").unwrap();
        let (table, _) = table.split_once("\n\n").unwrap();
        for command in args::command().get_subcommands().map(clap::Command::get_name) {
            assert!(command == "help" || seen.contains(command), "{command} has no role here");
            let is_told = |end| table.contains(&format!("`{command}{end}"));
            assert!(command == "help" || is_told('`') || is_told(' '), "{command} is not in the table");
        }
    }
}
