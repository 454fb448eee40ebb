//! The initrd: all of the guest's user space.
//!
//! | path | what |
//! | --- | --- |
//! | `/init` | the guest binary, PID 1 |
//! | `/modules/order` | file names, one a line, in the order in which they load |
//! | `/modules/NAME.ko` | a kernel module with its signature |
//! | `/proc`, `/sys`, `/dev`, `/run`, `/tmp` | empty, mounted over by `/init` |
//!
//! It is not compressed: its hash is then the hash of what the kernel unpacks, without a compressor's version in
//! between, and unpacking costs a copy. (The compressed size matters little: a third of the image is the kernel,
//! which is compressed already.)

use crate::{
    cpio::{CpioError, Tree},
    module::Module,
};

/// Builds the initrd from the guest binary and its modules in load order.
///
/// # Errors
/// When two modules have one name, or a file is too large for the format.
pub fn initrd(guest: &[u8], modules: &[Module]) -> Result<Vec<u8>, CpioError> {
    let mut tree = Tree::new();
    tree.file("init", 0o755, guest.to_vec())?;
    for mount_point in ["dev", "proc", "run", "sys"] {
        tree.folder(mount_point, 0o755)?;
    }
    tree.folder("tmp", 0o1777)?;
    tree.folder("modules", 0o755)?;
    let mut order = String::new();
    for module in modules {
        let file = format!("{}.ko", module.name());
        order.push_str(&file);
        order.push('\n');
        tree.file(&format!("modules/{file}"), 0o644, module.bytes().to_vec())?;
    }
    tree.file("modules/order", 0o644, order.into_bytes())?;
    Ok(tree.archive())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::tests::elf;

    #[test]
    fn the_order_file_names_the_modules() {
        let modules: Vec<_> = ["zeta", "alpha"].iter().map(|n| Module::parse(&elf(n, "")).unwrap()).collect();
        let archive = initrd(b"guest", &modules).unwrap();
        let text = String::from_utf8_lossy(&archive);
        assert!(text.contains("modules/order\0zeta.ko\nalpha.ko\n\0"));
        for path in ["init\0", "dev\0", "proc\0", "run\0", "sys\0", "tmp\0", "modules/zeta.ko\0"] {
            assert!(text.contains(path), "{path}");
        }
        let twice = [modules[0].clone(), modules[0].clone()];
        assert!(matches!(initrd(b"guest", &twice), Err(CpioError::Twice(_))));
    }
}
