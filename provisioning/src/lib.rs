//! Machines: local QEMU, bare metal, clouds.
