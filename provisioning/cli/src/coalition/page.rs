//! The page that an integrator gets.

use std::fmt::{Display, Write as _};

use hallmark_coalition::{
    AclConfig, CoalitionConfig, Content, Document as _, DocumentError, Fingerprints, Modules, Pin, Recovery,
};

/// A page being written. Writing to a string does not fail, so nothing is made of that.
struct Page(String);

impl Page {
    fn line(&mut self, text: impl Display) {
        let _ = writeln!(self.0, "{text}");
    }

    fn section(&mut self, title: &str) {
        self.line(format_args!("\n## {title}\n"));
    }

    fn table<const N: usize>(&mut self, heads: [&str; N], rows: &[[String; N]]) {
        self.line(format_args!("| {} |", heads.join(" | ")));
        self.line(format_args!("|{}", " --- |".repeat(N)));
        for row in rows {
            self.line(format_args!("| {} |", row.join(" | ")));
        }
    }
}

/// Text from a document, of which Markdown is to make nothing.
fn plain(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        if c.is_ascii_punctuation() && !".,:;/-()@".contains(c) {
            out.push('\\');
        }
        out.push(c);
        out
    })
}

fn code(value: impl Display) -> String {
    format!("`{value}`")
}

fn none_or(value: Option<impl Display>) -> String {
    value.map_or_else(|| "none".to_owned(), code)
}

/// The page: configuration, fingerprints, pins, modules shipped and not shipped, operators, peers, change channel.
pub(super) fn page(config: &CoalitionConfig<'static>, ids: &Fingerprints) -> Result<String, DocumentError> {
    let mut page = Page(String::new());
    page.line(format_args!("# Coalition {}\n", plain(&config.name)));
    page.line("Compare the handshake fingerprint over another channel. It covers everything on this page; the root covers");
    page.line("who is in the coalition, but neither modules nor what anybody runs.");
    identities(&mut page, ids);
    modules(&mut page, config, ids);
    roll_call(&mut page, config);
    citizens(&mut page, ids);
    pins(&mut page, config);
    tickets(&mut page, config, ids);
    peers(&mut page, config);
    page.section("Configuration");
    page.line("In its canonical form; `mint coalition fingerprint` reads it too.\n");
    // Indented, since no fence is safe from what stands in it.
    page.line(format_args!("    {}", String::from_utf8_lossy(&config.to_json()?)));
    Ok(page.0)
}

fn identities(page: &mut Page, ids: &Fingerprints) {
    page.section("Identities");
    let rows = [
        ["handshake".to_owned(), code(ids.handshake)],
        ["coalition".to_owned(), code(ids.coalition)],
        ["root".to_owned(), code(ids.root)],
        ["tickets".to_owned(), none_or(ids.tickets_root)],
    ];
    page.table(["what", "value"], &rows);
}

fn modules(page: &mut Page, config: &CoalitionConfig<'static>, ids: &Fingerprints) {
    page.section("Modules");
    let told = told(&config.modules);
    let rows = ids.modules.iter().zip(told).map(|(module, told)| {
        let shipped = if module.root.is_some() { "shipped" } else { "**not shipped**" };
        let name = module.name.to_owned();
        [name, shipped.to_owned(), none_or(module.root), none_or(module.committee), told]
    });
    page.table(["module", "", "root", "committee", "parameters"], &rows.collect::<Vec<_>>());
}

/// What each module is told, in the order of [`CoalitionConfig::modules`].
fn told(modules: &Modules<'_>) -> [String; 5] {
    let almanac = modules.almanac.as_ref().map(|m| format!("a tick every {} ms", m.cadence_ms));
    let chronicle = modules.chronicle.as_ref().map(|m| match &m.anchor {
        Some(anchor) => format!("anchored in {} every {} entries", plain(&anchor.sink), anchor.every_entries),
        None => "anchored nowhere".to_owned(),
    });
    let compute = modules.compute.as_ref().map(|m| {
        let shapes = m.settlements.iter().map(|s| plain(s)).collect::<Vec<_>>().join(", ");
        let shapes = if shapes.is_empty() { "none asked".to_owned() } else { shapes };
        let (least, most, renew) = (m.minimum_seconds, m.maximum_image_bytes, m.renew_ticks);
        format!("settlement: {shapes}; at least {least} s; image at most {most} bytes; renewed every {renew} ticks")
    });
    let randomness = modules.randomness.as_ref().map(|m| {
        let scheme = match m.scheme {
            hallmark_coalition::Scheme::ThresholdBls => "threshold-bls",
            hallmark_coalition::Scheme::Vrf => "vrf",
            hallmark_coalition::Scheme::External => "external",
            hallmark_coalition::Scheme::TdxAttested => "tdx-attested",
        };
        format!("{scheme}, chain {}, a round every {} ms", none_or(m.chain), m.cadence_ms)
    });
    [None, almanac, chronicle, compute, randomness].map(Option::unwrap_or_default)
}

fn roll_call(page: &mut Page, config: &CoalitionConfig<'static>) {
    page.section("Operator roll call");
    let modules = config.modules();
    let modules = modules.iter().filter_map(|(name, module)| Some((*name, module.as_ref()?.acl())));
    let confluences = config.confluences.iter().map(|confluence| (&*confluence.name, &confluence.acl));
    let mut any = false;
    for (name, acl) in modules.chain(confluences) {
        any = true;
        committee(page, name, acl);
    }
    if !any {
        page.line("No committee of its own: nobody to call.");
    }
}

fn committee(page: &mut Page, name: &str, acl: &AclConfig<'_>) {
    let (n, q) = (acl.operators.len(), usize::from(acl.quorum));
    let recovery = match acl.recovery {
        Recovery::Operators => "a quorum of operators signs a recovery".to_owned(),
        Recovery::Automatic => "recovery is **automatic: it trusts the hosts' disks**".to_owned(),
    };
    let fork = (2 * q).saturating_sub(n);
    page.line(format_args!("### {}\n", plain(name)));
    page.line(format_args!("{q} of {n} speak for it; a fork needs {fork} compromised; {recovery}."));
    let asked = acl.tickets.map_or_else(|| "none asked".to_owned(), code);
    page.line(format_args!("ACL {}; tickets: {asked}.\n", code(acl.fingerprint())));
    let slots = acl.operators.iter().enumerate();
    let rows = slots.map(|(slot, who)| [slot.to_string(), plain(&who.name), code(who.key)]);
    page.table(["slot", "operator", "key"], &rows.collect::<Vec<_>>());
    page.line("");
}

fn citizens(page: &mut Page, ids: &Fingerprints) {
    page.section("Citizens");
    let kinds = [("lattice", &ids.lattices), ("organism", &ids.organisms), ("confluence", &ids.confluences)];
    let rows = kinds.iter().flat_map(|(kind, all)| {
        all.iter().map(|c| {
            let (kind, name) = ((*kind).to_owned(), plain(&c.name));
            [kind, name, code(c.id), code(c.citizen), none_or(c.content), none_or(c.committee)]
        })
    });
    let rows = rows.collect::<Vec<_>>();
    if rows.is_empty() {
        page.line("None.");
        return;
    }
    page.table(["kind", "name", "id", "citizen", "content", "committee"], &rows);
}

fn pins(page: &mut Page, config: &CoalitionConfig<'static>) {
    page.section("Pins");
    page.line(format_args!("Policy of the members: {}.\n", none_or(config.published.policy)));
    let own = rows("members", &config.published.pins);
    let of =
        |name: &str, content: Option<&Content<'_>>| content.map(|c| rows(name, &c.pins)).unwrap_or_default();
    let lattices = config.lattices.iter().flat_map(|l| of(&l.instance, l.content.as_ref()));
    let organisms = config.organisms.iter().flat_map(|o| of(&o.instance, o.content.as_ref()));
    let rows = own.into_iter().chain(lattices).chain(organisms).collect::<Vec<_>>();
    if rows.is_empty() {
        page.line("**No release is pinned**: nothing here says what anybody runs.");
        return;
    }
    page.table(["who", "release", "SHA-256 of release.json"], &rows);
}

fn rows(who: &str, pins: &[Pin<'_>]) -> Vec<[String; 3]> {
    pins.iter().map(|pin| [plain(who), plain(&pin.release), code(pin.sha256)]).collect()
}

fn tickets(page: &mut Page, config: &CoalitionConfig<'static>, ids: &Fingerprints) {
    page.section("Tickets");
    let Some(issuer) = &config.ticket_issuer else {
        page.line("No issuer: there are no tickets of this coalition.");
        return;
    };
    let name = plain(&issuer.name);
    page.line(format_args!(
        "{name} issues them as {}, for at most {} s.\n",
        none_or(ids.tickets_root),
        issuer.max_lifetime
    ));
    let scopes = issuer.scopes.iter().map(code).collect::<Vec<_>>().join(", ");
    let keys = issuer.keys.iter().map(|key| ["key".to_owned(), code(key)]);
    let rows = keys.chain([["scopes".to_owned(), scopes]]).collect::<Vec<_>>();
    page.table(["what", "value"], &rows);
}

fn peers(page: &mut Page, config: &CoalitionConfig<'static>) {
    page.section("Peers");
    page.line("Where to begin. Whoever answers still has to prove what it runs.\n");
    let peers = &config.published.peers;
    let rows = peers.iter().map(|peer| [plain(&peer.name), plain(&peer.address)]).collect::<Vec<_>>();
    if rows.is_empty() {
        page.line("None is published.");
    } else {
        page.table(["whose", "address"], &rows);
    }
    page.section("Change channel");
    match &config.published.change_channel {
        Some(channel) => page.line(format_args!("Changes are announced beforehand at {}.", plain(channel))),
        None => page.line("**None**: nobody says beforehand what will change."),
    }
}
