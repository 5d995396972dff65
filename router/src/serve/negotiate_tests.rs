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

fn passes(method: &Method, pairs: &[(&'static str, &'static str)]) -> bool {
    let origins = Origins::new(&["https://shop.example".to_owned()]);
    refuse_foreign_pages(method, &headers(pairs), &origins).is_ok()
}

/// Seen red with every POST let through: a form of any page could then order in its visitor's name.
#[test]
fn what_a_foreign_page_can_send_without_a_preflight_is_refused() {
    let post = &Method::POST;
    assert!(passes(post, &[("content-type", "application/json")]));
    assert!(!passes(post, &[]));
    assert!(!passes(
        post,
        &[("content-type", "text/plain; x=application/json")]
    ));
    assert!(!passes(
        post,
        &[("content-type", "application/x-www-form-urlencoded")]
    ));
    assert!(passes(
        post,
        &[
            ("content-type", "text/plain"),
            ("apollo-require-preflight", "1")
        ]
    ));
    let get = &Method::GET;
    let any = ("accept", "*/*");
    assert!(passes(get, &[any]), "a program");
    assert!(!passes(get, &[any, ("user-agent", "Mozilla/5.0")]));
    assert!(!passes(get, &[any, ("referer", "http://evil.example/")]));
    assert!(!passes(get, &[any, ("sec-fetch-site", "cross-site")]));
    assert!(passes(get, &[any, ("sec-fetch-site", "same-origin")]));
    assert!(passes(
        get,
        &[any, ("origin", "null"), ("graphql-require-preflight", "1")]
    ));
    let json = ("accept", "application/json");
    assert!(passes(get, &[json, ("user-agent", "Mozilla/5.0")]));
    assert!(!passes(get, &[json, ("sec-fetch-site", "cross-site")]));
    let page = |origin| {
        [
            ("accept", "text/event-stream"),
            ("host", "h:1"),
            ("origin", origin),
        ]
    };
    assert!(passes(get, &page("http://h:1")));
    assert!(passes(get, &page("https://shop.example")));
    assert!(!passes(get, &page("https://evil.example")));
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
