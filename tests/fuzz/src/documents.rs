//! Documents of ours that come from outside: release.json and its signatures, policies, lock files, recipes.

use hallmark_image::{Lock, Recipe, release as writer};
use hallmark_ledger::note::Note;
use hallmark_verifier::{Policy, Word, release as reader};

use crate::known::TDX;

/// By the one that writes it and by the one that judges by it, who share no code. The latter is the stricter one.
pub(crate) fn release(data: &[u8]) {
    let judged = reader::Release::parse(data);
    match writer::Release::parse(data) {
        Ok(read) => {
            if let Ok(release) = judged {
                assert_eq!((release.name(), release.version()), (&*read.name, &*read.version));
                assert_eq!(release.expected().len(), read.expected.len());
            }
            let written = read.to_json().expect("what was read can be written");
            let again = writer::Release::parse(written.as_bytes()).expect("what was written can be read");
            assert!(again == read);
        }
        Err(error) => assert!(judged.is_err(), "the verifier reads what its writer refuses: {error}"),
    }
    if let Ok(note) = Note::parse(data) {
        let again = Note::parse(note.to_string().as_bytes()).expect("what was written can be read");
        assert!(again == note);
    }
}

/// Policies. None makes evidence from a test root count that does not name the root.
pub(crate) fn policy(data: &[u8]) {
    let Some(policy) = std::str::from_utf8(data).ok().and_then(|text| Policy::parse(text).ok()) else {
        return;
    };
    match TDX.verdict(&TDX.forged.quote, &policy).word() {
        Word::Refused | Word::Undecided => {}
        Word::Simulated => {
            let root = hallmark_forge::simulated_root();
            assert!(policy.tdx.accept && policy.roots.simulated.iter().any(|named| named.0 == root));
        }
        Word::Accepted | Word::Authentic => panic!("a test root counts for more than `simulated`"),
    }
}

/// Lock files and recipes. What they name goes into paths, os-release and the kernel's command line.
pub(crate) fn lock(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(lock) = Lock::parse(text) {
        for package in lock.packages() {
            assert!(!package.file_name().contains('/') && package.pool().split('/').all(|part| part != ".."));
            assert!(!package.pool().starts_with('/'));
            assert!(lock.package(package.role()).is_ok_and(|found| found == package));
        }
    }
    if let Ok(recipe) = Recipe::parse(text) {
        let fields = recipe.os_release();
        assert!(fields.lines().count() == 6 && !fields.contains(['$', '`', '\\']), "{fields}");
        assert!(recipe.command_line().bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        assert!(recipe.modules().iter().all(|module| !module.contains(['/', '.'])));
    }
}
