//! No more is read for a response than it can hold.

use async_graphql::{Request, Variables};
use chassis::graphql::ResponseBudget;
use serde_json::{Value, json};

use crate::shop::{Shop, text};

/// What thirty entities ask for is one batch on any machine; of more, a slow one makes several.
const PRODUCTS: i64 = 30;

/// Products of the first shard with so many comments each.
async fn talk(shop: &Shop, comments: i64) {
    let words = text("words").as_str().to_owned();
    let sql = "insert into comments (id, author_id, sku, text, created_at)
               select nextval('comments_number'), 1, 2 * sku, $1, now()
               from generate_series(1, $2) as sku, generate_series(1, $3)";
    shop.execute(sql, [words.into(), PRODUCTS.into(), comments.into()])
        .await;
}

/// Asks for all of the products with so much room for the response.
async fn ask(shop: &Shop, selection: &str, budget: u64) -> (usize, Value) {
    let products: Vec<Value> = (1..=PRODUCTS)
        .map(|sku| json!({ "__typename": "Product", "sku": (2 * sku).to_string() }))
        .collect();
    let query = format!(
        "query($r: [_Any!]!) {{ _entities(representations: $r) {{ ... on Product {{ {selection} }} }} }}"
    );
    let request = Request::new(query)
        .variables(Variables::from_json(json!({ "r": products })))
        .data(ResponseBudget(budget));
    let before = shop.statements();
    let answer = shop.subgraph.execute(request).await;
    let answer = serde_json::to_value(answer).unwrap();
    (shop.statements() - before, answer)
}

/// Four pages of each product that differ. Seen red with reading on for a response that is over.
#[tokio::test]
async fn pages_are_read_only_as_long_as_the_response_can_hold_them() {
    let shop = Shop::open().await;
    talk(&shop, 10).await;
    let page = |first| format!("p{first}: comments(first: {first}) {{ nodes {{ text }} }}");
    let pages: Vec<String> = (7..=10).map(page).collect();
    let pages = pages.join(" ");
    let (all, answer) = ask(&shop, &pages, 10_000).await;
    let last = &answer["data"]["_entities"][29];
    let nodes = last["p10"]["nodes"].as_array();
    assert_eq!(nodes.map(Vec::len), Some(10), "{answer}");
    assert_eq!(all, 4);
    let (few, answer) = ask(&shop, &pages, 160).await;
    assert_eq!(
        answer["errors"][0]["extensions"]["limit"], "response_objects",
        "{answer}"
    );
    assert_eq!(few, 1);
}

/// Seen red with a page that is read for its list's length alone.
#[tokio::test]
async fn the_length_of_a_list_reads_no_page() {
    let shop = Shop::open().await;
    talk(&shop, 3).await;
    let (statements, answer) = ask(&shop, "comments(first: 100) { totalCount }", 600).await;
    assert_eq!(
        answer["data"]["_entities"][29]["comments"]["totalCount"], 3,
        "{answer}"
    );
    assert_eq!(statements, 1);
}
