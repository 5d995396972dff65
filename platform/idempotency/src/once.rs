//! One change in a transaction of its own.

use chrono::{DateTime, Utc};
use sea_orm::DatabaseTransaction;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Call, Error, HeldKeys,
    claim::{Claim, claim, record},
};

/// What a change gave, and whether it happened in an earlier call with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded<A> {
    /// What the change gave when it happened.
    pub value: A,
    /// Whether that was in an earlier call.
    pub replayed: bool,
}

impl<A> Recorded<A> {
    /// What a change gave that happened just now.
    pub const fn new(value: A) -> Self {
        Self {
            value,
            replayed: false,
        }
    }

    /// What an earlier call with the same key gave.
    pub const fn replayed(value: A) -> Self {
        Self {
            value,
            replayed: true,
        }
    }

    /// Converts the value; whether it is a replay stays.
    pub fn map<B>(self, convert: impl FnOnce(A) -> B) -> Recorded<B> {
        Recorded {
            value: convert(self.value),
            replayed: self.replayed,
        }
    }
}

/// Runs `work` unless `call` ran before; without a call it always runs.
///
/// The key's row is the first lock of the transaction, so calls with the same key never deadlock over what they
/// change. `tx` must be at READ COMMITTED: after waiting, the first call's response has to be visible.
///
/// # Errors
/// [`Error::Reused`], [`Error::InFlight`], a failing database, or whatever `work` gives. The caller must then roll
/// `tx` back, and nothing is stored.
///
/// # Cancel safety
/// Dropping the future before the commit stores nothing.
pub async fn once<A, E, W>(
    tx: &DatabaseTransaction,
    call: Option<&Call>,
    now: DateTime<Utc>,
    work: W,
) -> Result<Recorded<A>, E>
where
    A: Serialize + DeserializeOwned,
    E: From<Error>,
    W: AsyncFnOnce() -> Result<A, E>,
{
    match claim(tx, &[call], now, HeldKeys::Awaited).await?.pop() {
        Some(Claim::New) => {}
        Some(Claim::Replayed(value)) => return Ok(Recorded::replayed(value)),
        Some(Claim::Reused) => return Err(Error::Reused.into()),
        Some(Claim::InFlight | Claim::Held) | None => {
            unreachable!("a call alone waits for no other")
        }
    }
    let value = work().await?;
    if let Some(call) = call {
        record(tx, &[(call, &value)]).await?;
    }
    Ok(Recorded::new(value))
}
