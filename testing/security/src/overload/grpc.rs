//! gRPC at the door of LOMS: orders of users with tokens, whose prices are looked up.

use std::time::Duration;

use anyhow::ensure;
use schema::proto::loms::{Item, OrderCreateRequest, loms_client::LomsClient};
use tokio::time::{Instant, sleep_until};
use tonic::{
    Code, Request, Status,
    metadata::MetadataMap,
    transport::{Channel, Endpoint},
};

use super::{
    answer::{Answer, DEADLINE},
    stored::stored,
};
use crate::{output::print, stack::Stack};

/// A hundred a second, where there is room for sixteen or a few more when look-ups meet.
const EVERY: Duration = Duration::from_millis(10);
const CALLS: u32 = 800;
const SERVED_MIN: usize = 40;
const REFUSED_MIN: usize = 200;
const FIRST_USER: i64 = 9_011;
/// Enough of them that nobody's open orders are too many.
const USERS: i64 = 8;

/// Offers it, and counts.
///
/// # Errors
/// When too few were refused or served, a refusal says not when to come again, or what was refused was done.
pub(super) async fn run(stack: &Stack) -> anyhow::Result<()> {
    let mut users = Vec::new();
    for user in FIRST_USER..FIRST_USER + USERS {
        users.push((user, stack.token(user, false).await?));
    }
    let channel = Endpoint::from_shared(stack.url(8083))?.connect_lazy();
    let began = Instant::now();
    let calls = (0..CALLS).zip(users.iter().cycle()).map(|(number, user)| {
        let channel = channel.clone();
        async move {
            sleep_until(began + EVERY * number).await;
            order(channel, user).await
        }
    });
    let answers = futures::future::join_all(calls).await;

    let count = |wanted| answers.iter().filter(|it| **it == wanted).count();
    let (served, refused) = (count(Answer::Served), count(Answer::Refused));
    print(&format!(
        "gRPC orders: {CALLS} offered, {served} served, {refused} refused"
    ))?;
    let wrong = answers
        .iter()
        .find(|it| matches!(it, Answer::Late(_) | Answer::Wrong(_)));
    ensure!(wrong.is_none(), "gRPC at five times the room: {wrong:?}");
    ensure!(
        served >= SERVED_MIN && refused >= REFUSED_MIN,
        "gRPC at five times the room: {served} served, {refused} refused"
    );
    let mut there = 0;
    for (_, token) in &users {
        there += stored(stack, token).await?;
    }
    ensure!(
        there == served,
        "{served} orders were acknowledged over gRPC, and there are {there}"
    );
    print(&format!(
        "{there} orders are there, as many as were acknowledged"
    ))
}

async fn order(channel: Channel, (user, token): &(i64, String)) -> Answer {
    let item = Item {
        sku: 139_275_865,
        count: 1,
        unit_price: None,
    };
    let mut request = Request::new(OrderCreateRequest {
        user_id: *user,
        items: vec![item],
    });
    request.set_timeout(DEADLINE);
    let Ok(bearer) = format!("Bearer {token}").parse() else {
        return Answer::Wrong("the token is no header".to_owned());
    };
    request.metadata_mut().insert("authorization", bearer);
    let asked_at = Instant::now();
    let answer = match LomsClient::new(channel).order_create(request).await {
        Ok(_) => Answer::Served,
        Err(status) if is_refusal(&status) => Answer::Refused,
        Err(status) => Answer::Wrong(status.to_string()),
    };
    answer.after(asked_at.elapsed())
}

/// Whether it says that nothing was done, and when to come again.
fn is_refusal(status: &Status) -> bool {
    let number = |metadata: &MetadataMap, name: &str| -> Option<u64> {
        metadata.get(name)?.to_str().ok()?.parse().ok()
    };
    let told = ["grpc-retry-pushback-ms", "retry-after"]
        .map(|name| number(status.metadata(), name).unwrap_or_default());
    status.code() == Code::ResourceExhausted && told.iter().all(|it| *it > 0)
}
