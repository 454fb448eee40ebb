use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::advice::Advice;
use crate::media::Writes;
use crate::programs::{Program, TpmPrograms};
use crate::progress::{Event, Stage};
use crate::rom;

const LONG: Duration = Duration::from_secs(20);

/// A plan for `rom` under emulation, with a disk of one sector; `None`, said aloud, without QEMU.
fn plan(folder: &Path, rom: &[u8]) -> Option<Plan> {
    let Ok(qemu) = Program::Qemu.locate() else {
        eprintln!("skipped: no qemu-system-x86_64");
        return None;
    };
    Some(plan_with(qemu, folder, rom))
}

fn plan_with(qemu: PathBuf, folder: &Path, rom: &[u8]) -> Plan {
    let (firmware, disk) = (folder.join("rom"), folder.join("disk"));
    std::fs::write(&firmware, rom).unwrap();
    std::fs::write(&disk, [0; 512]).unwrap();
    let firmware = Firmware::open(&firmware).unwrap();
    let disk = Disk::open(&disk, Writes::Refused).unwrap();
    let mut plan = Plan::new(qemu, firmware, disk, &folder.join("run"));
    plan.accelerator = Some(Accelerator::Tcg);
    plan.shape = Shape::new(16, 1).unwrap();
    plan
}

/// A program in QEMU's place: it finds out where the console and the control socket are, greets on the
/// latter (with perl, which Debian always has), and then does `script` with `$console` and `$qmp`.
fn fake(folder: &Path, greets: bool, script: &str) -> Plan {
    let mut text = String::from(
        "#!/bin/sh\nfor a in \"$@\"; do case $a in\n\
         file,id=console,path=*) console=${a#*path=};;\n\
         socket,id=qmp,path=*) qmp=${a#*path=}; qmp=${qmp%%,*};;\nesac; done\n",
    );
    if greets {
        text.push_str(
            "perl -MIO::Socket::UNIX -e '$l = IO::Socket::UNIX->new(Local => shift, Listen => 1); \
             $c = $l->accept; $c->autoflush; print $c \"{\\\"QMP\\\": {}}\\n\"; \
             while (<$c>) { print $c \"{\\\"return\\\": {}, \\\"id\\\": $1}\\n\" if /\"id\":(\\d+)/ }' \"$qmp\" \
             >/dev/null 2>&1 &\n\
             while [ ! -S \"$qmp\" ]; do sleep 0.01; done\n",
        );
    }
    writeln!(text, "{script}").unwrap();
    let qemu = folder.join("qemu");
    std::fs::write(&qemu, text).unwrap();
    std::fs::set_permissions(&qemu, std::fs::Permissions::from_mode(0o755)).unwrap();
    plan_with(qemu, folder, &rom::saying(""))
}

fn quiet() -> impl FnMut(&Event) {
    |event| eprintln!("{event}")
}

const START: &str = "BdsDxe: loading Boot0001\r\nBdsDxe: starting Boot0001 \"UEFI Misc Device\"\r\n\
                     hallmark: stage: mounts 0.1\r\nhallmark: ready: http 8080 ip 10.0.2.15\r\n";

#[test]
fn a_real_machine_is_ready_and_powers_off_by_its_button() {
    let folder = tempfile::tempdir().unwrap();
    let Some(plan) = plan(folder.path(), &rom::saying(START)) else { return };
    let mut events = Vec::new();
    let mut tell = |event: &Event| events.push(event.clone());
    let mut vm = Vm::boot(&plan, &mut tell).unwrap();
    let ready = vm.wait_ready(LONG, &mut tell).unwrap();
    assert_eq!(ready.detail, "http 8080 ip 10.0.2.15");
    let finished: Vec<_> = events
        .iter()
        .filter_map(|event| if let Event::Finished { stage, .. } = event { Some(*stage) } else { None })
        .collect();
    assert_eq!(finished, [Stage::Firmware, Stage::Kernel, Stage::Guest], "{events:?}");
    assert!(events.contains(&Event::Said("stage: mounts 0.1".into())), "{events:?}");

    // The port is there, and nobody is behind it.
    let limits = Limits { time: Duration::from_millis(300), body: 10 };
    assert!(vm.get("/status", limits).is_err());
    assert!(vm.wait_exit(Duration::ZERO).is_none());
    let console = vm.console().to_owned();
    let off = vm.power_off(LONG).unwrap();
    assert_eq!(off.manner, Manner::Guest);
    assert_eq!(std::fs::read_to_string(console).unwrap(), START);
}

#[test]
fn a_real_machine_with_a_tpm() {
    let folder = tempfile::tempdir().unwrap();
    let Ok(programs) = TpmPrograms::locate() else {
        eprintln!("skipped: no swtpm");
        return;
    };
    let Some(mut plan) = plan(folder.path(), &rom::saying(START)) else { return };
    let state = TpmState::open(&programs, &folder.path().join("tpm")).unwrap();
    plan.tpm = Some(state.clone());
    plan.accelerator = None;
    let mut vm = Vm::boot(&plan, &mut quiet()).unwrap();
    vm.wait_ready(LONG, &mut quiet()).unwrap();
    assert_eq!(vm.power_off(LONG).unwrap().manner, Manner::Guest);
    // Its TPM is gone too: the state can be used again at once.
    state.session(|_| Ok::<_, ()>(())).unwrap();
}

#[test]
fn a_machine_that_ignores_its_button_is_ended_by_qemu() {
    let folder = tempfile::tempdir().unwrap();
    let Some(plan) = plan(folder.path(), &rom::deaf(START)) else { return };
    let mut vm = Vm::boot(&plan, &mut quiet()).unwrap();
    vm.wait_ready(LONG, &mut quiet()).unwrap();
    assert_eq!(vm.power_off(Duration::from_millis(200)).unwrap().manner, Manner::Quit);
}

#[test]
fn a_machine_that_resets_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let Some(plan) = plan(folder.path(), &rom::resetting("hallmark: stage: x\r\nno more")) else { return };
    let mut vm = Vm::boot(&plan, &mut quiet()).unwrap();
    let error = vm.wait_ready(LONG, &mut quiet()).unwrap_err();
    assert!(matches!(error, WaitError::Ended { stage: Stage::Guest, .. }), "{error}");
    assert_eq!(error.tail().unwrap().0, ["hallmark: stage: x", "no more"]);
    assert_eq!(vm.power_off(Duration::ZERO).unwrap().manner, Manner::AlreadyOff);
}

#[test]
fn dropping_a_machine_ends_it_and_frees_its_port() {
    let folder = tempfile::tempdir().unwrap();
    let Some(plan) = plan(folder.path(), &rom::saying(START)) else { return };
    let vm = Vm::boot(&plan, &mut quiet()).unwrap();
    let address = vm.address();
    drop(vm);
    std::net::TcpListener::bind(address).unwrap();
}

#[test]
fn a_port_that_is_taken_is_said_or_another_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let Some(mut plan) = plan(folder.path(), &rom::saying(START)) else { return };
    let first = Vm::boot(&plan, &mut quiet()).unwrap();
    let error = Vm::boot(&plan, &mut quiet()).unwrap_err();
    assert!(matches!(error, BootError::Busy { .. }), "{error}");
    plan.folder = folder.path().join("second");
    let second = Vm::boot(&plan, &mut quiet()).unwrap();
    assert_ne!(first.address(), second.address());
    plan.host_port = Some(taken.local_addr().unwrap().port());
    let error = Vm::boot(&plan, &mut quiet()).unwrap_err();
    assert!(matches!(error, BootError::Busy { .. }));
    plan.folder = folder.path().join("third");
    let error = Vm::boot(&plan, &mut quiet()).unwrap_err();
    assert!(matches!(error, BootError::Port { .. }));
    assert_eq!(error.slug(), "boot-port");
}

#[test]
fn qemu_that_refuses_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let plan = fake(folder.path(), false, "echo \"qemu: -sandbox: invalid option\" >&2; exit 1");
    let error = Vm::boot(&plan, &mut quiet()).unwrap_err();
    assert!(
        error.three_lines().contains("\nwhy: qemu: -sandbox: invalid option\nhint: "),
        "{}",
        error.three_lines()
    );
}

#[test]
fn a_lost_race_for_the_port_is_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("once");
    let script = format!(
        "[ -e {m} ] && exit 7\n: > {m}\necho \"Could not set up host forwarding rule 'tcp:...'\" >&2; exit 1",
        m = marker.display()
    );
    let error = Vm::boot(&fake(folder.path(), false, &script), &mut quiet()).unwrap_err();
    assert!(matches!(error, BootError::Ended { status, .. } if status.code() == Some(7)), "{error}");
}

/// What waiting ends with when a fake QEMU does this.
fn outcome(script: &str, limit: Duration) -> Result<Ready, WaitError> {
    let folder = tempfile::tempdir().unwrap();
    let mut vm = Vm::boot(&fake(folder.path(), true, script), &mut quiet()).unwrap();
    vm.wait_ready(limit, &mut quiet())
}

#[test]
fn ends_panics_silence_and_garbage() {
    let wait = "exec sleep 30";
    let ready = outcome(
        &format!(
            "printf 'BdsDxe: starting Boot0001\\nhallmark: ready' >> $console; sleep 0.2; printf '\\n' >> $console; {wait}"
        ),
        LONG,
    );
    assert_eq!(ready.unwrap().detail, "");

    let ended = outcome(
        "printf 'BdsDxe: starting Boot0001\\n' >> $console; sleep 0.1; echo broken >&2; exit 3",
        LONG,
    );
    assert!(
        matches!(&ended, Err(WaitError::Ended { stage: Stage::Kernel, status, output, .. })
            if status.code() == Some(3) && output == "broken"),
        "{ended:?}"
    );

    let panic = "echo '[ 1.0] Kernel panic - not syncing: no init' >> $console; sleep 0.1; echo 'last words' >> $console; exit 0";
    let panicked = outcome(panic, LONG);
    assert!(
        matches!(&panicked, Err(WaitError::Panicked { line, tail }) if line.contains("no init") && tail.0.len() == 2),
        "{panicked:?}"
    );

    let nothing =
        outcome(&format!("echo 'BdsDxe: No bootable option or device was found.' >> $console; {wait}"), LONG);
    assert!(matches!(nothing, Err(WaitError::NotBootable { .. })));

    let silent = outcome(wait, Duration::from_millis(200)).unwrap_err();
    assert!(matches!(silent, WaitError::TimedOut { stage: Stage::Firmware, .. }));
    assert!(silent.three_lines().contains("why: (the console is empty)"), "{}", silent.three_lines());

    let garbage =
        outcome(&format!("head -c 200000 /dev/urandom >> $console; {wait}"), Duration::from_millis(300));
    let tail = garbage.unwrap_err().tail().unwrap().to_string();
    assert!(tail.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));

    let flood = outcome(&format!("yes | head -c 20000000 >> $console; {wait}"), LONG);
    assert!(matches!(flood, Err(WaitError::Flooded { .. })), "{flood:?}");
}

#[test]
fn a_qemu_that_does_not_react_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let plan = fake(folder.path(), true, "exec sleep 30");
    let vm = Vm::boot(&plan, &mut quiet()).unwrap();
    // It answers the power button and "quit" and does neither.
    let off = vm.power_off(Duration::from_millis(50)).unwrap();
    assert_eq!(off.manner, Manner::Killed);
}
