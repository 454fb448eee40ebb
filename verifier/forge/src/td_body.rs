//! What a quote says of a TD (Intel TDX DCAP Quoting Library API, A.3.2; `sgx_quote_5.h`).

use sha2::{Digest, Sha384};

/// SEPT_VE_DISABLE in TDATTRIBUTES (Intel TDX Module ABI, "ATTRIBUTES").
pub const SEPT_VE_DISABLE: u64 = 1 << 28;

/// Which body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// TD 1.0, 584 bytes.
    Td10,
    /// TD 1.5, 648 bytes.
    Td15,
    /// TD 1.5ex, 885 bytes.
    Td15Ex,
}

impl Layout {
    /// The body type in a version 5 quote.
    #[must_use]
    pub const fn body_type(self) -> u16 {
        match self {
            Self::Td10 => 2,
            Self::Td15 => 3,
            Self::Td15Ex => 4,
        }
    }
}

/// Every field of all three bodies.
#[derive(Debug, Clone)]
pub struct TdBody {
    /// TEE_TCB_SVN: TDX module SVN, TDX module version, microcode SVN, ...
    pub tee_tcb_svn: [u8; 16],
    /// MRSEAM.
    pub mr_seam: [u8; 48],
    /// MRSIGNERSEAM: zero for Intel's module.
    pub mr_signer_seam: [u8; 48],
    /// SEAMATTRIBUTES.
    pub seam_attributes: u64,
    /// TDATTRIBUTES.
    pub td_attributes: u64,
    /// XFAM.
    pub xfam: u64,
    /// MRTD.
    pub mr_td: [u8; 48],
    /// MRCONFIGID.
    pub mr_config_id: [u8; 48],
    /// MROWNER.
    pub mr_owner: [u8; 48],
    /// MROWNERCONFIG.
    pub mr_owner_config: [u8; 48],
    /// RTMR0 to RTMR3. A case fills in what its log replays to where this is `None`.
    pub rtmr: [Option<[u8; 48]>; 4],
    /// REPORTDATA. A case fills in the binding where this is `None`.
    pub report_data: Option<[u8; 64]>,
    /// TD 1.5: TEE_TCB_SVN of the module that runs now; `None` repeats the first.
    pub tee_tcb_svn2: Option<[u8; 16]>,
    /// TD 1.5: MRSERVICETD.
    pub mr_service_td: [u8; 48],
    /// TD 1.5ex: what follows, 237 bytes.
    pub extended: Extended,
}

/// What a TD 1.5ex body adds.
#[derive(Debug, Clone)]
pub struct Extended {
    /// Index of the VM in a partitioned TD.
    pub vm_id: u8,
    /// TD instance id.
    pub td_id: [u8; 32],
    /// Hash of the device information.
    pub device_info: [u8; 48],
    /// SERVTD_HASH at the TD's creation.
    pub initial_service_td_hash: [u8; 48],
    /// Attributes of the service TD then.
    pub initial_service_td_attributes: [u8; 8],
    /// CPUSVN at the TD's creation.
    pub initial_cpu_svn: [u8; 16],
    /// TEE_TCB_SVN at the TD's creation.
    pub initial_tee_tcb_svn: [u8; 16],
    /// Platform model at the TD's creation.
    pub initial_fmspc: [u8; 12],
    /// SERVTD_HASH now.
    pub current_service_td_hash: [u8; 48],
    /// Attributes of the service TD now.
    pub current_service_td_attributes: [u8; 8],
}

impl Default for Extended {
    fn default() -> Self {
        Self {
            vm_id: 0,
            td_id: [0; 32],
            device_info: [0; 48],
            initial_service_td_hash: [0; 48],
            initial_service_td_attributes: [0; 8],
            initial_cpu_svn: [0; 16],
            initial_tee_tcb_svn: [0; 16],
            initial_fmspc: [0; 12],
            current_service_td_hash: [0; 48],
            current_service_td_attributes: [0; 8],
        }
    }
}

impl Default for TdBody {
    fn default() -> Self {
        Self {
            tee_tcb_svn: [5, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            mr_seam: Sha384::digest("SIMULATED TDX module").into(),
            mr_signer_seam: [0; 48],
            seam_attributes: 0,
            td_attributes: SEPT_VE_DISABLE,
            xfam: 0x0006_02e7,
            mr_td: Sha384::digest("SIMULATED firmware").into(),
            mr_config_id: [0; 48],
            mr_owner: [0; 48],
            mr_owner_config: [0; 48],
            rtmr: [None; 4],
            report_data: None,
            tee_tcb_svn2: None,
            mr_service_td: [0; 48],
            extended: Extended::default(),
        }
    }
}

impl TdBody {
    /// The bytes, with zeros for what is still `None`.
    #[must_use]
    pub fn bytes(&self, layout: Layout) -> Vec<u8> {
        let mut out = [
            &self.tee_tcb_svn[..],
            &self.mr_seam,
            &self.mr_signer_seam,
            &self.seam_attributes.to_le_bytes(),
            &self.td_attributes.to_le_bytes(),
            &self.xfam.to_le_bytes(),
            &self.mr_td,
            &self.mr_config_id,
            &self.mr_owner,
            &self.mr_owner_config,
        ]
        .concat();
        for rtmr in self.rtmr {
            out.extend(rtmr.unwrap_or([0; 48]));
        }
        out.extend(self.report_data.unwrap_or([0; 64]));
        if layout != Layout::Td10 {
            out.extend(self.tee_tcb_svn2.unwrap_or(self.tee_tcb_svn));
            out.extend(self.mr_service_td);
        }
        if layout == Layout::Td15Ex {
            out.extend(self.extended.bytes());
        }
        out
    }
}

impl Extended {
    fn bytes(&self) -> Vec<u8> {
        [
            &[self.vm_id][..],
            &self.td_id,
            &self.device_info,
            &self.initial_service_td_hash,
            &self.initial_service_td_attributes,
            &self.initial_cpu_svn,
            &self.initial_tee_tcb_svn,
            &self.initial_fmspc,
            &self.current_service_td_hash,
            &self.current_service_td_attributes,
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_their_lengths() {
        let body = TdBody::default();
        assert_eq!(body.bytes(Layout::Td10).len(), 584);
        assert_eq!(body.bytes(Layout::Td15).len(), 648);
        assert_eq!(body.bytes(Layout::Td15Ex).len(), 885);
        assert_eq!(&body.bytes(Layout::Td10)[0x88..0xb8], &body.mr_td);
    }
}
