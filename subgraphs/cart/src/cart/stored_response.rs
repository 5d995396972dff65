//! How the outcome of a change is stored beside its idempotency key. Invariant: what a release wrote, a later one reads.

use ::schema::{id::Sku, shortage::Shortage};
use chassis::postgres::StoreError;
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};

use super::Refusal;

/// Whether the change was made. A repeat gets the cart as it is then, so the cart is not stored.
pub(super) type StoredOutcome = Result<(), StoredRefusal>;

/// migrations/cart/0006_cart_changes_mirrored.up.sql writes the same JSON.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StoredRefusal {
    ProductNotFound {
        sku: i64,
    },
    OutOfStock {
        sku: i64,
        #[serde(default)]
        wanted: i64,
        #[serde(default)]
        free: i64,
    },
    TooManyUnits {
        sku: i64,
    },
    TooManyLines,
}

impl From<Refusal> for StoredRefusal {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::ProductNotFound { sku } => Self::ProductNotFound { sku: sku.get() },
            Refusal::OutOfStock(short) => Self::OutOfStock {
                sku: short.sku.get(),
                wanted: short.wanted,
                free: short.free,
            },
            Refusal::TooManyUnits { sku } => Self::TooManyUnits { sku: sku.get() },
            Refusal::TooManyLines => Self::TooManyLines,
        }
    }
}

impl TryFrom<StoredRefusal> for Refusal {
    type Error = StoreError;

    fn try_from(stored: StoredRefusal) -> Result<Self, StoreError> {
        let sku = |id: i64| {
            let illegal = |_| DbErr::Type("a stored response holds an illegal sku".to_owned());
            Sku::try_from(id).map_err(illegal)
        };
        Ok(match stored {
            StoredRefusal::ProductNotFound { sku: id } => Self::ProductNotFound { sku: sku(id)? },
            StoredRefusal::OutOfStock {
                sku: id,
                wanted,
                free,
            } => {
                let sku = sku(id)?;
                Self::OutOfStock(Shortage { sku, wanted, free })
            }
            StoredRefusal::TooManyUnits { sku: id } => Self::TooManyUnits { sku: sku(id)? },
            StoredRefusal::TooManyLines => Self::TooManyLines,
        })
    }
}
