//! Printing without waiting: a thread of its own writes to stdout, so that a reader that takes nothing holds up neither the
//! samples nor the answer to a signal. It makes the text too, and writes it while it makes it. So it is with files.

use std::{future::Future, io, thread};

use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

/// What became of what was to be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offered {
    /// It is printed, or will be.
    Taken,
    /// The one before it still waits for a reader: this one is dropped.
    Late,
    /// Nothing can be printed any more; [`Writer::end`] says why.
    Ended,
}

/// The thread that prints. It ends with the process, also while a write waits for a reader.
pub(super) struct Writer<T> {
    waiting: mpsc::Sender<T>,
    result: oneshot::Receiver<io::Result<()>>,
}

impl<T: Send + 'static> Writer<T> {
    /// Starts it; `print` writes one to stdout.
    pub(super) fn start(
        print: impl Fn(&T, &mut io::Stdout) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        Self::to(io::stdout(), print)
    }

    fn to<W: io::Write + Send + 'static>(
        mut out: W,
        print: impl Fn(&T, &mut W) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        Self::with("stdout", || Ok(()), move |next| print(next, &mut out).and_then(|()| out.flush()))
    }

    /// Starts a thread of this name that does something else with each of them, and something before the first.
    pub(super) fn with(
        name: &str,
        begin: impl FnOnce() -> io::Result<()> + Send + 'static,
        mut work: impl FnMut(&T) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        // One waits while one is being written.
        let (offered, mut waiting) = mpsc::channel::<T>(1);
        let (done, result) = oneshot::channel();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let result = begin().and_then(|()| {
                loop {
                    let Some(next) = waiting.blocking_recv() else { break Ok(()) };
                    work(&next)?;
                }
            });
            // What it leaves is complete before anybody sees the result.
            drop(work);
            // Before anybody sees the result, nothing is taken any more.
            drop(waiting);
            // Nobody waits for it when a signal ended the run.
            let _ = done.send(result);
        })?;
        Ok(Self { waiting: offered, result })
    }

    /// Has something printed, if what was before it is on its way.
    pub(super) fn offer(&mut self, next: T) -> Offered {
        match self.waiting.try_send(next) {
            Ok(()) => Offered::Taken,
            Err(TrySendError::Full(_)) => Offered::Late,
            Err(TrySendError::Closed(_)) => Offered::Ended,
        }
    }

    /// The same for a file, whose file system may never answer: then it is not waited for.
    pub(super) async fn end_unless(self, given_up: impl Future<Output = ()>) -> io::Result<()> {
        tokio::select! {
            biased;
            ended = self.end() => ended,
            () = given_up => Err(io::Error::other(
                "the file system does not answer; what it was given last may not be in the file",
            )),
        }
    }

    /// Waits until everything taken is printed, or cannot be.
    pub(super) async fn end(self) -> io::Result<()> {
        let Self { waiting, result } = self;
        drop(waiting);
        result.await.unwrap_or_else(|gone| Err(io::Error::other(gone)))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write as _,
        sync::{Arc, Mutex, mpsc as std_mpsc},
    };

    use super::*;

    /// Writes when it is let.
    struct Slow {
        let_go: std_mpsc::Receiver<()>,
        begun: std_mpsc::Sender<()>,
        written: Arc<Mutex<String>>,
    }

    impl io::Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.begun.send(()).unwrap();
            let gone = self.let_go.recv().is_err();
            if gone {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.written.lock().unwrap().push_str(str::from_utf8(bytes).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (Writer<String>, std_mpsc::Sender<()>, std_mpsc::Receiver<()>, Arc<Mutex<String>>) {
        let (let_it, let_go) = std_mpsc::channel();
        let (begun, has_begun) = std_mpsc::channel();
        let written = Arc::new(Mutex::new(String::new()));
        let slow = Slow { let_go, begun, written: Arc::clone(&written) };
        let writer = Writer::to(slow, |text: &String, out| out.write_all(text.as_bytes())).unwrap();
        (writer, let_it, has_begun, written)
    }

    #[tokio::test]
    async fn a_late_reader_gets_what_fits() {
        let (mut writer, let_it, has_begun, written) = slow();
        assert_eq!(writer.offer("a".to_owned()), Offered::Taken);
        has_begun.recv().unwrap();
        assert_eq!(writer.offer("b".to_owned()), Offered::Taken);
        assert_eq!(writer.offer("c".to_owned()), Offered::Late);
        let_it.send(()).unwrap();
        has_begun.recv().unwrap();
        assert_eq!(writer.offer("d".to_owned()), Offered::Taken);
        let_it.send(()).unwrap();
        let_it.send(()).unwrap();
        writer.end().await.unwrap();
        assert_eq!(*written.lock().unwrap(), "abd");
    }

    #[tokio::test]
    async fn what_never_ends_is_given_up() {
        let (mut writer, _let_it, has_begun, written) = slow();
        assert_eq!(writer.offer("a".to_owned()), Offered::Taken);
        has_begun.recv().unwrap();
        let error = writer.end_unless(async {}).await.unwrap_err();
        assert!(error.to_string().contains("does not answer"), "{error}");
        assert_eq!(*written.lock().unwrap(), "");
        let (writer, ..) = slow();
        writer.end_unless(std::future::pending()).await.unwrap();
    }

    #[tokio::test]
    async fn who_cannot_begin_takes_nothing() {
        let begin = || Err(io::Error::other("no"));
        let writer = Writer::with("test", begin, |(): &()| Ok(())).unwrap();
        assert_eq!(writer.end().await.unwrap_err().to_string(), "no");
    }

    #[tokio::test]
    async fn a_reader_that_went_is_an_error() {
        let (mut writer, let_it, has_begun, _) = slow();
        assert_eq!(writer.offer("a".to_owned()), Offered::Taken);
        has_begun.recv().unwrap();
        drop(let_it);
        assert_eq!(writer.end().await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
