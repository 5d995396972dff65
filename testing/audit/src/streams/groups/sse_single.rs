//! Server-sent events over one connection. Source: graphql-sse PROTOCOL.md, single connection mode, and its handler's tests.

use anyhow::ensure;
use reqwest::Method;
use serde_json::{Value, json};

use crate::streams::{
    case::{Case, Need, Outcome},
    events::{ACCEPT, Events},
    single::{self, Single},
    target::Caller,
};

const NEEDS: &[Need] = &[Need::Single];

pub(super) fn cases() -> Vec<Case> {
    let cases = [reservations(), operations(), stops(), refusals()].concat();
    cases
        .into_iter()
        .map(|case| {
            if case.needs.is_empty() {
                case.needs(NEEDS)
            } else {
                case
            }
        })
        .collect()
}

fn reservations() -> Vec<Case> {
    vec![
        Case::new(
            "reserve",
            "PUT: 201, a token as text",
            |caller| async move {
                let (one, other) = (
                    single::reserve(&caller).await?,
                    single::reserve(&caller).await?,
                );
                ensure!(one != other, "twice the same token");
                Ok("201".to_owned())
            },
        ),
        Case::new(
            "reserve-twice",
            "PUT with the token of a stream: 409",
            |caller| async move {
                let token = single::reserve(&caller).await?;
                status(&caller, Method::PUT, Some(&token), &[], "*/*", &[409]).await
            },
        ),
        Case::new(
            "reserve-accept",
            "PUT that accepts no text: 406",
            |caller| async move { status(&caller, Method::PUT, None, &[], "image/png", &[406]).await },
        ),
        Case::new("open-by-header", "an event stream", |caller| async move {
            Single::open(&caller).await?;
            Ok("200".to_owned())
        }),
        Case::new(
            "open-by-parameter",
            "as EventSource can",
            |caller| async move {
                let token = single::reserve(&caller).await?;
                let parameters = [("token", token.as_str())];
                let answer = single::ask(&caller, Method::GET, None, &parameters, ACCEPT).await?;
                Events::of(answer)?;
                Ok("200".to_owned())
            },
        ),
        Case::new(
            "open-twice",
            "409: a reservation is for one connection",
            |caller| async move {
                let open = Single::open(&caller).await?;
                status(&caller, Method::GET, Some(&open.token), &[], ACCEPT, &[409]).await
            },
        ),
        Case::new(
            "open-accept",
            "GET that accepts no event stream: 406",
            |caller| async move {
                let token = single::reserve(&caller).await?;
                status(&caller, Method::GET, Some(&token), &[], "image/png", &[406]).await
            },
        ),
        Case::new("foreign-token", "looks like none", |caller| async move {
            let open = Single::open(&caller).await?;
            let other = caller.target.caller().await?;
            let post = single::post(
                &other,
                &open.token,
                caller.query(),
                json!({"operationId": "a"}),
            );
            let posted = post.await?.status().as_u16();
            ensure!(posted == 404, "{posted} to the POST of another caller");
            status(&other, Method::GET, Some(&open.token), &[], ACCEPT, &[404]).await
        })
        .needs(&[Need::Single, Need::Callers]),
    ]
}

fn operations() -> Vec<Case> {
    vec![
        Case::new(
            "query",
            "202; next and complete with the id",
            |caller| async move {
                let mut open = Single::open(&caller).await?;
                open.start("a", caller.query()).await?;
                answered(&mut open, "a").await
            },
        ),
        Case::new(
            "query-get",
            "an operation may be a GET",
            |caller| async move {
                let mut open = Single::open(&caller).await?;
                let extensions = r#"{"operationId":"a"}"#;
                let parameters = [("query", caller.query()), ("extensions", extensions)];
                let (token, accept) = (Some(open.token.as_str()), "application/json");
                status(&caller, Method::GET, token, &parameters, accept, &[202]).await?;
                answered(&mut open, "a").await
            },
        ),
        Case::new(
            "subscription",
            "next with the id for each event, once",
            |caller| async move {
                let mut open = live(&caller).await?;
                caller.cause().await?;
                for _ in 0..caller.target.texts.per_cause {
                    let frame = open.frame("s").await?;
                    ensure!(frame["data"].is_object(), "{frame}");
                }
                if caller.target.texts.cause.is_some() {
                    open.events.is_quiet().await?;
                }
                Ok("next".to_owned())
            },
        ),
        Case::new("several", "share the connection", |caller| async move {
            let mut open = live(&caller).await?;
            for id in ["a", "b", "a"] {
                open.start(id, caller.query()).await?;
                answered(&mut open, id).await?;
            }
            caller.cause().await?;
            open.frame("s").await?;
            Ok("4 operations".to_owned())
        }),
    ]
}

fn stops() -> Vec<Case> {
    vec![
        Case::new(
            "before-open",
            "an operation of a reservation waits for its stream",
            |caller| async move {
                let token = single::reserve(&caller).await?;
                let extensions = json!({"operationId": "a"});
                let posted = single::post(&caller, &token, caller.query(), extensions).await?;
                ensure!(posted.status() == 202, "{} for 202", posted.status());
                let mut open = Single::of(&caller, token).await?;
                answered(&mut open, "a").await
            },
        ),
        Case::new(
            "stop",
            "DELETE: 200, no frame behind it, the id is free",
            |caller| async move {
                let mut open = live(&caller).await?;
                let stopped = open.stop("s").await?;
                ensure!(stopped == 200, "{stopped} for 200");
                caller.cause().await?;
                open.events.is_quiet().await?;
                open.start("s", caller.query()).await?;
                answered(&mut open, "s").await
            },
        )
        .needs(&[Need::Single, Need::Cause]),
        Case::new(
            "stop-unknown",
            "DELETE of an operation that is over: 200",
            |caller| async move {
                let stopped = Single::open(&caller).await?.stop("never").await?;
                ensure!(stopped == 200, "{stopped} for 200");
                Ok("200".to_owned())
            },
        ),
    ]
}

fn refusals() -> Vec<Case> {
    vec![
        Case::new(
            "invalid",
            "400 to the request, the stream lives",
            |caller| async move {
                let mut open = Single::open(&caller).await?;
                let status = open.status(&json!("a"), "{ doesNotExist }").await?;
                ensure!(status == 400, "{status} for 400");
                open.start("a", caller.query()).await?;
                answered(&mut open, "a").await?;
                Ok("400".to_owned())
            },
        ),
        Case::new("duplicate", "409", |caller| async move {
            let open = live(&caller).await?;
            let status = open.status(&json!("s"), caller.query()).await?;
            ensure!(status == 409, "{status} for 409");
            Ok("409".to_owned())
        }),
        Case::new(
            "no-id",
            "400 without extensions.operationId",
            |caller| async move {
                let open = Single::open(&caller).await?;
                for id in [Value::Null, json!("")] {
                    let status = open.status(&id, caller.query()).await?;
                    ensure!(status == 400, "{status} for 400 with {id}");
                }
                Ok("400".to_owned())
            },
        ),
        Case::new("unknown-token", "404", |caller| async move {
            let post = single::post(
                &caller,
                "nonsense",
                caller.query(),
                json!({"operationId": "a"}),
            );
            let posted = post.await?.status().as_u16();
            ensure!(posted == 404, "{posted} to POST");
            let parameters = [("operationId", "a")];
            status(
                &caller,
                Method::DELETE,
                Some("nonsense"),
                &parameters,
                "*/*",
                &[404],
            )
            .await
        }),
        Case::new(
            "open-unknown",
            "404, or 400 as an operation without a query",
            |caller| async move {
                status(
                    &caller,
                    Method::GET,
                    Some("nonsense"),
                    &[],
                    ACCEPT,
                    &[400, 404],
                )
                .await
            },
        ),
        Case::new(
            "stop-no-id",
            "DELETE without operationId: 400",
            |caller| async move {
                let open = Single::open(&caller).await?;
                status(
                    &caller,
                    Method::DELETE,
                    Some(&open.token),
                    &[],
                    "*/*",
                    &[400],
                )
                .await
            },
        ),
        Case::new("method", "405 for any other", |caller| async move {
            let token = single::reserve(&caller).await?;
            status(&caller, Method::PATCH, Some(&token), &[], "*/*", &[405]).await
        }),
        Case::new("body-not-json", "400", |caller| async move {
            let open = Single::open(&caller).await?;
            let url = caller.target.single.clone().unwrap_or_default();
            let request = caller
                .request(Method::POST, &url)
                .header(single::TOKEN, &open.token);
            let request = request.header("content-type", "application/json").body("{");
            let status = request.send().await?.status();
            ensure!(status == 400, "{status} for 400");
            Ok(status.to_string())
        }),
    ]
}

/// A stream on which the endless subscription runs.
async fn live(caller: &Caller) -> anyhow::Result<Single> {
    let mut open = Single::open(caller).await?;
    open.start("s", caller.subscription()).await?;
    if caller.target.texts.cause.is_some() {
        open.events.is_quiet().await?;
    }
    Ok(open)
}

async fn answered(open: &mut Single, id: &str) -> Outcome {
    let frame = open.frame(id).await?;
    ensure!(
        frame["data"].is_object() && frame.get("errors").is_none(),
        "{frame}"
    );
    open.completes(id).await?;
    Ok("next, complete".to_owned())
}

async fn status(
    caller: &Caller,
    method: Method,
    token: Option<&str>,
    parameters: &[(&str, &str)],
    accept: &str,
    right: &[u16],
) -> Outcome {
    let answer = single::ask(caller, method, token, parameters, accept).await?;
    let status = answer.status();
    ensure!(
        right.contains(&status.as_u16()),
        "{status}, right is {right:?}"
    );
    Ok(status.to_string())
}
