//! Checkouts in memory, beside the carts and under their lock.

use ::schema::id::UserId;
use async_trait::async_trait;
use chassis::postgres::StoreError;
use uuid::Uuid;

use super::Repository;
use crate::{
    cart::{
        domain::Prices,
        store::{Attempt, MemoryCarts, State},
    },
    checkout::domain::{Answer, Checkout, Opened, freeze},
};

#[async_trait]
impl Repository for MemoryCarts {
    async fn open(
        &self,
        owner: UserId,
        key: Option<&str>,
        prices: &Prices,
    ) -> Result<Opened, StoreError> {
        let state = &mut *self.state();
        let name = key.map(|key| (owner, key.to_owned()));
        let named = name.as_ref().and_then(|name| state.keys.get(name)).copied();
        let id = named.unwrap_or_else(|| state.cart(owner).checkout_id);
        let (id, opened) = match state.checkouts.get(&id) {
            Some(attempt) => (id, opened(id, attempt)),
            None => freeze_cart(state, owner, id, prices),
        };
        if let Some(name) = name.filter(|_| !matches!(opened, Opened::Unpriced(_))) {
            if opened == Opened::Answered(Answer::CartEmpty) {
                let answer = Some(Answer::CartEmpty);
                state.checkouts.entry(id).or_insert(Attempt {
                    owner,
                    lines: Vec::new(),
                    answer,
                });
            }
            state.keys.entry(name).or_insert(id);
        }
        Ok(opened)
    }

    async fn settle(
        &self,
        owner: UserId,
        checkout: Uuid,
        answer: Answer,
    ) -> Result<Answer, StoreError> {
        let state = &mut *self.state();
        let Some(attempt) = state.checkouts.get_mut(&checkout) else {
            return Ok(answer);
        };
        if let Some(settled) = attempt.answer {
            return Ok(settled);
        }
        attempt.answer = Some(answer);
        let lines = attempt.lines.clone();
        let kept = state.cart(owner);
        if matches!(answer, Answer::Ordered(_)) {
            for (line, _) in lines.iter().filter(|(_, in_cart)| *in_cart) {
                kept.cart.subtract(line.sku, line.count);
            }
        }
        if kept.checkout_id == checkout {
            kept.checkout_id = Uuid::now_v7();
        }
        Ok(answer)
    }
}

fn opened(id: Uuid, attempt: &Attempt) -> Opened {
    match attempt.answer {
        Some(answer) => Opened::Answered(answer),
        None => Opened::Ready(Checkout {
            id,
            lines: attempt.lines.iter().map(|(line, _)| *line).collect(),
        }),
    }
}

fn freeze_cart(state: &mut State, owner: UserId, id: Uuid, prices: &Prices) -> (Uuid, Opened) {
    let cart = &state.cart(owner).cart;
    if cart.is_empty() {
        return (Uuid::now_v7(), Opened::Answered(Answer::CartEmpty));
    }
    let lines = match freeze(cart, prices) {
        Ok(lines) => lines,
        Err(unpriced) => return (id, Opened::Unpriced(unpriced)),
    };
    let frozen = lines.iter().map(|line| (*line, true)).collect();
    state.checkouts.insert(
        id,
        Attempt {
            owner,
            lines: frozen,
            answer: None,
        },
    );
    (id, Opened::Ready(Checkout { id, lines }))
}
