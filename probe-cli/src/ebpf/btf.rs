//! The running kernel's type information (BTF), as far as offsets of fields and names of numbers go. The layout is that of
//! include/uapi/linux/btf.h. No decision about which.
//!
//! aya reads BTF and shows none of it; btfparse takes a type by its name whatever its kind, and keeps all hundred thousand of them
//! in memory. Here one pass finds where each type begins, and the rest stays bytes.

use std::path::Path;

use crate::files;

/// Where the kernel has it (`CONFIG_DEBUG_INFO_BTF`).
const PATH: &str = "/sys/kernel/btf/vmlinux";
/// Distributions have 4 to 12 MiB.
const LONGEST: u64 = 64 << 20;

const MAGIC: u16 = 0xeb9f;
/// `struct btf_type`, before what depends on the kind.
const TYPE_BYTES: usize = 12;

/// `BTF_KIND_*`.
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const TYPEDEF: u32 = 8;
const PTR: u32 = 2;
const FUNC_PROTO: u32 = 13;
/// Kinds that are other names of a type: typedef, volatile, const, restrict, type tag.
const SAME: [u32; 5] = [TYPEDEF, 9, 10, 11, 18];
/// Structures in structures without a name are no deeper than this.
const DEEPEST: u32 = 5;

/// See the module.
pub(super) struct Btf {
    bytes: Vec<u8>,
    /// Where each type begins, by its number less one.
    types: Vec<usize>,
    /// Where the names begin.
    strings: usize,
}

/// A type's beginning.
#[derive(Clone, Copy)]
struct Type {
    at: usize,
    name: u32,
    kind: u32,
    /// Members, values or parameters behind it.
    count: usize,
    /// Offsets of members have the size of a bit field with them.
    has_bit_fields: bool,
    /// A size or the number of a type, by the kind.
    detail: u32,
}

impl Btf {
    /// The running kernel's; the error says in words why there is none.
    pub(super) fn of_kernel() -> Result<Self, String> {
        let bytes = files::kernel_bytes(Path::new(PATH), LONGEST).map_err(|error| {
            if files::is_absent(&error) {
                "this kernel has no type information (BTF, CONFIG_DEBUG_INFO_BTF)".to_owned()
            } else {
                format!("cannot read {PATH}: {error}")
            }
        })?;
        Self::parse(bytes).ok_or_else(|| format!("cannot read {PATH}: it is not as expected"))
    }

    /// None for what is cut short, or has kinds of types whose size is not known here.
    fn parse(bytes: Vec<u8>) -> Option<Self> {
        let number = |at: usize| Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?));
        if u16::from_ne_bytes(*bytes.first_chunk()?) != MAGIC {
            return None;
        }
        let header = usize::try_from(number(4)?).ok()?;
        let place = |at| header.checked_add(usize::try_from(number(at)?).ok()?);
        let (first, length, strings) = (place(8)?, usize::try_from(number(12)?).ok()?, place(16)?);
        let end = first.checked_add(length).filter(|end| *end <= bytes.len())?;
        let mut types = Vec::new();
        let mut at = first;
        let mut btf = Self { bytes, types: Vec::new(), strings };
        while at < end {
            types.push(at);
            at = at.checked_add(TYPE_BYTES)?.checked_add(btf.read(at)?.behind()?)?;
        }
        btf.types = types;
        Some(btf)
    }

    fn number(&self, at: usize) -> Option<u32> {
        Some(u32::from_ne_bytes(*self.bytes.get(at..)?.first_chunk()?))
    }

    fn read(&self, at: usize) -> Option<Type> {
        let info = self.number(at + 4)?;
        Some(Type {
            at,
            name: self.number(at)?,
            kind: (info >> 24) & 0x1f,
            count: usize::from(u16::try_from(info & 0xffff).ok()?),
            has_bit_fields: info >> 31 == 1,
            detail: self.number(at + 8)?,
        })
    }

    /// The type with this number; 0 is none (`void`).
    fn by_number(&self, number: u32) -> Option<Type> {
        self.read(*self.types.get(usize::try_from(number).ok()?.checked_sub(1)?)?)
    }

    /// What a type is by other names.
    fn resolved(&self, number: u32) -> Option<Type> {
        let mut found = self.by_number(number)?;
        for _ in 0..DEEPEST {
            if !SAME.contains(&found.kind) {
                return Some(found);
            }
            found = self.by_number(found.detail)?;
        }
        None
    }

    fn is_named(&self, offset: u32, name: &str) -> bool {
        let start = usize::try_from(offset).ok().and_then(|offset| self.strings.checked_add(offset));
        let Some(text) = start.and_then(|start| self.bytes.get(start..)) else { return false };
        text.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&0))
    }

    fn name(&self, offset: u32) -> Option<&str> {
        let text = self.bytes.get(self.strings.checked_add(usize::try_from(offset).ok()?)?..)?;
        let end = text.iter().position(|byte| *byte == 0)?;
        str::from_utf8(text.get(..end)?).ok()
    }

    fn find(&self, kind: u32, name: &str) -> Option<(u32, Type)> {
        (1..).zip(&self.types).find_map(|(number, at)| {
            let found = self.read(*at)?;
            (found.kind == kind && self.is_named(found.name, name)).then_some((number, found))
        })
    }

    /// Offset in bytes of a field of a structure, through fields of it that are structures. None where there is no such field, or
    /// where it is a bit field.
    pub(super) fn offset(&self, structure: &str, path: &[&str]) -> Option<u32> {
        let (_, mut inside) = self.find(STRUCT, structure)?;
        let mut offset = 0_u32;
        for field in path {
            let (bits, number) = self.field(inside, field, DEEPEST)?;
            offset = offset.checked_add(bits)?;
            inside = self.resolved(number)?;
        }
        offset.is_multiple_of(8).then_some(offset / 8)
    }

    /// Offset in bits of a field and the number of its type. What has no name belongs to what it is in.
    fn field(&self, inside: Type, name: &str, deepest: u32) -> Option<(u32, u32)> {
        if !matches!(inside.kind, STRUCT | UNION) || deepest == 0 {
            return None;
        }
        (0..inside.count).find_map(|index| {
            let at = inside.at + TYPE_BYTES + index * 12;
            let (own, number, place) = (self.number(at)?, self.number(at + 4)?, self.number(at + 8)?);
            let bits = if inside.has_bit_fields { place & 0x00ff_ffff } else { place };
            if self.is_named(own, name) {
                return (!inside.has_bit_fields || place >> 24 == 0).then_some((bits, number));
            }
            if own != 0 && !self.is_named(own, "") {
                return None;
            }
            let (further, number) = self.field(self.resolved(number)?, name, deepest - 1)?;
            Some((bits.checked_add(further)?, number))
        })
    }

    /// Names and numbers of an enumeration.
    pub(super) fn values(&self, enumeration: &str) -> Option<Vec<(&str, u32)>> {
        let (_, found) = self.find(ENUM, enumeration)?;
        let value = |index: usize| {
            let at = found.at + TYPE_BYTES + index * 8;
            Some((self.name(self.number(at)?)?, self.number(at + 4)?))
        };
        (0..found.count).map(value).collect()
    }

    /// Whether the parameter of a tracepoint is of this enumeration; the first is the tracepoint's own data
    /// (`btf_trace_NAME`, include/trace/bpf_probe.h).
    pub(super) fn has_parameter(&self, tracepoint: &str, index: usize, enumeration: &str) -> bool {
        let found = || {
            let (wanted, _) = self.find(ENUM, enumeration)?;
            let (_, alias) = self.find(TYPEDEF, &format!("btf_trace_{tracepoint}"))?;
            let pointer = self.by_number(alias.detail).filter(|found| found.kind == PTR)?;
            let function = self.by_number(pointer.detail).filter(|found| found.kind == FUNC_PROTO)?;
            let at = function.at + TYPE_BYTES + index * 8;
            Some(index < function.count && self.number(at + 4)? == wanted)
        };
        found().unwrap_or(false)
    }
}

impl Type {
    /// Bytes behind [`TYPE_BYTES`]; none for a kind that is not known.
    fn behind(self) -> Option<usize> {
        let each = match self.kind {
            // Pointers, forward declarations, other names, functions, floats.
            2 | 7..=12 | 16 | 18 => 0,
            // Structures, unions, data sections, enumerations of 64 bits.
            STRUCT | UNION | 15 | 19 => 12,
            ENUM | FUNC_PROTO => 8,
            // Integers, variables and declaration tags have a word, arrays three.
            1 | 14 | 17 => return Some(4),
            3 => return Some(12),
            _ => return None,
        };
        self.count.checked_mul(each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts together what a compiler would: types by their words, names by their offsets.
    #[derive(Default)]
    struct Made {
        types: Vec<u32>,
        names: Vec<u8>,
    }

    impl Made {
        fn name(&mut self, name: &str) -> u32 {
            if self.names.is_empty() {
                self.names.push(0);
            }
            if name.is_empty() {
                return 0;
            }
            let at = u32::try_from(self.names.len()).unwrap();
            self.names.extend(name.bytes().chain([0]));
            at
        }

        /// A type with words behind it.
        fn add(&mut self, name: &str, kind: u32, count: u32, detail: u32, behind: &[u32]) {
            let name = self.name(name);
            self.types.extend([name, kind << 24 | count, detail]);
            self.types.extend(behind);
        }

        fn bytes(&self) -> Vec<u8> {
            let length = u32::try_from(self.types.len() * 4).unwrap();
            let names = u32::try_from(self.names.len()).unwrap();
            let mut bytes: Vec<u8> = MAGIC.to_ne_bytes().into_iter().chain([1, 0]).collect();
            bytes.extend([24, 0, length, length, names].iter().flat_map(|word: &u32| word.to_ne_bytes()));
            bytes.extend(self.types.iter().flat_map(|word| word.to_ne_bytes()));
            bytes.extend(&self.names);
            bytes
        }
    }

    /// `struct sk_buff { u64 a; union { struct { u32 x; u16 head; }; u64 y; }; net_t net; }`, and an enumeration.
    fn made() -> Vec<u8> {
        let mut made = Made::default();
        made.add("u32", 1, 0, 4, &[32]); // 1
        let (x, head) = (made.name("x"), made.name("head"));
        made.add("", STRUCT, 2, 8, &[x, 1, 0, head, 1, 32]); // 2
        let y = made.name("y");
        made.add("", UNION, 2, 8, &[0, 2, 0, y, 1, 0]); // 3
        let inum = made.name("inum");
        made.add("", STRUCT, 1, 4, &[inum, 1, 16]); // 4
        made.add("net_t", TYPEDEF, 0, 4, &[]); // 5
        let (a, net) = (made.name("a"), made.name("net"));
        made.add("sk_buff", 16, 0, 0, &[]); // 6: of the same name, and another kind
        made.add("sk_buff", STRUCT, 3, 24, &[a, 1, 0, 0, 3, 64, net, 5, 128]); // 7
        let (none, dropped) = (made.name("NONE"), made.name("DROPPED"));
        made.add("reason", ENUM, 2, 4, &[none, 0, dropped, 7]); // 8
        made.add("", FUNC_PROTO, 2, 0, &[0, 1, 0, 8]); // 9
        made.add("", PTR, 0, 9, &[]); // 10
        made.add("btf_trace_drop", TYPEDEF, 0, 10, &[]); // 11
        made.bytes()
    }

    #[test]
    fn fields_are_found_through_what_has_no_name() {
        let btf = Btf::parse(made()).unwrap();
        for (path, expected) in [
            (&["a"][..], Some(0)),
            (&["head"], Some(12)),
            (&["y"], Some(8)),
            (&["net", "inum"], Some(18)),
            (&["net", "x"], None),
            (&["nothing"], None),
            (&["a", "x"], None),
        ] {
            assert_eq!(btf.offset("sk_buff", path), expected, "{path:?}");
        }
        assert_eq!(btf.offset("sk_buf", &["a"]), None);
        assert_eq!(btf.values("reason"), Some(vec![("NONE", 0), ("DROPPED", 7)]));
        assert_eq!(btf.values("sk_buff"), None);
        assert!(btf.has_parameter("drop", 1, "reason") && !btf.has_parameter("drop", 0, "reason"));
        assert!(!btf.has_parameter("drop", 2, "reason") && !btf.has_parameter("drop_more", 1, "reason"));
    }

    /// Cut short anywhere, or with any byte another: an answer or none, and no panic.
    #[test]
    fn what_is_damaged_gives_nothing() {
        let whole = made();
        let ask = |bytes: Vec<u8>| {
            let Some(btf) = Btf::parse(bytes) else { return };
            let _ = (btf.offset("sk_buff", &["net", "inum"]), btf.values("reason"));
            let _ = btf.has_parameter("drop", 1, "reason");
        };
        for length in 0..whole.len() {
            ask(whole[..length].to_vec());
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                ask(bytes);
            }
        }
        assert!(Btf::parse(b"\x7fELF".to_vec()).is_none());
    }
}
