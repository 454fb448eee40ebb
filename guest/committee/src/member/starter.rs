//! Starts engines with the keys and the disk of one life.

use std::path::PathBuf;
use std::sync::Arc;

use hallmark_coalition::UniqueId;
use hallmark_ledger::checkpoint;
use hallmark_ledger::cosignature::CosignKey;
use hallmark_ledger::note::Signer;
use hallmark_machine::Machine;
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::applicant::Applicant;
use super::beginning::{Beginning, Starter};
use super::core_request;
use super::running::{Boxed, Running};
use crate::state::{Founding, Replay};
use crate::{Engine, EngineConfig, MemberKeys, Peers, Start, Timing, Welcome};

/// The engines of one life of a machine that replicates `M`.
pub(crate) struct EngineStarter<M: Machine> {
    pub(crate) applicant: Arc<Applicant>,
    pub(crate) group: UniqueId,
    pub(crate) folder: PathBuf,
    pub(crate) replay: Option<Replay>,
    pub(crate) peers: Arc<dyn Peers>,
    pub(crate) timing: Timing,
    /// Where the engine is told to whoever serves it.
    pub(crate) tell: watch::Sender<Option<Engine<M>>>,
}

impl<M: Machine> Starter for EngineStarter<M> {
    fn start(&self, beginning: Beginning) -> Boxed<'_, Result<Arc<dyn Running>, String>> {
        Box::pin(async move {
            let config = self.config(beginning)?;
            let engine = Engine::<M>::start(config, Arc::clone(&self.peers)).await;
            let engine = engine.map_err(|error| error.to_string())?;
            self.tell.send_replace(Some(engine.clone()));
            Ok(Arc::new(engine) as _)
        })
    }
}

impl<M: Machine> EngineStarter<M> {
    fn config(&self, beginning: Beginning) -> Result<EngineConfig, String> {
        let slot = self.applicant.slot;
        let (epoch, node, seed, start) = match beginning {
            Beginning::Joining(welcome) => joining(&welcome, Start::Join),
            Beginning::Founder(welcome) => joining(&welcome, Start::JoinFounders),
            Beginning::Genesis(order, seed) => {
                let founding = core_request::genesis(&order);
                (0, self.node(&founding)?, seed, found(founding))
            }
            Beginning::Recovery(order, seed) => {
                let founding = Founding::Recovery {
                    admissions: core_request::admissions(&order.applications),
                    replay: self.replay.clone().ok_or("this machine has no disk to go on from")?,
                    recovery: order.recovery,
                };
                let Founding::Recovery { recovery, .. } = &founding else { return Err("no recovery".into()) };
                (recovery.new_epoch, self.node(&founding)?, seed, found(founding))
            }
        };
        let origin = checkpoint::origin(self.group.as_bytes(), epoch);
        let keys = MemberKeys {
            cosign: CosignKey::from_seed(self.applicant.cosign_seed()),
            log: Signer::from_seed(&origin, &seed).map_err(|error| error.to_string())?,
        };
        let mut config = EngineConfig::new(self.group, (epoch, node, slot), keys, start, self.folder.clone());
        config.timing = self.timing;
        Ok(config)
    }

    /// This machine's node id in a founding, which is checked on the way.
    fn node(&self, founding: &Founding) -> Result<u64, String> {
        let roster = founding.roster::<M>(self.group).map_err(|error| error.to_string())?;
        let member = roster.members.get(&self.applicant.slot).ok_or("this machine is not in the roster")?;
        Ok(member.node)
    }
}

fn joining(welcome: &Welcome, start: Start) -> (u64, u64, Zeroizing<[u8; 32]>, Start) {
    (welcome.epoch, welcome.node, Zeroizing::new(welcome.log_seed), start)
}

fn found(founding: Founding) -> Start {
    Start::Found { founding: Box::new(founding), initialise: true }
}
