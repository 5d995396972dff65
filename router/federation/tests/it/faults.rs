//! Faults of subgraphs: what stays, what turns null, and what a client may read of it.

use std::sync::Arc;

use federation::EngineConfig;
use federation::subgraph::FetchError;
use serde_json::{Value as Json, json};

use crate::toy::{Toy, Trouble, shop};

/// A subgraph that answers with this text, whatever it is asked.
pub(crate) fn raw_answer(subgraph: &'static str, text: &'static str) -> Trouble {
    Arc::new(move |call| (call.subgraph == subgraph).then(|| Ok(Json::String(text.to_owned()))))
}

fn down(subgraph: &'static str) -> Trouble {
    Arc::new(move |call| {
        (call.subgraph == subgraph).then(|| Err(FetchError::Connect("refused".to_owned())))
    })
}

fn with(trouble: Trouble) -> Toy {
    Toy::with(&shop(), EngineConfig::default(), Some(trouble))
}

fn broken(place: &[&str], value: Json) -> Toy {
    let mut data = shop();
    let mut at = &mut data;
    for step in place {
        at = &mut at[*step];
    }
    *at = value;
    Toy::new(&data)
}

fn paths(answer: &Json) -> Vec<String> {
    let errors = answer["errors"].as_array().cloned().unwrap_or_default();
    errors
        .iter()
        .map(|error| error["path"].to_string())
        .collect()
}

#[tokio::test]
async fn what_one_subgraph_cannot_answer_is_null_and_the_rest_stays() {
    let toy = with(down("stock"));
    let query = r#"{ product(sku: "1") { name goods: stock { total } } warehouse }"#;
    let answer = toy.run(query, json!({})).await;
    let data = json!({ "product": { "name": "pen", "goods": null }, "warehouse": null });
    assert_eq!(answer["data"], data);
    assert_eq!(
        paths(&answer),
        [r#"["warehouse"]"#, r#"["product","goods"]"#]
    );
    for error in answer["errors"].as_array().unwrap() {
        assert_eq!(error["extensions"], json!({ "code": "UNAVAILABLE" }));
    }
}

#[tokio::test]
async fn a_root_field_that_must_not_be_null_takes_the_data_with_it() {
    let toy = with(down("catalog"));
    let answer = toy.run("{ sure { name } warehouse }", json!({})).await;
    assert_eq!(answer["data"], Json::Null);
    assert_eq!(paths(&answer), [r#"["sure"]"#]);
}

#[tokio::test]
async fn an_error_keeps_its_path_in_the_clients_words() {
    let fault = json!({ "$error": { "message": "no stock for you", "code": "FORBIDDEN" } });
    let toy = broken(&["entities", "Product:1", "stock"], fault);
    let answer = toy
        .run("{ all: products { goods: stock { total } } }", json!({}))
        .await;
    let nothing = json!({ "goods": null });
    assert_eq!(answer["data"]["all"], json!([nothing, nothing, nothing]));
    // Product 1 stands in two places, and each has its error.
    assert_eq!(
        paths(&answer),
        [r#"["all",0,"goods"]"#, r#"["all",2,"goods"]"#]
    );
    let first = &answer["errors"][0];
    assert_eq!(first["message"], "no stock for you");
    assert_eq!(first["extensions"], json!({ "code": "FORBIDDEN" }));
}

/// Seen red with the message passed on for any code.
#[tokio::test]
async fn an_error_without_a_code_of_ours_is_masked() {
    for code in [Json::Null, json!("PG_DOWN")] {
        let fault = json!({ "$error": { "message": "password=hunter2", "code": code } });
        let toy = broken(&["Query", "warehouse"], fault);
        let answer = toy.run("{ w: warehouse }", json!({})).await;
        assert!(!answer.to_string().contains("hunter2"), "{answer}");
        assert!(!answer.to_string().contains("stack"), "{answer}");
        assert_eq!(answer["errors"][0]["path"], json!(["w"]));
        assert_eq!(
            answer["errors"][0]["extensions"],
            json!({ "code": "INTERNAL" })
        );
    }
}

#[tokio::test]
async fn a_null_in_a_non_null_place_goes_up_to_the_next_nullable_one() {
    let toy = broken(&["entities", "Review:r", "author"], Json::Null);
    let answer = toy
        .run(
            r#"{ product(sku: "1") { sku best { body author { name } } } }"#,
            json!({}),
        )
        .await;
    assert_eq!(answer["data"], json!({ "product": null }));
    assert_eq!(answer["errors"].as_array().unwrap().len(), 1);
}

/// Specification 6.4.4; the subgraph breaks its own schema without a word of it.
#[tokio::test]
async fn a_null_that_no_subgraph_explains_has_an_error_of_its_own() {
    let silent: Trouble = Arc::new(|call| {
        (call.subgraph == "reviews").then(|| {
            Ok(json!({ "data": { "users": [{ "id": "u", "name": null }, { "id": "v", "name": "Vic" }] } }))
        })
    });
    let answer = with(silent)
        .run("{ users { who: name } warehouse }", json!({}))
        .await;
    assert_eq!(answer["data"], Json::Null);
    assert_eq!(paths(&answer), [r#"["users",0,"who"]"#]);
    assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL");
}

#[tokio::test]
async fn an_entity_that_a_subgraph_does_not_find_leaves_its_fields_null() {
    let lost: Trouble = Arc::new(|call| {
        (call.subgraph == "reviews").then(|| Ok(json!({ "data": { "_entities": [null] } })))
    });
    let toy = with(lost);
    let answer = toy
        .run(
            r#"{ product(sku: "1") { sku reviews { body } } }"#,
            json!({}),
        )
        .await;
    assert_eq!(answer["data"], json!({ "product": null }));
    assert_eq!(paths(&answer), [r#"["product","reviews"]"#]);
}

#[tokio::test]
async fn the_whole_list_of_entities_may_fail_without_an_index() {
    let failed: Trouble = Arc::new(|call| {
        (call.subgraph == "stock").then(|| {
            let error = json!({ "message": "busy", "path": ["_entities"], "extensions": { "code": "OVERLOADED" } });
            Ok(json!({ "data": null, "errors": [error] }))
        })
    });
    let answer = with(failed)
        .run("{ products { stock { total } } }", json!({}))
        .await;
    let nothing = json!({ "stock": null });
    assert_eq!(
        answer["data"]["products"],
        json!([nothing, nothing, nothing])
    );
    assert_eq!(paths(&answer).len(), 3);
    assert_eq!(answer["errors"][0]["message"], "busy");
}

#[tokio::test]
async fn an_answer_that_is_not_graphql_counts_as_none() {
    for text in [
        "",
        "<html>",
        "{}",
        "[]",
        r#"{"data":"#,
        r#"{"data":{"warehouse":01}}"#,
    ] {
        let trouble: Trouble = Arc::new(move |call| {
            (call.subgraph == "stock").then(|| Ok(Json::String(text.to_owned())))
        });
        let answer = with(trouble).run("{ warehouse }", json!({})).await;
        assert_eq!(answer["data"], json!({ "warehouse": null }), "{text}");
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "UNAVAILABLE",
            "{text}"
        );
    }
}

#[tokio::test]
async fn values_of_another_form_are_null_with_an_error() {
    let odd: Trouble = Arc::new(|call| {
        (call.subgraph == "catalog")
            .then(|| Ok(json!({ "data": { "products": [{ "sku": "1", "tags": "x" }, 7] } })))
    });
    let answer = with(odd).run("{ products { sku tags } }", json!({})).await;
    assert_eq!(answer["data"], Json::Null);
    assert_eq!(
        paths(&answer),
        [r#"["products",0,"tags"]"#, r#"["products",1]"#]
    );
}

#[tokio::test]
async fn a_slow_subgraph_is_given_up_at_the_requests_deadline() {
    let toy = Toy::new(&shop());
    let prepared = toy.prepare("{ warehouse }", json!({})).await.unwrap();
    let mut ctx = crate::toy::context();
    ctx.deadline = tokio::time::Instant::now();
    let answer = crate::toy::body(&toy.engine.execute(&prepared, &ctx).await);
    assert_eq!(answer["data"], json!({ "warehouse": null }));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAVAILABLE");
}
