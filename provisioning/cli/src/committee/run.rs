//! `mint committee run MEMBER.toml`: a member as a process of this machine.
//!
//! A machine of the image runs the same member; this is for hosts that are TDs themselves, and, with forged evidence, for demonstrations.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use hallmark_attest::{Prover, SourceProver, SystemClock};
use hallmark_committee::http::{Gate, Limits, host};
use hallmark_committee::member::{Dependencies, Member, MemberFile, Rules};
use hallmark_guest::evidence::detect;
use hallmark_machine::kv::Kv;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::simulate;
use crate::complaint::Complaint;
use crate::progress::{self, say};

/// Which member
#[derive(Args)]
#[command(after_help = "Examples:
  mint committee run member0.toml
  mint committee run demo/member0.toml --simulated demo/release.json")]
pub(crate) struct Options {
    /// member.toml
    member: PathBuf,
    /// Forge the evidence of a machine that booted this release. Nobody but a policy that names the simulated root takes it
    #[arg(long, value_name = "release.json")]
    simulated: Option<PathBuf>,
}

/// Runs until it is asked to end, or has lost its slot for good.
pub(super) fn run(options: &Options) -> Result<(), Complaint> {
    let unusable = |why: &dyn std::fmt::Display| {
        let what = format!("{} cannot be used", options.member.display());
        Complaint::unable("member-file", what, why, "see docs/operators/committee.md")
    };
    let file = MemberFile::read(&options.member).map_err(|e| unusable(&e))?;
    if file.shared.machine != "kv" {
        let why = format!("machine = {:?}; this program has \"kv\"", file.shared.machine);
        return Err(unusable(&why));
    }
    let prover = prover(options.simulated.as_deref())?;
    let clock = Arc::new(SystemClock::new());
    let rules = Rules::read(&file.shared, Arc::clone(&clock) as _).map_err(|e| unusable(&e))?;
    if rules.simulated {
        progress::simulate();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| unusable(&e))?;
    runtime.block_on(serve(file, Dependencies::new(prover, rules, clock)))
}

async fn serve(file: MemberFile, dependencies: Dependencies) -> Result<(), Complaint> {
    let failed = |why: &dyn std::fmt::Display| {
        Complaint::unable(
            "member",
            "the member does not start",
            why,
            "is another one running with these files, or is the data folder another committee's?",
        )
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| failed(&e))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| failed(&e))?;
    let slot = file.slot;
    // Bound before anything else, so that a port in use is said at once.
    let http = file.http.to_string();
    let listener =
        TcpListener::bind(http.as_str()).await.map_err(|e| failed(&format!("http {http}: {e}")))?;
    let acl = file.shared.committee.acl();
    let gate = Gate::of(file.shared.tickets.validator(), acl).map_err(|e| {
        let what = "no gate can be made of [tickets]";
        Complaint::unable("ticket-rule", what, e, "see \"Tickets\" in docs/operators/committee.md")
    })?;
    say(&format!("tickets    {}", file.shared.tickets));
    let group = file.shared.committee.id();
    let member = Member::<Kv>::start(file, dependencies).await.map_err(|e| failed(&e))?;
    say(&format!("listening  slot {slot}: members at {}, clients at http://{http}", member.address()));
    let serving = tokio::spawn(host(listener, member.engine(), group, gate, Limits::default()));
    let why = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        why = member.over() => Some(why),
        never = phases(&member, slot) => match never {},
    };
    serving.abort();
    member.stop().await;
    match why {
        None => {
            say(&format!("stopped    slot {slot}"));
            Ok(())
        }
        Some(why) => Err(Complaint::no(
            "replaced",
            format!("slot {slot}: this machine is a member no more"),
            why,
            "start it again, and have the slot's operator sign for it with `mint committee admit`",
        )),
    }
}

/// Says where the member is in its life, whenever that changes.
async fn phases(member: &Member<Kv>, slot: u16) -> std::convert::Infallible {
    let mut last = String::new();
    loop {
        if let Some(standing) = member.standing() {
            let line = super::status::phase(slot, &standing);
            if line != last {
                say(&line);
                last = line;
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

fn prover(simulated: Option<&Path>) -> Result<Arc<dyn Prover>, Complaint> {
    if let Some(release) = simulated {
        progress::simulate();
        return Ok(Arc::new(SourceProver::new(Box::new(simulate::machine(release)?))));
    }
    let none = |why: &dyn std::fmt::Display| {
        Complaint::unable(
            "evidence",
            "this machine has no evidence to give",
            why,
            "run it on a TD, or try it out with `mint committee simulate` and --simulated",
        )
    };
    let source = detect(Path::new("/")).map_err(|e| none(&e))?;
    let source = source.ok_or_else(|| none(&"it is no TD and has no TPM that can be asked"))?;
    Ok(Arc::new(SourceProver::new(source)))
}
