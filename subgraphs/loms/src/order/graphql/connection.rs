//! Lists of orders as Relay connections by keyset.

use async_graphql::{ComplexObject, Context, Result, SimpleObject};
use chassis::{
    fault,
    graphql::{PageInfo, page},
};

use super::OrderObject;
use crate::order::{Order, Orders, Page, Slice};

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
    /// The list to count; none is visible without it.
    #[graphql(skip)]
    counted: Option<Slice>,
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
        let Some(slice) = &self.counted else {
            return Ok(0);
        };
        let count = ctx
            .data::<Orders>()?
            .count(slice)
            .await
            .map_err(fault::graphql)?;
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }
}

impl OrderConnection {
    /// A page as it was read; `behind` says whether it came after a cursor.
    pub(crate) fn new(slice: Slice, page: Page, behind: bool) -> Self {
        let cursor = |order: &Order| page::encode_cursor(&order.id.to_string());
        let page_info = PageInfo {
            has_next_page: page.has_next,
            has_previous_page: behind,
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
            counted: Some(slice),
        }
    }

    /// What a list looks like to somebody whose list it is not.
    pub(crate) fn hidden(slice: Slice) -> Self {
        let empty = Page {
            orders: Vec::new(),
            has_next: false,
        };
        Self {
            counted: None,
            ..Self::new(slice, empty, false)
        }
    }
}
