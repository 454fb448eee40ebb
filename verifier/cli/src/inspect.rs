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
use crate::output::Output;

/// What to look at
#[derive(clap::Args)]
#[command(after_help = "Examples:
  assay inspect quote.bin
  assay inspect evidence.json
  assay inspect binary_bios_measurements      # a TPM's log
  assay inspect ccel.bin
  assay inspect release.json

Exit: 0; 2 where the file is none of these.")]
pub(crate) struct Options {
    /// A quote, evidence.json, an event log, collateral, a certificate chain (PEM) or release.json
    file: PathBuf,
}

/// Prints what the file says.
pub(crate) fn run(options: &Options, out: &mut Output) -> Result<(), Complaint> {
    let bytes = input::read(&options.file, "file", input::DOCUMENT)?;
    let page = page(&bytes).map_err(|why| {
        let what = format!("{} is nothing that is known here", options.file.display());
        let hint = "give a quote, evidence.json, event log, collateral, PEM chain or release.json";
        Complaint::unable("unknown-file", what, why, hint)
    })?;
    out.line("NOT VERIFIED: this is what the file says of itself");
    for line in page {
        out.line(line);
    }
    Ok(())
}

/// Lines to show, or why the bytes are no such file.
type Page = Result<Vec<String>, String>;

/// Reads the bytes as what their beginning says they are.
fn page(bytes: &[u8]) -> Page {
    let start = bytes.trim_ascii_start();
    if start.starts_with(b"-----BEGIN ") {
        return certificates(bytes);
    }
    if start.starts_with(b"{") {
        let document: Value = serde_json::from_slice(bytes).map_err(|e| format!("JSON: {e}"))?;
        return if document.get("format").is_some() {
            release(bytes)
        } else if document.get("tcb_info").is_some() {
            collateral(&document)
        } else {
            evidence(bytes)
        };
    }
    // A TD's log is in the form of a TPM's, with other register numbers, SHA-384 alone and padding after it.
    let logs = [Kind::Ccel, Kind::Tcg2].map(|kind| EventLog::parse(bytes, kind));
    match logs {
        [Ok(log), _] | [_, Ok(log)] => Ok(events(&log)),
        [Err(ccel), Err(tcg2)] => {
            evidence(bytes).map_err(|quote| format!("{quote}; as a TD's log: {ccel}; as a TPM's log: {tcg2}"))
        }
    }
}

fn evidence(bytes: &[u8]) -> Page {
    let evidence = Evidence::parse(bytes).map_err(|e| e.to_string())?;
    let mut page = vec![format!("{} evidence", evidence.kind())];
    let log = match &evidence {
        Evidence::Tdx(tdx) => {
            page.extend(quote(&tdx.quote));
            Kind::Ccel
        }
        Evidence::Vtpm(vtpm) => {
            page.extend(tpm_quote(&vtpm.quote, &vtpm.ak));
            Kind::Tcg2
        }
        _ => Kind::Ccel,
    };
    if let Some(Enclosed { event_log, nonce, binding, boot_events, .. }) = evidence.enclosed() {
        let nonce = nonce.map_or_else(|| "none: its binding is of another domain".to_owned(), hex::encode);
        page.push(format!("nonce            {nonce}"));
        page.push(format!("binding          {}", hex::encode(binding)));
        if !event_log.is_empty() {
            match EventLog::parse(event_log, log) {
                Ok(log) => page.extend(events(&log)),
                Err(error) => page.push(error.to_string()),
            }
        }
        for event in boot_events {
            page.push(format!("{:<6} guest    {}", event.register().to_string(), event.name()));
        }
    }
    Ok(page)
}

fn quote(bytes: &[u8]) -> Vec<String> {
    let quote = match Quote::parse(bytes) {
        Ok(quote) => quote,
        Err(e) => return vec![format!("quote: {}: {e}", e.slug())],
    };
    let td = quote.report();
    let mut page = vec![format!("quote version    {}", quote.version())];
    let mut put = |name: &str, value: &[u8]| page.push(format!("{name:<16} {}", hex::encode(value)));
    put("qe vendor", quote.vendor());
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
    page
}

fn tpm_quote(bytes: &[u8], ak: &[u8]) -> Vec<String> {
    let mut page = vec![match tpm::AttestationKey::parse(ak) {
        Ok(key) => format!("ak name          {}", hex::encode(key.name())),
        Err(e) => format!("ak: {e}"),
    }];
    match tpm::Quote::parse(bytes) {
        Ok(quote) => {
            let attest = quote.attest();
            let (ms, resets, restarts) =
                (attest.clock.clock, attest.clock.reset_count, attest.clock.restart_count);
            page.push(format!("extraData        {}", hex::encode(attest.extra_data)));
            page.push(format!("PCRs             {}", attest.selection));
            page.push(format!("pcrDigest        {}", hex::encode(attest.pcr_digest)));
            page.push(format!("clock            {ms} ms, {resets} resets, {restarts} restarts"));
        }
        Err(e) => page.push(format!("quote: {e}")),
    }
    page
}

fn events(log: &EventLog<'_>) -> Vec<String> {
    let mut page = Vec::new();
    for event in log.events() {
        let digest = event.digests.iter().last().map(|(_, d)| hex::encode(d)).unwrap_or_default();
        let said = match event.authenticated_text() {
            Some(said) => readable(&said),
            None => format!("(unauthenticated) {}", readable(event.data)),
        };
        let (register, kind) = (event.register.to_string(), event.event_type.to_string());
        page.push(
            format!("{register:<6} {kind:<34} {}.. {said}", digest.get(..16).unwrap_or(&digest))
                .trim_end()
                .to_owned(),
        );
    }
    for &bank in log.banks() {
        let Some(replay) = log.replay(bank) else { continue };
        for (register, value) in replay.iter() {
            page.push(format!("{register:<6} {bank} {value}", register = register.to_string()));
        }
    }
    page
}

/// The longest stretch of an event's bytes that can be read, UTF-16 included: its GUIDs and lengths cannot.
fn readable(bytes: &[u8]) -> String {
    let text: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != 0).collect();
    let stretches = text.split(|byte| !byte.is_ascii_graphic() && *byte != b' ');
    let longest = stretches.rev().max_by_key(|stretch| stretch.len()).unwrap_or_default();
    String::from_utf8_lossy(longest.get(..60).unwrap_or(longest)).into_owned()
}

fn release(bytes: &[u8]) -> Page {
    let release = Release::parse(bytes).map_err(|e| format!("release: {e}"))?;
    let mut page = vec![
        format!("release {} {}", release.name(), release.version()),
        format!("toolchain        {}", release.toolchain()),
        format!("builder          {}", release.builder()),
    ];
    for artefact in release.artefacts() {
        let (name, sha256, size) = (&artefact.name, hex::encode(artefact.sha256.0), artefact.size);
        page.push(format!("{name:<16} sha256 {sha256} ({size} bytes)"));
    }
    for expected in release.expected() {
        page.push(format!("{} ({})", expected.platform(), expected.profile()));
        for (register, value, validated) in expected.registers() {
            for digest in value.iter() {
                let (name, bank, validated) = (register.to_string(), digest.bank(), validated.word());
                page.push(format!("  {name:<6} {bank} {digest} (validated: {validated})"));
            }
        }
    }
    Ok(page)
}

fn collateral(document: &Value) -> Page {
    let mut page = vec!["collateral".to_owned()];
    for part in ["tcb_info", "qe_identity"] {
        let inner =
            document.get(part).and_then(Value::as_str).ok_or_else(|| format!("collateral: no {part}"))?;
        let inner: Value = serde_json::from_str(inner).map_err(|e| format!("collateral: {part}: {e}"))?;
        for field in ["id", "version", "issueDate", "nextUpdate", "fmspc", "pceId", "tcbEvaluationDataNumber"]
        {
            if let Some(value) = inner.get(field) {
                let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                page.push(format!("{part:<12} {field:<24} {shown}"));
            }
        }
    }
    for part in
        ["pck_crl_issuer_chain", "tcb_info_issuer_chain", "qe_identity_issuer_chain", "pck_certificate_chain"]
    {
        if let Some(chain) = document.get(part).and_then(Value::as_str) {
            page.push(part.to_owned());
            page.extend(certificates(chain.as_bytes()).map_err(|e| format!("collateral: {part}: {e}"))?);
        }
    }
    Ok(page)
}

fn certificates(bytes: &[u8]) -> Page {
    let mut page = Vec::new();
    for der in pem::certificates(bytes).map_err(|e| format!("PEM: {e}"))? {
        let certificate = Certificate::parse(der).map_err(|e| format!("certificate: {e}"))?;
        let (name, serial) = (certificate.common_name(), hex::encode(certificate.serial()));
        let validity = certificate.validity();
        page.push(format!("  {name} (serial {serial}), {} to {}", validity.from, validity.to));
    }
    if page.is_empty() { Err("PEM: no certificate".to_owned()) } else { Ok(page) }
}
