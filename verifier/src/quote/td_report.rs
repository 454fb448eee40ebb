//! What the TDX module reports about one TD, in the three forms there are.

use super::QuoteError;
use super::cursor::Cursor;

/// What the TDX module reports about one TD. Parsed, not yet believed.
///
/// Intel TDX DCAP Quoting Library API, A.3.2 "TD Quote Body" (TDX 1.0, 584 bytes), A.4 (TDX 1.5, 648 bytes; 1.5ex,
/// 885 bytes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TdReport<'a> {
    /// Security versions of the TDX module when the TD was made: \[0\] its ISVSVN, \[1\] its version, then the
    /// TDX components of the platform.
    pub tee_tcb_svn: &'a [u8; 16],
    /// SHA-384 of the TDX module.
    pub mr_seam: &'a [u8; 48],
    /// SHA-384 of its signer's key; zero for Intel's.
    pub mr_signer_seam: &'a [u8; 48],
    /// The attributes of the TDX module, little endian.
    pub seam_attributes: &'a [u8; 8],
    /// The attributes of the TD, little endian.
    pub td_attributes: &'a [u8; 8],
    /// The extended processor features that the TD may use, little endian.
    pub xfam: &'a [u8; 8],
    /// SHA-384 of the TD's initial contents: the firmware.
    pub mr_td: &'a [u8; 48],
    /// What the owner configured, chosen by the host.
    pub mr_config_id: &'a [u8; 48],
    /// The owner, chosen by the host.
    pub mr_owner: &'a [u8; 48],
    /// The owner's configuration, chosen by the host.
    pub mr_owner_config: &'a [u8; 48],
    /// RTMR0 to RTMR3: SHA-384 chains over what was measured at run time.
    pub rtmr: [&'a [u8; 48]; 4],
    /// 64 bytes that the guest chose.
    pub report_data: &'a [u8; 64],
    /// TDX 1.5 and later.
    pub current: Option<Current<'a>>,
    /// TDX 1.5ex.
    pub service_td: Option<ServiceTd<'a>>,
}

/// What TDX 1.5 adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Current<'a> {
    /// The security versions of the TDX module that runs now, after updates that preserved the TD.
    pub tee_tcb_svn: &'a [u8; 16],
    /// The service TDs bound to this one (a migration TD, say); zero for none.
    pub mr_service_td: &'a [u8; 48],
}

/// What TDX 1.5ex adds of which the verifier makes use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceTd<'a> {
    /// Which VM of a partitioned TD asked; 0 for an unpartitioned one.
    pub vm_id: u8,
    /// The TD's own random id, kept through migration.
    pub td_id: &'a [u8; 32],
    /// Hash of the information on its devices.
    pub device_info: &'a [u8; 48],
    /// The service TDs bound when the TD was made: hash and attributes.
    pub initial: (&'a [u8; 48], &'a [u8; 8]),
    /// The service TDs bound now: hash and attributes.
    pub now: (&'a [u8; 48], &'a [u8; 8]),
}

impl<'a> TdReport<'a> {
    /// Size of a TDX 1.0 body.
    pub const LEN_1_0: usize = 584;
    /// Size of a TDX 1.5 body.
    pub const LEN_1_5: usize = 648;
    /// Size of a TDX 1.5ex body.
    pub const LEN_1_5_EX: usize = 885;

    /// Attributes of the TD as a number.
    #[must_use]
    pub const fn attributes(&self) -> u64 {
        u64::from_le_bytes(*self.td_attributes)
    }

    pub(super) fn read_v10(cursor: &mut Cursor<'a>) -> Result<Self, QuoteError> {
        Ok(Self {
            tee_tcb_svn: cursor.array("TEE_TCB_SVN")?,
            mr_seam: cursor.array("MRSEAM")?,
            mr_signer_seam: cursor.array("MRSIGNERSEAM")?,
            seam_attributes: cursor.array("SEAMATTRIBUTES")?,
            td_attributes: cursor.array("TDATTRIBUTES")?,
            xfam: cursor.array("XFAM")?,
            mr_td: cursor.array("MRTD")?,
            mr_config_id: cursor.array("MRCONFIGID")?,
            mr_owner: cursor.array("MROWNER")?,
            mr_owner_config: cursor.array("MROWNERCONFIG")?,
            rtmr: [
                cursor.array("RTMR0")?,
                cursor.array("RTMR1")?,
                cursor.array("RTMR2")?,
                cursor.array("RTMR3")?,
            ],
            report_data: cursor.array("REPORTDATA")?,
            current: None,
            service_td: None,
        })
    }

    pub(super) fn read_v5(cursor: &mut Cursor<'a>, body_type: u16, size: u32) -> Result<Self, QuoteError> {
        let due = match body_type {
            2 => Self::LEN_1_0,
            3 => Self::LEN_1_5,
            4 => Self::LEN_1_5_EX,
            _ => return Err(QuoteError::BodyType(body_type)),
        };
        if usize::try_from(size) != Ok(due) {
            return Err(QuoteError::BodySize { body_type, got: size, due });
        }
        let mut report = Self::read_v10(cursor)?;
        if body_type >= 3 {
            report.current = Some(Current {
                tee_tcb_svn: cursor.array("TEE_TCB_SVN_2")?,
                mr_service_td: cursor.array("MRSERVICETD")?,
            });
        }
        if body_type == 4 {
            report.service_td = Some(ServiceTd::read(cursor)?);
        }
        Ok(report)
    }
}

impl<'a> ServiceTd<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, QuoteError> {
        let [vm_id] = *cursor.array("VMID")?;
        let td_id = cursor.array("TD id")?;
        let device_info = cursor.array("device information")?;
        let initial = (cursor.array("INIT_SERVTD_HASH")?, cursor.array("INIT_SERVTD_ATTR")?);
        // The platform on which the TD was made: Intel's own verifier does not appraise it, and a TD that
        // was moved here needed the MIGRATABLE attribute, which is refused.
        cursor.array::<16>("INIT_CPUSVN")?;
        cursor.array::<16>("INIT_TEE_TCB_SVN")?;
        cursor.array::<12>("INIT_TEE_FMSPC")?;
        let now = (cursor.array("CUR_SERVTD_HASH")?, cursor.array("CUR_SERVTD_ATTR")?);
        Ok(Self { vm_id, td_id, device_info, initial, now })
    }
}
