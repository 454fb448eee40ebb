//! Foreign eyes: Go's sumdb reads our folder.

use std::{fs, path::Path, process::Command};

use hallmark_ledger::store::LogDir;

use super::world::World;

const PACKAGE: &str = "/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog";

/// The published folder of a ledger of two levels of tiles, read by Debian's golang.org/x/mod; then the same with a byte changed.
#[test]
fn go_agrees() {
    if !Path::new(PACKAGE).is_dir() || Command::new("go").arg("version").output().is_err() {
        println!("skipped: no go (apt-get install golang-go golang-golang-x-mod-dev)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(3, 2);
    world.user(1300);
    let old = world.checkpoint().checkpoint().clone();
    world.user(700);
    let signed = world.checkpoint();
    let mut log = LogDir::open(folder.path()).unwrap();
    log.append(&world.leaves).unwrap();
    log.set_checkpoint(&signed).unwrap();
    log.publish().unwrap();

    let program = folder.path().join("program");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/tlog.go");
    let go = |arguments: &[&str]| {
        Command::new("go")
            .args(arguments)
            .env("GO111MODULE", "off")
            .env("GOPATH", "/usr/share/gocode")
            .env("GOFLAGS", "")
            .env("GOCACHE", folder.path().join("cache"))
            .output()
            .unwrap()
    };
    let built = go(&["build", "-o", program.to_str().unwrap(), source.to_str().unwrap()]);
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let run = || {
        Command::new(&program)
            .arg(folder.path())
            .arg(world.log.verifier().to_string())
            .args([old.size.to_string(), old.root.to_string()])
            .output()
            .unwrap()
    };
    let output = run();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said, format!("agreed: {} entries, 1 of 4 signatures known\n", signed.checkpoint().size));

    for (file, at) in
        [("tile/entries/003", 700), ("tile/0/002", 7), ("tile/1/000.p/7", 100), ("checkpoint", 30)]
    {
        let path = folder.path().join(file);
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[at] ^= 4;
        fs::write(&path, bad).unwrap();
        assert!(!run().status.success(), "{file}");
        fs::write(&path, good).unwrap();
    }
    assert!(run().status.success());
}
