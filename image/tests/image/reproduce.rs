//! The same bytes from two places: minutes of compiling, so by hand only.
//!
//! ```text
//! cargo test -p hallmark-image --test image -- --ignored --nocapture two_places_give_the_same_guest
//! ```

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use hallmark_image::guest;

/// Set for the child: source, target and the file to write, apart by newlines.
const TASK: &str = "HALLMARK_TEST_GUEST";

#[test]
#[ignore = "compiles the guest twice; see the top of this file"]
fn two_places_give_the_same_guest() {
    let folder = tempfile::tempdir().unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let folder_of = |name: &str, default: &str| {
        env::var_os(name).map_or_else(|| env::home_dir().unwrap().join(default), PathBuf::from)
    };
    let (cargo_home, rustup_home) = (folder_of("CARGO_HOME", ".cargo"), folder_of("RUSTUP_HOME", ".rustup"));
    let places = [
        ("one", "4", "022", [("TZ", "UTC"), ("LANG", "C"), ("USER", "alice")]),
        (
            "quite another place/below",
            "1",
            "077",
            [("TZ", "Asia/Tokyo"), ("LANG", "tr_TR.UTF-8"), ("USER", "bob")],
        ),
    ];
    // Both copies first: somebody may be editing.
    for (name, ..) in &places {
        copy(&here, &folder.path().join(name).join("source"));
    }
    let mut guests = Vec::new();
    for (name, jobs, umask, vars) in places {
        let place = folder.path().join(name);
        let source = place.join("source");
        // Another home; the packages in it are the same and not fetched again.
        let home = place.join("cargo home");
        fs::create_dir_all(&home).unwrap();
        symlink(cargo_home.join("registry"), home.join("registry")).unwrap();
        let out = place.join("guest");
        let task =
            format!("{}\n{}\n{jobs}\n{}", source.display(), place.join("target").display(), out.display());
        let script = format!("umask {umask} && exec \"$0\" --ignored --exact reproduce::one_guest");
        let status = Command::new("sh")
            .args(["-c", &script])
            .arg(env::current_exe().unwrap())
            .env(TASK, task)
            .env("CARGO_HOME", &home)
            .env("RUSTUP_HOME", &rustup_home)
            .env("RUSTFLAGS", "-Cdebuginfo=2")
            .envs(vars)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        guests.push(fs::read(out).unwrap());
    }
    assert!(guests[0] == guests[1], "the two guests differ");
}

#[test]
#[ignore = "the child of two_places_give_the_same_guest"]
fn one_guest() {
    let Ok(task) = env::var(TASK) else { return };
    let [source, target, jobs, out] = task.split('\n').collect::<Vec<_>>().try_into().unwrap();
    let options = guest::Options {
        source: source.as_ref(),
        target: target.as_ref(),
        version: "0.0.0-reproduce",
        jobs: jobs.parse().ok(),
    };
    let guest = guest::build(&options, &mut |line| eprintln!("{line}")).unwrap();
    fs::write(out, guest.bytes).unwrap();
}

/// Copies what git knows of, or would.
fn copy(from: &Path, to: &Path) {
    let list = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(from)
        .output()
        .unwrap();
    for path in String::from_utf8(list.stdout).unwrap().split('\0').filter(|p| !p.is_empty()) {
        if from.join(path).is_file() {
            fs::create_dir_all(to.join(path).parent().unwrap()).unwrap();
            fs::copy(from.join(path), to.join(path)).unwrap();
        }
    }
}
