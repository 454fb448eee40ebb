//! Who may write: the `[tickets]` of a committee file.
//!
//! The rule is every member's alike: its signature is part of the access rules, and so of the group's id. A member cannot have
//! another one without being of another group.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use hallmark_coalition::{Issuer, List, Requirement, TicketIssuerConfig, TicketValidator, UniqueId};
use serde::Deserialize;

/// What whoever writes has to show. The default asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TicketRule {
    issuers: Vec<Recognised>,
    required: bool,
    requirements: BTreeSet<Requirement>,
}

/// An issuer whose tickets are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Recognised {
    issuer: Issuer,
    config: TicketIssuerConfig<'static>,
}

/// `[tickets]`, as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleText {
    #[serde(default = "yes")]
    required: bool,
    #[serde(default)]
    issuers: Vec<IssuerText>,
    #[serde(default)]
    require: Vec<RequirementText>,
}

const fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerText {
    root: UniqueId,
    name: String,
    keys: Vec<UniqueId>,
    scopes: Vec<String>,
    max_lifetime: u32,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum RequirementText {
    Attested { releases: BTreeSet<UniqueId> },
    ReputationFloor { source: UniqueId, floor: u64 },
    MarketSettlement { market: UniqueId },
}

impl TicketRule {
    /// Reads the table. An error names the field in it.
    pub(super) fn read(text: RuleText) -> Result<Self, String> {
        let RuleText { required, issuers, require } = text;
        if issuers.is_empty() && (required || require.is_empty()) {
            return Err("tickets.issuers: none, so nobody could have a ticket".into());
        }
        if !required && require.is_empty() {
            return Err(
                "tickets.required: false, and nothing else is required: everybody could write; leave [tickets] out to say so"
                    .into(),
            );
        }
        let mut rule = Self { required, ..Self::default() };
        for (at, issuer) in issuers.into_iter().enumerate() {
            let recognised =
                Recognised::read(issuer).map_err(|why| format!("tickets.issuers[{at}].{why}"))?;
            let same = |known: &Recognised| {
                known.issuer.root() == recognised.issuer.root()
                    && known.issuer.fingerprint() == recognised.issuer.fingerprint()
            };
            if rule.issuers.iter().any(same) {
                return Err(format!("tickets.issuers[{at}]: it is there already"));
            }
            rule.issuers.push(recognised);
        }
        for (at, text) in require.into_iter().enumerate() {
            if !rule.requirements.insert(text.requirement(at)?) {
                return Err(format!("tickets.require[{at}]: it is there already"));
            }
        }
        Ok(rule)
    }

    /// The validator that this rule is. Its signature is what access rules fold.
    #[must_use]
    pub fn validator(&self) -> TicketValidator {
        let start = TicketValidator::new();
        let recognised = self
            .issuers
            .iter()
            .fold(start, |validator, known| validator.recognise_issuer(known.issuer.clone()));
        let asking = if self.required { recognised.require_ticket() } else { recognised };
        self.requirements.iter().cloned().fold(asking, TicketValidator::require)
    }

    /// The issuers whose tickets are taken.
    pub fn issuers(&self) -> impl Iterator<Item = &Issuer> {
        self.issuers.iter().map(|known| &known.issuer)
    }

    /// The issuers that this key (Ed25519, public) signs for: each one's root, and the longest life of its tickets in seconds.
    pub fn signed_by(&self, key: &[u8; 32]) -> impl Iterator<Item = (UniqueId, u32)> {
        let key = UniqueId::new(*key);
        let of_key = move |known: &&Recognised| known.config.keys.contains(&key);
        self.issuers.iter().filter(of_key).map(|known| (known.issuer.root(), known.config.max_lifetime))
    }
}

impl Recognised {
    fn read(text: IssuerText) -> Result<Self, String> {
        let IssuerText { root, name, keys, scopes, max_lifetime } = text;
        let mut config = TicketIssuerConfig::new("", &[], &[], max_lifetime);
        config.name = Cow::Owned(name);
        config.keys = List::from(keys);
        config.scopes = List::from(scopes.into_iter().map(Cow::Owned).collect::<Vec<_>>());
        let issuer = Issuer::new(root, &config).map_err(|error| error.to_string())?;
        Ok(Self { issuer, config })
    }
}

impl RequirementText {
    fn requirement(self, at: usize) -> Result<Requirement, String> {
        Ok(match self {
            Self::Attested { releases } if releases.is_empty() => {
                return Err(format!("tickets.require[{at}].releases: none, so nobody could meet it"));
            }
            Self::Attested { releases } => Requirement::Attested { releases },
            Self::ReputationFloor { source, floor } => Requirement::ReputationFloor { source, floor },
            Self::MarketSettlement { market } => Requirement::MarketSettlement { market },
        })
    }
}

/// One line for a person: what is asked, of whom.
impl fmt::Display for TicketRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.validator().is_empty() {
            return f.write_str("none asked: whoever reaches a member may write");
        }
        f.write_str(if self.required { "required" } else { "taken, not required" })?;
        for Recognised { issuer, config } in &self.issuers {
            let scopes = config.scopes.iter().map(|scope| &**scope).collect::<Vec<_>>().join(" ");
            let (name, root, life) = (&config.name, issuer.root(), config.max_lifetime);
            write!(f, "; of {name} ({root}) for {scopes}, {life} s at most")?;
        }
        for requirement in &self.requirements {
            match requirement {
                Requirement::Attested { releases } => {
                    write!(f, "; attested to run one of {} releases", releases.len())?;
                }
                Requirement::ReputationFloor { source, floor } => {
                    write!(f, "; reputation of {floor} in {source}")?;
                }
                Requirement::MarketSettlement { market } => write!(f, "; settled in {market}")?,
                _ => f.write_str("; more")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::member::SlotKey;

    fn issuer() -> String {
        let key = hex::encode(SlotKey::from_seed(&[9; 32]).public());
        let root = "ab".repeat(32);
        format!(
            "[[issuers]]\nroot = \"{root}\"\nname = \"desk\"\nkeys = [\"{key}\"]\nscopes = [\"submit-pairs\"]\nmax_lifetime = 3600\n"
        )
    }

    fn rule(text: &str) -> Result<TicketRule, String> {
        let text: RuleText = toml::from_str(text).map_err(|error| error.to_string())?;
        TicketRule::read(text)
    }

    #[test]
    fn a_rule_is_the_validator_that_it_names_and_each_part_changes_its_signature() {
        let plain = rule(&issuer()).unwrap();
        let by_hand = {
            let keys = [UniqueId::new(SlotKey::from_seed(&[9; 32]).public())];
            let scopes = [Cow::Borrowed("submit-pairs")];
            let config = TicketIssuerConfig::new("desk", &keys, &scopes, 3600);
            let issuer = Issuer::new(UniqueId::new([0xab; 32]), &config).unwrap();
            TicketValidator::new().recognise_issuer(issuer).require_ticket()
        };
        assert_eq!(plain.validator(), by_hand);
        let settled =
            format!("[[require]]\nkind = \"market-settlement\"\nmarket = \"{}\"\n", "cd".repeat(32));
        let mut signatures = BTreeSet::from([TicketRule::default().validator().signature()]);
        for text in [
            issuer(),
            issuer().replace("3600", "3601"),
            issuer().replace("submit-pairs", "settle"),
            issuer().replace("desk", "other"),
            issuer().replace("abab", "acac"),
            format!("{}{settled}", issuer()),
            format!("required = false\n{}{settled}", issuer()),
        ] {
            assert!(signatures.insert(rule(&text).unwrap().validator().signature()), "{text}");
        }
        assert!(plain.to_string().contains("required; of desk"), "{plain}");
        assert_eq!(plain.signed_by(&SlotKey::from_seed(&[9; 32]).public()).count(), 1);
        assert_eq!(plain.signed_by(&SlotKey::from_seed(&[8; 32]).public()).count(), 0);
    }

    #[test]
    fn what_asks_nothing_or_what_nobody_has_is_no_rule() {
        for (text, due) in [
            (String::new(), "tickets.issuers: none"),
            (format!("required = false\n{}", issuer()), "tickets.required"),
            (format!("{}{}", issuer(), issuer()), "tickets.issuers[1]"),
            (issuer().replace("3600", "0"), "tickets.issuers[0].max_lifetime"),
            (issuer().replace("submit-pairs", "a b"), "tickets.issuers[0].scopes"),
            (format!("{}[[require]]\nkind = \"attested\"\nreleases = []\n", issuer()), "tickets.require[0]"),
            (format!("{}[[require]]\nkind = \"fame\"\n", issuer()), "fame"),
            (format!("require_ticket = true\n{}", issuer()), "unknown field"),
        ] {
            let error = rule(&text).unwrap_err();
            assert!(error.contains(due), "{error} should name {due}");
        }
    }
}
