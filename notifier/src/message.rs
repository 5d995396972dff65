//! A message as it came from the topic, kept whole so that it can be parked.

use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use schema::event::{DecodeError, OrderEvent};

/// An owned message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Received {
    pub(crate) fn decode(&self) -> Result<OrderEvent, DecodeError> {
        let header = |name: &str| {
            let found = self.headers.iter().find(|(key, _)| key == name);
            found.and_then(|(_, value)| value.clone())
        };
        OrderEvent::decode(self.value.as_deref().unwrap_or_default(), header)
    }
}

impl From<BorrowedMessage<'_>> for Received {
    fn from(message: BorrowedMessage<'_>) -> Self {
        let headers = message
            .headers()
            .into_iter()
            .flat_map(|headers| headers.iter());
        Self {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers
                .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
                .collect(),
        }
    }
}
