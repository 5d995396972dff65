//! Each known abuse, sent again and again: whether it is refused as it must be, and the processor time of all services for one.
//!
//! A refusal must name its limit and what would pass, and cost less than what it refuses: at most 2 ms. What is accepted
//! although it is as dear as the limits allow may cost at most 5 ms to plan and validate, and a response as large as one may be
//! 100 ms. `--enforce-cost` fails above; without it the figures are only shown, because a debug build or a busy machine says
//! nothing about them.

mod cases;
mod customers;
mod hoard;
mod patience;
mod verdict;

use std::time::{Duration, Instant};

use anyhow::ensure;
use futures::StreamExt as _;

use self::{cases::Abuse, customers::Customers, verdict::Answer};
use crate::{output::print, processor, stack::Stack};

/// How often each is sent, and how many are under way at once.
const REPEATS: (u64, usize) = (100, 4);
/// The same of one that is dear by what it holds: a crowd of them is what the caller's budget is for, which is off here.
const DEAR_REPEATS: (u64, usize) = (10, 1);
/// For how long the services are watched while nobody asks them anything.
const IDLE: Duration = Duration::from_secs(3);

/// Tries the abuses whose name contains `only`.
///
/// # Errors
/// When one was not refused as it must be; with `enforce_cost` also when it was too dear.
pub(crate) async fn run(stack: &Stack, enforce_cost: bool, only: &str) -> anyhow::Result<()> {
    let customers = Customers::with_orders(stack).await?;
    let idle = idle_share(stack).await;
    let mut faults = Vec::new();
    print("| abuse | answer | CPU of all services, ms each |\n|---|---|---:|")?;
    for abuse in cases::all().filter(|abuse| abuse.name.contains(only)) {
        let (answer, cost) = try_one(stack, &customers, abuse, idle).await;
        print(&format!(
            "| {} | {answer} | {:.2} |",
            abuse.name,
            cost.as_secs_f64() * 1_000.0
        ))?;
        let max = abuse.expected.cost_max();
        if !abuse.expected.is_met(&answer) {
            let expected = abuse.expected;
            faults.push(format!("{}: {answer}, not {expected:?}", abuse.name));
        }
        if enforce_cost && cost > max {
            faults.push(format!("{}: {cost:?} is over {max:?}", abuse.name));
        }
    }
    if only.is_empty() {
        faults.extend(hoard::run(stack).await.err().map(|error| error.to_string()));
    }
    stack.check_processes()?;
    ensure!(
        faults.is_empty(),
        "{} faults\n{}",
        faults.len(),
        faults.join("\n")
    );
    Ok(())
}

/// What the services use while nobody asks them anything, as a share of one processor.
async fn idle_share(stack: &Stack) -> f64 {
    let before = processor::time(stack.services());
    tokio::time::sleep(IDLE).await;
    let used = processor::time(stack.services()).saturating_sub(before);
    used.as_secs_f64() / IDLE.as_secs_f64()
}

/// One answer that is not what must be, if there is one, and what each request cost.
async fn try_one(
    stack: &Stack,
    customers: &Customers,
    abuse: &Abuse,
    idle: f64,
) -> (Answer, Duration) {
    let first = send(stack, customers, abuse, 0).await;
    let (repeats, at_once) = if abuse.expected.is_dear() {
        DEAR_REPEATS
    } else {
        REPEATS
    };
    let (started, before) = (Instant::now(), processor::time(stack.services()));
    let sent = futures::stream::iter(1..=repeats)
        .map(|number| send(stack, customers, abuse, number))
        .buffer_unordered(at_once)
        .collect::<Vec<_>>()
        .await;
    let used = processor::time(stack.services()).saturating_sub(before);
    let own = used.as_secs_f64() - idle * started.elapsed().as_secs_f64();
    let other = sent.iter().find(|answer| !abuse.expected.is_met(answer));
    let answer = other.unwrap_or(&first).clone();
    #[expect(clippy::cast_precision_loss, reason = "a hundred at most")]
    let each = own.max(0.0) / repeats as f64;
    (answer, Duration::from_secs_f64(each))
}

async fn send(stack: &Stack, customers: &Customers, abuse: &Abuse, number: u64) -> Answer {
    match patience::send(|| (abuse.request)(stack, customers, number)).await {
        Ok(response) => Answer::read(response).await,
        Err(_) => Answer::cut(),
    }
}
