//! The keys of several changes that share one transaction.
//!
//! The rows are claimed in the order of their keys, so two such transactions wait for each other and never deadlock.
//! Of two changes with one key in one transaction the first is made; the other has to be asked again afterwards.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseTransaction, DbErr};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Call, Error, HeldKeys, store};

/// What a change of the transaction has to do.
#[derive(Debug)]
pub enum Claim<A> {
    /// Make the change: its key, if it has one, belongs to this transaction.
    New,
    /// The change was made before: give what it gave then.
    Replayed(A),
    /// Refuse with [`Error::Reused`]: the key came before with another input.
    Reused,
    /// Ask again when this transaction has committed: an earlier change in it has the same key.
    InFlight,
    /// Ask again when another transaction has ended, which has the key at the moment.
    Held,
}

/// Claims the keys of `calls` and finds the responses of those that were made before; one entry a call, in their order.
/// A change without a call is always new. Three statements at most, however many calls there are.
///
/// # Errors
/// [`Error::InFlight`] when another transaction holds a key for too long, or a failing database: roll back then.
pub async fn claim<A: DeserializeOwned>(
    tx: &DatabaseTransaction,
    calls: &[Option<&Call>],
    now: DateTime<Utc>,
    held: HeldKeys,
) -> Result<Vec<Claim<A>>, Error> {
    let mut former = load_former(tx, calls).await?;
    let mut firsts = HashMap::new();
    for (index, call) in calls.iter().enumerate() {
        if let Some(call) = call
            && !former.contains_key(&index)
        {
            firsts.entry(call.name()).or_insert((index, *call));
        }
    }
    let named: Vec<&Call> = firsts.values().map(|(_, call)| *call).collect();
    let claimed: HashSet<_> = store::claim(tx, &named, now, held).await?;
    let known: Vec<&Call> = named
        .into_iter()
        .filter(|call| !claimed.contains(&call.owned_name()))
        .collect();
    let mut stored = store::load(tx, &known).await?;
    let claims = calls.iter().enumerate().map(|(index, call)| {
        let Some(call) = call else {
            return Ok(Claim::New);
        };
        if let Some(response) = former.remove(&index) {
            return Ok(Claim::Replayed(serde_json::from_value(response)?));
        }
        if firsts
            .get(&call.name())
            .is_some_and(|(first, _)| *first != index)
        {
            return Ok(Claim::InFlight);
        }
        let name = call.owned_name();
        if claimed.contains(&name) {
            return Ok(Claim::New);
        }
        // Neither claimed nor there: running it now would leave nothing for the next call to find.
        let Some(stored) = stored.remove(&name) else {
            if held == HeldKeys::PassedOver {
                return Ok(Claim::Held);
            }
            let gone = "the key was deleted between two statements";
            return Err(DbErr::RecordNotFound(gone.into()).into());
        };
        if stored.fingerprint != call.fingerprint() {
            return Ok(Claim::Reused);
        }
        Ok(Claim::Replayed(serde_json::from_value(stored.response)?))
    });
    claims.collect()
}

/// What earlier releases stored for some of the calls, by their places. No statement where no call has a former name.
async fn load_former(
    tx: &DatabaseTransaction,
    calls: &[Option<&Call>],
) -> Result<HashMap<usize, Value>, Error> {
    let former = calls.iter().enumerate();
    let former = former.filter_map(|(index, call)| Some((index, (*call)?.former()?)));
    let former: Vec<(usize, &Call)> = former.collect();
    let names: Vec<&Call> = former.iter().map(|(_, call)| *call).collect();
    let stored = store::load(tx, &names).await?;
    let found = former.into_iter().filter_map(|(index, call)| {
        let stored = stored.get(&call.owned_name())?;
        // Another input is another thing's change, which the name of today tells apart.
        let is_same = stored.fingerprint == call.fingerprint();
        is_same.then(|| (index, stored.response.clone()))
    });
    Ok(found.collect())
}

/// Stores the responses of the changes that were made, with one statement.
///
/// # Errors
/// A response without a JSON form, or a failing database.
pub async fn record<A: Serialize>(
    tx: &DatabaseTransaction,
    responses: &[(&Call, &A)],
) -> Result<(), Error> {
    let mut written = Vec::with_capacity(responses.len());
    for (call, response) in responses {
        written.push((*call, serde_json::to_string(response)?));
    }
    store::record(tx, written).await
}
