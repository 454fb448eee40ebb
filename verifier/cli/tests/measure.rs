//! `assay measure` on a small disk that the real assembler makes of stand-ins.

use std::collections::BTreeMap;
use std::path::Path;

use hallmark_image::release::{Artefact, Expected, Release, Validation};
use hallmark_image::source::Source;
use hallmark_image::{Image, Parts, assemble, initrd, synthetic};
use serde_json::Value;

use crate::assay::assay;

fn image(guest: &[u8]) -> Image {
    let (stub, kernel) = (synthetic::stub(), synthetic::kernel());
    let parts = Parts {
        stub: &stub,
        kernel: &kernel,
        release: "0-simulated",
        initrd: &initrd::initrd(guest, &[]).unwrap(),
        command_line: "console=ttyS0 simulated",
        os_release: "ID=hallmark\nNAME=SIMULATED\n",
    };
    assemble(&parts).unwrap()
}

/// `disk.raw`, `other-disk.raw` with another guest, `firmware.fd`, `disk-release.json` of the first disk.
pub(crate) fn write_disks(folder: &Path) {
    let (image, other, firmware) = (image(b"SIMULATED"), image(b"SIMULATED other"), synthetic::firmware());
    let release = Release {
        name: "simulated".into(),
        version: "0".into(),
        source: Source::UNCLAIMED,
        artefacts: vec![Artefact::of("disk.raw", &image.disk)],
        lock_sha256: [0; 32],
        toolchain: "SIMULATED".into(),
        builder: "SIMULATED".into(),
        expected: Expected::predict(&image.disk, &firmware, &firmware, &Validation::default()).unwrap(),
        manifest_prehash: None,
        previous: None,
    };
    for (name, bytes) in [
        ("disk.raw", &image.disk),
        ("other-disk.raw", &other.disk),
        ("firmware.fd", &firmware),
        ("disk-release.json", &release.to_json().unwrap().into_bytes()),
    ] {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

/// Each platform's JSON is the release's entry: the two are written by different code.
#[test]
fn json_is_as_the_release_has_it() {
    let folder = tempfile::tempdir().unwrap();
    write_disks(folder.path());
    let release: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("disk-release.json")).unwrap()).unwrap();
    let entries: BTreeMap<&str, &Value> = release["expected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["platform"].as_str().unwrap(), entry))
        .collect();
    assert_eq!(entries.keys().copied().collect::<Vec<_>>(), ["qemu-tdx", "qemu-vtpm", "qemu8-tdx"]);
    for (platform, entry) in entries {
        let mut arguments = vec!["measure", "disk.raw", "--json", "--platform", platform];
        if platform != "qemu-vtpm" {
            arguments.extend(["--firmware", "firmware.fd"]);
        }
        let ran = assay(folder.path(), &arguments);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        let measured: Value = serde_json::from_str(&ran.out).unwrap();
        for field in ["platform", "profile", "registers"] {
            assert_eq!(measured[field], entry[field], "{platform}: {field}");
        }
        let listed = |event: &&Value| entry["registers"].get(event["register"].as_str().unwrap()).is_some();
        let events: Vec<&Value> = measured["events"].as_array().unwrap().iter().filter(listed).collect();
        assert_eq!(events, entry["events"].as_array().unwrap().iter().collect::<Vec<_>>(), "{platform}");
    }
}
