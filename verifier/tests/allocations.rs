//! What parsing costs in allocations, counted.

use hallmark_verifier::quote::Quote;

use crate::support::vectors;

/// Quotes are borrowed: not one allocation, whatever the version, and none for what is no quote.
#[test]
fn parsing_a_quote_does_not_allocate() {
    let Some(folder) = vectors() else { return };
    let mut sound = 0;
    for entry in std::fs::read_dir(folder.join("tdx-quotes")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "bin") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let ours = allocation_counter::measure(|| sound += usize::from(Quote::parse(&bytes).is_ok()));
        assert_eq!(ours.count_total, 0, "{}", path.display());
        let theirs = allocation_counter::measure(|| drop(dcap_qvl::quote::Quote::parse(&bytes)));
        println!("{}: 0 allocations, dcap-qvl {}", path.display(), theirs.count_total);
    }
    assert!(sound >= 10, "{sound}");
}
