//! What clients did and were told, and whether one register a key explains it.

use std::collections::BTreeMap;

use hallmark_committee::Outcome;
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

/// One operation on a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    Write(String),
    Read,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// A write's final fate.
    Outcome { outcome: Outcome, epoch: u64 },
    /// A read's value.
    Value(Option<String>),
}

#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(crate) clerk: usize,
    pub(crate) nonce: u64,
    pub(crate) key: String,
    pub(crate) op: Op,
    pub(crate) start: u64,
    /// When and what it was told; nothing if it never was.
    pub(crate) end: Option<(u64, Told)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Thread(usize, usize);

#[derive(Debug, Clone, PartialEq)]
enum Invoked {
    Write(String),
    Read,
}

#[derive(Debug, Clone, PartialEq)]
enum Returned {
    Ok,
    Value(Option<String>),
}

#[derive(Debug, Clone, Default)]
struct Register(Option<String>);

impl SequentialSpec for Register {
    type Op = Invoked;
    type Ret = Returned;

    fn invoke(&mut self, op: &Invoked) -> Returned {
        match op {
            Invoked::Write(value) => {
                self.0 = Some(value.clone());
                Returned::Ok
            }
            Invoked::Read => Returned::Value(self.0.clone()),
        }
    }
}

/// Whether the operations on each key are those of one register, in an order that agrees with real time. Writes with the fate
/// `invalid` never happened; those without a fate may have. `until`: a recovery that dropped what a quorum had signed ends the promise.
pub(crate) fn linearizable(done: &[Done], until: Option<u64>) -> Result<usize, String> {
    let mut keys: BTreeMap<&str, Vec<&Done>> = BTreeMap::new();
    for op in done {
        keys.entry(&op.key).or_default().push(op);
    }
    let mut checked = 0;
    for (key, ops) in keys {
        let mut events = Vec::new();
        for (at, op) in ops.iter().enumerate() {
            if until.is_some_and(|until| op.start >= until) {
                continue;
            }
            let end = op.end.as_ref().filter(|(end, _)| until.is_none_or(|until| *end < until));
            let invalid = matches!(end, Some((_, Told::Outcome { outcome: Outcome::Invalid { .. }, .. })));
            if invalid || (end.is_none() && op.op == Op::Read) {
                continue;
            }
            // At one instant calls come before returns: that makes them concurrent.
            events.push((op.start, 0, at));
            events.extend(end.map(|(end, _)| (*end, 1, at)));
        }
        events.sort_unstable();
        let mut tester = LinearizabilityTester::new(Register::default());
        // A client whose operation has no answer goes on as another thread.
        let mut thread = BTreeMap::new();
        for (_, kind, at) in events {
            let op = ops[at];
            let ended = op.end.as_ref().filter(|(end, _)| until.is_none_or(|until| *end < until));
            let id = Thread(op.clerk, *thread.entry(op.clerk).or_insert(0));
            if kind == 0 {
                let invoked = match &op.op {
                    Op::Write(value) => Invoked::Write(value.clone()),
                    Op::Read => Invoked::Read,
                };
                tester.on_invoke(id, invoked)?;
                if ended.is_none() {
                    *thread.entry(op.clerk).or_insert(0) += 1;
                }
            } else {
                let returned = match &op.end {
                    Some((_, Told::Value(value))) => Returned::Value(value.clone()),
                    _ => Returned::Ok,
                };
                tester.on_return(id, returned)?;
                checked += 1;
            }
        }
        if !tester.is_consistent() {
            return Err(format!("operations on {key:?} are not those of one register: {ops:#?}"));
        }
    }
    Ok(checked)
}

#[test]
fn a_stale_read_is_not_linearizable() {
    let op = |clerk, op, start, end, told| Done {
        clerk,
        nonce: start,
        key: "a".into(),
        op,
        start,
        end: Some((end, told)),
    };
    let wrote = |first| Told::Outcome { outcome: Outcome::Committed { first, entries: 1 }, epoch: 0 };
    let mut done = vec![
        op(0, Op::Write("1".into()), 0, 10, wrote(0)),
        op(0, Op::Write("2".into()), 11, 20, wrote(1)),
        op(1, Op::Read, 15, 25, Told::Value(Some("1".into()))),
    ];
    assert_eq!(linearizable(&done, None), Ok(3));
    done.push(op(1, Op::Read, 26, 30, Told::Value(Some("1".into()))));
    assert!(linearizable(&done, None).is_err());
    let lost = Told::Outcome { outcome: Outcome::Invalid { index: 3 }, epoch: 0 };
    done.truncate(2);
    done.push(op(2, Op::Write("3".into()), 21, 50, lost));
    done.push(op(1, Op::Read, 51, 60, Told::Value(Some("3".into()))));
    assert!(linearizable(&done, None).is_err(), "what is invalid is never seen");
    // But before a recovery that dropped what a quorum had signed it may have been.
    done.truncate(2);
    let lost = Told::Outcome { outcome: Outcome::Invalid { index: 3 }, epoch: 1 };
    done.push(op(2, Op::Write("3".into()), 21, 50, lost));
    done.push(op(1, Op::Read, 30, 40, Told::Value(Some("3".into()))));
    assert_eq!(linearizable(&done, Some(45)), Ok(3));
    assert!(linearizable(&done, Some(60)).is_err());
}
