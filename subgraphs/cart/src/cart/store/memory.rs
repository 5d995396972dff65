//! Carts in memory: the same behaviour as in Postgres while the process lives. One lock guards all carts and is never
//! held across an await.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use ::schema::id::{Sku, UserId};
use async_trait::async_trait;
use chassis::postgres::StoreError;
use idempotency::{Call, Key, Recorded, memory::Responses};
use uuid::Uuid;

use super::{Cart, Change, Error, Refusal, Repository};
use crate::{
    cart::{change::Effect, domain::PricedLine},
    checkout::domain::Outcome,
};

/// Carts, and the checkouts of them, in this process. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct MemoryCarts {
    state: Arc<Mutex<State>>,
}

/// What the lock guards.
#[derive(Debug, Default)]
pub(crate) struct State {
    carts: HashMap<UserId, StoredCart>,
    pub(crate) checkouts: HashMap<Uuid, StoredCheckout>,
    pub(crate) checkout_keys: HashMap<(UserId, Key), Uuid>,
    changes: Responses<Result<(), Refusal>>,
}

/// A cart with the id of its next checkout.
#[derive(Debug)]
pub(crate) struct StoredCart {
    pub(crate) cart: Cart,
    pub(crate) checkout_id: Uuid,
}

/// One checkout: its frozen lines, each with whether the cart still has it, and the outcome once there is one.
#[derive(Debug)]
pub(crate) struct StoredCheckout {
    pub(crate) owner: UserId,
    pub(crate) lines: Vec<(PricedLine, bool)>,
    pub(crate) outcome: Option<Outcome>,
}

impl MemoryCarts {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}

impl State {
    pub(crate) fn cart(&mut self, owner: UserId) -> &mut StoredCart {
        self.carts.entry(owner).or_insert_with(|| StoredCart {
            cart: Cart::empty(owner),
            checkout_id: Uuid::now_v7(),
        })
    }

    fn make(&mut self, owner: UserId, change: Change) -> Result<(), Refusal> {
        match change.apply_to(&mut self.cart(owner).cart)? {
            Effect::LineSet(..) | Effect::None => {}
            Effect::LineRemoved(sku) => self.leave_checkouts(owner, |line| line == sku),
            Effect::Cleared => self.leave_checkouts(owner, |_| true),
        }
        Ok(())
    }

    fn leave_checkouts(&mut self, owner: UserId, removed: impl Fn(Sku) -> bool) {
        self.cart(owner).checkout_id = Uuid::now_v7();
        let checkouts = self.checkouts.values_mut();
        let own = checkouts.filter(|checkout| checkout.owner == owner);
        for (line, in_cart) in own.flat_map(|checkout| &mut checkout.lines) {
            *in_cart &= !removed(line.sku);
        }
    }
}

#[async_trait]
impl Repository for MemoryCarts {
    async fn find(&self, owner: UserId) -> Result<Cart, StoreError> {
        Ok(self.state().cart(owner).cart.clone())
    }

    async fn change(
        &self,
        owner: UserId,
        change: Change,
        call: Option<&Call>,
    ) -> Result<Recorded<Cart>, Error> {
        let state = &mut *self.state();
        let Some(call) = call else {
            state.make(owner, change)?;
            return Ok(Recorded::new(state.cart(owner).cart.clone()));
        };
        if let Some(outcome) = state.changes.find(call)? {
            outcome?;
            return Ok(Recorded::replayed(state.cart(owner).cart.clone()));
        }
        let outcome = state.make(owner, change);
        state.changes.record(call, outcome);
        outcome?;
        Ok(Recorded::new(state.cart(owner).cart.clone()))
    }

    async fn find_outcome(&self, call: &Call) -> Result<Option<Result<(), Refusal>>, Error> {
        Ok(self.state().changes.find(call)?)
    }

    async fn record_refusal(
        &self,
        call: &Call,
        refusal: Refusal,
    ) -> Result<Result<(), Refusal>, Error> {
        let state = &mut *self.state();
        if let Some(outcome) = state.changes.find(call)? {
            return Ok(outcome);
        }
        state.changes.record(call, Err(refusal));
        Ok(Err(refusal))
    }
}
