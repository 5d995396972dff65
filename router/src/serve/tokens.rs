//! The demo's tokens, and the keys that check the tokens of this router.
//!
//! Invariant: a token is handed out only when the demo's issuer is configured.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chassis::{
    config::Secret,
    principal::{Scopes, Signer},
    request_rules::without_byte_order_mark,
};
use schema::{code::ErrorCode, id::UserId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    negotiate::{Media, require_json},
    refusal::refusal,
};
use crate::error::RequestError;

/// The issuer of the demo, and the keys of everybody who signs tokens that this router takes.
#[derive(Debug, Clone)]
pub(crate) struct Issuer {
    pub(crate) demo: Option<Arc<Signer>>,
    pub(crate) signer: Arc<Signer>,
    pub(crate) demo_token_ttl: Duration,
}

/// `POST /demo/token` (only with a demo issuer) and `GET /.well-known/jwks.json`.
pub(crate) fn routes(issuer: Issuer) -> Router {
    let mut router = Router::new().route("/.well-known/jwks.json", get(jwks));
    if issuer.demo.is_some() {
        router = router.route("/demo/token", post(demo_token));
    }
    router.with_state(issuer)
}

async fn jwks(State(issuer): State<Issuer>) -> Response {
    let demo = issuer.demo.iter().map(|signer| signer.jwk());
    let keys: Vec<_> = std::iter::once(issuer.signer.jwk()).chain(demo).collect();
    let cached = [(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=300"),
    )];
    (cached, Json(json!({ "keys": keys }))).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenRequest {
    /// A user id as text, or as a number.
    user: Value,
    #[serde(default)]
    ops: bool,
}

/// Any positive user id gets a token: the demo's users are made by using them.
async fn demo_token(State(issuer): State<Issuer>, headers: HeaderMap, body: Bytes) -> Response {
    match issue(&issuer, &headers, &body) {
        Ok(token) => {
            let secret = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
            (secret, Json(json!({ "token": token.expose() }))).into_response()
        }
        Err(error) => refusal(&error, Media::GraphqlResponse),
    }
}

fn issue(issuer: &Issuer, headers: &HeaderMap, body: &[u8]) -> Result<Secret, RequestError> {
    require_json(headers)?;
    let invalid = |message: String| RequestError::new(ErrorCode::InvalidArgument, message);
    let request: TokenRequest = serde_json::from_slice(without_byte_order_mark(body))
        .map_err(|error| invalid(format!("send {{\"user\":\"1\",\"ops\":false}}: {error}")))?;
    let id = match &request.user {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_i64().and_then(|id| UserId::try_from(id).ok()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let user =
        id.ok_or_else(|| invalid("user must be a whole number greater than 0".to_owned()))?;
    let signer = issuer
        .demo
        .as_ref()
        .ok_or_else(|| RequestError::masked(ErrorCode::NotFound))?;
    let scopes = if request.ops {
        Scopes::OPS
    } else {
        Scopes::CUSTOMER
    };
    Ok(signer.user_token(user, scopes, issuer.demo_token_ttl))
}
