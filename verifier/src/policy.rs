//! What the relying party accepts (SPECIFICATION, section 3).
//!
//! A missing key has its default, and the default is the strictest useful one: [`Policy::default`] is
//! the policy of an empty file. A key that is not known is refused, so that a misspelt restriction cannot
//! become a silent permission.

use serde::Deserialize;

use crate::hex_bytes::HexBytes;
use crate::tcb::Status;
use crate::time::UnixSeconds;

/// The one `format` there is.
pub const FORMAT: &str = "hallmark/policy/1";

/// What a relying party accepts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Policy {
    format: Option<Format>,
    /// Whose signatures count.
    pub roots: Roots,
    /// Intel TDX.
    pub tdx: Tdx,
    /// Intel's collateral.
    pub collateral: CollateralRules,
    /// A plain vTPM.
    pub vtpm: Vtpm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Format {
    #[serde(rename = "hallmark/policy/1")]
    One,
}

/// The roots of trust that count.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Roots {
    /// Intel's pinned SGX Root CA.
    pub intel: bool,
    /// SHA-256 of the SubjectPublicKeyInfo DER of test roots. What holds under one is `simulated`.
    pub simulated: Vec<HexBytes<32>>,
}

/// Rules for a trust domain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Tdx {
    /// Whether the layer counts at all.
    pub accept: bool,
    /// The statuses that count, merged over platform, TDX module and quoting enclave. `Revoked` never
    /// does.
    pub tcb: Vec<Status>,
    /// Advisories that are tolerated, each until its date.
    pub advisories: Vec<Tolerated>,
    /// Whether SEPT_VE_DISABLE must be set.
    pub sept_ve_disable: SeptVeDisable,
    /// When not empty, MRSEAM is one of these.
    pub mr_seam: Vec<HexBytes<48>>,
    /// What MRCONFIGID must be. Unset: zero where an image is expected, and not asked where none is.
    pub mr_config_id: Option<Measured>,
    /// What MROWNER must be. Unset: zero where an image is expected, and not asked where none is.
    pub mr_owner: Option<Measured>,
    /// What MROWNERCONFIG must be. Unset: zero where an image is expected, and not asked where none is.
    pub mr_owner_config: Option<Measured>,
    /// Digests of RTMR0's ACPI events that are known good.
    pub acpi: Vec<HexBytes<48>>,
    /// SHA-256 of the release.json files whose kernel confines AML.
    pub acpi_confined: Vec<HexBytes<32>>,
    /// When not empty, the platform is one of these: `SHA-256("hallmark/platform/1" || PPID || PCEID)`.
    pub platforms: Vec<HexBytes<32>>,
}

/// An advisory that is tolerated for a time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Tolerated {
    /// Its name, such as `INTEL-SA-00960`.
    pub id: String,
    /// The last instant at which it is tolerated.
    pub until: UnixSeconds,
}

/// What the policy wants of SEPT_VE_DISABLE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeptVeDisable {
    /// It is set: the host cannot make the guest take an exception where a page is missing.
    #[default]
    Require,
    /// Either.
    Any,
}

/// What the policy wants of a register that the host or the owner fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// All zero.
    Zero,
    /// Anything.
    Any,
    /// This.
    Exactly(HexBytes<48>),
}

impl<'de> Deserialize<'de> for Measured {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        match &*text {
            "zero" => Ok(Self::Zero),
            "any" => Ok(Self::Any),
            hex => HexBytes::parse(hex).map(Self::Exactly).map_err(|error| {
                serde::de::Error::custom(format!("neither \"zero\" nor \"any\", and {error}"))
            }),
        }
    }
}

/// Rules for Intel's collateral.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct CollateralRules {
    /// How old TCB info, QE identity and the PCK CRL may be, in days from their issue.
    pub max_age_days: u32,
    /// The least `tcbEvaluationDataNumber` of TCB info and of QE identity.
    pub min_tcb_evaluation_data_number: u32,
}

/// Rules for a plain vTPM.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Vtpm {
    /// Whether the layer counts at all. Its trust is the host's.
    pub accept: bool,
    /// TPM Names (`000b` and the SHA-256 of the TPMT_PUBLIC) of the attestation keys that count.
    pub ak: Vec<HexBytes<34>>,
}

impl Default for Roots {
    fn default() -> Self {
        Self { intel: true, simulated: Vec::new() }
    }
}

impl Default for Tdx {
    fn default() -> Self {
        Self {
            accept: true,
            tcb: vec![Status::UpToDate],
            advisories: Vec::new(),
            sept_ve_disable: SeptVeDisable::default(),
            mr_seam: Vec::new(),
            mr_config_id: None,
            mr_owner: None,
            mr_owner_config: None,
            acpi: Vec::new(),
            acpi_confined: Vec::new(),
            platforms: Vec::new(),
        }
    }
}

impl Default for CollateralRules {
    fn default() -> Self {
        Self { max_age_days: 30, min_tcb_evaluation_data_number: 0 }
    }
}

/// A policy file that is not one.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Not TOML, an unknown key, or a value of the wrong form.
    #[error("not a policy (SPECIFICATION, section 3): {0}")]
    Toml(#[from] toml::de::Error),
    /// It does not say that it is a policy of the form we know.
    #[error("no `format = \"{FORMAT}\"`: without it a file for another program could pass as a policy")]
    Format,
    /// `Revoked` in `tdx.tcb`.
    #[error("`tdx.tcb` lists Revoked: no policy makes a revoked platform count")]
    Revoked,
}

impl Policy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// [`PolicyError`] for what is not TOML, names a key that is not known, or has a value of another
    /// form.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let policy: Self = toml::from_str(text)?;
        if policy.format.is_none() {
            return Err(PolicyError::Format);
        }
        if policy.tdx.tcb.contains(&Status::Revoked) {
            return Err(PolicyError::Revoked);
        }
        Ok(policy)
    }
}

#[cfg(test)]
mod tests {
    use super::{Measured, Policy, PolicyError, SeptVeDisable};
    use crate::tcb::Status;

    fn parse(rest: &str) -> Result<Policy, PolicyError> {
        Policy::parse(&format!("format = \"hallmark/policy/1\"\n{rest}"))
    }

    #[test]
    fn an_empty_policy_is_the_default() {
        let mut policy = parse("").unwrap();
        policy.format = None;
        assert_eq!(policy, Policy::default());
        assert!(policy.roots.intel && policy.roots.simulated.is_empty());
        assert!(policy.tdx.accept && !policy.vtpm.accept);
        assert_eq!(policy.tdx.tcb, [Status::UpToDate]);
        assert_eq!(policy.tdx.sept_ve_disable, SeptVeDisable::Require);
        assert_eq!(policy.tdx.mr_owner, None);
        assert_eq!(policy.collateral.max_age_days, 30);
    }

    #[test]
    fn the_example_of_the_specification_is_the_default() {
        let text = include_str!("../../SPECIFICATION.md");
        let section = text.split("## 3. Policy").nth(1).unwrap();
        let example = section.split("```toml").nth(1).unwrap().split("```").next().unwrap();
        let mut policy = Policy::parse(example).unwrap();
        policy.format = None;
        assert_eq!(policy, Policy::default());
    }

    #[test]
    fn values_are_read() {
        let policy = parse(
            "[tdx]\ntcb = [\"UpToDate\", \"SWHardeningNeeded\"]\nsept_ve_disable = \"any\"\nmr_owner = \"any\"\n\
             advisories = [{ id = \"INTEL-SA-00960\", until = \"2026-12-31T00:00:00Z\" }]\n",
        )
        .unwrap();
        assert_eq!(policy.tdx.tcb, [Status::UpToDate, Status::SwHardeningNeeded]);
        assert_eq!(policy.tdx.mr_owner, Some(Measured::Any));
        assert_eq!(policy.tdx.advisories[0].until.to_string(), "2026-12-31T00:00:00Z");
        let hex = "ab".repeat(48);
        let policy = parse(&format!("[tdx]\nmr_owner = \"{hex}\"")).unwrap();
        assert!(matches!(policy.tdx.mr_owner, Some(Measured::Exactly(h)) if h.0 == [0xab; 48]));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for bad in [
            "colour = 1",
            "[tdx]\nsept_ve_disabled = \"require\"",
            "[tdx]\ntcb = [\"Uptodate\"]",
            "[tdx]\ntcb = [\"Revoked\"]",
            "[tdx]\nmr_owner = \"Zero\"",
            "[tdx]\nmr_owner = \"abcd\"",
            "[tdx]\nadvisories = [{ id = \"X\" }]",
            "[tdx]\nadvisories = [{ id = \"X\", until = \"2026-12-31\" }]",
            "[roots]\nsimulated = [\"00\"]",
            "[collateral]\nmax_age_days = -1",
            "[vtpm]\nak = [\"000b\"]",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(matches!(Policy::parse(""), Err(PolicyError::Format)));
        assert!(Policy::parse("format = \"hallmark/policy/2\"").is_err());
    }
}
