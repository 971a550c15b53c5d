//! What `bench` takes.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::{LAB, OUTPUT, duration};
use crate::bench::margin::Margin;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum BenchCommand {
    /// Measure, and write the result to a file
    ///
    /// Sends from pod to pod (overlay) and from node to node (host), and compares the two: TCP throughput and CPU time per Gbit, the rate
    /// of 64-byte UDP packets, and latency. Without --prefix and --to it does so in labs of its own, two nodes with a pod each in
    /// network namespaces, and touches nothing of the node's network. The result has facts as well that explain a difference: MTU,
    /// offloads and qdisc of each device on the path, drops, fragments, bytes that the tunnel adds to a packet, nanoseconds per run of each
    /// eBPF program, and how long the kernel takes to encapsulate a buffer (p50 and p99, VXLAN in labs, Linux 6.6).
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe bench run --output base.json\n  \
        sudo overlay-probe bench run --output quick.json --rounds 10 --slice 500ms --scenario vxlan-v4\n  \
        sudo overlay-probe bench run --output sizes.json --also udp-512,udp-full\n  \
        sudo overlay-probe bench run --output mine.json --prefix ovp\n  \
        sudo overlay-probe bench run --output iperf.json --load 'iperf3 -c {address} -t {seconds}' --load-server 'iperf3 -s'\n  \
        overlay-probe bench run --output real.json --to 10.42.1.0 --underlay 192.168.1.2 --token-file token\n\n\
        A run of 20 rounds takes five minutes with two scenarios. Ctrl-C keeps the rounds that are finished")]
    Run(BenchRunArgs),
    /// The other end of `bench run --to`: takes in what is sent, between two nodes or two pods
    ///
    /// Listens at the addresses that are given and nowhere else, with TCP and UDP. Clients need the token, and measure one at a time;
    /// the token crosses the network in clear. Needs no privilege. SIGTERM and Ctrl-C end it.
    #[command(after_help = "Examples:\n  \
        overlay-probe bench serve --listen 192.168.1.2 --listen 10.42.1.0\n  \
        overlay-probe bench serve --listen 10.42.1.0:9000 --token-file token\n\n\
        Here 192.168.1.2 is the address of the node's NIC, and 10.42.1.0 that of its tunnel. Without a token file and\n\
        OVERLAY_PROBE_BENCH_TOKEN it makes a token and prints it")]
    Serve(BenchServeArgs),
    /// Print two results beside each other; decides nothing
    #[command(after_help = "Examples:\n  \
        overlay-probe bench compare base.json new.json\n  \
        overlay-probe bench compare base.json new.json --format markdown\n\n\
        Exit codes: 0 compared, 3 cannot be compared")]
    Compare(BenchCompareArgs),
    /// Fail when the overlay got slower than a baseline
    ///
    /// Measures again as the baseline was measured (its data planes, loads and slices), for 10, 20, 40 or 80 rounds: until every metric
    /// is decided. What looks slower is measured once more, and both must say so. With --new it reads results instead.
    #[command(after_help = "Examples:\n  \
        sudo overlay-probe bench gate --baseline base.json\n  \
        sudo overlay-probe bench gate --baseline base.json --max-regression 10% --format junit\n  \
        sudo overlay-probe bench gate --baseline base.json --max-regression throughput=20%,cpu_per_gbit=25%\n  \
        overlay-probe bench gate --baseline base.json --new new.json --new again.json\n\n\
        The baseline is a result of `bench run`, of this machine and of today: measure it before the change.\n\
        Exit codes: 0 not slower, 1 slower but not certain, or an offload, MTU or qdisc changed, 2 slower, 3 cannot be decided")]
    Gate(BenchGateArgs),
    /// Take a result into a baseline, on purpose and with a reason
    ///
    /// With five results of other days a baseline knows how much days differ, and the gate decides by that. With --metric the result
    /// is the level of that metric from now on, and of no other one: for a change that makes one thing slower on purpose.
    #[command(after_help = "Examples:\n  \
        overlay-probe bench accept --baseline base.json new.json --reason \"nightly of 2026-11-26\"\n  \
        overlay-probe bench accept --baseline base.json new.json --replace --reason \"kernel 6.12\"\n  \
        overlay-probe bench accept --baseline base.json new.json --metric throughput --reason \"WireGuard since 2.1\"")]
    Accept(BenchAcceptArgs),
    /// Show what results of many days say, one after the other; decides nothing
    #[command(after_help = "Examples:\n  \
        overlay-probe bench trend base.json\n  \
        overlay-probe bench trend results/*.json --format svg > trend.svg\n  \
        overlay-probe bench trend results/*.json --format csv > trend.csv")]
    Trend(BenchTrendArgs),
}

impl BenchCommand {
    /// It sends, and does not only read files.
    pub(in crate::cli) fn measures(&self) -> Option<Where> {
        let of = |to: &ToArgs, load: &LoadArgs| match (&to.to, &load.load) {
            (Some(_), None) => Where::ToAnotherMachine,
            (Some(_), Some(_)) => Where::ToAnotherMachineByCommand,
            (None, Some(_)) => Where::InLabsByCommand,
            (None, None) => Where::InLabs,
        };
        match self {
            Self::Run(args) => Some(of(&args.to, &args.load)),
            Self::Gate(args) if args.new.is_empty() => Some(of(&args.to, &args.load)),
            Self::Gate(_) | Self::Serve(_) | Self::Compare(_) | Self::Accept(_) | Self::Trend(_) => None,
        }
    }
}

/// Where something is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Where {
    /// In labs: namespaces are made or entered.
    InLabs,
    /// The same, and a command that the user gives is started.
    InLabsByCommand,
    /// From here to another machine: sockets are all that it takes.
    ToAnotherMachine,
    /// The same, and a command that the user gives is started here.
    ToAnotherMachineByCommand,
}

#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct BenchRunArgs {
    /// Write the result to this file, after each round
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub(in crate::cli) output: PathBuf,

    /// Rounds; each measures everything once, in random order
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=80), value_name = "N", help_heading = MEASURING)]
    pub(in crate::cli) rounds: u16,

    /// Only these data planes (may be repeated, or separated by commas) [default: vxlan-v4, vxlan-v6, wireguard, as this kernel has them]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME", conflicts_with = "to", help_heading = MEASURING)]
    pub(in crate::cli) scenario: Vec<BenchScenario>,

    /// Of the usual measure these only (may be repeated, or separated by commas); without tcp a round is shorter, and segments, drops
    /// and fragments are not counted
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME", conflicts_with = "load", help_heading = MEASURING)]
    pub(in crate::cli) only: Vec<BenchOnly>,

    /// Measure these as well (may be repeated, or separated by commas); they inform and do not decide
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME", help_heading = MEASURING)]
    pub(in crate::cli) also: Vec<BenchAlso>,

    #[command(flatten)]
    pub(in crate::cli) load: LoadArgs,

    /// Length of one measurement; a round has two for each thing that is measured, six for the usual, of each data plane
    #[arg(long, default_value = "1s", value_parser = duration::parse, value_name = "TIME", help_heading = MEASURING)]
    pub(in crate::cli) slice: Duration,

    /// Measure in the lab with this prefix (`lab up`), as it is [default: a lab of its own, which nobody else sees]
    #[arg(long, value_name = "NAME", conflicts_with = "to", help_heading = LAB)]
    pub(in crate::cli) prefix: Option<String>,

    #[command(flatten)]
    pub(in crate::cli) to: ToArgs,
}

/// A command of somebody else.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct LoadArgs {
    /// Have this command send in place of the usual, from node to node and from pod to pod; {address} is where to, {seconds} how long
    ///
    /// It is started without a shell for each measurement, as this process' user, and ended after it. What arrives is read from the
    /// receiving device, of which --to has `bench serve` tell. `bench gate` never runs what a baseline names: give it again.
    #[arg(long, value_name = "COMMAND", value_parser = load, help_heading = MEASURING)]
    pub(in crate::cli) load: Option<String>,

    /// Run this command at the other end meanwhile, such as 'iperf3 -s'; in labs only: with --to start it there yourself
    #[arg(long, value_name = "COMMAND", value_parser = command, requires = "load", help_heading = MEASURING)]
    pub(in crate::cli) load_server: Option<String>,
}

/// To another machine.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct ToArgs {
    /// Measure to another node or pod where `bench serve` runs, by its address in the overlay [port: 12473]
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = address, help_heading = REMOTE)]
    pub(in crate::cli) to: Option<SocketAddr>,

    /// The address of that node beside the overlay, where `bench serve` listens as well: what the overlay is compared with
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = address, requires = "to", help_heading = REMOTE)]
    pub(in crate::cli) underlay: Option<SocketAddr>,

    /// File with the token of `bench serve` [default: the variable OVERLAY_PROBE_BENCH_TOKEN]
    #[arg(long, value_name = "FILE", requires = "to", help_heading = REMOTE)]
    pub(in crate::cli) token_file: Option<PathBuf>,
}

#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct BenchServeArgs {
    /// Listen at this address of the machine (may be repeated) [port: 12473]
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = address, required = true, help_heading = REMOTE)]
    pub(in crate::cli) listen: Vec<SocketAddr>,

    /// File with the token, 16 to 128 characters [default: the variable OVERLAY_PROBE_BENCH_TOKEN, else a new one]
    #[arg(long, value_name = "FILE", help_heading = REMOTE)]
    pub(in crate::cli) token_file: Option<PathBuf>,

    /// End a session after this time
    #[arg(long, default_value = "6h", value_parser = duration::parse, value_name = "TIME", help_heading = REMOTE)]
    pub(in crate::cli) max_time: Duration,

    /// End a session that has sent so many gigabytes
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1_000_000), value_name = "GB", help_heading = REMOTE)]
    pub(in crate::cli) max_gigabytes: u64,
}

#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct BenchCompareArgs {
    /// The result to compare with
    #[arg(value_name = "BASE")]
    pub(in crate::cli) base: PathBuf,

    /// The result to judge
    #[arg(value_name = "NEW")]
    pub(in crate::cli) new: PathBuf,

    #[command(flatten)]
    pub(in crate::cli) judge: JudgeArgs,
}

#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct BenchGateArgs {
    /// The result to compare with, of `bench run`
    #[arg(long, value_name = "FILE", help_heading = JUDGING)]
    pub(in crate::cli) baseline: PathBuf,

    /// The result to judge; given twice, the second one confirms [default: measure now, as the baseline was, and again to confirm]
    #[arg(long, value_name = "FILE", conflicts_with = "load", help_heading = JUDGING)]
    pub(in crate::cli) new: Vec<PathBuf>,

    /// Write what is measured to this file
    #[arg(long, value_name = "FILE", conflicts_with = "new", help_heading = OUTPUT)]
    pub(in crate::cli) output: Option<PathBuf>,

    #[command(flatten)]
    pub(in crate::cli) load: LoadArgs,

    /// Measure in the lab with this prefix (`lab up`), as it is [default: a lab of its own, which nobody else sees]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["new", "to"], help_heading = LAB)]
    pub(in crate::cli) prefix: Option<String>,

    #[command(flatten)]
    pub(in crate::cli) to: ToArgs,

    /// What changed facts lead to [default: fragments, drops and wrong checksums fail; offloads, MTUs and qdiscs warn]
    #[arg(long, value_enum, value_name = "HOW", help_heading = JUDGING)]
    pub(in crate::cli) facts: Option<BenchFacts>,

    #[command(flatten)]
    pub(in crate::cli) judge: JudgeArgs,
}

#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct BenchAcceptArgs {
    /// The baseline; it is made when it is not there
    #[arg(long, value_name = "FILE", help_heading = JUDGING)]
    pub(in crate::cli) baseline: PathBuf,

    /// The result to take in
    #[arg(value_name = "NEW")]
    pub(in crate::cli) new: PathBuf,

    /// Only of this metric: the others keep their level (may be repeated, or separated by commas)
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME", conflicts_with = "replace", help_heading = JUDGING)]
    pub(in crate::cli) metric: Vec<BenchMetric>,

    /// Why it is the level from now on; kept in the baseline
    #[arg(long, value_name = "TEXT", value_parser = reason, help_heading = JUDGING)]
    pub(in crate::cli) reason: String,

    /// Drop the results that are in the baseline: the level is another one from now on
    #[arg(long, help_heading = JUDGING)]
    pub(in crate::cli) replace: bool,
}

#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct BenchTrendArgs {
    /// Results and baselines, in any order
    #[arg(value_name = "FILE", required = true)]
    pub(in crate::cli) files: Vec<PathBuf>,

    /// What to print
    #[arg(long, value_enum, default_value_t, help_heading = OUTPUT)]
    pub(in crate::cli) format: TrendFormat,
}

/// What `bench trend` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum TrendFormat {
    /// A chart for a terminal
    #[default]
    Table,
    /// A row for each run, for programs that look for the change, such as Apache Otava
    Csv,
    /// A picture
    Svg,
}

/// How two results are judged and printed.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct JudgeArgs {
    /// What is slower by less than this is the same; METRIC=SHARE for one metric, such as throughput=20%
    #[arg(long, default_value = "5%", value_delimiter = ',', value_name = "SHARE", help_heading = JUDGING)]
    pub(in crate::cli) max_regression: Vec<Margin>,

    /// Compare results of different machines, kernels or settings; the gate then warns at most
    #[arg(long, help_heading = JUDGING)]
    pub(in crate::cli) force: bool,

    /// What to print
    #[arg(long, value_enum, default_value_t, help_heading = OUTPUT)]
    pub(in crate::cli) format: BenchFormat,
}

const MEASURING: &str = "Measuring";
const JUDGING: &str = "Judging";
const REMOTE: &str = "Another machine";

/// Port of `bench serve`.
const PORT: u16 = 12473;

/// An address with or without a port. No names: what is measured must be certain.
fn address(text: &str) -> Result<SocketAddr, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || bare.parse::<IpAddr>().map(|address| SocketAddr::new(address, PORT));
    text.parse::<SocketAddr>()
        .or_else(|_no_port| with_port())
        .map_err(|_bad| "give an IP address, such as 10.42.1.0, 10.42.1.0:9000 or [fd00::1]:9000".to_owned())
}

/// A data plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum BenchScenario {
    /// flannel's VXLAN over IPv4
    VxlanV4,
    /// The same over NICs with an MTU of 9000; not among the usual ones
    VxlanV4Jumbo,
    /// flannel's VXLAN over IPv6
    VxlanV6,
    /// flannel's WireGuard over IPv4
    Wireguard,
}

/// What is measured where nobody asks for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum BenchOnly {
    /// One TCP stream: throughput and CPU per Gbit
    Tcp,
    /// Datagrams of 64 bytes: packet rate, which differs least from round to round on a busy machine
    Udp,
    /// Requests and responses: latency, which informs and does not decide
    Latency,
}

/// What is measured where somebody asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum BenchAlso {
    /// UDP datagrams of 512 bytes, or of as many as fit the overlay where that is less: packet rate
    #[value(name = "udp-512")]
    Udp512,
    /// UDP datagrams of as many bytes as fit the overlay's MTU: packet rate
    UdpFull,
    /// Eight TCP streams at once
    TcpN,
    /// Requests and responses while a TCP stream runs
    LatencyUnderLoad,
    /// TCP connections one after the other, each for a byte there and one back
    ConnectionRate,
}

/// What is compared, by the names of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(in crate::cli) enum BenchMetric {
    /// TCP throughput
    Throughput,
    /// 64-byte packet rate
    PacketRate,
    /// Packet rate of --also udp-512
    #[value(name = "packet_rate_512")]
    PacketRate512,
    /// Packet rate of --also udp-full
    PacketRateFull,
    /// CPU per Gbit
    CpuPerGbit,
    /// Latency that half of the requests have at most
    #[value(name = "latency_p50")]
    LatencyP50,
    /// Latency that 99 of 100 requests have at most
    #[value(name = "latency_p99")]
    LatencyP99,
    /// TCP throughput of 8 flows
    ThroughputN,
    /// Latency under load, p50
    #[value(name = "loaded_latency_p50")]
    LoadedLatencyP50,
    /// Latency under load, p99
    #[value(name = "loaded_latency_p99")]
    LoadedLatencyP99,
    /// TCP connection rate
    ConnectionRate,
    /// Throughput of the command of --load
    CommandThroughput,
    /// CPU per Gbit of the command of --load
    CommandCpuPerGbit,
}

/// What changed facts lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum BenchFacts {
    /// Every exact fact that changed fails the gate
    Fail,
    /// None does; exit code 1
    Warn,
}

/// What `bench compare` and `bench gate` print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum BenchFormat {
    /// Text
    #[default]
    Table,
    /// One JSON document
    Json,
    /// JUnit XML, for CI systems
    Junit,
    /// Markdown, for pull requests
    Markdown,
    /// A row for each metric, for spreadsheets and scripts
    Csv,
}

/// Some words, and not too many.
fn command(text: &str) -> Result<String, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match text.len() {
        _ if words.is_empty() => Err("give a command".to_owned()),
        0..=1000 => Ok(words.join(" ")),
        _ => Err("at most 1000 bytes".to_owned()),
    }
}

/// A command that knows where to.
fn load(text: &str) -> Result<String, String> {
    let text = command(text)?;
    if text.contains("{address}") { Ok(text) } else { Err("say with {address} where to it sends".to_owned()) }
}

/// Something, and not too long.
fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err("say why".to_owned()),
        1..=500 => Ok(text.to_owned()),
        _ => Err("at most 500 characters".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_a_port() {
        for (text, expected) in [
            ("10.42.1.0", Some("10.42.1.0:12473")),
            ("10.42.1.0:9000", Some("10.42.1.0:9000")),
            ("fd00::1", Some("[fd00::1]:12473")),
            ("[fd00::1]", Some("[fd00::1]:12473")),
            ("[fd00::1]:9000", Some("[fd00::1]:9000")),
            ("node2", None),
            ("10.42.1.0:99999", None),
            ("10.42.1", None),
            ("", None),
        ] {
            let found = address(text).ok().map(|address| address.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_command_says_where_to() {
        assert_eq!(load(" iperf3  -c {address} ").as_deref(), Ok("iperf3 -c {address}"));
        assert!(load("iperf3 -c 10.42.1.2").is_err() && load(" ").is_err() && command("").is_err());
        assert!(command(&"x".repeat(1001)).is_err() && command("iperf3 -s").is_ok());
    }
}
