//! Which incarnation of the topic the relay writes to.
//!
//! The relay notes in Postgres how far each partition was acknowledged. A topic that ends before that has lost
//! events or is another one: offsets that clients hold mean nothing in it. Then a new epoch begins, readers see
//! it on the next event, and old cursors answer with a gap instead of a silent jump.

use chassis::clock::Clock;
use sqlx::PgConnection;
use uuid::{Timestamp, Uuid};

use super::{Broken, line::Line, producer::Publisher, store};

/// The stream's epoch, checked against the topic as the broker shows it now.
pub(crate) async fn verify(
    connection: &mut PgConnection,
    line: Line,
    publisher: &Publisher,
    clock: &Clock,
) -> Result<Uuid, Broken> {
    let ends = publisher.ends().await.map_err(Broken::Broker)?;
    let epoch = store::load_epoch(connection, line, new_epoch(clock, Uuid::nil())).await?;
    let noted = store::list_partitions(connection, line).await?;
    let lost = noted.iter().any(|(partition, next)| {
        let end = usize::try_from(*partition)
            .ok()
            .and_then(|partition| ends.get(partition));
        end.is_none_or(|end| end < next)
    });
    if !lost {
        return Ok(epoch);
    }
    tracing::warn!(
        ?noted,
        ?ends,
        "the topic ends before what it had acknowledged: new stream epoch"
    );
    Ok(store::replace_epoch(connection, line, epoch, new_epoch(clock, epoch)).await?)
}

/// A UUID of version 7 for now, but never below `old`: readers take the highest for the current one.
fn new_epoch(clock: &Clock, old: Uuid) -> Uuid {
    let now = clock.now();
    let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
    let made = Uuid::new_v7(Timestamp::from_unix(
        uuid::NoContext,
        seconds,
        now.timestamp_subsec_nanos(),
    ));
    if made > old {
        made
    } else {
        Uuid::from_u128(old.as_u128().saturating_add(1))
    }
}
