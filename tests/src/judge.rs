//! Who decides what was on the wire: interface counters with offloads off, and tcpdump.

use std::{
    fs,
    process::{Child, Command, Stdio},
};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::{ns, tool::send_signal, wait_for};

/// Bytes of an Ethernet header, which interface counters include.
const ETHERNET: u64 = 14;

/// Packets and bytes of IP packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Packets.
    pub packets: u64,
    /// Bytes from the IP header on.
    pub bytes: u64,
}

/// Counters of an interface, of one moment.
#[derive(Clone, Copy, Debug)]
pub struct Counters {
    rx: Carried,
    tx: Carried,
}

impl Counters {
    /// Reads them.
    pub fn read(netns: &str, interface: &str) -> Self {
        Self::without(netns, interface, ETHERNET)
    }

    /// Reads those of a VXLAN device, which counts from the inner IP header on (`iptunnel_xmit`, `vxlan_rcv`).
    pub fn read_vxlan(netns: &str, interface: &str) -> Self {
        Self::without(netns, interface, 0)
    }

    fn without(netns: &str, interface: &str, link: u64) -> Self {
        let text = ns(netns, &format!("ip -j -s link show dev {interface}"));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let stats = &value[0]["stats64"];
        let read = |direction: &str| {
            let packets = stats[direction]["packets"].as_u64().unwrap();
            let bytes = stats[direction]["bytes"].as_u64().unwrap();
            Carried { packets, bytes: bytes - packets * link }
        };
        Self { rx: read("rx"), tx: read("tx") }
    }

    /// What was received since `before`.
    pub fn received_since(&self, before: &Self) -> Carried {
        Carried { packets: self.rx.packets - before.rx.packets, bytes: self.rx.bytes - before.rx.bytes }
    }

    /// What was sent since `before`.
    pub fn sent_since(&self, before: &Self) -> Carried {
        Carried { packets: self.tx.packets - before.tx.packets, bytes: self.tx.bytes - before.tx.bytes }
    }
}

/// A running tcpdump.
pub struct Tcpdump {
    child: Child,
    directory: TempDir,
}

impl Tcpdump {
    /// Starts it on an interface, one direction, and waits until it listens.
    pub fn start(netns: &str, interface: &str, direction: &str, filter: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let child = Command::new("nsenter")
            .arg(format!("--net=/run/netns/{netns}"))
            .args(["tcpdump", "-i", interface, "-Q", direction, "-s", "96", "-B", "65536"])
            .args(["-U", "--immediate-mode", "-Z", "root", "-w"])
            .arg(directory.path().join("pcap"))
            .args(filter.split(' '))
            .stdin(Stdio::null())
            .stderr(fs::File::create(directory.path().join("stderr")).unwrap())
            .spawn()
            .unwrap();
        let this = Self { child, directory };
        wait_for("tcpdump to listen", || this.stderr().contains("listening on").then_some(()));
        this
    }

    fn stderr(&self) -> String {
        fs::read_to_string(self.directory.path().join("stderr")).unwrap_or_default()
    }

    /// Ends it: the IP packets that it saw, by the lengths in their headers. It must have missed none.
    pub fn stop(mut self) -> Carried {
        self.end();
        ip_packets(&fs::read(self.directory.path().join("pcap")).unwrap())
    }

    /// Ends it: the MSS of each TCP segment that announces one, as tcpdump itself reads it.
    pub fn stop_for_mss(mut self) -> Vec<u64> {
        self.end();
        let read =
            Command::new("tcpdump").args(["-nnvr"]).arg(self.directory.path().join("pcap")).output().unwrap();
        let text = String::from_utf8_lossy(&read.stdout).into_owned();
        let announced =
            text.split("options [").filter_map(|options| options.split(']').next()?.split("mss ").nth(1));
        announced.filter_map(|value| value.split(',').next()?.parse().ok()).collect()
    }

    /// It waits for a packet, so that all that came before is in its file: what a signal finds in the ring it does not read any more.
    fn waits(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('S'))
    }

    fn end(&mut self) {
        wait_for("tcpdump to have read everything", || self.waits().then_some(()));
        send_signal(&self.child, Signal::SIGINT);
        self.child.wait().unwrap();
        let words = self.stderr();
        assert!(words.contains("\n0 packets dropped by kernel"), "the judge itself lost packets: {words}");
    }
}

/// IP packets in a capture file of Ethernet frames (the classic format, little endian).
fn ip_packets(pcap: &[u8]) -> Carried {
    const FILE_HEADER: usize = 24;
    const RECORD_HEADER: usize = 16;
    let mut carried = Carried::default();
    let mut at = FILE_HEADER;
    while let Some(header) = pcap.get(at..at + RECORD_HEADER) {
        let captured = u32::from_le_bytes(header[8..12].try_into().unwrap());
        let start = at + RECORD_HEADER;
        let end = start + usize::try_from(captured).unwrap();
        let Some(frame) = pcap.get(start..end) else { break };
        let word =
            |offset: usize| u64::from(u16::from_be_bytes(frame[offset..offset + 2].try_into().unwrap()));
        let bytes = match word(12) {
            0x0800 => word(16),
            0x86dd => word(18) + 40,
            other => panic!("an ethertype that was not asked for: {other:#x}"),
        };
        carried.packets += 1;
        carried.bytes += bytes;
        at = end;
    }
    carried
}
