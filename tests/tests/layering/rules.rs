//! The tables. Sources (netlink, ebpf, procfs, netns, sriov, pods, hostfiles) give facts and counters (inventory, sample), the model gives them
//! meaning, people and machines see the model (tui, report); the engine and the command line are on top.

/// One module and what it may import of the tool.
pub(crate) struct Module {
    pub(crate) name: &'static str,
    pub(crate) may: &'static [&'static str],
    /// What it may hand on as its own (`pub use`): who imports it sees these through it, and nothing else.
    pub(crate) shows: &'static [&'static str],
    /// No files, no sockets, no clock, no async: everything it says can be tested from data.
    pub(crate) pure: bool,
}

const fn pure(name: &'static str, may: &'static [&'static str]) -> Module {
    Module { name, may, shows: &[], pure: true }
}

const fn outside(name: &'static str, may: &'static [&'static str]) -> Module {
    Module { name, may, shows: &[], pure: false }
}

impl Module {
    const fn showing(self, shows: &'static [&'static str]) -> Self {
        Self { shows, ..self }
    }
}

/// Every module, from the bottom to the top. `a::b` is a part of `a` with rules of its own.
pub(crate) const MODULES: &[Module] = &[
    pure("text", &[]),
    pure("mac", &[]),
    pure("observed", &[]),
    // What the sources said.
    pure("facts", &["mac", "observed"]),
    outside("files", &["observed"]),
    // Sources.
    outside("privilege", &[]),
    outside("procfs", &["files", "observed"]),
    outside("proc", &["facts", "files", "observed"]),
    // Its helper process gives up what it has no use for.
    outside("netns", &["files", "privilege", "text"]),
    outside("netlink", &["facts", "files", "mac", "netns", "observed", "text"]),
    outside("sriov", &["facts", "files", "observed"]),
    outside("pods", &["facts", "files", "observed", "privilege"]),
    outside("hostfiles", &["facts", "files", "observed"]),
    // What files want, what exists on the node, and counters of one instant.
    pure("intent", &["facts", "observed", "text"]),
    pure("inventory", &["facts", "mac", "observed", "text"]).showing(&["facts", "mac"]),
    pure("sample", &["facts", "mac", "observed"]),
    // Meaning. What fits in a tunnel is known by one part of it.
    pure("model::mtu", &["inventory"]),
    pure("model", &["facts", "intent", "inventory", "mac", "model::mtu", "observed", "sample", "text"])
        .showing(&["facts", "intent", "inventory", "mac", "sample"]),
    // A source of samples; what it counts is said by the inventory.
    outside("ebpf", &["files", "inventory", "model::mtu", "netns", "observed", "procfs", "sample", "text"]),
    // Frames as bytes and back, and the files they are in. Which frame is shown is decided without any of these.
    pure("record::split", &[]),
    pure("record::numbers", &[]),
    pure("record::delta", &["facts", "record::numbers", "record::split", "sample"]),
    pure("record::pack", &[]),
    pure("record::format", &["facts"]),
    pure("record::memory", &["record::delta", "record::pack", "sample"]),
    pure("record::moment", &[]),
    pure("record::player", &["record::moment"]).showing(&["record::moment"]),
    outside(
        "record",
        &[
            "facts",
            "files",
            "record::delta",
            "record::format",
            "record::memory",
            "record::moment",
            "record::pack",
            "record::player",
            "sample",
        ],
    ),
    // Judgement: what is wrong, of the model and the facts that it was made of.
    pure("check", &["facts", "model", "observed", "text"]),
    // What gets to other nodes, measured: the search is pure, and one part sends what it says.
    pure("mtu", &["model"]),
    outside("mtu::wire", &["mtu"]),
    // What the overlay carries beside the node, and whether that got worse: a document of its own, and who measures it.
    pure("bench", &[]),
    outside("bench::meter", &["bench", "ebpf", "facts", "netlink", "netns", "observed", "proc", "procfs"]),
    outside("bench::drive", &["bench", "bench::meter", "lab", "netns", "privilege"]),
    // People and machines.
    pure("report", &["model", "text"]),
    pure("report::bench", &["bench", "report", "text"]),
    // What probes come to that go on is in samples and in the model; which paths there are, only `mtu` knows.
    pure("report::measured", &["model", "mtu", "report", "text"]),
    pure("report::check", &["check", "model", "report", "text"]),
    pure("tui", &["check", "model", "record::player", "report", "text"]),
    outside("tui::terminal", &["tui"]),
    outside("tui::run", &["model", "record::player", "tui", "tui::terminal"]),
    // What a killed run leaves behind, with the heartbeat that filters of a living one have; a data plane to try things on.
    outside("leftovers", &["ebpf", "facts", "files", "netlink", "netns", "observed", "text"]),
    outside(
        "lab",
        &[
            "check",
            "files",
            "inventory",
            "mac",
            "model::mtu",
            "netlink",
            "netns",
            "pods",
            "privilege",
            "procfs",
            "text",
        ],
    ),
    // What the fuzzer feeds; compiled for it and for tests.
    outside("fuzz", &["bench", "hostfiles", "leftovers", "mtu", "netlink", "pods", "record", "text"]),
    // The loop that runs it all, and the commands.
    outside(
        "engine",
        &[
            "ebpf",
            "facts",
            "files",
            "hostfiles",
            "inventory",
            "leftovers",
            "netlink",
            "netns",
            "observed",
            "pods",
            "privilege",
            "proc",
            "procfs",
            "sample",
            "sriov",
            "text",
        ],
    ),
    outside(
        "cli",
        &[
            "bench",
            "bench::drive",
            "bench::meter",
            "check",
            "ebpf",
            "engine",
            "files",
            "inventory",
            "lab",
            "leftovers",
            "model",
            "mtu",
            "mtu::wire",
            "netns",
            "observed",
            "privilege",
            "procfs",
            "record",
            "record::player",
            "report",
            "report::bench",
            "report::check",
            "report::measured",
            "sample",
            "text",
            "tui",
        ],
    ),
];

/// Where an outside crate may be used, by top-level module. `*` is everywhere.
pub(crate) const DOORS: &[(&str, &[&str])] = &[
    // Interfaces to the kernel and to the terminal: one module each, since they break with every release.
    ("aya", &["ebpf"]),
    ("caps", &["privilege"]),
    ("landlock", &["privilege"]),
    ("seccompiler", &["privilege"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("crossterm", &["tui"]),
    ("futures", &["netlink", "tui"]),
    // YAML, with the line of each value; JSON is YAML as well.
    ("granit_parser", &["hostfiles"]),
    ("netlink_packet_core", &["netlink"]),
    ("netlink_packet_route", &["netlink"]),
    ("netlink_sys", &["netlink"]),
    // gRPC, of the container runtime and the kubelet.
    ("hyper_util", &["pods"]),
    ("prost", &["pods"]),
    ("tonic", &["pods"]),
    ("tonic_prost", &["pods"]),
    ("tower", &["pods"]),
    ("ratatui", &["tui"]),
    ("regex_lite", &["tui"]),
    ("rtnetlink", &["netlink"]),
    ("socket2", &["lab", "mtu", "netlink"]),
    // Names that are like a mistyped one; clap has it already.
    ("strsim", &["mtu", "netns"]),
    // Public keys are shown as `wg` shows them, and CNI's cache has its configurations in it; private keys are wiped from
    // where they were received.
    ("base64", &["facts", "hostfiles", "lab", "pods"]),
    ("zeroize", &["netlink"]),
    // Errors without a type are for those who only pass them on to people.
    ("anyhow", &["cli"]),
    ("thiserror", &["*"]),
    // What happened, for those who ask for it; the command line decides where it goes.
    ("tracing", &["cli", "ebpf", "engine", "lab", "leftovers", "netlink"]),
    ("tracing_subscriber", &["cli"]),
    // The layout of the maps, and the bounds of the histograms, which give the counts their meaning.
    ("probe_common", &["ebpf", "model", "sample"]),
    // The keys and values of what is dropped.
    ("probe_drops", &["ebpf"]),
    // The classes that times of encapsulation are counted in.
    ("probe_encap", &["ebpf"]),
    // The record of a packet that is "other", and its reasons.
    ("probe_explain", &["ebpf", "sample"]),
    (
        "libc",
        &[
            "bench",
            "ebpf",
            "files",
            "inventory",
            "lab",
            "mtu",
            "netlink",
            "netns",
            "pods",
            "privilege",
            "procfs",
        ],
    ),
    (
        "nix",
        &[
            "bench",
            "cli",
            "ebpf",
            "engine",
            "files",
            "hostfiles",
            "lab",
            "leftovers",
            "netlink",
            "netns",
            "pods",
            "privilege",
            "procfs",
        ],
    ),
    ("tokio", &["cli", "engine", "mtu", "netlink", "pods", "tui"]),
    // Plain data.
    ("ipnet", &["*"]),
    // What is recorded, files of ours and of others, documents.
    (
        "serde",
        &[
            "bench",
            "facts",
            "hostfiles",
            "lab",
            "leftovers",
            "mac",
            "observed",
            "pods",
            "record",
            "report",
            "sample",
        ],
    ),
    ("serde_json", &["bench", "cli", "engine", "hostfiles", "lab", "leftovers", "pods", "record", "report"]),
    ("sha1", &["inventory", "lab"]),
    // Calendar dates: what people and machines read.
    ("time", &["check", "record", "report", "tui"]),
    ("toml", &["cli", "hostfiles"]),
    // What must not reach a terminal is decided in one place.
    ("unicode_general_category", &["text"]),
    ("unicode_width", &["report", "text", "tui"]),
    // A file that takes its name in one step, and archives of what was found.
    ("tempfile", &["cli"]),
    ("flate2", &["cli"]),
    // What a recording is compressed and checked with.
    ("crc32fast", &["record"]),
    ("ruzstd", &["record"]),
    ("tar", &["cli"]),
];

/// What only types use that are written as JSON.
pub(crate) const WRITERS: [&str; 3] = ["serde::Serialize", "serde::Serializer", "serde::ser"];

/// Who may: the facts and the samples of a recording with what they are made of, documents, and files of ours: a type of the
/// model that were written would put its names into a document, where nobody may change them.
pub(crate) const MAY_BE_WRITTEN: [&str; 9] =
    ["bench", "facts", "lab", "leftovers", "mac", "observed", "record", "report", "sample"];

/// What opens files: the end of a path in the source.
pub(crate) const OPENERS: [&str; 14] = [
    "File::create",
    "File::create_new",
    "File::open",
    "File::options",
    "OpenOptions",
    "OpenOptions::new",
    "fcntl::open",
    "fcntl::openat",
    "fcntl::openat2",
    "fs::copy",
    "fs::read",
    "fs::read_dir",
    "fs::read_to_string",
    "fs::write",
];

/// Who may: `files`, where everything that is opened is looked at first, and for one opener each those whose paths are
/// constants of ours.
pub(crate) const MAY_OPEN: &[(&str, &[&str])] = &[
    ("files", &OPENERS),
    // Random bytes, from `/dev/urandom`.
    ("netlink::configure", &["File::open"]),
    // Names below `/run/netns`, processes below `/proc`.
    ("netns", &["fs::read_dir"]),
    // Directories of ours, of runs and of labs.
    ("leftovers::directory", &["fs::read_dir"]),
    ("pods::registry", &["fs::read_dir"]),
    // A directory that `files` has looked at, by its descriptor.
    ("pods::directory", &["fs::read_dir"]),
];

/// What a pure module must not use.
pub(crate) const IMPURE: [&str; 16] = [
    "std::env",
    "std::fs",
    "std::io",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::os",
    "std::process",
    "std::sync::mpsc",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "nix",
    "socket2",
    "tokio",
    "tracing",
];
