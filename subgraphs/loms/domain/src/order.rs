//! The status machine: which change may follow which status, and what it does to the stock.
//!
//! Invariant: `failed`, `paid` and `cancelled` are final, and a repeat of what already happened changes
//! nothing and emits nothing. Source: docs/contracts.md §3, "Status machine".

use schema::{
    event::OrderStatus::{self, AwaitingPayment, Cancelled, Failed, New, Paid},
    shortage::Shortage,
};

/// What a change does to the stock of every line of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StockEffect {
    /// Nothing.
    Untouched,
    /// `reserved += count`.
    Reserve,
    /// `reserved -= count`.
    Release,
    /// `total -= count` and `reserved -= count`.
    Deduct,
}

/// What a request makes of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transition {
    /// It is so already: nothing is written, nothing is emitted.
    Unchanged,
    /// The order takes a new status, and its stock with it.
    To {
        /// The status from now on.
        status: OrderStatus,
        /// What happens to the stock in the same transaction.
        stock: StockEffect,
    },
}

/// Why an order refuses a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum OrderError {
    /// A line asks for more than is free; an absent stock row has nothing free.
    #[error("{0}")]
    OutOfStock(
        /// Of the lowest SKU that is short.
        Shortage,
    ),
    /// Only an order that awaits payment can be paid.
    #[error("an order that is {status} cannot be paid")]
    NotPayable {
        /// What it is instead.
        status: OrderStatus,
    },
    /// Only an order that awaits payment can be cancelled.
    #[error("an order that is {status} cannot be cancelled")]
    NotCancellable {
        /// What it is instead.
        status: OrderStatus,
    },
}

/// What a new order becomes when every line could be reserved, and what happens to the stock.
pub const RESERVED: (OrderStatus, StockEffect) = (AwaitingPayment, StockEffect::Reserve);

/// What a new order becomes when a line is short: final, and nothing at all is reserved.
pub const FAILED: (OrderStatus, StockEffect) = (Failed, StockEffect::Untouched);

/// Decides what paying does; a repeat changes nothing.
///
/// # Errors
/// [`OrderError::NotPayable`] from new, failed and cancelled. Source: docs/contracts.md §3, row OrderPay.
pub const fn pay(status: OrderStatus) -> Result<Transition, OrderError> {
    match status {
        AwaitingPayment => Ok(Transition::To {
            status: Paid,
            stock: StockEffect::Deduct,
        }),
        Paid => Ok(Transition::Unchanged),
        New | Failed | Cancelled => Err(OrderError::NotPayable { status }),
    }
}

/// Decides what cancelling does; a repeat changes nothing.
///
/// # Errors
/// [`OrderError::NotCancellable`] from new, failed and paid. Source: docs/contracts.md §3, row OrderCancel.
pub const fn cancel(status: OrderStatus) -> Result<Transition, OrderError> {
    match status {
        AwaitingPayment => Ok(Transition::To {
            status: Cancelled,
            stock: StockEffect::Release,
        }),
        Cancelled => Ok(Transition::Unchanged),
        New | Failed | Paid => Err(OrderError::NotCancellable { status }),
    }
}

/// Decides what the end of the payment time does: an order that got paid or cancelled meanwhile stays so.
#[must_use]
pub const fn expire(status: OrderStatus) -> Transition {
    match status {
        AwaitingPayment => Transition::To {
            status: Cancelled,
            stock: StockEffect::Release,
        },
        New | Failed | Paid | Cancelled => Transition::Unchanged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_order_that_awaits_payment_can_be_paid() {
        let paid = Transition::To {
            status: Paid,
            stock: StockEffect::Deduct,
        };
        assert_eq!(pay(AwaitingPayment), Ok(paid));
        for status in [New, Failed, Cancelled] {
            assert_eq!(pay(status), Err(OrderError::NotPayable { status }));
        }
    }

    #[test]
    fn only_an_order_that_awaits_payment_can_be_cancelled() {
        let cancelled = Transition::To {
            status: Cancelled,
            stock: StockEffect::Release,
        };
        assert_eq!(cancel(AwaitingPayment), Ok(cancelled));
        for status in [New, Failed, Paid] {
            assert_eq!(cancel(status), Err(OrderError::NotCancellable { status }));
        }
    }

    #[test]
    fn a_repeat_changes_nothing() {
        assert_eq!(pay(Paid), Ok(Transition::Unchanged));
        assert_eq!(cancel(Cancelled), Ok(Transition::Unchanged));
    }

    #[test]
    fn a_final_status_never_changes_again() {
        for status in [Failed, Paid, Cancelled] {
            for next in [pay(status), cancel(status), Ok(expire(status))] {
                assert!(
                    !matches!(next, Ok(Transition::To { .. })),
                    "{status} changed: {next:?}"
                );
            }
        }
    }
}
