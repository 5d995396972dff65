//! Random requests to every interface.
//!
//! A case is made from the seed and its number alone, so `fuzz --seed S --first N --cases 1` sends it again. What is judged is
//! the kind of response, never its content: whatever a client sends, it is answered, and not by a fault of ours.

mod graphql;
mod grpc;
mod outcome;
mod rest;
mod schema;
mod socket;
mod text;

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::ensure;
use parking_lot::Mutex;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use self::{graphql::GraphqlFuzz, grpc::GrpcFuzz, outcome::Outcome, schema::Schema};
use crate::{output::print, stack::Stack};

/// Findings of one interface with one answer that are shown; more of them are counted.
const SHOWN: u64 = 5;

/// Everything that a case may use.
struct Targets<'a> {
    stack: &'a Stack,
    graphql: GraphqlFuzz,
    grpc: GrpcFuzz,
}

#[derive(Debug, Default)]
struct Report {
    answers: BTreeMap<(&'static str, String), Count>,
    findings: Vec<String>,
}

#[derive(Debug, Default)]
struct Count {
    cases: u64,
    faults: u64,
}

impl Report {
    fn add(&mut self, number: u64, outcome: Outcome) {
        let interface = outcome.interface;
        let count = self.answers.entry((interface, outcome.answer)).or_default();
        count.cases += 1;
        if let Some(fault) = outcome.fault {
            count.faults += 1;
            if count.faults <= SHOWN {
                let sentence = format!("case {number}, {interface}: {fault}");
                self.findings.push(sentence);
            }
        }
    }
}

/// Sends the cases of `numbers`.
///
/// # Errors
/// When an answer is a fault; the findings are printed.
pub(crate) async fn run(
    stack: &Stack,
    seed: u64,
    numbers: Range<u64>,
    workers: u64,
) -> anyhow::Result<()> {
    let targets = Targets {
        stack,
        graphql: GraphqlFuzz::new(stack, Schema::introspect(stack).await?).await?,
        grpc: GrpcFuzz::new(stack)?,
    };
    let report = Arc::new(Mutex::new(Report::default()));
    let next = AtomicU64::new(numbers.start);
    let work = async || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= numbers.end {
                return;
            }
            let outcome = case(&targets, seed, number).await;
            report.lock().add(number, outcome);
        }
    };
    futures::future::join_all((0..workers.max(1)).map(|_| work())).await;
    let report = report.lock();
    print("    cases   faults  interface  answer")?;
    for ((interface, answer), Count { cases, faults }) in &report.answers {
        print(&format!("{cases:>9}{faults:>9}  {interface:<10} {answer}"))?;
    }
    for finding in &report.findings {
        print(finding)?;
    }
    let cases = numbers.end - numbers.start;
    let faults: u64 = report.answers.values().map(|count| count.faults).sum();
    ensure!(
        faults == 0,
        "{faults} of {cases} cases with seed {seed} found a fault"
    );
    print(&format!("{cases} cases with seed {seed}: no fault"))
}

async fn case(targets: &Targets<'_>, seed: u64, number: u64) -> Outcome {
    let mut random = StdRng::seed_from_u64(seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    match random.random_range(0..100) {
        0..45 => targets.graphql.http(&mut random, targets.stack).await,
        45..55 => targets.graphql.subgraph(&mut random, targets.stack).await,
        55..60 => targets.graphql.websocket(&mut random, targets.stack).await,
        60..80 => rest::request(&mut random, targets.stack).await,
        80..95 => targets.grpc.call(&mut random).await,
        _ => socket::connection(&mut random, targets.stack).await,
    }
}
