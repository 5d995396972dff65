//! What a client gets: names, order, values, and which entities are asked.

use serde_json::json;

use crate::toy::{Toy, shop};

/// Contract of the two passes: a client's word never stands where an entity's key is read from.
/// Seen red with the client's alias used as the internal key: stock was then asked for sku "pen".
#[tokio::test]
async fn an_alias_that_is_a_key_does_not_steer_an_entity_fetch() {
    let toy = Toy::new(&shop());
    let answer = toy
        .run(
            r#"{ product(sku: "2") { sku: name stock { available } } }"#,
            json!({}),
        )
        .await;
    // Product 2 is called "1": steered, the fetch would bring the stock of product 1.
    assert_eq!(
        answer,
        json!({ "data": { "product": { "sku": "1", "stock": null } } })
    );
    let calls = toy.calls();
    assert_eq!(
        calls[1].variables["representations"],
        json!([{ "__typename": "Product", "sku": "2" }])
    );
}

#[tokio::test]
async fn fields_come_in_the_order_and_under_the_names_of_the_operation() {
    let toy = Toy::new(&shop());
    let query = r#"{ b: product(sku: "1") { z: name a: sku z2: name __typename }
                     a: product(sku: "2") { ty: __typename sku } kind: __typename }"#;
    let prepared = toy.prepare(query, json!({})).await.unwrap();
    let answer = toy.engine.execute(&prepared, &crate::toy::context()).await;
    let text = std::str::from_utf8(&answer.body).unwrap();
    assert_eq!(
        text,
        concat!(
            r#"{"data":{"b":{"z":"pen","a":"1","z2":"pen","__typename":"Product"},"#,
            r#""a":{"ty":"Product","sku":"2"},"kind":"Query"}}"#
        )
    );
}

#[tokio::test]
async fn one_field_with_different_arguments_is_two_fields() {
    let toy = Toy::new(&shop());
    let query = r#"query($c: String) { product(sku: "1") {
        price usd: price(currency: "USD") chf: price(currency: $c) again: price } }"#;
    let answer = toy.run(query, json!({ "c": "CHF" })).await;
    let product = json!({ "price": 100, "usd": 110, "chf": 95, "again": 100 });
    assert_eq!(answer, json!({ "data": { "product": product } }));
}

#[tokio::test]
async fn equal_entities_in_many_places_are_asked_once() {
    let toy = Toy::new(&shop());
    let answer = toy
        .run("{ products { sku stock { total } } }", json!({}))
        .await;
    let one = json!({ "sku": "1", "stock": { "total": 7 } });
    let two = json!({ "sku": "2", "stock": null });
    assert_eq!(answer["data"]["products"], json!([one, two, one]));
    let calls = toy.calls();
    assert_eq!(
        calls[1].variables["representations"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

/// Seen red with the memo left out (stock was asked twice), and with its key cut down to the representation.
#[tokio::test]
async fn an_entity_that_this_request_knows_is_not_asked_again() {
    let toy = Toy::new(&shop());
    let query =
        r#"{ product(sku: "1") { sku stock { total } best { product { stock { total } } } } }"#;
    let answer = toy.run(query, json!({})).await;
    assert_eq!(
        answer["data"]["product"]["best"]["product"]["stock"]["total"],
        7
    );
    let asked = toy
        .calls()
        .iter()
        .filter(|call| call.subgraph == "stock")
        .count();
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn required_fields_go_along_and_may_be_null() {
    let toy = Toy::new(&shop());
    let answer = toy.run("{ products { shipping } }", json!({})).await;
    let products = json!([{ "shipping": 6 }, { "shipping": null }, { "shipping": 6 }]);
    assert_eq!(answer, json!({ "data": { "products": products } }));
    let calls = toy.calls();
    let sent = &calls[1].variables["representations"];
    assert_eq!(
        sent[1],
        json!({ "__typename": "Product", "sku": "2", "weight": null })
    );
}

#[tokio::test]
async fn custom_scalars_pass_unchanged() {
    let toy = Toy::new(&shop());
    let answer = toy
        .run(r#"{ product(sku: "1") { extra tags } }"#, json!({}))
        .await;
    let product =
        json!({ "extra": { "deep": [1, { "x": null }], "sku": "9" }, "tags": ["blue", "thin"] });
    assert_eq!(answer, json!({ "data": { "product": product } }));
}

#[tokio::test]
async fn numbers_pass_digit_by_digit() {
    let huge =
        r#"{"data":{"sure":{"price":123456789012345678901234567890,"extra":1.10,"weight":1e2}}}"#;
    let trouble = crate::faults::raw_answer("catalog", huge);
    let toy = Toy::with(&shop(), federation::EngineConfig::default(), Some(trouble));
    let prepared = toy
        .prepare("{ sure { price extra weight } }", json!({}))
        .await
        .unwrap();
    let answer = toy.engine.execute(&prepared, &crate::toy::context()).await;
    assert_eq!(std::str::from_utf8(&answer.body).unwrap(), huge);
}

#[tokio::test]
async fn interfaces_and_unions_answer_by_the_type_of_each_object() {
    let toy = Toy::new(&shop());
    let query = r#"
        { feed { id __typename title ... on Book { pages reviews { body } } ...film }
          search { __typename ... on Product { name stock { total } } ... on Media { title } }
          wide { ... on Book { n: size } ... on Film { s: size } } }
        fragment film on Film { minutes reviews { body author { name } } }"#;
    let answer = toy.run(query, json!({})).await;
    let book = json!({ "id": "b", "__typename": "Book", "title": "Rust", "pages": 300,
        "reviews": [{ "body": "bad" }] });
    let film = json!({ "id": "f", "__typename": "Film", "title": null, "minutes": 90,
        "reviews": [{ "body": "good", "author": { "name": "Una" } }] });
    let search = json!([{ "__typename": "Product", "name": "1", "stock": null },
        { "__typename": "Book", "title": "Rust" }]);
    let wide = json!([{ "s": "wide" }, { "n": 12 }]);
    let data = json!({ "feed": [book, film, null], "search": search, "wide": wide });
    assert_eq!(answer, json!({ "data": data }));
}

#[tokio::test]
async fn conditions_decide_what_is_asked_and_fetched() {
    let toy = Toy::new(&shop());
    let query = r#"query($a: Boolean!, $b: Boolean = false) { product(sku: "1") {
        sku @skip(if: $a) name @include(if: $b) stock @skip(if: $a) @include(if: $b) { total }
        ... @include(if: $a) { weight ...p @skip(if: $b) } } me @include(if: $b) { name } }
        fragment p on Product { price }"#;
    let expected = [
        (false, false, json!({ "product": { "sku": "1" } }), 1),
        (
            false,
            true,
            json!({ "product": { "sku": "1", "name": "pen", "stock": { "total": 7 } },
            "me": { "name": "Una" } }),
            3,
        ),
        (
            true,
            false,
            json!({ "product": { "weight": 3, "price": 100 } }),
            1,
        ),
        (
            true,
            true,
            json!({ "product": { "name": "pen", "weight": 3 }, "me": { "name": "Una" } }),
            2,
        ),
    ];
    for (a, b, data, fetches) in expected {
        let answer = toy.run(query, json!({ "a": a, "b": b })).await;
        assert_eq!(answer, json!({ "data": data }), "a {a} b {b}");
        assert_eq!(toy.calls().len(), fetches, "a {a} b {b}");
    }
}

#[tokio::test]
async fn an_object_of_which_nothing_is_left_is_still_there() {
    let toy = Toy::new(&shop());
    let query = r#"{ product(sku: "1") { name @skip(if: true) } none: product(sku: "3") { name @skip(if: true) } }"#;
    let answer = toy.run(query, json!({})).await;
    assert_eq!(answer, json!({ "data": { "product": {}, "none": null } }));
    let answer = toy.run("{ warehouse @skip(if: true) }", json!({})).await;
    assert_eq!(answer, json!({ "data": {} }));
}

#[tokio::test]
async fn the_router_answers_its_own_fields() {
    let toy = Toy::new(&shop());
    let answer = toy
        .run("{ at: cursor warehouse budget { left } }", json!({}))
        .await;
    assert_eq!(
        answer["data"],
        json!({ "at": "c-7", "warehouse": "north", "budget": null })
    );
    assert_eq!(answer["errors"][0]["path"], json!(["budget"]));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_value_that_clients_must_not_see_is_null() {
    let toy = Toy::new(&shop());
    let answer = toy.run(r#"{ products { kind } }"#, json!({})).await;
    assert_eq!(
        answer["data"]["products"],
        json!([{ "kind": "BOOK" }, { "kind": null }, { "kind": "BOOK" }])
    );
    assert_eq!(answer["errors"].as_array().unwrap().len(), 1);
    let text = answer.to_string();
    assert!(!text.contains("SECRET"), "{text}");
}

/// Whatever a text holds, and however the client wrote it, its subgraph reads the same.
#[tokio::test]
async fn a_text_in_the_operation_reaches_its_subgraph_as_it_is() {
    let texts = [
        "pen",
        "😀 \u{10ffff}",
        "a \"b\" \\ /",
        "\u{0}\u{7}\u{8}\u{b}\u{c}\u{1f}\u{7f}\u{85}\u{2028}",
        "line\nline",
        "\n\n  before and after  \n\n",
        "  a\n b\r\n\tc",
        "\"\"\"",
        "x\n\"\"\" \\\"\"\"",
        "$x ${y} {z} #",
        "",
    ];
    for text in texts {
        let units = text.encode_utf16().map(|unit| format!("\\u{unit:04X}"));
        let braced = text.chars().map(|it| format!("\\u{{{:x}}}", u32::from(it)));
        let plain = serde_json::to_string(text).unwrap();
        for written in [
            format!("\"{}\"", units.collect::<String>()),
            format!("\"{}\"", braced.collect::<String>()),
            plain,
        ] {
            let toy = Toy::new(&shop());
            let query = format!("{{ search(text: {written}) {{ __typename }} }}");
            let answer = toy.run(&query, json!({})).await;
            assert_eq!(answer.get("errors"), None, "{written}: {answer}");
            let sent = toy.calls()[0].text.clone();
            let document = async_graphql::parser::parse_query(&sent);
            let document = document.unwrap_or_else(|error| panic!("{sent}: {error}"));
            let (_, operation) = document.operations.iter().next().unwrap();
            let set = &operation.node.selection_set.node.items[0].node;
            let async_graphql::parser::types::Selection::Field(field) = set else {
                panic!("{sent}");
            };
            let (_, value) = &field.node.arguments[0];
            let value = value
                .node
                .clone()
                .into_const()
                .unwrap()
                .into_json()
                .unwrap();
            assert_eq!(value, json!(text), "{written} was sent as {sent}");
        }
    }
}
