//! The order event: the contract between LOMS, the Kafka topic and everybody who reads it.
//!
//! The value has exactly the three fields that existing consumers accept; everything newer travels as headers.
//! Source: docs/contracts.md §7.

use std::{fmt, str::FromStr};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::id::{OrderId, Sku, UserId};

/// The topic's name unless configured otherwise.
pub const TOPIC: &str = "loms.order-events";
/// The topic of the units that can be ordered, by SKU.
pub const STOCK_TOPIC: &str = "loms.stock-events";
/// Partitions of a topic that we create.
pub const PARTITIONS: u16 = 2;

/// Names of the message headers.
pub mod header {
    /// The event's UUID: the same on every redelivery.
    pub const EVENT_ID: &str = "event-id";
    /// 1, 2, 3 … per order.
    pub const VERSION: &str = "version";
    /// The order's owner.
    pub const USER_ID: &str = "user-id";
    /// The SKUs of the order's lines, decimal, ascending, each once, with commas between them. Messages of releases before it
    /// have none.
    pub const SKUS: &str = "skus";
    /// W3C trace context of the change.
    pub const TRACEPARENT: &str = "traceparent";
    /// Identity of the stream, written by the relay.
    pub const STREAM_EPOCH: &str = "stream-epoch";
}

/// Where an order is in its life. The transitions are in `loms-domain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderStatus {
    /// Created, not yet reserved.
    New,
    /// Every line is reserved.
    AwaitingPayment,
    /// A line could not be reserved; final.
    Failed,
    /// Paid; final.
    Paid,
    /// Cancelled by the buyer or by expiry; final.
    Cancelled,
}

impl OrderStatus {
    /// All statuses.
    pub const ALL: [Self; 5] = [
        Self::New,
        Self::AwaitingPayment,
        Self::Failed,
        Self::Paid,
        Self::Cancelled,
    ];

    /// The contract's word: `awaiting payment` has a space, `cancelled` two l.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::AwaitingPayment => "awaiting payment",
            Self::Failed => "failed",
            Self::Paid => "paid",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing follows it. Source: docs/contracts.md §3, "Life of an order".
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Failed | Self::Paid | Self::Cancelled)
    }

    /// The name of the GraphQL enum value.
    #[must_use]
    pub const fn graphql_name(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::AwaitingPayment => "AWAITING_PAYMENT",
            Self::Failed => "FAILED",
            Self::Paid => "PAID",
            Self::Cancelled => "CANCELLED",
        }
    }
}

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A status that no contract knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown order status {0:?}")]
pub struct UnknownStatus(String);

impl FromStr for OrderStatus {
    type Err = UnknownStatus;

    /// Reads the contract's word; the older `payed` counts as paid.
    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        match text {
            "payed" => Ok(Self::Paid),
            _ => Self::ALL
                .into_iter()
                .find(|status| status.as_str() == text)
                .ok_or_else(|| UnknownStatus(text.chars().take(64).collect())),
        }
    }
}

/// One status change of one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderEvent {
    /// Unique for each change, the same on every redelivery.
    pub event_id: Uuid,
    /// The order that changed.
    pub order_id: OrderId,
    /// Its owner.
    pub user_id: UserId,
    /// 1, 2, 3 … per order, without gaps.
    pub version: u32,
    /// The status that the order has since.
    pub status: OrderStatus,
    /// When it changed.
    pub moment: DateTime<Utc>,
    /// The SKUs of the order's lines, ascending, each once; empty where the message does not tell them.
    pub skus: Vec<Sku>,
    /// W3C trace context of the request that changed it.
    pub traceparent: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Value {
    order_id: i64,
    status: String,
    moment: DateTime<Utc>,
}

/// A message that is not an order event of ours.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The value is not the contract's JSON.
    #[error("value: {0}")]
    Value(#[from] serde_json::Error),
    /// A field or header is missing or out of its bounds.
    #[error("{0}")]
    Field(&'static str),
}

impl OrderEvent {
    /// The message key: the decimal order id, so that one order's events keep their order.
    #[must_use]
    pub fn key(&self) -> String {
        self.order_id.to_string()
    }

    /// The message value: `{"order_id", "status", "moment"}` and nothing more.
    #[must_use]
    pub fn value(&self) -> Vec<u8> {
        let moment = self.moment.to_rfc3339_opts(SecondsFormat::Micros, true);
        let status = self.status.as_str();
        format!(
            r#"{{"order_id":{},"status":"{status}","moment":"{moment}"}}"#,
            self.order_id
        )
        .into_bytes()
    }

    /// The message headers, without the stream's epoch, which the relay knows.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            (header::EVENT_ID, self.event_id.to_string()),
            (header::VERSION, self.version.to_string()),
            (header::USER_ID, self.user_id.to_string()),
        ];
        if !self.skus.is_empty() {
            headers.push((header::SKUS, self.skus_text()));
        }
        headers.extend(
            self.traceparent
                .clone()
                .map(|trace| (header::TRACEPARENT, trace)),
        );
        headers
    }

    /// The SKUs as their header has them; empty where there are none.
    #[must_use]
    pub fn skus_text(&self) -> String {
        let skus: Vec<String> = self.skus.iter().map(Sku::to_string).collect();
        skus.join(",")
    }

    /// Reads the text of [`OrderEvent::skus_text`]; `None` when it is not one.
    #[must_use]
    pub fn skus_of(text: &str) -> Option<Vec<Sku>> {
        if text.is_empty() {
            return Some(Vec::new());
        }
        let mut skus: Vec<Sku> = text
            .split(',')
            .map(|sku| sku.parse().ok())
            .collect::<Option<_>>()?;
        skus.sort_unstable();
        skus.dedup();
        Some(skus)
    }

    /// Reads a message. `header` finds a header's bytes by name.
    ///
    /// # Errors
    /// [`DecodeError`] when the value breaks the contract or a header that we write is missing.
    pub fn decode(
        value: &[u8],
        header: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<Self, DecodeError> {
        let body: Value = serde_json::from_slice(value)?;
        let text = |name: &str| header(name).and_then(|bytes| String::from_utf8(bytes).ok());
        Ok(Self {
            event_id: text(header::EVENT_ID)
                .and_then(|id| id.parse().ok())
                .ok_or(DecodeError::Field("header event-id is missing or no UUID"))?,
            order_id: OrderId::try_from(body.order_id)
                .map_err(|_| DecodeError::Field("order_id must be greater than 0"))?,
            user_id: text(header::USER_ID)
                .and_then(|id| id.parse().ok())
                .ok_or(DecodeError::Field("header user-id is missing or no id"))?,
            version: text(header::VERSION)
                .and_then(|version| version.parse().ok())
                .filter(|version| *version > 0)
                .ok_or(DecodeError::Field(
                    "header version is missing or not above 0",
                ))?,
            status: body
                .status
                .parse()
                .map_err(|_| DecodeError::Field("status is unknown"))?,
            moment: body.moment,
            skus: Self::skus_of(&text(header::SKUS).unwrap_or_default())
                .ok_or(DecodeError::Field("header skus is no list of SKUs"))?,
            traceparent: text(header::TRACEPARENT),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> OrderEvent {
        OrderEvent {
            event_id: Uuid::from_u128(7),
            order_id: OrderId::try_from(42).unwrap(),
            user_id: UserId::try_from(1).unwrap(),
            version: 2,
            status: OrderStatus::AwaitingPayment,
            moment: DateTime::from_timestamp(1_700_000_000, 5_000).unwrap(),
            skus: [4, 30].map(|sku| Sku::try_from(sku).unwrap()).to_vec(),
            traceparent: Some("00-1-2-01".into()),
        }
    }

    fn decode(event: &OrderEvent) -> Result<OrderEvent, DecodeError> {
        let headers = event.headers();
        OrderEvent::decode(&event.value(), |name| {
            headers
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.clone().into_bytes())
        })
    }

    #[test]
    fn a_message_reads_back_as_it_was_written() {
        assert_eq!(decode(&event()).unwrap(), event());
    }

    #[test]
    fn the_skus_are_a_header_of_their_own_and_may_be_missing() {
        let header = |event: &OrderEvent| {
            let mut headers = event.headers().into_iter();
            headers.find_map(|(name, value)| (name == header::SKUS).then_some(value))
        };
        assert_eq!(header(&event()).as_deref(), Some("4,30"));
        let older = OrderEvent {
            skus: Vec::new(),
            ..event()
        };
        assert_eq!(header(&older), None);
        assert_eq!(decode(&older).unwrap(), older);
        assert_eq!(OrderEvent::skus_of("30,4,30"), Some(event().skus));
        for wrong in [
            "4,",
            ",4",
            "4;5",
            "0",
            "-1",
            "x",
            " 4",
            "9223372036854775808",
        ] {
            assert_eq!(OrderEvent::skus_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_value_has_the_contracts_three_fields_and_no_more() {
        assert_eq!(
            String::from_utf8(event().value()).unwrap(),
            r#"{"order_id":42,"status":"awaiting payment","moment":"2023-11-14T22:13:20.000005Z"}"#
        );
    }

    #[test]
    fn a_value_with_a_fourth_field_is_refused() {
        let value = br#"{"order_id":1,"status":"new","moment":"2023-11-14T22:13:20Z","x":1}"#;
        assert!(matches!(
            OrderEvent::decode(value, |_| None),
            Err(DecodeError::Value(_))
        ));
    }
}
