//! Entries have one spelling.

use hallmark_ledger::entry::{Entry, EntryDraft, EntryError, MAX_ENTRY, Submission, is_surface};
use hallmark_ledger::hash::Hash;

fn draft(surface: &str) -> EntryDraft {
    EntryDraft::new(surface, &serde_json::json!({"a": 1})).unwrap()
}

#[test]
fn what_goes_in_comes_out() {
    let submission = Submission { client: [7; 32], nonce: u64::MAX, command: Hash::of("x") };
    let whole = EntryDraft { key: Some("ключ\"".into()), submission: Some(submission), ..draft("keys") };
    let bytes = whole.encode(3).unwrap();
    let entry = Entry::parse(&bytes).unwrap();
    assert_eq!(
        (entry.surface(), entry.key(), entry.seq(), entry.submission(), entry.bytes()),
        ("keys", Some("ключ\""), 3, Some(&submission), &bytes[..])
    );
    assert_eq!(entry.body().get(), r#"{"a":1}"#);
    assert!(!entry.is_system());
    let plain = draft("committee.snapshot").encode(0).unwrap();
    assert_eq!(plain, br#"{"surface":"committee.snapshot","seq":0,"body":{"a":1},"evidence":[]}"#);
    assert!(Entry::parse(&plain).unwrap().is_system());
}

#[test]
fn other_spellings_are_none() {
    for bad in [
        r#"{"surface":"a","seq":0,"body":1,"evidence":[] }"#,
        r#"{"surface":"a","seq":0,"body": 1,"evidence":[]}"#,
        r#"{"seq":0,"surface":"a","body":1,"evidence":[]}"#,
        r#"{"surface":"\u0061","seq":0,"body":1,"evidence":[]}"#,
        r#"{"surface":"a","key":null,"seq":0,"body":1,"evidence":[]}"#,
        r#"{"surface":"a","seq":0,"seq":0,"body":1,"evidence":[]}"#,
        r#"{"surface":"a","seq":0,"body":1,"evidence":[],"more":1}"#,
        r#"{"surface":"a","seq":0,"body":1}"#,
        r#"{"surface":"a","seq":-1,"body":1,"evidence":[]}"#,
        r#"{"surface":"a","seq":1e0,"body":1,"evidence":[]}"#,
        r#"{"surface":"A","seq":0,"body":1,"evidence":[]}"#,
        r#"{"surface":"a","key":"","seq":0,"body":1,"evidence":[]}"#,
        "{\"surface\":\"a\",\"seq\":0,\"body\":[1,\n2],\"evidence\":[]}",
        r#"{"surface":"a","seq":0,"body":1,"evidence":[]}{}"#,
        "",
    ] {
        assert!(Entry::parse(bad.as_bytes()).is_err(), "{bad}");
    }
    // A body is what its machine wrote, blanks within included.
    Entry::parse(br#"{"surface":"a","seq":0,"body":[1, 2],"evidence":[]}"#).unwrap();
}

#[test]
fn limits() {
    let room = MAX_ENTRY - draft("a").encode(0).unwrap().len() + r#"{"a":1}"#.len() - 2;
    EntryDraft::new("a", &"x".repeat(room)).unwrap().encode(0).unwrap();
    let over = EntryDraft::new("a", &"x".repeat(room + 1)).unwrap().encode(0);
    assert!(matches!(over, Err(EntryError::TooLong { got: 65_536 })));
    assert!(matches!(Entry::parse(&vec![b' '; 65_536]), Err(EntryError::TooLong { .. })));
    for good in ["a", "grants-2", "committee.blob", &"a".repeat(64)] {
        assert!(is_surface(good), "{good}");
    }
    for bad in ["", "committee.", "a.b", "A", "a b", "ä", "committee.a.b", &"a".repeat(65)] {
        assert!(!is_surface(bad), "{bad}");
    }
}
