use axum::http::HeaderName;

use super::*;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    pairs.iter().map(pair).collect()
}

fn single(accept: &'static str) -> Option<Media> {
    accepted(&headers(&[("accept", accept)]))
        .ok()
        .map(|accepted| accepted.single())
}

#[test]
fn the_best_accepted_media_type_is_served() {
    assert_eq!(accepted(&HeaderMap::new()).unwrap().single(), Media::Json);
    assert_eq!(single("*/*"), Some(Media::Json));
    assert_eq!(single("application/json; charset=utf-8"), Some(Media::Json));
    let both = "application/graphql-response+json, application/json;q=0.9";
    assert_eq!(single(both), Some(Media::GraphqlResponse));
    assert_eq!(
        single("application/json;q=0.1, text/event-stream"),
        Some(Media::EventStream)
    );
    assert_eq!(
        single("multipart/mixed;subscriptionSpec=1.0, application/json"),
        Some(Media::Json)
    );
    assert_eq!(
        single("multipart/mixed;subscriptionSpec=1.0"),
        Some(Media::Multipart)
    );
    assert_eq!(
        single("Multipart/Mixed; SubscriptionSpec=1.0"),
        Some(Media::Multipart)
    );
    assert_eq!(single("multipart/mixed"), None);
    assert_eq!(single("text/html"), None);
    assert_eq!(single("application/json;q=0"), None);
}

#[test]
fn a_subscription_needs_a_form_that_carries_more_than_one_answer() {
    let plain = accepted(&headers(&[("accept", "application/json")])).unwrap();
    assert_eq!(plain.stream().unwrap_err().code(), ErrorCode::NotAcceptable);
    let both = headers(&[(
        "accept",
        "application/json, multipart/mixed;subscriptionSpec=\"1.0\"",
    )]);
    assert_eq!(accepted(&both).unwrap().stream().unwrap(), Media::Multipart);
}

#[test]
fn only_json_in_utf8_is_read() {
    let ok = |kind| require_json(&headers(&[("content-type", kind)])).is_ok();
    assert!(ok("application/json"));
    assert!(ok("Application/JSON; charset=UTF-8"));
    assert!(!ok("application/json; charset=latin1"));
    assert!(!ok("application/graphql"));
    assert!(require_json(&HeaderMap::new()).is_err());
}
