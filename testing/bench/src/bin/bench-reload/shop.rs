//! Shoppers who order while the graph changes, and what truly happened to their orders.

use anyhow::{Context as _, ensure};
use futures::future::try_join_all;
use parking_lot::Mutex;
use reqwest::{Client, header::CONTENT_TYPE};
use serde_json::{Value, json};

use bench::server::Server;

/// Operators who share the operators' streams.
const OPERATORS: usize = 4;
const ORDER: &str = r#"mutation { createOrder(input: {lines: [{sku: "1076963", count: 1}]}) { order { id } userErrors { code } } }"#;

/// The shoppers and operators of one server.
#[derive(Debug)]
pub(crate) struct Shop {
    client: Client,
    url: String,
    shoppers: Vec<String>,
    operators: Vec<String>,
    orders: Mutex<Vec<(usize, String)>>,
}

/// What happened to one order.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) id: String,
    /// Which of the shoppers it belongs to.
    pub(crate) owner: usize,
    /// It has had versions 1 to this.
    pub(crate) versions: u32,
}

impl Shop {
    /// Gets tokens for so many shoppers, and for the operators.
    ///
    /// # Errors
    /// When the server does not issue them.
    pub(crate) async fn open(server: &Server, shoppers: usize) -> anyhow::Result<Self> {
        let client = Client::new();
        let issuer = server.at(4000, "/demo/token");
        let token = async |number: usize, is_operator: bool| {
            let body = json!({ "user": (number + 1).to_string(), "ops": is_operator });
            let issued = post(&client, &issuer, "", &body).await?;
            let token = issued["token"].as_str().context("no token was issued")?;
            anyhow::Ok(token.to_owned())
        };
        let mut shop = Self {
            client: client.clone(),
            url: server.at(4000, "/graphql"),
            shoppers: Vec::new(),
            operators: Vec::new(),
            orders: Mutex::default(),
        };
        for number in 0..shoppers {
            shop.shoppers.push(token(number, false).await?);
        }
        for number in 0..OPERATORS {
            shop.operators.push(token(shoppers + number, true).await?);
        }
        Ok(shop)
    }

    pub(crate) fn shopper(&self, number: usize) -> &str {
        &self.shoppers[number % self.shoppers.len()]
    }

    pub(crate) fn operator(&self, number: usize) -> &str {
        &self.operators[number % OPERATORS]
    }

    pub(crate) const fn shoppers(&self) -> usize {
        self.shoppers.len()
    }

    /// Lets so many shoppers order at once, each round others.
    ///
    /// # Errors
    /// When one cannot.
    pub(crate) async fn order(&self, round: usize, count: usize) -> anyhow::Result<()> {
        let orders = (0..count).map(async |number| {
            let owner = (round * count + number) % self.shoppers.len();
            let made = self.ask(self.shopper(owner), ORDER).await?;
            let id = made["data"]["createOrder"]["order"]["id"].as_str();
            let id = id.with_context(|| format!("no order was made: {made}"))?;
            self.orders.lock().push((owner, id.to_owned()));
            anyhow::Ok(())
        });
        try_join_all(orders).await?;
        Ok(())
    }

    /// The orders with the versions that each has had.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(crate) async fn versions(&self) -> anyhow::Result<Vec<Order>> {
        let made = self.orders.lock().clone();
        let mut orders = Vec::new();
        for (owner, id) in made {
            let query = format!("{{ order(id: \"{id}\") {{ version }} }}");
            let read = self.ask(self.operator(0), &query).await?;
            let version = read["data"]["order"]["version"].as_u64();
            let version = version.with_context(|| format!("order {id}: {read}"))?;
            orders.push(Order {
                id,
                owner,
                versions: u32::try_from(version)?,
            });
        }
        Ok(orders)
    }

    async fn ask(&self, token: &str, query: &str) -> anyhow::Result<Value> {
        post(&self.client, &self.url, token, &json!({ "query": query })).await
    }
}

async fn post(client: &Client, url: &str, token: &str, body: &Value) -> anyhow::Result<Value> {
    let mut request = client.post(url).header(CONTENT_TYPE, "application/json");
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    let response = request.body(body.to_string()).send().await?;
    ensure!(
        response.status().is_success(),
        "{} from {url}",
        response.status()
    );
    Ok(serde_json::from_str(&response.text().await?)?)
}
