//! `mint doctor`: which paths are ready on this machine.

use std::process::Command;

use hallmark_image::fetch::Store;
use hallmark_image::lock::Lock;
use hallmark_provisioning::accelerator;
use hallmark_provisioning::doctor;
use hallmark_provisioning::programs::Program;

/// Prints what is there. True when everything that `mint build` and `mint boot` need is.
pub(crate) fn run() -> bool {
    let mut ready = true;
    println!("boot");
    for finding in doctor::examine() {
        ready &= finding.found.is_some();
        println!("  {finding}");
    }
    if let Ok(qemu) = Program::Qemu.locate() {
        let probe = accelerator::probe(&qemu);
        println!("  accelerator: {}: {}", probe.accelerator, probe.reason);
    }
    println!("build");
    for (program, arguments, package) in [
        ("cargo", ["--version"].as_slice(), "rustup, from its own site"),
        ("git", ["--version"].as_slice(), "apt-get install git"),
        ("musl-gcc", ["--version"].as_slice(), "apt-get install musl-tools"),
    ] {
        ready &= says(program, arguments, package);
    }
    ready &= musl_target();
    println!("packages of image/lock.toml");
    ready &= packages();
    println!("clouds\n  none: this version drives local QEMU only");
    ready
}

fn says(program: &str, arguments: &[&str], package: &str) -> bool {
    let output = Command::new(program).args(arguments).output().ok().filter(|o| o.status.success());
    let line = output
        .and_then(|o| String::from_utf8(o.stdout).ok())
        .and_then(|t| t.lines().next().map(str::to_owned));
    println!("  {program}: {}", line.clone().unwrap_or_else(|| format!("missing: {package}")));
    line.is_some()
}

fn musl_target() -> bool {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", "x86_64-unknown-linux-musl"])
        .output();
    let there =
        output.is_ok_and(|o| std::path::Path::new(String::from_utf8_lossy(&o.stdout).trim()).is_dir());
    let say = if there { "installed" } else { "missing: rustup target add x86_64-unknown-linux-musl" };
    println!("  x86_64-unknown-linux-musl: {say}");
    there
}

fn packages() -> bool {
    let (lock, store) = match (Lock::shipped(), Store::of_this_machine(None)) {
        (Ok(lock), Ok(store)) => (lock, store),
        (Err(e), _) => return say_no(&e),
        (_, Err(e)) => return say_no(&e),
    };
    for package in lock.packages() {
        let place = store
            .local(package)
            .map_or_else(|| "to be fetched from apt's mirror".to_owned(), |p| p.display().to_string());
        println!("  {} {}: {place}", package.name(), package.version());
    }
    true
}

fn say_no(why: &dyn std::fmt::Display) -> bool {
    println!("  {why}");
    false
}
