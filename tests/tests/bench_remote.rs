//! The benchmark between two machines: `bench serve` and `bench run --to`, in two namespaces of a lab and, for what goes wrong, on the
//! loopback. How fast anything is, is nobody's business here. Needs root.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

use nix::sys::signal::Signal;
use overlay_probe::lab::Family;
use probe_tests::{
    benched::devices,
    lab::TestLab,
    ns,
    tool::{binary, send_signal},
    wait_for,
};
use serde_json::Value;
use socket2::{Domain, Socket, Type};

const TOKEN: &str = "a-token-of-the-tests";
const VARIABLE: &str = "OVERLAY_PROBE_BENCH_TOKEN";

/// The tool in a network namespace, or where the test is.
fn tool(netns: Option<&str>) -> Command {
    let Some(netns) = netns else { return Command::new(binary()) };
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{netns}")).arg(binary());
    command
}

/// A running `bench serve`.
struct Server {
    child: Child,
    addresses: Vec<SocketAddr>,
}

impl Server {
    fn start(netns: Option<&str>, listen: &[&str], more: &[&str]) -> Self {
        let mut command = tool(netns);
        command.args(["bench", "serve"]).args(more).env(VARIABLE, TOKEN);
        for address in listen {
            command.args(["--listen", address]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let addresses = lines
            .take(listen.len())
            .map(|line| line.unwrap().strip_prefix("listening at ").unwrap().parse().unwrap())
            .collect();
        Self { child, addresses }
    }

    fn address(&self) -> String {
        self.addresses[0].to_string()
    }

    fn signal(&self, signal: Signal) {
        send_signal(&self.child, signal);
    }

    /// Its exit code, once it has ended; none when a signal killed it.
    fn ended(&mut self) -> Option<i32> {
        wait_for("the server to end", || self.child.try_wait().unwrap()).code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The test's own failure is the one to show.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client(netns: Option<&str>, to: &str, output: &Path, more: &[&str]) -> Command {
    let mut command = tool(netns);
    command.args(["bench", "run", "--output", output.to_str().unwrap(), "--to", to]);
    if !more.contains(&"--slice") {
        command.args(["--slice", "50ms"]);
    }
    command.args(more).env(VARIABLE, TOKEN).stdin(Stdio::null());
    command
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn sent(netns: &str, device: &str) -> Value {
    let link: Value = serde_json::from_str(&ns(netns, &format!("ip -j -s link show dev {device}"))).unwrap();
    link[0].clone()
}

#[test]
fn two_nodes_measure_the_overlay_beside_the_underlay() {
    let lab = TestLab::up(2, 1, Family::V4);
    let [first, second] = [1, 2].map(|number| lab.node(number));
    let address = |device: &str| {
        let shown: Value =
            serde_json::from_str(&ns(&second, &format!("ip -j -4 addr show {device}"))).unwrap();
        shown[0]["addr_info"][0]["local"].as_str().unwrap().to_owned()
    };
    let (tunnel, nic) = (address("flannel.1"), address("eth0"));
    let listen = [&tunnel, &nic].map(|address| format!("{address}:0"));
    let listening = || ns(&second, "ss -Hltun");
    let others = listening();
    let mut server = Server::start(Some(&second), &[&listen[0], &listen[1]], &[]);
    let [overlay, underlay] = [0, 1].map(|at: usize| server.addresses[at].to_string());
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("base.json");
    let (before, far_before) = (sent(&first, "flannel.1"), sent(&second, "flannel.1"));
    let more = ["--underlay", &underlay, "--rounds", "2"];
    let done = client(Some(&first), &overlay, &output, &more).output().unwrap();
    assert!(done.status.success(), "{}", said(&done));
    let (after, far_after) = (sent(&first, "flannel.1"), sent(&second, "flannel.1"));

    let document = read(&output);
    let run = &document["runs"][0];
    assert_eq!(run["remote"]["to"], overlay.as_str());
    assert_eq!(run["remote"]["machine"]["boot_id"], run["machine"]["boot_id"]);
    for round in run["rounds"].as_array().unwrap() {
        let slices = round["slices"].as_array().unwrap();
        assert_eq!(slices.len(), 6);
        for (load, field) in [("stream", "bits_per_s"), ("datagrams", "packets_per_s"), ("requests", "p50_s")]
        {
            for side in ["host", "overlay"] {
                let slice = slices.iter().find(|slice| slice["load"] == load && slice["side"] == side);
                assert!(slice.unwrap()[field].as_f64().unwrap() > 0.0, "{slice:?}");
                assert_eq!(slice.unwrap()["scenario"], "remote");
            }
        }
    }
    // Judge: what `ip` says of the tunnel device. Everything that went through it is more than what the streams carried.
    let grown = |field: &str| {
        let of = |link: &Value| link["stats64"]["tx"][field].as_u64().unwrap();
        of(&after) - of(&before)
    };
    let facts = &run["scenarios"][0]["facts"];
    let counts = &facts["counts"];
    let count = |name: &str| counts[name].as_u64().unwrap_or_else(|| panic!("no {name}: {counts}"));
    assert!(
        count("payload_bytes") < grown("bytes") && count("tunnel_buffers") < grown("packets"),
        "{counts}"
    );
    assert!(count("payload_bytes") > 2 * (1 << 16) && count("tunnel_buffers") > 0, "{counts}");
    let of = |link: &Value| link["stats64"]["rx"]["packets"].as_u64().unwrap();
    let received = count("received_buffers");
    assert!((1..of(&far_after) - of(&far_before)).contains(&received), "{counts}");
    // A segment has what fits the tunnel: its MTU less IP and TCP with timestamps; some are acknowledgements only.
    let payload = count("payload_bytes") as f64 / count("segments") as f64;
    assert!(payload <= 1450.0 - 52.0 && payload > 0.3 * 1450.0, "{counts}");
    assert_eq!((count("checksum_errors"), count("retransmitted") < count("segments")), (0, true));
    let expected = [
        ("client", "eth0", 1500),
        ("client", "flannel.1", 1450),
        ("server", "eth0", 1500),
        ("server", "flannel.1", 1450),
    ];
    assert_eq!(devices(facts), expected);
    let itself = tool(None).args(["bench", "compare"]).args([&output, &output]).output().unwrap();
    assert!(itself.status.success(), "{}", said(&itself));
    // A gate measures a run of another machine only there.
    let gate = tool(None).args(["bench", "gate", "--baseline"]).arg(&output).output().unwrap();
    assert_eq!(gate.status.code(), Some(3));
    assert!(said(&gate).contains("other machine: one in the base, none in the new run"), "{}", said(&gate));

    // A command sends instead: the tool itself, to another server there. Judge: `ip`, of what the tunnel has received in all.
    let taker = Server::start(Some(&second), &[&format!("{tunnel}:9000"), &format!("{nic}:9000")], &[]);
    let (by_command, inner) = (directory.path().join("command.json"), directory.path().join("inner.json"));
    let load = format!(
        "{} bench run --to {{address}}:9000 --rounds 80 --slice 100ms --output {}",
        binary().display(),
        inner.display()
    );
    let more = ["--underlay", &underlay, "--rounds", "1", "--load", &load];
    let done = client(Some(&first), &overlay, &by_command, &more).output().unwrap();
    assert!(done.status.success(), "{}", said(&done));
    drop(taker);
    let received = |link: &Value| link["stats64"]["rx"]["bytes"].as_f64().unwrap();
    let grown = received(&sent(&second, "flannel.1")) - received(&far_after);
    let slices = read(&by_command)["runs"][0]["rounds"][0]["slices"].clone();
    let sides: Vec<&Value> = slices.as_array().unwrap().iter().map(|slice| &slice["side"]).collect();
    assert!(sides == ["host", "overlay"] || sides == ["overlay", "host"], "{slices}");
    for slice in slices.as_array().unwrap() {
        let (bits, seconds) = (slice["bits_per_s"].as_f64().unwrap(), slice["seconds"].as_f64().unwrap());
        assert!(slice["load"] == "command" && bits > 0.0, "{slice}");
        assert!(slice["side"] == "host" || bits * seconds / 8.0 <= grown * 1.01, "{grown}: {slice}");
    }

    server.signal(Signal::SIGTERM);
    assert_eq!(server.ended(), Some(0));
    assert_eq!(listening(), others, "nothing of it listens any more");
}

#[test]
fn what_is_not_a_server_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("new.json");
    let failed = |to: &str, token: Option<&str>| {
        let mut command = client(None, to, &output, &["--rounds", "1"]);
        match token {
            Some(token) => command.env(VARIABLE, token),
            None => command.env_remove(VARIABLE),
        };
        let done = command.output().unwrap();
        assert_eq!((done.status.code(), output.exists()), (Some(3), false), "{}", said(&done));
        said(&done)
    };
    // Taken, so that nobody else can listen there meanwhile.
    let taken = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    taken.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let nobody = taken.local_addr().unwrap().as_socket().unwrap().to_string();
    let expected = format!("nothing listens at {nobody}: run `overlay-probe bench serve --listen {nobody}`");
    assert!(failed(&nobody, Some(TOKEN)).contains(&expected));
    // TEST-NET-1 behind a route that leads nowhere.
    let lab = TestLab::up(2, 1, Family::V4);
    ns(&lab.node(1), "ip route add unreachable 192.0.2.0/24");
    let node = lab.node(1);
    let done = client(Some(&node), "192.0.2.1", &output, &["--rounds", "1"]).output().unwrap();
    assert_eq!(done.status.code(), Some(3));
    assert!(said(&done).contains("cannot reach 192.0.2.1:12473"), "{}", said(&done));

    let server = Server::start(None, &["127.0.0.1:0"], &[]);
    assert!(failed(&server.address(), Some("not-the-token-of-it")).contains("wrong token"));
    assert!(failed(&server.address(), None).contains("no token: give --token-file FILE"));
    assert!(failed(&server.address(), Some("short")).contains("a token has 16 to 128 characters"));
    assert!(failed("node2", Some(TOKEN)).contains("give an IP address"));
    let long = client(None, &server.address(), &output, &["--slice", "2m"]).output().unwrap();
    assert_eq!(long.status.code(), Some(3));
    assert!(said(&long).contains("--slice: at most 60 s to another machine"), "{}", said(&long));
    let more = ["--load", "true {address}", "--load-server", "iperf3 -s"];
    let both = client(None, &server.address(), &output, &more).output().unwrap();
    assert_eq!(both.status.code(), Some(3));
    assert!(said(&both).contains("start `iperf3 -s` there yourself"), "{}", said(&both));
}

/// Answers each connection with `answer`, whatever it is asked.
fn fake(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            // Whoever has read enough closes.
            let _ = stream.write_all(answer);
        }
    });
    address
}

#[test]
fn what_a_server_says_is_not_taken_for_true() {
    static ENDLESS: [u8; 1 << 20] = [b'x'; 1 << 20];
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("new.json");
    for (answer, expected) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "does not speak this protocol"),
        (b"\xff\x00\n", "does not speak this protocol"),
        (b"{}\n", "does not speak this protocol"),
        (b"", "closed the connection"),
        (&ENDLESS, "more than 65536 bytes"),
        (b"\"ready\"\n", "did not say what machine it is"),
        (b"{\"refused\":{\"why\":\"\\u001b[31mred\"}}\n", "refused: \\u{1b}[31mred"),
        (
            b"{\"welcome\":{\"session\":1,\"machine\":{\"architecture\":\"\",\"cores\":-1}}}\n",
            "does not speak",
        ),
        (
            b"{\"welcome\":{\"session\":1,\"machine\":{\"architecture\":\"x\",\"cores\":1}}}\n\"end\"\n",
            "does not speak this protocol",
        ),
    ] {
        let to = fake(answer).to_string();
        let done = client(None, &to, &output, &["--rounds", "1"]).output().unwrap();
        let text = said(&done);
        assert_eq!((done.status.code(), output.exists()), (Some(3), false), "{text}");
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn strangers_disturb_nobody() {
    let server = Server::start(None, &["127.0.0.1:0"], &[]);
    let address = server.addresses[0];
    // Some say nothing, some say what is no message, and one says it without an end: each is closed, and gets no more than a refusal.
    let silent: Vec<TcpStream> = (0..50).map(|_| TcpStream::connect(address).unwrap()).collect();
    let wrong = b"{\"hello\":{\"version\":1,\"token\":\"guess\",\"purpose\":{\"session\":{\"client\":1}}}}\n";
    let endless = vec![b'x'; 1 << 20];
    for text in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\xff\xfe\n", b"\"mark\"\n", b"{}\n", wrong, &endless] {
        // Places of the silent ones are free when their time is over.
        let answer = wait_for("an answer, or the end", || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            let _ = stream.write_all(text);
            let mut answer = Vec::new();
            // Closed with something unread is reset.
            let _ = stream.read_to_end(&mut answer);
            (text != wrong || !answer.is_empty()).then_some(answer)
        });
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.is_empty() || answer.starts_with("{\"refused\":"), "{answer}");
        assert!(text != wrong || answer.contains("wrong token"), "{answer}");
    }
    // A datagram of a stranger is none of the run's.
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("base.json");
    let done = client(None, &server.address(), &output, &["--rounds", "1"]).output().unwrap();
    assert!(done.status.success(), "{}", said(&done));
    // Without a way beside the overlay there is nothing to compare it with, which is said and no number.
    let table = String::from_utf8(done.stdout).unwrap();
    let row = table.lines().find(|line| line.contains("TCP throughput")).unwrap();
    assert!(row.split_whitespace().any(|word| word == "-"), "{table}");
    let gate =
        tool(None).args(["bench", "gate", "--baseline"]).arg(&output).arg("--new").arg(&output).output();
    assert_eq!(gate.unwrap().status.code(), Some(3));
    drop(silent);
}

#[test]
fn a_far_end_that_dies_leaves_the_finished_rounds() {
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        let mut server = Server::start(None, &["127.0.0.1:0"], &[]);
        let directory = tempfile::tempdir().unwrap();
        let output = directory.path().join("base.json");
        let running = client(None, &server.address(), &output, &["--rounds", "80"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for("a round to be finished", || output.exists().then_some(()));
        // Somebody else has to wait.
        let other = directory.path().join("other.json");
        let busy = client(None, &server.address(), &other, &["--rounds", "1"]).output().unwrap();
        assert_eq!(busy.status.code(), Some(3), "{}", said(&busy));
        assert!(said(&busy).contains("somebody else is measuring"), "{}", said(&busy));
        server.signal(signal);
        assert_eq!(server.ended(), (signal == Signal::SIGTERM).then_some(0));
        let done = running.wait_with_output().unwrap();
        assert_eq!(done.status.code(), Some(3), "{}", said(&done));
        let rounds = read(&output)["runs"][0]["rounds"].as_array().unwrap().len();
        assert!((1..80).contains(&rounds), "{rounds}");
        assert!(said(&done).contains(&format!("{rounds} of 80 rounds are in ")), "{}", said(&done));
    }
}

#[test]
fn a_session_has_limits() {
    let server = Server::start(None, &["127.0.0.1:0"], &["--max-time", "1s"]);
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("base.json");
    let done = client(None, &server.address(), &output, &["--rounds", "80"]).output().unwrap();
    assert_eq!(done.status.code(), Some(3));
    assert!(said(&done).contains("the limits of a session are reached"), "{}", said(&done));
    // An address that is not the machine's, and one that is taken.
    for (listen, why) in [("192.0.2.1:1", "cannot listen at 192.0.2.1:1"), (&server.address(), "in use")] {
        let refused = tool(None).args(["bench", "serve", "--listen", listen]).env(VARIABLE, TOKEN).output();
        let refused = refused.unwrap();
        assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
        assert!(said(&refused).contains(why), "{}", said(&refused));
    }
    let nowhere = tool(None).args(["bench", "serve"]).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(3));
    assert!(said(&nowhere).contains("--listen"), "{}", said(&nowhere));
}
