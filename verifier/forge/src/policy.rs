//! Policies (SPECIFICATION §3).

/// A policy to be written. `None` stands for the value that fits the case.
#[derive(Debug, Clone)]
pub struct Policy {
    /// `roots.intel`.
    pub intel: bool,
    /// `roots.simulated`: SHA-256 of SubjectPublicKeyInfo.
    pub simulated: Option<Vec<[u8; 32]>>,
    /// `tdx.accept`; `None`: for a TDX case.
    pub accept_tdx: Option<bool>,
    /// `tdx.tcb`.
    pub tcb: Vec<String>,
    /// `tdx.advisories`: id and until.
    pub advisories: Vec<(String, String)>,
    /// `tdx.sept_ve_disable`.
    pub sept_ve_disable: String,
    /// `tdx.mr_seam`.
    pub mr_seam: Vec<[u8; 48]>,
    /// `tdx.mr_config_id`: `zero`, `any` or hex.
    pub mr_config_id: String,
    /// `tdx.mr_owner`.
    pub mr_owner: String,
    /// `tdx.mr_owner_config`.
    pub mr_owner_config: String,
    /// `tdx.acpi`; `None`: those of the case's log.
    pub acpi: Option<Vec<[u8; 48]>>,
    /// `tdx.acpi_confined`: SHA-256 of release documents.
    pub acpi_confined: Vec<[u8; 32]>,
    /// `tdx.platforms`: SHA-256 of PCK keys.
    pub platforms: Vec<[u8; 32]>,
    /// `collateral.max_age_days`.
    pub max_age_days: u32,
    /// `collateral.min_tcb_evaluation_data_number`.
    pub min_tcb_evaluation_data_number: u32,
    /// `vtpm.accept`; `None`: for a vTPM case.
    pub accept_vtpm: Option<bool>,
    /// `vtpm.ak`: TPM Names.
    pub ak: Option<Vec<Vec<u8>>>,
    /// The whole file.
    pub raw: Option<String>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            intel: false,
            simulated: None,
            accept_tdx: None,
            tcb: vec!["UpToDate".into()],
            advisories: Vec::new(),
            sept_ve_disable: "require".into(),
            mr_seam: Vec::new(),
            mr_config_id: "zero".into(),
            mr_owner: "zero".into(),
            mr_owner_config: "zero".into(),
            acpi: None,
            acpi_confined: Vec::new(),
            platforms: Vec::new(),
            max_age_days: 30,
            min_tcb_evaluation_data_number: 0,
            accept_vtpm: None,
            ak: None,
            raw: None,
        }
    }
}

/// What a case puts where the policy has `None`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fit {
    pub(crate) simulated: Vec<[u8; 32]>,
    pub(crate) tdx: bool,
    pub(crate) vtpm: bool,
    pub(crate) acpi: Vec<[u8; 48]>,
    pub(crate) ak: Vec<Vec<u8>>,
}

impl Policy {
    pub(crate) fn toml(&self, fit: &Fit) -> String {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let advisory =
            |(id, until): &(String, String)| format!("{{ id = {}, until = {} }}", quoted(id), quoted(until));
        let advisories: Vec<String> = self.advisories.iter().map(advisory).collect();
        let tcb: Vec<String> = self.tcb.iter().map(|status| quoted(status)).collect();
        [
            "# SIMULATED: for evidence under a test root.".to_owned(),
            "format = \"hallmark/policy/1\"".to_owned(),
            "\n[roots]".to_owned(),
            format!("intel = {}", self.intel),
            format!("simulated = {}", digests(self.simulated.as_ref().unwrap_or(&fit.simulated))),
            "\n[tdx]".to_owned(),
            format!("accept = {}", self.accept_tdx.unwrap_or(fit.tdx)),
            format!("tcb = [{}]", tcb.join(", ")),
            format!("advisories = [{}]", advisories.join(", ")),
            format!("sept_ve_disable = {}", quoted(&self.sept_ve_disable)),
            format!("mr_seam = {}", digests(&self.mr_seam)),
            format!("mr_config_id = {}", quoted(&self.mr_config_id)),
            format!("mr_owner = {}", quoted(&self.mr_owner)),
            format!("mr_owner_config = {}", quoted(&self.mr_owner_config)),
            format!("acpi = {}", digests(self.acpi.as_ref().unwrap_or(&fit.acpi))),
            format!("acpi_confined = {}", digests(&self.acpi_confined)),
            format!("platforms = {}", digests(&self.platforms)),
            "\n[collateral]".to_owned(),
            format!("max_age_days = {}", self.max_age_days),
            format!("min_tcb_evaluation_data_number = {}", self.min_tcb_evaluation_data_number),
            "\n[vtpm]".to_owned(),
            format!("accept = {}", self.accept_vtpm.unwrap_or(fit.vtpm)),
            format!("ak = {}\n", digests(self.ak.as_ref().unwrap_or(&fit.ak))),
        ]
        .join("\n")
    }
}

fn digests<T: AsRef<[u8]>>(values: &[T]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| quoted(&hex::encode(value))).collect();
    format!("[{}]", quoted.join(", "))
}

/// A TOML literal string: everything that goes in here is free of quotation marks.
fn quoted(text: &str) -> String {
    format!("'{text}'")
}
