//! The TCB: where platform, TDX module and quoting enclave stand, and all of them together.
//!
//! A platform is no better than its worst part: statuses are merged, never replaced by one another.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;

use crate::pck_extension::PckExtension;
use crate::qe_identity::equal_under_mask;
use crate::quote::TdReport;
use crate::tcb_info::{IsvLevel, Level, Module, Standing, TcbInfo};
use crate::time::UnixSeconds;

/// What Intel says of a TCB level (Intel PCS API v4, `tcbStatus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub enum Status {
    /// Nothing to do.
    UpToDate,
    /// Software must harden itself.
    #[serde(rename = "SWHardeningNeeded")]
    SwHardeningNeeded,
    /// The platform must be configured otherwise.
    ConfigurationNeeded,
    /// Both.
    #[serde(rename = "ConfigurationAndSWHardeningNeeded")]
    ConfigurationAndSwHardeningNeeded,
    /// Old, with known faults.
    OutOfDate,
    /// Old, and to be configured otherwise.
    OutOfDateConfigurationNeeded,
    /// Never to be trusted again.
    Revoked,
}

impl Status {
    /// Intel's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::UpToDate => "UpToDate",
            Self::SwHardeningNeeded => "SWHardeningNeeded",
            Self::ConfigurationNeeded => "ConfigurationNeeded",
            Self::ConfigurationAndSwHardeningNeeded => "ConfigurationAndSWHardeningNeeded",
            Self::OutOfDate => "OutOfDate",
            Self::OutOfDateConfigurationNeeded => "OutOfDateConfigurationNeeded",
            Self::Revoked => "Revoked",
        }
    }

    /// Where both stand together: everything that either needs. (Intel's library keeps only OutOfDate and
    /// Revoked of a module or an enclave; this is at least as strict.)
    #[must_use]
    pub const fn merge(self, other: Self) -> Self {
        let (a, b) = (self.needs(), other.needs());
        let (hardening, configuration) = (a.0 || b.0, a.1 || b.1);
        if a.3 || b.3 {
            return Self::Revoked;
        }
        match (a.2 || b.2, configuration, hardening) {
            (true, true, _) => Self::OutOfDateConfigurationNeeded,
            (true, false, _) => Self::OutOfDate,
            (false, true, true) => Self::ConfigurationAndSwHardeningNeeded,
            (false, true, false) => Self::ConfigurationNeeded,
            (false, false, true) => Self::SwHardeningNeeded,
            (false, false, false) => Self::UpToDate,
        }
    }

    /// Hardening, configuration, an update, revocation.
    const fn needs(self) -> (bool, bool, bool, bool) {
        match self {
            Self::UpToDate => (false, false, false, false),
            Self::SwHardeningNeeded => (true, false, false, false),
            Self::ConfigurationNeeded => (false, true, false, false),
            Self::ConfigurationAndSwHardeningNeeded => (true, true, false, false),
            Self::OutOfDate => (false, false, true, false),
            Self::OutOfDateConfigurationNeeded => (false, true, true, false),
            Self::Revoked => (false, false, false, true),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Where platform, TDX module and quoting enclave stand together.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tcb {
    /// The statuses, merged.
    pub status: Status,
    /// The advisories of all.
    pub advisories: BTreeSet<String>,
    /// The oldest of their dates.
    pub date: UnixSeconds,
}

impl Tcb {
    /// Merges what is said of each part.
    #[must_use]
    pub fn merge<'a>(first: &Standing, others: impl IntoIterator<Item = &'a Standing>) -> Self {
        let start = Self {
            status: first.status,
            advisories: first.advisories.iter().cloned().collect(),
            date: first.date,
        };
        others.into_iter().fold(start, |mut tcb, standing| {
            tcb.status = tcb.status.merge(standing.status);
            tcb.advisories.extend(standing.advisories.iter().cloned());
            tcb.date = tcb.date.min(standing.date);
            tcb
        })
    }
}

/// A platform or a TDX module that TCB info does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TcbError {
    /// The platform reaches no level.
    #[error(
        "no TCB level is reached with SGX components {sgx:?}, PCESVN {pce_svn}, {which} {tdx:?} \
         (Intel PCS API v4, TCB info)"
    )]
    NoLevel {
        /// The SGX components of the PCK certificate.
        sgx: [u8; 16],
        /// Its PCESVN.
        pce_svn: u16,
        /// Which of the two TEE_TCB_SVNs.
        which: &'static str,
        /// The TDX components of the TD report.
        tdx: [u8; 16],
    },
    /// TCB info describes no TDX module at all.
    #[error("the TCB info has no tdxModule")]
    NoModule,
    /// TCB info does not know the module's version.
    #[error("the TCB info has no TDX module identity TDX_{0:02x} (TEE_TCB_SVN[1])")]
    UnknownModule(u8),
    /// The module reaches no level.
    #[error("no level of the TDX module's identity is reached with ISVSVN {0} (TEE_TCB_SVN[0])")]
    NoModuleLevel(u8),
    /// Another signer's module.
    #[error("MRSIGNERSEAM is {0}, not the TCB info's")]
    MrSigner(String),
    /// Other attributes.
    #[error("SEAMATTRIBUTES are {got}: {due} under mask {mask}, and zero outside it, are due")]
    Attributes {
        /// The TD report's, hex.
        got: String,
        /// The identity's, hex.
        due: String,
        /// Its mask, hex.
        mask: String,
    },
}

/// The TDX module of a TD: whose it is, and at which level, launch and current one.
///
/// # Errors
/// [`TcbError`], if TCB info does not describe this module, or the module is another.
pub fn module<'a>(
    info: &'a TcbInfo,
    report: &TdReport<'_>,
) -> Result<(Option<&'a IsvLevel>, Option<&'a IsvLevel>), TcbError> {
    let [_, version, ..] = *report.tee_tcb_svn;
    let module = match version {
        0 => info.module.as_ref().ok_or(TcbError::NoModule)?,
        _ => &identity(info, version)?.module,
    };
    check_module(module, report)?;
    let level = module_level(info, report.tee_tcb_svn)?;
    let current = report.current.map(|current| module_level(info, current.tee_tcb_svn));
    Ok((level, current.transpose()?.flatten()))
}

fn identity(info: &TcbInfo, version: u8) -> Result<&crate::tcb_info::ModuleIdentity, TcbError> {
    let id = format!("TDX_{version:02x}");
    let found = info.modules.iter().find(|identity| identity.id.eq_ignore_ascii_case(&id));
    found.ok_or(TcbError::UnknownModule(version))
}

/// A module of version 0 has no identity of its own, and so no level: its SVN is a TDX component.
fn module_level<'a>(info: &'a TcbInfo, svn: &[u8; 16]) -> Result<Option<&'a IsvLevel>, TcbError> {
    let [isv_svn, version, ..] = *svn;
    if version == 0 {
        return Ok(None);
    }
    let mut levels = identity(info, version)?.levels.iter();
    let level = levels.find(|level| level.isv_svn <= u16::from(isv_svn));
    level.map(Some).ok_or(TcbError::NoModuleLevel(isv_svn))
}

fn check_module(module: &Module, report: &TdReport<'_>) -> Result<(), TcbError> {
    if *report.mr_signer_seam != module.mr_signer {
        return Err(TcbError::MrSigner(hex::encode(report.mr_signer_seam)));
    }
    let mask = &module.attributes_mask;
    let outside = report.seam_attributes.iter().zip(mask).any(|(got, mask)| got & !mask != 0);
    if outside || !equal_under_mask(report.seam_attributes, &module.attributes, mask) {
        return Err(TcbError::Attributes {
            got: hex::encode(report.seam_attributes),
            due: hex::encode(module.attributes),
            mask: hex::encode(mask),
        });
    }
    Ok(())
}

/// The platform's level when the TD was made, and the one now (TDX 1.5).
///
/// # Errors
/// [`TcbError::NoLevel`].
pub fn platform<'a>(
    info: &'a TcbInfo,
    pck: &PckExtension,
    report: &TdReport<'_>,
) -> Result<(&'a Level, Option<&'a Level>), TcbError> {
    let launch = level(info, pck, "TEE_TCB_SVN", report.tee_tcb_svn)?;
    let now = report.current.map(|current| level(info, pck, "TEE_TCB_SVN_2", current.tee_tcb_svn));
    Ok((launch, now.transpose()?))
}

/// The highest level that the platform reaches in every component.
fn level<'a>(
    info: &'a TcbInfo,
    pck: &PckExtension,
    which: &'static str,
    tdx: &[u8; 16],
) -> Result<&'a Level, TcbError> {
    // With a module version, components 0 and 1 are the module's ISVSVN and version: its identity judges
    // them (Intel's getTdxTcbStatus).
    let [_, version, ..] = *tdx;
    let from = if version > 0 { 2 } else { 0 };
    let reached = |level: &&Level| {
        let at_least = |have: &[u8], due: &[u8]| have.iter().zip(due).all(|(have, due)| have >= due);
        at_least(&pck.sgx_components, &level.sgx)
            && pck.pce_svn >= level.pce_svn
            && level.tdx.is_some_and(|due| {
                at_least(tdx.get(from..).unwrap_or_default(), due.get(from..).unwrap_or_default())
            })
    };
    info.levels.iter().find(reached).ok_or(TcbError::NoLevel {
        sgx: pck.sgx_components,
        pce_svn: pck.pce_svn,
        which,
        tdx: *tdx,
    })
}

#[cfg(test)]
mod tests;
