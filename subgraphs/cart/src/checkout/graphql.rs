//! Checkout in the graph.

use ::schema::id::OrderId;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use chassis::{
    fault,
    graphql::{UserError, principal, traceparent},
};
use idempotency::{
    Recorded,
    graphql::{key, mark},
};

use super::{Checkouts, Error};
use crate::loms::Terms;

/// An order, which the order service knows.
pub(crate) struct Order(OrderId);

/// An order; everything but its id is the order service's.
#[Object(unresolvable = "id")]
impl Order {
    /// The order's id.
    async fn id(&self) -> ID {
        ID(self.0.to_string())
    }
}

/// How to check out.
#[derive(InputObject)]
struct CheckoutInput {
    /// A name for this request, 1 to 255 characters: repeated it gives the same order. The header Idempotency-Key is the
    /// same.
    idempotency_key: Option<String>,
}

/// The order that was made, or why there is none.
#[derive(SimpleObject)]
struct CheckoutPayload {
    /// The order; null when the checkout was refused.
    order: Option<Order>,
    /// What you can mend; empty when the order was made. The cart is kept then.
    user_errors: Vec<UserError>,
}

#[derive(Default)]
pub(crate) struct CheckoutMutation;

#[Object]
impl CheckoutMutation {
    /// Orders what is in your cart and takes it out of the cart; what you add meanwhile stays. Each line is reserved, or
    /// none. When the response is lost, ask again: there will be one order.
    async fn checkout(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only an idempotency key, if any.")] input: Option<CheckoutInput>,
    ) -> Result<CheckoutPayload> {
        let principal = principal(ctx)?;
        let owner = principal.user().map_err(fault::graphql)?;
        // Existing clients, for whom the shim acts, and operators have no limits.
        let terms = if principal.is_ops() || principal.is_service() {
            Terms::Unlimited
        } else {
            Terms::Customer
        };
        let checkouts = ctx.data::<Checkouts>()?;
        let order = async {
            let key = key(ctx, input.and_then(|input| input.idempotency_key))?;
            let trace = traceparent(ctx);
            checkouts
                .checkout(owner, key.as_ref(), trace.as_deref(), terms)
                .await
        };
        CheckoutPayload::of(ctx, order.await)
    }
}

impl CheckoutPayload {
    fn of(ctx: &Context<'_>, ordered: Result<Recorded<OrderId>, Error>) -> Result<Self> {
        match ordered {
            Ok(ordered) => Ok(Self {
                order: Some(Order(mark(ctx, ordered))),
                user_errors: Vec::new(),
            }),
            Err(error) => match UserError::try_of(&error) {
                Some(refusal) => Ok(Self {
                    order: None,
                    user_errors: vec![refusal],
                }),
                None => Err(fault::graphql(error)),
            },
        }
    }
}
