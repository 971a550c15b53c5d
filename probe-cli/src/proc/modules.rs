//! Reads which modules are loaded. Which could be is in the host's files.

use std::collections::BTreeSet;

use super::file;
use crate::observed::Observed;

/// Most modules.
const MOST: usize = 4096;

/// Names of the modules that are loaded; absent on a kernel that cannot load any.
pub fn modules() -> Observed<BTreeSet<String>> {
    file::parsed("/proc/modules", |text| Ok(names(text)))
}

/// `wireguard 118784 0 - Live 0x0000000000000000`, a line for each (`m_show` in kernel/module/procfs.c).
fn names(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter_map(|line| line.split_ascii_whitespace().next())
        .take(MOST)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_of_each_line() {
        let text = "wireguard 118784 0 - Live 0x0000000000000000\n\
            libchacha20poly1305 16384 1 wireguard, Live 0x0000000000000000 (E)\n\n";
        assert_eq!(names(text), ["libchacha20poly1305".to_owned(), "wireguard".to_owned()].into());
    }
}
