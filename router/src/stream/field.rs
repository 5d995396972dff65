//! Which stream a subscription asks for, and whether its caller may read it.

use chassis::principal::Principal;
use order_stream::Scope;
use schema::{code::ErrorCode, id::OrderId};
use serde_json::Value;

use crate::{engine::SubscriptionCall, error::RequestError};

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
                let id = call
                    .arguments
                    .get("orderId")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                let id = id.parse().map_err(|_| {
                    RequestError::new(
                        ErrorCode::InvalidArgument,
                        "orderId must be a positive number",
                    )
                })?;
                Ok(Self::Order(id))
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

    pub(super) fn scope(self, principal: &Principal) -> Result<Scope, RequestError> {
        match self {
            Self::Order(order) => Ok(Scope::Order(order)),
            Self::Mine => {
                let user = principal.user;
                user.map(Scope::User)
                    .ok_or_else(|| RequestError::masked(ErrorCode::Unauthenticated))
            }
            Self::All if principal.is_ops() => Ok(Scope::All),
            Self::All => Err(RequestError::masked(ErrorCode::Forbidden)),
        }
    }
}
