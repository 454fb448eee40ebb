use super::*;

fn programs() -> Option<TpmPrograms> {
    let programs = TpmPrograms::locate().ok();
    if programs.is_none() {
        eprintln!("skipped: no swtpm or swtpm_setup");
    }
    programs
}

/// One command and its whole response.
fn command(stream: &mut UnixStream, bytes: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(bytes)?;
    let mut response = vec![0; 4096];
    let count = stream.read(&mut response)?;
    response.truncate(count);
    Ok(response)
}

/// TPM2_GetCapability(TPM_CAP_PCRS, 0, 1): Part 3, 30.2.
const BANKS_IN_USE: [u8; 22] = [0x80, 1, 0, 0, 0, 22, 0, 0, 1, 0x7a, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1];
/// TPM2_CreatePrimary(TPM_RH_ENDORSEMENT), an ECC P-256 signing key, empty password: Part 3, 24.1.
const PRIMARY: &[u8] = &[
    0x80, 2, 0, 0, 0, 0x41, 0, 0, 1, 0x31, 0x40, 0, 0, 0x0b, // header, TPM_RH_ENDORSEMENT
    0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0, // TPM_RS_PW
    0, 4, 0, 0, 0, 0, // no password, no data
    0, 24, 0, 0x23, 0, 0x0b, 0, 5, 0, 0x72, 0, 0, // ECC, SHA-256, attributes, no policy
    0, 0x10, 0, 0x18, 0, 0x0b, 0, 3, 0, 0x10, // no cipher, ECDSA SHA-256, P-256, no KDF
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // empty x and y, no outside info, no PCRs
];

#[test]
fn the_same_folder_is_the_same_tpm() {
    let Some(programs) = programs() else { return };
    let folder = tempfile::tempdir().unwrap();
    let open = |name| TpmState::open(&programs, &folder.path().join(name)).unwrap();
    let primary = |state: &TpmState| {
        let response = state.session(|stream| command(stream, PRIMARY)).unwrap();
        assert_eq!(response.get(6..10), Some(&[0; 4][..]), "{response:02x?}");
        // The public point is in the response; the ticket at its end differs from run to run.
        response.get(18..18 + 0x5a).unwrap().to_vec()
    };
    let first = primary(&open("a"));
    assert_eq!(primary(&open("a")), first);
    assert_ne!(primary(&open("b")), first);
}

#[test]
fn exactly_the_two_banks_are_active() {
    let Some(programs) = programs() else { return };
    let folder = tempfile::tempdir().unwrap();
    let state = TpmState::open(&programs, folder.path()).unwrap();
    let response = state.session(|stream| command(stream, &BANKS_IN_USE)).unwrap();
    // Header, moreData, capability, count, then (algorithm, 3, three bytes) a bank: Part 2, 10.9.7.
    let mut active: Vec<_> = response
        .get(19..)
        .unwrap()
        .chunks_exact(6)
        .filter(|bank| bank[3..] != [0; 3])
        .map(|bank| u16::from_be_bytes([bank[0], bank[1]]))
        .collect();
    active.sort_unstable();
    assert_eq!(active, [0x000b, 0x000c], "{response:02x?}");
}

#[test]
fn the_folder_is_private_and_the_callers_error_comes_back() {
    use std::os::unix::fs::PermissionsExt;
    let Some(programs) = programs() else { return };
    let folder = tempfile::tempdir().unwrap();
    let state = TpmState::open(&programs, &folder.path().join("made/deep")).unwrap();
    assert_eq!(state.folder().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let error = state.session(|_| Err::<(), _>("no such key")).unwrap_err();
    assert!(matches!(error, SessionError::Caller("no such key")));
}

#[test]
fn a_served_tpm_answers_and_ends_when_dropped() {
    let Some(programs) = programs() else { return };
    let folder = tempfile::tempdir().unwrap();
    let state = TpmState::open(&programs, folder.path()).unwrap();
    let scratch = Scratch::new().unwrap();
    let tpm = state.serve(scratch.socket("tpm").unwrap()).unwrap();
    assert!(tpm.process().exited().is_none());
    Control::connect(tpm.control()).unwrap().init().unwrap();
    let control = tpm.control().clone();
    drop(tpm);
    assert!(Control::connect(&control).is_err());
}

#[test]
fn setup_that_fails_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let fake = TpmPrograms { swtpm: "/bin/false".into(), setup: "/bin/false".into() };
    let error = TpmState::open(&fake, folder.path()).unwrap_err();
    assert_eq!(error.slug(), "tpm-setup");
    assert!(error.three_lines().contains("why: swtpm_setup ended with"), "{}", error.three_lines());
    let comma = TpmState::open(&fake, &folder.path().join("a,b")).unwrap_err();
    assert!(matches!(comma, TpmError::Path(PathError::Comma(_))));
    let state = TpmState { folder: AbsolutePath::new(folder.path()).unwrap(), programs: fake };
    let scratch = Scratch::new().unwrap();
    assert!(matches!(state.serve(scratch.socket("tpm").unwrap()), Err(TpmError::Ended { .. })));
}
