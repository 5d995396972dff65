//! A load generator that is also a referee: seeded shoppers on the public API, and subscribers that check every frame.
//!
//! The loop is open: arrivals follow the plan whatever the server does, and a latency counts from the moment at which
//! the operation was due, so a stalled server cannot hide its stall. What is under way is bounded; an arrival that finds
//! no room is counted and dropped. Invariants that it checks: a mutation that was answered is in the stream exactly
//! once, and no response is an error that the plan did not provoke. Start reading at [`Load`], then `shopper`.

mod client;
mod crowd;
mod frames;
mod goods;
mod ledger;
mod plan;
mod report;
mod run;
mod shopper;
mod stats;
mod subscriber;

pub use self::{
    client::{Client, Error, Operation, Reply, Response, TRY_LIMIT, until_known},
    ledger::Ledger,
    plan::{Arrivals, Kind, Mix, Plan},
    report::{Memory, Operation as OperationReport, Report, Streams},
    run::{Live, Load, Progress},
    shopper::{CANCEL, PAY},
    subscriber::{Observation, Subscriber, Watched},
};
