//! `assay inspect FILE`: what a file says, in words. Nothing of it is believed.

use std::path::PathBuf;

use hallmark_verifier::certificate::Certificate;
use hallmark_verifier::event_log::{EventLog, Kind};
use hallmark_verifier::evidence::{Enclosed, Evidence};
use hallmark_verifier::pem;
use hallmark_verifier::quote::Quote;
use hallmark_verifier::release::Release;
use hallmark_verifier::tpm;
use serde_json::Value;

use crate::complaint::Complaint;
use crate::input;

/// What to look at
#[derive(clap::Args)]
#[command(after_help = "Examples:
  assay inspect quote.bin
  assay inspect evidence.json
  assay inspect binary_bios_measurements      # a TPM's log
  assay inspect ccel.bin
  assay inspect release.json")]
pub(crate) struct Options {
    /// A quote, evidence.json, an event log, collateral, a certificate chain (PEM) or release.json
    file: PathBuf,
}

/// Prints what the file says.
pub(crate) fn run(options: &Options) -> Result<(), Complaint> {
    let bytes = input::read(&options.file, "file", input::DOCUMENT)?;
    println!("NOT VERIFIED: this is what the file says of itself");
    let mut refusals = Vec::new();
    for look in [evidence, release, collateral, certificates, tcg2, ccel] {
        match look(&bytes) {
            Ok(text) => {
                print!("{text}");
                return Ok(());
            }
            Err(why) => refusals.push(why),
        }
    }
    Err(Complaint::unable(
        "unknown-file",
        format!("{} is nothing that is known here", options.file.display()),
        refusals.join("; "),
        "give a quote, evidence.json, event log, collateral, PEM chain or release.json",
    ))
}

type Look = Result<String, String>;

fn evidence(bytes: &[u8]) -> Look {
    let evidence = Evidence::parse(bytes).map_err(|e| format!("evidence: {e}"))?;
    let mut text = format!("{} evidence\n", evidence.kind());
    let log = match &evidence {
        Evidence::Tdx(tdx) => {
            text += &quote(&tdx.quote);
            Kind::Ccel
        }
        Evidence::Vtpm(vtpm) => {
            text += &tpm_quote(&vtpm.quote, &vtpm.ak);
            Kind::Tcg2
        }
        _ => Kind::Ccel,
    };
    if let Some(Enclosed { event_log, nonce, binding, boot_events, .. }) = evidence.enclosed() {
        text += &format!("nonce            {}\nbinding          {}\n", hex::encode(nonce), hex::encode(binding));
        if !event_log.is_empty() {
            text += &EventLog::parse(event_log, log).map_or_else(|e| format!("event log: {e}\n"), |log| events(&log));
        }
        for event in boot_events {
            text += &format!("{:<6} guest    {}\n", event.register().to_string(), event.name());
        }
    }
    Ok(text)
}

fn quote(bytes: &[u8]) -> String {
    let quote = match Quote::parse(bytes) {
        Ok(quote) => quote,
        Err(e) => return format!("quote: {}: {e}\n", e.slug()),
    };
    let td = quote.report();
    let mut text = format!("quote version    {}\nqe vendor        {}\n", quote.version(), hex::encode(quote.vendor()));
    let mut put = |name: &str, value: &[u8]| text += &format!("{name:<16} {}\n", hex::encode(value));
    put("tee_tcb_svn", td.tee_tcb_svn);
    put("mr_seam", td.mr_seam);
    put("mr_signer_seam", td.mr_signer_seam);
    put("td_attributes", td.td_attributes);
    put("xfam", td.xfam);
    put("mr_td", td.mr_td);
    put("mr_config_id", td.mr_config_id);
    put("mr_owner", td.mr_owner);
    put("mr_owner_config", td.mr_owner_config);
    for (index, rtmr) in td.rtmr.iter().enumerate() {
        put(&format!("rtmr{index}"), *rtmr);
    }
    put("report_data", td.report_data);
    if let Some(current) = &td.current {
        put("tee_tcb_svn_2", current.tee_tcb_svn);
        put("mr_service_td", current.mr_service_td);
    }
    text
}

fn tpm_quote(bytes: &[u8], ak: &[u8]) -> String {
    let mut text = match tpm::AttestationKey::parse(ak) {
        Ok(key) => format!("ak name          {}\n", hex::encode(key.name())),
        Err(e) => format!("ak: {e}\n"),
    };
    match tpm::Quote::parse(bytes) {
        Ok(quote) => {
            let attest = quote.attest();
            text += &format!(
                "extraData        {}\nPCRs             {}\npcrDigest        {}\nclock            {} ms, {} resets, {} restarts\n",
                hex::encode(attest.extra_data),
                attest.selection,
                hex::encode(attest.pcr_digest),
                attest.clock.clock,
                attest.clock.reset_count,
                attest.clock.restart_count,
            );
        }
        Err(e) => text += &format!("quote: {e}\n"),
    }
    text
}

fn events(log: &EventLog<'_>) -> String {
    let mut text = String::new();
    for event in log.events() {
        let digest = event.digests.iter().last().map(|(_, d)| hex::encode(d)).unwrap_or_default();
        let said = match event.authenticated_text() {
            Some(said) => String::from_utf8_lossy(&said).into_owned(),
            None => format!("(unauthenticated) {}", String::from_utf8_lossy(event.data)),
        };
        let said: String = said.chars().filter(|c| !c.is_control()).take(60).collect();
        text += &format!(
            "{:<6} {:<34} {}.. {said}\n",
            event.register.to_string(),
            event.event_type.to_string(),
            digest.get(..16).unwrap_or(&digest)
        );
    }
    for &bank in log.banks() {
        let Some(replay) = log.replay(bank) else { continue };
        for (register, value) in replay.iter() {
            text += &format!("{register:<6} {bank} {value}\n", register = register.to_string());
        }
    }
    text
}

fn tcg2(bytes: &[u8]) -> Look {
    EventLog::parse(bytes, Kind::Tcg2).map(|log| events(&log)).map_err(|e| format!("TPM event log: {e}"))
}

fn ccel(bytes: &[u8]) -> Look {
    EventLog::parse(bytes, Kind::Ccel).map(|log| events(&log)).map_err(|e| format!("CCEL: {e}"))
}

fn release(bytes: &[u8]) -> Look {
    let release = Release::parse(bytes).map_err(|e| format!("release: {e}"))?;
    let mut text = format!("release {} {}\n", release.name(), release.version());
    text += &format!("toolchain        {}\nbuilder          {}\n", release.toolchain(), release.builder());
    for artefact in release.artefacts() {
        text += &format!("{:<16} sha256 {} ({} bytes)\n", artefact.name, hex::encode(artefact.sha256.0), artefact.size);
    }
    for expected in release.expected() {
        text += &format!("{} ({})\n", expected.platform(), expected.profile());
        for (register, value, validated) in expected.registers() {
            for digest in value.iter() {
                let name = register.to_string();
                text += &format!("  {name:<6} {} {digest} (validated: {})\n", digest.bank(), validated.word());
            }
        }
    }
    Ok(text)
}

fn collateral(bytes: &[u8]) -> Look {
    let document: Value = serde_json::from_slice(bytes).map_err(|e| format!("collateral: {e}"))?;
    let mut text = String::from("collateral\n");
    for part in ["tcb_info", "qe_identity"] {
        let inner = document.get(part).and_then(Value::as_str).ok_or_else(|| format!("collateral: no {part}"))?;
        let inner: Value = serde_json::from_str(inner).map_err(|e| format!("collateral: {part}: {e}"))?;
        for field in ["id", "version", "issueDate", "nextUpdate", "fmspc", "pceId", "tcbEvaluationDataNumber"] {
            if let Some(value) = inner.get(field) {
                text += &format!("{part:<12} {field:<24} {value}\n");
            }
        }
    }
    for part in ["pck_crl_issuer_chain", "tcb_info_issuer_chain", "qe_identity_issuer_chain", "pck_certificate_chain"] {
        if let Some(chain) = document.get(part).and_then(Value::as_str) {
            text += &format!("{part}\n{}", certificates(chain.as_bytes())?);
        }
    }
    Ok(text)
}

fn certificates(bytes: &[u8]) -> Look {
    let mut text = String::new();
    for der in pem::certificates(bytes).map_err(|e| format!("PEM: {e}"))? {
        let certificate = Certificate::parse(der).map_err(|e| format!("certificate: {e}"))?;
        let validity = certificate.validity();
        text += &format!(
            "  {} (serial {}), {} to {}\n",
            certificate.common_name(),
            hex::encode(certificate.serial()),
            validity.from,
            validity.to
        );
    }
    if text.is_empty() { Err("PEM: no certificate".to_owned()) } else { Ok(text) }
}
