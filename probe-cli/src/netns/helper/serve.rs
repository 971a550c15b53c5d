//! The helper process: waits for a question, does one thing in one namespace, goes home, answers. Whoever asks may be hostile
//! by then: a question is of a few fixed forms, descriptors are checked to be network namespaces, and a text is a path that leads to
//! one or to nothing, the host's root, or numbers of programs.

use std::{
    ffi::OsStr,
    io,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::{ffi::OsStrExt as _, net::UnixStream},
    },
    path::Path,
};

use nix::{
    sys::{
        prctl,
        signal::{SigSet, Signal},
    },
    unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, getppid},
};

use super::{
    super::{Namespace, current, enter, is_network_namespace, of_processes_here, open_itself},
    Abilities, open_socket,
    wire::{self, Request, What},
};
use crate::{files, privilege};

/// Answers until the other end is closed, and ends the process.
pub(super) fn serve(socket: &OwnedFd, parent: Pid, abilities: Abilities) -> ! {
    // Nobody is told what failed: then there is no helper, which who asks will see.
    let _ = run(socket, parent, abilities);
    // SAFETY: ends the process without running what the parent has registered for its own end.
    unsafe { libc::_exit(0) }
}

fn run(socket: &OwnedFd, parent: Pid, abilities: Abilities) -> io::Result<()> {
    privilege::keep_for_helper().map_err(io::Error::other)?;
    // After the capabilities: changing them can clear it (`commit_creds`).
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    if getppid() != parent {
        return Ok(());
    }
    // For who looks at the machine's processes: their command lines are the same.
    prctl::set_name(c"overlay-netns")?;
    // Those of the terminal and the system are for the parent, whose end this one follows.
    SigSet::all().thread_block()?;
    // A reader of the parent's output must see its end. What is written here meets a closed pipe.
    let (nowhere, _) = UnixStream::pair()?;
    dup2_stdin(&nowhere)?;
    dup2_stdout(&nowhere)?;
    dup2_stderr(&nowhere)?;
    let home = current()?;
    let mut buffer = vec![0; wire::LONGEST];
    loop {
        let (length, descriptors) = match wire::receive(socket.as_fd(), &mut buffer) {
            Ok((0, _)) => return Ok(()),
            Ok(received) => received,
            // Too long, or with too many descriptors: no question.
            Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => continue,
            Err(error) => return Err(error),
        };
        let Some((sequence, request)) = Request::decode(buffer.get(..length).unwrap_or_default()) else {
            continue;
        };
        let outcome = answer(&request, descriptors, &home, abilities);
        // Without its own namespace it must not go on.
        enter(&home).map_err(io::Error::other)?;
        let (bytes, descriptor) = match outcome {
            Ok((bytes, descriptor)) => (Ok(bytes), descriptor),
            Err(error) => (Err(error), None),
        };
        let beside: Vec<BorrowedFd<'_>> = descriptor.iter().map(OwnedFd::as_fd).collect();
        wire::send(socket.as_fd(), &wire::encode_answer(sequence, &bytes), &beside)?;
    }
}

/// Bytes and a descriptor.
type Given = (Vec<u8>, Option<OwnedFd>);

fn answer(
    request: &Request,
    descriptors: Vec<OwnedFd>,
    home: &Namespace,
    abilities: Abilities,
) -> io::Result<Given> {
    let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
    let mut descriptors = descriptors.into_iter();
    let given = match request.what {
        What::Open => {
            let zero = request.text.iter().position(|byte| *byte == 0).ok_or_else(invalid)?;
            let (root, path) = request.text.split_at(zero);
            let path = str::from_utf8(path.get(1..).unwrap_or_default()).map_err(|_not_text| invalid())?;
            let root = files::Root::open(Path::new(OsStr::from_bytes(root)))?;
            (Vec::new(), Some(open_itself(&root, path)?.file.into()))
        }
        What::Socket { kind } => {
            go(descriptors.next(), home)?;
            (Vec::new(), Some(open_socket(kind)?))
        }
        What::Attach { ifindex, is_egress } => {
            let program = descriptors.next().ok_or_else(invalid)?;
            go(descriptors.next(), home)?;
            (Vec::new(), Some((abilities.attach)(program.as_fd(), ifindex, is_egress)?))
        }
        What::Measure => (Vec::new(), Some((abilities.measure)()?)),
        What::Programs => {
            let (ids, rest) = request.text.as_chunks();
            if !rest.is_empty() {
                return Err(invalid());
            }
            let ids: Vec<u32> = ids.iter().copied().map(u32::from_ne_bytes).collect();
            ((abilities.programs)(&ids)?, None)
        }
        What::Sysctls => {
            go(descriptors.next(), home)?;
            ((abilities.sysctls)(), None)
        }
        What::Lease => {
            let (pid, file) = (abilities.lease)(Path::new(OsStr::from_bytes(&request.text)))?;
            (pid.to_ne_bytes().to_vec(), Some(file.into()))
        }
        What::Held => (wire::encode_identities(&of_processes_here()), None),
    };
    // One more than is asked for is another question.
    if descriptors.next().is_some() { Err(invalid()) } else { Ok(given) }
}

/// Enters what was given, if it is a network namespace.
fn go(given: Option<OwnedFd>, home: &Namespace) -> io::Result<()> {
    let given = given.ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
    is_network_namespace(&given)?;
    let namespace = Namespace { name: home.name.clone(), file: given.into() };
    nix::sched::setns(namespace.file.as_fd(), nix::sched::CloneFlags::CLONE_NEWNET)?;
    Ok(())
}
