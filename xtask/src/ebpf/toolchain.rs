//! What compiles the kernel object: Debian's packages, and one linker built against their LLVM.

use anyhow::{Context as _, Result, bail};
use xtask::manifest::Toolchain;

use crate::command;

/// The compiler whose library source is a package as well.
pub(super) const RUSTC: &str = "/usr/bin/rustc";
/// Its cargo.
pub(super) const CARGO: &str = "/usr/bin/cargo";
/// Drops the debug information; of the same LLVM as the compiler.
pub(super) const STRIP: &str = "/usr/bin/llvm-strip-22";
/// Where that LLVM lies.
pub(crate) const LLVM_PREFIX: &str = "/usr/lib/llvm-22";
/// The linker's version.
pub(crate) const LINKER_VERSION: &str = "0.13.0";

/// What must be installed, as Debian 12 calls it.
pub(crate) const PACKAGES: [&str; 9] = [
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "llvm-22",
    "llvm-22-dev",
    "libpolly-22-dev",
    "libzstd-dev",
    "zlib1g-dev",
    "libxml2-dev",
];

/// Arguments of `cargo install` for the linker.
pub(crate) const LINKER_INSTALL: [&str; 7] =
    ["bpf-linker", "--version", LINKER_VERSION, "--locked", "--no-default-features", "--features", "llvm-22"];

/// The linker that is installed, as it names itself.
pub(crate) fn linker_version() -> Result<String> {
    let text = command::capture(command::sealed("bpf-linker").arg("--version"))?;
    Ok(text.trim().trim_start_matches("bpf-linker ").to_owned())
}

/// Finds the toolchain, or says what to install.
pub(super) fn find() -> Result<Toolchain> {
    let found = versions().with_context(|| {
        format!(
            "the toolchain of the kernel object is not complete. On Debian 12:\n  \
             apt-get install -y --no-install-recommends g++ {}\n  \
             LLVM_PREFIX={LLVM_PREFIX} cargo install {}\n\
             Nothing else needs it: the compiled object is in the repository",
            PACKAGES.join(" "),
            LINKER_INSTALL.join(" ")
        )
    })?;
    if found.bpf_linker != LINKER_VERSION {
        bail!(
            "bpf-linker is {}, wanted is {LINKER_VERSION}: LLVM_PREFIX={LLVM_PREFIX} cargo install --force {}",
            found.bpf_linker,
            LINKER_INSTALL.join(" ")
        );
    }
    Ok(found)
}

fn versions() -> Result<Toolchain> {
    let rustc = command::capture(command::sealed(RUSTC).arg("-vV"))?;
    let field = |name: &str| {
        let value = rustc.lines().find_map(|line| line.strip_prefix(name));
        value.map(str::to_owned).with_context(|| format!("{RUSTC} -vV does not tell its `{name}`"))
    };
    for tool in [CARGO, STRIP] {
        command::capture(command::sealed(tool).arg("--version"))?;
    }
    let sysroot = sysroot()?;
    let library = format!("{sysroot}/lib/rustlib/src/rust/library/core/Cargo.toml");
    std::fs::metadata(&library).with_context(|| format!("the source of the library, {library}"))?;
    Ok(Toolchain {
        rustc: field("release: ")?,
        llvm: field("LLVM version: ")?,
        bpf_linker: linker_version()?,
    })
}

/// Where the compiler and the source of its library lie.
pub(super) fn sysroot() -> Result<String> {
    Ok(command::capture(command::sealed(RUSTC).args(["--print", "sysroot"]))?.trim().to_owned())
}
