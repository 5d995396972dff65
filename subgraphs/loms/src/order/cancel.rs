//! An order is called off: its reserved units are free again.

use ::schema::id::OrderId;
use idempotency::Recorded;
use loms_domain::order;

use super::{Error, Orders, Outcome, request::Request};
use crate::access::Caller;

impl Orders {
    /// Cancels an order that awaits payment; cancelling again changes nothing and emits nothing.
    ///
    /// # Errors
    /// Faults, and a taken idempotency key. Refusals are outcomes. Source: docs/contracts.md §3, row OrderCancel.
    pub async fn cancel(&self, caller: &Caller, id: OrderId) -> Result<Recorded<Outcome>, Error> {
        let request = Request::change(caller, "cancelOrder", id, order::cancel)?;
        self.decide(request).await
    }
}
