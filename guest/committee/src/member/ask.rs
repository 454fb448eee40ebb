//! Asking other machines, typed.

use std::sync::Arc;
use std::time::Duration;

use super::ceremony::{Answer, Application, Request, Standing};
use crate::transport::{CallError, Pool, Refused, Target, Topic};
use crate::{PeerRequest, PeerResponse};

/// Asks other machines through a pool of connections.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) pool: Arc<Pool>,
    pub(crate) within: Duration,
}

impl Ask {
    /// A request of the ceremonies.
    pub(crate) async fn ceremony(&self, at: &Target, request: &Request) -> Result<Answer, CallError> {
        let unreadable =
            |error: serde_json::Error| CallError::Refused(Refused::new("unreadable", error.to_string()));
        let body = serde_json::to_vec(request).map_err(unreadable)?;
        let answer = self.pool.call(at, Topic::Ceremony, body, self.within).await?;
        serde_json::from_slice(&answer).map_err(unreadable)
    }

    /// How a machine stands.
    pub(crate) async fn standing(&self, at: &Target) -> Result<Standing, CallError> {
        match self.ceremony(at, &Request::Standing).await? {
            Answer::Standing(standing) => Ok(*standing),
            _ => Err(other_question()),
        }
    }

    /// A machine's application.
    pub(crate) async fn application(&self, at: &Target, request: &Request) -> Result<Application, CallError> {
        match self.ceremony(at, request).await? {
            Answer::Application(application) => Ok(*application),
            _ => Err(other_question()),
        }
    }

    /// A request to the replicated core.
    pub(crate) async fn core(&self, at: &Target, request: &PeerRequest) -> Result<PeerResponse, CallError> {
        let answer = self.pool.call(at, Topic::Core, postcard::to_stdvec(request)?, self.within).await?;
        Ok(postcard::from_bytes(&answer)?)
    }
}

fn other_question() -> CallError {
    CallError::Refused(Refused::new("unreadable", "the answer is to another question"))
}
