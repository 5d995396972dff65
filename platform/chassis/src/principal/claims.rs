//! What a token claims, and whether it does so now and for us. Source: RFC 7519 §4.1, RFC 8693 §4.1, RFC 8725 §3.
//!
//! A claim of the wrong type refuses the token: a rule that cannot be checked is not a rule that holds.

use chrono::{DateTime, Duration, Utc};
use schema::id::UserId;
use serde_json::{Map, Value};

use super::{Principal, Scopes, TokenError};

/// How far another machine's clock may be ahead of ours.
const LEEWAY: Duration = Duration::seconds(30);
/// What stands before a service's name in `sub`.
pub(super) const SERVICE: &str = "service:";

type Claims = Map<String, Value>;

/// Checks who issued the token and for whom.
pub(super) fn check_parties(
    claims: &Claims,
    issuer: &str,
    audience: &str,
) -> Result<(), TokenError> {
    if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
        return Err(TokenError::Invalid("its issuer is another"));
    }
    let is_for_us = match claims.get("aud") {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(many)) => {
            many.iter().all(Value::is_string) && many.iter().any(|one| one == audience)
        }
        _ => false,
    };
    if is_for_us {
        return Ok(());
    }
    Err(TokenError::Invalid("its audience is another"))
}

/// Checks the time, and gives the second at which the token ends. Only `nbf` and `iat` have a leeway: a token ends when it
/// says.
pub(super) fn check_time(claims: &Claims, now: DateTime<Utc>) -> Result<DateTime<Utc>, TokenError> {
    let end = time(claims, "exp")?.ok_or(TokenError::Invalid("it has no end"))?;
    if end <= now {
        return Err(TokenError::Invalid("it has ended"));
    }
    if time(claims, "nbf")?.is_some_and(|start| start > now + LEEWAY) {
        return Err(TokenError::Invalid("it is not valid yet"));
    }
    if time(claims, "iat")?.is_some_and(|issued| issued > now + LEEWAY || issued >= end) {
        return Err(TokenError::Invalid(
            "it was issued after now or after its end",
        ));
    }
    Ok(end)
}

/// How long the token is valid from its making; `None` when it does not say when it was made.
pub(super) fn lifetime(claims: &Claims) -> Result<Option<Duration>, TokenError> {
    let (issued, end) = (time(claims, "iat")?, time(claims, "exp")?);
    Ok(issued.zip(end).map(|(issued, end)| end - issued))
}

/// A NumericDate: seconds, perhaps with a fraction, which is cut off.
fn time(claims: &Claims, name: &str) -> Result<Option<DateTime<Utc>>, TokenError> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let seconds = match (value.as_i64(), value.as_f64()) {
        (Some(seconds), _) => Some(seconds),
        // Below 2^53 a cut float is exact; 10^11 is beyond the year 5000.
        #[expect(clippy::cast_possible_truncation, reason = "the guard bounds it")]
        (None, Some(seconds)) if seconds.abs() < 1e11 => Some(seconds as i64),
        _ => None,
    };
    let time = seconds.filter(|seconds| *seconds >= 0);
    let time = time.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    match time {
        Some(time) => Ok(Some(time)),
        None => Err(TokenError::Invalid("one of its times is not a time")),
    }
}

/// The principal of a user's own token: the id in the claim `user`, the scopes in the claim `scope`.
pub(super) fn user(
    claims: &Claims,
    user_claim: &str,
    scope_claim: &str,
    expires_at: DateTime<Utc>,
) -> Result<Principal, TokenError> {
    if claims.contains_key("act") {
        return Err(TokenError::Invalid("its issuer may not name an actor"));
    }
    let id = match claims.get(user_claim) {
        Some(Value::String(text)) => user_id(text),
        // `sub` is a string by its definition; another claim may hold a number.
        Some(Value::Number(id)) if user_claim != "sub" => {
            id.as_i64().and_then(|id| UserId::try_from(id).ok())
        }
        _ => None,
    };
    let user = id.ok_or(TokenError::Invalid("its subject is not a user's id"))?;
    Ok(Principal {
        user: Some(user),
        scopes: scopes(claims, scope_claim)?,
        expires_at,
        service: None,
    })
}

/// The principal of a service's token: for itself, or as the actor on a user's behalf.
pub(super) fn service(claims: &Claims, expires_at: DateTime<Utc>) -> Result<Principal, TokenError> {
    let wrong = TokenError::Invalid("its subject and actor are not a user and a service");
    let subject = claims.get("sub").and_then(Value::as_str);
    let actor = match claims.get("act") {
        None => None,
        Some(Value::Object(act)) if act.len() == 1 => act.get("sub").and_then(Value::as_str),
        Some(_) => return Err(wrong),
    };
    let has_actor = claims.contains_key("act");
    let (user, name) = match (subject, actor) {
        (Some(user), Some(service)) if has_actor => match user_id(user) {
            Some(user) => (Some(user), service),
            None => return Err(wrong),
        },
        (Some(service), None) if !has_actor => (None, service),
        _ => return Err(wrong),
    };
    let name = name.strip_prefix(SERVICE).filter(|name| !name.is_empty());
    Ok(Principal {
        user,
        scopes: scopes(claims, "scope")?,
        expires_at,
        service: Some(name.ok_or(wrong)?.to_owned()),
    })
}

/// A user has one name: `07` is not 7's.
fn user_id(text: &str) -> Option<UserId> {
    let id: UserId = text.parse().ok()?;
    (id.to_string() == text).then_some(id)
}

/// Names divided by blanks (RFC 8693 §4.2), or a list of names, as several issuers have it.
fn scopes(claims: &Claims, name: &str) -> Result<Scopes, TokenError> {
    match claims.get(name) {
        Some(Value::String(text)) => Ok(Scopes::named(text.split(' '))),
        Some(Value::Array(names)) if names.iter().all(Value::is_string) => {
            Ok(Scopes::named(names.iter().filter_map(Value::as_str)))
        }
        _ => Err(TokenError::Invalid("its scopes are missing or no texts")),
    }
}
