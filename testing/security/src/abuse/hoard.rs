//! One customer who reserves and never pays: so many open orders and a share of a product, by every way to an order, and
//! everybody else is served.

use anyhow::ensure;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use schema::proto::loms::{Item, OrderCreateRequest, loms_client::LomsClient};
use serde_json::{Value, json};
use tonic::{
    Code, Request,
    metadata::{Ascii, MetadataValue},
    transport::Endpoint,
};

use super::patience;
use crate::{output::print, stack::Stack};

/// As much as `loms.open_orders_max` allows unless it is set.
const OPEN_ORDERS_MAX: usize = 200;
const ASKED: usize = OPEN_ORDERS_MAX + 10;
const HOARDER: i64 = 7_003;
const NEIGHBOUR: i64 = 7_004;
/// A product with much stock, and one of which there are 300.
const MUCH: u64 = 139_275_865;
const FEW: u64 = 2_618_151;

/// Tries it.
///
/// # Errors
/// When one customer reserved more than one may, a refusal does not name its limit, or another customer was refused.
pub(super) async fn run(stack: &Stack) -> anyhow::Result<()> {
    let hoarder = Customer::new(stack, HOARDER).await?;
    let asked = stream::iter(0..ASKED).map(|_| hoarder.order(MUCH, 1));
    let answers: Vec<Value> = asked.buffer_unordered(16).try_collect().await?;
    let made = answers.iter().filter(|it| is_made(it)).count();
    print(&format!(
        "{made} of {ASKED} orders that nobody pays were made"
    ))?;
    ensure!(
        made == OPEN_ORDERS_MAX,
        "{made} open orders of one customer"
    );
    for refused in answers.iter().filter(|it| !is_made(it)) {
        check(refused, "200 orders", "loms.open_orders_max")?;
    }
    let checked_out = hoarder.check_out().await?;
    check(&checked_out, "200 orders", "loms.open_orders_max")?;
    hoarder.check_grpc().await?;

    let neighbour = Customer::new(stack, NEIGHBOUR).await?;
    let served = neighbour.order(MUCH, 1).await?;
    ensure!(is_made(&served), "another customer: {served}");
    let too_many = neighbour.order(FEW, 151).await?;
    check(&too_many, "150 units", "loms.share_percent")?;
    let served = neighbour.order(FEW, 150).await?;
    ensure!(is_made(&served), "a share: {served}");
    print("a customer's open orders and share of a product are bounded by every way")
}

fn is_made(answer: &Value) -> bool {
    let payloads = answer["data"].as_object().into_iter().flatten();
    payloads.into_iter().any(|(_, it)| it["order"].is_object())
}

/// Whether an answer refuses for the limit, and says what would pass.
fn check(answer: &Value, what_passes: &str, setting: &str) -> anyhow::Result<()> {
    let error = &answer["errors"][0];
    let message = error["message"].as_str().unwrap_or_default();
    ensure!(
        error["extensions"]["code"] == "LIMIT_EXCEEDED"
            && message.contains(what_passes)
            && message.contains(setting),
        "no refusal for {setting} that says {what_passes}: {answer}"
    );
    Ok(())
}

struct Customer<'a> {
    stack: &'a Stack,
    user: i64,
    token: String,
}

impl<'a> Customer<'a> {
    async fn new(stack: &'a Stack, user: i64) -> anyhow::Result<Self> {
        let token = stack.token(user, false).await?;
        Ok(Self { stack, user, token })
    }

    async fn order(&self, sku: u64, count: u32) -> anyhow::Result<Value> {
        let call = format!("createOrder(input: {{lines: [{{sku: \"{sku}\", count: {count}}}]}})");
        self.mutate(&call).await
    }

    async fn check_out(&self) -> anyhow::Result<Value> {
        let add = format!("addToCart(input: {{sku: \"{MUCH}\", count: 1}})");
        let query = json!({"query": format!("mutation {{ {add} {{ userErrors {{ code }} }} }}")});
        let added = self.send(&query).await?;
        let refused = added["data"]["addToCart"]["userErrors"].as_array();
        ensure!(refused.is_some_and(Vec::is_empty), "not added: {added}");
        self.mutate("checkout").await
    }

    async fn mutate(&self, call: &str) -> anyhow::Result<Value> {
        let payload = "{ order { id } userErrors { code message } }";
        self.send(&json!({"query": format!("mutation {{ {call} {payload} }}")}))
            .await
    }

    async fn send(&self, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}/graphql", self.stack.url(4000));
        let request = || self.stack.http.post(&url).bearer_auth(&self.token);
        let answer = patience::send(|| request().json(body)).await?;
        Ok(answer.json().await?)
    }

    async fn check_grpc(&self) -> anyhow::Result<()> {
        let item = Item {
            sku: i64::try_from(MUCH)?,
            count: 1,
            unit_price: None,
        };
        let order = OrderCreateRequest {
            user_id: self.user,
            items: vec![item],
        };
        let bearer: MetadataValue<Ascii> = format!("Bearer {}", self.token).parse()?;
        let channel = Endpoint::from_shared(self.stack.url(8083))?.connect_lazy();
        let create = || {
            let mut request = Request::new(order.clone());
            let metadata = request.metadata_mut();
            metadata.insert("authorization", bearer.clone());
            let mut client = LomsClient::new(channel.clone());
            async move { client.order_create(request).await }
        };
        let answer = patience::call(create).await;
        let refused = answer.err().unwrap_or_else(|| tonic::Status::ok(""));
        ensure!(
            refused.code() == Code::ResourceExhausted
                && refused.message().contains("loms.open_orders_max"),
            "over gRPC: {refused:?}"
        );
        Ok(())
    }
}
