//! A buyer orders: every line is reserved, or the order is kept as failed and nothing is.

use ::schema::id::UserId;
use idempotency::Recorded;
use loms_domain::lines::Lines;

use super::{Error, Orders, Outcome, request::Request};
use crate::access::Caller;

impl Orders {
    /// Creates an order of `user`. Versions 1 (`new`) and 2 (`awaiting payment` or `failed`) come in one transaction.
    ///
    /// # Errors
    /// Faults, and a taken idempotency key. A short line is an outcome: the failed order with its refusal.
    ///
    /// # Cancel safety
    /// Dropped midway, the order may be made; the same key tells.
    pub async fn create(
        &self,
        caller: &Caller,
        user: UserId,
        lines: &Lines,
    ) -> Result<Recorded<Outcome>, Error> {
        self.decide(Request::create(caller, user, lines)?).await
    }
}
