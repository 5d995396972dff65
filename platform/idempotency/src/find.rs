//! A look at a key without claiming it, before the transaction of the change begins.

use chassis::postgres::StoreError;
use sea_orm::ConnectionTrait;
use serde::de::DeserializeOwned;

use crate::{Call, Error, store};

/// What the call gave when it ran before; none when its key is new or its first call has not ended.
///
/// # Errors
/// [`Error::Reused`] when the key came before with another input, or a failing database.
pub async fn find<A: DeserializeOwned>(
    db: &impl ConnectionTrait,
    call: &Call,
) -> Result<Option<A>, Error> {
    match store::load(db, &[call]).await?.remove(&call.owned_name()) {
        None => Ok(None),
        Some(stored) if stored.fingerprint != call.fingerprint() => Err(Error::Reused),
        Some(stored) => Ok(Some(serde_json::from_value(stored.response)?)),
    }
}

/// Whether the call's key came before in this database, with whatever input.
///
/// # Errors
/// A failing database.
pub async fn is_used(db: &impl ConnectionTrait, call: &Call) -> Result<bool, StoreError> {
    Ok(!store::load(db, &[call]).await?.is_empty())
}
