//! Refusals in payloads: what the caller can mend.

use async_graphql::{Enum, ID, SimpleObject};
use schema::code::ErrorCode;

use crate::fault::{self, Coded};

macro_rules! user_error_codes {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Why a mutation was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
        #[graphql(name = "ErrorCode")]
        pub enum UserErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl UserErrorCode {
            /// The row's user error code, if a caller can mend it.
            #[must_use]
            pub const fn of(code: ErrorCode) -> Option<Self> {
                match code {
                    $(ErrorCode::$name => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

user_error_codes! {
    /// An argument breaks its bounds.
    InvalidArgument,
    /// Absent, or not yours: both look the same.
    NotFound,
    /// The catalogue does not know the SKU.
    ProductNotFound,
    /// Too little free stock.
    OutOfStock,
    /// Nothing to order.
    CartEmpty,
    /// The order does not await payment.
    OrderNotPayable,
    /// The order is final, or not yet reserved.
    OrderNotCancellable,
    /// Somebody else wrote the comment.
    NotTheAuthor,
    /// The comment is too old to be edited.
    EditWindowOver,
    /// The stock is not what you expected; read it again.
    StaleStock,
    /// This idempotency key came before with another input.
    IdempotencyKeyReused,
    /// The first request with this idempotency key has not ended.
    IdempotencyKeyInFlight,
}

/// Something that the caller can mend.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(shareable)]
pub struct UserError {
    /// A stable code.
    pub code: UserErrorCode,
    /// Path of the input field at fault, where one is.
    pub field: Option<Vec<String>>,
    /// A sentence for people.
    pub message: String,
    /// With `OUT_OF_STOCK`: of which product there is too little, and how much there is.
    pub shortage: Option<Shortage>,
}

/// Fewer units of a product are free than one request asks for.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(shareable)]
pub struct Shortage {
    /// The product's SKU; of several that are short the lowest.
    pub sku: ID,
    /// Units that were asked for, in all lines of the product.
    pub wanted: i32,
    /// Units that could be ordered then.
    pub available: i32,
}

impl From<schema::shortage::Shortage> for Shortage {
    fn from(short: schema::shortage::Shortage) -> Self {
        let int = |units: i64| i32::try_from(units).unwrap_or(i32::MAX);
        Self {
            sku: ID(short.sku.to_string()),
            wanted: int(short.wanted),
            available: int(short.free),
        }
    }
}

impl UserError {
    /// The refusal of `error`. One whose code is no user error counts as an invalid argument: ask
    /// [`UserError::try_of`] where faults can occur.
    #[must_use]
    pub fn of(error: &impl Coded) -> Self {
        let code = UserErrorCode::of(error.code()).unwrap_or(UserErrorCode::InvalidArgument);
        Self {
            code,
            field: error.field(),
            message: fault::public_message(error),
            shortage: error.shortage().map(Shortage::from),
        }
    }

    /// The refusal of `error`, if it is one that the caller can mend.
    #[must_use]
    pub fn try_of(error: &impl Coded) -> Option<Self> {
        UserErrorCode::of(error.code()).map(|_| Self::of(error))
    }
}
