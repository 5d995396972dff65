//! Changing orders through the graph. What the caller can mend is in `userErrors`.

use ::schema::id::{OrderId, Quantity, Sku};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use chassis::{
    fault::{self, Coded},
    graphql::{UserError, UserErrorCode, idempotency_key, principal, traceparent},
};
use idempotency::{Key, Recorded, graphql::mark};
use loms_domain::lines::{Line, Lines, MAX_LINES};

use super::OrderObject;
use crate::{
    access::{Access, Caller},
    order::{Error, Orders, Outcome},
};

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
    /// 1 to 255 characters; a repeat with the same key and input gets the first answer. Wins over the header Idempotency-Key.
    idempotency_key: Option<String>,
}

/// Which order to pay.
#[derive(Debug, InputObject)]
pub(crate) struct PayOrderInput {
    /// The order.
    order_id: ID,
    /// 1 to 255 characters; a repeat with the same key and input gets the first answer. Wins over the header Idempotency-Key.
    idempotency_key: Option<String>,
}

/// Which order to cancel.
#[derive(Debug, InputObject)]
pub(crate) struct CancelOrderInput {
    /// The order.
    order_id: ID,
    /// 1 to 255 characters; a repeat with the same key and input gets the first answer. Wins over the header Idempotency-Key.
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
    /// Orders and reserves the lines, all or none.
    async fn create_order(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to order.")] input: CreateOrderInput,
    ) -> Result<OrderPayload> {
        let user = principal(ctx)?.user().map_err(fault::graphql)?;
        let caller = caller(ctx, input.idempotency_key)?;
        let lines = match lines(&input.lines) {
            Ok(lines) => lines,
            Err(invalid) => return Ok(OrderPayload::invalid(invalid)),
        };
        let made = ctx.data::<Orders>()?.create(&caller, user, &lines).await;
        OrderPayload::of(ctx, made)
    }

    /// Pays an order that awaits payment; a repeat changes nothing.
    async fn pay_order(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which order.")] input: PayOrderInput,
    ) -> Result<OrderPayload> {
        let caller = caller(ctx, input.idempotency_key)?;
        let Ok(id) = input.order_id.parse::<OrderId>() else {
            return Ok(OrderPayload::bad_id());
        };
        let paid = ctx.data::<Orders>()?.pay(&caller, id).await;
        OrderPayload::of(ctx, paid)
    }

    /// Cancels an order that awaits payment; a repeat changes nothing.
    async fn cancel_order(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which order.")] input: CancelOrderInput,
    ) -> Result<OrderPayload> {
        let caller = caller(ctx, input.idempotency_key)?;
        let Ok(id) = input.order_id.parse::<OrderId>() else {
            return Ok(OrderPayload::bad_id());
        };
        let cancelled = ctx.data::<Orders>()?.cancel(&caller, id).await;
        OrderPayload::of(ctx, cancelled)
    }
}

/// The caller of a mutation, with its key.
pub(crate) fn caller(ctx: &Context<'_>, key: Option<String>) -> Result<Caller> {
    let principal = principal(ctx)?;
    let key = idempotency_key(ctx, key)?.map(Key::try_from).transpose();
    Ok(Caller {
        access: Access::of(principal).map_err(fault::graphql)?,
        user: principal.user,
        key: key.map_err(|_| fault::graphql(chassis::graphql::BadKey))?,
        traceparent: traceparent(ctx),
    })
}

/// An argument outside its bounds, with the field to blame.
struct Invalid {
    path: Vec<String>,
    message: String,
}

impl Invalid {
    fn at(path: impl IntoIterator<Item = String>, message: &impl ToString) -> Self {
        let path = std::iter::once("input".to_owned()).chain(path).collect();
        Self {
            path,
            message: message.to_string(),
        }
    }
}

fn lines(input: &[OrderLineInput]) -> Result<Lines, Invalid> {
    let whole = || ["lines".to_owned()];
    if input.len() > MAX_LINES {
        return Err(Invalid::at(
            whole(),
            &loms_domain::lines::LinesError::TooMany,
        ));
    }
    let lines: Vec<Line> = input
        .iter()
        .enumerate()
        .map(line)
        .collect::<Result<_, _>>()?;
    Lines::new(lines).map_err(|error| Invalid::at(whole(), &error))
}

fn line((place, input): (usize, &OrderLineInput)) -> Result<Line, Invalid> {
    let field = |name: &str| ["lines".to_owned(), place.to_string(), name.to_owned()];
    let sku: Sku = input
        .sku
        .parse()
        .map_err(|error| Invalid::at(field("sku"), &error))?;
    let quantity = Quantity::try_from(i64::from(input.count));
    let quantity = quantity.map_err(|error| Invalid::at(field("count"), &error))?;
    // A customer names no prices: they come from the catalogue, through checkout.
    Ok(Line {
        sku,
        quantity,
        unit_price: None,
    })
}

impl OrderPayload {
    fn of(ctx: &Context<'_>, result: Result<Recorded<Outcome>, Error>) -> Result<Self> {
        match result {
            Ok(answered) => {
                let outcome = mark(ctx, answered);
                let refusal = outcome.refusal.as_ref().map(UserError::of);
                let order = outcome.order.map(OrderObject);
                Ok(Self {
                    order,
                    user_errors: refusal.into_iter().collect(),
                })
            }
            Err(error) => match UserError::try_of(&error) {
                Some(refusal) => Ok(Self {
                    order: None,
                    user_errors: vec![refusal],
                }),
                None => Err(fault::graphql(error)),
            },
        }
    }

    fn invalid(invalid: Invalid) -> Self {
        let error = UserError {
            code: UserErrorCode::InvalidArgument,
            field: Some(invalid.path),
            message: invalid.message,
        };
        Self {
            order: None,
            user_errors: vec![error],
        }
    }

    fn bad_id() -> Self {
        let message = "order id must be a whole number greater than 0";
        Self::invalid(Invalid::at(["orderId".to_owned()], &message))
    }
}

/// Whether an error has a row that the caller can mend; named so that the stock's payload decides alike.
pub(crate) fn refusal_or_fault(error: impl Coded) -> Result<UserError> {
    UserError::try_of(&error).ok_or_else(|| fault::graphql(error))
}
