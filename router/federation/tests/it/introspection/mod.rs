//! Introspection as the playground asks it.

use federation::EngineConfig;
use serde_json::{Value as Json, json};

use crate::toy::{Toy, shop};

/// What GraphiQL 5 sends on opening.
const GRAPHIQL: &str = include_str!("../graphiql.graphql");

#[tokio::test]
async fn the_playgrounds_query_is_answered_in_full() {
    let toy = Toy::new(&shop());
    let answer = toy.run(GRAPHIQL, json!({})).await;
    assert!(answer.get("errors").is_none(), "{answer}");
    let schema = &answer["data"]["__schema"];
    assert_eq!(
        schema["queryType"],
        json!({ "name": "Query", "kind": "OBJECT" })
    );
    assert_eq!(schema["subscriptionType"]["name"], "Subscription");
    let ty = |name: &str| -> Json {
        let types = schema["types"].as_array().unwrap();
        types
            .iter()
            .find(|ty| ty["name"] == name)
            .cloned()
            .unwrap_or(Json::Null)
    };
    let query = ty("Query");
    let names: Vec<_> = query["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| &field["name"])
        .collect();
    assert!(names.contains(&&json!("old")), "{names:?}");
    assert!(
        !names
            .iter()
            .any(|name| name.as_str().unwrap().starts_with("__")),
        "{names:?}"
    );
    let media = ty("Media");
    assert_eq!(media["possibleTypes"].as_array().unwrap().len(), 2);
    assert_eq!(ty("Range")["inputFields"][0]["defaultValue"], "1");
    assert_eq!(ty("Filter")["isOneOf"], json!(false));
    assert!(!answer.to_string().contains("SECRET"));
    assert!(!answer.to_string().contains("join__"));
}

#[tokio::test]
async fn a_deprecated_field_shows_on_request_only() {
    let toy = Toy::new(&shop());
    let query = r#"query($all: Boolean) { __type(name: "Query") { fields(includeDeprecated: $all) {
        name isDeprecated deprecationReason } } none: __type(name: "Nothing") { name } }"#;
    for (all, shown) in [(true, 1), (false, 0)] {
        let answer = toy.run(query, json!({ "all": all })).await;
        let fields = answer["data"]["__type"]["fields"].as_array().unwrap();
        let old: Vec<_> = fields
            .iter()
            .filter(|field| field["name"] == "old")
            .collect();
        assert_eq!(old.len(), shown);
        if let Some(old) = old.first() {
            assert_eq!(old["deprecationReason"], "Use product.");
        }
        assert_eq!(answer["data"]["none"], Json::Null);
    }
    assert!(toy.calls().is_empty());
}

#[tokio::test]
async fn introspection_stands_beside_data() {
    let toy = Toy::new(&shop());
    let answer = toy
        .run(
            r#"{ warehouse __schema { t: __typename mutationType { name } } }"#,
            json!({}),
        )
        .await;
    let schema = json!({ "t": "__Schema", "mutationType": { "name": "Mutation" } });
    assert_eq!(
        answer,
        json!({ "data": { "warehouse": "north", "__schema": schema } })
    );
}

#[tokio::test]
async fn introspection_cannot_walk_in_circles() {
    let toy = Toy::new(&shop());
    let query = "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }";
    let answer = toy.run(query, json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "LIMIT_EXCEEDED");
}

/// Seen red with the check left out.
#[tokio::test]
async fn introspection_that_is_switched_off_is_refused_wherever_it_stands() {
    let config = EngineConfig {
        introspection_enabled: Some(false),
        ..EngineConfig::default()
    };
    let toy = Toy::with(&shop(), config, None);
    for text in [
        "{\n __schema { queryType { name } } }",
        "{\n x: __type(name: \"Product\") { name } }",
        "{ ... {\n __schema { __typename } } }",
        "{ ...f } fragment f on Query {\n __schema { __typename } }",
    ] {
        let refused = toy.prepare(text, json!({})).await.unwrap_err();
        assert_eq!(refused.code().as_str(), "GRAPHQL_VALIDATION_FAILED");
        assert_eq!(refused.errors()[0].locations[0].line, 2, "{text}");
    }
    let misspelt = "{ sure { skuu } }";
    let refused = toy.prepare(misspelt, json!({})).await.unwrap_err();
    let closed = refused.errors()[0].message.clone();
    assert!(!closed.contains("Did you mean"), "{closed}");
    let open = Toy::new(&shop());
    let refused = open.prepare(misspelt, json!({})).await.unwrap_err();
    let hint = format!("{closed} Did you mean \"sku\"?");
    assert_eq!(refused.errors()[0].message, hint);
    let answer = toy
        .run("{ __typename sure { __typename } }", json!({}))
        .await;
    assert_eq!(answer["data"]["sure"]["__typename"], "Product");
}

/// Each object that introspection gives counts, at the size of the schema. Seen red with introspection for nothing.
#[tokio::test]
async fn introspection_costs_the_objects_that_it_gives() {
    let toy = Toy::new(&shop());
    let types = "{ __schema { types { name } } }";
    let answer = toy.run(types, json!({})).await;
    let count = answer["data"]["__schema"]["types"]
        .as_array()
        .unwrap()
        .len();
    let cost = |text| {
        let prepared = toy.prepare(text, json!({}));
        async { prepared.await.unwrap().cost() }
    };
    let count = u64::try_from(count).unwrap();
    assert_eq!(cost(types).await, count + 2);
    assert_eq!(cost("{ __type(name: \"Product\") { name } }").await, 2);
    let mut config = EngineConfig::default();
    config.limits.cost = count;
    let small = Toy::with(&shop(), config, None);
    let refused = small.prepare(types, json!({})).await;
    assert_eq!(refused.unwrap_err().errors()[0].extensions["limit"], "cost");
}

/// What a tool asks is the schema once; a few of it are served, and a crowd of aliases is not. Fails with the cost alone.
#[tokio::test]
async fn the_whole_schema_is_told_a_few_times_and_not_twenty() {
    let toy = Toy::new(&shop());
    let (set, fragments) = GRAPHIQL.split_once("fragment").unwrap();
    let set = set
        .trim()
        .strip_prefix("query IntrospectionQuery {")
        .unwrap();
    let set = set.strip_suffix('}').unwrap();
    let times = |times: usize| {
        let aliased = (0..times).map(|n| set.replace("__schema", &format!("s{n}: __schema")));
        format!("{{ {} }} fragment {fragments}", aliased.collect::<String>())
    };
    for count in [1, 2] {
        let prepared = toy.prepare(&times(count), json!({})).await;
        assert!(prepared.is_ok(), "{count}: {prepared:?}");
    }
    let types = "types { name description fields { name description args { name description type { name } } type { name } } }";
    let twenty = (0..20).map(|n| format!("s{n}: __schema {{ {types} }} "));
    let twenty = format!("{{ {} }}", twenty.collect::<String>());
    for text in [times(5), twenty] {
        let refused = toy.prepare(&text, json!({})).await.unwrap_err();
        let extensions = &refused.errors()[0].extensions;
        assert_eq!(refused.code().as_str(), "LIMIT_EXCEEDED");
        assert_eq!(extensions["limit"], "introspection_schemas");
        assert_eq!(extensions["value"], 4, "it is counted no further");
        assert_eq!(extensions["max"], 3);
    }
}

/// Writes each default in one way: a literal may be laid out as one likes.
fn with_plain_defaults(value: &mut Json) {
    match value {
        Json::Array(items) => items.iter_mut().for_each(with_plain_defaults),
        Json::Object(members) => {
            for (name, value) in members {
                match value.as_str().filter(|_| name == "defaultValue") {
                    Some(text) => {
                        let text = format!("{{ f(a: {text}) }}");
                        let document = graphql_tools::parser::parse_query::<String>(&text);
                        let document = document.unwrap_or_else(|error| panic!("{text}: {error}"));
                        *value = document.to_string().into();
                    }
                    None => with_plain_defaults(value),
                }
            }
        }
        _ => {}
    }
}

/// Sorts the lists that have no order of their own.
fn sorted(mut schema: Json) -> Json {
    with_plain_defaults(&mut schema);
    let by_name = |list: &mut Json| {
        if let Some(list) = list.as_array_mut() {
            list.sort_by_key(|item| item["name"].to_string());
        }
    };
    by_name(&mut schema["types"]);
    by_name(&mut schema["directives"]);
    for ty in schema["types"].as_array_mut().into_iter().flatten() {
        by_name(&mut ty["possibleTypes"]);
    }
    schema
}

const SUPERGRAPH: &str = include_str!("supergraph.graphql");

/// All that introspection tells of a supergraph.
async fn introspected(supergraph: &str) -> Json {
    let engine = crate::verdicts::engine(supergraph);
    let request = crate::toy::request(include_str!("query.graphql"), json!({}));
    let prepared = engine.prepare(&request, federation::OperationKinds::ALL);
    let prepared = prepared.await.expect("a valid operation");
    let answer = crate::toy::body(&engine.execute(&prepared, &crate::toy::context()).await);
    assert_eq!(answer.get("errors"), None, "{answer}");
    sorted(answer["data"]["__schema"].clone())
}

/// Seen red with the library's reader, which takes no `\u{1F600}`.
#[tokio::test]
async fn a_schema_as_text_is_read_again_as_it_was() {
    let text = federation::api_schema(SUPERGRAPH).unwrap();
    let start = SUPERGRAPH.find("schema @link").unwrap();
    let join = SUPERGRAPH.find("directive @join__enumValue").unwrap();
    let own = SUPERGRAPH.find("\"\"\"A scalar with a page").unwrap();
    let links = SUPERGRAPH[start..].split_once(" {").unwrap().0;
    let text = text.replace("schema {", &format!("{links} {{"));
    let again = format!("{}{text}", &SUPERGRAPH[join..own]);
    assert_eq!(introspected(&again).await, introspected(SUPERGRAPH).await);
}

/// Every description, default, deprecation and meta type. Seen red with the library's reader of strings: it takes no `\u{1F600}`.
#[tokio::test]
async fn all_of_a_schema_is_told_as_graphql_js_tells_it() {
    let expected: Json = serde_json::from_str(include_str!("expected.json")).unwrap();
    let found = introspected(SUPERGRAPH).await;
    let expected = sorted(expected["data"]["__schema"].clone());
    for part in ["types", "directives"] {
        let names = |schema: &Json| {
            let list = schema[part].as_array().unwrap().iter();
            list.map(|item| item["name"].to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&found), names(&expected));
        let pairs = found[part].as_array().unwrap().iter();
        for (found, expected) in pairs.zip(expected[part].as_array().unwrap()) {
            assert_eq!(found, expected);
        }
    }
    assert_eq!(found, expected);
}
