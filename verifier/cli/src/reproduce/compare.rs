//! Artefacts by name and hash, and which of them differ.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use hallmark_verifier::release::Release;

use super::cannot;
use crate::complaint::Complaint;
use crate::input;
use crate::output::Output;

/// SHA-256 in hex of each file, by its path below the folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Hashes(BTreeMap<String, String>);

impl Hashes {
    /// Hashes every file below a folder, which must have one.
    pub(super) fn of_folder(folder: &Path) -> Result<Self, Complaint> {
        let mut hashes = BTreeMap::new();
        let mut folders = vec![PathBuf::new()];
        while let Some(below) = folders.pop() {
            let path = folder.join(&below);
            for entry in fs::read_dir(&path).map_err(|e| cannot("read", &path, &e))? {
                let entry = entry.map_err(|e| cannot("read", &path, &e))?;
                let kind = entry.file_type().map_err(|e| cannot("read", &entry.path(), &e))?;
                let name = below.join(entry.file_name());
                if kind.is_dir() {
                    folders.push(name);
                } else {
                    let hash = input::sha256(&entry.path(), "artefact")?;
                    hashes.insert(name.to_string_lossy().into_owned(), hex::encode(hash));
                }
            }
        }
        if hashes.is_empty() {
            let what = format!("no artefact in {}", folder.display());
            return Err(Complaint::unable(
                "build",
                what,
                "the builder wrote none",
                "its own messages are above",
            ));
        }
        Ok(Self(hashes))
    }

    /// What a release says of its artefacts.
    pub(super) fn of_release(release: &Release) -> Self {
        let artefacts = release.artefacts().iter();
        Self(artefacts.map(|artefact| (artefact.name.clone(), hex::encode(artefact.sha256.0))).collect())
    }

    /// Those that the other has as well.
    pub(super) fn only(&self, other: &Self) -> Self {
        let shared = self.0.iter().filter(|(name, _)| other.0.contains_key(*name));
        Self(shared.map(|(name, hash)| (name.clone(), hash.clone())).collect())
    }
}

/// Says each artefact's hash, and of those that differ both. True when all agree. With the `folders` that the
/// hashes are of, the first byte that differs is named too.
pub(super) fn report(
    left: (&str, &Hashes),
    right: (&str, &Hashes),
    folders: Option<(&Path, &Path)>,
    out: &mut Output<impl io::Write>,
) -> bool {
    let mut same = true;
    let (Hashes(a), Hashes(b)) = (left.1, right.1);
    let names: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
    for name in names {
        let (x, y) = (a.get(name), b.get(name));
        if let Some(hash) = x.filter(|_| x == y) {
            out.line(format_args!("{hash}  {name}"));
            continue;
        }
        let show = |hash: Option<&String>| hash.map_or("absent", String::as_str).to_owned();
        let place = folders
            .and_then(|(one, other)| first_difference(&one.join(name), &other.join(name)).ok().flatten())
            .map(|offset| format!(", first at byte {offset}"))
            .unwrap_or_default();
        let first = if same { "DIFFERS" } else { "differs" };
        out.line(format_args!("{first} {name}{place}: {} {}, {} {}", left.0, show(x), right.0, show(y)));
        same = false;
    }
    same
}

/// The offset of the first byte that differs; the shorter file's length where that is all.
fn first_difference(one: &Path, other: &Path) -> io::Result<Option<u64>> {
    let (mut a, mut b) =
        (BufReader::new(File::open(one)?).bytes(), BufReader::new(File::open(other)?).bytes());
    let mut offset = 0_u64;
    loop {
        match (a.next().transpose()?, b.next().transpose()?) {
            (None, None) => return Ok(None),
            (x, y) if x == y => offset = offset.saturating_add(1),
            _ => return Ok(Some(offset)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{Hashes, report};
    use crate::output::Output;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, contents) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, contents).unwrap();
        }
        folder
    }

    fn compared(one: &Path, other: &Path) -> (bool, String) {
        let mut text = Vec::new();
        let (a, b) = (Hashes::of_folder(one).unwrap(), Hashes::of_folder(other).unwrap());
        let same = report(("one", &a), ("other", &b), Some((one, other)), &mut Output::to(&mut text));
        (same, String::from_utf8(text).unwrap())
    }

    #[test]
    fn equal_folders_are_equal() {
        let files = [("disk.raw", "disk"), ("qemu/qemu.json", "{}")];
        let (same, text) = compared(folder(&files).path(), folder(&files).path());
        assert!(same);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].ends_with("  disk.raw") && lines[1].ends_with("  qemu/qemu.json"), "{text}");
    }

    #[test]
    fn what_differs_is_named_with_its_first_byte() {
        let one = folder(&[("a", "same"), ("b", "0123456789"), ("c", "longer"), ("d", "only here")]);
        let other = folder(&[("a", "same"), ("b", "0123x56789"), ("c", "long"), ("e", "only there")]);
        let (same, text) = compared(one.path(), other.path());
        assert!(!same);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(lines[0].ends_with("  a"), "{text}");
        assert!(lines[1].starts_with("DIFFERS b, first at byte 4: one "), "{text}");
        assert!(lines[2].starts_with("differs c, first at byte 4: one "), "{text}");
        assert!(lines[3].starts_with("differs d: one ") && lines[3].ends_with(", other absent"), "{text}");
        assert!(lines[4].starts_with("differs e: one absent, other "), "{text}");
    }

    #[test]
    fn no_artefact_is_no_agreement() {
        let nothing = folder(&[]);
        assert_eq!(Hashes::of_folder(nothing.path()).unwrap_err().code, 2);
        assert!(Hashes::of_folder(&nothing.path().join("absent")).is_err());
    }

    #[test]
    fn a_release_that_names_more_than_was_built_is_not_reproduced() {
        let built = Hashes::of_folder(folder(&[("a", "x"), ("log", "y")]).path()).unwrap();
        let mut released = built.only(&built);
        released.0.remove("log");
        let agree = |released: &Hashes| {
            report(("release", released), ("build", &built.only(released)), None, &mut Output::to(Vec::new()))
        };
        assert!(agree(&released));
        released.0.insert("azure.vhd".into(), "00".into());
        assert!(!agree(&released));
    }
}
