//! An order as an object of the graph, and the two entities around it.

use ::schema::{event::OrderStatus, id::UserId};
use async_graphql::{ComplexObject, Context, Enum, ID, Object, Result, SimpleObject};
use chassis::{
    fault,
    graphql::{Money, principal},
};
use chrono::{DateTime, Utc};

use super::{OrderConnection, list};
use crate::{
    order::{
        Order, OrderFilter, OrderLine,
        loader::{HistoryOf, LinesOf, OrderLoader},
    },
    stock::graphql::Product,
};

/// Where an order is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "OrderStatus")]
pub(crate) enum OrderStatusValue {
    /// Just made; nothing is reserved yet.
    New,
    /// Reserved and waiting for payment.
    AwaitingPayment,
    /// A line was short of stock; nothing is reserved.
    Failed,
    /// Paid; the units have left the stock.
    Paid,
    /// Called off, or not paid in time; the units are free again.
    Cancelled,
}

impl From<OrderStatus> for OrderStatusValue {
    fn from(status: OrderStatus) -> Self {
        match status {
            OrderStatus::New => Self::New,
            OrderStatus::AwaitingPayment => Self::AwaitingPayment,
            OrderStatus::Failed => Self::Failed,
            OrderStatus::Paid => Self::Paid,
            OrderStatus::Cancelled => Self::Cancelled,
        }
    }
}

impl From<OrderStatusValue> for OrderStatus {
    fn from(status: OrderStatusValue) -> Self {
        match status {
            OrderStatusValue::New => Self::New,
            OrderStatusValue::AwaitingPayment => Self::AwaitingPayment,
            OrderStatusValue::Failed => Self::Failed,
            OrderStatusValue::Paid => Self::Paid,
            OrderStatusValue::Cancelled => Self::Cancelled,
        }
    }
}

/// A customer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct User(pub(crate) UserId);

/// A customer.
#[Object]
impl User {
    /// The user's id.
    async fn id(&self) -> ID {
        ID(self.0.to_string())
    }

    /// The user's orders, newest first. Another user's list looks empty, except to scope `ops`.
    async fn orders(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default = 20)] first: Option<i32>,
        #[graphql(desc = "The cursor to go on behind.")] after: Option<String>,
    ) -> Result<OrderConnection> {
        let filter = OrderFilter {
            user: Some(self.0),
            status: None,
        };
        if principal(ctx)?.may_read(self.0) {
            list(ctx, filter, first, after).await
        } else {
            Ok(OrderConnection::hidden(filter))
        }
    }
}

/// An order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OrderObject(pub(crate) Order);

/// An order.
#[Object(name = "Order")]
impl OrderObject {
    /// The order's id.
    async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// Who ordered.
    async fn user(&self) -> User {
        User(self.0.user_id)
    }

    /// Where it is in its life.
    async fn status(&self) -> OrderStatusValue {
        self.0.status.into()
    }

    /// 1, 2, 3 and so on: one per status change.
    async fn version(&self) -> i32 {
        i32::try_from(self.0.version).unwrap_or(i32::MAX)
    }

    /// What was ordered, ascending by SKU; a SKU that was ordered twice stays two lines.
    async fn lines(&self, ctx: &Context<'_>) -> Result<Vec<OrderLineObject>> {
        Ok(self
            .load_lines(ctx)
            .await?
            .into_iter()
            .map(OrderLineObject::from)
            .collect())
    }

    /// What it costs; null for an order that came in without prices.
    async fn total(&self, ctx: &Context<'_>) -> Result<Option<Money>> {
        Ok(total(&self.load_lines(ctx).await?).map(Money::units))
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it is cancelled if unpaid; null once it no longer awaits payment, and where orders wait for ever.
    async fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.0
            .expires_at
            .filter(|_| self.0.status == OrderStatus::AwaitingPayment)
    }

    /// Every status it had, oldest first.
    async fn history(&self, ctx: &Context<'_>) -> Result<Vec<OrderStatusChange>> {
        let changes = ctx
            .data::<OrderLoader>()?
            .load_one(HistoryOf(self.0.id))
            .await;
        let changes = changes.map_err(fault::graphql)?.unwrap_or_default();
        // A replayed response shows the order as it was, so its history ends there too.
        let seen = changes
            .iter()
            .filter(|change| change.version <= self.0.version);
        Ok(seen
            .map(|change| OrderStatusChange {
                status: change.status.into(),
                at: change.at,
                version: i32::try_from(change.version).unwrap_or(i32::MAX),
            })
            .collect())
    }
}

impl OrderObject {
    async fn load_lines(&self, ctx: &Context<'_>) -> Result<Vec<OrderLine>> {
        let lines = ctx
            .data::<OrderLoader>()?
            .load_one(LinesOf(self.0.id))
            .await;
        Ok(lines
            .map_err(fault::graphql)?
            .map(|lines| lines.to_vec())
            .unwrap_or_default())
    }
}

/// Null as soon as one line has no price. An order is refused when its price does not fit, so a stored one fits.
fn total(lines: &[OrderLine]) -> Option<i64> {
    lines.iter().try_fold(0_i64, |sum, line| {
        sum.checked_add(line.unit_price?.checked_mul(i64::from(line.count))?)
    })
}

/// One product in an order.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name = "OrderLine", complex)]
pub(crate) struct OrderLineObject {
    /// The product.
    product: Product,
    /// Units, at least 1; 2147483647 stands for that and anything above.
    count: i32,
    #[graphql(skip)]
    price: Option<i64>,
}

/// One product in an order.
#[ComplexObject]
impl OrderLineObject {
    /// What one unit cost; null for an order that came in without prices.
    async fn unit_price(&self) -> Option<Money> {
        self.price.map(Money::units)
    }
}

impl From<OrderLine> for OrderLineObject {
    fn from(line: OrderLine) -> Self {
        // A gRPC client may order more than GraphQL's Int holds; such an order has failed and is only read.
        let count = i32::try_from(line.count).unwrap_or(i32::MAX);
        Self {
            product: Product(line.sku),
            count,
            price: line.unit_price,
        }
    }
}

/// One status that an order had.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct OrderStatusChange {
    /// The status.
    status: OrderStatusValue,
    /// Since when.
    at: DateTime<Utc>,
    /// The order's version since then.
    version: i32,
}
