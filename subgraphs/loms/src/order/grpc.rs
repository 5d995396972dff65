//! Orders over gRPC: decode and check, call, encode. Source: docs/contracts.md §3.

use ::schema::{
    code::ErrorCode,
    id::{OrderId, Quantity, Sku, UserId},
    proto::loms::{Item, OrderCreateRequest, OrderCreateResponse, OrderInfoResponse},
};
use catalogue::Products;
use chassis::{fault::Coded as _, grpc};
use idempotency::Recorded;
use loms_domain::lines::{Line, Lines, LinesError, Price};

use super::{Error, OrderLine, Orders, Outcome, Refusal};
use crate::{
    access::{Access, Caller},
    grpc::{Failure, Invalid},
};

/// Checks an order request as the older gateways did, message for message.
pub(crate) fn decode(request: &OrderCreateRequest) -> Result<(UserId, Lines), Invalid> {
    let user = UserId::try_from(request.user_id)
        .map_err(|_| Invalid::not_positive("OrderCreateRequest.UserId"))?;
    let lines = request.items.iter().enumerate().map(|(index, item)| {
        line(item).map_err(|cause| {
            Invalid(format!(
                "invalid OrderCreateRequest.Items[{index}]: embedded message failed validation | caused by: {}",
                cause.0
            ))
        })
    });
    let items = |rule: &str| Invalid(format!("invalid OrderCreateRequest.Items: {rule}"));
    let lines = Lines::new(lines.collect::<Result<_, _>>()?).map_err(|error| match error {
        LinesError::Empty => items("value must contain at least 1 item(s)"),
        LinesError::TooMany => items("value must contain no more than 1000 item(s)"),
        LinesError::PriceTooLarge => items("the total price is too large"),
    })?;
    Ok((user, lines))
}

fn line(item: &Item) -> Result<Line, Invalid> {
    let unit_price = item.unit_price.map(Price::try_from).transpose();
    Ok(Line {
        sku: Sku::try_from(item.sku).map_err(|_| Invalid::not_positive("Item.Sku"))?,
        quantity: Quantity::try_from(item.count)
            .map_err(|_| Invalid::not_positive("Item.Count"))?,
        unit_price: unit_price.map_err(|_| {
            Invalid("invalid Item.UnitPrice: value must be between 0 and 4294967295".to_owned())
        })?,
    })
}

/// Checks an order's id; `field` is the contract's name of it.
pub(crate) fn order_id(id: i64, field: &str) -> Result<OrderId, Invalid> {
    OrderId::try_from(id).map_err(|_| Invalid::not_positive(field))
}

/// Creates an order; one that is short of stock is stored, and its buyer is told so.
pub(crate) async fn create(
    orders: &Orders,
    caller: Caller,
    request: OrderCreateRequest,
) -> Result<Recorded<OrderCreateResponse>, Failure> {
    let (user, lines) = decode(&request)?;
    let caller = Caller {
        access: Access::Owner(user),
        user: Some(user),
        ..caller
    };
    let recorded = orders.create(&caller, user, &lines).await?;
    let order_id = done(&recorded)?.map_or(0, OrderId::get);
    Ok(recorded.map(|_| OrderCreateResponse { order_id }))
}

/// Creates an order at the prices that the cart names, within the limits of customers.
///
/// # Errors
/// [`Failure::OverLimit`] for one that is over them.
pub(crate) async fn create_for_customer(
    orders: &Orders,
    caller: Caller,
    request: OrderCreateRequest,
) -> Result<Recorded<OrderCreateResponse>, Failure> {
    let (user, lines) = decode(&request)?;
    let caller = Caller {
        access: Access::Owner(user),
        user: Some(user),
        ..caller
    };
    let recorded = orders.create_limited(&caller, user, &lines).await?;
    if let Some(refusal) = recorded.value.refusal
        && refusal.code() == ErrorCode::LimitExceeded
    {
        let replayed = recorded.replayed;
        return Err(Failure::OverLimit { refusal, replayed });
    }
    let order_id = done(&recorded)?.map_or(0, OrderId::get);
    Ok(recorded.map(|_| OrderCreateResponse { order_id }))
}

/// Creates an order of the user whose token came, at the catalogue's prices.
///
/// # Errors
/// [`Failure::Denied`] for another user's order, and for a price that the caller names.
pub(crate) async fn create_as(
    who: &grpc::Caller,
    orders: &Orders,
    caller: Caller,
    request: OrderCreateRequest,
    products: &Products,
) -> Result<Recorded<OrderCreateResponse>, Failure> {
    let (user, lines) = decode(&request)?;
    who.check_acts_for(user).map_err(Failure::Denied)?;
    if request.items.iter().any(|item| item.unit_price.is_some()) {
        return Err(
            Invalid("invalid Item.UnitPrice: only a service may name a price".to_owned()).into(),
        );
    }
    let recorded = orders
        .create_priced(&caller, user, &lines, products)
        .await?;
    let order_id = done(&recorded)?.map_or(0, OrderId::get);
    Ok(recorded.map(|_| OrderCreateResponse { order_id }))
}

/// The order of an outcome that was not refused.
pub(crate) fn done(recorded: &Recorded<Outcome>) -> Result<Option<OrderId>, Failure> {
    match recorded.value.refusal {
        Some(refusal) => Err(Failure::Refused {
            refusal,
            replayed: recorded.replayed,
        }),
        None => Ok(recorded.value.order.map(|order| order.id)),
    }
}

/// Reads an order with its items ascending by SKU.
pub(crate) async fn info(
    orders: &Orders,
    access: Access,
    id: OrderId,
) -> Result<OrderInfoResponse, Failure> {
    let found = orders.find(access, id).await?;
    let order = found.ok_or(Failure::Refused {
        refusal: Refusal::NotFound,
        replayed: false,
    })?;
    let mut lines = orders.lines(&[id]).await?;
    let items = lines
        .remove(&id)
        .unwrap_or_default()
        .into_iter()
        .map(item)
        .collect();
    let status = order.status.as_str().to_owned();
    Ok(OrderInfoResponse {
        status,
        user_id: order.user_id.get(),
        items,
    })
}

fn item(line: OrderLine) -> Item {
    Item {
        sku: line.sku.get(),
        count: line.count,
        unit_price: line.unit_price,
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Order(error)
    }
}
