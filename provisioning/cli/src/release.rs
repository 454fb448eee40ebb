//! `mint release`: reads a release back, and says who stands for it.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use hallmark_image::release::signature::{self, SignatureError};
use hallmark_image::release::{QEMU_VTPM, Release};
use hallmark_image::source::Source;
use hallmark_ledger::note::{Signer, Verifier};
use hallmark_verifier::release::Release as Published;
use hallmark_verifier::verdict::Word;

use crate::complaint::Complaint;
use crate::{measure, verify};

/// What to do with a release
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Read release.json back and print it in short; with artefacts beside it, check their hashes
    #[command(after_help = "Example:\n  mint release show out/release.json")]
    Show {
        /// release.json
        release: PathBuf,
    },
    /// Make a signing key (Ed25519; the file is readable by its owner alone) and print its public half
    #[command(after_help = "Example:\n  mint release key example.org/alice alice.key")]
    Key {
        /// The signer's name, without spaces or plus signs
        name: String,
        /// Where the private half goes; never overwritten
        file: PathBuf,
    },
    /// Add a signature to release.json.sig
    #[command(after_help = "Example:\n  mint release sign out/release.json --key alice.key")]
    Sign {
        /// release.json
        release: PathBuf,
        /// The signer's key file
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Mark the registers that a boot of this image showed to be right as `booted-vtpm`
    #[command(
        after_help = "Example:\n  mint release booted out/release.json --evidence evidence.json --policy policy.toml --nonce $NONCE"
    )]
    Booted(Booted),
    /// Check that all of these signers stand for a release. Exit 1 when one does not
    #[command(
        after_help = "Example:\n  mint release check out/release.json --signer 'example.org/alice+8a6fd2f3+AT...'"
    )]
    Check {
        /// release.json
        release: PathBuf,
        /// Public keys, as `mint release key` printed them
        #[arg(long, value_name = "KEY", required = true)]
        signer: Vec<String>,
    },
}

/// A boot that is to count
#[derive(clap::Args)]
pub(crate) struct Booted {
    /// release.json; it is written anew
    release: PathBuf,
    /// What the booted machine said
    #[arg(long, value_name = "FILE")]
    evidence: PathBuf,
    /// The policy that names its TPM
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// The nonce it was asked with: 64 hex digits
    #[arg(long, value_name = "HEX")]
    nonce: String,
}

/// Does it.
pub(crate) fn run(command: &Command) -> Result<(), Complaint> {
    match command {
        Command::Show { release } => show(release),
        Command::Key { name, file } => key(name, file),
        Command::Sign { release, key } => sign(release, key),
        Command::Booted(options) => booted(options),
        Command::Check { release, signer } => check(release, signer),
    }
}

fn read(path: &Path) -> Result<(Vec<u8>, Release), Complaint> {
    let bytes = fs::read(path).map_err(|e| Complaint::file("read", path, &e))?;
    let malformed = |why: &dyn std::fmt::Display| {
        Complaint::no(
            "release-format",
            format!("{} is no release", path.display()),
            why,
            "see SPECIFICATION.md, section 2",
        )
    };
    let release = Release::parse(&bytes).map_err(|e| malformed(&e))?;
    // The one who checks reads it with other code: what that refuses must not be published.
    Published::parse(&bytes).map_err(|e| malformed(&e))?;
    Ok((bytes, release))
}

fn show(path: &Path) -> Result<(), Complaint> {
    let (_, release) = read(path)?;
    println!("{} {}", release.name, release.version);
    let none = release.source == Source::UNCLAIMED;
    println!(
        "source     {}",
        if none { "none claimed".to_owned() } else { hex::encode(release.source.commit) }
    );
    println!("toolchain  {}", release.toolchain);
    for expected in &release.expected {
        measure::print(expected);
    }
    let mut wrong = Vec::new();
    for artefact in &release.artefacts {
        let file = path.with_file_name(&artefact.name);
        let word = match fs::read(&file) {
            Err(_) => "not here",
            Ok(bytes) if artefact.is(&bytes) => "equal",
            Ok(_) => {
                wrong.push(artefact.name.clone());
                "DIFFERS"
            }
        };
        println!("{:<10} {} {word}", artefact.name, hex::encode(artefact.sha256));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Complaint::no(
        "artefact",
        format!("{} differs from the release", wrong.join(", ")),
        "its hash is another",
        "build again, or fetch it again",
    ))
}

fn key(name: &str, file: &Path) -> Result<(), Complaint> {
    let signer = Signer::generate(name).and_then(|s| s.write(file).map(|()| s)).map_err(|e| {
        Complaint::unable(
            "key",
            "no key was made",
            e,
            "choose a name without spaces and a file that is not there yet",
        )
    })?;
    println!("{}", signer.verifier());
    Ok(())
}

fn signature_file(release: &Path) -> PathBuf {
    let mut name = release.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

fn sign(path: &Path, key: &Path) -> Result<(), Complaint> {
    let (bytes, _) = read(path)?;
    let signer = Signer::read(key).map_err(|e| {
        Complaint::unable("key", "this key cannot sign", e, "make one with `mint release key`")
    })?;
    let verifier = signer.verifier();
    let file = signature_file(path);
    let existing = match fs::read(&file) {
        Ok(old) => Some(old),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => return Err(Complaint::file("read", &file, &e)),
    };
    let note = signature::sign(&bytes, existing.as_deref(), &[signer]).map_err(broken)?;
    fs::write(&file, note.to_string()).map_err(|e| Complaint::file("write", &file, &e))?;
    println!("signed     {} as {verifier}", file.display());
    Ok(())
}

fn check(path: &Path, signers: &[String]) -> Result<(), Complaint> {
    let (bytes, _) = read(path)?;
    let keys = signers.iter().map(|s| Verifier::parse(s)).collect::<Result<Vec<_>, _>>().map_err(|e| {
        Complaint::unable("key", "not a public key", e, "give it as `mint release key` printed it")
    })?;
    let file = signature_file(path);
    let signature = fs::read(&file).map_err(|e| Complaint::file("read", &file, &e))?;
    let signed = signature::verify(&bytes, &signature, &keys).map_err(broken)?;
    for key in &keys {
        println!("{} {key}", if signed.contains(&key) { "signed    " } else { "NOT signed" });
    }
    if signed.len() == keys.len() {
        return Ok(());
    }
    let why = format!("{} of {} do", signed.len(), keys.len());
    Err(Complaint::no("signature", "not all of these signers stand for it", why, "ask the missing ones"))
}

fn broken(why: SignatureError) -> Complaint {
    Complaint::no(
        "signature",
        "the signatures are no good",
        why,
        "fetch both files again; if it stays so, one was changed",
    )
}

/// Only a boot that the verifier accepts says anything; then its registers are the TPM's own.
fn booted(options: &Booted) -> Result<(), Complaint> {
    let (_, mut release) = read(&options.release)?;
    let verdict = verify::evidence(&options.evidence, &options.release, &options.policy, &options.nonce)?;
    if verdict.word() != Word::Accepted {
        let code = verdict.code().unwrap_or("none");
        return Err(Complaint::no(
            "verdict",
            format!("the boot is {}", verdict.word()),
            code,
            "see `assay verify` and `assay diff`",
        ));
    }
    let seen = verify::registers(&verdict);
    release.booted(QEMU_VTPM, &seen).map_err(|e| {
        Complaint::no("release", "the boot does not bear the release out", e, "see `assay diff`")
    })?;
    let document = release
        .to_json()
        .map_err(|e| Complaint::unable("release", "the release cannot be written", e, "report this"))?;
    fs::write(&options.release, document).map_err(|e| Complaint::file("write", &options.release, &e))?;
    println!("validated  {} as booted-vtpm; sign it (again)", options.release.display());
    Ok(())
}
