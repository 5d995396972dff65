//! The changes of a cart, and how a caller's idempotency key names one. Pure, no I/O.

use idempotency::{Call, Key};
use schema::id::{Quantity, Sku, UserId};

use super::domain::{Cart, Refusal};

/// What may happen to a cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Units of a product come in.
    Add(Sku, Quantity),
    /// A product's line goes.
    Remove(Sku),
    /// All lines go.
    Clear,
}

/// What a change makes of a cart's lines; the rest stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// A line holds so many units now.
    LineSet(Sku, Quantity),
    /// A line that was there is gone.
    LineRemoved(Sku),
    /// All lines are gone, and there were some.
    Cleared,
    /// Nothing was there to remove.
    None,
}

impl Change {
    /// Makes the change in `cart` and gives what a store has to write.
    ///
    /// # Errors
    /// [`Refusal`] when the rules forbid it; the cart is unchanged then.
    pub(crate) fn apply_to(self, cart: &mut Cart) -> Result<Effect, Refusal> {
        match self {
            Self::Add(sku, more) => Ok(Effect::LineSet(sku, cart.add(sku, more)?)),
            Self::Remove(sku) if cart.remove(sku) => Ok(Effect::LineRemoved(sku)),
            Self::Clear if !cart.is_empty() => {
                *cart = Cart::empty(cart.owner());
                Ok(Effect::Cleared)
            }
            Self::Remove(_) | Self::Clear => Ok(Effect::None),
        }
    }

    /// This change of `owner`'s cart under `key`.
    ///
    /// # Errors
    /// Never in practice: numbers have a JSON form.
    pub fn call(self, owner: UserId, key: Key) -> Result<Call, idempotency::Error> {
        Call::new(Some(owner), self.operation(), key, &self.input())
    }

    /// The operation: each has its own set of keys.
    const fn operation(self) -> &'static str {
        match self {
            Self::Add(..) => "addToCart",
            Self::Remove(_) => "removeFromCart",
            Self::Clear => "clearCart",
        }
    }

    /// What the caller sent. migrations/cart/0006_cart_changes_mirrored.up.sql writes the same JSON.
    fn input(self) -> Vec<i64> {
        match self {
            Self::Add(sku, count) => vec![sku.get(), i64::from(count.get())],
            Self::Remove(sku) => vec![sku.get()],
            Self::Clear => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use schema::shortage::Shortage;

    use super::*;
    use crate::cart::stored_response::StoredOutcome;

    fn add(count: u32) -> Change {
        let (sku, count) = (Sku::try_from(7), Quantity::try_from(count));
        Change::Add(sku.unwrap(), count.unwrap())
    }

    #[test]
    fn a_stored_answer_is_the_same_input_s_alone() {
        let call = |change: Change| {
            let key = Key::try_from("k".to_owned()).unwrap();
            change.call(UserId::try_from(1).unwrap(), key).unwrap()
        };
        assert_eq!(call(add(2)), call(add(2)));
        assert_ne!(call(add(2)), call(add(3)));
        let sku = Sku::try_from(7).unwrap();
        for refusal in [
            Refusal::ProductNotFound { sku },
            Refusal::OutOfStock(Shortage {
                sku,
                wanted: 3,
                free: 1,
            }),
            Refusal::TooManyUnits { sku },
            Refusal::TooManyLines,
        ] {
            let stored = serde_json::to_value(StoredOutcome::Err(refusal.into())).unwrap();
            let stored: StoredOutcome = serde_json::from_value(stored).unwrap();
            assert_eq!(
                stored.map_err(|stored| Refusal::try_from(stored).unwrap()),
                Err(refusal)
            );
        }
    }
}
