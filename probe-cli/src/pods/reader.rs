//! The files of pods, read on a thread of their own: a directory with hundreds of thousands of leftovers takes a second to list, and
//! a file system may not answer at all. Neither holds up a sample, nor the end of a run.

use std::{
    io,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::Files;
use crate::{
    facts::pods::{PodFacts, Sandbox},
    privilege,
};

/// After a reading there is a pause of this many times what it took: a tenth of a core is the most that it costs.
const PAUSE: u32 = 9;

/// What is read for whom, and who waits for it.
type Question = (Vec<Sandbox>, oneshot::Sender<PodFacts>);

/// The thread, and the files before it is started. It ends with this, or with the process while a file system does not answer.
pub(super) struct Reader {
    files: Option<Files>,
    questions: Option<mpsc::Sender<Question>>,
    /// How long the last reading took.
    took: Duration,
}

impl Reader {
    /// Reads nothing and starts nothing yet: what bounds the process has when it is first asked, the thread has too.
    pub(super) fn new(files: Files) -> Self {
        Self { files: Some(files), questions: None, took: Duration::ZERO }
    }

    /// Reads what changed, see [`Files::read`]. Others of the calling thread have a turn meanwhile.
    pub(super) async fn read(&mut self, sandboxes: Vec<Sandbox>) -> PodFacts {
        let began = Instant::now();
        let facts = self.try_read(sandboxes).await;
        self.took = began.elapsed();
        facts.unwrap_or_else(|error| PodFacts {
            notes: vec![format!("cannot read the files of CNI plugins: {error}")],
            ..PodFacts::default()
        })
    }

    async fn try_read(&mut self, sandboxes: Vec<Sandbox>) -> io::Result<PodFacts> {
        if let Some(files) = self.files.take() {
            self.questions = Some(start(files)?);
        }
        let (answer, answered) = oneshot::channel();
        let ended = || io::Error::other("the thread that reads them has ended");
        let questions = self.questions.as_ref().ok_or_else(ended)?;
        questions.send((sandboxes, answer)).map_err(|_ended| ended())?;
        answered.await.map_err(|_ended| ended())
    }

    /// How long nothing is to be read now.
    pub(super) fn pause(&self) -> Duration {
        self.took.saturating_mul(PAUSE)
    }
}

fn start(mut files: Files) -> io::Result<mpsc::Sender<Question>> {
    let (questions, asked) = mpsc::channel::<Question>();
    thread::Builder::new().name("pod files".to_owned()).spawn(move || {
        // It parses what others write, as the owner of the files that it reads; it needs nothing else.
        if privilege::give_up_all().is_err() {
            return;
        }
        while let Ok((sandboxes, answer)) = asked.recv() {
            // Nobody waits for it any more when the run ends meanwhile.
            let _ = answer.send(files.read_now(&sandboxes));
        }
    })?;
    Ok(questions)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The status of threads of this name in this process.
    fn threads(name: &str) -> Vec<String> {
        let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
        let statuses = tasks.filter_map(|task| fs::read_to_string(task.path().join("status")).ok());
        statuses.filter(|status| status.lines().next() == Some(&format!("Name:\t{name}"))).collect()
    }

    #[tokio::test]
    async fn files_are_read_on_a_thread_that_may_do_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("var/lib/cni/results");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("net-0-eth0"), "{").unwrap();
        let mut reader = Reader::new(Files::new(root.path()));
        assert_eq!(threads("pod files"), [""; 0], "not before it is asked: it would have other bounds");
        let facts = reader.read(Vec::new()).await;
        assert!(facts.notes[0].contains("net-0-eth0"), "{:?}", facts.notes);
        let threads = threads("pod files");
        let [status] = &*threads else { panic!("{threads:?}") };
        for set in ["CapEff", "CapPrm"] {
            assert!(status.contains(&format!("{set}:\t0000000000000000")), "{status}");
        }
        fs::remove_file(directory.join("net-0-eth0")).unwrap();
        assert_eq!(reader.read(Vec::new()).await.notes, [""; 0], "each answer is that of its question");
    }
}
