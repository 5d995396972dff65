//! The crash points of the product, by the names that stand in its code.

/// One place where a process may die.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Point {
    /// C1: the cart is frozen, the order service is not asked yet.
    CheckoutAfterFreeze,
    /// C2: stock is locked, nothing is written.
    OrdersAfterCreateLock,
    /// C3: everything is written, nothing is committed.
    OrdersAfterWrite,
    /// C4: committed, and nobody knows yet.
    OrdersAfterCommit,
    /// C5: the order is made, the cart still has its lines.
    CheckoutAfterOrder,
    /// C6: rows are read, nothing is sent.
    RelayAfterRead,
    /// C7: the broker has acknowledged, nothing is marked.
    RelayAfterAcknowledgement,
    /// C8: the broker has appended and dies before its acknowledgement is taken.
    RelayAfterSend,
    /// C9: inbox and effect are written, nothing is committed.
    NotifierAfterWrite,
    /// C10: committed, the offset is not.
    NotifierAfterCommit,
    /// C11: an event is read, its frame is not begun.
    StreamAfterRead,
    /// C12: half a frame is on its way to the client.
    StreamAfterHalfAFrame,
    /// C13: a payment has its locks.
    OrdersAfterPayLock,
    /// C13: a cancellation has its locks.
    OrdersAfterCancelLock,
    /// C13: the expiry has its locks.
    OrdersAfterExpiryLock,
    /// C14: Postgres dies between the commit of the order and that of the cart.
    CheckoutBetweenCommits,
}

impl Point {
    /// All of them, in the order of a report.
    pub(crate) const ALL: [Self; 16] = [
        Self::CheckoutAfterFreeze,
        Self::OrdersAfterCreateLock,
        Self::OrdersAfterWrite,
        Self::OrdersAfterCommit,
        Self::CheckoutAfterOrder,
        Self::RelayAfterRead,
        Self::RelayAfterAcknowledgement,
        Self::RelayAfterSend,
        Self::NotifierAfterWrite,
        Self::NotifierAfterCommit,
        Self::StreamAfterRead,
        Self::StreamAfterHalfAFrame,
        Self::OrdersAfterPayLock,
        Self::OrdersAfterCancelLock,
        Self::OrdersAfterExpiryLock,
        Self::CheckoutBetweenCommits,
    ];

    /// Its name in the product's code, which is that of the file that arms it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::CheckoutAfterFreeze => "checkout::after_freeze",
            Self::OrdersAfterCreateLock => "orders::after_create_lock",
            Self::OrdersAfterWrite => "orders::after_write",
            Self::OrdersAfterCommit => "orders::after_commit",
            Self::CheckoutAfterOrder => "checkout::after_order",
            Self::RelayAfterRead => "relay::after_read",
            Self::RelayAfterAcknowledgement => "relay::after_acknowledgement",
            Self::RelayAfterSend => "relay::after_send",
            Self::NotifierAfterWrite => "notifier::after_write",
            Self::NotifierAfterCommit => "notifier::after_commit",
            Self::StreamAfterRead => "stream::after_read",
            Self::StreamAfterHalfAFrame => "stream::after_half_a_frame",
            Self::OrdersAfterPayLock => "orders::after_pay_lock",
            Self::OrdersAfterCancelLock => "orders::after_cancel_lock",
            Self::OrdersAfterExpiryLock => "orders::after_expiry_lock",
            Self::CheckoutBetweenCommits => "checkout::between_commits",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::Point;

    fn product(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                product(&path, text);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                text.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn each_point_stands_once_in_the_products_code() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut text = String::new();
        for folder in ["platform", "subgraphs", "router", "notifier"] {
            product(&root.join(folder), &mut text);
        }
        for point in Point::ALL {
            let quoted = format!("\"{}\"", point.name());
            assert_eq!(text.matches(&quoted).count(), 1, "{quoted}");
        }
    }
}
