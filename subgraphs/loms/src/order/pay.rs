//! An order is paid: its reserved units leave the stock.

use ::schema::id::OrderId;
use idempotency::Recorded;
use loms_domain::order;

use super::{Error, Orders, Outcome, request::Request};
use crate::access::Caller;

impl Orders {
    /// Pays an order that awaits payment; paying again changes nothing and emits nothing.
    ///
    /// # Errors
    /// Faults, and a taken idempotency key. Refusals are outcomes. Source: docs/contracts.md §3, row OrderPay.
    pub async fn pay(&self, caller: &Caller, id: OrderId) -> Result<Recorded<Outcome>, Error> {
        let request = Request::change(caller, "payOrder", id, order::pay)?;
        self.decide(request).await
    }
}
