//! `assay` as its users meet it: the program, run on files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

mod assay;
mod audit;
mod checks_page;
mod golden;
mod measure;
mod outputs;
mod real_quotes;
mod reproduce;
mod transcript;
mod verdict_json;

/// Whether what is expected is to be written anew from what comes out (`HALLMARK_BLESS=1`). It changes files of the tests,
/// and nothing that the program does.
fn bless() -> bool {
    std::env::var_os("HALLMARK_BLESS").is_some_and(|value| value == "1")
}
