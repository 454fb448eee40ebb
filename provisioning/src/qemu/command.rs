//! QEMU's command line for one machine.
//!
//! Everything that the guest can see is spelled out (no defaults, no user configuration, fixed PCI
//! addresses), because it reaches the measurements or the boot options. The rest is as tight as works.

use std::ffi::OsString;
use std::net::SocketAddrV4;

use crate::accelerator::Accelerator;
use crate::media::{Disk, Firmware, Writes};
use crate::path::{AbsolutePath, SocketPath};
use crate::shape::Shape;

/// A port of this host that leads to a port of the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forward {
    /// Where this host listens.
    pub host: SocketAddrV4,
    /// TCP port in the guest.
    pub guest: u16,
}

/// Whether a guest reaches anything but the forwarded ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outside {
    /// Neither this host nor its networks. DHCP answers, without router or name server.
    #[default]
    Unreachable,
    /// Whatever this host reaches.
    Reachable,
}

/// A network card behind QEMU's own NAT (no privileges, no interface on this host).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Ports of this host that lead in.
    pub forwards: Vec<Forward>,
    /// What leads out.
    pub outside: Outside,
}

/// I/O port through which a guest may end QEMU with a status; only for our own probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DebugExit(pub(crate) u16);

/// A machine as QEMU is asked for it. Build it, then take [`arguments`](Self::arguments).
#[derive(Debug, Clone)]
pub struct Machine {
    accelerator: Accelerator,
    shape: Shape,
    firmware: Firmware,
    console: AbsolutePath,
    disk: Option<Disk>,
    network: Option<Network>,
    tpm: Option<SocketPath>,
    control: Option<SocketPath>,
    debug_exit: Option<DebugExit>,
}

impl Machine {
    /// A machine with a firmware, a random number generator, and a serial port whose output is written to
    /// the file `console`, from its beginning.
    #[must_use]
    pub fn new(accelerator: Accelerator, shape: Shape, firmware: Firmware, console: AbsolutePath) -> Self {
        Self {
            accelerator,
            shape,
            firmware,
            console,
            disk: None,
            network: None,
            tpm: None,
            control: None,
            debug_exit: None,
        }
    }

    /// With a virtio disk, the only thing to boot from.
    #[must_use]
    pub fn disk(mut self, disk: Disk) -> Self {
        self.disk = Some(disk);
        self
    }

    /// With a virtio network card.
    #[must_use]
    pub fn network(mut self, network: Network) -> Self {
        self.network = Some(network);
        self
    }

    /// With a TPM 2.0 (CRB interface), which is the swtpm that listens on this control socket.
    #[must_use]
    pub fn tpm(mut self, control: SocketPath) -> Self {
        self.tpm = Some(control);
        self
    }

    /// With a QMP socket, which QEMU makes and listens on.
    #[must_use]
    pub fn control(mut self, qmp: SocketPath) -> Self {
        self.control = Some(qmp);
        self
    }

    pub(crate) fn debug_exit(mut self, exit: DebugExit) -> Self {
        self.debug_exit = Some(exit);
        self
    }

    /// What comes after QEMU's name on the command line.
    #[must_use]
    pub fn arguments(&self) -> Vec<OsString> {
        let mut line = Line::default();
        line.flag("-no-user-config").flag("-nodefaults").flag("-no-reboot");
        line.pair("-display", "none");
        // Nothing that QEMU does for such a machine needs another program or more rights.
        line.pair("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
        // System management mode is off: the firmware measures the same without it, and TDX has none.
        line.pair("-machine", "q35,smm=off");
        line.pair("-accel", self.accelerator.name()).pair("-cpu", self.accelerator.cpu());
        line.pair("-smp", &format!("{n},sockets=1,cores={n},threads=1", n = self.shape.vcpus()));
        line.pair("-m", &format!("{}M", self.shape.memory_mib()));
        line.flag("-bios").raw(self.firmware.path().as_ref().to_owned());
        line.option("-chardev", "file,id=console,", &self.console.qemu_option("path"), "");
        line.pair("-serial", "chardev:console");
        self.devices(&mut line);
        line.0
    }

    fn devices(&self, line: &mut Line) {
        if let Some(disk) = &self.disk {
            let writes = match disk.writes() {
                Writes::Refused => ",readonly=on",
                Writes::Discarded => ",snapshot=on",
            };
            line.option("-drive", "if=none,id=disk,format=raw,", &disk.path().qemu_option("file"), writes);
            line.pair("-device", "virtio-blk-pci,drive=disk,addr=0x1,bootindex=0");
        }
        if let Some(network) = &self.network {
            line.pair("-netdev", &network.option());
            // No option ROM: a machine that could boot from the network would have more boot options.
            line.pair("-device", "virtio-net-pci,netdev=net,addr=0x2,romfile=");
        }
        line.pair("-object", "rng-builtin,id=rng").pair("-device", "virtio-rng-pci,rng=rng,addr=0x3");
        if let Some(tpm) = &self.tpm {
            line.option("-chardev", "socket,id=swtpm,", &tpm.as_absolute().qemu_option("path"), "");
            line.pair("-tpmdev", "emulator,id=tpm,chardev=swtpm").pair("-device", "tpm-crb,tpmdev=tpm");
        }
        if let Some(qmp) = &self.control {
            line.option(
                "-chardev",
                "socket,id=qmp,",
                &qmp.as_absolute().qemu_option("path"),
                ",server=on,wait=off",
            );
            line.pair("-mon", "chardev=qmp,mode=control");
        }
        if let Some(DebugExit(port)) = self.debug_exit {
            line.pair("-device", &format!("isa-debug-exit,iobase={port:#x},iosize=0x1"));
        }
    }
}

impl Network {
    fn option(&self) -> String {
        let restrict = match self.outside {
            Outside::Unreachable => "on",
            Outside::Reachable => "off",
        };
        let mut option = format!("user,id=net,ipv6=off,restrict={restrict}");
        for Forward { host, guest } in &self.forwards {
            option.push_str(&format!(",hostfwd=tcp:{}:{}-:{guest}", host.ip(), host.port()));
        }
        option
    }
}

#[derive(Default)]
struct Line(Vec<OsString>);

impl Line {
    fn raw(&mut self, argument: OsString) -> &mut Self {
        self.0.push(argument);
        self
    }

    fn flag(&mut self, name: &str) -> &mut Self {
        self.raw(name.into())
    }

    fn pair(&mut self, name: &str, value: &str) -> &mut Self {
        self.flag(name).raw(value.into())
    }

    fn option(&mut self, name: &str, before: &str, path: &OsString, after: &str) -> &mut Self {
        let mut value = OsString::from(before);
        value.push(path);
        value.push(after);
        self.flag(name).raw(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::path::Path;

    fn firmware(folder: &Path) -> Firmware {
        let path = folder.join("OVMF.fd");
        std::fs::File::create(&path).unwrap().set_len(4 << 20).unwrap();
        Firmware::open(&path).unwrap()
    }

    fn disk(folder: &Path, name: &str, writes: Writes) -> Disk {
        let path = folder.join(name);
        std::fs::File::create(&path).unwrap().set_len(512).unwrap();
        Disk::open(&path, writes).unwrap()
    }

    /// The arguments with the test's folder as `DIR`, one a line, values behind their option.
    fn shown(machine: &Machine, folder: &Path) -> String {
        let mut text = String::new();
        for argument in machine.arguments() {
            let argument = argument.into_string().unwrap();
            text.push(if argument.starts_with('-') { '\n' } else { ' ' });
            text.push_str(&argument.replace(folder.to_str().unwrap(), "DIR"));
        }
        text
    }

    #[test]
    fn the_whole_machine() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().canonicalize().unwrap();
        let console = AbsolutePath::new("/run/console.log").unwrap();
        let machine = Machine::new(Accelerator::Tcg, Shape::default(), firmware(&folder), console)
            .disk(disk(&folder, "disk.raw", Writes::Refused))
            .network(Network {
                forwards: vec![Forward { host: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 40123), guest: 8080 }],
                outside: Outside::Unreachable,
            })
            .tpm(SocketPath::new("/run/tpm").unwrap())
            .control(SocketPath::new("/run/qmp").unwrap());
        let golden = "
-no-user-config
-nodefaults
-no-reboot
-display none
-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
-machine q35,smm=off
-accel tcg
-cpu max
-smp 1,sockets=1,cores=1,threads=1
-m 1024M
-bios DIR/OVMF.fd
-chardev file,id=console,path=/run/console.log
-serial chardev:console
-drive if=none,id=disk,format=raw,file=DIR/disk.raw,readonly=on
-device virtio-blk-pci,drive=disk,addr=0x1,bootindex=0
-netdev user,id=net,ipv6=off,restrict=on,hostfwd=tcp:127.0.0.1:40123-:8080
-device virtio-net-pci,netdev=net,addr=0x2,romfile=
-object rng-builtin,id=rng
-device virtio-rng-pci,rng=rng,addr=0x3
-chardev socket,id=swtpm,path=/run/tpm
-tpmdev emulator,id=tpm,chardev=swtpm
-device tpm-crb,tpmdev=tpm
-chardev socket,id=qmp,path=/run/qmp,server=on,wait=off
-mon chardev=qmp,mode=control";
        assert_eq!(shown(&machine, &folder), golden);
    }

    #[test]
    fn the_least_machine() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().canonicalize().unwrap();
        let console = AbsolutePath::new("/run/console.log").unwrap();
        let machine =
            Machine::new(Accelerator::Kvm, Shape::new(2048, 4).unwrap(), firmware(&folder), console)
                .debug_exit(DebugExit(0xf4));
        let golden = "
-no-user-config
-nodefaults
-no-reboot
-display none
-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
-machine q35,smm=off
-accel kvm
-cpu host
-smp 4,sockets=1,cores=4,threads=1
-m 2048M
-bios DIR/OVMF.fd
-chardev file,id=console,path=/run/console.log
-serial chardev:console
-object rng-builtin,id=rng
-device virtio-rng-pci,rng=rng,addr=0x3
-device isa-debug-exit,iobase=0xf4,iosize=0x1";
        assert_eq!(shown(&machine, &folder), golden);
    }

    #[test]
    fn writes_and_reach_are_options_and_a_path_cannot_add_one() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().canonicalize().unwrap();
        let console = AbsolutePath::new("/run/a,append=on").unwrap();
        let machine = Machine::new(Accelerator::Tcg, Shape::default(), firmware(&folder), console)
            .disk(disk(&folder, "disk,readonly=off", Writes::Discarded))
            .network(Network { forwards: Vec::new(), outside: Outside::Reachable });
        let line = shown(&machine, &folder);
        assert!(line.contains("\n-chardev file,id=console,path=/run/a,,append=on\n"), "{line}");
        assert!(line.contains("format=raw,file=DIR/disk,,readonly=off,snapshot=on\n"), "{line}");
        assert!(line.contains("\n-netdev user,id=net,ipv6=off,restrict=off\n"), "{line}");
        assert!(!line.contains("tpm") && !line.contains("qmp"), "{line}");
    }
}
