//! Only operators call: a user's token with scope `ops`, checked before anything of the request is looked at.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use chassis::principal::{self, Denied, Verifier};

use crate::refusal::Refusal;

/// Lets operators through.
pub(crate) async fn only(
    State(verifier): State<Arc<Verifier>>,
    request: Request,
    next: Next,
) -> Response {
    match check(&verifier, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(denied) => Refusal::from(denied).into_response(),
    }
}

fn check(verifier: &Verifier, headers: &HeaderMap) -> Result<(), Denied> {
    let token = principal::bearer(headers).map_err(|_| Denied::Unauthenticated)?;
    let token = token.ok_or(Denied::Unauthenticated)?;
    let caller = verifier.verify_user(token);
    let caller = caller.map_err(|_| Denied::Unauthenticated)?;
    if caller.is_ops() {
        Ok(())
    } else {
        Err(Denied::Forbidden)
    }
}
