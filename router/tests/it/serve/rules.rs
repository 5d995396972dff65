//! What settings say of a graph of others: whose tokens are judged, which headers come back, which operations are served, and who
//! sees a plan.

use axum::{
    Json, Router,
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::post,
};
use reqwest::RequestBuilder;
use router::config::Config;
use serde_json::{Value, json};

use super::{reload::graph, shop::Shop};

/// A subgraph that says which `authorization` it got.
async fn subgraph() -> String {
    let answer = async |headers: HeaderMap| -> Response {
        let seen = headers.get("authorization");
        let seen = seen.and_then(|it| it.to_str().ok());
        let given = [
            ("set-cookie", "a=1"),
            ("x-version", "7"),
            ("x-private", "p"),
        ];
        (given, Json(json!({ "data": { "seen": seen } }))).into_response()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let address = listener.local_addr().expect("bound");
    let routes = Router::new().route("/graphql", post(answer));
    #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}/graphql")
}

async fn shop(change: impl FnOnce(&mut Config)) -> (Shop, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("supergraph.graphql");
    std::fs::write(&file, graph(&subgraph().await, "seen other")).expect("written");
    let shop = Shop::with(|config| {
        config.supergraph = file.display().to_string();
        let rules = config.subgraphs.entry("comments".to_owned()).or_default();
        rules.forward_headers = vec!["authorization".to_owned()];
        change(config);
    });
    (shop.await, folder)
}

fn request(shop: &Shop, body: &Value) -> RequestBuilder {
    reqwest::Client::new().post(shop.url()).json(body)
}

async fn answer(request: RequestBuilder) -> (u16, HeaderMap, Value) {
    let response = request.send().await.expect("answers");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, response.json().await.expect("JSON"))
}

#[tokio::test]
async fn a_token_of_another_issuer_is_refused_or_left_to_the_subgraph() {
    let seen = json!({ "query": "{ seen }" });
    let (strict, _one) = shop(|_| {}).await;
    let (lenient, _other) = shop(|config| config.foreign_tokens_enabled = true).await;
    for foreign in ["Bearer theirs", "Basic dTpw"] {
        let asked = request(&strict, &seen).header("authorization", foreign);
        let (status, _, body) = answer(asked).await;
        assert_eq!(status, 401, "{body}");
        let asked = request(&lenient, &seen).header("authorization", foreign);
        assert_eq!(answer(asked).await.2["data"]["seen"], foreign);
    }
    let own = format!("Bearer {}", lenient.token(1));
    let asked = request(&lenient, &seen).header("authorization", &own);
    assert_eq!(answer(asked).await.2["data"]["seen"], own);
    assert_eq!(
        answer(request(&lenient, &seen)).await.2["data"]["seen"],
        Value::Null
    );
    strict.stop().await;
    lenient.stop().await;
}

#[tokio::test]
async fn headers_of_a_response_come_back_where_a_rule_names_them() {
    let (shop, _folder) = shop(|config| {
        let rules = config.subgraphs.entry("comments".to_owned()).or_default();
        rules.response_headers = vec!["set-cookie".to_owned(), "x-version".to_owned()];
    })
    .await;
    let (_, headers, _) = answer(request(&shop, &json!({ "query": "{ seen }" }))).await;
    assert_eq!(headers["set-cookie"], "a=1");
    assert_eq!(headers["x-version"], "7");
    assert!(!headers.contains_key("x-private"));
    shop.stop().await;
}

#[tokio::test]
async fn a_plan_is_shown_to_whoever_asks_where_that_is_on_and_else_to_operators() {
    let seen = json!({ "query": "{ seen }" });
    let (open, _one) = shop(|_| {}).await;
    let (closed, _other) = shop(|config| config.query_plan_enabled = false).await;
    let plan = async |shop: &Shop, token: &str, header: &str| {
        let asked = request(shop, &seen).bearer_auth(token);
        let (_, _, body) = answer(asked.header("x-query-plan", header)).await;
        body["extensions"]["queryPlan"]["fetches"].clone()
    };
    let shown = plan(&open, &open.token(1), "true").await;
    assert_eq!(shown[0]["subgraph"], "comments", "{shown}");
    let operation = shown[0]["operation"].as_str();
    assert!(operation.is_some_and(|it| it.contains("seen")), "{shown}");
    assert_eq!(plan(&open, &open.token(1), "").await, Value::Null);
    assert_eq!(plan(&closed, &closed.token(1), "true").await, Value::Null);
    assert_eq!(plan(&closed, &closed.ops(), "true").await, shown);
    open.stop().await;
    closed.stop().await;
}

#[tokio::test]
async fn where_documents_are_required_nothing_else_is_served_over_any_method() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("manifest.json");
    let manifest = json!({
        "format": "apollo-persisted-query-manifest",
        "version": 1,
        "operations": [{ "id": "one", "name": "Seen", "type": "query", "body": "query Seen { seen }" }],
    });
    std::fs::write(&path, manifest.to_string()).expect("written");
    let (shop, _folder) = shop(|config| {
        config.trusted_documents.path = path;
        config.trusted_documents.required = true;
    })
    .await;
    let named =
        json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": "one" } } });
    for asked in [
        request(&shop, &named),
        request(&shop, &json!({ "documentId": "one" })),
        reqwest::Client::new().get(shop.url() + "?documentId=one"),
        request(&shop, &json!({ "query": "query Seen { seen }" })),
    ] {
        let asked = asked.header("graphql-require-preflight", "1");
        let (status, _, body) = answer(asked).await;
        assert_eq!((status, &body), (200, &json!({ "data": { "seen": null } })));
    }
    for refused in [
        request(&shop, &json!({ "query": "{ seen }" })),
        request(&shop, &json!({ "query": "{ __typename }" })),
        request(&shop, &json!({ "documentId": "two" })),
    ] {
        let (status, _, body) = answer(refused).await;
        assert_eq!(status, 403, "{body}");
        let extensions = &body["errors"][0]["extensions"];
        assert_eq!(extensions["code"], "FORBIDDEN");
        assert_eq!(extensions["reason"], "NOT_TRUSTED");
    }
    shop.stop().await;
}

#[tokio::test]
async fn responses_in_parts_are_refused_by_name() {
    let (shop, _folder) = shop(|_| {}).await;
    for name in ["defer", "stream"] {
        let query = format!("{{ ... @{name} {{ seen }} }}");
        let (_, _, body) = answer(request(&shop, &json!({ "query": query }))).await;
        let message = body["errors"][0]["message"].as_str();
        assert!(
            message.is_some_and(|it| it.starts_with(&format!("@{name} is not served"))),
            "{body}"
        );
    }
    shop.stop().await;
}
