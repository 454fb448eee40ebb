//! From a source folder to the files of a release.

use std::{
    fs, io,
    num::NonZero,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use crate::{
    assemble::{AssembleError, Image, Parts, assemble},
    cpio::CpioError,
    fetch::{self, Store},
    guest::{self, GuestError},
    initrd::initrd,
    inputs::{self, Inputs, InputsError},
    lock::{Lock, LockError},
    modules::ModulesError,
    recipe::{Recipe, RecipeError},
    release::{Artefact, Expected, Release, ReleaseError, Validation},
    source::{Source, SourceError},
};

/// The unified kernel image.
pub const UKI: &str = "hallmark.efi";
/// The disk.
pub const DISK: &str = "disk.raw";
/// The release document.
pub const RELEASE: &str = "release.json";
/// The files' hashes, in the format of sha256sum(1).
pub const SUMS: &str = "SHA256SUMS";

/// How to build.
#[derive(Clone, Debug)]
pub struct Options {
    /// The workspace's folder; `image/lock.toml` and `image/recipe.toml` are read from it.
    pub source: PathBuf,
    /// Where the files go; made when it is not there.
    pub out: PathBuf,
    /// Where packages come from.
    pub store: Store,
    /// Target folder of the guest's build; `target/image` below the source when not given.
    pub target: Option<PathBuf>,
    /// Jobs of the guest's build that run at once.
    pub jobs: Option<NonZero<u32>>,
    /// Build although the work tree is not a commit; the release then claims none.
    pub allow_changed: bool,
    /// What differs from the recipe; the release then claims no source at all.
    pub overrides: Overrides,
    /// Pre-hash of the compute manifest, when there is one.
    pub manifest_prehash: Option<[u8; 32]>,
    /// SHA-256 of the previous release's document, when there is one.
    pub previous: Option<[u8; 32]>,
}

impl Options {
    /// A build of a clean source folder with this machine's packages and nothing special.
    pub fn new(source: impl Into<PathBuf>, out: impl Into<PathBuf>, store: Store) -> Self {
        Self {
            source: source.into(),
            out: out.into(),
            store,
            target: None,
            jobs: None,
            allow_changed: false,
            overrides: Overrides::default(),
            manifest_prehash: None,
            previous: None,
        }
    }
}

/// Differences from the recipe, for tests of what a changed image does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Another version for the guest to say; image and os-release keep the recipe's, so that the initrd alone changes.
    pub version: Option<String>,
    /// Another kernel command line.
    pub command_line: Option<String>,
    /// Modules of the recipe to leave out.
    pub without_modules: Vec<String>,
}

impl Overrides {
    /// The version that the guest is built with.
    fn guest_version(&self, recipe: &Recipe) -> Result<String, RecipeError> {
        match &self.version {
            Some(version) => Ok(recipe.clone().with_version(version)?.version().to_owned()),
            None => Ok(recipe.version().to_owned()),
        }
    }

    fn apply(&self, mut recipe: Recipe) -> Result<Recipe, RecipeError> {
        if let Some(command_line) = &self.command_line {
            recipe = recipe.with_command_line(command_line)?;
        }
        for module in &self.without_modules {
            recipe = recipe.without_module(module)?;
        }
        Ok(recipe)
    }
}

/// What the builder is doing.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// A new stage began.
    Stage(Stage),
    /// A package is coming in.
    Fetch(fetch::Progress<'a>),
    /// Cargo said something.
    Cargo(&'a str),
}

/// The stages of a build, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Packages: fetch, check, unpack.
    Packages,
    /// Compiling the guest.
    Guest,
    /// initrd, UKI, disk.
    Assemble,
    /// Predicting registers, writing the release.
    Release,
}

impl Stage {
    /// A word for progress lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Packages => "packages",
            Self::Guest => "guest",
            Self::Assemble => "assemble",
            Self::Release => "release",
        }
    }
}

/// A finished build.
#[derive(Clone, Debug)]
pub struct Built {
    /// The image's bytes.
    pub image: Image,
    /// The release document, as read back from its file.
    pub release: Release,
    /// The files written, in the order of [`SUMS`].
    pub files: Vec<PathBuf>,
}

/// Builds an image from source and writes UKI, disk, release document and hashes.
///
/// # Errors
/// What went wrong first.
pub fn build(options: &Options, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Built, BuildError> {
    let changed = options.overrides != Overrides::default();
    let source =
        if changed { Source::UNCLAIMED } else { Source::of(&options.source, options.allow_changed)? };
    let lock = Lock::parse(&text(&options.source.join("image/lock.toml"))?)?;
    let recipe = Recipe::parse(&text(&options.source.join("image/recipe.toml"))?)?;
    let recipe = options.overrides.apply(recipe)?;
    let guest_version = options.overrides.guest_version(&recipe)?;

    progress(Progress::Stage(Stage::Packages));
    let inputs = Inputs::read(&options.store, &lock, &mut |p| progress(Progress::Fetch(p)))?;
    let firmware = inputs::firmware(&options.store, &lock, &mut |p| progress(Progress::Fetch(p)))?;
    let firmware_tdx = inputs::firmware_tdx(&options.store, &lock, &mut |p| progress(Progress::Fetch(p)))?;

    progress(Progress::Stage(Stage::Guest));
    let target = options.target.clone().unwrap_or_else(|| options.source.join("target/image"));
    let guest = guest::build(
        &guest::Options {
            source: &options.source,
            target: &target,
            version: &guest_version,
            jobs: options.jobs,
        },
        &mut |line| progress(Progress::Cargo(line)),
    )?;

    progress(Progress::Stage(Stage::Assemble));
    let image = with_guest(&inputs, &recipe, &guest.bytes)?;

    progress(Progress::Stage(Stage::Release));
    let artefacts = [(UKI, &image.uki), (DISK, &image.disk)];
    let release = Release {
        name: recipe.name().to_owned(),
        version: recipe.version().to_owned(),
        source,
        artefacts: artefacts.iter().map(|(name, bytes)| Artefact::of(name, bytes)).collect(),
        lock_sha256: *lock.sha256(),
        toolchain: guest.toolchain,
        builder: "mint build --out DIR".to_owned(),
        expected: Expected::predict(&image.disk, &firmware, &firmware_tdx, &Validation::default())?,
        manifest_prehash: options.manifest_prehash,
        previous: options.previous,
    };
    let (release, files) = write_all(&options.out, &artefacts, &release)?;
    Ok(Built { image, release, files })
}

/// Assembles an image from unpacked packages, a recipe and a guest binary.
///
/// # Errors
/// When a module is missing or broken, or the parts do not fit together.
pub fn with_guest(inputs: &Inputs, recipe: &Recipe, guest: &[u8]) -> Result<Image, BuildError> {
    let modules = inputs.modules.select(recipe.modules(), &inputs.release)?;
    let image = assemble(&Parts {
        stub: &inputs.stub,
        kernel: &inputs.kernel,
        release: &inputs.release,
        initrd: &initrd(guest, &modules)?,
        command_line: recipe.command_line(),
        os_release: &recipe.os_release(),
    })?;
    Ok(image)
}

fn write_all(
    out: &Path,
    artefacts: &[(&str, &Vec<u8>)],
    release: &Release,
) -> Result<(Release, Vec<PathBuf>), BuildError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| BuildError::File { path, source }
    };
    fs::create_dir_all(out).map_err(failed(out))?;
    let document = release.to_json()?;
    let mut sums = String::new();
    let mut files = Vec::new();
    let named = artefacts.iter().map(|(name, bytes)| (*name, bytes.as_slice()));
    for (name, bytes) in named.chain([(RELEASE, document.as_bytes())]) {
        let path = out.join(name);
        write(&path, bytes).map_err(failed(&path))?;
        sums.push_str(&format!("{}  {name}\n", hex::encode(Sha256::digest(bytes))));
        files.push(path);
    }
    let path = out.join(SUMS);
    write(&path, sums.as_bytes()).map_err(failed(&path))?;
    files.push(path);
    // What counts is what a reader will find.
    let path = out.join(RELEASE);
    let read = Release::parse(&fs::read(&path).map_err(failed(&path))?)?;
    if read != *release {
        return Err(BuildError::ReadBack(path));
    }
    Ok((read, files))
}

/// Replaces a file in one step: a reader finds the old one or the new one.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(format!(".{}.partial", std::process::id()));
    fs::write(&partial, bytes)?;
    fs::rename(&partial, path)
}

fn text(path: &Path) -> Result<String, BuildError> {
    fs::read_to_string(path).map_err(|source| BuildError::File { path: path.to_owned(), source })
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The lock file.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The packages.
    #[error(transparent)]
    Inputs(#[from] InputsError),
    /// The guest.
    #[error(transparent)]
    Guest(#[from] GuestError),
    /// The modules.
    #[error(transparent)]
    Modules(#[from] ModulesError),
    /// The initrd.
    #[error(transparent)]
    Initrd(#[from] CpioError),
    /// UKI and disk.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// The release document.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The document on disk is not the one that was written.
    #[error("{} does not read back as it was written", .0.display())]
    ReadBack(PathBuf),
}
