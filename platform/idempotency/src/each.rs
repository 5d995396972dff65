//! The keys of several changes that share one transaction.
//!
//! The rows are claimed in the order of their keys, so two such transactions wait for each other and never deadlock.
//! Of two changes with one key in one transaction the first is made, and the other is told to ask again afterwards.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseTransaction, DbErr};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Call, Error, store};

/// What a change of the transaction has to do.
#[derive(Debug)]
pub enum Begun<A> {
    /// Make the change: its key, if it has one, belongs to this transaction.
    Run,
    /// Answer as the first call was answered.
    Replay(A),
    /// Refuse: the key came before with another input. [`Error::Reused`].
    Reused,
    /// Ask again when this transaction has committed: an earlier change in it has the same key.
    Later,
}

/// Claims the keys of `calls` and finds the answers of those that were made before; one entry a call, in their order. A
/// change without a call always runs. Two statements at most, however many calls there are.
///
/// # Errors
/// [`Error::InFlight`] when another transaction holds a key for too long, or a failing database: roll back then.
pub async fn begin_each<A: DeserializeOwned>(
    tx: &DatabaseTransaction,
    calls: &[Option<&Call>],
    now: DateTime<Utc>,
) -> Result<Vec<Begun<A>>, Error> {
    let mut firsts = HashMap::new();
    for (place, call) in calls.iter().enumerate() {
        if let Some(call) = call {
            firsts.entry(call.name()).or_insert((place, *call));
        }
    }
    let named: Vec<&Call> = firsts.values().map(|(_, call)| *call).collect();
    let claimed: HashSet<_> = store::claim_each(tx, &named, now).await?;
    let known: Vec<&Call> = named
        .into_iter()
        .filter(|call| !claimed.contains(&call.owned_name()))
        .collect();
    let mut kept = store::load_each(tx, &known).await?;
    let begun = calls.iter().enumerate().map(|(place, call)| {
        let Some(call) = call else {
            return Ok(Begun::Run);
        };
        if firsts
            .get(&call.name())
            .is_some_and(|(first, _)| *first != place)
        {
            return Ok(Begun::Later);
        }
        let name = call.owned_name();
        if claimed.contains(&name) {
            return Ok(Begun::Run);
        }
        // Neither got nor there: running it now would leave nothing for the next call to find.
        let kept = kept.remove(&name).ok_or_else(|| {
            DbErr::RecordNotFound("the key was forgotten between two statements".into())
        })?;
        if kept.fingerprint != call.fingerprint() {
            return Ok(Begun::Reused);
        }
        Ok(Begun::Replay(serde_json::from_value(kept.answer)?))
    });
    begun.collect()
}

/// Keeps the answers of the changes that ran, with one statement.
///
/// # Errors
/// An answer without a JSON form, or a failing database.
pub async fn keep_each<A: Serialize>(
    tx: &DatabaseTransaction,
    answers: &[(&Call, &A)],
) -> Result<(), Error> {
    let mut written = Vec::with_capacity(answers.len());
    for (call, answer) in answers {
        written.push((*call, serde_json::to_string(answer)?));
    }
    store::keep_each(tx, &written).await
}
