//! The subgraphs behind the router: small schemas over orders in memory, which a test can make wait and fail.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_graphql::{
    Context, EmptyMutation, EmptySubscription, ErrorExtensions as _, ID, InputObject, Object,
    Schema, SimpleObject,
};
use bytes::Bytes;
use chassis::graphql::{IdempotencyKeyHeader, LocalSubgraph};
use federation::{
    RequestContext, Subgraph,
    subgraph::{FetchError, FetchRequest},
};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use router::{Transport, engine::local};
use schema::{event::OrderStatus, id::UserId};
use tokio::sync::Semaphore;

pub(crate) const START: &str = "2026-01-02T03:04:05Z";

/// The orders that the fake loms knows.
#[derive(Clone, Default)]
pub(crate) struct Orders(Arc<Inner>);

#[derive(Default)]
struct Inner {
    rows: Mutex<BTreeMap<i64, Row>>,
    /// Where operations on one order wait, when set.
    gate: Mutex<Option<(Moment, Arc<Semaphore>)>>,
    /// Operations that have come to the gate.
    waiting: AtomicUsize,
    paid: AtomicUsize,
    /// The header `Idempotency-Key` of each payment, as it came.
    keys: Mutex<Vec<String>>,
    padding: AtomicUsize,
    /// Entities that were asked for, and how many of the next of them cannot be read.
    entities: AtomicUsize,
    failing: AtomicUsize,
    /// How many of the next names of products cannot be read, and with which code.
    nameless: Mutex<(usize, &'static str)>,
    /// Calls for entities: at which subgraph, and for how many.
    calls: Mutex<Vec<(&'static str, usize)>>,
    running: AtomicUsize,
    most: AtomicUsize,
    /// How long such a call takes, and whether it comes to nothing.
    slow: Mutex<Duration>,
    is_away: AtomicBool,
}

/// When an operation meets the gate.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Moment {
    BeforeTheRow,
    AfterTheRow,
}

#[derive(Clone, Copy)]
struct Row {
    owner: i64,
    version: u32,
    status: OrderStatus,
}

impl Orders {
    /// The next version of an order.
    pub(crate) fn set(&self, id: i64, owner: i64, status: OrderStatus) -> u32 {
        let mut rows = self.0.rows.lock();
        let version = rows.get(&id).map_or(1, |row| row.version + 1);
        rows.insert(
            id,
            Row {
                owner,
                version,
                status,
            },
        );
        version
    }

    /// Makes operations on one order wait until the gate is opened.
    pub(crate) fn gate(&self, moment: Moment) {
        *self.0.gate.lock() = Some((moment, Arc::new(Semaphore::new(0))));
    }

    pub(crate) fn open_gate(&self) {
        if let Some((_, gate)) = self.0.gate.lock().take() {
            gate.close();
        }
    }

    /// Returns when so many operations wait at the gate.
    pub(crate) async fn wait_at_the_gate(&self, count: usize) {
        let waiting = &self.0.waiting;
        testkit::eventually(
            "operations at the gate",
            Duration::from_secs(10),
            async || (waiting.load(SeqCst) == count).then_some(()),
        )
        .await;
    }

    /// The idempotency keys of the payments since the last call.
    pub(crate) fn take_keys(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.keys.lock())
    }

    pub(crate) fn paid(&self) -> usize {
        self.0.paid.load(SeqCst)
    }

    /// Lets the next so many orders that are asked for as entities fail.
    pub(crate) fn fail_entities(&self, count: usize) {
        self.0.failing.store(count, SeqCst);
    }

    /// Lets the next so many names of products fail with this code.
    pub(crate) fn fail_names(&self, count: usize, code: &'static str) {
        *self.0.nameless.lock() = (count, code);
    }

    /// Calls for entities since the last time, each with its subgraph and how many it asks for.
    pub(crate) fn take_calls(&self) -> Vec<(&'static str, usize)> {
        std::mem::take(&mut *self.0.calls.lock())
    }

    /// The most calls for entities that ran at once.
    pub(crate) fn most_calls(&self) -> usize {
        self.0.most.load(SeqCst)
    }

    /// Makes each call for entities take this long.
    pub(crate) fn slow_entities(&self, takes: Duration) {
        *self.0.slow.lock() = takes;
    }

    /// Whether calls for entities come to nothing.
    pub(crate) fn set_away(&self, is_away: bool) {
        self.0.is_away.store(is_away, SeqCst);
    }

    /// How many orders were asked for as entities.
    pub(crate) fn entities_read(&self) -> usize {
        self.0.entities.load(SeqCst)
    }

    /// Gives product names this many bytes.
    pub(crate) fn pad_names(&self, bytes: usize) {
        self.0.padding.store(bytes, SeqCst);
    }

    async fn pass(&self, here: Moment) {
        let gate = self.0.gate.lock().clone();
        if let Some((moment, gate)) = gate
            && moment == here
        {
            self.0.waiting.fetch_add(1, SeqCst);
            let _leaves = Leaves(&self.0.waiting);
            // The gate opens by being closed as a semaphore: nobody ever gets a permit.
            drop(gate.acquire().await);
        }
    }
}

/// An operation leaves the gate, by passing it or by being dropped.
struct Leaves<'a>(&'a AtomicUsize);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

pub(super) fn subgraphs(orders: &Orders) -> BTreeMap<String, Transport> {
    let loms = Schema::build(
        LomsQuery(orders.clone()),
        LomsMutation(orders.clone()),
        EmptySubscription,
    )
    .enable_federation()
    .finish();
    let cart = Schema::build(CartQuery(orders.clone()), EmptyMutation, EmptySubscription)
        .enable_federation()
        .finish();
    let comments = Schema::build(CommentsQuery, EmptyMutation, EmptySubscription)
        .enable_federation()
        .finish();
    let counted = |name: &'static str, schema: LocalSubgraph| {
        let Transport::Custom(inner) = local::transport(schema) else {
            unreachable!("a schema of this process is called by itself");
        };
        let orders = orders.clone();
        let counted = Counted {
            name,
            inner,
            orders,
        };
        (name.to_owned(), Transport::Custom(Arc::new(counted)))
    };
    [
        counted("loms", LocalSubgraph::new("loms", loms)),
        counted("cart", LocalSubgraph::new("cart", cart)),
        counted("comments", LocalSubgraph::new("comments", comments)),
    ]
    .into()
}

/// A subgraph whose calls for entities are counted.
struct Counted {
    name: &'static str,
    inner: Arc<dyn Subgraph>,
    orders: Orders,
}

impl Subgraph for Counted {
    fn fetch<'a>(
        &'a self,
        request: FetchRequest,
        ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        if !request.text.contains("_entities") {
            return self.inner.fetch(request, ctx);
        }
        Box::pin(async move {
            let counts = &*self.orders.0;
            let variables: serde_json::Value =
                serde_json::from_slice(&request.variables).expect("variables");
            let asked = variables["representations"].as_array().map_or(0, Vec::len);
            counts.calls.lock().push((self.name, asked));
            let running = counts.running.fetch_add(1, SeqCst) + 1;
            counts.most.fetch_max(running, SeqCst);
            let takes = *counts.slow.lock();
            if !takes.is_zero() {
                tokio::time::sleep(takes).await;
            }
            let response = self.inner.fetch(request, ctx).await;
            counts.running.fetch_sub(1, SeqCst);
            if counts.is_away.load(SeqCst) {
                return Err(FetchError::Status(503));
            }
            response
        })
    }
}

struct LomsQuery(Orders);
struct LomsMutation(Orders);
struct CartQuery(Orders);
struct CommentsQuery;

#[derive(SimpleObject)]
#[graphql(name = "Order")]
struct FakeOrder {
    id: ID,
    version: u32,
    status: String,
    created_at: String,
    history: Vec<FakeChange>,
    lines: Vec<FakeLine>,
}

#[derive(SimpleObject)]
#[graphql(name = "OrderStatusChange")]
struct FakeChange {
    version: u32,
    status: String,
    at: String,
}

#[derive(SimpleObject)]
#[graphql(name = "OrderLine")]
struct FakeLine {
    product: FakeProductRef,
    count: u32,
}

#[derive(SimpleObject)]
#[graphql(name = "Product", complex)]
struct FakeProductRef {
    sku: ID,
}

#[async_graphql::ComplexObject]
impl FakeProductRef {
    async fn stock(&self) -> FakeStock {
        FakeStock {
            available: self.sku.parse().unwrap_or(0),
        }
    }
}

struct FakeProduct {
    sku: ID,
    orders: Orders,
}

#[derive(InputObject)]
struct PayOrderInput {
    order_id: ID,
    idempotency_key: Option<String>,
}

#[derive(SimpleObject)]
struct OrderPayload {
    order: Option<FakeOrder>,
    user_errors: Vec<FakeUserError>,
}

#[derive(SimpleObject)]
#[graphql(name = "UserError")]
struct FakeUserError {
    code: String,
    message: String,
}

#[derive(SimpleObject)]
#[graphql(name = "Stock", complex)]
struct FakeStock {
    available: i32,
}

#[async_graphql::ComplexObject]
impl FakeStock {
    async fn total(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<i32>> {
        if chassis::graphql::principal(ctx)?.is_ops() {
            return Ok(Some(self.available));
        }
        Err(fault("FORBIDDEN"))
    }
}

impl FakeOrder {
    fn of(id: i64, row: Row) -> Self {
        let status = row.status.graphql_name().to_owned();
        let at = START.to_owned();
        let change = FakeChange {
            version: row.version,
            status: status.clone(),
            at: at.clone(),
        };
        let line = FakeLine {
            product: FakeProductRef {
                sku: ID::from(10 * id),
            },
            count: 2,
        };
        Self {
            id: ID::from(id),
            version: row.version,
            status,
            created_at: at,
            history: vec![change],
            lines: vec![line],
        }
    }
}

fn find(orders: &Orders, ctx: &Context<'_>, id: &ID) -> Option<FakeOrder> {
    let id = id.parse().ok()?;
    let row = orders.0.rows.lock().get(&id).copied()?;
    let principal = chassis::graphql::principal(ctx).ok()?;
    let owner = UserId::try_from(row.owner).ok()?;
    principal.may_read(owner).then(|| FakeOrder::of(id, row))
}

#[Object(name = "Query")]
impl LomsQuery {
    async fn order(&self, ctx: &Context<'_>, id: ID) -> Option<FakeOrder> {
        self.0.pass(Moment::BeforeTheRow).await;
        let found = find(&self.0, ctx, &id);
        self.0.pass(Moment::AfterTheRow).await;
        found
    }

    async fn stock(&self, sku: ID) -> FakeStock {
        self.0.pass(Moment::BeforeTheRow).await;
        FakeStock {
            available: sku.parse().unwrap_or(0),
        }
    }

    #[graphql(entity)]
    async fn find_product(&self, sku: ID) -> Option<FakeProductRef> {
        Some(FakeProductRef { sku })
    }

    #[graphql(entity)]
    async fn find_order(&self, ctx: &Context<'_>, id: ID) -> Option<FakeOrder> {
        let Inner {
            entities, failing, ..
        } = &*self.0.0;
        entities.fetch_add(1, SeqCst);
        let fails = failing.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
        if fails.is_ok() {
            ctx.add_error(fault("UNAVAILABLE").into_server_error(ctx.item.pos));
            return None;
        }
        find(&self.0, ctx, &id)
    }
}

#[Object(name = "Mutation")]
impl LomsMutation {
    async fn pay_order(&self, ctx: &Context<'_>, input: PayOrderInput) -> OrderPayload {
        self.0.pass(Moment::BeforeTheRow).await;
        self.0.0.paid.fetch_add(1, SeqCst);
        if let Some(IdempotencyKeyHeader(key)) = ctx.data_opt() {
            let key = String::from_utf8_lossy(key).into_owned();
            self.0.0.keys.lock().push(key);
        }
        OrderPayload {
            order: find(&self.0, ctx, &input.order_id),
            user_errors: Vec::new(),
        }
    }
}

#[Object(name = "Query")]
impl CartQuery {
    async fn product(&self, sku: ID) -> Option<FakeProduct> {
        self.find_product_by(sku)
    }

    #[graphql(entity)]
    async fn find_product(&self, sku: ID) -> Option<FakeProduct> {
        self.find_product_by(sku)
    }
}

impl CartQuery {
    #[expect(clippy::unnecessary_wraps, reason = "the shape of an entity resolver")]
    fn find_product_by(&self, sku: ID) -> Option<FakeProduct> {
        let orders = self.0.clone();
        Some(FakeProduct { sku, orders })
    }
}

#[Object(name = "Product")]
impl FakeProduct {
    async fn sku(&self) -> &ID {
        &self.sku
    }

    async fn name(&self) -> async_graphql::Result<Option<String>> {
        let inner = &*self.orders.0;
        let (left, code) = &mut *inner.nameless.lock();
        if let Some(fewer) = left.checked_sub(1) {
            *left = fewer;
            return Err(fault(code));
        }
        let bytes = inner.padding.load(SeqCst);
        let padding = "x".repeat(bytes);
        Ok(Some(format!("product {}{padding}", self.sku.as_str())))
    }
}

fn fault(code: &'static str) -> async_graphql::Error {
    let error = async_graphql::Error::new("away");
    error.extend_with(|_, values| values.set("code", code))
}

#[Object(name = "Query")]
impl CommentsQuery {
    async fn comment(&self, id: ID) -> Option<FakeComment> {
        Some(FakeComment { id })
    }
}

#[derive(SimpleObject)]
#[graphql(name = "Comment")]
struct FakeComment {
    id: ID,
}
