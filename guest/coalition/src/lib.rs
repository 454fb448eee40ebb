//! Identities: configurations in, fingerprints out; tickets.
//!
//! # What it does not check or promise
//!
//! - **It has no clock, network, files or randomness.** Whoever judges a ticket brings the instant, the channel and the facts.
//! - **An identity says what was configured, not who answers.** That a machine is one of a committee's members is for
//!   attested channels and the ledger to show.
//! - **A ticket is revoked by its expiry only**, and proof of possession is as fresh as the channel bytes that the caller
//!   names in it.
//! - **It takes facts as the caller gives them**: a release that was attested, a reputation, a settlement.
//! - **It does not run modules.** It says what each is told, and so which one it is.
//!
//! # Derivations
//!
//! Every hash is BLAKE3 over fields that say where they end: a name that is not last is preceded by its length, a list by its
//! count (u32, little-endian). So nothing can move from one field to another and leave an identity as it was.
//!
//! ```
//! use hallmark_coalition::{CoalitionConfig, Document as _, LatticeConfig, Modules, Published};
//!
//! const LATTICES: &[LatticeConfig<'static>] = &[LatticeConfig::new("mainnet", 1, None)];
//! const DEMO: CoalitionConfig<'static> =
//!     CoalitionConfig::new("demo", LATTICES, &[], &[], None, Modules::NONE, Published::NONE);
//!
//! let read = CoalitionConfig::from_toml(
//!     "format = \"hallmark/coalition/1\"\nname = \"demo\"\nlattices = [{ instance = \"mainnet\", chain_id = 1 }]",
//! )?;
//! assert_eq!(read.root(), DEMO.root());
//! assert_eq!(read.handshake()?, DEMO.handshake()?);
//! assert!(read.atlas().is_none());
//! # Ok::<(), hallmark_coalition::DocumentError>(())
//! ```

mod acl;
mod acl_config;
mod almanac;
mod coalition;
mod committee;
mod config_error;
mod confluence;
mod content;
mod document;
mod endpoint;
mod fingerprints;
mod lattice;
mod list;
mod manifest;
mod member_card;
mod module;
mod object;
mod organism;
mod preimage;
mod published;
mod retirement;
mod sorted_map;
mod text;
mod ticket;
mod ticket_issuer;
mod unique_id;
mod validator;

pub use acl::{Acl, AclError, MAX_SLOTS, Recovery};
pub use acl_config::{AclConfig, Operator};
pub use almanac::{AlmanacRange, AlmanacTick, RangeError, TickError};
pub use coalition::{CoalitionConfig, SCHEMA_VERSION};
pub use committee::Committee;
pub use config_error::{ConfigError, Fault, MAX_ITEMS};
pub use confluence::{ConfluenceConfig, Stall};
pub use content::{Content, Pin};
pub use document::{Document, DocumentError};
pub use endpoint::EndpointHint;
pub use fingerprints::{CitizenIds, Fingerprints, ModuleIds};
pub use lattice::{LatticeConfig, LatticeRef};
pub use list::List;
pub use manifest::{ComputeManifest, CrateRef, Needs, NetworkKind, NetworkPolicy, TdxRequirement, post_hash};
pub use member_card::{CardError, MemberCard, Status};
pub use module::{
    AlmanacConfig, Anchor, AtlasConfig, ChronicleConfig, ComputeConfig, Module, Modules, RandomnessConfig,
    Scheme,
};
pub use organism::{Instance, OrganismRef};
pub use published::Published;
pub use retirement::RetirementMarker;
pub use sorted_map::{Pair, SortedMap};
pub use ticket::{Claims, Issuer, MAX_TICKET, Ticket, TicketError, proof_message};
pub use ticket_issuer::{MAX_LIFETIME, TicketIssuerConfig};
pub use unique_id::{CitizenId, IdError, MemberId, UniqueId};
pub use validator::{Admitted, Facts, NoFacts, Proof, Requirement, TicketRequest, TicketValidator};
