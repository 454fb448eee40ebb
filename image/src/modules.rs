//! The modules of an image: those that the recipe names, and those they need, in the order in which they load.

use std::collections::{BTreeMap, BTreeSet};

use crate::module::{Module, ModuleError, logical};

/// A kernel's modules as packaged: files by logical name, and the names that are built into the kernel.
#[derive(Debug, Default)]
pub struct Tree {
    files: BTreeMap<String, Vec<u8>>,
    built_in: BTreeSet<String>,
}

impl Tree {
    /// Takes the `.ko` and `.ko.xz` files of a package and the text of `modules.builtin` (a path a line).
    pub fn new(files: BTreeMap<String, Vec<u8>>, modules_builtin: &str) -> Self {
        let stem = |path: &str| {
            let file = path.rsplit('/').next().unwrap_or(path);
            file.strip_suffix(".xz").unwrap_or(file).strip_suffix(".ko").map(logical)
        };
        Self {
            files: files.into_iter().filter_map(|(path, bytes)| Some((stem(&path)?, bytes))).collect(),
            built_in: modules_builtin.lines().filter_map(stem).collect(),
        }
    }

    /// The modules to load for these names, each after what it depends on. Built-in names are left out.
    ///
    /// The order depends on the names' order and the modules' own `depends=` alone.
    ///
    /// # Errors
    /// When a name is neither a file nor built in, a module is broken or built for another kernel than `release`, or
    /// dependencies form a circle.
    pub fn select(&self, names: &[String], release: &str) -> Result<Vec<Module>, ModulesError> {
        let mut chosen = Vec::new();
        for name in names {
            self.visit(name, release, &mut Vec::new(), &mut chosen)?;
        }
        Ok(chosen)
    }

    fn visit(
        &self,
        name: &str,
        release: &str,
        path: &mut Vec<String>,
        chosen: &mut Vec<Module>,
    ) -> Result<(), ModulesError> {
        if self.built_in.contains(name) || chosen.iter().any(|m| m.name() == name) {
            return Ok(());
        }
        if path.iter().any(|p| p == name) {
            return Err(ModulesError::Circle(name.to_owned()));
        }
        let packaged = self.files.get(name).ok_or_else(|| ModulesError::Unknown {
            name: name.to_owned(),
            needed_by: path.last().cloned().unwrap_or_else(|| "the recipe".to_owned()),
        })?;
        let module = Module::parse(packaged)
            .map_err(|source| ModulesError::Module { name: name.to_owned(), source })?;
        if module.name() != name {
            return Err(ModulesError::Name { file: name.to_owned(), name: module.name().to_owned() });
        }
        if module.release() != release {
            return Err(ModulesError::Release {
                name: name.to_owned(),
                got: module.release().to_owned(),
                want: release.to_owned(),
            });
        }
        path.push(name.to_owned());
        for needed in module.depends() {
            self.visit(needed, release, path, chosen)?;
        }
        path.pop();
        chosen.push(module);
        Ok(())
    }
}

/// Why a list of names has no load order.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModulesError {
    /// Neither a file nor built in.
    #[error("kernel module {name}, needed by {needed_by}: neither packaged nor built in")]
    Unknown {
        /// The name.
        name: String,
        /// Who wants it.
        needed_by: String,
    },
    /// A broken file.
    #[error("{name}: {source}")]
    Module {
        /// The name.
        name: String,
        /// What is wrong.
        source: ModuleError,
    },
    /// File name and module name differ.
    #[error("kernel module file {file} holds module {name}")]
    Name {
        /// By the file's name.
        file: String,
        /// By `.modinfo`.
        name: String,
    },
    /// Built for another kernel.
    #[error("kernel module {name} is for kernel {got}, the image has {want}")]
    Release {
        /// The name.
        name: String,
        /// By `vermagic`.
        got: String,
        /// The image's kernel.
        want: String,
    },
    /// A module that needs itself.
    #[error("kernel module {0} depends on itself")]
    Circle(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::tests::elf;

    fn tree(files: &[(&str, &str, &str)]) -> Tree {
        let files = files
            .iter()
            .map(|(file, name, depends)| (format!("usr/lib/modules/x/kernel/{file}.ko"), elf(name, depends)))
            .collect();
        Tree::new(files, "kernel/drivers/virtio/virtio_pci.ko\nkernel/a-b.ko\n")
    }

    fn select(tree: &Tree, names: &[&str]) -> Result<Vec<String>, ModulesError> {
        let names: Vec<_> = names.iter().map(|&n| n.to_owned()).collect();
        Ok(tree.select(&names, "7.2.12-test")?.iter().map(|m| m.name().to_owned()).collect())
    }

    #[test]
    fn what_is_needed_loads_first_and_once() {
        let tree = tree(&[
            ("virtio_net", "virtio_net", "net_failover,virtio_pci"),
            ("net/net-failover", "net_failover", "failover"),
            ("failover", "failover", "a_b"),
            ("sev-guest", "sev_guest", "failover"),
        ]);
        assert_eq!(
            select(&tree, &["sev_guest", "virtio_net", "virtio_pci"]).unwrap(),
            ["failover", "sev_guest", "net_failover", "virtio_net"]
        );
        assert_eq!(select(&tree, &[]).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_cannot_load_is_refused() {
        let tree = tree(&[("a", "a", "b"), ("b", "b", "a"), ("c", "d", ""), ("e", "e", "zzz")]);
        assert!(matches!(select(&tree, &["a"]), Err(ModulesError::Circle(_))));
        assert!(matches!(select(&tree, &["c"]), Err(ModulesError::Name { .. })));
        let error = select(&tree, &["e"]).unwrap_err().to_string();
        assert_eq!(error, "kernel module zzz, needed by e: neither packaged nor built in");
        assert!(matches!(tree.select(&["b".to_owned()], "6.1"), Err(ModulesError::Release { .. })));
    }
}
