//! Orders, their payment, and stock.

use std::sync::atomic::Ordering::SeqCst;

use async_graphql::{Context, EmptySubscription, ID, InputObject, Object, Schema, SimpleObject};
use chassis::graphql::{IdempotencyKeyHeader, LocalSubgraph};
use schema::id::UserId;

use super::{
    START, fault,
    orders::{Inner, Moment, Orders, Row},
};

/// Its schema.
pub(super) fn subgraph(orders: &Orders) -> LocalSubgraph {
    let (query, mutation) = (LomsQuery(orders.clone()), LomsMutation(orders.clone()));
    let schema = Schema::build(query, mutation, EmptySubscription);
    LocalSubgraph::new("loms", schema.enable_federation().finish())
}

struct LomsQuery(Orders);
struct LomsMutation(Orders);

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
    #[graphql(skip)]
    orders: Orders,
}

#[async_graphql::ComplexObject]
impl FakeProductRef {
    async fn stock(&self) -> FakeStock {
        FakeStock::of(&self.orders, &self.sku)
    }
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
    version: u32,
}

impl FakeStock {
    /// Of a SKU that nobody has changed, as many units as its number.
    fn of(orders: &Orders, sku: &ID) -> Self {
        let sku: i64 = sku.parse().unwrap_or(0);
        let row = orders.0.stock.lock().get(&sku).copied();
        let fallback = i32::try_from(sku).unwrap_or(0);
        let (version, available) = row.unwrap_or((0, fallback));
        Self { available, version }
    }
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
    fn of(orders: &Orders, id: i64, row: Row) -> Self {
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
                orders: orders.clone(),
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
    principal
        .may_read(owner)
        .then(|| FakeOrder::of(orders, id, row))
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
        FakeStock::of(&self.0, &sku)
    }

    #[graphql(entity)]
    async fn find_product(&self, sku: ID) -> Option<FakeProductRef> {
        let orders = self.0.clone();
        Some(FakeProductRef { sku, orders })
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
