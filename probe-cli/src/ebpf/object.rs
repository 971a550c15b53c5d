//! The embedded objects and how they are loaded.

use aya::{Ebpf, EbpfLoader, programs::SchedClassifier};
use probe_common::{limits, table};

use super::{attach::Hook, error::EbpfError};

/// Aligns the embedded bytes: the ELF reader casts headers out of them.
#[repr(C, align(32))]
struct Aligned<T: ?Sized>(T);

static COUNTING_BYTES: &Aligned<[u8]> =
    &Aligned(*include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../probe-ebpf/prebuilt/probe.o")));

static EXPLAINING_BYTES: &Aligned<[u8]> =
    &Aligned(*include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../probe-ebpf/prebuilt/explain.o")));

static DROPS_BYTES: &Aligned<[u8]> =
    &Aligned(*include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../probe-ebpf/prebuilt/drops.o")));

static ENCAP_BYTES: &Aligned<[u8]> =
    &Aligned(*include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../probe-ebpf/prebuilt/encap.o")));

/// The object that counts, as it lies in `probe-ebpf/prebuilt/`.
pub static OBJECT: &[u8] = &COUNTING_BYTES.0;

/// The object that is loaded beside it while somebody asks why packets are "other".
pub static EXPLAIN_OBJECT: &[u8] = &EXPLAINING_BYTES.0;

/// The object that is loaded while somebody asks what the kernel drops.
pub static DROPS_OBJECT: &[u8] = &DROPS_BYTES.0;

/// The object that is loaded while `bench` looks at a path.
pub static ENCAP_OBJECT: &[u8] = &ENCAP_BYTES.0;

/// The programs of an object that are attached, for each hook the one on transmit and the one on receive.
#[derive(Clone, Copy, Debug)]
pub struct Programs {
    tunnel: [&'static str; 2],
    underlay: [&'static str; 2],
}

/// Those of [`OBJECT`].
pub const PROGRAMS: Programs =
    Programs { tunnel: ["ovp_tunnel_tx", "ovp_tunnel_rx"], underlay: ["ovp_underlay_tx", "ovp_underlay_rx"] };

/// Those of [`EXPLAIN_OBJECT`].
pub const EXPLAIN_PROGRAMS: Programs =
    Programs { tunnel: ["ovp_why_tun_tx", "ovp_why_tun_rx"], underlay: ["ovp_why_und_tx", "ovp_why_und_rx"] };

impl Programs {
    /// What goes on an interface for a hook.
    pub(super) const fn of(self, hook: Hook) -> [&'static str; 2] {
        match hook {
            Hook::Tunnel => self.tunnel,
            Hook::Underlay => self.underlay,
        }
    }

    /// All.
    pub(super) fn all(self) -> impl Iterator<Item = &'static str> {
        self.tunnel.into_iter().chain(self.underlay)
    }
}

/// Programs that are never attached: what the benchmark compares with.
pub(super) const REFERENCES: [&str; 2] = ["ovp_ref_empty", "ovp_ref_counter"];

/// Sizes of the maps; memory grows with them and with the number of CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Pods counted one by one.
    pub pods: u32,
    /// Peers counted one by one, over all tunnels.
    pub peers: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { pods: limits::POD_SLOTS, peers: limits::PEER_SLOTS }
    }
}

/// Creates the maps and loads the programs.
pub(super) fn load(object: &[u8], sizes: Limits) -> Result<Ebpf, EbpfError> {
    let mut ebpf = create_counting(object, sizes)?;
    load_programs(&mut ebpf, PROGRAMS)?;
    Ok(ebpf)
}

fn create_counting(object: &[u8], sizes: Limits) -> Result<Ebpf, EbpfError> {
    let (pods, peers) = (sizes.pods.max(1), sizes.peers.max(1));
    let counts = [
        ("POD_COUNTS", pods.saturating_add(1).saturating_mul(2)),
        ("POD_SYNS", pods.saturating_add(1).saturating_mul(2)),
        ("PEER_COUNTS", peers.saturating_add(limits::TUNNELS).saturating_mul(2)),
    ];
    let entries: Vec<_> = lookups(sizes).into_iter().chain(counts).collect();
    create(object, &entries)
}

/// The same for the programs that explain: what they look up in is as large, and what they do not count in as small as can be.
pub(super) fn load_explaining(object: &[u8], sizes: Limits) -> Result<Ebpf, EbpfError> {
    let unused = ["POD_COUNTS", "PEER_COUNTS", "TUNNEL_COUNTS"].map(|map| (map, 1));
    let entries: Vec<_> = lookups(sizes).into_iter().chain(unused).collect();
    let mut ebpf = create(object, &entries)?;
    load_programs(&mut ebpf, EXPLAIN_PROGRAMS)?;
    Ok(ebpf)
}

/// Entries of the maps that packets are looked up in.
fn lookups(sizes: Limits) -> [(&'static str, u32); 3] {
    let (pods, peers) = (sizes.pods.max(1), sizes.peers.max(1));
    [
        ("LOOKUP", table::size(limits::table_keys(pods, peers))),
        ("ALLOWED_IPS", limits::allowed_ips(peers)),
        ("POD_NETWORKS", limits::pod_networks(peers)),
    ]
}

fn load_programs(ebpf: &mut Ebpf, programs: Programs) -> Result<(), EbpfError> {
    programs.all().try_for_each(|name| load_program(ebpf, name))
}

/// Creates the maps, with these numbers of entries where they are not as the object has them. Loads no program.
pub(super) fn create(object: &[u8], entries: &[(&'static str, u32)]) -> Result<Ebpf, EbpfError> {
    let mut loader = EbpfLoader::new();
    // No struct layout of the kernel is used, so its BTF is not needed: parsing it would cost megabytes.
    loader.btf(None);
    for (map, entries) in entries {
        loader.map_max_entries(map, *entries);
    }
    let mask = entries.iter().find(|(map, _)| *map == "LOOKUP").map(|(_, entries)| entries.saturating_sub(1));
    if let Some(mask) = &mask {
        loader.override_global("LOOKUP_MASK", mask, true);
    }
    loader.load(object).map_err(|source| EbpfError::Load { source: Box::new(source) })
}

/// Has the kernel verify and compile one program.
pub(super) fn load_program(ebpf: &mut Ebpf, name: &'static str) -> Result<(), EbpfError> {
    program(ebpf, name)?
        .load()
        .map_err(|source| EbpfError::LoadProgram { program: name, source: Box::new(source) })
}

/// A program of the object, by its name.
pub(super) fn program<'a>(
    ebpf: &'a mut Ebpf,
    name: &'static str,
) -> Result<&'a mut SchedClassifier, EbpfError> {
    ebpf.program_mut(name)
        .and_then(|program| program.try_into().ok())
        .ok_or_else(|| EbpfError::Missing { what: format!("program {name}") })
}

/// Bytes of the maps of an object that counts, with the usual limits, as the kernel accounts them: they grow with its CPUs.
pub fn map_bytes(object: &[u8]) -> Result<u64, EbpfError> {
    Ok(super::stats::map_bytes(&create_counting(object, Limits::default())?))
}

/// Loads `object`, which has these programs, and says how many instructions the verifier went through for each
/// (`verified_insns` of `struct bpf_prog_info`, Linux 5.16). Programs of a kernel that does not tell are left out.
pub fn verified_instructions(object: &[u8], programs: Programs) -> Result<Vec<(String, u32)>, EbpfError> {
    verified(create(object, &lookups(Limits { pods: 1, peers: 1 }))?, programs.all())
}

/// The same of programs of an object whose maps have been created.
pub(super) fn verified(
    mut ebpf: Ebpf,
    programs: impl Iterator<Item = &'static str>,
) -> Result<Vec<(String, u32)>, EbpfError> {
    let mut counts = Vec::new();
    for name in programs {
        load_program(&mut ebpf, name)?;
        let info = program(&mut ebpf, name)?
            .info()
            .map_err(|source| EbpfError::LoadProgram { program: name, source: Box::new(source) })?;
        if let Some(count) = info.verified_instruction_count() {
            counts.push((name.to_owned(), count));
        }
    }
    Ok(counts)
}
