//! Each known abuse, sent a hundred times: whether it is refused as it must be, and the processor time of all services for one.
//!
//! A refusal must cost less than what it refuses: at most 2 ms. What is accepted although it is as dear as the limits allow may
//! cost at most 5 ms to plan and validate. `--enforce-cost` fails above; without it the figures are only shown, because a debug
//! build or a busy machine says nothing about them.

mod cases;

use std::time::{Duration, Instant};

use anyhow::ensure;
use futures::StreamExt as _;
use reqwest::StatusCode;
use serde_json::Value;

use self::cases::{Abuse, Expected};
use crate::{output::print, processor, stack::Stack};

/// How often each is sent.
const REPEATS: u64 = 100;
/// Requests that are under way at once.
const CONCURRENCY: usize = 4;
/// For how long the services are watched while nobody asks them anything.
const IDLE: Duration = Duration::from_secs(3);

const REFUSAL_MAX: Duration = Duration::from_millis(2);
const ACCEPTED_MAX: Duration = Duration::from_millis(5);

/// Tries the abuses whose name contains `only`.
///
/// # Errors
/// When one was not refused as it must be; with `enforce_cost` also when it was too dear.
pub(crate) async fn run(stack: &Stack, enforce_cost: bool, only: &str) -> anyhow::Result<()> {
    let token = stack.token(7_001, false).await?;
    let idle = idle_share(stack).await;
    let mut faults = Vec::new();
    print("| abuse | answer | CPU of all services, ms each |\n|---|---|---:|")?;
    for abuse in cases::ALL.iter().filter(|abuse| abuse.name.contains(only)) {
        let (answer, cost) = try_one(stack, &token, abuse, idle).await;
        print(&format!(
            "| {} | {answer} | {:.2} |",
            abuse.name,
            cost.as_secs_f64() * 1_000.0
        ))?;
        let max = match abuse.expected {
            Expected::Refused(_) => REFUSAL_MAX,
            Expected::Accepted => ACCEPTED_MAX,
        };
        if !abuse.expected.is_met(&answer) {
            faults.push(format!(
                "{}: {answer}, expected {:?}",
                abuse.name, abuse.expected
            ));
        }
        if enforce_cost && cost > max {
            faults.push(format!("{}: {cost:?} is over {max:?}", abuse.name));
        }
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
async fn try_one(stack: &Stack, token: &str, abuse: &Abuse, idle: f64) -> (String, Duration) {
    let first = send(stack, token, abuse, 0).await;
    let (started, before) = (Instant::now(), processor::time(stack.services()));
    let sent = futures::stream::iter(1..=REPEATS)
        .map(|number| send(stack, token, abuse, number))
        .buffer_unordered(CONCURRENCY)
        .collect::<Vec<_>>()
        .await;
    let used = processor::time(stack.services()).saturating_sub(before);
    let own = used.as_secs_f64() - idle * started.elapsed().as_secs_f64();
    let other = sent.iter().find(|answer| !abuse.expected.is_met(answer));
    let answer = other.unwrap_or(&first).clone();
    #[expect(clippy::cast_precision_loss, reason = "a hundred")]
    let each = own.max(0.0) / REPEATS as f64;
    (answer, Duration::from_secs_f64(each))
}

/// The code of the answer, or its status.
async fn send(stack: &Stack, token: &str, abuse: &Abuse, number: u64) -> String {
    let Ok(response) = (abuse.request)(stack, token, number).send().await else {
        // A body that is too large is not read to its end, and its sender may see no more than that.
        return "cut".to_owned();
    };
    let status = response.status();
    let body = response.bytes().await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let code = &body["errors"][0]["extensions"]["code"];
    match code.as_str().or_else(|| body["code"].as_str()) {
        Some(code) => code.to_owned(),
        None if status == StatusCode::OK => "served".to_owned(),
        None => status.as_u16().to_string(),
    }
}
