//! One user of the shop and what it knows of itself: what is in its cart, which orders await payment.
//!
//! A refusal counts as an ending that may happen only where the shop may give it to an honest buyer: stock runs out, an
//! order expires. Everything else is an error of the run.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use url::Url;
use uuid::Uuid;

use crate::client::{Client, Operation, Reply, Response};
use crate::goods::Goods;
use crate::ledger::Ledger;
use crate::plan::Kind;
use crate::stats::{Ending, Outcome};

/// The pause before a REST call is made again.
const REST_PAUSE: Duration = Duration::from_millis(200);

const BROWSE: &str =
    "{ products(first: 10) { nodes { sku name price { amount currency } stock { available } } } }";
const PRODUCT: &str = "query($sku: ID!) { product(sku: $sku) {
    sku name price { amount } stock { available } comments(first: 5) { nodes { text author { id } } } } }";
const ADD: &str = "mutation($sku: ID!, $count: Int!, $key: String!) {
    addToCart(input: {sku: $sku, count: $count, idempotencyKey: $key}) {
        cart { itemCount total { amount } } userErrors { code } } }";
const CHECKOUT: &str = "mutation($key: String!) { checkout(input: {idempotencyKey: $key}) {
    order { id status version } userErrors { code } } }";
/// Pays the order `$id`, named by `$key`.
pub const PAY: &str =
    "mutation($id: ID!, $key: String!) { payOrder(input: {orderId: $id, idempotencyKey: $key}) {
    order { id status version } userErrors { code } } }";
/// Calls the order `$id` off, named by `$key`.
pub const CANCEL: &str =
    "mutation($id: ID!, $key: String!) { cancelOrder(input: {orderId: $id, idempotencyKey: $key}) {
    order { id status version } userErrors { code } } }";
const COMMENT: &str = "mutation($sku: ID!, $text: String!, $key: String!) {
    addComment(input: {sku: $sku, text: $text, idempotencyKey: $key}) { comment { id } userErrors { code } } }";
const HISTORY: &str = "{ me { orders(first: 5) { nodes {
    id status version total { amount } lines { count product { name } } history { status version } } } } }";
const FOREIGN: &str = "query($id: ID!) { order(id: $id) { id } }";

/// The parts of a run that every shopper uses.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) client: Client,
    pub(crate) goods: Goods,
    pub(crate) ledger: Ledger,
    pub(crate) rest: Option<Url>,
}

/// A user who buys.
#[derive(Debug)]
pub(crate) struct Shopper {
    user: i64,
    token: String,
    watched: bool,
    cart: Vec<String>,
    awaiting: VecDeque<String>,
    shop: Arc<Shop>,
}

impl Shopper {
    pub(crate) const fn new(user: i64, token: String, watched: bool, shop: Arc<Shop>) -> Self {
        Self {
            user,
            token,
            watched,
            cart: Vec::new(),
            awaiting: VecDeque::new(),
            shop,
        }
    }

    /// Whether it has what the operation needs.
    pub(crate) fn can(&self, kind: Kind) -> bool {
        match kind {
            Kind::Checkout => !self.cart.is_empty(),
            Kind::Pay | Kind::Cancel => !self.awaiting.is_empty(),
            Kind::Browse
            | Kind::Add
            | Kind::Comment
            | Kind::History
            | Kind::Refusal
            | Kind::Rest => true,
        }
    }

    /// What it does instead while it lacks what the operation needs: the step that leads there.
    pub(crate) fn nearest(&self, kind: Kind) -> Kind {
        match kind {
            Kind::Pay | Kind::Cancel if !self.can(kind) => self.nearest(Kind::Checkout),
            Kind::Checkout if !self.can(kind) => Kind::Add,
            Kind::Rest if self.shop.rest.is_none() => Kind::Add,
            kind => kind,
        }
    }

    /// Does it.
    pub(crate) async fn perform(&mut self, kind: Kind, random: &mut StdRng) -> Outcome {
        match kind {
            Kind::Browse => self.browse(random).await,
            Kind::Add => self.add(random).await,
            Kind::Checkout => self.checkout().await,
            Kind::Pay => self.finish(PAY, "payOrder", "ORDER_NOT_PAYABLE").await,
            Kind::Cancel => {
                self.finish(CANCEL, "cancelOrder", "ORDER_NOT_CANCELLABLE")
                    .await
            }
            Kind::Comment => self.comment(random).await,
            Kind::History => self.run(HISTORY, "me", json!({})).await.into(),
            Kind::Refusal => self.be_refused(random).await,
            Kind::Rest => self.rest(random).await,
        }
    }

    async fn run(&self, text: &'static str, field: &'static str, variables: Value) -> Response {
        let operation = Operation {
            text,
            field,
            variables,
        };
        self.shop.client.run(&self.token, &operation).await
    }

    async fn browse(&self, random: &mut StdRng) -> Outcome {
        if random.random_bool(0.5) {
            return self.run(BROWSE, "products", json!({})).await.into();
        }
        let sku = self.shop.goods.draw(random);
        self.run(PRODUCT, "product", json!({ "sku": sku }))
            .await
            .into()
    }

    async fn add(&mut self, random: &mut StdRng) -> Outcome {
        let sku = self.shop.goods.draw(random).to_owned();
        let count = random.random_range(1..=3);
        let variables = json!({ "sku": sku, "count": count, "key": key() });
        let response = self.run(ADD, "addToCart", variables).await;
        match &response.reply {
            Reply::Done(_) => self.cart.push(sku),
            Reply::Refused(code) if code == "OUT_OF_STOCK" => {
                self.shop.goods.restock(&self.shop.client, &sku).await;
            }
            Reply::Refused(_) | Reply::Failed(_) => {}
        }
        Outcome::allowing(response, "OUT_OF_STOCK")
    }

    async fn checkout(&mut self) -> Outcome {
        let response = self
            .run(CHECKOUT, "checkout", json!({ "key": key() }))
            .await;
        match &response.reply {
            Reply::Done(value) => {
                self.cart.clear();
                if let Some(order) = self.note(&value["order"]) {
                    self.awaiting.push_back(order);
                }
            }
            // The cart is kept: the next checkout finds the shelves full.
            Reply::Refused(code) if code == "OUT_OF_STOCK" => {
                let goods = &self.shop.goods;
                goods.restock_all(&self.shop.client, &self.cart).await;
            }
            Reply::Refused(_) | Reply::Failed(_) => {}
        }
        Outcome::allowing(response, "OUT_OF_STOCK")
    }

    /// Pays or cancels the oldest order. One that has expired meanwhile refuses both.
    async fn finish(
        &mut self,
        text: &'static str,
        field: &'static str,
        late: &'static str,
    ) -> Outcome {
        let order = self.awaiting.pop_front().unwrap_or_default();
        let response = self
            .run(text, field, json!({ "id": order, "key": key() }))
            .await;
        if let Reply::Done(value) = &response.reply {
            self.note(&value["order"]);
        }
        Outcome::allowing(response, late)
    }

    /// Notes the version that a response names, with the order's id.
    fn note(&self, order: &Value) -> Option<String> {
        let id = order["id"].as_str()?;
        let version = order["version"].as_u64()?;
        if self.watched {
            let version = u32::try_from(version).unwrap_or(u32::MAX);
            self.shop.ledger.answered(self.user, id, version);
        }
        Some(id.to_owned())
    }

    async fn comment(&self, random: &mut StdRng) -> Outcome {
        let sku = self.shop.goods.draw(random);
        let text = format!("load {:08x}", random.random::<u32>());
        let variables = json!({ "sku": sku, "text": text, "key": key() });
        self.run(COMMENT, "addComment", variables).await.into()
    }

    /// Provokes one refusal; any other ending is an error.
    async fn be_refused(&self, random: &mut StdRng) -> Outcome {
        let sku = self.shop.goods.draw(random);
        let (sku, count, code) = match random.random_range(0..4) {
            0 => ("1", 1, "PRODUCT_NOT_FOUND"),
            1 => (sku, 0, "INVALID_ARGUMENT"),
            2 => (sku, i32::MAX, "OUT_OF_STOCK"),
            _ => return self.read_foreign_order().await,
        };
        let variables = json!({ "sku": sku, "count": count, "key": key() });
        let response = self.run(ADD, "addToCart", variables).await;
        Outcome::demanding(response, code)
    }

    /// Another buyer's order must look exactly like a missing one: null, without an error.
    async fn read_foreign_order(&self) -> Outcome {
        let mut response = self.run(FOREIGN, "order", json!({ "id": "1" })).await;
        response.reply = match response.reply {
            Reply::Done(Value::Null) => Reply::Refused("NULL".into()),
            Reply::Done(_) => Reply::Failed("FOREIGN_ORDER_SHOWN".into()),
            other => other,
        };
        Outcome::demanding(response, "NULL")
    }

    async fn rest(&mut self, random: &mut StdRng) -> Outcome {
        let trace = Uuid::new_v4();
        let sku = self.shop.goods.draw(random).to_owned();
        let (key, until) = (key(), Instant::now() + self.shop.client.patience());
        let mut retried = Vec::new();
        let mut response = self.add_over_rest(&sku, &key, trace).await;
        // A gateway's 5xx and a lost connection leave the effect open: the key makes asking again safe.
        while !matches!(response, Ok(..500)) && Instant::now() < until {
            sleep(REST_PAUSE).await;
            retried.push(told_over_rest(&response));
            response = self.add_over_rest(&sku, &key, trace).await;
        }
        let ending = match response {
            Ok(200) => {
                self.cart.push(sku);
                Ending::Done
            }
            Ok(412) => {
                self.shop.goods.restock(&self.shop.client, &sku).await;
                Ending::Refused("HTTP_412".into())
            }
            Ok(_) | Err(_) => Ending::Failed(told_over_rest(&response)),
        };
        Outcome {
            ending,
            retried,
            trace,
        }
    }

    /// The old paths take no token. The first status that is not 200 is the response.
    async fn add_over_rest(
        &self,
        sku: &str,
        key: &str,
        trace: Uuid,
    ) -> Result<u16, reqwest::Error> {
        let Some(base) = &self.shop.rest else {
            return Ok(200);
        };
        let mut url = base.clone();
        url.set_path(&format!("/user/{}/cart/{sku}", self.user));
        let http = self.shop.client.http();
        let headers = crate::client::headers("", trace);
        let traceparent = headers.get("traceparent").cloned();
        let mut add = http.post(url.clone()).json(&json!({ "count": 1 }));
        if let Some(traceparent) = traceparent {
            add = add.header("traceparent", traceparent);
        }
        let added = add.header("idempotency-key", key).send().await?.status();
        if added != 200 {
            return Ok(added.as_u16());
        }
        url.set_path(&format!("/user/{}/cart", self.user));
        Ok(http.get(url).send().await?.status().as_u16())
    }
}

fn told_over_rest(response: &Result<u16, reqwest::Error>) -> String {
    match response {
        Ok(status) => format!("HTTP_{status}"),
        Err(_) => "NO_ANSWER".into(),
    }
}

/// A key that no other operation has.
fn key() -> String {
    Uuid::new_v4().to_string()
}

impl Outcome {
    /// An operation that one code may refuse.
    fn allowing(response: Response, code: &str) -> Self {
        let ending = match response.reply {
            Reply::Done(_) => Ending::Done,
            Reply::Refused(given) if given == code => Ending::Refused(given),
            Reply::Refused(given) | Reply::Failed(given) => Ending::Failed(given),
        };
        Self {
            ending,
            retried: response.retried,
            trace: response.trace,
        }
    }

    /// An operation that this code must refuse.
    fn demanding(response: Response, code: &str) -> Self {
        let mut outcome = Self::allowing(response, code);
        if outcome.ending == Ending::Done {
            outcome.ending = Ending::Failed(format!("NOT_REFUSED_{code}"));
        }
        outcome
    }
}

impl From<Response> for Outcome {
    fn from(response: Response) -> Self {
        Self::allowing(response, "")
    }
}
