//! A deadline for reading files. Which files, and what they say, is for the others here.

use std::{io, sync::mpsc, thread, time::Duration};

/// The host's files are read for so long. A file system of a server or a process that does not answer never ends a read.
pub(super) const FILES: Duration = Duration::from_secs(5);

/// What `work` gives, on a thread of its own: one that waits for a file for ever holds up nobody else.
pub(super) fn within<T: Send + 'static>(
    deadline: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::Builder::new().name("host files".to_owned()).spawn(move || {
        // Nobody waits any more when it took too long.
        let _ = sender.send(work());
    })?;
    receiver.recv_timeout(deadline).map_err(|_late| {
        io::Error::other(format!(
            "reading did not end within {} s, as on a file system whose server does not answer",
            deadline.as_secs_f64()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_end_is_an_error() {
        let (_sender, receiver) = mpsc::channel::<()>();
        let late = within(Duration::from_millis(10), move || receiver.recv());
        assert!(late.unwrap_err().to_string().contains("did not end within 0.01 s"));
        assert_eq!(within(Duration::from_secs(60), || 7).unwrap(), 7);
    }
}
