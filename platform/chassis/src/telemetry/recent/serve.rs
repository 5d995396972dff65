//! `/debug/recent`: what a process has kept since a caller asked last, for the console in another process of the same machine.
//!
//! Only a service's token opens it; a process that knows no services' keys has no such path.

use std::sync::OnceLock;

use axum::{
    Json, Router,
    extract::{Query, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};

use super::{Line, LineQuery, Span, recent};
use crate::principal::{SERVICE_TOKEN, ServiceVerifier};

/// Spans in one answer at most.
const SPANS: usize = 4_000;
/// Lines in one answer at most.
const LINES: usize = 1_000;

static SERVICES: OnceLock<ServiceVerifier> = OnceLock::new();

/// Lets services ask, by the tokens that `services` believes; the first call in a process counts.
pub fn answer_services(services: ServiceVerifier) {
    drop(SERVICES.set(services));
}

/// From where on the caller wants to know.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Since {
    /// The number of the first span.
    pub span: u64,
    /// The number of the first line.
    pub line: u64,
}

/// What has come since, and from where on to ask next.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct News {
    /// Spans in the order in which they ended.
    pub spans: Vec<Span>,
    /// Lines in the order in which they were written.
    pub lines: Vec<Line>,
    /// What to ask next. It is lower than before after a start anew.
    pub next: Since,
}

/// The route, for every process.
pub(in crate::telemetry) fn routes() -> Router {
    Router::new().route("/debug/recent", get(answer))
}

async fn answer(headers: HeaderMap, since: Result<Query<Since>, QueryRejection>) -> Response {
    let token = headers.get(SERVICE_TOKEN).and_then(|it| it.to_str().ok());
    let verified = SERVICES.get().and_then(|it| it.verify(token?).ok());
    if verified.is_none() {
        // It looks like what is not there.
        return StatusCode::NOT_FOUND.into_response();
    }
    match since {
        Ok(Query(since)) => Json(news(since)).into_response(),
        Err(malformed) => malformed.into_response(),
    }
}

fn news(since: Since) -> News {
    let Some(recent) = recent() else {
        return News::default();
    };
    let (spans, span) = recent.traces.after(since.span, SPANS);
    let query = LineQuery {
        after: Some(since.line),
        limit: LINES,
    };
    let (lines, line) = recent.lines.find(&query, |_| true);
    News {
        spans,
        lines,
        next: Since { span, line },
    }
}
