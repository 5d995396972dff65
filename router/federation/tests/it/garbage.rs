//! Subgraphs that respond with something that no GraphQL server sends. What a client reads is JSON with values of the types of
//! its schema, an error at each field that is missing for it, and never a word of the subgraph's.

use federation::EngineConfig;
use serde_json::{Value as Json, json};

use crate::faults::raw_answer;
use crate::toy::{Toy, shop};

fn responding(subgraph: &'static str, text: &'static str) -> Toy {
    let trouble = raw_answer(subgraph, text);
    Toy::with(&shop(), EngineConfig::default(), Some(trouble))
}

/// The code and the path of each error, sorted.
fn errors(answer: &Json) -> Vec<String> {
    let errors = answer["errors"].as_array().into_iter().flatten();
    let errors = errors.map(|error| {
        let code = error["extensions"]["code"].as_str().unwrap_or_default();
        format!("{code} {}", error.get("path").unwrap_or(&Json::Null))
    });
    let mut errors: Vec<_> = errors.collect();
    errors.sort_unstable();
    errors
}

/// Seen red with data of any form taken: a null without errors was passed on as one, and counted as an answer.
#[tokio::test]
async fn data_of_another_form_is_none_and_takes_nothing_along() {
    for text in [
        "",
        "null",
        "7",
        "\u{feff}{}",
        "<html>",
        "{}",
        r#"{"data":null}"#,
        r#"{"data":null,"errors":null}"#,
        r#"{"data":null,"errors":[]}"#,
        r#"{"data":7}"#,
        r#"{"data":"north"}"#,
        r#"{"data":[]}"#,
        r#"{"data":[{"warehouse":"north"}]}"#,
        r#"{"data":{}}"#,
        r#"{"data":{"other":1}}"#,
        r#"{"data":{"warehouse":"north"}"#,
        r#"{"data":{"warehouse":"north"}}}"#,
        r#"{"data":{"warehouse":"nor"#,
        r#"{"data":{"warehouse":"north"},"errors":7}"#,
        r#"{"errors":{}}"#,
    ] {
        let toy = responding("stock", text);
        let answer = toy.run("{ w: warehouse me { name } }", json!({})).await;
        assert_eq!(answer["data"]["me"], json!({ "name": "Una" }), "{text}");
        assert_eq!(toy.failures(), [("stock".to_owned(), "invalid")], "{text}");
        if answer["data"]["w"].is_null() {
            assert_eq!(errors(&answer), [r#"UNAVAILABLE ["w"]"#], "{text}");
        }
    }
}

/// Seen red with what is no list passed over: its fields were null without a reason.
#[tokio::test]
async fn entities_of_another_form_leave_what_is_there() {
    for text in [
        r#"{"data":{"_entities":7}}"#,
        r#"{"data":{"_entities":null}}"#,
        r#"{"data":{"_entities":{"stock":{"total":1}}}}"#,
        r#"{"data":{"_entities":[]}}"#,
        r#"{"data":{"_entities":[{"stock":{"total":1}}]}}"#,
        r#"{"data":{"_entities":[null,null,null]}}"#,
        r#"{"data":{"_entities":[7,{"stock":{"total":1}}]}}"#,
        r#"{"data":{"_entities":[[],"x"]}}"#,
        r#"{"data":{}}"#,
    ] {
        let toy = responding("stock", text);
        let answer = toy
            .run("{ products { sku in: stock { total } } }", json!({}))
            .await;
        let product = |sku: &str| json!({ "sku": sku, "in": null });
        let products = json!([product("1"), product("2"), product("1")]);
        assert_eq!(answer["data"]["products"], products, "{text}");
        let places = [0, 1, 2].map(|at| format!(r#"UNAVAILABLE ["products",{at},"in"]"#));
        assert_eq!(errors(&answer), places, "{text}");
        assert_eq!(toy.failures(), [("stock".to_owned(), "invalid")], "{text}");
    }
}

/// Specification, 3.5 and 3.9. Seen red with enums alone looked at.
#[tokio::test]
async fn a_value_of_another_type_is_null_with_an_error() {
    let none: [&str; 0] = [];
    for (field, wrong, right) in [
        (
            "weight",
            &["1.5", "\"1\"", "true", "[1]", "{}"][..],
            &["1", "-0", "1.0", "1e2"][..],
        ),
        (
            "name",
            &["1", "true", "[\"a\"]", "{\"a\":\"b\"}"],
            &["\"\"", "\"\\u0041\""],
        ),
        (
            "sku",
            &["1.5", "true", "[]", "{}"],
            &["\"\"", "7", "123456789012345678901234567890"],
        ),
        (
            "kind",
            &["\"SECRET\"", "\"NONE\"", "1", "[\"BOOK\"]", "{}"],
            &["\"BOOK\""],
        ),
        (
            "tags",
            &["\"a\"", "1", "{}", "[1]", "[[\"a\"]]", "[{}]", "[null]"],
            &["[]", "[\"a\"]"],
        ),
        (
            "stock { total }",
            &["1", "\"a\"", "[]", "[{\"total\":1}]"],
            &none,
        ),
        (
            "extra",
            &none,
            &["1", "\"a\"", "[]", "{}", "[{\"a\":[null]}]"],
        ),
    ] {
        let name = field.split(' ').next().unwrap();
        for (is_right, value) in wrong
            .iter()
            .map(|it| (false, it))
            .chain(right.iter().map(|it| (true, it)))
        {
            let data = format!(
                r#"{{"data":{{"sure":{{"sku":"1","{name}":{value}}},"_entities":[{{"stock":{value}}}]}}}}"#
            );
            let text: &'static str = Box::leak(data.into_boxed_str());
            let subgraph = if name == "stock" { "stock" } else { "catalog" };
            let toy = responding(subgraph, text);
            let query = format!("{{ sure {{ is: {field} }} }}");
            let answer = toy.run(&query, json!({})).await;
            if is_right {
                let value: Json = serde_json::from_str(value).unwrap();
                assert_eq!(
                    answer,
                    json!({ "data": { "sure": { "is": value } } }),
                    "{text}"
                );
                continue;
            }
            let product = &answer["data"]["sure"];
            assert!(
                product.is_null() || product["is"].is_null(),
                "{text}: {answer}"
            );
            let [error] = errors(&answer).try_into().unwrap();
            let place = r#"INTERNAL ["sure","is""#;
            assert!(error.starts_with(place), "{text}: {answer}");
        }
    }
}

/// As `JSON.parse` has it. Seen red with the first of the two.
#[tokio::test]
async fn of_two_members_of_one_name_the_last_counts() {
    let text = r#"{"data":{"sure":{"name":"first","sku":"1","name":"last","sku":"2"}}}"#;
    let answer = responding("catalog", text)
        .run("{ sure { name sku } }", json!({}))
        .await;
    assert_eq!(
        answer,
        json!({ "data": { "sure": { "name": "last", "sku": "2" } } })
    );
    let text = r#"{"data":{"warehouse":"a"},"data":{"warehouse":"b"}}"#;
    let answer = responding("stock", text)
        .run("{ warehouse }", json!({}))
        .await;
    assert_eq!(answer, json!({ "data": { "warehouse": "b" } }));
}

/// Seen red with the errors read all or none.
#[tokio::test]
async fn an_error_of_another_form_is_still_one_and_the_others_keep_their_places() {
    for odd in [
        r#"{}"#,
        r#"null"#,
        r#""secret""#,
        r#"{"message":null}"#,
        r#"{"message":{"secret":1},"path":"warehouse","extensions":"secret"}"#,
        r#"{"message":"secret","path":[-1]}"#,
        r#"{"message":"secret","path":[1.5,null]}"#,
        r#"{"message":"secret","path":["nowhere",{"deep":[]}]}"#,
        r#"{"message":"secret","path":[7,7,7],"locations":"here"}"#,
        r#"{"message":"secret","message":"secret","extensions":{"code":["FORBIDDEN"]}}"#,
    ] {
        let told =
            r#"{"message":"not you","path":["warehouse"],"extensions":{"code":"FORBIDDEN"}}"#;
        let text = format!(r#"{{"data":{{"warehouse":null}},"errors":[{odd},{told}]}}"#);
        let toy = responding("stock", Box::leak(text.into_boxed_str()));
        let answer = toy.run("{ w: warehouse }", json!({})).await;
        assert_eq!(answer["data"], json!({ "w": null }), "{odd}");
        let found = errors(&answer);
        assert!(
            found.contains(&r#"FORBIDDEN ["w"]"#.to_owned()),
            "{odd}: {answer}"
        );
        assert!(found.len() <= 2, "{odd}: {answer}");
        assert!(!answer.to_string().contains("secret"), "{odd}: {answer}");
    }
}

#[tokio::test]
async fn what_is_nested_deeper_than_any_answer_is_none() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deep = [open.repeat(100_000), "1".to_owned(), close.repeat(100_000)].concat();
        for text in [
            format!(r#"{{"data":{{"warehouse":{deep}}}}}"#),
            format!(r#"{{"data":{{"warehouse":"north"}},"errors":[{deep}]}}"#),
            format!(r#"{{"data":{{"warehouse":"north"}},"extensions":{deep}}}"#),
        ] {
            let toy = responding("stock", Box::leak(text.into_boxed_str()));
            let answer = toy.run("{ warehouse }", json!({})).await;
            assert_eq!(answer["data"], json!({ "warehouse": null }));
            assert_eq!(errors(&answer), [r#"UNAVAILABLE ["warehouse"]"#]);
            assert_eq!(toy.failures(), [("stock".to_owned(), "invalid")]);
        }
    }
}
