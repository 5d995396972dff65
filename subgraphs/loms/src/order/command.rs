//! A change of orders that somebody asks for, in the form in which it can wait in a queue and run beside others.

use ::schema::{
    event::OrderStatus,
    id::{OrderId, UserId},
};
use idempotency::Call;
use loms_domain::{
    lines::{Line, Lines},
    order::{OrderError, Transition},
};

use super::Error;
use crate::access::{Access, Caller};

/// A rule of `loms-domain`.
pub(super) type Rule = fn(OrderStatus) -> Result<Transition, OrderError>;

/// What the caller sent, in the form that a key's fingerprint covers: user, then SKU, count and price of each line.
type Input = (i64, Vec<(i64, u32, Option<i64>)>);

/// One change.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// Whose orders may be changed.
    pub(super) access: Access,
    /// W3C trace context, kept in the events.
    pub(super) traceparent: Option<String>,
    /// The caller's name for the change, if it has one.
    pub(super) call: Option<Call>,
    /// What is asked.
    pub(super) work: Work,
}

/// What is asked.
#[derive(Debug, Clone)]
pub(super) enum Work {
    /// An order of `user`.
    Create { user: UserId, lines: Lines },
    /// Another status.
    Change { id: OrderId, rule: Rule },
}

impl Request {
    /// An order of `user`.
    ///
    /// # Errors
    /// When the input has no JSON form.
    pub(super) fn create(caller: &Caller, user: UserId, lines: &Lines) -> Result<Self, Error> {
        let work = Work::Create {
            user,
            lines: lines.clone(),
        };
        Self::new(caller, "createOrder", &input(user, lines), work)
    }

    /// `rule` over one order of the caller's.
    ///
    /// # Errors
    /// When the input has no JSON form.
    pub(super) fn change(
        caller: &Caller,
        operation: &'static str,
        id: OrderId,
        rule: Rule,
    ) -> Result<Self, Error> {
        Self::new(caller, operation, &id.get(), Work::Change { id, rule })
    }

    fn new(
        caller: &Caller,
        operation: &'static str,
        input: &impl serde::Serialize,
        work: Work,
    ) -> Result<Self, Error> {
        let key = caller.key.clone();
        let call = key.map(|key| Call::new(caller.user, operation, key, input));
        Ok(Self {
            access: caller.access,
            traceparent: caller.traceparent.clone(),
            call: call.transpose()?,
            work,
        })
    }
}

fn input(user: UserId, lines: &Lines) -> Input {
    let line = |line: &Line| {
        (
            line.sku.get(),
            line.quantity.get(),
            line.unit_price.map(|price| price.get()),
        )
    };
    (user.get(), lines.as_sent().iter().map(line).collect())
}
