//! Checkouts in memory, beside the carts and under their lock.

use ::schema::id::UserId;
use async_trait::async_trait;
use chassis::postgres::StoreError;
use idempotency::Key;
use uuid::Uuid;

use super::Repository;
use crate::{
    cart::{
        domain::Prices,
        store::{MemoryCarts, State, StoredCheckout},
    },
    checkout::domain::{Attempt, Checkout, Outcome, Unpriced},
};

#[async_trait]
impl Repository for MemoryCarts {
    async fn open(
        &self,
        owner: UserId,
        key: Option<&Key>,
        prices: &Prices,
    ) -> Result<Result<Attempt, Unpriced>, StoreError> {
        let state = &mut *self.state();
        let name = key.map(|key| (owner, key.clone()));
        let named = name.as_ref().and_then(|name| state.checkout_keys.get(name));
        let id = match named {
            Some(id) => *id,
            None => state.cart(owner).checkout_id,
        };
        let (id, attempt) = match state.checkouts.get(&id) {
            Some(stored) => (id, attempt(id, stored)),
            None => match freeze_cart(state, owner, id, prices) {
                Ok(frozen) => frozen,
                Err(unpriced) => return Ok(Err(unpriced)),
            },
        };
        if let Some(name) = name {
            if attempt == Attempt::Ended(Outcome::CartEmpty) {
                state.checkouts.entry(id).or_insert(StoredCheckout {
                    owner,
                    lines: Vec::new(),
                    outcome: Some(Outcome::CartEmpty),
                });
            }
            state.checkout_keys.entry(name).or_insert(id);
        }
        Ok(Ok(attempt))
    }

    async fn settle(
        &self,
        owner: UserId,
        checkout: Uuid,
        outcome: Outcome,
    ) -> Result<Outcome, StoreError> {
        let state = &mut *self.state();
        let Some(stored) = state.checkouts.get_mut(&checkout) else {
            return Ok(outcome);
        };
        if let Some(settled) = &stored.outcome {
            return Ok(settled.clone());
        }
        stored.outcome = Some(outcome.clone());
        let lines = stored.lines.clone();
        let stored = state.cart(owner);
        if matches!(outcome, Outcome::Ordered(_)) {
            for (line, _) in lines.iter().filter(|(_, in_cart)| *in_cart) {
                stored.cart.subtract(line.sku, line.count);
            }
        }
        if stored.checkout_id == checkout {
            stored.checkout_id = Uuid::now_v7();
        }
        Ok(outcome)
    }
}

fn attempt(id: Uuid, stored: &StoredCheckout) -> Attempt {
    match &stored.outcome {
        Some(outcome) => Attempt::Ended(outcome.clone()),
        None => Attempt::Open(Checkout {
            id,
            lines: stored.lines.iter().map(|(line, _)| *line).collect(),
        }),
    }
}

/// A new attempt, and the id that it has: an empty cart's does not use up the cart's own.
fn freeze_cart(
    state: &mut State,
    owner: UserId,
    id: Uuid,
    prices: &Prices,
) -> Result<(Uuid, Attempt), Unpriced> {
    let cart = &state.cart(owner).cart;
    if cart.is_empty() {
        return Ok((Uuid::now_v7(), Attempt::Ended(Outcome::CartEmpty)));
    }
    let lines = cart.priced_lines(prices).map_err(Unpriced)?;
    let stored = StoredCheckout {
        owner,
        lines: lines.iter().map(|line| (*line, true)).collect(),
        outcome: None,
    };
    state.checkouts.insert(id, stored);
    Ok((id, Attempt::Open(Checkout { id, lines })))
}
