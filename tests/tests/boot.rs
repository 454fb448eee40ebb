//! Our image, built, booted under OVMF with a TPM, and held against its own prediction (DESIGN §5, §6).
//!
//! One base build and boot, shared; three changed images, each still booting. Needs QEMU, swtpm and the musl target:
//! `scripts/test` installs them. `HALLMARK_NO_BOOT=1` leaves these tests out, aloud.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use hallmark_measurement::{Digests, Profile, predict_disk};
use hallmark_tests::{Said, packages, program, root, run};
use hallmark_verifier::event_log::{Bank, EventLog, Kind};
use hallmark_verifier::evidence::Evidence;
use serde_json::Value;

const NONCE: &str = "9bf31c7ff062936a96d3c8bd1f8f2ff3a1f0b6f7d5c9c0e3c1d2b3a495867768";
const OTHER_NONCE: &str = "9bf31c7ff062936a96d3c8bd1f8f2ff3a1f0b6f7d5c9c0e3c1d2b3a495867769";

/// An image that was booted once: its artefacts, and what the machine said.
struct Booted {
    folder: PathBuf,
}

impl Booted {
    fn file(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    /// The verdict on this machine against a release.
    fn verify(&self, release: &str, nonce: &str) -> Said {
        let (evidence, policy) = (self.file("evidence.json"), self.file("policy.toml"));
        run(
            "assay",
            &["verify", &evidence, "--expect", release, "--nonce", nonce, "--policy", &policy, "--json"],
        )
    }
}

fn left_out() -> bool {
    let left_out = std::env::var_os("HALLMARK_NO_BOOT").is_some();
    if left_out {
        println!("skipped: HALLMARK_NO_BOOT");
    }
    left_out
}

fn work() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().join("boots")
}

/// The images, by folder name, and what `mint build` is told of each. The one with another guest comes last: all share
/// one target folder, and the guest is compiled twice, not five times.
const IMAGES: [(&str, &[&str]); 4] = [
    ("base", &[]),
    ("changed-cmdline", &["--command-line", "console=ttyS0,115200 quiet panic=-1"]),
    ("changed-module", &["--without-module", "gve"]),
    ("changed-guest", &["--guest-version", "0.1.0-changed"]),
];

/// Builds all images once, and the base a second time in other surroundings.
fn built(name: &str) -> Booted {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        for (name, options) in IMAGES {
            let out = work().join(name);
            let guest = work().join("guest");
            let mut build =
                vec!["build", "--out", out.to_str().unwrap(), "--target", guest.to_str().unwrap()];
            build.push("--allow-dirty");
            build.extend(options);
            println!("{name}\n{}", run("mint", &build).exits(0).out);
            if name == "base" {
                build_again();
            }
        }
    });
    Booted { folder: work().join(name) }
}

/// Boots a built image, asks it, powers it off.
fn boot(name: &str) -> Booted {
    let booted = built(name);
    let _ = std::fs::remove_dir_all(booted.folder.join("state"));
    let (disk, policy, evidence, state) = (
        booted.file("disk.raw"),
        booted.file("policy.toml"),
        booted.file("evidence.json"),
        booted.file("state"),
    );
    let said = run(
        "mint",
        &[
            "boot",
            &disk,
            "--tpm",
            "--policy",
            &policy,
            "--evidence",
            &evidence,
            "--nonce",
            NONCE,
            "--once",
            "--state",
            &state,
        ],
    )
    .exits(0);
    println!("{name}\n{}", said.out);
    assert!(said.out.contains("off        Guest"), "the guest powers off by its button: {}", said.out);
    booted
}

fn base() -> &'static Booted {
    static BASE: OnceLock<Booted> = OnceLock::new();
    BASE.get_or_init(|| boot("base"))
}

fn check<'a>(verdict: &'a Value, id: &str) -> &'a Value {
    verdict["checks"].as_array().unwrap().iter().find(|c| c["id"] == id).unwrap()
}

#[test]
fn the_machine_is_accepted_under_the_policy_that_was_written() {
    if left_out() {
        return;
    }
    let release = base().file("release.json");
    let verdict = base().verify(&release, NONCE).exits(0).json();
    assert_eq!(verdict["verdict"], "accepted");
    assert_eq!(verdict["trust"], serde_json::json!(["host"]));
    assert_eq!(check(&verdict, "image-mismatch")["result"], "pass");
    let said = run("assay", &["diff", &release, &base().file("evidence.json")]).exits(0);
    assert!(said.out.contains("every event is as predicted"), "{}", said.out);
    let said = run("assay", &["measure", &base().file("disk.raw"), "--release", &release]).exits(0);
    assert!(said.out.contains("tells the truth"), "{}", said.out);

    let stale = base().verify(&release, OTHER_NONCE).exits(1).json();
    assert_eq!(stale["code"], "binding-mismatch");
    let default_policy =
        ["verify", &base().file("evidence.json"), "--expect", &release, "--nonce", NONCE, "--json"];
    let unnamed = run("assay", &default_policy).exits(1).json();
    assert_eq!(unnamed["code"], "layer-accepted");
}

/// The prediction comes from `measurement`, the log from the machine, the PCRs from its TPM's signature.
#[test]
fn the_machine_s_own_log_and_pcrs_equal_the_prediction_event_by_event() {
    if left_out() {
        return;
    }
    let disk = std::fs::read(base().file("disk.raw")).unwrap();
    let predicted = predict_disk(&disk, &Profile::HALLMARK).unwrap().vtpm;
    let bytes = std::fs::read(base().file("evidence.json")).unwrap();
    let Evidence::Vtpm(evidence) = Evidence::parse(&bytes).unwrap() else { panic!("a vTPM's evidence") };
    let log = EventLog::parse(&evidence.enclosed.event_log, Kind::Tcg2).unwrap();
    let mut compared = 0;
    for register in predicted.covered() {
        let logged: Vec<_> = log.extends(register.to_string().parse().unwrap()).collect();
        let due: Vec<_> = predicted.of(*register).collect();
        assert_eq!(logged.len(), due.len(), "{register}: number of events");
        for (event, due) in logged.iter().zip(due) {
            let Digests { sha256, sha384 } = due.digests;
            assert_eq!(
                event.digests.get(Bank::Sha256),
                sha256.as_ref().map(<[u8; 32]>::as_slice),
                "{register} {}",
                due.what
            );
            assert_eq!(
                event.digests.get(Bank::Sha384),
                sha384.as_ref().map(<[u8; 48]>::as_slice),
                "{register} {}",
                due.what
            );
            assert_eq!(event.event_type.to_string(), due.kind.name(), "{register} {}", due.what);
            compared += 1;
        }
    }
    assert!(compared > 25, "{compared} events compared");
    let verdict = base().verify(&base().file("release.json"), NONCE).exits(0).json();
    for (register, value) in predicted.registers() {
        let proven = &verdict["measurements"][register.to_string()];
        assert_eq!(proven["sha256"], hex::encode(value.sha256.unwrap()), "{register}");
        assert_eq!(proven["sha384"], hex::encode(value.sha384.unwrap()), "{register}");
    }
}

/// The changed image boots, is accepted as what it is, and refused as what it is not; `what` is named.
fn refused(name: &str, what: &str) {
    if left_out() {
        return;
    }
    let release = base().file("release.json");
    let changed = boot(name);
    let own = changed.verify(&changed.file("release.json"), NONCE).exits(0).json();
    assert_eq!(own["verdict"], "accepted", "it boots and gives good evidence of itself");
    let verdict = changed.verify(&release, NONCE).exits(1).json();
    assert_eq!(verdict["verdict"], "refused");
    assert_eq!(verdict["code"], "image-mismatch");
    let failed: Vec<_> = verdict["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["result"] == "fail")
        .map(|c| &c["id"])
        .collect();
    assert_eq!(failed, ["image-mismatch"], "nothing else is wrong with it");
    let detail = check(&verdict, "image-mismatch")["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(what), "{what} is named: {detail}");
    let said = run("assay", &["diff", &release, &changed.file("evidence.json")]).exits(1);
    let first = said.out.lines().find(|l| l.starts_with("first:")).unwrap();
    assert!(first.contains(what), "{what} comes first: {}", said.out);
    println!("{first}");
}

#[test]
fn a_changed_guest_is_refused() {
    refused("changed-guest", ".initrd");
}

#[test]
fn a_changed_command_line_is_refused() {
    refused("changed-cmdline", ".cmdline");
}

#[test]
fn a_changed_module_is_refused() {
    refused("changed-module", ".initrd");
}

/// What does not need compiling twice: the same guest, everything else from scratch, in surroundings that differ in
/// folder, user, time zone, umask and jobs. (`assay reproduce` varies the compilation too.)
fn build_again() {
    let again = work().join("again/elsewhere");
    let _ = std::fs::remove_dir_all(&again);
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg("umask 077; exec \"$MINT\" build --out \"$OUT\" --source \"$SOURCE\" --target \"$GUEST\" --allow-dirty --jobs 1")
        .current_dir("/")
        .env("MINT", program("mint"))
        .env("OUT", &again)
        .env("SOURCE", root())
        .env("GUEST", work().join("guest"))
        .env("USER", "somebody-else")
        .env("LOGNAME", "somebody-else")
        .env("TZ", "Pacific/Auckland");
    if let Some(packages) = packages() {
        command.env("HALLMARK_DEB_CACHE", packages);
    }
    assert!(command.status().unwrap().success());
}

#[test]
fn another_folder_user_zone_and_umask_give_the_same_bytes() {
    if left_out() {
        return;
    }
    let first = sums(&built("base").folder);
    assert_eq!(sums(&work().join("again/elsewhere")), first);
    for name in ["hallmark.efi", "disk.raw", "release.json"] {
        assert!(first.contains(name), "{first}");
    }
    for (name, _) in &IMAGES[1..] {
        assert_ne!(sums(&built(name).folder), first, "{name} is another image");
    }
}

fn sums(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("SHA256SUMS")).unwrap()
}

#[test]
fn a_boot_marks_the_release_and_signers_stand_for_it() {
    if left_out() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let release = path("release.json");
    std::fs::copy(base().file("release.json"), &release).unwrap();
    let (evidence, policy) = (base().file("evidence.json"), base().file("policy.toml"));
    let booted = ["release", "booted", &release, "--evidence", &evidence, "--policy", &policy, "--nonce"];
    let wrong = run("mint", &[&booted[..], &[OTHER_NONCE]].concat()).exits(1);
    assert!(wrong.err.contains("binding-mismatch"), "{}", wrong.err);
    let _ = run("mint", &[&booted[..], &[NONCE]].concat()).exits(0);
    let marked: Value = serde_json::from_slice(&std::fs::read(&release).unwrap()).unwrap();
    for entry in marked["expected"].as_array().unwrap() {
        let due = if entry["platform"] == "qemu-vtpm" { "booted-vtpm" } else { "none" };
        for (register, word) in entry["validated"].as_object().unwrap() {
            assert_eq!(word, due, "{} {register}", entry["platform"]);
        }
    }
    assert_eq!(base().verify(&release, NONCE).exits(0).json()["verdict"], "accepted");

    let key = path("alice.key");
    let public = run("mint", &["release", "key", "example.org/alice", &key]).exits(0).out;
    let _ = run("mint", &["release", "sign", &release, "--key", &key]).exits(0);
    let _ = run("mint", &["release", "check", &release, "--signer", public.trim()]).exits(0);
    let stranger = run("mint", &["release", "key", "example.org/bob", &path("bob.key")]).exits(0).out;
    let _ = run("mint", &["release", "check", &release, "--signer", stranger.trim()]).exits(1);
    let text = std::fs::read_to_string(&release).unwrap().replace("\"0.1.0\"", "\"0.1.1\"");
    std::fs::write(&release, text).unwrap();
    let _ = run("mint", &["release", "check", &release, "--signer", public.trim()]).exits(1);
}

#[test]
fn the_demo_boots_the_image_and_refuses_one_flipped_bit() {
    if left_out() {
        return;
    }
    let said = run("mint", &["demo", "--vm", "--image", &built("base").file("")]).exits(0);
    assert!(said.out.lines().all(|l| l.starts_with("SIMULATED  ")), "{}", said.out);
    assert!(said.out.contains("verdict    the machine that booted it: accepted"), "{}", said.out);
    assert!(said.out.contains("verdict    the machine that booted that: refused"), "{}", said.out);
    assert!(said.out.contains("first: pcr11: .initrd"), "{}", said.out);
}
