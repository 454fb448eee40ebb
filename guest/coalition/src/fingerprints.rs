//! All identities of a coalition, in one list.

use serde::Serialize;

use crate::{CitizenId, CoalitionConfig, Document, DocumentError, Module, UniqueId};

/// All identities of a coalition, as they are published and compared. Its JSON is in SPECIFICATION.md.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Fingerprints {
    /// `hallmark/fingerprints/1`.
    pub format: &'static str,
    /// The coalition's name.
    pub name: String,
    /// Of the name alone.
    pub coalition: UniqueId,
    /// Of everybody in it.
    pub root: UniqueId,
    /// The `iss` of its tickets; none where it has no issuer.
    pub tickets_root: Option<UniqueId>,
    /// Of everything published.
    pub handshake: UniqueId,
    /// The five modules, in their order.
    pub modules: Vec<ModuleIds>,
    /// The lattices, in the order of the configuration.
    pub lattices: Vec<CitizenIds>,
    /// The organisms.
    pub organisms: Vec<CitizenIds>,
    /// The confluences.
    pub confluences: Vec<CitizenIds>,
}

/// A module's identities. One that is not shipped has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ModuleIds {
    /// Its name.
    pub name: &'static str,
    /// Where it is derived.
    pub root: Option<UniqueId>,
    /// Its committee.
    pub committee: Option<UniqueId>,
}

/// A citizen's identities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CitizenIds {
    /// Its name, for people.
    pub name: String,
    /// A lattice's or organism's stable id, or a confluence's fingerprint.
    pub id: UniqueId,
    /// The first 20 bytes of it.
    pub citizen: CitizenId,
    /// What it runs, as far as that is published.
    pub content: Option<UniqueId>,
    /// A confluence's committee.
    pub committee: Option<UniqueId>,
}

impl Fingerprints {
    /// The identities of this coalition.
    ///
    /// # Errors
    /// [`DocumentError`], where the configuration breaks a rule.
    pub fn of(config: &CoalitionConfig<'static>) -> Result<Self, DocumentError> {
        Document::check(config)?;
        Ok(Self {
            format: "hallmark/fingerprints/1",
            name: config.name.to_string(),
            coalition: config.coalition_id(),
            root: config.root(),
            tickets_root: config.ticket_issuer.as_ref().map(|_| config.tickets_root()),
            handshake: config.handshake()?,
            modules: config.modules().map(|(name, module)| ModuleIds::of(name, module.as_ref())).into(),
            lattices: (config.lattices.iter())
                .map(|l| CitizenIds {
                    name: format!("{} on chain {}", l.instance, l.chain_id),
                    id: l.id(),
                    citizen: l.citizen(),
                    content: l.content.as_ref().map(crate::Content::hash),
                    committee: None,
                })
                .collect(),
            organisms: (config.organisms.iter())
                .map(|o| CitizenIds {
                    name: format!("{} ({})", o.instance, o.role),
                    id: o.stable_id(),
                    citizen: o.citizen(),
                    content: o.content.as_ref().map(crate::Content::hash),
                    committee: None,
                })
                .collect(),
            confluences: (config.confluences.iter())
                .map(|c| CitizenIds {
                    name: c.name.to_string(),
                    id: c.fingerprint(),
                    citizen: c.citizen(),
                    content: Some(c.content()),
                    committee: Some(c.committee_id()),
                })
                .collect(),
        })
    }

    /// As JSON in one line.
    ///
    /// # Errors
    /// [`DocumentError::Json`], where it cannot be written.
    pub fn to_json(&self) -> Result<String, DocumentError> {
        serde_json::to_string(self).map_err(|e| DocumentError::Json(e.to_string()))
    }
}

impl ModuleIds {
    fn of(name: &'static str, module: Option<&Module<'_>>) -> Self {
        Self { name, root: module.map(Module::root), committee: module.map(Module::committee_id) }
    }
}
