//! Orders as objects of the graph, the users who have them, and lists of them as Relay connections by keyset.
//!
//! One file, because an order leads to its user, a user to a list, and a list to orders.

use std::sync::Arc;

use ::schema::{
    event::OrderStatus,
    id::{OrderId, UserId},
};
use async_graphql::{ComplexObject, Context, ID, Object, Result, SimpleObject};
use chassis::{
    fault,
    graphql::{Money, PageInfo, ResponseCount, page, principal},
};
use chrono::{DateTime, Utc};

use super::status::OrderStatusValue;
use crate::{
    order::{
        Order, OrderFilter, OrderLine, Orders, Page,
        loader::{HistoryOf, LinesOf, OrderLoader, PageOf, TotalOf},
    },
    stock::graphql::Product,
};

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

    /// The user's orders, newest first. Another user's list looks empty, except to scope `ops`. Null, with
    /// an error, when they cannot be read.
    async fn orders(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default = 20)] first: Option<i32>,
        #[graphql(desc = "The cursor to go on behind.")] after: Option<String>,
    ) -> Result<Option<OrderConnection>> {
        let filter = OrderFilter {
            user: Some(self.0),
            status: None,
        };
        if principal(ctx)?.may_read(self.0) {
            let page = OrderConnection::load(ctx, filter, first, after).await?;
            Ok(Some(page))
        } else {
            Ok(Some(OrderConnection::hidden(filter)))
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
        let key = LinesOf {
            order: self.0.id,
            response: ResponseCount::of(ctx),
        };
        let lines = ctx.data::<OrderLoader>()?.load_one(key).await;
        let lines = lines.map_err(fault::graphql)?.transpose();
        let lines = lines.map_err(fault::graphql)?.unwrap_or_default();
        Ok(lines.iter().copied().map(OrderLineObject::from).collect())
    }

    /// What it costs; null for an order that came in without prices.
    async fn total(&self, ctx: &Context<'_>) -> Result<Option<Money>> {
        let total = ctx
            .data::<OrderLoader>()?
            .load_one(TotalOf(self.0.id))
            .await;
        Ok(total.map_err(fault::graphql)?.flatten().map(Money::units))
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

/// A page of orders.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub(crate) struct OrderConnection {
    /// The entries with their cursors.
    edges: Vec<OrderEdge>,
    /// The entries alone.
    nodes: Vec<OrderObject>,
    /// Where this page stands.
    page_info: PageInfo,
    /// The list to count; `None` shows a count of 0.
    #[graphql(skip)]
    filter: Option<OrderFilter>,
}

/// One entry of a list of orders.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct OrderEdge {
    /// The place behind this entry: pass it as `after`.
    cursor: String,
    /// The entry.
    node: OrderObject,
}

/// A page of orders.
#[ComplexObject]
impl OrderConnection {
    /// How many there are in the whole list; counted only when asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let Some(filter) = &self.filter else {
            return Ok(0);
        };
        let count = ctx
            .data::<Orders>()?
            .count(filter)
            .await
            .map_err(fault::graphql)?;
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }
}

impl OrderConnection {
    /// Reads a page of a list; where the count alone is asked for, nothing.
    pub(super) async fn load(
        ctx: &Context<'_>,
        filter: OrderFilter,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Self> {
        let first = page::first_or_default(first).map_err(fault::graphql)?;
        let after = after
            .as_deref()
            .map(page::decode_cursor::<OrderId>)
            .transpose();
        let after = after.map_err(fault::graphql)?;
        let page = if page::is_read(ctx) {
            Self::page(ctx, filter, first, after).await?
        } else {
            Arc::default()
        };
        Ok(Self::new(filter, &page, after.is_some()))
    }

    /// A user's list is read together with those of others that concurrent requests ask for.
    async fn page(
        ctx: &Context<'_>,
        filter: OrderFilter,
        first: u32,
        after: Option<OrderId>,
    ) -> Result<Arc<Page>> {
        let response = ResponseCount::of(ctx);
        let (Some(user), None) = (filter.user, filter.status) else {
            let page = ctx.data::<Orders>()?.list(&filter, after, first).await;
            let page = page.map_err(fault::graphql)?;
            response.read(page.orders.len()).map_err(fault::graphql)?;
            return Ok(Arc::new(page));
        };
        let key = PageOf {
            user,
            after,
            first,
            response,
        };
        let page = ctx.data::<OrderLoader>()?.load_one(key).await;
        let page = page.map_err(fault::graphql)?.transpose();
        Ok(page.map_err(fault::graphql)?.unwrap_or_default())
    }

    /// A page as it was read; `has_previous`: it came after a cursor.
    fn new(filter: OrderFilter, page: &Page, has_previous: bool) -> Self {
        let cursor = |order: &Order| page::encode_cursor(&order.id.to_string());
        let page_info = PageInfo {
            has_next_page: page.has_next,
            has_previous_page: has_previous,
            start_cursor: page.orders.first().map(cursor),
            end_cursor: page.orders.last().map(cursor),
        };
        let edge = |order: &Order| OrderEdge {
            cursor: cursor(order),
            node: OrderObject(*order),
        };
        Self {
            edges: page.orders.iter().map(edge).collect(),
            nodes: page.orders.iter().copied().map(OrderObject).collect(),
            page_info,
            filter: Some(filter),
        }
    }

    /// What a list looks like to somebody whose list it is not.
    fn hidden(filter: OrderFilter) -> Self {
        Self {
            filter: None,
            ..Self::new(filter, &Page::default(), false)
        }
    }
}
