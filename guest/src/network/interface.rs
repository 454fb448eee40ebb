//! Network interfaces as sysfs shows them.

use std::path::Path;

use crate::evidence::bounded;

const CLASS: &str = "sys/class/net";
/// ARPHRD_ETHER.
const ETHERNET: &str = "1";

/// An Ethernet interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name, as the kernel has it.
    pub name: String,
    /// Its number.
    pub index: u32,
    /// Its hardware address.
    pub mac: [u8; 6],
}

/// The Ethernet interfaces that have a device behind them, by index. Interfaces that vanish meanwhile, and ones
/// with odd attributes, are left out.
#[must_use]
pub fn list(root: &Path) -> Vec<Interface> {
    let Ok(entries) = std::fs::read_dir(root.join(CLASS)) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut interfaces: Vec<_> = names.filter_map(|name| read(root, name)).collect();
    interfaces.sort_by_key(|interface| interface.index);
    interfaces
}

fn read(root: &Path, name: String) -> Option<Interface> {
    let folder = root.join(CLASS).join(&name);
    if attribute(&folder, "type")? != ETHERNET || !folder.join("device").exists() {
        return None;
    }
    let mut mac = [0; 6];
    hex::decode_to_slice(attribute(&folder, "address")?.replace(':', ""), &mut mac).ok()?;
    // A physical function that serves as the fast path of another interface (Azure, GCP) has a master.
    if folder.join("master").exists() {
        return None;
    }
    Some(Interface { index: attribute(&folder, "ifindex")?.parse().ok()?, name, mac })
}

/// Whether something is plugged in. Only an interface that is up can tell.
#[must_use]
pub fn has_carrier(root: &Path, interface: &Interface) -> bool {
    attribute(&root.join(CLASS).join(&interface.name), "carrier").as_deref() == Some("1")
}

fn attribute(folder: &Path, name: &str) -> Option<String> {
    let bytes = bounded::read(&folder.join(name), 4096).ok()?;
    Some(String::from_utf8(bytes).ok()?.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(root: &Path, name: &str, index: u32, kind: &str, device: bool, carrier: &str) {
        let folder = root.join(CLASS).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("type"), format!("{kind}\n")).unwrap();
        std::fs::write(folder.join("ifindex"), format!("{index}\n")).unwrap();
        std::fs::write(folder.join("address"), "52:54:00:12:34:56\n").unwrap();
        std::fs::write(folder.join("carrier"), carrier).unwrap();
        if device {
            std::fs::create_dir(folder.join("device")).unwrap();
        }
    }

    #[test]
    fn ethernet_devices_by_index() {
        let root = tempfile::tempdir().unwrap();
        assert!(list(root.path()).is_empty());
        add(root.path(), "lo", 1, "772", false, "1\n");
        add(root.path(), "eth1", 3, "1", true, "1\n");
        add(root.path(), "eth0", 2, "1", true, "0\n");
        add(root.path(), "bridge", 4, "1", false, "1\n");
        add(root.path(), "vf", 5, "1", true, "1\n");
        std::fs::create_dir(root.path().join(CLASS).join("vf/master")).unwrap();
        let found = list(root.path());
        assert_eq!(found.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["eth0", "eth1"]);
        assert_eq!(found[0].mac, [0x52, 0x54, 0, 0x12, 0x34, 0x56]);
        assert!(!has_carrier(root.path(), &found[0]));
        assert!(has_carrier(root.path(), &found[1]));
    }
}
