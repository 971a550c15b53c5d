//! What a check finds. Texts have names in them that are escaped already, but for [`Subject::name`].

/// How bad it is, by the harm that it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It costs throughput, or will break something later.
    Warn,
    /// Packets are lost, or go unprotected, now.
    Fail,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SubjectKind {
    /// The node as a whole.
    Node,
    /// A tunnel device, or another interface.
    Interface,
    /// Another node, by its address or its pod network.
    Peer,
    /// A pod, or several by a network.
    Pod,
    /// A file.
    File,
    /// A sysctl or another setting.
    Setting,
}

/// See [`SubjectKind`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// What it is.
    pub kind: SubjectKind,
    /// Its name. Hostile input: escape before showing.
    pub name: String,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What has the value: a device, a setting, a counter.
    pub what: String,
    /// The value.
    pub value: String,
    /// Where it was read: a netlink table, a file and line, a counter's name.
    pub source: String,
}

/// How to mend it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fix {
    /// What to do, and what that interrupts.
    pub text: String,
    /// Commands to paste on this node, in order; empty where none can help.
    pub commands: Vec<String>,
    /// Nothing on this node mends it; the text says who can.
    pub elsewhere: bool,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub subject: Subject,
    /// Interfaces that it concerns, by index; empty when it concerns no one in particular.
    pub devices: Vec<u32>,
    /// What is wrong, in one sentence.
    pub summary: String,
    /// What was seen.
    pub evidence: Vec<Evidence>,
    /// How to mend it.
    pub fix: Fix,
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What is wrong; nothing, and it passed.
    Judged(Vec<Finding>),
    /// The node has nothing of the kind; why.
    DoesNotApply(&'static str),
    /// It could not be judged: what is missing, and how to get it.
    NotJudged(String),
}

impl Finding {
    /// One without evidence.
    pub(super) fn new(severity: Severity, kind: SubjectKind, name: &str, summary: String) -> Self {
        let subject = Subject { kind, name: name.to_owned() };
        Self { severity, subject, devices: Vec::new(), summary, evidence: Vec::new(), fix: Fix::default() }
    }

    /// About an interface.
    pub(super) fn on(mut self, ifindex: u32) -> Self {
        self.devices.push(ifindex);
        self
    }

    /// With one more thing that was seen.
    pub(super) fn seen(
        mut self,
        what: impl Into<String>,
        value: impl std::fmt::Display,
        source: impl Into<String>,
    ) -> Self {
        self.evidence.push(Evidence { what: what.into(), value: format!("{value}"), source: source.into() });
        self
    }

    /// With what to do.
    pub(super) fn fix(mut self, text: impl Into<String>) -> Self {
        self.fix.text = text.into();
        self
    }

    /// With one more command to paste.
    pub(super) fn run(mut self, command: impl Into<String>) -> Self {
        self.fix.commands.push(command.into());
        self
    }

    /// With what to do somewhere else.
    pub(super) fn fix_elsewhere(mut self, text: impl Into<String>) -> Self {
        self.fix = Fix { text: text.into(), commands: Vec::new(), elsewhere: true };
        self
    }
}

/// The worst of several.
pub fn worst(findings: &[Finding]) -> Option<&Finding> {
    findings.iter().max_by_key(|finding| finding.severity)
}

/// The commands of their fixes, each once: what mends each of them, then what mends all.
pub fn commands(findings: &[Finding]) -> Vec<&str> {
    let mut commands: Vec<&str> = Vec::new();
    for command in findings.iter().flat_map(|finding| &finding.fix.commands) {
        commands.retain(|known| known != command);
        commands.push(command);
    }
    commands
}
