//! A real terminal to run the tool in: tmux.

use std::process::{Command, Output};

use crate::wait_for;

/// A tmux server of its own, gone when dropped.
pub struct Terminal {
    socket: String,
}

impl Terminal {
    /// A shell that runs `command` and then says how it ended.
    pub fn run(name: &str, (columns, rows): (u16, u16), command: &str) -> Self {
        let terminal = Self { socket: format!("ovp-test-{}-{name}", std::process::id()) };
        let script = format!(
            "echo before; {command}; echo \"ended with $?\"; stty -a | grep -o -- '-\\?icanon'; sleep 600"
        );
        let output = terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns.to_string(),
            "-y",
            &rows.to_string(),
            &script,
        ]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        terminal
    }

    /// Runs a tmux command on it.
    pub fn tmux(&self, arguments: &[&str]) -> Output {
        Command::new("tmux").args(["-L", &self.socket]).args(arguments).output().unwrap()
    }

    /// What it shows now.
    pub fn screen(&self) -> String {
        String::from_utf8(self.tmux(&["capture-pane", "-p"]).stdout).unwrap()
    }

    /// Presses keys, as tmux names them.
    pub fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Waits until it shows these words; returns the screen.
    pub fn wait_for(&self, words: &str) -> String {
        wait_for(&format!("{words:?} on the screen"), || {
            let screen = self.screen();
            screen.contains(words).then_some(screen)
        })
    }

    /// The terminal is as it was: the ordinary screen, line by line input, and this exit code.
    pub fn assert_given_back(&self, code: i32) {
        let screen = self.wait_for(&format!("ended with {code}"));
        let screen = if screen.contains("icanon") { screen } else { self.wait_for("icanon") };
        assert!(screen.contains("before"), "the ordinary screen is back: {screen}");
        assert!(!screen.contains("-icanon"), "raw mode is off: {screen}");
        assert!(!screen.contains("Overview"), "{screen}");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}
