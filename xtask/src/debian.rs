//! Debian's packages, also those of other suites, without touching the machine's own configuration: the configured source
//! with the suite's name changed, in an apt configuration of its own.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::{
    command::{self, program},
    ui,
};

/// The suite whose QEMU has the NIC with virtual functions (`-device igb`, QEMU 8.0), for a machine of Debian 12; later
/// ones and Ubuntu have it in their own.
pub(crate) const QEMU_SUITE: &str = "bookworm-backports";
const QEMU_SUITE_OF: &str = "bookworm";
pub(crate) const QEMU: &str = "qemu-system-x86";

/// Where apt looks for what it is told.
const LISTS: &str = "/etc/apt/sources.list";
const PARTS: &str = "/etc/apt/sources.list.d";

/// An apt that knows one more suite and forgets it when dropped.
pub(crate) struct Apt {
    directory: TempDir,
    suite: String,
}

impl Apt {
    /// Fetches the suite's list of packages.
    pub(crate) fn of(suite: &str) -> Result<Self> {
        let directory = TempDir::new().context("making a directory for apt")?;
        // apt reads as a user of its own.
        open_to_all(directory.path())?;
        for below in ["lists/partial", "archives/partial", "parts"] {
            fs::create_dir_all(directory.path().join(below)).context("making a directory for apt")?;
        }
        let source = configured()?.with_suite(suite);
        let path = directory.path().join("parts/suite.sources");
        fs::write(&path, source).with_context(|| format!("writing {}", path.display()))?;
        let this = Self { directory, suite: suite.to_owned() };
        let mut update = this.command("apt-get");
        update.args(["-q", "update"]);
        command::capture(&mut update).with_context(|| format!("reading Debian's suite {suite}"))?;
        Ok(this)
    }

    fn command(&self, name: &str) -> Command {
        let at = |below: &str| self.directory.path().join(below).display().to_string();
        let mut apt = program(name);
        apt.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C");
        for (option, value) in [
            ("Dir::Etc::sourcelist", "/dev/null".to_owned()),
            ("Dir::Etc::sourceparts", at("parts")),
            ("Dir::State::lists", at("lists")),
            ("Dir::Cache::archives", at("archives")),
            ("Dir::Cache::pkgcache", String::new()),
            ("Dir::Cache::srcpkgcache", String::new()),
        ] {
            apt.arg("-o").arg(format!("{option}={value}"));
        }
        apt
    }

    /// Names of the packages that hold the suite's kernel.
    pub(crate) fn kernel_packages(&self) -> Result<Vec<String>> {
        let image = self.depends("linux-image-amd64")?;
        let image = image
            .into_iter()
            .find(|name| name.starts_with("linux-image-"))
            .with_context(|| format!("linux-image-amd64 of {} names no kernel", self.suite))?;
        // Newer packages are split: the image is a shell around the two that hold the files.
        let parts: Vec<String> = self
            .depends(&image)?
            .into_iter()
            .filter(|name| name.starts_with("linux-binary-") || name.starts_with("linux-modules-"))
            .collect();
        Ok(if parts.is_empty() { vec![image] } else { parts })
    }

    fn depends(&self, package: &str) -> Result<Vec<String>> {
        let text = command::capture(self.command("apt-cache").args(["depends", package]))
            .with_context(|| format!("asking for {package} of {}", self.suite))?;
        Ok(text.lines().filter_map(dependency).map(str::to_owned).collect())
    }

    /// Downloads packages and unpacks them below `into`. Nothing is installed.
    pub(crate) fn unpack(&self, packages: &[String], into: &Path) -> Result<()> {
        let downloads = self.directory.path().join("archives");
        let mut download = self.command("apt-get");
        download.arg("-q").arg("download").args(packages).current_dir(&downloads);
        command::capture(&mut download).context("downloading the kernel")?;
        for entry in fs::read_dir(&downloads).context("reading what was downloaded")? {
            let path = entry.context("reading what was downloaded")?.path();
            if path.extension().is_some_and(|end| end == "deb") {
                command::run(program("dpkg").arg("-x").arg(&path).arg(into))?;
            }
        }
        Ok(())
    }
}

/// Lets another user in, who must not write.
fn open_to_all(directory: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).context("opening apt's directory")
}

/// The package of a line like `  Depends: linux-image-6.1.0-50-amd64`.
fn dependency(line: &str) -> Option<&str> {
    let name = line.trim().trim_start_matches('|').strip_prefix("Depends: ")?;
    (!name.starts_with('<')).then_some(name)
}

/// The machine's own apt, which asks nothing.
pub(crate) fn apt() -> Command {
    let mut command = program("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("-q");
    command
}

/// Whether there is an emulator that has what the tests need.
pub(crate) fn has_qemu() -> bool {
    let igb = command::capture(program("qemu-system-x86_64").args(["-device", "igb,help"]));
    igb.is_ok_and(|text| text.contains("igb options"))
}

/// Whether the emulator comes from a suite beside the machine's own.
pub(crate) fn qemu_is_elsewhere() -> bool {
    release("VERSION_CODENAME").as_deref() == Some(QEMU_SUITE_OF)
}

/// Installs the emulator from the suite that has it.
pub(crate) fn install_qemu() -> Result<()> {
    ui::note(&format!("installing {QEMU} of {QEMU_SUITE}"));
    let apt = Apt::of(QEMU_SUITE)?;
    // What it depends on comes from the machine's own sources.
    for own in sources() {
        let name = own.file_name().context("a source without a name")?;
        let copy = apt.directory.path().join("parts").join(name);
        fs::copy(&own, &copy).with_context(|| format!("copying {}", own.display()))?;
    }
    command::capture(apt.command("apt-get").args(["-q", "update"]))?;
    let mut install = apt.command("apt-get");
    install.args(["-q", "install", "-y", "--no-install-recommends", "-t", QEMU_SUITE, QEMU]);
    command::run(&mut install)
}

/// The machine's own files of sources.
fn sources() -> Vec<PathBuf> {
    let parts = fs::read_dir(PARTS).into_iter().flatten().flatten().map(|entry| entry.path());
    [PathBuf::from(LISTS)]
        .into_iter()
        .chain(parts)
        .filter(|path| path.extension().is_some_and(|end| end == "list" || end == "sources"))
        .filter(|path| path.is_file())
        .collect()
}

/// Where the machine gets Debian from.
#[derive(Debug, PartialEq, Eq)]
struct Source {
    uris: String,
    signed_by: Option<String>,
}

impl Source {
    fn with_suite(&self, suite: &str) -> String {
        let signed = self.signed_by.as_ref().map(|key| format!("Signed-By: {key}\n")).unwrap_or_default();
        format!("Types: deb\nURIs: {}\nSuites: {suite}\nComponents: main\n{signed}", self.uris)
    }
}

fn configured() -> Result<Source> {
    let suite = codename()?;
    for path in sources() {
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let deb822 = path.extension().is_some_and(|end| end == "sources");
        let found = if deb822 { stanzas(&text, &suite) } else { lines(&text, &suite) };
        if let Some(source) = found {
            return Ok(source);
        }
    }
    bail!(
        "no source in {LISTS} or {PARTS} has Debian's suite {suite}, from which the other suites would follow"
    )
}

/// The suite that this machine runs.
fn codename() -> Result<String> {
    match (release("ID").as_deref(), release("VERSION_CODENAME")) {
        (Some("debian"), Some(codename)) => Ok(codename),
        (id, _) => bail!(
            "the kernels come as Debian packages and this is {}: run it in a Debian 12 container or machine",
            id.unwrap_or("an unknown system")
        ),
    }
}

/// Whether kernels can be had here at all.
pub(crate) fn is_debian() -> bool {
    release("ID").as_deref() == Some("debian")
}

/// Whether packages have Ubuntu's names.
pub(crate) fn is_ubuntu() -> bool {
    release("ID").as_deref() == Some("ubuntu")
}

/// What this system says of itself under a name (os-release(5)).
fn release(name: &str) -> Option<String> {
    let text = fs::read_to_string("/etc/os-release").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    line.map(|value| value.trim_matches('"').to_owned())
}

/// A source in the format of `sources.list.d/*.sources` (deb822).
fn stanzas(text: &str, suite: &str) -> Option<Source> {
    text.split("\n\n").find_map(|stanza| {
        let field = |name: &str| {
            let line = stanza.lines().find(|line| line.to_ascii_lowercase().starts_with(name))?;
            line.split_once(':').map(|(_, value)| value.trim())
        };
        let binary = field("types:")?.split_whitespace().any(|kind| kind == "deb");
        let has = field("suites:")?.split_whitespace().any(|one| one == suite);
        let enabled = field("enabled:") != Some("no");
        (binary && has && enabled).then(|| {
            Some(Source {
                uris: field("uris:")?.to_owned(),
                signed_by: field("signed-by:").filter(|key| !key.is_empty()).map(str::to_owned),
            })
        })?
    })
}

/// A source in the one-line format of `sources.list`.
fn lines(text: &str, suite: &str) -> Option<Source> {
    text.lines().find_map(|line| {
        let rest = line.trim().strip_prefix("deb ")?.trim_start();
        let (options, rest) = match rest.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => ("", rest),
        };
        let mut words = rest.split_whitespace();
        let (uri, one) = (words.next()?, words.next()?);
        let signed = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
        (one == suite).then(|| Source { uris: uri.to_owned(), signed_by: signed.map(str::to_owned) })
    })
}

/// Where fetched kernels are kept: outside the repository.
pub(crate) fn cache() -> PathBuf {
    let set = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || env::home_dir().map(|home| home.join(".cache"));
    set.or_else(home).unwrap_or_else(|| PathBuf::from("/var/cache")).join("overlay-probe/kernels")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_follows_from_both_formats() {
        let stanza = "Types: deb-src\nURIs: x\nSuites: bookworm\n\n\
            Types: deb\n# old\nURIs: mirror/debian\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: /k.gpg\n\n\
            Types: deb\nURIs: other\nSuites: bookworm-security\n";
        let source = stanzas(stanza, "bookworm").unwrap();
        assert_eq!(source, Source { uris: "mirror/debian".to_owned(), signed_by: Some("/k.gpg".to_owned()) });
        assert_eq!(
            source.with_suite("bullseye"),
            "Types: deb\nURIs: mirror/debian\nSuites: bullseye\nComponents: main\nSigned-By: /k.gpg\n"
        );
        assert_eq!(stanzas(stanza, "trixie"), None);

        let line = "# deb no bookworm main\ndeb-src no bookworm main\n\
            deb [arch=amd64 signed-by=/k.gpg] mirror/debian bookworm main contrib\n";
        assert_eq!(lines(line, "bookworm"), Some(source));
        let plain = lines("deb mirror/debian bookworm main", "bookworm").unwrap();
        assert_eq!(plain.signed_by, None);
        assert!(!plain.with_suite("bullseye").contains("Signed-By"));
        assert_eq!(lines("deb mirror bookworm-updates main", "bookworm"), None);
    }

    #[test]
    fn dependencies_are_read() {
        let text = "linux-image-amd64\n  Depends: linux-base\n |Depends: <dracut>\n  Depends: linux-image-7.3.4+deb13-amd64\n";
        let found: Vec<&str> = text.lines().filter_map(dependency).collect();
        assert_eq!(found, ["linux-base", "linux-image-7.3.4+deb13-amd64"]);
    }
}
