//! Beside dcap-qvl 0.7.1, on real evidence and on thousands of ways to spoil it.
//!
//! The two share no code but `serde_json` and DER types. Where they disagree, [`classes::CLASSES`] has to say why;
//! an unexplained disagreement fails with what it takes to make it again. `HALLMARK_DIFFERENTIAL` sets how many
//! mutations are tried, `HALLMARK_DIFFERENTIAL_VERBOSE` names every explained case.

mod case;
mod classes;
mod documents;
mod edit_json;
mod forged;
mod judge;
mod layout;
mod mutate;
mod ours;
mod pem;
mod random;
mod real;
mod theirs;
mod vectors;
mod word;

use case::Case;
use classes::{CLASSES, Shown, Stricter};
use judge::{Tally, ask, explain};
use mutate::MUTATIONS;
use ours::Kept;
use random::Random;
use word::Word;

/// Mutations in a plain run: some seconds.
const MUTATED: usize = 1600;

/// How many mutations are asked for. Of signed documents it is a fifth.
fn count() -> usize {
    std::env::var("HALLMARK_DIFFERENTIAL").map_or(MUTATED, |n| n.parse().unwrap())
}

/// Pairs that both accept, to be spoilt.
fn sound(folder: &std::path::Path) -> Vec<Case> {
    let pairs = vectors::pairs(folder).into_iter().map(|pair| pair.case);
    let sound: Vec<Case> = pairs
        .filter(|case| {
            let (ours, theirs) = ask(case);
            ours.holds() && theirs.holds()
        })
        .collect();
    assert!(sound.len() >= 6, "{} pairs hold", sound.len());
    sound
}

#[test]
fn real_pairs() {
    let Some(folder) = vectors::folder() else { return };
    let pairs = vectors::pairs(&folder);
    // The oracle says what the table of vectors notes of it: the same library, used the same way.
    for pair in &pairs {
        let says = match theirs::word(&pair.case) {
            Word::Holds { status, advisories } => {
                format!("OK {status} {:?}", advisories.into_iter().collect::<Vec<_>>())
            }
            Word::Refused(_) => "ERR".into(),
        };
        assert!(pair.noted.starts_with(&says), "{}: {}, and now {says}", pair.case.what, pair.noted);
    }
    let mut tally = Tally::all(pairs.iter().map(|pair| &pair.case));
    tally.add(Tally::all(&vectors::all(&folder, &pairs)));
    tally.settle("real quotes with every collateral set");
}

#[test]
fn derived_cases() {
    let Some(folder) = vectors::folder() else { return };
    let cases = vectors::derived(&folder);
    for (case, should_succeed) in &cases {
        assert_eq!(ask(case).0.holds(), *should_succeed, "{}", case.what);
    }
    Tally::all(cases.iter().map(|(case, _)| case)).settle("derived cases");
}

#[test]
fn every_instant_at_which_something_begins_or_ends() {
    let Some(folder) = vectors::folder() else { return };
    let mut tally = Tally::default();
    for case in sound(&folder) {
        for instant in real::instants(&case) {
            for now in [instant - 1, instant, instant + 1] {
                tally.judge(&case.at(now).named(format!("{}, but at {now}", case.what)));
            }
        }
    }
    tally.settle("instants");
}

#[test]
fn mutations() {
    let Some(folder) = vectors::folder() else { return };
    let count = count();
    let sound = sound(&folder);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        let sound = &sound;
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                scope.spawn(move || {
                    let mut tally = Tally::default();
                    for seed in (worker..count).step_by(threads) {
                        if let Some(case) = mutated(sound, seed) {
                            tally.judge(&case);
                        }
                    }
                    tally
                })
            })
            .collect();
        workers.into_iter().for_each(|worker| tally.add(worker.join().unwrap()));
    });
    tally.settle(&format!("{count} mutations"));
}

/// The mutation of that seed: the kinds are dealt out in turn.
fn mutated(sound: &[Case], seed: usize) -> Option<Case> {
    let mut random = Random::new(u64::try_from(seed).unwrap());
    let mutation = &MUTATIONS[seed % MUTATIONS.len()];
    let base = random.pick(sound);
    let other = random.pick(sound);
    let case = (mutation.spoil)(base, other, &mut random)?;
    Some(case.named(format!("seed {seed}, {} of {} (and {})", mutation.name, base.what, other.what)))
}

/// A class that nothing falls under would be an excuse in waiting.
#[test]
fn every_class_occurs() {
    let real = vectors::folder().map(|folder| (sound(&folder), vectors::pairs(&folder)));
    for class in CLASSES {
        let cases: Vec<Case> = match (&class.shown, &real) {
            (Shown::Forged(changes), _) => {
                changes.iter().map(|(name, change)| forged::case(name, *change)).collect()
            }
            (_, None) => continue,
            (Shown::Repair { make, repair }, Some((sound, _))) => {
                let made: Vec<Case> = sound.iter().filter_map(make).collect();
                sound.iter().for_each(|case| {
                    let (before, after) = (ask(case).0, repair(case).map(|case| ask(&case).0));
                    assert!(after.is_none_or(|after| after == before), "{}: the repair spoils", class.name);
                });
                made
            }
            (Shown::Kind(is), Some((_, pairs))) => {
                pairs.iter().map(|pair| pair.case.clone()).filter(is).collect()
            }
        };
        assert!(!cases.is_empty(), "{} has no example", class.name);
        for case in cases {
            let (ours, theirs) = ask(&case);
            let sides = match class.stricter {
                Stricter::Ours => !ours.holds() && theirs.holds(),
                Stricter::Theirs => ours.holds() && !theirs.holds(),
                Stricter::OursByStatus => theirs.holds() && ours.says_no_less_than(&theirs) && ours != theirs,
                Stricter::TheirsByStatus => ours.holds() && theirs.says_no_less_than(&ours) && ours != theirs,
            };
            assert!(sides, "{} ({}):\n  ours {ours:?}\n  theirs {theirs:?}", class.name, case.what);
            assert_eq!(
                explain(&case, &ours, &theirs).as_deref(),
                Some(class.name),
                "{}: {ours:?}",
                case.what
            );
        }
        assert!(class.why.len() > 80, "{} is not argued", class.name);
    }
}

#[test]
fn forged_cases() {
    let plain = forged::plain();
    let (ours, theirs) = ask(&plain);
    assert!(ours.holds() && theirs.holds(), "ours {ours:?}, theirs {theirs:?}");
    let mut tally = Tally::default();
    for (name, change) in forged::SAME {
        let case = forged::case(name, *change);
        let (ours, theirs) = ask(&case);
        assert!(ours.agrees(&theirs), "{name}:\n  ours {ours:?}\n  theirs {theirs:?}");
        tally.judge(&case);
    }
    for (name, forged) in hallmark_forge::valid().iter().filter(|(_, forged)| forged.collateral.is_some()) {
        tally.judge(&forged::of(name, forged));
    }
    for (slug, name, forged) in &hallmark_forge::variants() {
        if forged.collateral.is_some() {
            tally.judge(&forged::of(&format!("{slug}: {name}"), forged));
        }
    }
    for bit in 0..64 {
        let flip = 1_u64 << bit;
        tally.judge(&forged::case(&format!("attribute {bit}"), |c| c.quote.body.td_attributes ^= flip));
        tally.judge(&forged::case(&format!("XFAM {bit}"), |c| c.quote.body.xfam ^= flip));
        tally
            .judge(&forged::case(&format!("SEAM attribute {bit}"), |c| c.quote.body.seam_attributes ^= flip));
    }
    tally.settle("forged cases");
}

#[test]
fn documents_of_every_kind() {
    let mut tally = Tally::default();
    let count = count() / 5;
    (0..count).for_each(|seed| tally.judge(&documents::case(u64::try_from(seed).unwrap())));
    tally.settle(&format!("{count} signed documents"));
    assert!(tally.hold >= count / 10, "hardly one of them holds");
}

/// What is kept from a good case must say of another what the whole way says.
#[test]
fn kept_stages_say_the_same() {
    let Some(folder) = vectors::folder() else { return };
    let sound = sound(&folder);
    let kept: Vec<Kept> = sound.iter().map(Kept::of).collect();
    let mut asked = 0;
    for (base, kept) in sound.iter().zip(&kept) {
        for mutation in MUTATIONS.iter().cycle().take(8 * MUTATIONS.len()) {
            let mut random = Random::new(asked);
            asked += 1;
            let other = random.pick(&sound).clone();
            let Some(case) = (mutation.spoil)(base, &other, &mut random) else { continue };
            // Kept collateral is the base's.
            let case = Case { collateral: base.collateral.clone(), ..case };
            let whole = ours::word(&case);
            for word in kept.words(&case) {
                let what = format!("seed {asked}, {} of {} (and {})", mutation.name, base.what, other.what);
                assert!(word.agrees(&whole), "{what}: kept {word:?}, whole {whole:?}");
            }
        }
    }
}
