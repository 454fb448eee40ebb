//! The Debian mirrors that this machine's apt is set up with.
//!
//! sources.list(5): one-line entries in `sources.list` and `*.list`, deb822 stanzas in `*.sources`. Only where to
//! look is taken from them: what is found there counts by its hash alone, so no signature is checked here.

use std::{fs, io, path::Path};

/// The base addresses, in apt's order, none twice, without a trailing slash.
///
/// `root` is `/` but in tests. A file that is not there is no entry. Entries that are switched off, for sources
/// only, or without the component `main` are left out.
///
/// # Errors
/// When a file is there and cannot be read.
pub fn of_this_machine(root: &Path) -> io::Result<Vec<String>> {
    let apt = root.join("etc/apt");
    let mut mirrors = Vec::new();
    if let Some(text) = read(&apt.join("sources.list"))? {
        mirrors.extend(one_line(&text));
    }
    let mut files = match fs::read_dir(apt.join("sources.list.d")) {
        Ok(dir) => dir.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>()?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(e),
    };
    files.sort();
    for file in files {
        let parse = match file.extension().and_then(|e| e.to_str()) {
            Some("list") => one_line,
            Some("sources") => deb822,
            _ => continue,
        };
        mirrors.extend(read(&file)?.iter().flat_map(|text| parse(text)));
    }
    let mut seen = Vec::new();
    for mirror in mirrors {
        if !seen.contains(&mirror) {
            seen.push(mirror);
        }
    }
    Ok(seen)
}

fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// `deb [options] uri suite component...`
fn one_line(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let Some(rest) = line.trim().strip_prefix("deb").filter(|r| r.starts_with([' ', '\t'])) else {
            continue;
        };
        let rest = rest.trim_start();
        let rest = match rest.strip_prefix('[') {
            Some(options) => options.split_once(']').map_or("", |(_, rest)| rest),
            None => rest,
        };
        let mut words = rest.split_whitespace();
        if let Some(uri) = words.next()
            && words.skip(1).any(|component| component == "main")
        {
            found.push(base(uri));
        }
    }
    found
}

/// Stanzas of `Field: value`, continued by indented lines, apart by empty lines.
fn deb822(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut stanza = Stanza::default();
    let mut field = String::new();
    for line in text.lines().chain([""]) {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            found.extend(std::mem::take(&mut stanza).uris());
            field.clear();
        } else if line.starts_with([' ', '\t']) {
            stanza.add(&field, line);
        } else if let Some((name, value)) = line.split_once(':') {
            field = name.trim().to_ascii_lowercase();
            stanza.add(&field, value);
        }
    }
    found
}

#[derive(Default)]
struct Stanza {
    types: Vec<String>,
    uris: Vec<String>,
    components: Vec<String>,
    disabled: bool,
}

impl Stanza {
    fn add(&mut self, field: &str, value: &str) {
        let words = value.split_whitespace().map(str::to_owned);
        match field {
            "types" => self.types.extend(words),
            "uris" => self.uris.extend(words),
            "components" => self.components.extend(words),
            "enabled" => {
                self.disabled =
                    matches!(value.trim().to_ascii_lowercase().as_str(), "no" | "false" | "0" | "off");
            }
            _ => {}
        }
    }

    fn uris(self) -> Vec<String> {
        let has = |list: &[String], word: &str| list.iter().any(|w| w == word);
        if self.disabled || !has(&self.types, "deb") || !has(&self.components, "main") {
            return Vec::new();
        }
        self.uris.iter().map(|uri| base(uri)).collect()
    }
}

fn base(uri: &str) -> String {
    uri.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_are_read_in_apt_order() {
        let root = tempfile::tempdir().unwrap();
        let apt = root.path().join("etc/apt");
        fs::create_dir_all(apt.join("sources.list.d")).unwrap();
        fs::write(
            apt.join("sources.list"),
            "# deb http://off.example/debian x main\n\
             deb http://one.example/debian/ bookworm main contrib\n\
             deb-src http://src.example/debian bookworm main\n\
             deb [arch=amd64 signed-by=/k] http://two.example/debian bookworm main # why\n\
             deb http://flat.example/ ./\n\
             deb http://contrib.example/ x contrib\ndeb\ndeb [broken\n",
        )
        .unwrap();
        fs::write(
            apt.join("sources.list.d/debian.sources"),
            "Types: deb deb-src\n# a note\nURIs: http://one.example/debian\n https://three.example/debian/\nSuites: bookworm\n\
             Components: main\n\n\nTypes: deb\nURIs: http://no.example\nSuites: x\nComponents: main\nEnabled: no\n\n\
             Types: deb\nURIs: http://node.example/\nSuites: x\nComponents: other",
        )
        .unwrap();
        fs::write(apt.join("sources.list.d/readme.txt"), "deb http://text.example x main\n").unwrap();
        assert_eq!(
            of_this_machine(root.path()).unwrap(),
            ["http://one.example/debian", "http://two.example/debian", "https://three.example/debian"]
        );
    }

    #[test]
    fn a_machine_without_apt_has_no_mirror() {
        assert!(of_this_machine(tempfile::tempdir().unwrap().path()).unwrap().is_empty());
    }
}
