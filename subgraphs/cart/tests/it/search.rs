//! What is looked for in the catalogue, page by page, and how many there are.

use std::time::Duration;

use ::schema::seed;
use serde_json::{Value, json};

use crate::graph::{Graph, TEA};

/// The answer's part that tests look at: the SKUs of all pages of `first`, and the count that each of them names.
async fn pages(graph: &Graph, arguments: &str, first: u32) -> (Vec<String>, Vec<i64>) {
    let (mut skus, mut counts) = (Vec::new(), Vec::new());
    let mut after = Value::Null;
    loop {
        let operation = format!(
            "{{ products(first: {first}, after: {after}, {arguments}) {{
                totalCount nodes {{ sku }} pageInfo {{ hasNextPage endCursor }} }} }}"
        );
        let answer = graph.ask(&operation).await;
        let page = &answer["data"]["products"];
        counts.push(page["totalCount"].as_i64().expect("a count"));
        let nodes = page["nodes"].as_array().expect("nodes").iter();
        skus.extend(nodes.map(|node| node["sku"].as_str().expect("a SKU").to_owned()));
        if page["pageInfo"]["hasNextPage"] == false {
            return (skus, counts);
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

fn sku(id: i64) -> String {
    id.to_string()
}

#[tokio::test]
async fn a_search_has_pages_that_join_and_one_count() {
    let graph = Graph::start().await;
    let (one_by_one, counts) = pages(&graph, r#"search: "20""#, 1).await;
    let (at_once, _) = pages(&graph, r#"search: " 20 ""#, 100).await;
    assert!(at_once.len() > 2, "{at_once:?}");
    assert_eq!(one_by_one, at_once);
    assert!(at_once.is_sorted_by_key(|sku| sku.parse::<i64>().expect("a number")));
    let count = i64::try_from(at_once.len()).expect("a few");
    assert!(counts.iter().all(|named| *named == count), "{counts:?}");

    let (everything, counts) = pages(&graph, r#"search: " ""#, 7).await;
    assert_eq!(everything.len(), seed::products().len());
    assert_eq!(counts[0], i64::try_from(everything.len()).expect("a few"));
    let none = pages(&graph, r#"search: "no such thing""#, 5).await;
    assert_eq!(none, (vec![], vec![0]));
    let (cafe, _) = pages(&graph, r#"search: "JAZZ cafe""#, 5).await;
    assert_eq!(cafe.len(), 1);
    let (tea, _) = pages(&graph, r#"search: "moral теория""#, 5).await;
    assert_eq!(tea, [sku(TEA)]);
}

#[tokio::test]
async fn a_search_over_its_bound_is_refused_and_names_it() {
    let graph = Graph::start().await;
    let ask = async |length| {
        let search = "ё".repeat(length);
        let operation = format!("{{ products(search: \"{search}\") {{ totalCount }} }}");
        graph.ask(&operation).await
    };
    assert_eq!(ask(100).await["data"]["products"]["totalCount"], 0);
    let refused = ask(101).await;
    let error = &refused["errors"][0];
    assert_eq!(error["extensions"]["code"], "INVALID_ARGUMENT", "{refused}");
    let message = error["message"].as_str().expect("a message");
    assert!(
        message.contains("100") && message.contains("101"),
        "{message}"
    );
}

/// Ten units of two products, none of any other: one call says which.
#[tokio::test]
async fn what_is_in_stock_is_asked_with_one_call() {
    let graph = Graph::start().await;
    let (in_stock, counts) = pages(&graph, "inStock: true", 100).await;
    assert_eq!(in_stock, [sku(TEA), sku(2_956_315)]);
    assert_eq!((counts, graph.loms.lists()), (vec![2], 1));
    let (sold_out, _) = pages(&graph, "inStock: false", 100).await;
    assert_eq!(sold_out.len(), seed::products().len() - 2);
    assert!(!sold_out.contains(&in_stock[0]));
    assert_eq!(graph.loms.lists(), 2);

    graph.loms.restock(TEA, 0);
    let (found, _) = pages(&graph, r#"inStock: true, search: "eloy""#, 1).await;
    assert_eq!(found, [sku(2_956_315)]);
    let (found, _) = pages(&graph, r#"inStock: true, search: "теория""#, 1).await;
    assert_eq!(found, Vec::<String>::new());
    let before = graph.loms.lists();
    pages(&graph, r#"search: "теория""#, 1).await;
    assert_eq!(
        graph.loms.lists(),
        before,
        "who does not ask for stock needs none"
    );
}

#[tokio::test]
async fn without_the_order_service_what_is_in_stock_is_unavailable_and_never_a_guess() {
    let graph = Graph::start().await;
    let gone = async |arguments: &str| {
        let operation = format!("{{ products({arguments}) {{ totalCount nodes {{ sku }} }} }}");
        graph.ask(&operation).await
    };
    assert_eq!(
        gone("inStock: true").await["data"]["products"]["totalCount"],
        2
    );
    graph.loms.close().await;
    for arguments in ["inStock: true", "inStock: false, search: \"теория\""] {
        let answer = gone(arguments).await;
        assert_eq!(answer["data"]["products"], Value::Null, "{arguments}");
        let code = &answer["errors"][0]["extensions"]["code"];
        assert_eq!(code, "UNAVAILABLE", "{answer}");
    }
    let found = gone("search: \"теория\"").await;
    assert_eq!(found["data"]["products"]["totalCount"], 1, "{found}");
}

#[tokio::test]
async fn without_the_product_service_there_is_no_part_of_the_catalogue() {
    let graph = Graph::start().await;
    graph.products.shutdown(Duration::from_secs(5)).await;
    let operation = "{ products(search: \"теория\") { totalCount } }";
    let answer = graph.ask(operation).await;
    assert_eq!(answer["data"]["products"], Value::Null);
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAVAILABLE");
}

/// Older clients ask for a name without a language.
#[tokio::test]
async fn a_name_is_russian_unless_english_is_asked_for() {
    let graph = Graph::start().await;
    let operation = format!(
        "{{ product(sku: \"{TEA}\") {{ name ru: name(language: RU) en: name(language: EN) none: name(language: null) }} }}"
    );
    let answer = graph.ask(&operation).await;
    let (ru, en) = (
        "Теория нравственных чувств | Смит Адам",
        "The Theory of Moral Sentiments | Adam Smith",
    );
    assert_eq!(
        answer["data"]["product"],
        json!({"name": ru, "ru": ru, "en": en, "none": ru})
    );
}
