//! What can be bought, and how it is restocked: an operator's token sets a new stock where one has run out.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Client, Error, Operation, Reply};
use crate::ledger::lock;

/// Units that a restock adds.
const RESTOCK: i64 = 10_000;
/// The most units that a stock may hold; GraphQL's `Int` ends a little above.
const STOCK_MAX: i64 = 2_000_000_000;

const CATALOGUE: &str = "query($after: String) { products(first: 100, after: $after) {
    nodes { sku stock { available } } pageInfo { hasNextPage endCursor } } }";
const STOCK: &str = "query($sku: ID!) { stock(sku: $sku) { total } }";
const SET_STOCK: &str = "mutation($sku: ID!, $total: Int!, $expected: Int!, $key: String!) {
    setStock(input: {sku: $sku, total: $total, expectedTotal: $expected, idempotencyKey: $key}) {
        userErrors { code } } }";

/// The products on sale, some of them hot.
#[derive(Debug)]
pub(crate) struct Goods {
    hot: Vec<String>,
    cold: Vec<String>,
    operator: String,
    being_restocked: Mutex<HashSet<String>>,
    restocks: AtomicU64,
}

impl Goods {
    /// Reads the catalogue; the seed decides which products are hot.
    pub(crate) async fn read(
        client: &Client,
        operator: String,
        seed: u64,
        hot: usize,
    ) -> Result<Self, Error> {
        let mut skus = on_sale(client, &operator).await?;
        if skus.is_empty() {
            return Err(Error::NoProducts);
        }
        skus.shuffle(&mut StdRng::seed_from_u64(seed));
        let cold = skus.split_off(hot.clamp(1, skus.len()));
        Ok(Self {
            hot: skus,
            cold,
            operator,
            being_restocked: Mutex::default(),
            restocks: AtomicU64::new(0),
        })
    }

    /// Draws a product: in half of all cases a hot one.
    pub(crate) fn draw(&self, random: &mut StdRng) -> &str {
        let shelf = if self.cold.is_empty() || random.random_bool(0.5) {
            &self.hot
        } else {
            &self.cold
        };
        &shelf[random.random_range(0..shelf.len())]
    }

    /// How often a stock was filled.
    pub(crate) fn restocks(&self) -> u64 {
        self.restocks.load(Ordering::Relaxed)
    }

    /// Fills the stock of one product; a second caller at the same time leaves it to the first.
    pub(crate) async fn restock(&self, client: &Client, sku: &str) {
        if !lock(&self.being_restocked).insert(sku.to_owned()) {
            return;
        }
        if let Some(total) = self.total(client, sku).await {
            let more = (total + RESTOCK).min(STOCK_MAX);
            let key = Uuid::new_v4().to_string();
            let operation = Operation {
                text: SET_STOCK,
                field: "setStock",
                variables: json!({ "sku": sku, "total": more, "expected": total, "key": key }),
            };
            let response = client.run(&self.operator, &operation).await;
            // A stock that somebody else has just changed is looked at when it runs out again.
            if matches!(response.reply, Reply::Done(_)) {
                self.restocks.fetch_add(1, Ordering::Relaxed);
            }
        }
        lock(&self.being_restocked).remove(sku);
    }

    /// Fills every stock: when a cart of several products found too little of one of them.
    pub(crate) async fn restock_all(&self, client: &Client, skus: &[String]) {
        for sku in skus {
            self.restock(client, sku).await;
        }
    }

    async fn total(&self, client: &Client, sku: &str) -> Option<i64> {
        let operation = Operation {
            text: STOCK,
            field: "stock",
            variables: json!({ "sku": sku }),
        };
        match client.run(&self.operator, &operation).await.reply {
            Reply::Done(stock) => stock["total"].as_i64(),
            Reply::Refused(_) | Reply::Failed(_) => None,
        }
    }
}

/// Every product that has a stock, be it empty.
async fn on_sale(client: &Client, token: &str) -> Result<Vec<String>, Error> {
    let (mut skus, mut after) = (Vec::new(), Value::Null);
    loop {
        let operation = Operation {
            text: CATALOGUE,
            field: "products",
            variables: json!({ "after": after }),
        };
        let page = match client.run(token, &operation).await.reply {
            Reply::Done(page) => page,
            Reply::Refused(said) | Reply::Failed(said) => {
                let url = client.graph().clone();
                return Err(Error::Unreachable { url, said });
            }
        };
        let nodes = page["nodes"].as_array().into_iter().flatten();
        let stocked = nodes.filter(|node| node["stock"].is_object());
        skus.extend(stocked.filter_map(|node| Some(node["sku"].as_str()?.to_owned())));
        if page["pageInfo"]["hasNextPage"] != true {
            return Ok(skus);
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}
