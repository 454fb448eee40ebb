//! `assay explain SLUG`: a row of the table of checks, in words.

use hallmark_verifier::checks::{self, Check, GROUPS};

use crate::complaint::Complaint;
use crate::output::Output;

/// Which check to explain
#[derive(clap::Args)]
#[command(after_help = "Examples:
  assay explain image-mismatch
  assay explain                # the whole table
  assay explain --markdown > docs/auditors/checks.md

Exit: 0; 2 where no check has that name.")]
pub(crate) struct Options {
    /// The check, as it stands in a report or in `code`; without it, all of them
    slug: Option<String>,
    /// The whole table with its explanations, as a page
    #[arg(long, conflicts_with = "slug")]
    markdown: bool,
}

/// Prints the row, or all of them.
pub(crate) fn run(options: &Options, out: &mut Output) -> Result<(), Complaint> {
    let Some(slug) = &options.slug else {
        if options.markdown {
            page(out);
        } else {
            list(out);
        }
        return Ok(());
    };
    let check = checks::find(slug).ok_or_else(|| {
        Complaint::unable(
            "slug",
            format!("no check is called {slug}"),
            "it is not in the table",
            nearest(slug),
        )
    })?;
    one(check, out);
    Ok(())
}

fn one(check: &Check, out: &mut Output) {
    out.line(check.slug);
    out.line(format_args!("  holds    {}", check.holds));
    out.line(format_args!("  clause   {}", check.clause));
    out.line(format_args!("  why      {}", check.explanation));
    out.line(format_args!("  hint     {}", check.hint));
}

fn list(out: &mut Output) {
    for group in GROUPS {
        out.line(group.name);
        for check in group.checks {
            out.line(format_args!("  {:<24} {}", check.slug, check.holds));
        }
    }
}

fn page(out: &mut Output) {
    out.line("# The checks");
    out.line("");
    out.line(
        "Written by `assay explain --markdown`; a test compares. The `code` of a refusal is the first failed",
    );
    out.line("check in this order.");
    for group in GROUPS {
        out.line("");
        out.line(format_args!("## {}", group.name));
        for check in group.checks {
            for paragraph in [&format!("### `{}`", check.slug), check.holds] {
                out.line("");
                out.line(paragraph);
            }
            out.line("");
            out.line(format_args!("- Clause: {}", check.clause));
            out.line(format_args!("- Why: {}", check.explanation));
            out.line(format_args!("- If it fails: {}", check.hint));
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
