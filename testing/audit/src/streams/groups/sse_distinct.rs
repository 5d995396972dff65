//! Server-sent events, a connection each. Source: graphql-sse PROTOCOL.md, distinct connections mode; GraphQL over HTTP.

use anyhow::ensure;
use reqwest::{Method, Response, header};
use serde_json::{Value, json};

use crate::streams::{
    case::{Case, Need, Outcome},
    events::{ACCEPT, Events},
    target::Caller,
};

pub(super) fn cases() -> Vec<Case> {
    [operations(), form(), invalid(), unserved(), bodies()].concat()
}

fn operations() -> Vec<Case> {
    vec![
        Case::new(
            "query-post",
            "next, complete, the end of the body",
            |caller| async move { answered(Events::open(&caller, caller.query()).await?).await },
        ),
        Case::new("query-get", "the same", |caller| async move {
            let response = caller.get(ACCEPT, &[("query", caller.query())]).await?;
            answered(Events::of(response)?).await
        }),
        Case::new(
            "get-variables",
            "are JSON in the query string",
            |caller| async move {
                let query = "query($no: Boolean!) { a: __typename @skip(if: $no) b: __typename }";
                let parameters = [("query", query), ("variables", r#"{"no":true}"#)];
                let mut events = Events::of(caller.get(ACCEPT, &parameters).await?)?;
                let frame = events.frame().await?;
                ensure!(frame["data"] == json!({"b": "Query"}), "{frame}");
                events.ends().await?;
                Ok(frame.to_string())
            },
        ),
        Case::new(
            "subscription-post",
            "next for an event",
            |caller| async move {
                let mut events = Events::open(&caller, caller.subscription()).await?;
                caller.cause().await?;
                let frame = events.frame().await?;
                ensure!(frame["data"].is_object(), "{frame}");
                Ok("next".to_owned())
            },
        ),
        Case::new(
            "subscription-get",
            "as EventSource asks",
            |caller| async move {
                let response = caller
                    .get(ACCEPT, &[("query", caller.subscription())])
                    .await?;
                let mut events = Events::of(response)?;
                caller.cause().await?;
                let frame = events.frame().await?;
                ensure!(frame["data"].is_object(), "{frame}");
                Ok("next".to_owned())
            },
        ),
        Case::new("mutation-get", "405, and is not run", |caller| async move {
            let mut watch = Events::open(&caller, caller.subscription()).await?;
            let cause = caller.target.texts.cause.clone().unwrap_or_default();
            let response = caller.get(ACCEPT, &[("query", &cause)]).await?;
            let status = response.status();
            ensure!(status == 405, "{status} {}", response.text().await?);
            watch.is_quiet().await?;
            Ok("405".to_owned())
        })
        .needs(&[Need::Cause]),
        Case::new(
            "client-leaves",
            "and its connection is not missed",
            |caller| async move {
                for _ in 0..20 {
                    drop(Events::open(&caller, caller.subscription()).await?);
                }
                answered(Events::open(&caller, caller.query()).await?).await
            },
        ),
    ]
}

fn form() -> Vec<Case> {
    vec![
        Case::new(
            "starts-at-once",
            "headers come before the first event",
            |caller| async move {
                let mut events = Events::open(&caller, caller.subscription()).await?;
                if caller.target.texts.cause.is_some() {
                    events.is_quiet().await?;
                }
                Ok("200".to_owned())
            },
        ),
        Case::new(
            "not-stored",
            "cache-control: no-cache or no-store",
            |caller| async move {
                let events = Events::open(&caller, caller.subscription()).await?;
                let control = events.header("cache-control").unwrap_or_default();
                ensure!(
                    control.contains("no-cache") || control.contains("no-store"),
                    "{control:?}"
                );
                Ok(control.to_owned())
            },
        ),
        Case::new(
            "sign-of-life",
            "a comment within 30 s of silence",
            |caller| async move {
                let mut events = Events::open(&caller, caller.subscription()).await?;
                events.comment().await?;
                if caller.target.texts.cause.is_some() {
                    events.comment().await?;
                }
                Ok("a comment".to_owned())
            },
        ),
        Case::new(
            "accept-weighed",
            "an event stream where it is preferred",
            |caller| async move {
                let accept = "application/json;q=0.1, text/event-stream;q=0.9";
                let body = json!({"query": caller.subscription()});
                Events::of(caller.post(accept, &body).await?)?;
                Ok(ACCEPT.to_owned())
            },
        ),
        Case::new(
            "accept-any-case",
            "media types have no case",
            |caller| async move {
                let body = json!({"query": caller.query()});
                answered(Events::of(caller.post("Text/Event-Stream", &body).await?)?).await
            },
        ),
    ]
}

fn invalid() -> Vec<Case> {
    vec![
        Case::new(
            "invalid",
            "errors as next, complete, status 200",
            |caller| async move {
                let mut events = Events::open(&caller, "{ doesNotExist }").await?;
                errors_only(&mut events).await
            },
        ),
        Case::new(
            "invalid-get",
            "the same for EventSource",
            |caller| async move {
                let response = caller.get(ACCEPT, &[("query", "{ doesNotExist }")]).await?;
                errors_only(&mut Events::of(response)?).await
            },
        ),
        Case::new("syntax", "errors as next, or 400", |caller| async move {
            unreadable(caller.post(ACCEPT, &json!({"query": "{"})).await?).await
        }),
    ]
}

fn unserved() -> Vec<Case> {
    vec![
        Case::new(
            "no-event-stream",
            "a subscription to a client of JSON alone: no success",
            |caller| async move {
                let body = json!({"query": caller.subscription()});
                let response = caller.post("application/json", &body).await?;
                let status = response.status();
                ensure!(status.is_client_error(), "{status}");
                Ok(status.to_string())
            },
        ),
        Case::new(
            "not-acceptable",
            "406 for a form that is not served",
            |caller| async move {
                let response = caller
                    .post("image/png", &json!({"query": caller.query()}))
                    .await?;
                refused(response, 406).await
            },
        ),
        Case::new(
            "media-type",
            "415 for a body that is not JSON by its type",
            |caller| async move {
                let request = caller.request(Method::POST, &caller.target.url);
                let request = request
                    .header("accept", ACCEPT)
                    .header(header::CONTENT_TYPE, "text/plain");
                let body = json!({"query": caller.query()}).to_string();
                refused(request.body(body).send().await?, 415).await
            },
        ),
        Case::new(
            "get-no-query",
            "400, or errors as next",
            |caller| async move { unreadable(caller.get(ACCEPT, &[]).await?).await },
        ),
        Case::new(
            "refused",
            "a stream that may not be: errors as next, complete",
            |caller| async move {
                let mut events = Events::open(&caller.nobody(), caller.subscription()).await?;
                errors_only(&mut events).await
            },
        )
        .needs(&[Need::Callers]),
    ]
}

fn bodies() -> Vec<Case> {
    let bodies = [
        ("body-not-json", "{"),
        ("body-array", "[1]"),
        ("body-no-query", "{}"),
        ("body-query-number", r#"{"query":7}"#),
        (
            "body-variables-string",
            r#"{"query":"{ __typename }","variables":"x"}"#,
        ),
        (
            "body-extensions-array",
            r#"{"query":"{ __typename }","extensions":[]}"#,
        ),
    ];
    let of_body = |(name, body)| {
        Case::new(
            name,
            "400, or errors as next",
            move |caller: Caller| async move {
                let request = caller.request(Method::POST, &caller.target.url);
                let json = "application/json";
                let request = request
                    .header("accept", ACCEPT)
                    .header(header::CONTENT_TYPE, json);
                unreadable(request.body(body).send().await?).await
            },
        )
    };
    bodies.map(of_body).to_vec()
}

async fn answered(mut events: Events) -> Outcome {
    let frame = events.frame().await?;
    ensure!(
        frame["data"].is_object() && frame.get("errors").is_none(),
        "{frame}"
    );
    events.ends().await?;
    Ok("next, complete".to_owned())
}

async fn errors_only(events: &mut Events) -> Outcome {
    let frame = events.frame().await?;
    let is_refused = frame["errors"][0]["message"].is_string() && frame["data"] == Value::Null;
    ensure!(is_refused, "{frame}");
    events.ends().await?;
    Ok(format!("errors: {}", frame["errors"][0]["message"]))
}

async fn refused(response: Response, right: u16) -> Outcome {
    let status = response.status();
    let body = response.text().await?;
    ensure!(status == right, "{status} {body}, right is {right}");
    Ok(status.to_string())
}

/// A request that cannot be read is refused by its status, or like one that is not valid: the protocol wants the latter, its
/// reference does the former.
async fn unreadable(response: Response) -> Outcome {
    if response.status() == 400 {
        return Ok("400".to_owned());
    }
    errors_only(&mut Events::of(response)?).await
}
