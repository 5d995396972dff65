//! How an outcome is kept beside its idempotency key. Invariant: what a release wrote, a later one reads.
//!
//! The order is kept as it stood, so a repeat gets the first answer even after the order went on.

use ::schema::{
    event::OrderStatus,
    id::{OrderId, Sku, UserId},
};
use chrono::{DateTime, Utc};
use loms_domain::order::OrderError;
use serde::{Deserialize, Serialize};

use super::{Error, Order, Outcome, Refusal};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    order: Option<KeptOrder>,
    refusal: Option<KeptRefusal>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptOrder {
    id: i64,
    user_id: i64,
    status: String,
    version: u32,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeptRefusal {
    NotFound,
    OutOfStock { sku: i64 },
    NotPayable { status: String },
    NotCancellable { status: String },
}

impl From<Outcome> for Kept {
    fn from(outcome: Outcome) -> Self {
        let status = |status: OrderStatus| status.as_str().to_owned();
        let refusal = outcome.refusal.map(|refusal| match refusal {
            Refusal::NotFound => KeptRefusal::NotFound,
            Refusal::Order(OrderError::OutOfStock { sku }) => {
                KeptRefusal::OutOfStock { sku: sku.get() }
            }
            Refusal::Order(OrderError::NotPayable { status: is }) => {
                KeptRefusal::NotPayable { status: status(is) }
            }
            Refusal::Order(OrderError::NotCancellable { status: is }) => {
                KeptRefusal::NotCancellable { status: status(is) }
            }
        });
        let order = outcome.order.map(|order| KeptOrder {
            id: order.id.get(),
            user_id: order.user_id.get(),
            status: status(order.status),
            version: order.version,
            created_at: order.created_at,
            expires_at: order.expires_at,
        });
        Self { order, refusal }
    }
}

impl TryFrom<Kept> for Outcome {
    type Error = Error;

    fn try_from(kept: Kept) -> Result<Self, Error> {
        let order = kept.order.map(Order::try_from).transpose()?;
        let refusal = kept.refusal.map(Refusal::try_from).transpose()?;
        Ok(Self { order, refusal })
    }
}

impl TryFrom<KeptOrder> for Order {
    type Error = Error;

    fn try_from(kept: KeptOrder) -> Result<Self, Error> {
        let unreadable = |what| Error::Unreadable { id: kept.id, what };
        Ok(Self {
            id: OrderId::try_from(kept.id).map_err(|_| unreadable("id"))?,
            user_id: UserId::try_from(kept.user_id).map_err(|_| unreadable("user"))?,
            status: kept.status.parse().map_err(|_| unreadable("status"))?,
            version: kept.version,
            created_at: kept.created_at,
            expires_at: kept.expires_at,
        })
    }
}

impl TryFrom<KeptRefusal> for Refusal {
    type Error = Error;

    fn try_from(kept: KeptRefusal) -> Result<Self, Error> {
        let unreadable = || Error::Unreadable {
            id: 0,
            what: "kept refusal",
        };
        let status = |text: String| text.parse().map_err(|_| unreadable());
        Ok(match kept {
            KeptRefusal::NotFound => Self::NotFound,
            KeptRefusal::OutOfStock { sku } => {
                let sku = Sku::try_from(sku).map_err(|_| unreadable())?;
                Self::Order(OrderError::OutOfStock { sku })
            }
            KeptRefusal::NotPayable { status: is } => Self::Order(OrderError::NotPayable {
                status: status(is)?,
            }),
            KeptRefusal::NotCancellable { status: is } => Self::Order(OrderError::NotCancellable {
                status: status(is)?,
            }),
        })
    }
}
