//! Multipart subscriptions. Source: Apollo's multipart protocol for subscriptions, version 1.0.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::streams::{
    case::{Case, Need, Outcome},
    parts::{ACCEPT, Parts},
    target::Caller,
};

pub(super) fn cases() -> Vec<Case> {
    [streams(), answers(), accepts()].concat()
}

fn streams() -> Vec<Case> {
    vec![
        Case::new(
            "content-type",
            "multipart/mixed with a boundary",
            |caller| async move {
                let parts = Parts::open(&caller, caller.subscription()).await?;
                ensure!(parts.kind.contains("boundary="), "{}", parts.kind);
                Ok(parts.kind)
            },
        ),
        Case::new(
            "event",
            "a part of JSON with payload",
            |caller| async move {
                let mut parts = Parts::open(&caller, caller.subscription()).await?;
                caller.cause().await?;
                let part = parts.payload().await?;
                ensure!(part["payload"]["data"].is_object(), "{part}");
                ensure!(part.get("errors").is_none(), "{part}");
                Ok("payload".to_owned())
            },
        ),
        Case::new("events", "a part each, at once", |caller| async move {
            let mut parts = Parts::open(&caller, caller.subscription()).await?;
            for _ in 0..3 {
                caller.cause().await?;
                for _ in 0..caller.target.texts.per_cause {
                    let part = parts.payload().await?;
                    ensure!(part["payload"]["data"].is_object(), "{part}");
                }
            }
            Ok("each behind its cause".to_owned())
        })
        .needs(&[Need::Cause]),
        Case::new(
            "sign-of-life",
            "a part {} within 30 s of silence",
            |caller| async move {
                let mut parts = Parts::open(&caller, caller.subscription()).await?;
                let part = parts.next().await?;
                ensure!(part == Some(json!({})), "{part:?}");
                Ok("{}".to_owned())
            },
        )
        .needs(&[Need::Cause]),
        Case::new("end", "the last boundary", |caller| async move {
            let (text, id) = caller.finite().await?;
            let mut parts = Parts::open(&caller, &text).await?;
            caller.finish(id.as_deref()).await?;
            let mut count = 0;
            while let Some(part) = parts.next().await? {
                count += usize::from(part != json!({}));
            }
            Ok(format!("the end behind {count} parts"))
        })
        .needs(&[Need::Finite]),
    ]
}

fn answers() -> Vec<Case> {
    vec![
        Case::new(
            "invalid",
            "errors, in whichever form",
            |caller| async move {
                let query = "subscription { doesNotExist }";
                let response = caller.post(ACCEPT, &json!({ "query": query })).await?;
                let status = response.status();
                let body = response.text().await?;
                ensure!(
                    body.contains("errors") && !body.contains(r#""data":{"#),
                    "{status} {body}"
                );
                Ok(status.to_string())
            },
        ),
        Case::new("query", "is answered", |caller| async move {
            let response = caller
                .post(ACCEPT, &json!({"query": caller.query()}))
                .await?;
            let status = response.status();
            let body = response.text().await?;
            ensure!(
                status == 200 && body.contains(r#""data":{"#),
                "{status} {body}"
            );
            Ok(status.to_string())
        }),
        Case::new(
            "refused",
            "payload null, errors, the end",
            |caller| async move {
                let mut parts = Parts::open(&caller.nobody(), caller.subscription()).await?;
                let part = parts.payload().await?;
                let is_refused = part["payload"] == Value::Null && part["errors"][0].is_object();
                ensure!(is_refused, "{part}");
                let more = parts.next().await?;
                ensure!(more.is_none(), "{more:?} behind a refusal");
                Ok(part["errors"][0]["extensions"]["code"].to_string())
            },
        )
        .needs(&[Need::Callers]),
    ]
}

fn accepts() -> Vec<Case> {
    let accepts = [
        (
            "accept-quoted",
            r#"multipart/mixed;subscriptionSpec="1.0", application/json"#,
        ),
        (
            "accept-spaced",
            "multipart/mixed ; subscriptionSpec=1.0 , application/json",
        ),
        (
            "accept-any-case",
            "Multipart/Mixed;SubscriptionSpec=1.0, application/json",
        ),
        (
            "accept-apollo-client",
            "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json",
        ),
    ];
    let of_accept = |(name, accept)| {
        Case::new(name, "multipart", move |caller: Caller| async move {
            open(caller, accept).await
        })
    };
    accepts.map(of_accept).to_vec()
}

async fn open(caller: Caller, accept: &str) -> Outcome {
    let body = json!({"query": caller.subscription()});
    let mut parts = Parts::open_as(&caller, accept, &body).await?;
    caller.cause().await?;
    let part = parts.payload().await?;
    ensure!(part["payload"]["data"].is_object(), "{part}");
    Ok("payload".to_owned())
}
