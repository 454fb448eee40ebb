//! What a ceremony's documents are to the engine.

use super::ceremony::{Application, GenesisOrder};
use crate::state::{Admitting, Founding};

/// What is asked of a leader for an application.
pub(crate) fn admitting(application: &Application) -> Admitting {
    Admitting {
        admission: application.admission.clone(),
        evidence: application.evidence.clone(),
        collateral: application.collateral.clone(),
        address: application.address.to_string(),
    }
}

/// The admissions of an order.
pub(crate) fn admissions(applications: &[Application]) -> Vec<Admitting> {
    applications.iter().map(admitting).collect()
}

/// The beginning of a group.
pub(crate) fn genesis(order: &GenesisOrder) -> Founding {
    Founding::Genesis { genesis: order.genesis.clone(), admissions: admissions(&order.applications) }
}
