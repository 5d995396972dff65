//! How an outcome is stored beside its idempotency key. Invariant: what a release wrote, a later one reads.
//!
//! The order is stored as it stood, so a repeat gets the first response even after the order has changed again.

use ::schema::{
    event::OrderStatus,
    id::{OrderId, Sku, UserId},
    shortage::Shortage,
};
use chrono::{DateTime, Utc};
use idempotency::Call;
use loms_domain::order::OrderError;
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};

use super::{
    command::Command,
    error::{Error, Refusal},
    model::{Order, Outcome},
};

/// Stores the outcomes of the commands that have a key, with one statement.
///
/// # Errors
/// A failing database.
pub(super) async fn record(
    tx: &DatabaseTransaction,
    commands: &[&Command],
    outcomes: &[Outcome],
) -> Result<(), Error> {
    let named = commands.iter().zip(outcomes);
    let named = named.filter_map(|(command, outcome)| {
        let call = command.call.as_ref()?;
        Some((call, StoredResponse::from(*outcome)))
    });
    let named: Vec<(&Call, StoredResponse)> = named.collect();
    let responses: Vec<_> = named
        .iter()
        .map(|(call, response)| (*call, response))
        .collect();
    Ok(idempotency::record(tx, &responses).await?)
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredResponse {
    order: Option<StoredOrder>,
    refusal: Option<StoredRefusal>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredOrder {
    id: i64,
    user_id: i64,
    status: String,
    version: u32,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredRefusal {
    NotFound,
    OutOfStock {
        sku: i64,
        #[serde(default)]
        wanted: i64,
        #[serde(default)]
        free: i64,
    },
    NotPayable {
        status: String,
    },
    NotCancellable {
        status: String,
    },
    OpenOrders {
        limit: u32,
    },
    Share {
        sku: i64,
        limit: i64,
    },
}

impl From<Outcome> for StoredResponse {
    fn from(outcome: Outcome) -> Self {
        let status = |status: OrderStatus| status.as_str().to_owned();
        let refusal = outcome.refusal.map(|refusal| match refusal {
            Refusal::NotFound => StoredRefusal::NotFound,
            Refusal::OpenOrders { limit } => StoredRefusal::OpenOrders { limit },
            Refusal::Share { sku, limit } => StoredRefusal::Share {
                sku: sku.get(),
                limit,
            },
            Refusal::Order(OrderError::OutOfStock(short)) => StoredRefusal::OutOfStock {
                sku: short.sku.get(),
                wanted: short.wanted,
                free: short.free,
            },
            Refusal::Order(OrderError::NotPayable { status: is }) => {
                StoredRefusal::NotPayable { status: status(is) }
            }
            Refusal::Order(OrderError::NotCancellable { status: is }) => {
                StoredRefusal::NotCancellable { status: status(is) }
            }
        });
        let order = outcome.order.map(|order| StoredOrder {
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

impl TryFrom<StoredResponse> for Outcome {
    type Error = Error;

    fn try_from(stored: StoredResponse) -> Result<Self, Error> {
        let order = stored.order.map(Order::try_from).transpose()?;
        let refusal = stored.refusal.map(Refusal::try_from).transpose()?;
        Ok(Self { order, refusal })
    }
}

impl TryFrom<StoredOrder> for Order {
    type Error = Error;

    fn try_from(stored: StoredOrder) -> Result<Self, Error> {
        let unreadable = |what| Error::Unreadable {
            id: stored.id,
            what,
        };
        Ok(Self {
            id: OrderId::try_from(stored.id).map_err(|_| unreadable("id"))?,
            user_id: UserId::try_from(stored.user_id).map_err(|_| unreadable("user"))?,
            status: stored.status.parse().map_err(|_| unreadable("status"))?,
            version: stored.version,
            created_at: stored.created_at,
            expires_at: stored.expires_at,
        })
    }
}

impl TryFrom<StoredRefusal> for Refusal {
    type Error = Error;

    fn try_from(stored: StoredRefusal) -> Result<Self, Error> {
        let unreadable = || Error::Unreadable {
            id: 0,
            what: "stored refusal",
        };
        let status = |text: String| text.parse().map_err(|_| unreadable());
        Ok(match stored {
            StoredRefusal::NotFound => Self::NotFound,
            StoredRefusal::OpenOrders { limit } => Self::OpenOrders { limit },
            StoredRefusal::Share { sku, limit } => {
                let sku = Sku::try_from(sku).map_err(|_| unreadable())?;
                Self::Share { sku, limit }
            }
            StoredRefusal::OutOfStock { sku, wanted, free } => {
                let sku = Sku::try_from(sku).map_err(|_| unreadable())?;
                Self::Order(OrderError::OutOfStock(Shortage { sku, wanted, free }))
            }
            StoredRefusal::NotPayable { status: is } => Self::Order(OrderError::NotPayable {
                status: status(is)?,
            }),
            StoredRefusal::NotCancellable { status: is } => {
                Self::Order(OrderError::NotCancellable {
                    status: status(is)?,
                })
            }
        })
    }
}
