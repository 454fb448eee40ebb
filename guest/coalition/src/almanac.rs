//! A shared clock's ticks.

use crate::acl::MAX_SLOTS;
use crate::object::object;
use crate::unique_id::MemberId;

object! {
    /// One tick of an almanac.
    ///
    /// `seq` orders. The times are what members said of their own clocks, which come from their hosts: advice, not order.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct AlmanacTick {
        seq: u64,
        observed_at: Vec<(MemberId, u64)>,
    }
}

/// Times that no tick can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TickError {
    /// More members than a committee has.
    #[error("observed_at: {0} members; a committee has at most {MAX_SLOTS}")]
    Members(usize),
    /// A member twice, or out of order.
    #[error("observed_at: {0} stands there twice or out of order; members ascend")]
    Order(MemberId),
}

impl AlmanacTick {
    /// The tick with number `seq`, at which each member's clock said so many milliseconds since 1970. Members ascend.
    ///
    /// # Errors
    /// [`TickError`] for a member twice or out of order, or more than [`MAX_SLOTS`].
    pub fn new(seq: u64, observed_at: Vec<(MemberId, u64)>) -> Result<Self, TickError> {
        let tick = Self { seq, observed_at };
        tick.check()?;
        Ok(tick)
    }

    fn check(&self) -> Result<(), TickError> {
        if self.observed_at.len() > MAX_SLOTS {
            return Err(TickError::Members(self.observed_at.len()));
        }
        match self.observed_at.windows(2).find_map(|pair| match pair {
            [(before, _), (after, _)] if before >= after => Some(*after),
            _ => None,
        }) {
            Some(member) => Err(TickError::Order(member)),
            None => Ok(()),
        }
    }

    /// Its number.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// What each member's clock said: milliseconds since 1970, by ascending member.
    #[must_use]
    pub fn observed_at(&self) -> &[(MemberId, u64)] {
        &self.observed_at
    }
}

object! {
    /// The ticks between which something holds: from `first` to `last`, both included.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct AlmanacRange {
        first: u64,
        last: u64,
    }
}

/// A range that ends before it begins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("last: tick {last} is before the first, {first}")]
pub struct RangeError {
    /// The first tick.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl AlmanacRange {
    /// From `first` to `last`, both included.
    ///
    /// # Errors
    /// [`RangeError`] where `last` is before `first`.
    pub fn new(first: u64, last: u64) -> Result<Self, RangeError> {
        let range = Self { first, last };
        range.check()?;
        Ok(range)
    }

    fn check(self) -> Result<(), RangeError> {
        if self.last < self.first { Err(RangeError { first: self.first, last: self.last }) } else { Ok(()) }
    }

    /// The first tick.
    #[must_use]
    pub fn first(self) -> u64 {
        self.first
    }

    /// The last tick.
    #[must_use]
    pub fn last(self) -> u64 {
        self.last
    }

    /// Whether the tick is one of them.
    #[must_use]
    pub fn contains(self, seq: u64) -> bool {
        self.first <= seq && seq <= self.last
    }
}
