//! What is asked of orders, in the form in which it can wait in a queue and share a transaction with others.

use ::schema::{
    event::OrderStatus,
    id::{OrderId, UserId},
};
use idempotency::Call;
use loms_domain::{
    lines::{Line, Lines},
    order::{self, OrderError, Transition},
};

use super::{error::Error, model::Row};
use crate::access::{Access, Caller};

/// The input of `createOrder` that a key's fingerprint covers: user, then SKU, count and price of each line.
type CreateInput = (i64, Vec<(i64, u32, Option<i64>)>);

/// One change that somebody asks for.
#[derive(Debug, Clone)]
pub(super) struct Command {
    /// Whose orders may be changed.
    pub(super) access: Access,
    /// W3C trace context, stored in the events.
    pub(super) traceparent: Option<String>,
    /// The caller's name for the change, if it has one.
    pub(super) call: Option<Call>,
    /// Whether the limits of customers count for it.
    pub(super) is_limited: bool,
    pub(super) action: Action,
}

/// What a command does.
#[derive(Debug, Clone)]
pub(super) enum Action {
    /// Creates an order of `user`.
    Create { user: UserId, lines: Lines },
    /// Gives the order another status.
    Change { id: OrderId, change: Change },
}

/// A change of an order's status that a caller can ask for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    Pay,
    Cancel,
}

impl Command {
    /// # Errors
    /// When the input has no JSON form.
    pub(super) fn create(caller: &Caller, user: UserId, lines: &Lines) -> Result<Self, Error> {
        let action = Action::Create {
            user,
            lines: lines.clone(),
        };
        Self::new(caller, "createOrder", &create_input(user, lines), action)
    }

    /// The same creation, under the same name, with these lines, as a customer's.
    pub(super) fn with_lines(self, user: UserId, lines: Lines) -> Self {
        Self {
            is_limited: true,
            action: Action::Create { user, lines },
            ..self
        }
    }

    /// # Errors
    /// When the input has no JSON form.
    pub(super) fn change(caller: &Caller, id: OrderId, change: Change) -> Result<Self, Error> {
        let operation = match change {
            Change::Pay => "payOrder",
            Change::Cancel => "cancelOrder",
        };
        let command = Self::new(caller, operation, &id.get(), Action::Change { id, change })?;
        Ok(Self {
            call: command.call.map(|call| call.of(id)),
            ..command
        })
    }

    fn new(
        caller: &Caller,
        operation: &'static str,
        input: &impl serde::Serialize,
        action: Action,
    ) -> Result<Self, Error> {
        let key = caller.key.clone();
        let call = key.map(|key| Call::new(caller.user, operation, key, input));
        Ok(Self {
            access: caller.access,
            traceparent: caller.traceparent.clone(),
            call: call.transpose()?,
            is_limited: false,
            action,
        })
    }

    /// The order that the command asks to change; none for a new one.
    pub(super) const fn order_id(&self) -> Option<OrderId> {
        match self.action {
            Action::Create { .. } => None,
            Action::Change { id, .. } => Some(id),
        }
    }

    /// The lines of the order that the command asks to create.
    pub(super) const fn new_lines(&self) -> Option<&Lines> {
        match &self.action {
            Action::Create { lines, .. } => Some(lines),
            Action::Change { .. } => None,
        }
    }

    /// The key, as something that the command locks.
    pub(super) fn key_row(&self) -> Option<Row> {
        let (user, operation, key) = self.call.as_ref()?.name();
        Some(Row::Key(user, operation.to_owned(), key.to_owned()))
    }

    /// The crash point behind the locks of this command.
    pub(super) const fn crash_point(&self) -> &'static str {
        match self.action {
            Action::Create { .. } => "orders::after_create_lock",
            Action::Change {
                change: Change::Pay,
                ..
            } => "orders::after_pay_lock",
            Action::Change {
                change: Change::Cancel,
                ..
            } => "orders::after_cancel_lock",
        }
    }
}

impl Change {
    /// What the change makes of an order with that status.
    ///
    /// # Errors
    /// As [`order::pay`] and [`order::cancel`].
    pub(super) const fn transition(self, status: OrderStatus) -> Result<Transition, OrderError> {
        match self {
            Self::Pay => order::pay(status),
            Self::Cancel => order::cancel(status),
        }
    }
}

fn create_input(user: UserId, lines: &Lines) -> CreateInput {
    let line = |line: &Line| {
        let price = line.unit_price.map(|price| price.get());
        (line.sku.get(), line.quantity.get(), price)
    };
    (user.get(), lines.as_sent().iter().map(line).collect())
}
