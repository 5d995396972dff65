//! Which stream a subscription asks for, and whether its caller may read it.

use chassis::principal::Principal;
use federation::SubscriptionCall;
use order_stream::Scope;
use schema::{code::ErrorCode, id::OrderId};
use serde_json::Value;

use crate::error::RequestError;

/// What the caller asks to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Order(OrderId),
    Mine,
    All,
}

impl Field {
    pub(super) fn of(call: &SubscriptionCall) -> Result<Self, RequestError> {
        match call.field.as_str() {
            "myOrderEvents" => Ok(Self::Mine),
            "allOrderEvents" => Ok(Self::All),
            "orderEvents" => {
                let id = call.arguments.get("orderId").and_then(Value::as_str);
                id.unwrap_or_default()
                    .parse()
                    .map(Self::Order)
                    .map_err(|_| {
                        let message = "orderId must be a positive number";
                        RequestError::new(ErrorCode::InvalidArgument, message)
                    })
            }
            _ => Err(RequestError::masked(ErrorCode::Internal)),
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Order(_) => "orderEvents",
            Self::Mine => "myOrderEvents",
            Self::All => "allOrderEvents",
        }
    }

    /// The order, where one alone is asked for.
    pub(super) const fn order(self) -> Option<OrderId> {
        match self {
            Self::Order(order) => Some(order),
            Self::Mine | Self::All => None,
        }
    }

    pub(super) fn scope(self, principal: &Principal) -> Result<Scope, RequestError> {
        match self {
            Self::Order(order) => Ok(Scope::Order(order)),
            Self::Mine => {
                let user = principal.user.map(Scope::User);
                user.ok_or_else(|| RequestError::masked(ErrorCode::Unauthenticated))
            }
            Self::All if principal.is_ops() => Ok(Scope::All),
            Self::All => Err(RequestError::masked(ErrorCode::Forbidden)),
        }
    }
}
