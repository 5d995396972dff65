//! Small graphs whose subgraphs compute from what they are sent: what is asked of whom, and whether the numbers are right.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use federation::subgraph::{FetchError, FetchRequest};
use federation::{
    Code, Engine, EngineConfig, Host, OperationKinds, RequestContext, Subgraph, Transport,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use graphql_tools::static_graphql::query::{
    Definition, Field, OperationDefinition, Selection, SelectionSet, TypeCondition, Value,
};
use parking_lot::Mutex;
use serde_json::{Map, Value as Json, json};

use crate::toy::{body, context, request};

macro_rules! supergraph {
    ($name:literal) => {
        concat!(
            include_str!("graphs/join.graphql"),
            include_str!(concat!("graphs/", $name, ".graphql"))
        )
    };
}

/// A field of an object, by its name and its argument; of a subgraph.
type Compute = fn(subgraph: &str, object: &Json, field: &str, argument: &str) -> Json;

/// A subgraph that trusts its caller: an object is what a representation or another field says of it.
struct Computing {
    name: String,
    compute: Compute,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Computing {
    fn set(&self, set: &SelectionSet, object: &Json, into: &mut Map<String, Json>) {
        for item in &set.items {
            match item {
                Selection::Field(field) => {
                    let key = field.alias.as_ref().unwrap_or(&field.name);
                    let value = self.value(field, object);
                    match (into.get_mut(key), value) {
                        (Some(Json::Object(known)), Json::Object(more)) => known.extend(more),
                        (_, value) => {
                            into.insert(key.clone(), value);
                        }
                    }
                }
                Selection::InlineFragment(inline) => {
                    let is_of = |TypeCondition::On(ty): &TypeCondition| {
                        object["__typename"] == **ty || object["__interface"] == **ty
                    };
                    if inline.type_condition.as_ref().is_none_or(is_of) {
                        self.set(&inline.selection_set, object, into);
                    }
                }
                Selection::FragmentSpread(spread) => panic!("{spread}"),
            }
        }
    }

    fn value(&self, field: &Field, object: &Json) -> Json {
        if field.name == "__typename" {
            return object["__typename"].clone();
        }
        let argument = match field.arguments.first() {
            Some((_, Value::String(text))) => text,
            _ => "",
        };
        self.below(
            field,
            (self.compute)(&self.name, object, &field.name, argument),
        )
    }

    fn below(&self, field: &Field, value: Json) -> Json {
        match value {
            Json::Array(items) => items
                .into_iter()
                .map(|item| self.below(field, item))
                .collect(),
            object @ Json::Object(_) => {
                let mut found = Map::new();
                self.set(&field.selection_set, &object, &mut found);
                found.into()
            }
            leaf => leaf,
        }
    }

    /// The object of a representation: as it was sent, if the subgraph does not know better.
    fn entity(&self, sent: &Json) -> Json {
        match (self.compute)(&self.name, sent, "__entity", "") {
            Json::Null => sent.clone(),
            known => known,
        }
    }

    fn answer(&self, text: &str, variables: &Json) -> Json {
        let document = graphql_tools::parser::parse_query::<String>(text).expect("an operation");
        let Some(Definition::Operation(operation)) = document.into_static().definitions.pop()
        else {
            panic!("{text}");
        };
        let set = match &operation {
            OperationDefinition::Query(query) => &query.selection_set,
            OperationDefinition::SelectionSet(set) => set,
            other => panic!("{other}"),
        };
        let mut data = Map::new();
        for item in &set.items {
            let Selection::Field(field) = item else {
                panic!("{text}")
            };
            let key = field.alias.as_ref().unwrap_or(&field.name);
            let value = match field.arguments.first() {
                Some((_, Value::Variable(name))) if field.name == "_entities" => {
                    let sent = variables[name].as_array().expect("a list");
                    self.below(field, sent.iter().map(|sent| self.entity(sent)).collect())
                }
                _ => self.value(field, &json!({ "__typename": "Query" })),
            };
            data.insert(key.clone(), value);
        }
        json!({ "data": data })
    }
}

impl Subgraph for Computing {
    fn fetch<'a>(
        &'a self,
        request: FetchRequest,
        _ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        self.asked.lock().push(self.name.clone());
        let variables = serde_json::from_slice(&request.variables).expect("JSON");
        let answer = self.answer(&request.text, &variables).to_string();
        async move { Ok(Bytes::from(answer)) }.boxed()
    }
}

/// An engine whose subgraphs compute, and note who is asked.
fn engine(supergraph: &str, compute: Compute, asked: &Arc<Mutex<Vec<String>>>) -> Engine {
    let declared = federation::declared(supergraph).expect("a supergraph");
    let transport = |name: String| {
        let asked = asked.clone();
        let computing = Computing {
            name: name.clone(),
            compute,
            asked,
        };
        (
            name,
            Transport::Custom(Arc::new(computing) as Arc<dyn Subgraph>),
        )
    };
    let subgraphs: BTreeMap<_, _> = declared.into_iter().map(|it| transport(it.name)).collect();
    let engine = Engine::new(
        EngineConfig::default(),
        supergraph,
        subgraphs,
        Host::default(),
    );
    engine.expect("it loads")
}

/// The response's data, and the subgraphs in the order in which they were asked.
async fn run(supergraph: &str, compute: Compute, query: &str) -> (Json, Vec<String>) {
    let asked = Arc::default();
    let engine = engine(supergraph, compute, &asked);
    let prepared = engine
        .prepare(&request(query, json!({})), OperationKinds::QUERY)
        .await;
    let prepared = prepared.unwrap_or_else(|error| panic!("{query}: {error}"));
    let response = body(&engine.execute(&prepared, &context()).await);
    assert_eq!(
        response["errors"],
        json!(null),
        "{query}: {}",
        engine.explain(&prepared)
    );
    let asked = asked.lock().clone();
    (response["data"].clone(), asked)
}

const PRICED: &str = supergraph!("priced");

/// The store knows prices; shipping multiplies whatever price it is sent.
fn priced(_: &str, object: &Json, field: &str, argument: &str) -> Json {
    let number = |name: &str| object[name].as_i64();
    let product = |id: i64| json!({ "__typename": "Product", "id": id.to_string(), "weight": id });
    match (field, argument) {
        ("products", _) => json!([product(1), product(2)]),
        ("price", currency) => {
            let id: i64 = object["id"]
                .as_str()
                .and_then(|id| id.parse().ok())
                .expect("a number");
            json!(id * if currency == "EUR" { 7 } else { 5 })
        }
        ("category", _) => json!({ "__typename": "Category" }),
        ("meanPrice", currency) => json!(if currency == "EUR" { 70 } else { 50 }),
        ("dollars" | "euros", _) => {
            json!(number("price").zip(number("weight")).map(|(a, b)| a * b))
        }
        ("meanDollars" | "meanEuros", _) => object["category"]["meanPrice"].clone(),
        (other, _) => object[other].clone(),
    }
}

/// Fields that require one field with different arguments are each computed from their own.
///
/// Seen red with the planner's own reading of `requires`: `dollars` was null once a second `products` stood beside the first.
#[tokio::test]
async fn fields_that_require_another_one_with_different_arguments_do_not_mix() {
    let queries = [
        "{ products { dollars euros } }",
        "{ products { euros id dollars } other: products { id dollars } }",
        "{ products { dollars } products { weight meanEuros euros meanDollars } }",
        "{ products { price(currency: \"EUR\") any: price dollars euros } }",
        "{ products { meanEuros meanDollars category { meanPrice(currency: \"USD\") } } }",
        "{ a: products { euros } b: products { dollars meanEuros } c: products { meanDollars euros } }",
        "{ products { euros } }",
    ];
    for query in queries {
        let (data, asked) = run(PRICED, priced, query).await;
        assert_eq!(asked, ["store", "shipping"], "{query}");
        let lists = data.as_object().unwrap().values();
        for products in lists.map(|list| list.as_array().unwrap()) {
            check(products, query);
        }
    }
}

fn check(products: &[Json], query: &str) {
    for (product, id) in products.iter().zip(1..) {
        let expected = [
            ("dollars", 5 * id * id),
            ("euros", 7 * id * id),
            ("meanDollars", 50),
            ("meanEuros", 70),
            ("price", 7 * id),
            ("any", 5 * id),
        ];
        for (field, value) in expected {
            let found = product.get(field);
            assert!(found.is_none_or(|it| *it == value), "{query}: {product}");
        }
    }
}

const CHAINED: &str = supergraph!("chained");

fn chained(subgraph: &str, object: &Json, field: &str, _: &str) -> Json {
    let not = |name: &str| object[name].as_bool().map(|value| !value);
    match (subgraph, field) {
        ("store", "product") => json!({ "__typename": "Product", "id": "1", "isReduced": true }),
        ("prices", "price") => json!(900),
        ("ratings", "isDear") => json!(object["price"].as_i64().map(|price| price > 500)),
        ("ratings", "isBargain") => object["isReduced"].clone(),
        ("wallet", "isAffordable") => json!(not("isDear")),
        ("wallet", "isTempting") => object["isBargain"].clone(),
        _ => object[field].clone(),
    }
}

/// What is in no hurry goes with a later request to the same subgraph, and nothing that is waited for is held back.
#[tokio::test]
async fn a_subgraph_is_asked_once_where_nothing_waits_for_the_first_answer() {
    let both = "{ product { isAffordable isTempting } }";
    let (data, asked) = run(CHAINED, chained, both).await;
    let expected = json!({ "isAffordable": false, "isTempting": true });
    assert_eq!(data, json!({ "product": expected }));
    assert_eq!(asked, ["store", "prices", "ratings", "wallet"]);

    let (data, asked) = run(CHAINED, chained, "{ product { isDear isBargain } }").await;
    let expected = json!({ "isDear": true, "isBargain": true });
    assert_eq!(data, json!({ "product": expected }));
    assert_eq!(asked, ["store", "prices", "ratings"]);

    let (data, asked) = run(
        CHAINED,
        chained,
        "{ product { isTempting price isReduced } }",
    )
    .await;
    let expected = json!({ "isTempting": true, "price": 900, "isReduced": true });
    assert_eq!(data, json!({ "product": expected }));
    assert_eq!(asked.len(), 4, "{asked:?}");
}

const MEMBERS: &str = supergraph!("members");

fn members(subgraph: &str, object: &Json, field: &str, _: &str) -> Json {
    let id = object["id"].as_str().unwrap_or_default();
    let member = |id: &str| json!({ "__typename": "Member", "id": id });
    match (subgraph, field) {
        ("club", "members") => json!([member("o"), member("g")]),
        ("club", "nick") => json!(format!("nick of {id}")),
        ("club", "rank") => json!(object["age"].as_i64().map(|age| age + 1)),
        ("people", "age") => json!(40),
        ("people", "__entity") => {
            let ty = if id == "o" { "Owner" } else { "Guest" };
            json!({ "__typename": ty, "__interface": "Member", "id": id })
        }
        _ => object[field].clone(),
    }
}

/// What a subgraph knows of an interface that it has as an object is read with the object, not after its type is known.
///
/// Seen red without it: `club` was asked again for the nicks of the owners.
#[tokio::test]
async fn an_interface_object_is_asked_once_for_what_only_some_types_are_asked_for() {
    let (data, asked) = run(MEMBERS, members, "{ members { ... on Owner { nick } } }").await;
    assert_eq!(data, json!({ "members": [{ "nick": "nick of o" }, {}] }));
    assert_eq!(asked, ["club", "people"]);

    // What requires another subgraph's field has to wait for it.
    let (data, asked) = run(
        MEMBERS,
        members,
        "{ members { ... on Owner { nick rank } id } }",
    )
    .await;
    let owner = json!({ "nick": "nick of o", "rank": 41, "id": "o" });
    assert_eq!(data, json!({ "members": [owner, { "id": "g" }] }));
    assert_eq!(asked.len(), 3, "{asked:?}");
}

const ANIMALS: &str = supergraph!("animals");

fn animals(subgraph: &str, object: &Json, field: &str, _: &str) -> Json {
    match (subgraph, field) {
        ("zoo", "animals") => json!([{ "__typename": "Fish", "id": "f" }]),
        _ => object[field].clone(),
    }
}

/// Nothing is asked of a fish, so nobody is asked about one: what a subgraph says of it would be an error of nothing.
///
/// Seen red with every object at the path of a batch sent: the vets were asked about the fish, by its type alone.
#[tokio::test]
async fn who_has_a_type_that_nothing_is_asked_of_is_not_asked_about() {
    for query in [
        "{ animals { ... on Dog { weight } } }",
        "{ animals { ... on Dog { weight } ... on Cat { weight } } }",
        "{ animals { ... on Dog { meals: food } ... on Cat { food } } }",
        "{ animals { ... on Dog { meals: food weight } ... on Cat { id food } } }",
    ] {
        let (data, asked) = run(ANIMALS, animals, query).await;
        assert_eq!(data, json!({ "animals": [{}] }), "{query}");
        assert_eq!(asked, ["zoo"], "{query}");
    }
}

const SIMILAR: &str = supergraph!("similar");

/// The planner looks for the inner object in the wrong fetch. Nothing is run then, and nothing comes out wrong.
#[tokio::test]
async fn what_the_planner_cannot_plan_is_refused_as_that_and_its_neighbours_are_planned() {
    let engine = engine(SIMILAR, animals, &Arc::default());
    let prepare = async |query: &str| {
        let request = request(query, json!({}));
        engine.prepare(&request, OperationKinds::QUERY).await
    };
    for query in [
        "{ items { about { talksOfSimilar { id } } } }",
        "{ items { talks { item { talksOfSimilar { id } } } } }",
        "{ items { talksOfSimilar { item { talksOfSimilar { id } } } } }",
    ] {
        let refused = prepare(query).await.expect_err(query);
        let [error] = refused.errors() else {
            panic!("{query}: {refused:?}")
        };
        assert_eq!(error.code, Code::INTERNAL, "{query}");
        assert_eq!(error.message, "this operation cannot be planned", "{query}");
    }
    for query in [
        "{ items { talksOfSimilar { id } } }",
        "{ items { about { id similar { id } } } }",
        "{ talk { item { about { talksOfSimilar { id } } } } }",
    ] {
        let planned = prepare(query).await;
        assert!(planned.is_ok(), "{query}: {planned:?}");
    }
}
