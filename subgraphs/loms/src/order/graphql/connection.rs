//! Lists of orders as Relay connections by keyset.

use async_graphql::{ComplexObject, Context, Result, SimpleObject};
use chassis::{
    fault,
    graphql::{PageInfo, page},
};

use super::OrderObject;
use crate::order::{Order, OrderFilter, Orders, Page};

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
    /// A page as it was read; `has_previous`: it came after a cursor.
    pub(crate) fn new(filter: OrderFilter, page: Page, has_previous: bool) -> Self {
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
    pub(crate) fn hidden(filter: OrderFilter) -> Self {
        let empty = Page {
            orders: Vec::new(),
            has_next: false,
        };
        Self {
            filter: None,
            ..Self::new(filter, empty, false)
        }
    }
}
