//! How large everything is: for a record, and for a look whether all still works.

use std::time::Duration;

use serde::Serialize;

/// The sizes of one run.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Sizes {
    /// Subscribers of the same, and those who are each somebody else.
    pub(crate) identical: usize,
    pub(crate) distinct: usize,
    /// Events to everybody.
    pub(crate) events: usize,
    /// Buyers who follow their own orders, and operators who follow all.
    pub(crate) owners: usize,
    pub(crate) operators: usize,
    /// Orders a second: a load, and so few that none waits for another.
    pub(crate) rate: u32,
    pub(crate) low_rate: u32,
    pub(crate) time: Duration,
    /// Events that lie between a resuming buyer and now, and how many resume.
    pub(crate) history: usize,
    pub(crate) resuming: usize,
}

impl Sizes {
    pub(crate) const RECORD: Self = Self {
        identical: 10_000,
        distinct: 2_000,
        events: 5,
        owners: 1_000,
        operators: 50,
        rate: 200,
        low_rate: 20,
        time: Duration::from_secs(20),
        history: 203_000,
        resuming: 200,
    };

    pub(crate) const QUICK: Self = Self {
        identical: 500,
        distinct: 200,
        events: 3,
        owners: 100,
        operators: 5,
        rate: 20,
        low_rate: 10,
        time: Duration::from_secs(5),
        history: 20_000,
        resuming: 20,
    };
}
