//! Orders in the graph: decode, call, encode. Types are in [`object`], lists in [`connection`], changes in [`mutation`].

mod connection;
pub(crate) mod mutation;
mod object;

use ::schema::id::{OrderId, UserId};
use async_graphql::{Context, ID, Object, Result};
use chassis::{
    fault,
    graphql::{page, principal},
    mutant::{self, Mutant},
    principal::Denied,
};

pub(crate) use self::{
    connection::OrderConnection,
    mutation::OrderMutation,
    object::{OrderObject, OrderStatusValue, User},
};
pub(crate) use super::find::Key as OrderKey;
use super::{Orders, Slice};
use crate::{access::Access, loader::Batches};

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
        let access = access(ctx)?;
        find(ctx, access, &id).await
    }

    /// All orders, newest first; needs scope `ops`.
    async fn orders(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default = 20)] first: Option<i32>,
        #[graphql(desc = "The cursor to go on behind.")] after: Option<String>,
        #[graphql(desc = "Only orders with this status.")] status: Option<OrderStatusValue>,
    ) -> Result<OrderConnection> {
        if !principal(ctx)?.is_ops() {
            return Err(fault::graphql(Denied::Forbidden));
        }
        let slice = Slice {
            user: None,
            status: status.map(OrderStatusValue::into),
        };
        list(ctx, slice, first, after).await
    }

    /// An order by its key, as the caller may see it.
    #[graphql(entity)]
    async fn find_order(&self, ctx: &Context<'_>, id: ID) -> Result<Option<OrderObject>> {
        // Nothing can go wrong for one entity alone: without a caller there is none, and a database that fails fails
        // for all of them.
        let Ok(access) = access(ctx) else {
            return Ok(None);
        };
        let access = match mutant::is_on(Mutant::NoOwnerInEntities) {
            false => access,
            true => Access::Everybody,
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

/// Reads one order together with all others that this moment's requests ask for.
async fn find(ctx: &Context<'_>, access: Access, id: &ID) -> Result<Option<OrderObject>> {
    // What is no id names nothing: it is absent like any other.
    let Ok(id) = id.parse::<OrderId>() else {
        return Ok(None);
    };
    let found = ctx
        .data::<Batches>()?
        .load_one(OrderKey { id, access })
        .await;
    Ok(found.map_err(fault::graphql)?.map(OrderObject))
}

/// A page of a list.
async fn list(
    ctx: &Context<'_>,
    slice: Slice,
    first: Option<i32>,
    after: Option<String>,
) -> Result<OrderConnection> {
    let first = page::first_or_default(first).map_err(fault::graphql)?;
    let after = after
        .as_deref()
        .map(page::decode_cursor::<OrderId>)
        .transpose();
    let after = after.map_err(fault::graphql)?;
    let page = ctx
        .data::<Orders>()?
        .list(&slice, after, first)
        .await
        .map_err(fault::graphql)?;
    Ok(OrderConnection::new(slice, page, after.is_some()))
}
