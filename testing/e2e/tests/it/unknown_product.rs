//! A product that the catalogue lacks, which orders, stock and comments may name: what is known of it is told, and nothing
//! around it is lost. Source: docs/contracts.md §4.

use serde_json::{Value, json};

use crate::shop::{Shop, new_user};
use crate::subscription::Subscription;

/// Stock is kept of it, and the catalogue does not have it. Source: docs/contracts.md §4.
const UNKNOWN: &str = "1625903";
/// On sale.
const KNOWN: &str = "1076963";

const LINES: &str = "lines { count product { sku name price { amount } stock { available } } }";

/// Makes an order of both products as clients of the gateway do, and gives its id.
async fn order(shop: &Shop, user: i64) -> String {
    let items =
        [KNOWN, UNKNOWN].map(|sku| json!({ "sku": sku.parse::<i64>().unwrap(), "count": 1 }));
    let body = json!({ "userId": user, "items": items });
    let url = format!("{}/order/create", shop.url(8084));
    let response = shop.http().post(url).json(&body).send().await.unwrap();
    let response: Value = response.json().await.unwrap();
    response["orderId"].as_str().unwrap().to_owned()
}

/// Checks the lines at this place of a response, and that nothing but name and price of the unknown product is an error.
fn check(response: &Value, place: &[Value]) {
    let at = |value: &Value, step: &Value| match step {
        Value::String(name) => value[name].clone(),
        step => value[usize::try_from(step.as_u64().unwrap()).unwrap()].clone(),
    };
    let lines = place
        .iter()
        .fold(response["data"].clone(), |value, step| at(&value, step));
    assert_eq!(
        lines[0]["product"]["name"].as_str().map(str::is_empty),
        Some(false),
        "{response}"
    );
    assert_eq!(lines[1]["product"]["sku"], UNKNOWN, "{response}");
    assert_eq!(lines[1]["product"]["name"], Value::Null);
    assert_eq!(lines[1]["product"]["price"], Value::Null);
    assert!(lines[1]["product"]["stock"]["available"].is_i64());
    let errors = response["errors"].as_array().unwrap();
    let mut paths: Vec<_> = errors
        .iter()
        .map(|error| error["path"].to_string())
        .collect();
    paths.sort_unstable();
    let path = |field: &str| {
        let rest = [json!(1), json!("product"), json!(field)];
        json!([place, &rest].concat()).to_string()
    };
    assert_eq!(paths, [path("name"), path("price")], "{response}");
    for error in errors {
        assert_eq!(
            error["extensions"]["code"], "PRODUCT_NOT_FOUND",
            "{response}"
        );
        assert!(error["locations"][0]["line"].is_u64(), "{response}");
    }
}

#[tokio::test]
async fn no_list_payload_or_frame_is_lost_for_a_product_that_the_catalogue_lacks() {
    let shop = Shop::shared().await;
    let user = new_user();
    let (buyer, operator) = (
        shop.token(user, false).await,
        shop.token(new_user(), true).await,
    );
    let id = order(shop, user).await;

    let query = format!("{{ me {{ id orders(first: 5) {{ nodes {{ id {LINES} }} }} }} }}");
    let response = shop.try_graphql(&buyer, &query, json!({})).await.unwrap();
    check(
        &response,
        &[
            json!("me"),
            json!("orders"),
            json!("nodes"),
            json!(0),
            json!("lines"),
        ],
    );

    let query = format!("query($id: ID!) {{ order(id: $id) {{ id {LINES} }} }}");
    let response = shop
        .try_graphql(&operator, &query, json!({ "id": id }))
        .await
        .unwrap();
    check(&response, &[json!("order"), json!("lines")]);

    let watch = format!(
        "subscription($id: ID!) {{ orderEvents(orderId: $id) {{ kind order {{ id {LINES} }} }} }}"
    );
    let mut frames = Subscription::open(shop, &buyer, &watch, json!({ "id": id })).await;
    let frame = frames.next_response().await.data;
    check(
        &frame,
        &[json!("orderEvents"), json!("order"), json!("lines")],
    );

    let pay = format!(
        "mutation($id: ID!) {{ payOrder(input: {{ orderId: $id }}) {{ order {{ status {LINES} }} userErrors {{ code }} }} }}"
    );
    let response = shop
        .try_graphql(&buyer, &pay, json!({ "id": id }))
        .await
        .unwrap();
    assert_eq!(response["data"]["payOrder"]["userErrors"], json!([]));
    assert_eq!(response["data"]["payOrder"]["order"]["status"], "PAID");
    check(
        &response,
        &[json!("payOrder"), json!("order"), json!("lines")],
    );
    let frame = frames.next_response().await.data;
    check(
        &frame,
        &[json!("orderEvents"), json!("order"), json!("lines")],
    );

    let comment = "mutation($sku: ID!) { addComment(input: { sku: $sku, text: \"good\" }) {
        comment { text product { sku name } } userErrors { code } } }";
    let response = shop
        .try_graphql(&buyer, comment, json!({ "sku": UNKNOWN }))
        .await
        .unwrap();
    let expected = json!({ "text": "good", "product": { "sku": UNKNOWN, "name": null } });
    assert_eq!(
        response["data"]["addComment"]["comment"], expected,
        "{response}"
    );
    assert_eq!(
        response["errors"][0]["path"],
        json!(["addComment", "comment", "product", "name"])
    );
}
