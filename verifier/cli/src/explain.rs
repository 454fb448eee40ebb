//! `assay explain SLUG`: a row of the table of checks, in words.

use hallmark_verifier::checks::{self, Check, GROUPS};

use crate::complaint::Complaint;

/// Which check to explain
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  assay explain image-mismatch\n  assay explain            # the whole table\n  assay explain --markdown > docs/auditors/checks.md")]
pub(crate) struct Options {
    /// The check, as it stands in a report or in `code`; without it, all of them
    slug: Option<String>,
    /// The whole table with its explanations, as a page
    #[arg(long, conflicts_with = "slug")]
    markdown: bool,
}

/// Prints the row, or all of them.
pub(crate) fn run(options: &Options) -> Result<(), Complaint> {
    let Some(slug) = &options.slug else {
        if options.markdown { page() } else { list() }
        return Ok(());
    };
    let check = checks::find(slug).ok_or_else(|| {
        Complaint::unable("slug", format!("no check is called {slug}"), "it is not in the table", nearest(slug))
    })?;
    one(check);
    Ok(())
}

fn one(check: &Check) {
    println!("{}", check.slug);
    println!("  holds    {}", check.holds);
    println!("  clause   {}", check.clause);
    println!("  why      {}", check.explanation);
    println!("  hint     {}", check.hint);
}

fn list() {
    for group in GROUPS {
        println!("{}", group.name);
        for check in group.checks {
            println!("  {:<24} {}", check.slug, check.holds);
        }
    }
}

fn page() {
    println!("# The checks\n");
    println!("Written by `assay explain --markdown`; a test compares. The `code` of a refusal is the first failed");
    println!("check in this order.");
    for group in GROUPS {
        println!("\n## {}", group.name);
        for check in group.checks {
            println!("\n### `{}`\n\n{}\n", check.slug, check.holds);
            println!("- Clause: {}", check.clause);
            println!("- Why: {}", check.explanation);
            println!("- If it fails: {}", check.hint);
        }
    }
}

/// The slug that shares most of its words with what was typed.
fn nearest(typed: &str) -> String {
    let shared = |slug: &str| typed.split('-').filter(|w| w.len() > 2 && slug.contains(*w)).count();
    match checks::table().max_by_key(|c| shared(c.slug)).filter(|c| shared(c.slug) > 0) {
        Some(check) => format!("did you mean {}? `assay explain` lists all", check.slug),
        None => "`assay explain` lists all".to_owned(),
    }
}
