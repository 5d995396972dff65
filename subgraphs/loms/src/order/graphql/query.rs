//! Reading orders through the graph.

use ::schema::id::{OrderId, UserId};
use async_graphql::{Context, ID, Object, Result};
use chassis::{fault, graphql::principal, principal::Denied};

use super::{
    object::{OrderConnection, OrderObject, User},
    status::OrderStatusValue,
};
use crate::{
    access::Access,
    order::{OrderFilter, loader::OrderLoader, model::OrderKey},
};

/// What can be asked of orders.
#[derive(Debug, Default)]
pub(crate) struct OrderQuery;

#[Object]
impl OrderQuery {
    /// One of your orders, or null; another buyer's order looks exactly like a missing one. Scope `ops` sees all.
    async fn order(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order's id.")] id: ID,
    ) -> Result<Option<OrderObject>> {
        find(ctx, access(ctx)?, &id).await
    }

    /// All orders, newest first; needs scope `ops`. Null, with an error, when they cannot be read.
    async fn orders(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default = 20)] first: Option<i32>,
        #[graphql(desc = "The cursor to go on behind.")] after: Option<String>,
        #[graphql(desc = "Only orders with this status.")] status: Option<OrderStatusValue>,
    ) -> Result<Option<OrderConnection>> {
        if !principal(ctx)?.is_ops() {
            return Err(fault::graphql(Denied::Forbidden));
        }
        let filter = OrderFilter {
            user: None,
            status: status.map(OrderStatusValue::into),
        };
        let page = OrderConnection::load(ctx, filter, first, after).await?;
        Ok(Some(page))
    }

    /// An order by its key, as the caller may see it.
    #[graphql(entity)]
    async fn find_order(&self, ctx: &Context<'_>, id: ID) -> Result<Option<OrderObject>> {
        // Without a caller there is no order.
        let Ok(access) = access(ctx) else {
            return Ok(None);
        };
        find(ctx, access, &id).await
    }

    /// A user by its key, with the user's orders.
    #[graphql(entity)]
    async fn find_user(&self, id: ID) -> Option<User> {
        id.parse::<UserId>().ok().map(User)
    }
}

/// Whose orders the caller may see.
fn access(ctx: &Context<'_>) -> Result<Access> {
    Access::of(principal(ctx)?).map_err(fault::graphql)
}

/// Finds one order, together with all others that concurrent requests ask for.
async fn find(ctx: &Context<'_>, access: Access, id: &ID) -> Result<Option<OrderObject>> {
    // A text that is not an id names no order.
    let Ok(id) = id.parse::<OrderId>() else {
        return Ok(None);
    };
    let found = ctx
        .data::<OrderLoader>()?
        .load_one(OrderKey { id, access })
        .await;
    Ok(found.map_err(fault::graphql)?.map(OrderObject))
}
