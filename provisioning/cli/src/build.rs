//! `mint build`: from source and lock file to the image and its release document.

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use hallmark_image::build::{self, Overrides, Progress, Stage};
use hallmark_image::fetch::Store;

use crate::complaint::Complaint;
use crate::progress;

/// What to build, and where to
#[derive(Args)]
#[command(after_help = "Examples:
  mint build --out out
  mint build --out out --cache ../debs        # packages from a folder, checked by hash
  mint build --out out --allow-dirty          # work in progress: the release names no commit")]
pub(crate) struct Options {
    /// Where hallmark.efi, disk.raw, release.json and SHA256SUMS go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The workspace to build
    #[arg(long, value_name = "DIR", default_value = ".")]
    source: PathBuf,
    /// Folder of Debian packages (checked by hash). Default: HALLMARK_DEB_CACHE, then apt's mirror
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// A snapshot archive to ask last, when the mirror has dropped a version
    #[arg(long, value_name = "URL")]
    snapshot: Option<String>,
    /// Target folder of the guest's compilation
    #[arg(long, value_name = "DIR")]
    target: Option<PathBuf>,
    /// Compiler jobs
    #[arg(long, value_name = "N")]
    jobs: Option<NonZero<u32>>,
    /// Build although the work tree differs from its commit; the release then claims no commit
    #[arg(long)]
    allow_dirty: bool,
    /// Another version of the guest binary; the release then claims no source
    #[arg(long, value_name = "TEXT")]
    guest_version: Option<String>,
    /// Another kernel command line; the release then claims no source
    #[arg(long, value_name = "TEXT")]
    command_line: Option<String>,
    /// Leave out a module of the recipe; the release then claims no source
    #[arg(long, value_name = "NAME")]
    without_module: Vec<String>,
}

/// Builds and says what came out.
pub(crate) fn run(options: &Options) -> Result<(), Complaint> {
    let failed = |e: &dyn std::fmt::Display| {
        Complaint::unable("build", "there is no image", e, "`mint doctor` says what this machine lacks")
    };
    let mut store = Store::of_this_machine(options.cache.as_deref()).map_err(|e| failed(&e))?;
    if let Some(archive) = &options.snapshot {
        store = store.with_archive(archive);
    }
    let mut plan = build::Options::new(&options.source, &options.out, store);
    plan.target.clone_from(&options.target);
    plan.jobs = options.jobs;
    plan.allow_changed = options.allow_dirty;
    plan.overrides = Overrides {
        version: options.guest_version.clone(),
        command_line: options.command_line.clone(),
        without_modules: options.without_module.clone(),
    };
    let mut stages = Stages::default();
    let built = build::build(&plan, &mut |event| stages.hear(event)).map_err(|e| failed(&e))?;
    stages.end();
    for file in &built.files {
        println!("wrote      {}", file.display());
    }
    for artefact in &built.release.artefacts {
        println!("sha256     {} {} ({} bytes)", hex::encode(artefact.sha256), artefact.name, artefact.size);
    }
    Ok(())
}

/// Times the stages of a build as it tells of them.
#[derive(Default)]
struct Stages(Option<(Stage, Instant)>);

impl Stages {
    fn hear(&mut self, event: Progress<'_>) {
        match event {
            Progress::Stage(stage) => {
                self.end();
                self.0 = Some((stage, Instant::now()));
            }
            Progress::Fetch(progress) => progress::download(progress),
            Progress::Cargo(line) => eprintln!("cargo: {line}"),
            _ => {}
        }
    }

    fn end(&mut self) {
        if let Some((stage, since)) = self.0.take() {
            println!("{:<10} {:>6.1} s", stage.as_str(), since.elapsed().as_secs_f64());
        }
    }
}
