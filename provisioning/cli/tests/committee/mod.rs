//! Committees of processes on the loopback, their evidence forged.

mod place;

use place::Place;

const PUT: &str = r#"{"op":"put","key":"colour","value":"blue"}"#;

/// Who has a ticket writes, and a member with another rule than its committee's does not start.
#[test]
fn tickets_are_asked_for_by_the_rule_of_the_group_and_no_member_has_another() {
    let mut place = Place::simulated(&["--tickets"]);
    let shown = place.mint(&["committee", "show", "committee.toml"]);
    assert!(shown.out.contains("required; of simulated desk"), "{shown:?}");
    for slot in 0..3 {
        place.start(slot, &format!("member{slot}.toml"));
    }
    place.begin();
    assert!(place.log(0).contains("tickets    required; of simulated desk"), "{}", place.log(0));
    let at = place.http(0);
    let submit = |more: &[&str]| {
        let mut words = vec!["committee", "submit", "committee.toml", "--at", &at];
        words.extend(more);
        words.extend(["pairs", PUT]);
        place.mint(&words)
    };
    let without = submit(&["--key", "client.key", "--nonce", "1"]);
    assert!(without.code == 1 && without.err.contains("ticket-missing"), "{without:?}");
    let key = place.mint(&["committee", "key", "--tickets", "other.key"]);
    assert_eq!(key.code, 0, "{key:?}");
    let other = submit(&["--key", "other.key", "--ticket", "client.ticket", "--nonce", "1"]);
    assert!(other.code == 1 && other.err.contains("ticket-possession"), "{other:?}");
    let good = ["--key", "client.key", "--ticket", "client.ticket", "--nonce", "1"];
    let first = submit(&good);
    assert!(first.code == 0 && first.out.contains("committed  entry 10 of 11"), "{first:?}");
    let again = submit(&good);
    assert!(again.code == 0 && again.out.contains("committed  entry 10 of 11"), "{again:?}");

    // The issuer gives the other one a ticket of its own; a stranger gives nobody any.
    let subject = key.out.trim();
    let issue = |issuer: &str, scope: &str| {
        let words = [
            "committee",
            "ticket",
            "committee.toml",
            "--issuer",
            issuer,
            "--subject",
            subject,
            "--scope",
            scope,
        ];
        place.mint(&words)
    };
    let strange = issue("other.key", "submit-pairs");
    assert!(strange.code == 1 && strange.err.contains("no-issuer"), "{strange:?}");
    let beyond = issue("issuer.key", "submit-everything");
    assert!(beyond.code == 1 && beyond.err.contains("ticket-issuer"), "{beyond:?}");
    place.write("other.ticket", &issue("issuer.key", "submit-pairs").out);
    let own = submit(&["--key", "other.key", "--ticket", "other.ticket", "--nonce", "1"]);
    assert!(own.code == 0 && own.out.contains("entry 11 of 12"), "{own:?}");

    // Another rule: refused where the file says the signature twice, and by the disk where it does not.
    place.kill(2);
    let file = place.read("committee.toml");
    let changed = file.replace("max_lifetime = 86400", "max_lifetime = 604800");
    place.write("changed.toml", &changed);
    let unpinned: String =
        changed.lines().filter(|line| !line.starts_with("tickets = ")).flat_map(|l| [l, "\n"]).collect();
    place.write("unpinned.toml", &unpinned);
    let open = unpinned.split("[[tickets.issuers]]").next().unwrap().to_owned()
        + &unpinned[unpinned.find("[[peers]]").unwrap()..];
    place.write("open.toml", &open);
    for (shared, due) in
        [("changed", "acl.tickets"), ("unpinned", "of another group"), ("open", "of another group")]
    {
        let member = place.read("member2.toml").replace("committee.toml", &format!("{shared}.toml"));
        place.write("member.toml", &member);
        let refused = place.mint(&["committee", "run", "member.toml", "--simulated", "release.json"]);
        assert!(refused.code == 2 && refused.err.contains(due), "{shared}: {refused:?}");
    }
    // Whom nobody could answer for: said at the start, not to every client.
    let asks = format!(
        "{unpinned}\n[[tickets.require]]\nkind = \"market-settlement\"\nmarket = \"{}\"\n",
        "ab".repeat(32)
    );
    place.write("asks.toml", &asks);
    place.write("member.toml", &place.read("member2.toml").replace("committee.toml", "asks.toml"));
    let unmet = place.mint(&["committee", "run", "member.toml", "--simulated", "release.json"]);
    assert!(unmet.code == 2 && unmet.err.contains("ticket-rule"), "{unmet:?}");
}

/// Where all must cosign, one lost machine stops the committee: it says so, and can be recovered.
#[test]
fn a_committee_whose_quorum_is_all_is_recovered_after_one_loss() {
    let mut place = Place::simulated(&["--quorum", "3"]);
    for slot in 0..3 {
        place.start(slot, &format!("member{slot}.toml"));
    }
    place.begin();
    place.client_key();
    let first = place.submit("1", PUT);
    assert_eq!(first.code, 0, "{first:?}");
    place.kill(2);
    let recover = ["committee", "recover", "committee.toml", "--order", "order.json"];
    place.until("the leader knows that slot 2 is gone", |place| {
        place.mint(&["committee", "status", "committee.toml"]).code == 1
    });
    let short = place.mint(&recover);
    assert!(short.code == 1 && short.err.contains("error: short"), "{short:?}");
    assert!(short.err.contains("stop those members and start them again"), "{short:?}");
    // Nor is a machine let in that too few could witness.
    place.start(2, "member2.toml");
    place.until("slot 2 waits", |place| {
        place.mint(&["committee", "status", "committee.toml"]).out.contains("unsigned")
    });
    let alone = place.admit("slot2.key");
    assert!(alone.code == 1 && alone.err.contains("error: short"), "{alone:?}");
    assert!(alone.err.contains("2 other members count, and 3 must sign"), "{alone:?}");
    place.kill(2);
    for slot in [0, 1] {
        place.kill(slot);
    }
    for slot in 0..3 {
        place.start(slot, &format!("member{slot}.toml"));
    }
    place.until("all wait with their disks", |place| {
        place.mint(&["committee", "status", "committee.toml"]).out.matches("waiting").count() == 3
    });
    let mut words = recover.to_vec();
    words.extend(["--key", "slot0.key", "--key", "slot1.key", "--key", "slot2.key", "--submit"]);
    let recovered = place.mint(&words);
    assert!(recovered.code == 0 && recovered.out.contains("in epoch 1"), "{recovered:?}");
    place.until("all are in", |place| place.mint(&["committee", "status", "committee.toml"]).code == 0);
    let second = place.submit("2", PUT);
    assert!(second.code == 0 && second.out.contains("epoch 1"), "{second:?}");
    let kept = place.submit("1", PUT);
    assert!(
        kept.code == 0 && kept.out.contains("committed  entry 10 of"),
        "what was acknowledged is there: {kept:?}"
    );
}

/// `admit` comes back when the machine counts: then, and not before, another may be stopped.
#[test]
fn an_admitted_machine_counts_when_admit_comes_back() {
    let mut place = Place::simulated(&[]);
    for slot in 0..3 {
        place.start(slot, &format!("member{slot}.toml"));
    }
    place.begin();
    place.client_key();
    for slot in [1, 2, 0] {
        place.kill(slot);
        place.start(slot, &format!("member{slot}.toml"));
        place.until("the machine waits for a signature", |place| {
            place.mint(&["committee", "status", "committee.toml"]).out.contains("unsigned")
        });
        let admitted = place.admit(&format!("slot{slot}.key"));
        assert_eq!(admitted.code, 0, "{admitted:?}");
        assert!(admitted.out.contains("it votes, and may cosign"), "{admitted:?}");
        // The next is killed at once.
    }
    let written = place.submit("1", PUT);
    assert_eq!(written.code, 0, "{written:?}");
    // Nobody waits there now.
    let nothing = place.admit("slot0.key");
    assert!(nothing.code == 2 && nothing.err.contains("nothing-pending"), "{nothing:?}");
}
