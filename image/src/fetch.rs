//! Packages by lock entry: from a cache folder, else from a mirror, always checked by size and hash.
//!
//! Order: the cache folder; earlier downloads; the mirrors that this machine's apt uses; a snapshot archive, only
//! when its address is given. Addresses are plain HTTP: what arrives counts by its SHA-256, so TLS would add
//! privacy but no integrity, and a second cryptography stack.

use std::{
    env, fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use sha2::{Digest as _, Sha256};

use crate::{lock::Package, mirror};

/// The bytes of a package whose size and hash are the lock file's. Only [`Store::fetch`] makes one.
#[derive(Debug)]
pub struct Checked {
    bytes: Vec<u8>,
    from: String,
}

impl Checked {
    /// The `.deb`.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where it came from: a path or an address.
    pub fn from(&self) -> &str {
        &self.from
    }
}

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The package's name.
    pub package: &'a str,
    /// Where it is read from.
    pub from: &'a str,
    /// Bytes so far.
    pub done: u64,
    /// Bytes in all, from the lock file.
    pub total: u64,
}

/// Where packages are looked for.
#[derive(Clone, Debug)]
pub struct Store {
    cache: Option<PathBuf>,
    downloads: PathBuf,
    mirrors: Vec<String>,
}

impl Store {
    /// A store with nowhere to look but the two folders. Downloads are kept in the second.
    pub fn new(cache: Option<PathBuf>, downloads: PathBuf) -> Self {
        Self { cache, downloads, mirrors: Vec::new() }
    }

    /// The store of this machine: `cache`, else `HALLMARK_DEB_CACHE`; downloads in `$XDG_CACHE_HOME/hallmark/debs`
    /// (`~/.cache` where that is unset); apt's mirrors.
    ///
    /// # Errors
    /// When apt's configuration cannot be read, or there is no home folder.
    pub fn of_this_machine(cache: Option<&Path>) -> Result<Self, FetchError> {
        let folder = |name| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let downloads = folder("XDG_CACHE_HOME")
            .or_else(|| folder("HOME").map(|home| home.join(".cache")))
            .ok_or(FetchError::NoHome)?
            .join("hallmark/debs");
        let mut store =
            Self::new(cache.map(Path::to_owned).or_else(|| folder("HALLMARK_DEB_CACHE")), downloads);
        store.mirrors = mirror::of_this_machine(Path::new("/")).map_err(FetchError::Apt)?;
        Ok(store)
    }

    /// Adds a base address that is tried last: a snapshot archive's folder, below which `pool/` lies.
    #[must_use]
    pub fn with_archive(mut self, base: &str) -> Self {
        self.mirrors.push(base.trim_end_matches('/').to_owned());
        self
    }

    /// Where a package lies on this machine, if it does. Its hash is checked when it is fetched, not here.
    pub fn local(&self, package: &Package) -> Option<PathBuf> {
        let folders = self.cache.iter().chain([&self.downloads]);
        folders.map(|folder| folder.join(package.file_name())).find(|path| path.is_file())
    }

    /// Gives a package's bytes, checked.
    ///
    /// # Errors
    /// When a file in the cache folder is not the locked one, or nowhere has it; the error lists every place.
    pub fn fetch(
        &self,
        package: &Package,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Checked, FetchError> {
        if let Some(cache) = &self.cache {
            let path = cache.join(package.file_name());
            match read(&path, package) {
                Ok(bytes) => return Ok(Checked { bytes, from: path.display().to_string() }),
                Err(Miss::Absent) => {}
                // A cache that is named on purpose and holds another file is a mistake to hear of.
                Err(Miss::Other(why)) => return Err(FetchError::Cache { path, why }),
            }
        }
        let kept = self.downloads.join(package.file_name());
        if let Ok(bytes) = read(&kept, package) {
            return Ok(Checked { bytes, from: kept.display().to_string() });
        }
        let mut tried = Vec::new();
        for mirror in &self.mirrors {
            let address = format!("{mirror}/{}", package.pool());
            match download(&address, package, progress) {
                Ok(bytes) => {
                    keep(&kept, &bytes).map_err(|source| FetchError::Keep { path: kept.clone(), source })?;
                    return Ok(Checked { bytes, from: address });
                }
                Err(why) => tried.push(format!("{address}: {why}")),
            }
        }
        Err(FetchError::Nowhere { package: package.file_name().to_owned(), tried })
    }
}

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// A file of the cache folder is not the locked one.
    #[error("{}: {why}; remove it, or give another --cache", path.display())]
    Cache {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// No place has it.
    #[error(
        "{package} was found nowhere{}; put the file into a folder and give --cache DIR, or give the address of a \
             snapshot archive",
        list(tried)
    )]
    Nowhere {
        /// The file's name.
        package: String,
        /// Each address and why not.
        tried: Vec<String>,
    },
    /// The download cannot be stored.
    #[error("cannot keep {}: {source}", path.display())]
    Keep {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// apt's sources cannot be read.
    #[error("cannot read apt's sources: {0}; give --cache DIR")]
    Apt(io::Error),
    /// Neither `XDG_CACHE_HOME` nor `HOME`.
    #[error("no folder for downloads: set HOME or XDG_CACHE_HOME")]
    NoHome,
}

fn list(tried: &[String]) -> String {
    if tried.is_empty() {
        " (no cache has it and no mirror is known)".to_owned()
    } else {
        format!(" ({})", tried.join("; "))
    }
}

enum Miss {
    Absent,
    Other(String),
}

fn read(path: &Path, package: &Package) -> Result<Vec<u8>, Miss> {
    let mut file = fs::File::open(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => Miss::Absent,
        _ => Miss::Other(e.to_string()),
    })?;
    let bytes = bounded(&mut file, package, &mut |_| {}).map_err(|e| Miss::Other(e.to_string()))?;
    check(&bytes, package).map_err(Miss::Other)?;
    Ok(bytes)
}

/// Reads one byte more than there should be, never more.
fn bounded(from: &mut dyn io::Read, package: &Package, seen: &mut dyn FnMut(u64)) -> io::Result<Vec<u8>> {
    let mut from = from.take(package.size().saturating_add(1));
    let mut bytes = Vec::new();
    loop {
        // `Take` of a `Take`: chunks, so that progress is seen.
        let count = from.by_ref().take(1 << 20).read_to_end(&mut bytes)?;
        if count == 0 {
            return Ok(bytes);
        }
        seen(bytes.len() as u64);
    }
}

fn check(bytes: &[u8], package: &Package) -> Result<(), String> {
    let size = bytes.len() as u64;
    if size != package.size() {
        let more = if size > package.size() { "more than " } else { "" };
        return Err(format!(
            "size is {more}{}, the lock file says {}",
            size.min(package.size()),
            package.size()
        ));
    }
    let sha256: [u8; 32] = Sha256::digest(bytes).into();
    if sha256 != *package.sha256() {
        return Err(format!(
            "SHA-256 is {}, the lock file says {}",
            hex::encode(sha256),
            hex::encode(package.sha256())
        ));
    }
    Ok(())
}

fn download(
    address: &str,
    package: &Package,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<u8>, String> {
    if !address.starts_with("http://") {
        return Err("only http:// is spoken here (the hash is what counts)".to_owned());
    }
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .timeout_global(Some(Duration::from_secs(1800)))
        .build()
        .into();
    let mut response = agent.get(address).call().map_err(|e| e.to_string())?;
    let mut reader = response.body_mut().as_reader();
    let mut report = |done| {
        progress(Progress { package: package.name(), from: address, done, total: package.size() });
    };
    report(0);
    let bytes = bounded(&mut reader, package, &mut report).map_err(|e| e.to_string())?;
    check(&bytes, package)?;
    Ok(bytes)
}

/// Stores a checked download under its final name in one step, so that no half file is ever found there.
fn keep(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut partial = path.as_os_str().to_owned();
    partial.push(format!(".{}.partial", std::process::id()));
    let partial = PathBuf::from(partial);
    let mut file = fs::File::create(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&partial, path)
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;
    use crate::lock::{Lock, Role, SHIPPED};

    const BODY: &[u8] = b"not really a package";

    fn package(body: &[u8]) -> Package {
        let text = SHIPPED.replace("135912", &body.len().to_string()).replace(
            "390ecdcef9bbb753f51bb6d8f696bdae2f1dbedde7239c49ccb2512f137a8933",
            &hex::encode(Sha256::digest(body)),
        );
        Lock::parse(&text).unwrap().package(Role::Stub).unwrap().clone()
    }

    /// A mirror that answers `count` requests with `status` and `body`.
    fn mirror(count: usize, status: &'static str, body: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/debian/", listener.local_addr().unwrap());
        thread::spawn(move || {
            for stream in listener.incoming().take(count) {
                let mut stream = stream.unwrap();
                let mut request = Vec::new();
                let mut byte = [0];
                while !request.ends_with(b"\r\n\r\n") {
                    stream.read_exact(&mut byte).unwrap();
                    request.extend(byte);
                }
                assert!(request.starts_with(b"GET /debian/pool/main/s/systemd/systemd-boot-efi_"));
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).unwrap();
                let _ = stream.write_all(body);
            }
        });
        address
    }

    #[test]
    fn the_cache_folder_comes_first_and_is_checked() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        fs::create_dir(&cache).unwrap();
        let package = package(BODY);
        let store = Store::new(Some(cache.clone()), folder.path().join("kept"));
        assert!(matches!(store.fetch(&package, &mut |_| {}), Err(FetchError::Nowhere { .. })));
        fs::write(cache.join(package.file_name()), BODY).unwrap();
        assert_eq!(store.fetch(&package, &mut |_| {}).unwrap().bytes(), BODY);
        for wrong in [&b"not really a packagE"[..], b"short", b"not really a package, longer"] {
            fs::write(cache.join(package.file_name()), wrong).unwrap();
            let error = store.fetch(&package, &mut |_| {}).unwrap_err().to_string();
            assert!(error.contains("the lock file says"), "{error}");
        }
    }

    #[test]
    fn a_mirror_is_asked_once_and_the_download_kept() {
        let folder = tempfile::tempdir().unwrap();
        let package = package(BODY);
        let mut seen = Vec::new();
        let store = Store::new(None, folder.path().join("kept")).with_archive(&mirror(1, "200 OK", BODY));
        let got = store.fetch(&package, &mut |p| seen.push((p.done, p.total))).unwrap();
        assert_eq!(got.bytes(), BODY);
        assert!(got.from().starts_with("http://127.0.0.1"));
        assert_eq!(seen, [(0, 20), (20, 20)]);
        // The mirror is gone; the kept copy is not.
        assert_eq!(store.fetch(&package, &mut |_| {}).unwrap().bytes(), BODY);
        // A kept copy that rotted is fetched again, and here cannot be.
        fs::write(folder.path().join("kept").join(package.file_name()), b"rot").unwrap();
        assert!(store.fetch(&package, &mut |_| {}).is_err());
    }

    #[test]
    fn what_a_mirror_says_wrong_is_listed_and_the_next_one_asked() {
        let folder = tempfile::tempdir().unwrap();
        let package = package(BODY);
        let store = Store::new(None, folder.path().join("kept"))
            .with_archive("https://mirror.example/debian")
            .with_archive(&mirror(1, "404 Not Found", b"no"))
            .with_archive(&mirror(1, "200 OK", b"not really a packagE"))
            .with_archive(&mirror(1, "200 OK", b"not really a package and then some more"));
        let error = store.fetch(&package, &mut |_| {}).unwrap_err().to_string();
        for why in ["only http://", "404", "SHA-256 is", "more than 20"] {
            assert!(error.contains(why), "{why}: {error}");
        }
        assert!(!folder.path().join("kept").exists());
    }
}
