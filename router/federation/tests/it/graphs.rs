//! Small graphs whose shape once made a wrong plan or a wrong response: each with what subgraphs are asked, and what comes out.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use federation::subgraph::{FetchError, FetchRequest};
use federation::{Engine, EngineConfig, Host, OperationKinds, RequestContext, Subgraph, Transport};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value as Json, json};

use crate::toy::{body, context, request};

macro_rules! supergraph {
    ($name:literal) => {
        concat!(
            include_str!("graphs/join.graphql"),
            include_str!(concat!("graphs/", $name, ".graphql"))
        )
    };
}

/// What a subgraph answers to each operation that it may be asked; to an empty one whatever it is asked. Null is no answer.
type Script = &'static [(&'static str, &'static str, fn() -> Json)];

struct Scripted {
    name: &'static str,
    script: Script,
}

impl Subgraph for Scripted {
    fn fetch<'a>(
        &'a self,
        request: FetchRequest,
        _ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        let is_it = |text: &str| text.is_empty() || *text == *request.text;
        let known = |(name, text, _): &&(&str, &str, _)| *name == self.name && is_it(text);
        let found = self.script.iter().find(known);
        let Some((_, _, answer)) = found else {
            panic!("{} was asked {}", self.name, request.text);
        };
        let answer = match answer() {
            Json::Null => Err(FetchError::Connect("refused".to_owned())),
            answer => Ok(Bytes::from(answer.to_string())),
        };
        async move { answer }.boxed()
    }
}

async fn run(supergraph: &str, subgraphs: &[&'static str], script: Script, query: &str) -> Json {
    let transport = |name: &&'static str| {
        let scripted = Scripted { name, script };
        ((*name).to_owned(), Transport::Custom(Arc::new(scripted)))
    };
    let subgraphs: BTreeMap<_, _> = subgraphs.iter().map(transport).collect();
    let engine = Engine::new(
        EngineConfig::default(),
        supergraph,
        subgraphs,
        Host::default(),
    );
    let engine = engine.expect("the supergraph loads");
    let request = request(query, json!({}));
    let prepared = engine.prepare(&request, OperationKinds::QUERY).await;
    let prepared = prepared.unwrap_or_else(|error| panic!("{query}: {error}"));
    body(&engine.execute(&prepared, &context()).await)
}

const NARROWED: &str = supergraph!("narrowed");

/// `Work.sequel` is a `Work`, and `Novel.sequel` a `Novel`, of which more can be asked.
///
/// Seen red with the field hoisted to the interface whatever its type there: the planner found no path.
#[tokio::test]
async fn a_field_whose_type_an_object_narrows_is_asked_of_the_object() {
    let script: Script = &[(
        "library",
        "{work{__typename ...on Novel{isbn sequel{isbn}}}}",
        || {
            let sequel = json!({ "isbn": "2" });
            json!({ "data": { "work": { "__typename": "Novel", "isbn": "1", "sequel": sequel } } })
        },
    )];
    let query = "{ work { ... on Novel { isbn sequel { isbn } } } }";
    let response = run(NARROWED, &["library"], script, query).await;
    let work = json!({ "isbn": "1", "sequel": { "isbn": "2" } });
    assert_eq!(response, json!({ "data": { "work": work } }));
}

const RENAMED: &str = supergraph!("renamed");

/// `Person.id` is never null in `library`, and in `people` it may be; `Program.id` may be anywhere. A subgraph refuses two
/// types under one name, however deep the two stand.
///
/// Seen red with one key for both, which the planner tells apart one level down and no deeper.
#[tokio::test]
async fn fields_whose_types_differ_in_a_subgraph_are_asked_under_two_names() {
    let script: Script = &[
        ("library", AUTHORS, || {
            let person = json!({ "__typename": "Person", "id_1": "7" });
            let program = json!({ "__typename": "Program", "id_2": "8" });
            json!({ "data": { "authors": [person, program] } })
        }),
        (
            "library",
            "{authors{__typename ...on Person{friends{__typename ...on Person{id_1: id} ...on Program{id_2: id}}}}}",
            || {
                let program = json!({ "__typename": "Program", "id_2": "8" });
                let person = json!({ "__typename": "Person", "friends": [program] });
                json!({ "data": { "authors": [person] } })
            },
        ),
    ];
    let subgraphs = ["library", "people"];
    let query = "{ authors { ... on Person { id } ... on Program { id } } }";
    let response = run(RENAMED, &subgraphs, script, query).await;
    let authors = json!([{ "id": "7" }, { "id": "8" }]);
    assert_eq!(response, json!({ "data": { "authors": authors } }));

    let query =
        "{ authors { ... on Person { friends { ... on Person { id } ... on Program { id } } } } }";
    let response = run(RENAMED, &subgraphs, script, query).await;
    let friends = json!([{ "friends": [{ "id": "8" }] }]);
    assert_eq!(response, json!({ "data": { "authors": friends } }));
}

const AUTHORS: &str = "{authors{__typename ...on Person{id_1: id} ...on Program{id_2: id}}}";

/// Keys that the planner asks for by itself get another name where their types differ; so does what is sent on of them.
#[tokio::test]
async fn a_key_that_the_planner_renamed_has_its_own_name_in_the_response() {
    let script: Script = &[
        (
            "library",
            "{authors{__typename ...on Person{__typename id} ...on Program{__typename _internal_qp_alias_0: id}}}",
            || {
                let person = json!({ "__typename": "Person", "id": "7" });
                let program = json!({ "__typename": "Program", "_internal_qp_alias_0": "8" });
                json!({ "data": { "authors": [person, program] } })
            },
        ),
        (
            "people",
            "query($representations:[_Any!]!){_entities(representations: $representations){...on Person{motto} ...on Program{motto}}}",
            || json!({ "data": { "_entities": [{ "motto": "a" }, { "motto": "b" }] } }),
        ),
    ];
    let query = "{ authors { ... on Person { motto } ... on Program { motto } } }";
    let response = run(RENAMED, &["library", "people"], script, query).await;
    let authors = json!([{ "motto": "a" }, { "motto": "b" }]);
    assert_eq!(response, json!({ "data": { "authors": authors } }));
}

#[tokio::test]
async fn an_error_of_a_field_under_another_name_stands_at_the_clients_field() {
    let script: Script = &[("library", AUTHORS, || {
        let person = json!({ "__typename": "Person", "id_1": "7" });
        let program = json!({ "__typename": "Program", "id_2": null });
        let path = json!(["authors", 1, "id_2"]);
        let errors = json!([{ "message": "no such program", "path": path }]);
        json!({ "data": { "authors": [person, program] }, "errors": errors })
    })];
    let query = "{ authors { ... on Person { number: id } ... on Program { number: id } } }";
    let response = run(RENAMED, &["library", "people"], script, query).await;
    assert_eq!(
        response["errors"][0]["path"],
        json!(["authors", 1, "number"])
    );
}

const PROVIDED: &str = supergraph!("provided");

/// Seen red with `__typename` below every interface: the plan left `front` for `shelves` and `stock`.
#[tokio::test]
async fn what_a_field_provides_below_an_interface_is_read_there() {
    let script: Script = &[(
        "front",
        "{shelf{__typename ...on Case{items{__typename id title}} id}}",
        || {
            let item =
                |ty: &str, title: &str| json!({ "__typename": ty, "id": "1", "title": title });
            let items = json!([item("Book", "Rust"), item("Disc", "Rust, sung")]);
            let shelf = json!({ "__typename": "Case", "id": "a", "items": items });
            json!({ "data": { "shelf": shelf } })
        },
    )];
    let subgraphs = ["front", "shelves", "stock"];
    let response = run(
        PROVIDED,
        &subgraphs,
        script,
        "{ shelf { id items { id title } } }",
    )
    .await;
    assert_eq!(response["data"]["shelf"]["items"][1]["title"], "Rust, sung");
    assert_eq!(response["errors"], json!(null));
}

const BARE: &str = supergraph!("bare");

/// Seen red with an interface that nobody implements as one without any case: nothing of it was asked.
#[tokio::test]
async fn an_interface_without_objects_is_read_where_a_subgraph_has_it_as_an_object() {
    let script: Script = &[(
        "labels",
        "{thing{id label}}",
        || json!({ "data": { "thing": { "id": "1", "label": "x" } } }),
    )];
    let query = "{ thing { id label } }";
    let response = run(BARE, &["labels", "things"], script, query).await;
    assert_eq!(
        response,
        json!({ "data": { "thing": { "id": "1", "label": "x" } } })
    );
}

const HIDDEN: &str = supergraph!("hidden");

/// Seen red with `__typename` left out here too: the draft was in the response.
#[tokio::test]
async fn an_object_of_a_type_that_clients_may_not_see_is_not_shown() {
    let script: Script = &[("library", "{feed{__typename title}}", || {
        let item = |ty: &str| json!({ "__typename": ty, "title": ty });
        json!({ "data": { "feed": [item("Book"), item("Draft")] } })
    })];
    let response = run(HIDDEN, &["library"], script, "{ feed { title } }").await;
    assert_eq!(response["data"], json!({ "feed": null }));
    assert!(!response.to_string().contains("Draft"));
}

const NUMBERED: &str = supergraph!("numbered");

/// Composition lets them pass, and so they keep every digit. Seen red with the library's own numbers, of 64 bits: the
/// supergraph did not load.
#[tokio::test]
async fn a_default_beyond_64_bits_is_one_like_any_other() {
    let script: Script = &[("store", "{count}", || json!({ "data": { "count": 3 } }))];
    let query = r#"{ count
        __type(name: "Query") { fields { args { name defaultValue } } }
        filter: __type(name: "Filter") { inputFields { defaultValue } } }"#;
    let answer = run(NUMBERED, &["store"], script, query).await;
    let default = |name: &str, value: &str| json!({ "name": name, "defaultValue": value });
    let arguments = [
        default("after", "123456789012345678901234567890"),
        default("above", "9223372036854775808"),
        default("most", "100000000000000000000"),
        default("filter", "{ above: [18446744073709551616] }"),
    ];
    let expected = json!({
        "count": 3,
        "__type": { "fields": [{ "args": arguments }] },
        "filter": { "inputFields": [{ "defaultValue": "[-9223372036854775809, 1]" }] },
    });
    assert_eq!(answer, json!({ "data": expected }));
}

const MEMBERS: &str = supergraph!("members");

/// `club` knows its members by their interface alone. What depends on their types cannot be told without `people`, and the name of
/// the interface is none of them; what does not is told.
///
/// Seen red: the interface's name was passed off as the type, and a condition on the type was an internal error.
#[tokio::test]
async fn an_object_whose_type_is_out_of_reach_is_null_for_that_reason() {
    let script: Script = &[
        ("club", "", || {
            let member = |id: &str| json!({ "__typename": "Member", "id": id, "nick": "nick" });
            json!({ "data": { "members": [member("o"), member("g")] } })
        }),
        ("people", "", || Json::Null),
    ];
    for selection in [
        "__typename",
        "__typename nick",
        "__typename age",
        "... on Owner { nick }",
        "id ... on Owner { age } ... on Guest { id }",
    ] {
        let query = format!("{{ members {{ {selection} }} }}");
        let response = run(MEMBERS, &["club", "people"], script, &query).await;
        assert_eq!(
            response["data"],
            json!({ "members": [null, null] }),
            "{query}"
        );
        let errors = response["errors"].as_array().unwrap();
        let told = errors
            .iter()
            .map(|error| (&error["path"], &error["extensions"]["code"]));
        let paths = [json!(["members", 0]), json!(["members", 1])];
        let unavailable = json!("UNAVAILABLE");
        let expected = paths.iter().map(|path| (path, &unavailable));
        assert!(told.eq(expected), "{query}: {response}");
    }
    let response = run(
        MEMBERS,
        &["club", "people"],
        script,
        "{ members { id nick } }",
    )
    .await;
    let member = |id: &str| json!({ "id": id, "nick": "nick" });
    assert_eq!(
        response,
        json!({ "data": { "members": [member("o"), member("g")] } })
    );
}
