//! The API: what the page reads and does, in JSON. Source: docs/console.md.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{
        Path, Query, State,
        rejection::{JsonRejection, QueryRejection},
    },
    http::Uri,
    middleware,
    routing::{get, post},
};
use chassis::{clock::Clock, principal::Verifier};
use serde::{Deserialize, Serialize};

use crate::fault::{self, Faults};
use crate::gauges::{self, Gauges};
use crate::host::Host;
use crate::lines;
use crate::operator;
use crate::refusal::Refusal;
use crate::shoppers::{self, Shoppers};
use crate::since::{Seen, Since};
use crate::traces;
use crate::verification::{Verdict, Verification};

/// The longest time that charts reach back.
const MINUTES: u64 = 15;

/// What the routes share.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) host: Arc<dyn Host>,
    pub(crate) clock: Clock,
    pub(crate) since: Arc<Since>,
    pub(crate) gauges: Gauges,
    pub(crate) verification: Verification,
    /// None outside of the demo.
    pub(crate) shoppers: Option<Shoppers>,
    /// None outside of the demo.
    pub(crate) faults: Option<Faults>,
}

/// The routes for operators, under `/ops/api`.
pub(crate) fn routes(api: Api, verifier: Arc<Verifier>) -> Router {
    Router::new()
        .route("/services", get(services))
        .route("/gauges", get(gauges))
        .route("/traces", get(traces))
        .route("/traces/{id}", get(trace))
        .route("/logs", get(logs))
        .route("/verify", post(verify))
        .route("/load", get(load).put(set_load))
        .route("/faults", get(faults))
        .route("/faults/{name}", post(start_fault))
        .fallback(async |uri: Uri| Refusal::NotFound(format!("nothing is at {}", uri.path())))
        .layer(middleware::from_fn_with_state(verifier, operator::only))
        .with_state(api)
}

async fn services(State(api): State<Api>) -> Json<Vec<Seen>> {
    let services = api.host.services().await;
    Json(api.since.see(services, api.clock.now()))
}

#[derive(Debug, Deserialize)]
#[serde(default)]
struct Reach {
    minutes: u64,
}

impl Default for Reach {
    fn default() -> Self {
        Self { minutes: MINUTES }
    }
}

async fn gauges(
    State(api): State<Api>,
    reach: Result<Query<Reach>, QueryRejection>,
) -> Result<Json<gauges::Shown>, Refusal> {
    let Reach { minutes } = query(reach)?;
    if !(1..=MINUTES).contains(&minutes) {
        let text = format!("minutes is {minutes}: it must be from 1 to {MINUTES}");
        return Err(Refusal::Argument(text));
    }
    Ok(Json(api.gauges.shown(minutes)))
}

async fn traces(
    wanted: Result<Query<traces::Wanted>, QueryRejection>,
) -> Result<Json<Vec<traces::Listed>>, Refusal> {
    traces::list(&query(wanted)?).map(Json)
}

async fn trace(Path(id): Path<String>) -> Result<Json<traces::Shown>, Refusal> {
    traces::show(&id).map(Json)
}

async fn logs(
    wanted: Result<Query<lines::Wanted>, QueryRejection>,
) -> Result<Json<lines::Shown>, Refusal> {
    lines::list(&query(wanted)?).map(Json)
}

async fn verify(State(api): State<Api>) -> Result<Json<Verdict>, Refusal> {
    api.verification.run().await.map(Json)
}

async fn load(State(api): State<Api>) -> Result<Json<shoppers::Shown>, Refusal> {
    let shoppers = api.shoppers.as_ref().ok_or_else(only_in_the_demo)?;
    Ok(Json(shoppers.shown()))
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Rate {
    rate: f64,
}

async fn set_load(
    State(api): State<Api>,
    rate: Result<Json<Rate>, JsonRejection>,
) -> Result<Json<shoppers::Shown>, Refusal> {
    let shoppers = api.shoppers.as_ref().ok_or_else(only_in_the_demo)?;
    let Json(Rate { rate }) = rate.map_err(|error| Refusal::Argument(error.body_text()))?;
    shoppers.set(rate).map(Json)
}

async fn faults(State(api): State<Api>) -> Result<Json<Vec<fault::Shown>>, Refusal> {
    let faults = api.faults.as_ref().ok_or_else(only_in_the_demo)?;
    Ok(Json(faults.shown()))
}

async fn start_fault(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<fault::Shown>, Refusal> {
    let faults = api.faults.as_ref().ok_or_else(only_in_the_demo)?;
    faults.start(&name).await.map(Json)
}

fn only_in_the_demo() -> Refusal {
    let text = "only the profile `demo` has load and faults on request: they change what is real";
    Refusal::NotFound(text.to_owned())
}

fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Refusal> {
    match query {
        Ok(Query(query)) => Ok(query),
        Err(error) => Err(Refusal::Argument(error.body_text())),
    }
}
