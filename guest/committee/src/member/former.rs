//! Disks of former starts, once nobody needs them.

use std::path::Path;

/// Removes the Raft logs of former starts. A member's every start has a file of its own; without this they would fill the disk.
pub(crate) fn clear(folder: &Path, epoch: u64, node: u64) {
    let own = format!("raft-{epoch}-{node}.log");
    let Ok(files) = std::fs::read_dir(folder) else { return };
    for file in files.flatten() {
        let name = file.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_log = name.starts_with("raft-") && Path::new(name).extension().is_some_and(|e| e == "log");
        if is_log && name != own {
            match std::fs::remove_file(file.path()) {
                Ok(()) => tracing::info!(name, "a former start's log is removed"),
                Err(error) => tracing::warn!(name, %error, "a former start's log is not removed"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_other_logs_go() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["raft-0-3.log", "raft-1-9.log", "promise.json", "raft-x.txt"] {
            std::fs::write(folder.path().join(name), b"").unwrap();
        }
        clear(folder.path(), 1, 9);
        let mut left: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|f| f.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["promise.json", "raft-1-9.log", "raft-x.txt"]);
    }
}
