//! `assay completions SHELL` and `assay man [COMMAND]`: made from the same tree as the commands themselves.

use clap::CommandFactory as _;

use crate::Cli;
use crate::complaint::Complaint;
use crate::output::Output;

/// For which shell
#[derive(clap::Args)]
#[command(after_help = "Example:
  assay completions bash > ~/.local/share/bash-completion/completions/assay")]
pub(crate) struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

/// Which page
#[derive(clap::Args)]
#[command(after_help = "Examples:
  assay man | man -l -
  assay man verify > assay-verify.1

Exit: 0; 2 where there is no such command.")]
pub(crate) struct Page {
    /// A command of assay; without it, the page about all of them
    command: Option<String>,
}

/// Prints the completions.
pub(crate) fn completions(options: &Completions, out: &mut Output) {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "assay", &mut script);
    out.bytes(&script);
}

/// Prints the page.
pub(crate) fn page(options: &Page, out: &mut Output) -> Result<(), Complaint> {
    let mut tree = Cli::command();
    tree.build();
    let command = match &options.command {
        None => tree,
        Some(name) => tree.find_subcommand(name).cloned().ok_or_else(|| {
            let what = format!("no command is called {name}");
            Complaint::unable(
                "command",
                what,
                "there is no page about it",
                "`assay --help` lists the commands",
            )
        })?,
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(|e| Complaint::unable("output", "cannot write the manual page", e, "report this"))?;
    out.bytes(&page);
    Ok(())
}
