//! What shoppers do: of a hundred operations 50 read, 15 look at the cart, 15 order, 5 pay, 10 fill a cart and check out by
//! REST, 5 order by gRPC.

use anyhow::Context as _;
use bench::server::Server;
use parking_lot::Mutex;
use rand::Rng as _;
use reqwest::{Client, StatusCode};
use schema::proto::loms::{Item, OrderCreateRequest, loms_client::LomsClient};
use serde::Serialize;
use serde_json::{Value, json};
use tonic::{Code, transport::Channel};

/// So many that no customer's own limits are met.
const SHOPPERS: u32 = 2_000;
const SKU: &str = "1076963";
const READ: &str = r#"{ product(sku: "1076963") { sku name price { amount } } }"#;
const CART: &str = "{ me { cart { lines { product { sku name } count } total { amount } } } }";
const ORDER: &str = r#"mutation { createOrder(input: {lines: [{sku: "1076963", count: 1}]}) { order { id } userErrors { code } } }"#;
/// More than any run sells.
const STOCK: i64 = 2_000_000_000;
const STOCKED: &str = r#"{ stock(sku: "1076963") { total } }"#;
const SET_STOCK: &str = r#"mutation($total: Int!, $expected: Int!) {
    setStock(input: {sku: "1076963", total: $total, expectedTotal: $expected}) { userErrors { code } } }"#;
const PAY: &str = "mutation($id: ID!) { payOrder(input: {orderId: $id}) { userErrors { code } } }";

/// What one operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Read,
    Cart,
    Order,
    Pay,
    Checkout,
    Grpc,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [
        Self::Read,
        Self::Cart,
        Self::Order,
        Self::Pay,
        Self::Checkout,
        Self::Grpc,
    ];

    /// Of a hundred operations.
    pub(crate) const fn weight(self) -> u32 {
        match self {
            Self::Read => 50,
            Self::Cart | Self::Order => 15,
            Self::Checkout => 10,
            Self::Pay | Self::Grpc => 5,
        }
    }

    pub(crate) fn draw() -> Self {
        let mut number = rand::rng().random_range(0..100);
        for kind in Self::ALL {
            if number < kind.weight() {
                return kind;
            }
            number -= kind.weight();
        }
        Self::Read
    }
}

/// How an operation ended, but for one whose shopper left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It was done.
    Answered,
    /// It was refused for want of room, with nothing done.
    Refused,
    /// Anything else.
    Failed,
}

/// The shoppers of one server.
#[derive(Debug)]
pub(crate) struct Shoppers {
    client: Client,
    graphql: String,
    rest: String,
    tokens: Vec<String>,
    loms: Vec<LomsClient<Channel>>,
    /// Orders that wait for their payment, with their owner.
    unpaid: Mutex<Vec<(usize, String)>>,
}

impl Shoppers {
    /// Gets the tokens and connects.
    ///
    /// # Errors
    /// When the server does not issue tokens or cannot be reached.
    pub(crate) async fn arrive(server: &Server) -> anyhow::Result<Self> {
        let client = Client::new();
        let mut tokens = Vec::new();
        for user in 1..=SHOPPERS {
            tokens.push(token(&client, server, user, false).await?);
        }
        let operator = token(&client, server, SHOPPERS + 1, true).await?;
        let mut loms = Vec::new();
        for _ in 0..8 {
            let channel = Channel::from_shared(server.at(8083, ""))?.connect().await?;
            loms.push(LomsClient::new(channel));
        }
        let shoppers = Self {
            client,
            graphql: server.at(4000, "/graphql"),
            rest: server.at(8080, ""),
            tokens,
            loms,
            unpaid: Mutex::default(),
        };
        shoppers.fill_the_shelf(&operator).await?;
        Ok(shoppers)
    }

    /// The token of a shopper, for streams of their own.
    pub(crate) fn token(&self, number: usize) -> &str {
        &self.tokens[number % self.tokens.len()]
    }

    async fn fill_the_shelf(&self, operator: &str) -> anyhow::Result<()> {
        let (_, stock) = self.graphql(operator, STOCKED, Value::Null).await;
        let expected = &stock["data"]["stock"]["total"];
        let variables = json!({ "total": STOCK, "expected": expected });
        match self.graphql(operator, SET_STOCK, variables).await {
            (End::Answered, _) => Ok(()),
            (_, body) => anyhow::bail!("the stock cannot be set: {body}"),
        }
    }

    /// Does one operation as one of the shoppers.
    pub(crate) async fn act(&self, kind: Kind) -> End {
        let user = rand::rng().random_range(0..self.tokens.len());
        match kind {
            Kind::Read => self.graphql(self.token(user), READ, Value::Null).await.0,
            Kind::Cart => self.graphql(self.token(user), CART, Value::Null).await.0,
            Kind::Order => self.order(user).await,
            Kind::Pay => self.pay(user).await,
            Kind::Checkout => self.checkout(user).await,
            Kind::Grpc => self.grpc(user).await,
        }
    }

    async fn order(&self, user: usize) -> End {
        let (end, body) = self.graphql(self.token(user), ORDER, Value::Null).await;
        if let Some(id) = body["data"]["createOrder"]["order"]["id"].as_str() {
            self.unpaid.lock().push((user, id.to_owned()));
        }
        end
    }

    async fn pay(&self, user: usize) -> End {
        // Nobody has an order to pay only in the first moments.
        let unpaid = self.unpaid.lock().pop();
        match unpaid {
            Some((owner, id)) => {
                self.graphql(self.token(owner), PAY, json!({ "id": id }))
                    .await
                    .0
            }
            None => self.order(user).await,
        }
    }

    async fn graphql(&self, token: &str, query: &str, variables: Value) -> (End, Value) {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = self
            .client
            .post(&self.graphql)
            .bearer_auth(token)
            .header("content-type", "application/json")
            .body(body);
        let (end, text) = send(request).await;
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        let code = body["errors"][0]["extensions"]["code"].as_str();
        // What the shop's rules refuse costs less than what they do: it counts for nothing.
        let payload = body["data"]
            .as_object()
            .and_then(|data| data.values().next());
        let is_refused = payload.is_some_and(|it| it["userErrors"][0].is_object());
        match (end, code) {
            (End::Answered, Some("OVERLOADED")) => (End::Refused, body),
            (End::Answered, Some(_)) => (End::Failed, body),
            (End::Answered, None) if is_refused => (End::Failed, body),
            (end, _) => (end, body),
        }
    }

    async fn checkout(&self, user: usize) -> End {
        let (rest, number) = (&self.rest, user + 1);
        let add = self
            .client
            .post(format!("{rest}/user/{number}/cart/{SKU}"))
            .header("content-type", "application/json")
            .body(r#"{"count":1}"#);
        match send(add).await.0 {
            End::Answered => {}
            end @ (End::Refused | End::Failed) => return end,
        }
        let checkout = self.client.post(format!("{rest}/checkout/{number}"));
        send(checkout).await.0
    }

    async fn grpc(&self, user: usize) -> End {
        let item = Item {
            sku: 1_076_963,
            count: 1,
            unit_price: None,
        };
        let request = OrderCreateRequest {
            user_id: i64::try_from(user).unwrap_or_default() + 1,
            items: vec![item],
        };
        let mut loms = self.loms[user % self.loms.len()].clone();
        match loms.order_create(request).await.map_err(|it| it.code()) {
            Ok(_) => End::Answered,
            Err(Code::ResourceExhausted) => End::Refused,
            Err(_) => End::Failed,
        }
    }
}

async fn token(
    client: &Client,
    server: &Server,
    user: u32,
    is_operator: bool,
) -> anyhow::Result<String> {
    let body = json!({ "user": user.to_string(), "ops": is_operator }).to_string();
    let request = client.post(server.at(4000, "/demo/token"));
    let request = request.header("content-type", "application/json");
    let text = request.body(body).send().await?.text().await?;
    let issued: Value = serde_json::from_str(&text)?;
    let token = issued["token"].as_str().context("no token was issued")?;
    Ok(token.to_owned())
}

async fn send(request: reqwest::RequestBuilder) -> (End, String) {
    let Ok(response) = request.send().await else {
        return (End::Failed, String::new());
    };
    let status = response.status();
    let end = match status {
        StatusCode::TOO_MANY_REQUESTS => End::Refused,
        StatusCode::SERVICE_UNAVAILABLE if response.headers().contains_key("retry-after") => {
            End::Refused
        }
        status if status.is_success() => End::Answered,
        _ => End::Failed,
    };
    match response.text().await {
        Ok(text) => (end, text),
        Err(_) => (End::Failed, String::new()),
    }
}
