//! The kernel's file systems. There is no other: the root is the initrd, in memory.

use std::path::Path;

use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};

use crate::journal::Journal;

/// One file system and where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mount {
    /// Its type, and its source's name.
    pub kind: &'static str,
    /// Where, without the leading slash.
    pub target: &'static str,
    /// Options, besides the flags.
    pub options: Option<&'static std::ffi::CStr>,
    /// Whether device nodes count in it.
    pub devices: bool,
}

const fn of(kind: &'static str, target: &'static str) -> Mount {
    Mount { kind, target, options: None, devices: false }
}

/// What is mounted before modules are loaded.
pub const EARLY: [Mount; 5] = [
    of("proc", "proc"),
    of("sysfs", "sys"),
    Mount { options: Some(c"mode=0755,size=1m"), devices: true, ..of("devtmpfs", "dev") },
    Mount { options: Some(c"mode=0755,size=16m"), ..of("tmpfs", "run") },
    Mount { options: Some(c"mode=1777,size=64m"), ..of("tmpfs", "tmp") },
];

/// What is mounted after: configfs is a module of Debian's kernel.
pub const LATE: [Mount; 2] = [of("configfs", "sys/kernel/config"), of("securityfs", "sys/kernel/security")];

/// Mounts them under `root`, in order. A file system that the kernel does not know, or that is mounted already,
/// is said and passed over: what needs it will say so.
pub fn mount_all(root: &Path, mounts: &[Mount], journal: &Journal) {
    for Mount { kind, target, options, devices } in mounts {
        let path = root.join(target);
        // The kernel makes these below /sys itself; at the root they may be missing from an initrd.
        let _ = std::fs::create_dir(&path);
        let mut flags = MountFlags::NOSUID | MountFlags::NOEXEC;
        if !devices {
            flags |= MountFlags::NODEV;
        }
        match mount(*kind, &path, *kind, flags, *options) {
            Ok(()) | Err(Errno::BUSY) => {}
            Err(error) => journal.line(&format!("mount: {kind} on /{target}: {error}")),
        }
    }
}
