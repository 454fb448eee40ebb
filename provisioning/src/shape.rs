//! How big a machine is.

/// Why a shape is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShapeError {
    /// Memory out of range.
    #[error("{0} MiB of memory: must be from {min} to {max}", min = Shape::MIN_MEMORY_MIB, max = Shape::MAX_MEMORY_MIB)]
    Memory(u32),
    /// Virtual processors out of range.
    #[error("{0} virtual processors: must be from 1 to {max}", max = Shape::MAX_VCPUS)]
    Vcpus(u16),
}

/// Memory and virtual processors. Both reach measurements (the TD HOB, ACPI tables), so they are part of
/// what a machine is, not a tuning knob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    memory_mib: u32,
    vcpus: u16,
}

impl Shape {
    /// Enough for a firmware alone.
    pub const MIN_MEMORY_MIB: u32 = 16;
    /// One TiB.
    pub const MAX_MEMORY_MIB: u32 = 1 << 20;
    /// What q35 takes without x2APIC questions.
    pub const MAX_VCPUS: u16 = 255;

    /// A shape.
    ///
    /// # Errors
    /// When a number is out of range.
    pub const fn new(memory_mib: u32, vcpus: u16) -> Result<Self, ShapeError> {
        if memory_mib < Self::MIN_MEMORY_MIB || memory_mib > Self::MAX_MEMORY_MIB {
            return Err(ShapeError::Memory(memory_mib));
        }
        if vcpus == 0 || vcpus > Self::MAX_VCPUS {
            return Err(ShapeError::Vcpus(vcpus));
        }
        Ok(Self { memory_mib, vcpus })
    }

    /// Memory in MiB.
    #[must_use]
    pub const fn memory_mib(self) -> u32 {
        self.memory_mib
    }

    /// Number of virtual processors.
    #[must_use]
    pub const fn vcpus(self) -> u16 {
        self.vcpus
    }
}

impl Default for Shape {
    /// 1 GiB and one processor: what the image needs, and the fewest threads under emulation.
    fn default() -> Self {
        Self { memory_mib: 1024, vcpus: 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_inclusive() {
        assert!(Shape::new(16, 1).is_ok() && Shape::new(1 << 20, 255).is_ok());
        assert_eq!(Shape::new(15, 1), Err(ShapeError::Memory(15)));
        assert_eq!(Shape::new((1 << 20) + 1, 1), Err(ShapeError::Memory((1 << 20) + 1)));
        assert_eq!(Shape::new(16, 0), Err(ShapeError::Vcpus(0)));
        assert_eq!(Shape::new(16, 256), Err(ShapeError::Vcpus(256)));
    }
}
