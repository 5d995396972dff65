//! The token that a client puts into a message's payload, under the names that clients use.

use serde_json::{Map, Value};

use super::{close::Close, message::Payload};

/// Members that hold a token, in any letters, at the payload's top and in its `headers`.
const NAMES: [&str; 4] = ["authorization", "authtoken", "accesstoken", "token"];

/// The token in a payload; `None` where there is none.
///
/// # Errors
/// [`Close::BadMessage`] for one that is not a text: a token is never passed over in silence.
pub(super) fn find(payload: &Payload) -> Result<Option<&str>, Close> {
    let Some(payload) = payload else {
        return Ok(None);
    };
    let headers = payload.get("headers").and_then(Value::as_object);
    let places = std::iter::once(payload).chain(headers);
    let Some((name, value)) = places.flat_map(named).next() else {
        return Ok(None);
    };
    let text = value.as_str().ok_or_else(|| {
        Close::BadMessage(format!(
            "Invalid message: {name} in the payload must be a text"
        ))
    })?;
    Ok(Some(bare(text)))
}

/// The members that hold tokens, best first. One that is null or empty is a client's without a token.
fn named(members: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    NAMES.iter().flat_map(|name| {
        members.iter().filter(move |(key, value)| {
            let key: String = key.chars().filter(|letter| *letter != '_').collect();
            key.eq_ignore_ascii_case(name) && !value.is_null() && *value != ""
        })
    })
}

/// Without the scheme; another one is checked as it stands, and refused.
fn bare(text: &str) -> &str {
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(payload: &Value) -> Result<Option<String>, Close> {
        let payload = payload.as_object().cloned();
        find(&payload).map(|token| token.map(str::to_owned))
    }

    #[test]
    fn a_token_is_found_under_the_names_that_clients_use() {
        for payload in [
            json!({"authorization": "Bearer t"}),
            json!({"Authorization": "bearer t"}),
            json!({"Authorization": "t"}),
            json!({"headers": {"Authorization": "Bearer t"}}),
            json!({"authToken": "t"}),
            json!({"auth_token": "t"}),
            json!({"accessToken": "t"}),
            json!({"token": "Bearer t"}),
            json!({"authorization": null, "token": "t"}),
        ] {
            assert_eq!(found(&payload), Ok(Some("t".to_owned())), "{payload}");
        }
        for payload in [json!({}), json!({"user": "t"}), json!({"token": ""})] {
            assert_eq!(found(&payload), Ok(None), "{payload}");
        }
        for payload in [
            json!({"token": 7}),
            json!({"headers": {"authorization": ["t"]}}),
        ] {
            assert!(
                matches!(found(&payload), Err(Close::BadMessage(_))),
                "{payload}"
            );
        }
        assert_eq!(
            found(&json!({"token": "Basic t"})),
            Ok(Some("Basic t".to_owned()))
        );
    }
}
