//! Every parser of outside bytes, as a fuzz target.
//!
//! A target fails by panicking: a parser must answer anything with a value or an error, in bounded time and memory,
//! and a value must hold together when it is used. Where a signature stands between the bytes and a verdict, the target
//! also holds that nothing but what the forge signed gets past it. The library's own tests feed each target its forged
//! seeds, their truncations and simple damage; `scripts/fuzz` runs libFuzzer on them.
//!
//! It does not show that a refusal is the right one: that is what the tests of each crate are for.

mod attested;
mod booted;
mod documents;
mod group;
mod identity;
mod known;
mod log;
mod members;
mod seeds;
mod small_disk;

pub use seeds::seeds;

/// A parser to be fuzzed.
#[derive(Clone, Copy)]
pub struct Target {
    /// As `scripts/fuzz` calls it.
    pub name: &'static str,
    /// Takes anything.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "quote", run: attested::quote },
    Target { name: "collateral", run: attested::collateral },
    Target { name: "chain", run: attested::chain },
    Target { name: "event-log", run: attested::event_log },
    Target { name: "tpm-quote", run: attested::tpm_quote },
    Target { name: "evidence", run: attested::evidence },
    Target { name: "release", run: documents::release },
    Target { name: "policy", run: documents::policy },
    Target { name: "lock", run: documents::lock },
    Target { name: "pe", run: booted::pe },
    Target { name: "gpt", run: booted::gpt },
    Target { name: "coalition", run: identity::coalition },
    Target { name: "manifest", run: identity::manifest },
    Target { name: "ticket", run: identity::ticket },
    Target { name: "entry", run: log::entry },
    Target { name: "checkpoint", run: log::checkpoint },
    Target { name: "proof", run: log::proof },
    Target { name: "tile", run: log::tile },
    Target { name: "peer", run: members::peer },
    Target { name: "proposals", run: members::proposals },
    Target { name: "snapshot", run: members::snapshot },
    Target { name: "frames", run: members::frames },
    Target { name: "member-files", run: members::member_files },
    Target { name: "ceremony", run: members::ceremony },
    Target { name: "receipt", run: members::receipt },
    Target { name: "submissions", run: members::submissions },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that are not random but look it.
    fn noise(seed: u64) -> impl Iterator<Item = u8> {
        let mut state = seed;
        std::iter::repeat_with(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
    }

    #[test]
    fn every_target_has_seeds_and_survives_their_damage() {
        for target in TARGETS {
            let seeds = seeds(target.name);
            assert!(!seeds.is_empty() && seeds.iter().all(|s| !s.is_empty()), "{}", target.name);
            // A number of places in all, however many and long the seeds are.
            let places = 1000_usize.div_ceil(seeds.len());
            for seed in seeds {
                (target.run)(&seed);
                for at in (0..seed.len()).step_by(seed.len().div_ceil(places)) {
                    (target.run)(&seed[..at]);
                    let mut damaged = seed.clone();
                    damaged[at] ^= 0x80 >> (at % 8);
                    (target.run)(&damaged);
                }
            }
        }
    }

    #[test]
    fn every_target_survives_noise() {
        for target in TARGETS {
            for round in 0..200_u64 {
                let length = usize::try_from(round * round % 5000).unwrap();
                (target.run)(&noise(round).take(length).collect::<Vec<_>>());
            }
            (target.run)(&vec![0; 1 << 20]);
            (target.run)(&vec![0xff; 1 << 20]);
        }
    }

    #[test]
    fn seeds_reach_the_end_of_their_target() {
        assert!(
            known::TDX.machines.len() > 5 && known::VTPM.machines.len() > 1,
            "what the forge signed counts"
        );
        let disks = seeds("gpt");
        assert!(disks.iter().all(|disk| disk.len() <= 1 << 16), "small enough to mutate");
        assert_eq!(disks.len(), 2);
        let found = disks.iter().filter(|disk| hallmark_measurement::locate_uki(disk).is_ok()).count();
        assert_eq!(found, disks.len(), "every disk boots");
        let folder = members::scratch("seeds");
        let rules = seeds("member-files").into_iter().filter(|seed| seed[0] == 0).map(|seed| {
            std::fs::write(folder.join("committee.toml"), &seed[1..]).unwrap();
            let file =
                hallmark_committee::member::CommitteeFile::read(&folder.join("committee.toml")).unwrap();
            file.committee.acl().tickets() != hallmark_coalition::TicketValidator::new().signature()
        });
        assert_eq!(rules.collect::<Vec<_>>(), [false, true], "one of them asks for tickets");
    }
}
