//! Who calls: the bearer token of a request, the demo's tokens, and the keys that check them.
//!
//! No token is a caller without an account, who may read the catalogue; a token that is not good is refused, never
//! treated as none. Invariant: tokens are handed out here only when the demo's issuer is configured.

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
    principal::{self, Principal, Scopes, Signer, Verifier},
};
use schema::{code::ErrorCode, id::UserId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{http, negotiate};
use crate::error::RequestError;

/// A caller and the token that says so.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    pub(crate) principal: Option<Arc<Principal>>,
    pub(crate) token: Option<Secret>,
}

/// Checks the header `authorization`.
///
/// # Errors
/// `UNAUTHENTICATED` for a header that is not `Bearer` with a valid token.
pub(crate) fn caller(verifier: &Verifier, headers: &HeaderMap) -> Result<Caller, RequestError> {
    if !headers.contains_key(header::AUTHORIZATION) {
        return Ok(Caller::default());
    }
    match principal::bearer(headers) {
        Some(token) => from_token(verifier, token),
        None => Err(refused("authorization must be: Bearer <token>")),
    }
}

/// Checks a token.
///
/// # Errors
/// `UNAUTHENTICATED`.
pub(crate) fn from_token(verifier: &Verifier, token: &str) -> Result<Caller, RequestError> {
    match verifier.verify(token) {
        Ok(principal) => Ok(Caller {
            principal: Some(Arc::new(principal)),
            token: Some(Secret::new(token.to_owned())),
        }),
        Err(error) => {
            tracing::debug!(%error, "token refused");
            Err(refused("the token is not valid"))
        }
    }
}

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
        Err(error) => http::refusal(&error, negotiate::Media::GraphqlResponse),
    }
}

fn issue(issuer: &Issuer, headers: &HeaderMap, body: &[u8]) -> Result<Secret, RequestError> {
    negotiate::require_json(headers)?;
    let invalid = |message: String| RequestError::new(ErrorCode::InvalidArgument, message);
    let request: TokenRequest = serde_json::from_slice(body)
        .map_err(|error| invalid(format!("send {{\"user\":\"1\",\"ops\":false}}: {error}")))?;
    let id = match &request.user {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_i64().and_then(|id| UserId::try_from(id).ok()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let user = id.ok_or_else(|| invalid("user must be a whole number above 0".to_owned()))?;
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

fn refused(message: &str) -> RequestError {
    RequestError::new(ErrorCode::Unauthenticated, message)
}
