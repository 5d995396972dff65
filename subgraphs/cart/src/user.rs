//! Users in the graph. The cart service knows of a user only the id, and whose token it is.

use ::schema::id::UserId;
use async_graphql::{Context, ID, Object, Result};
use chassis::{fault, graphql::principal};

use crate::cart::{Carts, graphql::CartObject};

/// A buyer.
pub(crate) struct User(UserId);

/// A buyer.
#[Object]
impl User {
    /// The user's id.
    async fn id(&self) -> ID {
        ID(self.0.to_string())
    }

    /// What the user is about to order; without lines when nothing was added. Null, with an error,
    /// when it cannot be read.
    async fn cart(&self, ctx: &Context<'_>) -> Result<Option<CartObject>> {
        let cart = ctx
            .data::<Carts>()?
            .find(self.0)
            .await
            .map_err(fault::graphql)?;
        Ok(Some(CartObject(cart)))
    }
}

#[derive(Default)]
pub(crate) struct UserQuery;

#[Object]
impl UserQuery {
    /// You: the caller, from the token.
    async fn me(&self, ctx: &Context<'_>) -> Result<User> {
        Ok(User(principal(ctx)?.user().map_err(fault::graphql)?))
    }

    /// A user: yourself, or anybody for an operator. Null for everybody else.
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user's id.")] id: ID,
    ) -> Result<Option<User>> {
        let me = principal(ctx)?;
        Ok(id.parse().ok().filter(|id| me.may_read(*id)).map(User))
    }

    /// Another's user looks like an absent one, as everywhere; no error, which would take its neighbours down.
    #[graphql(entity)]
    async fn find_user_by_id(&self, ctx: &Context<'_>, id: ID) -> Option<User> {
        let me = principal(ctx).ok()?;
        id.parse().ok().filter(|id| me.may_read(*id)).map(User)
    }
}
