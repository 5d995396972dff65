//! The ten operations in order over HTTP: what each promises in its comment, on a marketplace that nobody used before.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{operation_files, operation_name};
use crate::shop::{Arrangement, Shop};
use crate::subscription::Subscription;

/// A visitor who runs one tab after the other, as the page does.
struct Visitor {
    shop: Shop,
    texts: BTreeMap<String, String>,
    token: String,
    variables: Value,
}

impl Visitor {
    async fn arrive() -> Self {
        let shop = Shop::start(Arrangement::Together).await;
        let token = shop.token(1, false).await;
        let texts = operation_files().into_iter();
        let texts = texts.map(|text| (operation_name(&text).to_owned(), text));
        Self {
            shop,
            texts: texts.collect(),
            token,
            variables: json!({"key": "purchase-1"}),
        }
    }

    /// Runs a tab's operation; the whole answer.
    async fn answer(&self, name: &str) -> Value {
        let answer = self
            .shop
            .try_graphql(&self.token, &self.texts[name], self.variables.clone());
        answer.await.expect("the router answers")
    }

    /// Runs a tab's operation, which must be answered without errors; its data.
    async fn run(&self, name: &str) -> Value {
        let answer = self.answer(name).await;
        assert!(answer.get("errors").is_none(), "{name}: {answer}");
        answer["data"].clone()
    }
}

/// Seen red with the checkout's key left out of the operation "SameKey": its answer had no order.
#[tokio::test]
async fn the_ten_operations_do_in_order_what_their_comments_say() {
    let mut me = Visitor::arrive().await;
    shop_around(&me).await;

    let mut watch = Subscription::open(&me.shop, &me.token, &me.texts["Watch"], json!({})).await;
    let bought = me.run("Checkout").await["checkout"].clone();
    assert_eq!(bought["userErrors"], json!([]), "{bought}");
    assert_eq!(bought["order"]["status"], "AWAITING_PAYMENT");
    let again = me.run("SameKey").await["checkout"].clone();
    assert_eq!(again["order"]["id"], bought["order"]["id"]);
    me.variables["orderId"] = bought["order"]["id"].clone();

    let paid = me.run("Pay").await;
    assert_eq!(paid["payOrder"]["order"]["status"], "PAID", "{paid}");
    let comment = &paid["addComment"]["comment"];
    assert_eq!(comment["text"], "Arrived at once, as promised.", "{paid}");
    let repeated = me.run("Pay").await;
    assert_eq!(repeated["payOrder"]["order"]["version"], 3, "{repeated}");
    assert_eq!(repeated["addComment"]["comment"]["id"], comment["id"]);

    let statuses = ["NEW", "AWAITING_PAYMENT", "PAID"];
    for (index, status) in statuses.iter().enumerate() {
        let frame = watch.next().await;
        let event = &frame.data["myOrderEvents"];
        assert_eq!(
            (&event["version"], &event["status"]),
            (&json!(index + 1), &json!(status)),
            "one order, each version once: {event}"
        );
        assert_eq!(event["cursor"], frame.id.as_str());
    }
    look_back(me).await;
}

/// The tabs 1 to 3.
async fn shop_around(me: &Visitor) {
    let catalogue = me.run("Browse").await;
    let product = &catalogue["products"]["nodes"][0];
    assert_eq!(product["sku"], "1076963", "{catalogue}");
    assert_eq!(product["stock"]["available"], 265, "{catalogue}");
    let limit = &catalogue["rateLimit"];
    let left = limit["limit"].as_u64().unwrap() - limit["cost"].as_u64().unwrap();
    assert_eq!(limit["remaining"].as_u64(), Some(left), "{limit}");

    let cart = me.run("AddToCart").await["addToCart"]["cart"].clone();
    assert_eq!(cart["itemCount"], 2, "{cart}");
    let refused = me.run("TooMany").await["addToCart"].clone();
    let mistake = &refused["userErrors"][0];
    assert_eq!(
        (&refused["cart"], &mistake["code"], &mistake["field"]),
        (
            &Value::Null,
            &json!("OUT_OF_STOCK"),
            &json!(["input", "count"])
        )
    );
}

/// The tabs 8 to 10.
async fn look_back(mut me: Visitor) {
    let found = me.run("History").await;
    let order = &found["order"];
    assert_eq!(order["history"].as_array().unwrap().len(), 3, "{found}");
    let product = &order["lines"][0]["product"];
    assert_eq!(
        product["stock"]["available"], 263,
        "two units have left: {found}"
    );
    assert_eq!(product["comments"]["nodes"][0]["author"]["id"], "1");
    assert!(found["orderEventsCursor"].is_string(), "{found}");

    let mine = me.run("NotYours").await;
    assert_eq!(mine["theirs"]["status"], "PAID");
    let owner = std::mem::replace(&mut me.token, me.shop.token(2, false).await);
    let foreign = me.run("NotYours").await;
    assert_eq!(foreign, json!({"theirs": null, "neverMade": null}));

    me.token = owner;
    let refused = me.answer("TooCostly").await;
    let error = &refused["errors"][0]["extensions"];
    assert_eq!(error["code"], "LIMIT_EXCEEDED", "{refused}");
    assert_eq!(error["limit"], "cost", "{refused}");
    assert!(refused.get("data").is_none(), "nothing ran: {refused}");
    me.shop.stop().await;
}
