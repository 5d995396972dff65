//! Changing orders through the graph. What the caller can mend is in `userErrors`.

use ::schema::id::{OrderId, Quantity, Sku};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use catalogue::Products;
use chassis::{
    fault,
    graphql::{UserError, principal},
};
use idempotency::{Recorded, graphql::mark};
use loms_domain::lines::{Line, Lines, LinesError, MAX_LINES};

use super::object::OrderObject;
use crate::{
    graphql::{MutationError, caller},
    order::{Orders, Outcome},
};

type Change = Result<Recorded<Outcome>, MutationError>;

/// One line of a new order.
#[derive(Debug, InputObject)]
pub(crate) struct OrderLineInput {
    /// The product.
    sku: ID,
    /// Units, at least 1.
    count: i32,
}

/// What to order.
#[derive(Debug, InputObject)]
pub(crate) struct CreateOrderInput {
    /// 1 to 1,000 lines; a SKU may come twice.
    lines: Vec<OrderLineInput>,
    /// 1 to 255 characters; a repeat with the same key and input gets the first response. Wins over the header Idempotency-Key.
    idempotency_key: Option<String>,
}

/// Which order to pay.
#[derive(Debug, InputObject)]
pub(crate) struct PayOrderInput {
    /// The order.
    order_id: ID,
    /// 1 to 255 characters; a repeat with the same key and input gets the first response. Wins over the header Idempotency-Key.
    idempotency_key: Option<String>,
}

/// Which order to cancel.
#[derive(Debug, InputObject)]
pub(crate) struct CancelOrderInput {
    /// The order.
    order_id: ID,
    /// 1 to 255 characters; a repeat with the same key and input gets the first response. Wins over the header Idempotency-Key.
    idempotency_key: Option<String>,
}

/// The order after the change.
#[derive(Debug, SimpleObject)]
pub(crate) struct OrderPayload {
    /// The order as it stands; null when there is none of yours. A refused change still shows the order that refused it,
    /// and an order that was short of stock is there as failed.
    order: Option<OrderObject>,
    /// What the caller can mend; empty on success.
    user_errors: Vec<UserError>,
}

/// The changes of orders.
#[derive(Debug, Default)]
pub(crate) struct OrderMutation;

#[Object]
impl OrderMutation {
    /// Orders and reserves the lines, all or none, at the catalogue's prices. An operator's order has no price.
    async fn create_order(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to order.")] input: CreateOrderInput,
    ) -> Result<OrderPayload> {
        OrderPayload::of(ctx, create(ctx, input).await)
    }

    /// Pays an order that awaits payment; a repeat changes nothing.
    async fn pay_order(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which order.")] input: PayOrderInput,
    ) -> Result<OrderPayload> {
        OrderPayload::of(ctx, pay(ctx, input).await)
    }

    /// Cancels an order that awaits payment; a repeat changes nothing.
    async fn cancel_order(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which order.")] input: CancelOrderInput,
    ) -> Result<OrderPayload> {
        OrderPayload::of(ctx, cancel(ctx, input).await)
    }
}

async fn create(ctx: &Context<'_>, input: CreateOrderInput) -> Change {
    let principal = principal(ctx)?;
    let user = principal.user().map_err(MutationError::of)?;
    let caller = caller(ctx, input.idempotency_key)?;
    let lines = lines(&input.lines)?;
    let orders = ctx.data::<Orders>()?;
    // Existing clients, for whom the shim acts, may order what the catalogue does not have; so may operators.
    let created = if principal.is_ops() || principal.is_service() {
        orders.create(&caller, user, &lines).await
    } else {
        let products = ctx.data::<Products>()?;
        orders.create_priced(&caller, user, &lines, products).await
    };
    created.map_err(MutationError::of)
}

async fn pay(ctx: &Context<'_>, input: PayOrderInput) -> Change {
    let caller = caller(ctx, input.idempotency_key)?;
    let id = order_id(&input.order_id)?;
    let paid = ctx.data::<Orders>()?.pay(&caller, id).await;
    paid.map_err(MutationError::of)
}

async fn cancel(ctx: &Context<'_>, input: CancelOrderInput) -> Change {
    let caller = caller(ctx, input.idempotency_key)?;
    let id = order_id(&input.order_id)?;
    let cancelled = ctx.data::<Orders>()?.cancel(&caller, id).await;
    cancelled.map_err(MutationError::of)
}

fn order_id(id: &ID) -> Result<OrderId, MutationError> {
    id.parse().map_err(|_| {
        let message = "order id must be a whole number greater than 0";
        MutationError::invalid(["orderId"], &message)
    })
}

fn lines(input: &[OrderLineInput]) -> Result<Lines, MutationError> {
    if input.len() > MAX_LINES {
        return Err(MutationError::invalid(["lines"], &LinesError::TooMany));
    }
    let lines = input.iter().enumerate().map(line);
    Lines::new(lines.collect::<Result<_, _>>()?)
        .map_err(|error| MutationError::invalid(["lines"], &error))
}

fn line((index, input): (usize, &OrderLineInput)) -> Result<Line, MutationError> {
    let field = |name: &str| ["lines".to_owned(), index.to_string(), name.to_owned()];
    let sku: Sku = input
        .sku
        .parse()
        .map_err(|error| MutationError::invalid(field("sku"), &error))?;
    let quantity = Quantity::try_from(i64::from(input.count))
        .map_err(|error| MutationError::invalid(field("count"), &error))?;
    // Nobody names a price in the graph: they come from the catalogue.
    Ok(Line {
        sku,
        quantity,
        unit_price: None,
    })
}

impl OrderPayload {
    fn of(ctx: &Context<'_>, change: Change) -> Result<Self> {
        match change {
            Ok(recorded) => {
                let outcome = mark(ctx, recorded);
                let mut user_errors = Vec::new();
                if let Some(refusal) = outcome.refusal {
                    // A limit is nothing of the payload's.
                    let shown = UserError::try_of(&refusal);
                    user_errors.push(shown.ok_or_else(|| fault::graphql(refusal))?);
                }
                Ok(Self {
                    order: outcome.order.map(OrderObject),
                    user_errors,
                })
            }
            Err(MutationError::Refused(error)) => Ok(Self {
                order: None,
                user_errors: vec![error],
            }),
            Err(MutationError::Failed(error)) => Err(error),
        }
    }
}
