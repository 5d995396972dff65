//! The subgraph as the router asks it.

use async_graphql::{Request, Variables};
use chassis::graphql::IdempotencyKeyHeader;
use serde_json::{Value, json};

use crate::shop::{EDIT_WINDOW, Shop};

async fn ask(shop: &Shop, request: impl Into<Request>) -> Value {
    serde_json::to_value(shop.subgraph.execute(request.into()).await).unwrap()
}

fn entities(representations: &Value, selection: &str) -> Request {
    let query =
        format!("query($r: [_Any!]!) {{ _entities(representations: $r) {{ {selection} }} }}");
    Request::new(query).variables(Variables::from_json(json!({ "r": representations })))
}

const ADD: &str = "mutation($input: AddCommentInput!) { addComment(input: $input) {
    comment { id text author { id } product { sku } createdAt editableUntil } userErrors { code field message } } }";
const EDIT: &str = "mutation($input: EditCommentInput!) { editComment(input: $input) {
    comment { id text } userErrors { code field } } }";

fn mutation(query: &str, input: &Value) -> Request {
    Request::new(query).variables(Variables::from_json(json!({ "input": input })))
}

#[tokio::test]
async fn a_comment_that_was_added_is_found() {
    let shop = Shop::open().await;
    let added = ask(
        &shop,
        mutation(ADD, &json!({ "sku": "3", "text": "fine" })).data(shop.principal(1)),
    )
    .await;
    let payload = &added["data"]["addComment"];
    assert_eq!(payload["userErrors"], json!([]), "{added}");
    assert_eq!(payload["comment"]["id"], "1001");
    assert_eq!(payload["comment"]["author"]["id"], "1");
    assert_eq!(payload["comment"]["product"]["sku"], "3");

    let found = ask(&shop, r#"{ comment(id: "1001") { text } gone: comment(id: "7") { id } bad: comment(id: "x") { id } }"#).await;
    assert_eq!(
        found["data"],
        json!({ "comment": { "text": "fine" }, "gone": null, "bad": null })
    );
}

#[tokio::test]
async fn what_the_caller_can_mend_is_an_answer() {
    let shop = Shop::open().await;
    let id = shop.add(1, 2, "mine").await.id.to_string();
    let too_long = "x".repeat(256);
    for (query, me, input, code, field) in [
        (
            ADD,
            1,
            json!({ "sku": "3", "text": "" }),
            "INVALID_ARGUMENT",
            json!(["input", "text"]),
        ),
        (
            ADD,
            1,
            json!({ "sku": "3", "text": too_long }),
            "INVALID_ARGUMENT",
            json!(["input", "text"]),
        ),
        (
            ADD,
            1,
            json!({ "sku": "3", "text": " \u{200b}\n" }),
            "INVALID_ARGUMENT",
            json!(["input", "text"]),
        ),
        (
            ADD,
            1,
            json!({ "sku": "3", "text": "a\0b" }),
            "INVALID_ARGUMENT",
            json!(["input", "text"]),
        ),
        (
            ADD,
            1,
            json!({ "sku": "0", "text": "x" }),
            "INVALID_ARGUMENT",
            json!(["input", "sku"]),
        ),
        (
            EDIT,
            1,
            json!({ "id": "7", "text": "x" }),
            "NOT_FOUND",
            json!(["input", "id"]),
        ),
        (
            EDIT,
            1,
            json!({ "id": "nothing", "text": "x" }),
            "NOT_FOUND",
            json!(["input", "id"]),
        ),
        (
            EDIT,
            2,
            json!({ "id": id, "text": "x" }),
            "NOT_THE_AUTHOR",
            Value::Null,
        ),
    ] {
        let answer = ask(&shop, mutation(query, &input).data(shop.principal(me))).await;
        let payload = answer["data"]
            .as_object()
            .and_then(|data| data.values().next())
            .unwrap();
        assert_eq!(payload["comment"], Value::Null, "{answer}");
        assert_eq!(payload["userErrors"][0]["code"], code, "{answer}");
        assert_eq!(payload["userErrors"][0]["field"], field, "{answer}");
    }
    shop.clock.advance(EDIT_WINDOW * 2);
    let late = ask(
        &shop,
        mutation(EDIT, &json!({ "id": id, "text": "x" })).data(shop.principal(1)),
    )
    .await;
    assert_eq!(
        late["data"]["editComment"]["userErrors"][0]["code"],
        "EDIT_WINDOW_OVER"
    );
}

/// One rule for both mutations, whether the key is an argument or a header.
#[tokio::test]
async fn a_key_outside_its_bounds_is_a_user_error() {
    let shop = Shop::open().await;
    let id = shop.add(1, 2, "mine").await.id.to_string();
    let long = "x".repeat(256);
    for (query, field, input) in [
        (ADD, "addComment", json!({ "sku": "3", "text": "x" })),
        (EDIT, "editComment", json!({ "id": id, "text": "x" })),
    ] {
        for bad in ["", &long, "a\0b"] {
            let mut named = input.clone();
            named["idempotencyKey"] = json!(bad);
            let argument = mutation(query, &named);
            let header =
                mutation(query, &input).data(IdempotencyKeyHeader(bad.as_bytes().to_vec()));
            for request in [argument, header] {
                let response = ask(&shop, request.data(shop.principal(1))).await;
                let refusal = &response["data"][field]["userErrors"][0];
                assert_eq!(refusal["code"], "INVALID_ARGUMENT", "{bad:?}: {response}");
                let blamed = json!(["input", "idempotencyKey"]);
                assert_eq!(refusal["field"], blamed, "{bad:?}: {response}");
                assert_eq!(response.get("errors"), None, "{bad:?}: {response}");
            }
        }
    }
}

#[tokio::test]
async fn a_mutation_needs_a_caller() {
    let shop = Shop::open().await;
    let answer = ask(&shop, mutation(ADD, &json!({ "sku": "3", "text": "x" }))).await;
    assert_eq!(
        answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED",
        "{answer}"
    );
}

#[tokio::test]
async fn entities_carry_their_lists_in_pages() {
    let shop = Shop::open().await;
    for said in ["a", "b", "c"] {
        shop.add(1, 2, said).await;
    }
    let list = "comments(first: 2) { totalCount nodes { text } edges { cursor } pageInfo { hasNextPage endCursor } }";
    let selection = format!("... on Product {{ {list} }} ... on User {{ {list} }}");
    let both =
        json!([{ "__typename": "Product", "sku": "2" }, { "__typename": "User", "id": "1" }]);
    let answer = ask(&shop, entities(&both, &selection)).await;
    for entity in answer["data"]["_entities"].as_array().unwrap() {
        let page = &entity["comments"];
        assert_eq!(page["totalCount"], 3, "{answer}");
        assert_eq!(page["nodes"], json!([{ "text": "a" }, { "text": "b" }]));
        assert_eq!(page["pageInfo"]["hasNextPage"], true);
        assert_eq!(page["pageInfo"]["endCursor"], page["edges"][1]["cursor"]);

        let after = page["pageInfo"]["endCursor"].as_str().unwrap();
        let rest = ask(
            &shop,
            format!(r#"{{ comments(sku: "2", after: "{after}") {{ nodes {{ text }} }} }}"#),
        )
        .await;
        assert_eq!(rest["data"]["comments"]["nodes"], json!([{ "text": "c" }]));
    }
}

#[tokio::test]
async fn a_page_out_of_bounds_is_refused_by_name() {
    let shop = Shop::open().await;
    for arguments in [
        r#"sku: "2", first: 0"#,
        r#"sku: "2", first: 101"#,
        r#"sku: "2", after: "made up""#,
        r#"sku: "-1""#,
    ] {
        let answer = ask(
            &shop,
            format!("{{ comments({arguments}) {{ totalCount }} }}"),
        )
        .await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "INVALID_ARGUMENT",
            "{arguments}: {answer}"
        );
    }
}

/// Entities that are asked for within a millisecond share a batch, so the number depends on the machine; without
/// batches it would be 40.
#[tokio::test]
async fn entities_are_loaded_in_batches() {
    let shop = Shop::open().await;
    let products: Vec<_> = (2..42)
        .map(|sku| json!({ "__typename": "Product", "sku": sku.to_string() }))
        .collect();
    let selection = "... on Product { comments { nodes { text } } }";
    let before = shop.statements();
    let answer = ask(&shop, entities(&json!(products), selection)).await;
    assert_eq!(
        answer["data"]["_entities"].as_array().map(Vec::len),
        Some(40),
        "{answer}"
    );
    assert!(shop.statements() - before < 40);
}

#[tokio::test]
async fn a_shard_that_is_down_nulls_its_own_entities_alone() {
    let shop = Shop::with_second_shard_down().await;
    let both = json!([
        { "__typename": "Product", "sku": "2" },
        { "__typename": "Product", "sku": "3" },
        { "__typename": "Comment", "id": "1001" },
    ]);
    let selection =
        "... on Product { comments { totalCount nodes { text } } } ... on Comment { text }";
    let answer = ask(&shop, entities(&both, selection)).await;
    let found = answer["data"]["_entities"]
        .as_array()
        .unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(found[0]["comments"]["nodes"], json!([]), "{answer}");
    assert_eq!(
        (&found[1], &found[2]),
        (&Value::Null, &Value::Null),
        "{answer}"
    );
    for error in answer["errors"].as_array().unwrap() {
        assert_eq!(error["extensions"]["code"], "UNAVAILABLE", "{error}");
    }
}

#[tokio::test]
async fn a_replay_says_so_in_the_extensions() {
    let shop = Shop::open().await;
    let input = json!({ "sku": "3", "text": "fine", "idempotencyKey": "k" });
    let add = async || ask(&shop, mutation(ADD, &input).data(shop.principal(1))).await;
    let (first, second) = (add().await, add().await);
    assert_eq!(first["data"], second["data"]);
    assert_eq!(first["extensions"], Value::Null, "{first}");
    assert_eq!(
        second["extensions"]["idempotency"]["replayed"], true,
        "{second}"
    );
}

/// Docs/contracts.md §6 fixes no rate, so only users of the public graph have one.
#[tokio::test]
async fn a_user_of_the_public_graph_writes_within_a_rate_and_old_clients_do_not_know_of_it() {
    let shop = Shop::open().await;
    let add = json!({ "sku": "3", "text": "again" });
    for _ in 0..30 {
        let added = ask(&shop, mutation(ADD, &add).data(shop.principal(1))).await;
        assert_eq!(added.get("errors"), None, "{added}");
    }
    let refused = ask(&shop, mutation(ADD, &add).data(shop.principal(1))).await;
    let error = &refused["errors"][0];
    assert_eq!(error["extensions"]["code"], "RATE_LIMITED", "{refused}");
    let wait = error["extensions"]["retryAfterSeconds"].as_u64();
    assert!(
        wait.is_some_and(|wait| (1..=2).contains(&wait)),
        "{refused}"
    );
    let edit = json!({ "id": "1001", "text": "edited" });
    let edited = ask(&shop, mutation(EDIT, &edit).data(shop.principal(1))).await;
    assert_eq!(edited["errors"][0]["extensions"]["code"], "RATE_LIMITED");

    let other = ask(&shop, mutation(ADD, &add).data(shop.principal(2))).await;
    assert_eq!(other.get("errors"), None, "a budget each: {other}");
    let mut by_rest = (*shop.principal(1)).clone();
    by_rest.service = Some("rest".to_owned());
    for _ in 0..40 {
        let request = mutation(ADD, &add).data(std::sync::Arc::new(by_rest.clone()));
        let added = ask(&shop, request).await;
        assert_eq!(added.get("errors"), None, "{added}");
    }
}
