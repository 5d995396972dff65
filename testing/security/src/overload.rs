//! Five times what there is room for, judged by counts: who is served, who is refused, and that what was refused was not done.
//!
//! The room is the same on every machine. The router has a few places, and a read holds one for as long as the product service
//! keeps it waiting, by a fault that is set; nothing that is asserted depends on how fast anything else is. The load is an open
//! loop, so those who are refused do not slow the others down.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use reqwest::{RequestBuilder, Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::{output::print, stack::Stack};

/// Four places, each held for 400 ms by a read: ten reads a second.
pub(crate) const SETTINGS: [&str; 14] = [
    "router.admission.places_min=4",
    "router.admission.places_max=4",
    "router.admission.place_time=1m",
    "router.admission.wait=200ms",
    "router.admission.burst_wait=200ms",
    "router.admission.payment_wait=10s",
    "router.engine.fetch.breaker_slow=20s",
    "product.faults.enabled=true",
    "product.faults.latency=400ms",
    "cart.product_cache_ttl=1ms",
    "cart.product_stale_ttl=0s",
    "cart.product_rate=10000",
    "cart.product_burst=10000",
    "cart.product_concurrency=64",
];

/// Between two reads: fifty a second.
const READ_EVERY: Duration = Duration::from_millis(20);
const READS: u32 = 500;
/// A payment, an order and a call over REST for each so many reads.
const READS_PER_OTHER: u32 = 12;
/// How long a client waits, which it says, and what a busy machine may add to that.
const DEADLINE: Duration = Duration::from_secs(5);
const GRACE: Duration = Duration::from_secs(3);
/// Reads that are served at least, of about a hundred for which there is room, and refused at least, of the other four hundred.
const READS_SERVED_MIN: usize = 30;
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

/// What became of one request.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Served,
    /// Served after its client had left.
    Late(Duration),
    /// With nothing done, and told when to come again.
    Refused,
    Wrong(String),
}

/// Offers it, and counts. Seen red with `router.admission.enabled=false`.
///
/// # Errors
/// When a payment was refused, a refusal is no proper one, something was served late, or what was refused was done.
pub(crate) async fn run(stack: &Stack) -> anyhow::Result<()> {
    let (payer, buyer, reader) = (
        stack.token(9_001, false).await?,
        stack.token(9_002, false).await?,
        stack.token(9_003, false).await?,
    );
    let others = READS / READS_PER_OTHER;
    let mut unpaid = Vec::new();
    for _ in 0..others {
        unpaid.push(create_order(stack, &payer).await?);
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
    let stored = orders(stack, &buyer).await?;
    ensure!(
        usize::try_from(stored)? == acknowledged,
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
    let took = asked_at.elapsed();
    if answer == Answer::Served && took > DEADLINE + GRACE {
        return Answer::Late(took);
    }
    answer
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

/// How many orders the user has.
async fn orders(stack: &Stack, token: &str) -> anyhow::Result<u64> {
    let query = json!({"query": "{ me { orders(first: 1) { totalCount } } }"});
    let answer: Value = graphql(stack, token, &query).send().await?.json().await?;
    let total = answer["data"]["me"]["orders"]["totalCount"].as_u64();
    total.with_context(|| format!("no count of orders: {answer}"))
}
