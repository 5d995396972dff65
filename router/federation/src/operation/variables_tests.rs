use graphql_tools::parser::{parse_query, parse_schema};
use graphql_tools::static_graphql::query::{Definition, OperationDefinition};
use serde_json::json;

use super::*;

const SCHEMA: &str = "
    type Query { a(x: In): String }
    scalar Any scalar String scalar Int scalar Float scalar Boolean scalar ID
    enum Kind { BOOK FILM }
    input In { id: ID! count: Int = 3 kinds: [Kind!] inner: In any: Any }
    input Choice @oneOf { sku: ID name: String }";

fn coerced(definition: &str, given: Value) -> Result<Value, String> {
    let schema = parse_schema::<String>(SCHEMA).unwrap().into_static();
    let types = TypeTable::new(&schema, &schema);
    let text = format!("query(${definition}) {{ a }}");
    let document = parse_query::<String>(&text).unwrap().into_static();
    let Definition::Operation(OperationDefinition::Query(query)) = &document.definitions[0] else {
        panic!("not a query")
    };
    let given = match given {
        Value::Null => Map::new(),
        value => [("v".to_owned(), value)].into_iter().collect(),
    };
    match coerce(&types, &query.variable_definitions, &given) {
        Ok(values) => Ok(values.get("v").cloned().unwrap_or(json!("absent"))),
        Err(error) => Err(error.errors()[0].message.clone()),
    }
}

#[test]
fn values_that_fit_are_taken_and_made_to_fit() {
    for (definition, given, expected) in [
        ("v: Int", json!(7), json!(7)),
        ("v: Int", json!(7.0), json!(7)),
        (
            "v: Int",
            json!(-2_147_483_648_i64),
            json!(-2_147_483_648_i64),
        ),
        ("v: Float", json!(7), json!(7)),
        ("v: ID!", json!(7), json!("7")),
        ("v: ID", json!("x"), json!("x")),
        ("v: [Int]", json!(7), json!([7])),
        ("v: [[Int]]", json!([7, [8, null]]), json!([[7], [8, null]])),
        ("v: Kind", json!("BOOK"), json!("BOOK")),
        (
            "v: Any",
            json!({ "a": [1.5, null] }),
            json!({ "a": [1.5, null] }),
        ),
        (
            "v: In",
            json!({ "id": 1 }),
            json!({ "id": "1", "count": 3 }),
        ),
        (
            "v: In",
            json!({ "id": "1", "count": null }),
            json!({ "id": "1", "count": null }),
        ),
        (
            "v: In",
            json!({ "id": "1", "kinds": "FILM" }),
            json!({ "id": "1", "count": 3, "kinds": ["FILM"] }),
        ),
        ("v: Choice", json!({ "sku": 1 }), json!({ "sku": "1" })),
        ("v: Int = 4", Value::Null, json!(4)),
        (
            "v: In = { id: 1, kinds: BOOK }",
            Value::Null,
            json!({ "id": "1", "count": 3, "kinds": ["BOOK"] }),
        ),
        ("v: Int", Value::Null, json!("absent")),
    ] {
        assert_eq!(
            coerced(definition, given.clone()),
            Ok(expected),
            "{definition} {given}"
        );
    }
}

#[test]
fn values_that_do_not_fit_are_refused() {
    for (definition, given) in [
        ("v: Int", json!(2_147_483_648_i64)),
        ("v: Int", json!(1.5)),
        ("v: Int", json!("1")),
        ("v: Int", json!(true)),
        ("v: String", json!(1)),
        ("v: Boolean", json!("true")),
        ("v: Float", json!("1")),
        ("v: ID", json!(1.5)),
        ("v: Kind", json!("book")),
        ("v: Kind", json!("SONG")),
        ("v: [Int!]", json!([1, null])),
        ("v: In", json!("x")),
        ("v: In", json!({})),
        ("v: In", json!({ "id": "1", "more": 1 })),
        ("v: In", json!({ "id": "1", "inner": { "count": 1 } })),
        ("v: Choice", json!({})),
        ("v: Choice", json!({ "sku": "1", "name": "x" })),
        ("v: Choice", json!({ "sku": null })),
        ("v: Int!", Value::Null),
        ("v: Query", json!({})),
    ] {
        assert!(
            coerced(definition, given.clone()).is_err(),
            "{definition} {given}"
        );
    }
}

#[test]
fn a_refusal_says_where() {
    let given = json!({ "id": "1", "inner": { "id": "2", "kinds": ["BOOK", "SONG"] } });
    let sentence = coerced("v: In", given).unwrap_err();
    assert_eq!(
        sentence,
        r#"variable $v: at .inner.kinds[1]: "SONG" is not a value of Kind"#
    );
}
