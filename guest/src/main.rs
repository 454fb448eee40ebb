//! PID 1 of the image.

use std::process::ExitCode;

use hallmark_guest::version::GUEST_VERSION;

const WHAT: &str = "\
hallmark-guest: PID 1 of a Hallmark image.

It mounts the kernel's file systems, loads modules, takes an address by DHCP, answers
GET /status and GET /evidence?nonce= on port 8080, and powers the machine off. It does
all that to the machine that it runs on, so it runs as PID 1 only.

    --help      this text
    --version   the version
";

fn main() -> ExitCode {
    // The kernel passes what it does not know of its command line as arguments: PID 1 takes none.
    if std::process::id() == 1 {
        hallmark_guest::init::run();
    }
    match std::env::args().nth(1).as_deref() {
        Some("--version") => println!("hallmark-guest {GUEST_VERSION}"),
        Some("--help") => print!("{WHAT}"),
        _ => {
            eprintln!(
                "error: not-pid-1: this program is the first process of an image, and this is process {}",
                std::process::id()
            );
            eprintln!("why: it would mount, load modules and power off the machine that you are using");
            eprintln!("hint: boot an image with it (mint build, mint boot), or see --help");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
