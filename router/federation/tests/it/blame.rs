//! Which place an error stands at: the field that failed, once a place, whether or not its subgraph says which entity.

use std::sync::Arc;

use federation::EngineConfig;
use federation::subgraph::FetchError;
use serde_json::{Value as Json, json};

use crate::toy::{Toy, Trouble, shop};

/// A shop whose subgraph responds so, whatever it is asked.
fn responding(subgraph: &'static str, response: Json) -> Toy {
    let trouble: Trouble =
        Arc::new(move |call| (call.subgraph == subgraph).then(|| Ok(response.clone())));
    Toy::with(&shop(), EngineConfig::default(), Some(trouble))
}

fn forbidden(path: Json) -> Json {
    json!({ "message": "not you", "path": path, "extensions": { "code": "FORBIDDEN" } })
}

/// The paths of the errors, sorted, each as text.
fn paths(answer: &Json) -> Vec<String> {
    let errors = answer["errors"].as_array().into_iter().flatten();
    let mut paths: Vec<_> = errors.map(|error| error["path"].to_string()).collect();
    paths.sort_unstable();
    paths
}

const TOTALS: &str = "{ products { sku in: stock { total all: available } } }";

/// Product 1 stands at two places.
#[tokio::test]
async fn one_entity_that_fails_is_blamed_at_its_places_alone() {
    for path in [
        json!(["_entities", 0, "stock"]),
        json!(["_entities", "stock"]),
    ] {
        let stock = json!({ "total": 1, "available": 1 });
        let data = json!({ "_entities": [{ "stock": null }, { "stock": stock }] });
        let response = json!({ "data": data, "errors": [forbidden(path.clone())] });
        let answer = responding("stock", response).run(TOTALS, json!({})).await;
        let places = [r#"["products",0,"in"]"#, r#"["products",2,"in"]"#];
        assert_eq!(paths(&answer), places, "{path}: {answer}");
        assert_eq!(answer["data"]["products"][1]["in"]["total"], 1);
        for error in answer["errors"].as_array().unwrap() {
            assert_eq!(error["message"], "not you");
            assert_eq!(error["locations"], json!([{ "line": 1, "column": 18 }]));
        }
    }
}

/// A null that goes up in the subgraph leaves the path of the field. Seen red with the rest of a path cut off where the
/// position is missing.
#[tokio::test]
async fn as_many_errors_as_failures_and_each_at_its_field() {
    let nothing = json!({ "_entities": [{ "stock": null }, null] });
    for (first, second) in [
        (
            json!(["_entities", 0, "stock", "available"]),
            json!(["_entities", 1, "stock", "available"]),
        ),
        (
            json!(["_entities", "stock", "available"]),
            json!(["_entities", "stock", "available"]),
        ),
    ] {
        let errors = [forbidden(first), forbidden(second)];
        let response = json!({ "data": nothing, "errors": errors });
        let answer = responding("stock", response).run(TOTALS, json!({})).await;
        let places = [0, 1, 2].map(|at| format!(r#"["products",{at},"in","all"]"#));
        assert_eq!(paths(&answer), places, "{answer}");
    }
}

/// Whichever comes first: what failed as a whole has nothing in it that failed. Seen red with the errors dealt in their order.
#[tokio::test]
async fn of_two_paths_without_positions_the_longer_is_about_what_the_shorter_left() {
    let whole = forbidden(json!(["_entities", "stock"]));
    let part = json!({ "message": "busy", "path": ["_entities", "stock", "total"], "extensions": { "code": "OVERLOADED" } });
    for errors in [[part.clone(), whole.clone()], [whole, part]] {
        let data = json!({ "_entities": [{ "stock": null }, { "stock": null }] });
        let response = json!({ "data": data, "errors": errors });
        let answer = responding("stock", response).run(TOTALS, json!({})).await;
        let places = [
            r#"["products",0,"in"]"#,
            r#"["products",1,"in","total"]"#,
            r#"["products",2,"in"]"#,
        ];
        assert_eq!(paths(&answer), places, "{answer}");
        for error in answer["errors"].as_array().unwrap() {
            let is_part = error["path"][3] == "total";
            let code = if is_part { "OVERLOADED" } else { "FORBIDDEN" };
            assert_eq!(error["extensions"]["code"], code, "{answer}");
        }
    }
}

/// The first entity is null because its `body` must not be; in the second `product` is null itself, so that the one error of
/// a `product` is about it.
///
/// Seen red with the errors dealt to the first places that are null: one stood at the `product` of the first as well.
#[tokio::test]
async fn a_null_that_went_up_leaves_the_errors_of_other_fields_to_those_that_are_their_own() {
    let coded = |field: &str, code: &str| {
        let path = json!(["_entities", "best", field]);
        json!({ "message": "no", "path": path, "extensions": { "code": code } })
    };
    let best = json!({ "best": { "body": "bad", "product": null } });
    let errors = [coded("body", "FORBIDDEN"), coded("product", "OVERLOADED")];
    let response = json!({ "data": { "_entities": [null, best] }, "errors": errors });
    let query = "{ products { sku best { body product { sku } } } }";
    let answer = responding("reviews", response).run(query, json!({})).await;
    let places = [
        r#"["products",0,"best","body"]"#,
        r#"["products",1,"best","product"]"#,
        r#"["products",2,"best","body"]"#,
    ];
    assert_eq!(paths(&answer), places, "{answer}");
    for error in answer["errors"].as_array().unwrap() {
        let is_product = error["path"][3] == "product";
        let code = if is_product {
            "OVERLOADED"
        } else {
            "FORBIDDEN"
        };
        assert_eq!(error["extensions"]["code"], code, "{answer}");
    }
}

#[tokio::test]
async fn a_place_that_has_data_is_never_blamed() {
    let stock = json!({ "stock": { "total": 1, "available": 1 } });
    for path in [
        json!(["_entities"]),
        json!(["_entities", 0]),
        json!(["_entities", 0, "stock"]),
        json!(["_entities", "stock", "total"]),
        json!(["elsewhere", 7]),
        Json::Null,
    ] {
        let data = json!({ "_entities": [stock, stock] });
        // Said twice it is still one error.
        let errors = [forbidden(path.clone()), forbidden(path.clone())];
        let response = json!({ "data": data, "errors": errors });
        let answer = responding("stock", response).run(TOTALS, json!({})).await;
        assert_eq!(answer["data"]["products"][0]["in"]["total"], 1);
        let errors = answer["errors"].as_array().unwrap();
        assert!((1..=2).contains(&errors.len()), "{path}: {answer}");
        for error in errors {
            assert_eq!(error.get("path"), None, "{path}: {answer}");
            assert_eq!(error["locations"], json!([{ "line": 1, "column": 1 }]));
        }
    }
}

#[tokio::test]
async fn an_error_of_the_whole_response_stands_at_all_that_it_should_have_brought() {
    for path in [Json::Null, json!(["_entities"])] {
        let response = json!({ "data": null, "errors": [forbidden(path)] });
        let answer = responding("stock", response).run(TOTALS, json!({})).await;
        let places = [0, 1, 2].map(|at| format!(r#"["products",{at},"in"]"#));
        assert_eq!(paths(&answer), places, "{answer}");
    }
}

#[tokio::test]
async fn each_name_that_a_client_gives_a_field_has_its_error() {
    let fault = json!({ "$error": { "message": "not you", "code": "FORBIDDEN" } });
    let mut data = shop();
    data["entities"]["User:u"]["email"] = fault;
    let answer = Toy::new(&data)
        .run(
            "{ me { a: email b: email ...F } } fragment F on User { a: email }",
            json!({}),
        )
        .await;
    assert_eq!(paths(&answer), [r#"["me","a"]"#, r#"["me","b"]"#]);
    let places = &answer["errors"][0]["locations"];
    assert_eq!(
        places,
        &json!([{ "line": 1, "column": 8 }, { "line": 1, "column": 56 }])
    );
}

/// What only the planner wanted brings down what needs it, and that has a reason too. Seen red with the fetch alone blamed.
#[tokio::test]
async fn what_cannot_be_asked_because_another_fetch_failed_is_blamed_on_that() {
    let trouble: Trouble = Arc::new(|call| match call.subgraph {
        "catalog" => Some(Err(FetchError::Connect("refused".to_owned()))),
        "stock" => Some(Ok(
            json!({ "data": { "_entities": [{ "shipping": null }] } }),
        )),
        _ => None,
    });
    let toy = Toy::with(&shop(), EngineConfig::default(), Some(trouble));
    let query = "{ me { reviews { product { sku shipping } } } }";
    let answer = toy.run(query, json!({})).await;
    let product = &answer["data"]["me"]["reviews"][0]["product"];
    assert_eq!(product, &json!({ "sku": "1", "shipping": null }));
    assert_eq!(
        paths(&answer),
        [r#"["me","reviews",0,"product","shipping"]"#]
    );
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAVAILABLE");
}

/// A subgraph speaks of the request that the engine wrote, which is no client's. Seen red with every code of the table let
/// through.
#[tokio::test]
async fn a_subgraphs_judgement_of_the_engines_request_reaches_no_client() {
    for code in [
        "BAD_REQUEST",
        "BAD_VARIABLES",
        "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED",
        "INTERNAL",
        "METHOD_NOT_ALLOWED",
        "OPERATION_NOT_FOUND",
        "PERSISTED_QUERY_NOT_FOUND",
    ] {
        let message = "Cannot query field \"secret\" on type \"Product\".";
        let error = json!({ "message": message, "extensions": { "code": code, "field": ["x"] } });
        for response in [
            json!({ "data": null, "errors": [error] }),
            json!({ "errors": [error] }),
            json!({ "data": { "warehouse": null }, "errors": [error] }),
        ] {
            let answer = responding("stock", response)
                .run("{ w: warehouse }", json!({}))
                .await;
            assert_eq!(answer["data"], json!({ "w": null }), "{code}");
            assert!(!answer.to_string().contains("secret"), "{code}: {answer}");
            let extensions = &answer["errors"][0]["extensions"];
            assert_eq!(extensions, &json!({ "code": "INTERNAL" }), "{code}");
        }
    }
}
