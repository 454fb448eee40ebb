//! The guest binary: compiled so that its bytes depend on the source, the lock files and the toolchain alone.
//!
//! What could differ between two machines, and what is done about it:
//!
//! | difference | answer |
//! | --- | --- |
//! | folder of the source, of the target, of cargo's and rustup's homes | `--remap-path-prefix`, and the result is searched for them |
//! | linker and C library | the toolchain's own `rust-lld` and musl; no system C compiler takes part |
//! | compiler version | must be the one that `rust-toolchain.toml` names |
//! | C in a dependency | `-ffile-prefix-map`; which compiler is the Dockerfile's business |
//! | processor | `target-cpu=x86-64` |
//! | job count | one codegen unit (profile `image`) |
//! | user, locale, time zone, clock | the environment is cleared; `SOURCE_DATE_EPOCH` |
//! | feature unification with other crates | `-p hallmark-guest` alone, in a target folder of its own |
//!
//! Not covered: `config.toml` files of cargo above the source folder or in cargo's home can still change a profile.

use std::{
    collections::VecDeque,
    env,
    ffi::{OsStr, OsString},
    fs,
    io::{self, BufRead as _, BufReader},
    num::NonZero,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The package and its binary.
const PACKAGE: &str = "hallmark-guest";
/// The platform it is for.
pub const TARGET: &str = "x86_64-unknown-linux-musl";
/// 1980-01-01, the first moment that all archive formats can say.
const EPOCH: &str = "315532800";

/// Variables that reach cargo from outside: where tools and packages are, never what they make.
const PASSED: [&str; 16] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "CARGO_NET_OFFLINE",
    "CARGO_HTTP_CAINFO",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
];

/// How to build it.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// The workspace's folder.
    pub source: &'a Path,
    /// A target folder that nothing else uses.
    pub target: &'a Path,
    /// What the guest says its version is.
    pub version: &'a str,
    /// Jobs that run at once; as many as there are processors when not given.
    pub jobs: Option<NonZero<u32>>,
}

/// A built guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// A static x86-64 ELF executable.
    pub bytes: Vec<u8>,
    /// `rustc --version`.
    pub toolchain: String,
}

/// Builds the guest. `line` gets what cargo says, line by line.
///
/// # Errors
/// When the toolchain is not the one that the source names, cargo fails, or the result is not static or names a
/// folder of this machine.
pub fn build(options: &Options<'_>, line: &mut dyn FnMut(&str)) -> Result<Guest, GuestError> {
    let place = |path: &Path| {
        fs::canonicalize(path).map_err(|source| GuestError::Folder { path: path.to_owned(), source })
    };
    let source = place(options.source)?;
    fs::create_dir_all(options.target)
        .map_err(|source| GuestError::Folder { path: options.target.to_owned(), source })?;
    let target = place(options.target)?;
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::home_dir().map(|h| h.join(".cargo"))).ok_or(GuestError::NoHome)?;
    fs::create_dir_all(&home).map_err(|source| GuestError::Folder { path: home.clone(), source })?;
    let home = place(&home)?;

    let toolchain = Toolchain::of(&source)?;
    // Packages first, so that the folders they are unpacked to are there to be remapped.
    run(cargo(&source, &home, &["fetch", "--locked", "--target", TARGET]), line)?;
    let mut map =
        vec![(home.clone(), "/cargo".to_owned()), (toolchain.sysroot.clone(), "/toolchain".to_owned())];
    map.push((toolchain.sysroot.join("lib/rustlib/src/rust"), format!("/rustc/{}", toolchain.commit)));
    // The folder below registry/src is named after the registry's address; a mirror's packages are the same.
    if let Ok(folders) = fs::read_dir(home.join("registry/src")) {
        let mut folders: Vec<_> = folders.filter_map(|f| Some(f.ok()?.path())).collect();
        folders.sort();
        map.extend(folders.into_iter().map(|folder| (folder, "/registry".to_owned())));
    }
    map.push((source.clone(), "/source".to_owned()));
    map.push((target.clone(), "/target".to_owned()));

    let jobs = options.jobs.map(|jobs| jobs.to_string());
    let mut arguments = vec!["build", "--locked", "--profile", "image", "--target", TARGET, "-p", PACKAGE];
    if let Some(jobs) = &jobs {
        arguments.extend(["--jobs", jobs]);
    }
    let mut command = cargo(&source, &home, &arguments);
    command
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_ENCODED_RUSTFLAGS", rust_flags(&map))
        .env("CC_SHELL_ESCAPED_FLAGS", "1")
        .env("CFLAGS_x86_64_unknown_linux_musl", c_flags(&map))
        .env("HALLMARK_GUEST_VERSION", options.version);
    run(command, line)?;

    let path = target.join(TARGET).join("image").join(PACKAGE);
    let bytes = fs::read(&path).map_err(|source| GuestError::Folder { path, source })?;
    check(&bytes, &map)?;
    Ok(Guest { bytes, toolchain: toolchain.version })
}

/// A cargo command with nothing of this machine's environment but [`PASSED`].
fn cargo(source: &Path, home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(source);
    clear(&mut command);
    command
        // The path that was remapped, not a link to it.
        .env("CARGO_HOME", home)
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_TERM_COLOR", "never")
        // A wrapper that a config file sets could hand out another machine's objects.
        .env("RUSTC_WRAPPER", "")
        .env("RUSTC_WORKSPACE_WRAPPER", "");
    command
}

fn clear(command: &mut Command) {
    command.env_clear().envs(PASSED.iter().filter_map(|name| Some((name, env::var_os(name)?))));
    command.env("LC_ALL", "C").env("TZ", "UTC").env("SOURCE_DATE_EPOCH", EPOCH);
}

/// Flags apart by 0x1f. Of several remappings that fit, rustc takes the last.
fn rust_flags(map: &[(PathBuf, String)]) -> OsString {
    let mut flags: Vec<OsString> = [
        "-Ctarget-cpu=x86-64",
        "-Ctarget-feature=+crt-static",
        "-Clinker=rust-lld",
        "-Clinker-flavor=ld.lld",
        "-Clink-self-contained=yes",
    ]
    .map(OsString::from)
    .to_vec();
    for (path, name) in map {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(path);
        flag.push("=");
        flag.push(name);
        flags.push(flag);
    }
    flags.join(OsStr::new("\u{1f}"))
}

fn c_flags(map: &[(PathBuf, String)]) -> OsString {
    let mut flags = OsString::from("-march=x86-64 -g0");
    for (path, name) in map {
        flags.push(" -ffile-prefix-map=");
        flags.push(OsStr::from_bytes(&quoted(path)));
        flags.push("=");
        flags.push(name);
    }
    flags
}

/// A path as one word of the shell's language, which the `cc` crate reads when `CC_SHELL_ESCAPED_FLAGS` is set.
fn quoted(path: &Path) -> Vec<u8> {
    let mut word = vec![b'\''];
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'\'' => word.extend(b"'\\''"),
            byte => word.push(byte),
        }
    }
    word.push(b'\'');
    word
}

struct Toolchain {
    version: String,
    commit: String,
    sysroot: PathBuf,
}

impl Toolchain {
    /// The one that runs in the source's folder; it must be the one that the source names.
    fn of(source: &Path) -> Result<Self, GuestError> {
        let ask = |arguments: &[&str]| {
            let mut command = Command::new("rustc");
            command.args(arguments).current_dir(source);
            clear(&mut command);
            let output = command.output().map_err(|source| GuestError::Start { program: "rustc", source })?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                return Err(GuestError::Failed { command: format!("rustc {}", arguments.join(" ")), said });
            }
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let verbose = ask(&["-vV"])?;
        let field = |name: &str| {
            verbose.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default().trim().to_owned()
        };
        let path = source.join("rust-toolchain.toml");
        let wanted = fs::read_to_string(&path).map_err(|source| GuestError::Folder { path, source })?;
        let wanted = toml::from_str::<toml::Table>(&wanted).ok();
        let wanted =
            wanted.as_ref().and_then(|t| t.get("toolchain")?.get("channel")?.as_str()).unwrap_or_default();
        if field("release:") != wanted {
            return Err(GuestError::Toolchain { got: field("release:"), want: wanted.to_owned() });
        }
        let library = ask(&["--print", "target-libdir", "--target", TARGET])?;
        if !Path::new(library.trim()).is_dir() {
            return Err(GuestError::NoTarget);
        }
        Ok(Self {
            version: verbose.lines().next().unwrap_or_default().to_owned(),
            commit: field("commit-hash:"),
            sysroot: PathBuf::from(ask(&["--print", "sysroot"])?.trim()),
        })
    }
}

/// Runs a command and hands on what it says; keeps the last lines for the error.
fn run(mut command: Command, line: &mut dyn FnMut(&str)) -> Result<(), GuestError> {
    const KEPT: usize = 30;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| GuestError::Start { program: "cargo", source })?;
    let mut last = VecDeque::new();
    if let Some(stderr) = child.stderr.take() {
        for said in BufReader::new(stderr).split(b'\n') {
            let said = String::from_utf8_lossy(&said.map_err(GuestError::Read)?).trim_end().to_owned();
            line(&said);
            if last.len() == KEPT {
                last.pop_front();
            }
            last.push_back(said);
        }
    }
    let status = child.wait().map_err(GuestError::Read)?;
    if !status.success() {
        let arguments: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        let said = last.into_iter().collect::<Vec<_>>().join("\n");
        return Err(GuestError::Failed { command: format!("cargo {}", arguments.join(" ")), said });
    }
    Ok(())
}

/// The binary must need no dynamic linker and must not name a folder of this machine.
fn check(bytes: &[u8], map: &[(PathBuf, String)]) -> Result<(), GuestError> {
    if needs_interpreter(bytes) != Some(false) {
        return Err(GuestError::NotStatic);
    }
    for (path, _) in map {
        let name = path.as_os_str().as_encoded_bytes();
        // A source that lies in /source itself, say in a container, is no leak.
        let is_alias = map.iter().any(|(_, alias)| Path::new(alias).starts_with(path));
        if !is_alias && bytes.windows(name.len().max(1)).any(|w| w == name) {
            return Err(GuestError::Leak(path.clone()));
        }
    }
    Ok(())
}

/// Whether an x86-64 ELF file has a `PT_INTERP` (System V gABI, chapter 5); `None` when it is no such file.
fn needs_interpreter(elf: &[u8]) -> Option<bool> {
    const PT_INTERP: u32 = 3;
    if elf.get(..6)? != b"\x7fELF\x02\x01" || elf.get(18..20)? != 62u16.to_le_bytes() {
        return None;
    }
    let table = usize::try_from(u64::from_le_bytes(*elf.get(0x20..)?.first_chunk()?)).ok()?;
    let size = usize::from(u16::from_le_bytes(*elf.get(0x36..)?.first_chunk()?));
    let count = usize::from(u16::from_le_bytes(*elf.get(0x38..)?.first_chunk()?));
    for index in 0..count {
        let header = elf.get(table.checked_add(index.checked_mul(size)?)?..)?;
        if u32::from_le_bytes(*header.first_chunk()?) == PT_INTERP {
            return Some(true);
        }
    }
    Some(false)
}

/// Why there is no guest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuestError {
    /// A folder or file cannot be used.
    #[error("{}: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Cargo's home is not known.
    #[error("cargo's home is not known: set HOME or CARGO_HOME")]
    NoHome,
    /// A program is not there.
    #[error("cannot run {program}: {source}; install Rust with rustup")]
    Start {
        /// Which.
        program: &'static str,
        /// Why.
        source: io::Error,
    },
    /// What a program says cannot be read.
    #[error("cannot read what cargo says: {0}")]
    Read(io::Error),
    /// Another compiler.
    #[error(
        "the compiler is rustc {got}, rust-toolchain.toml names {want:?}; rustup toolchain install {want}"
    )]
    Toolchain {
        /// What there is.
        got: String,
        /// What there must be.
        want: String,
    },
    /// The platform's standard library is missing.
    #[error("the toolchain has no {TARGET}; rustup target add {TARGET}")]
    NoTarget,
    /// A program failed.
    #[error("{command} failed:\n{said}")]
    Failed {
        /// What ran.
        command: String,
        /// Its last lines.
        said: String,
    },
    /// Not a static x86-64 executable.
    #[error("the guest is not a static x86-64 ELF executable")]
    NotStatic,
    /// It could not be built to the same bytes elsewhere.
    #[error("the guest contains the path {}: it would not be the same bytes elsewhere", .0.display())]
    Leak(PathBuf),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(types: &[u32], extra: &[u8]) -> Vec<u8> {
        let mut out = b"\x7fELF\x02\x01\x01".to_vec();
        out.resize(64, 0);
        out[18] = 62;
        out[0x20] = 64;
        out[0x36] = 56;
        out[0x38] = u8::try_from(types.len()).unwrap();
        for kind in types {
            out.extend(kind.to_le_bytes());
            out.extend([0; 52]);
        }
        out.extend(extra);
        out
    }

    #[test]
    fn a_guest_is_static_and_names_no_folder() {
        let map = [
            (PathBuf::from("/home/someone/.cargo"), "/cargo".to_owned()),
            ("/source".into(), "/source".to_owned()),
        ];
        assert!(check(&elf(&[1, 2], b"/cargo/registry /source/x"), &map).is_ok());
        assert!(matches!(check(&elf(&[1, 3], b""), &map), Err(GuestError::NotStatic)));
        assert!(matches!(check(b"#!/bin/sh", &map), Err(GuestError::NotStatic)));
        assert!(matches!(
            check(&elf(&[1], b" /home/someone/.cargo/registry"), &map),
            Err(GuestError::Leak(_))
        ));
        let good = elf(&[1, 2], b"");
        for end in 0..good.len() {
            let _ = needs_interpreter(&good[..end]);
        }
    }

    #[test]
    fn flags_keep_their_order() {
        let map = [(PathBuf::from("/a"), "/1".to_owned()), ("/a/b".into(), "/2".to_owned())];
        let flags = rust_flags(&map).into_string().unwrap();
        assert!(flags.ends_with("\u{1f}--remap-path-prefix=/a=/1\u{1f}--remap-path-prefix=/a/b=/2"));
        let flags = c_flags(&map).into_string().unwrap();
        assert!(flags.ends_with("-ffile-prefix-map='/a'=/1 -ffile-prefix-map='/a/b'=/2"), "{flags}");
        assert_eq!(quoted(Path::new("/it's here")), b"'/it'\\''s here'");
    }
}
