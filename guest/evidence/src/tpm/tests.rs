//! The commands against a real swtpm (skipped aloud where there is none), and against what one said once.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use sha2::{Digest, Sha256, Sha384};

use super::*;

/// A swtpm of our own, ended with the test.
struct Swtpm {
    child: Child,
    folder: tempfile::TempDir,
}

impl Swtpm {
    fn start(banks: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        std::fs::create_dir(&state).unwrap();
        let setup = Process::new("swtpm_setup")
            .args(["--tpm2", "--pcr-banks", banks, "--tpmstate"])
            .arg(&state)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !setup.is_ok_and(|status| status.success()) {
            println!("skipped: no swtpm (apt-get install swtpm swtpm-tools)");
            return None;
        }
        let child = Self::spawn(folder.path());
        Some(Self { child, folder })
    }

    fn spawn(folder: &Path) -> Child {
        let socket = folder.join("data");
        let _ = std::fs::remove_file(&socket);
        let child = Process::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init", "--tpmstate"])
            .arg(format!("dir={}", folder.join("state").display()))
            .args(["--server", &format!("type=unixio,path={}", socket.display())])
            .args(["--ctrl", &format!("type=unixio,path={}", folder.join("ctrl").display())])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while !socket.exists() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        child
    }

    fn connect(&self) -> UnixStream {
        UnixStream::connect(self.folder.path().join("data")).unwrap()
    }

    /// Power off and on again.
    fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = Self::spawn(self.folder.path());
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes down what passes: `> command`, `< response`, in hex.
struct Recording {
    inner: UnixStream,
    text: String,
}

impl Read for Recording {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.text += &format!("< {}\n", hex::encode(&buffer[..count]));
        Ok(count)
    }
}

impl Write for Recording {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text += &format!("> {}\n", hex::encode(bytes));
        self.inner.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Replays what was written down, in pieces of `piece` bytes; a command that differs is an error.
struct Transcript {
    exchanges: std::vec::IntoIter<(Vec<u8>, Vec<u8>)>,
    answer: Vec<u8>,
    piece: usize,
}

impl Transcript {
    fn parse(text: &str, piece: usize) -> Self {
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let side = |line: &str, mark| hex::decode(line.strip_prefix(mark).unwrap()).unwrap();
        let pairs: Vec<_> = lines.chunks(2).map(|p| (side(p[0], "> "), side(p[1], "< "))).collect();
        Self { exchanges: pairs.into_iter(), answer: Vec::new(), piece }
    }
}

impl Read for Transcript {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.piece.min(buffer.len()).min(self.answer.len());
        buffer[..count].copy_from_slice(&self.answer[..count]);
        self.answer.drain(..count);
        Ok(count)
    }
}

impl Write for Transcript {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (expected, answer) = self.exchanges.next().ok_or(io::ErrorKind::UnexpectedEof)?;
        assert_eq!(hex::encode(bytes), hex::encode(expected), "command differs from the recorded one");
        self.answer = answer;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The exchange that is recorded: everything that a boot uses.
fn conversation<T: Read + Write>(tpm: &mut Tpm<T>) -> Result<(AttestationKey, Vec<u8>), TpmError> {
    tpm.startup()?;
    tpm.banks()?;
    let pcr = Pcr::try_from(14).unwrap();
    tpm.pcr_extend(pcr, &[(Bank::Sha256, &[1; 32]), (Bank::Sha384, &[2; 48])])?;
    tpm.pcr_read(Bank::Sha256, PcrSet::STATIC)?;
    let key = tpm.create_attestation_key()?;
    tpm.read_public(key.handle())?;
    let quote = tpm.quote(&key, &[7; 32])?;
    tpm.flush_context(key.handle())?;
    tpm.shutdown()?;
    Ok((key, quote))
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/swtpm-0.7.1.txt")
}

fn recorded() -> String {
    std::fs::read_to_string(testdata()).unwrap()
}

#[test]
#[ignore = "writes testdata anew: cargo test -p hallmark-evidence record -- --ignored"]
fn record() {
    let Some(swtpm) = Swtpm::start("sha256,sha384") else { return };
    let text = "# A fresh swtpm 0.7.1 (banks sha256,sha384): `conversation` in src/tpm/tests.rs. > command, < response.\n";
    let mut tpm = Tpm::new(Recording { inner: swtpm.connect(), text: text.to_owned() });
    conversation(&mut tpm).unwrap();
    std::fs::create_dir_all(testdata().parent().unwrap()).unwrap();
    std::fs::write(testdata(), tpm.into_inner().text).unwrap();
}

#[test]
fn a_recorded_conversation_goes_the_same_way_whatever_the_pieces() {
    let whole = conversation(&mut Tpm::new(Transcript::parse(&recorded(), MAX))).unwrap();
    for piece in [1, 3, 10, 11] {
        assert_eq!(conversation(&mut Tpm::new(Transcript::parse(&recorded(), piece))).unwrap(), whole);
    }
    check_quote(&whole.0, &whole.1, &[7; 32]);
}

/// The signature over TPM2B_ATTEST's contents by the key in TPMT_PUBLIC; gives the attest structure.
fn check_quote(key: &AttestationKey, quote: &[u8], extra_data: &[u8; 32]) -> Vec<u8> {
    let public = key.public();
    let tail = &public[public.len() - 68..];
    assert_eq!((&tail[..2], &tail[34..36]), (&[0, 32][..], &[0, 32][..]), "both coordinates are whole");
    let point = [&[4], &tail[2..34], &tail[36..]].concat();
    let verifying = VerifyingKey::from_sec1_bytes(&point).unwrap();
    let length = usize::from(u16::from_be_bytes([quote[0], quote[1]]));
    let (attest, signature) = quote[2..].split_at(length);
    assert_eq!(signature[..6], [0, 0x18, 0, 0x0b, 0, 32]);
    let scalars = [&signature[6..38], &signature[40..72]].concat();
    assert_eq!(signature.len(), 72);
    verifying.verify(attest, &Signature::from_slice(&scalars).unwrap()).unwrap();
    assert!(attest.windows(32).any(|window| window == extra_data));
    attest.to_vec()
}

#[test]
fn every_truncated_or_flipped_response_is_an_error_or_harmless() {
    let text = recorded();
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("< ")) {
        let bytes = hex::decode(&line[2..]).unwrap();
        let play = |bytes: &[u8]| {
            let changed = format!("< {}", hex::encode(bytes));
            let mut lines = lines.clone();
            lines[at] = &changed;
            let mut transcript = Transcript::parse(&lines.join("\n"), MAX);
            // What the changed answer leads to may be another command: only panics of ours count.
            transcript.exchanges = transcript.exchanges.collect::<Vec<_>>().into_iter();
            conversation(&mut Tpm::new(Lenient(transcript)))
        };
        for length in 0..bytes.len() {
            assert!(play(&bytes[..length]).is_err(), "line {at}, {length} bytes");
        }
        for index in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[index] ^= 0xff;
            let _ = play(&flipped);
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(play(&longer).is_err(), "line {at}, a byte too many");
    }
}

/// A transcript that answers any command with the next answer.
struct Lenient(Transcript);

impl Read for Lenient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Lenient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.answer = self.0.exchanges.next().ok_or(io::ErrorKind::UnexpectedEof)?.1;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn swtpm_quotes_what_it_holds() {
    let Some(mut swtpm) = Swtpm::start("sha256,sha384") else { return };
    let mut tpm = Tpm::new(swtpm.connect());
    tpm.startup().unwrap();
    tpm.startup().unwrap(); // already started is fine
    assert_eq!(tpm.banks().unwrap(), EVIDENCE_BANKS);

    let pcr = Pcr::try_from(14).unwrap();
    tpm.pcr_extend(pcr, &[(Bank::Sha256, &[1; 32]), (Bank::Sha384, &[2; 48])]).unwrap();
    let sha256 = tpm.pcr_read(Bank::Sha256, PcrSet::STATIC).unwrap();
    let sha384 = tpm.pcr_read(Bank::Sha384, PcrSet::STATIC).unwrap();
    assert_eq!(sha256.iter().map(|(pcr, _)| pcr.number()).collect::<Vec<_>>(), (0..16).collect::<Vec<_>>());
    assert_eq!(sha256[14].1, Sha256::digest([[0; 32], [1; 32]].concat()).as_slice());
    assert_eq!(sha384[14].1, Sha384::digest([[0; 48], [2; 48]].concat()).as_slice());
    assert_eq!(tpm.pcr_read(Bank::Sha384, PcrSet::one(pcr)).unwrap(), [(pcr, sha384[14].1.clone())]);

    let key = tpm.create_attestation_key().unwrap();
    assert_eq!(tpm.read_public(key.handle()).unwrap(), (key.public().to_vec(), key.name()));
    let quote = tpm.quote(&key, &[9; 32]).unwrap();
    let attest = check_quote(&key, &quote, &[9; 32]);
    // pcrDigest, at the end: SHA-256 over the values in the order of the selection.
    let mut hash = Sha256::new();
    for (_, value) in sha256.iter().chain(&sha384) {
        hash.update(value);
    }
    assert!(attest.ends_with(&hash.finalize()));
    tpm.flush_context(key.handle()).unwrap();

    // The same key after a power cycle, without anything stored; and no handle is leaked by asking often.
    drop(tpm);
    swtpm.restart();
    let mut tpm = Tpm::new(swtpm.connect());
    tpm.startup().unwrap();
    for _ in 0..8 {
        assert_eq!(attestation_key(&mut tpm).unwrap().name(), key.name());
    }
    tpm.shutdown().unwrap();
}

#[test]
fn swtpm_s_refusals_are_named() {
    let Some(swtpm) = Swtpm::start("sha256") else { return };
    let mut tpm = Tpm::new(swtpm.connect());
    let early = tpm.banks().unwrap_err().to_string();
    assert!(early.contains("TPM_RC_INITIALIZE"), "{early}");
    tpm.startup().unwrap();
    let gone = tpm.flush_context(0x8000_0000).unwrap_err().to_string();
    assert!(gone.contains("TPM_RC_HANDLE"), "{gone}");
    let key = tpm.create_attestation_key().unwrap();
    let missing = tpm.quote(&key, &[0; 32]);
    assert!(matches!(missing, Err(TpmError::BankMissing { bank: Bank::Sha384 })), "{missing:?}");
    let short = tpm.pcr_extend(Pcr::try_from(14).unwrap(), &[(Bank::Sha256, &[0; 31])]);
    assert!(matches!(short, Err(TpmError::DigestLength { found: 31, .. })));
}

#[test]
fn pcr_numbers_end_at_23() {
    assert!(Pcr::try_from(23).is_ok());
    assert_eq!(Pcr::try_from(24), Err(NotAPcr(24)));
}
