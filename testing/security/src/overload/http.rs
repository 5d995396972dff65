//! GraphQL and REST at the router's door: reads, payments, orders and calls over REST in an open loop, so those who are refused do
//! not slow the others down.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use reqwest::{RequestBuilder, Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::{
    answer::{Answer, DEADLINE},
    stored::stored,
};
use crate::{output::print, stack::Stack};

/// Between two reads: fifty a second.
const READ_EVERY: Duration = Duration::from_millis(20);
const READS: u32 = 500;
/// A payment, an order and a call over REST for each so many reads.
const READS_PER_OTHER: u32 = 12;
/// Reads that are served at least, where there is room for about sixty beside the payments, of which orders take up to forty, and that are refused at least.
const READS_SERVED_MIN: usize = 15;
const READS_REFUSED_MIN: usize = 200;
/// Reads one after the other, before and after.
const CALM_READS: u32 = 5;

const SKUS: [&str; 8] = [
    "1076963", "1148162", "2618151", "2956315", "2958025", "3596599", "3618852", "4288068",
];
const ORDER: &str = r#"mutation { createOrder(input: {lines: [{sku: "139275865", count: 1}]}) { order { id } userErrors { code } } }"#;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Payment,
    Order,
    Rest,
}

/// Offers it, and counts. Seen red with `router.admission.enabled=false`.
///
/// # Errors
/// When a payment was refused, a refusal is no proper one, something was served late, or what was refused was done.
pub(super) async fn run(stack: &Stack) -> anyhow::Result<()> {
    let (payer, buyer, reader) = (
        stack.token(9_001, false).await?,
        stack.token(9_002, false).await?,
        stack.token(9_003, false).await?,
    );
    let others = READS / READS_PER_OTHER;
    let mut unpaid = Vec::new();
    let made = futures::stream::iter(0..others).map(|_| create_order(stack, &payer));
    let mut made = made.buffer_unordered(2);
    while let Some(order) = made.next().await {
        unpaid.push(order?);
    }
    calm(stack, &reader, "before").await?;

    let mut requests: Vec<(Kind, RequestBuilder)> = Vec::new();
    for number in 0..READS {
        requests.push((Kind::Read, read(stack, &reader, number)));
        if number % READS_PER_OTHER == 0
            && let Some(id) = unpaid.pop()
        {
            let rest = format!("{}/stock/info?sku=139275865", stack.url(8084));
            requests.push((Kind::Payment, pay(stack, &payer, &id)));
            requests.push((
                Kind::Order,
                graphql(stack, &buyer, &json!({"query": ORDER})),
            ));
            requests.push((Kind::Rest, stack.http.get(rest)));
        }
    }
    let answers = offer(requests).await;
    calm(stack, &reader, "after").await?;
    judge(&answers)?;
    let acknowledged = count(&answers, Kind::Order, &Answer::Served);
    let stored = stored(stack, &buyer).await?;
    ensure!(
        stored == acknowledged,
        "{acknowledged} orders were acknowledged, and there are {stored}"
    );
    print(&format!(
        "{stored} orders are there, as many as were acknowledged"
    ))
}

/// Sends each when its time has come, whatever became of those before.
async fn offer(requests: Vec<(Kind, RequestBuilder)>) -> Vec<(Kind, Answer)> {
    let mut at = Instant::now();
    let mut sent: FuturesUnordered<BoxFuture<'static, (Kind, Answer)>> = FuturesUnordered::new();
    for (kind, request) in requests {
        if kind == Kind::Read {
            at += READ_EVERY;
        }
        sent.push(Box::pin(async move {
            sleep_until(at).await;
            (kind, send(kind, request).await)
        }));
    }
    let mut answers = Vec::new();
    while let Some(answer) = sent.next().await {
        answers.push(answer);
    }
    answers
}

fn judge(answers: &[(Kind, Answer)]) -> anyhow::Result<()> {
    let mut faults = Vec::new();
    for kind in [Kind::Read, Kind::Payment, Kind::Order, Kind::Rest] {
        let of = |wanted| count(answers, kind, &wanted);
        let offered = answers.iter().filter(|(it, _)| *it == kind).count();
        let (served, refused) = (of(Answer::Served), of(Answer::Refused));
        print(&format!(
            "{kind:?}: {offered} offered, {served} served, {refused} refused"
        ))?;
        let is_enough = match kind {
            Kind::Read => served >= READS_SERVED_MIN && refused >= READS_REFUSED_MIN,
            Kind::Payment => served == offered,
            Kind::Order => served > 0,
            // So that its form of a refusal is seen.
            Kind::Rest => refused > 0,
        };
        if !is_enough {
            faults.push(format!(
                "{kind:?}: {served} of {offered} served, {refused} refused"
            ));
        }
    }
    for (kind, answer) in answers {
        if matches!(answer, Answer::Late(_) | Answer::Wrong(_)) {
            faults.push(format!("{kind:?}: {answer:?}"));
        }
    }
    ensure!(
        faults.is_empty(),
        "{} faults at five times the room\n{}",
        faults.len(),
        faults.join("\n")
    );
    Ok(())
}

fn count(answers: &[(Kind, Answer)], kind: Kind, wanted: &Answer) -> usize {
    let is_it = |(it, answer): &&(Kind, Answer)| *it == kind && answer == wanted;
    answers.iter().filter(is_it).count()
}

async fn send(kind: Kind, request: RequestBuilder) -> Answer {
    let patience = DEADLINE.as_millis().to_string();
    let asked_at = Instant::now();
    let sent = request.header("x-request-timeout-ms", patience).send();
    let answer = match sent.await {
        Ok(response) => read_answer(kind, response).await,
        Err(error) => Answer::Wrong(error.to_string()),
    };
    answer.after(asked_at.elapsed())
}

async fn read_answer(kind: Kind, response: Response) -> Answer {
    let (status, retry_after) = (response.status(), seconds(&response));
    let body = response.bytes().await.unwrap_or_default();
    let told = || Answer::Wrong(format!("{status} {}", String::from_utf8_lossy(&body)));
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let extensions = &answer["errors"][0]["extensions"];
        let is_told = kind == Kind::Rest
            || (extensions["code"] == "OVERLOADED"
                && extensions["retryAfterSeconds"].as_u64() == retry_after);
        return match retry_after {
            Some(1..) if is_told => Answer::Refused,
            _ => told(),
        };
    }
    let mut changes = ["payOrder", "createOrder"].iter();
    let is_refused_by_the_shop = changes.any(|name| {
        let errors = answer["data"][*name]["userErrors"].as_array();
        errors.is_some_and(|errors| !errors.is_empty())
    });
    let is_whole = kind == Kind::Rest || answer["data"].is_object();
    if status == StatusCode::OK
        && is_whole
        && answer.get("errors").is_none()
        && !is_refused_by_the_shop
    {
        Answer::Served
    } else {
        told()
    }
}

fn seconds(response: &Response) -> Option<u64> {
    let value = response.headers().get(header::RETRY_AFTER)?;
    value.to_str().ok()?.parse().ok()
}

/// Where there is room, nobody is refused.
async fn calm(stack: &Stack, token: &str, when: &str) -> anyhow::Result<()> {
    for number in 0..CALM_READS {
        let answer = send(Kind::Read, read(stack, token, number)).await;
        ensure!(answer == Answer::Served, "{when} the load: {answer:?}");
    }
    Ok(())
}

fn graphql(stack: &Stack, token: &str, body: &Value) -> RequestBuilder {
    let request = stack.http.post(format!("{}/graphql", stack.url(4000)));
    request.bearer_auth(token).json(body)
}

fn read(stack: &Stack, token: &str, number: u32) -> RequestBuilder {
    let sku = SKUS[number as usize % SKUS.len()];
    let query = "query ($sku: ID!) { product(sku: $sku) { name } }";
    let body = json!({"query": query, "variables": {"sku": sku}});
    graphql(stack, token, &body)
}

fn pay(stack: &Stack, token: &str, id: &str) -> RequestBuilder {
    let query = "mutation ($id: ID!) { payOrder(input: {orderId: $id}) { order { status } userErrors { code } } }";
    graphql(
        stack,
        token,
        &json!({"query": query, "variables": {"id": id}}),
    )
}

async fn create_order(stack: &Stack, token: &str) -> anyhow::Result<String> {
    let request = graphql(stack, token, &json!({"query": ORDER}));
    let answer: Value = request.send().await?.json().await?;
    let id = answer["data"]["createOrder"]["order"]["id"].as_str();
    let id = id.with_context(|| format!("no order: {answer}"))?;
    Ok(id.to_owned())
}
