//! Carts in memory: the same behaviour as in Postgres while the process lives. One lock guards all carts and is never
//! held across an await.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use ::schema::id::{Sku, UserId};
use async_trait::async_trait;
use chassis::postgres::StoreError;
use uuid::Uuid;

use super::{Cart, Change, Error, Refusal, Repository};
use crate::checkout::{Answer, domain::PricedLine};

/// Carts, and the checkouts of them, in this process. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct MemoryCarts {
    state: Arc<Mutex<State>>,
}

/// What the lock guards.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) carts: HashMap<UserId, Kept>,
    pub(crate) checkouts: HashMap<Uuid, Attempt>,
    pub(crate) keys: HashMap<(UserId, String), Uuid>,
    changes: HashMap<Name, (String, Option<&'static str>)>,
}

/// Whose change, which operation, and what its caller calls it.
type Name = (UserId, &'static str, String);

/// A cart with the id of its next checkout.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) cart: Cart,
    pub(crate) checkout_id: Uuid,
}

/// One checkout: its frozen lines, each with whether the cart still has it, and the answer once there is one.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) owner: UserId,
    pub(crate) lines: Vec<(PricedLine, bool)>,
    pub(crate) answer: Option<Answer>,
}

impl MemoryCarts {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}

impl State {
    pub(crate) fn cart(&mut self, owner: UserId) -> &mut Kept {
        self.carts.entry(owner).or_insert_with(|| Kept {
            cart: Cart::empty(owner),
            checkout_id: Uuid::now_v7(),
        })
    }

    fn recall(&self, owner: UserId, change: Change, key: &str) -> Result<bool, Refusal> {
        let Some((input, refusal)) = self.changes.get(&name(owner, change, key)) else {
            return Ok(false);
        };
        change.repeated(input, *refusal).map(|()| true)
    }

    fn leave_checkouts(&mut self, owner: UserId, removed: impl Fn(Sku) -> bool) {
        self.cart(owner).checkout_id = Uuid::now_v7();
        let open = self
            .checkouts
            .values_mut()
            .filter(|attempt| attempt.owner == owner);
        for (line, in_cart) in open.flat_map(|attempt| &mut attempt.lines) {
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
        key: Option<&str>,
    ) -> Result<Cart, Error> {
        let state = &mut *self.state();
        if let Some(key) = key
            && state.recall(owner, change, key)?
        {
            return Ok(state.cart(owner).cart.clone());
        }
        match change {
            Change::Add(sku, count) => {
                state.cart(owner).cart.add(sku, count)?;
            }
            Change::Remove(sku) => {
                if state.cart(owner).cart.remove(sku) {
                    state.leave_checkouts(owner, |line| line == sku);
                }
            }
            Change::Clear => {
                if !state.cart(owner).cart.is_empty() {
                    state.cart(owner).cart = Cart::empty(owner);
                    state.leave_checkouts(owner, |_| true);
                }
            }
        }
        if let Some(key) = key {
            state
                .changes
                .insert(name(owner, change, key), (change.input(), None));
        }
        Ok(state.cart(owner).cart.clone())
    }

    async fn recall(&self, owner: UserId, change: Change, key: &str) -> Result<bool, Error> {
        Ok(self.state().recall(owner, change, key)?)
    }

    async fn note_refusal(
        &self,
        owner: UserId,
        change: Change,
        key: &str,
        refusal: Refusal,
    ) -> Result<(), StoreError> {
        let answer = (change.input(), Some(refusal.name()));
        self.state()
            .changes
            .entry(name(owner, change, key))
            .or_insert(answer);
        Ok(())
    }
}

fn name(owner: UserId, change: Change, key: &str) -> Name {
    (owner, change.operation(), key.to_owned())
}
