//! Floods held beside a normal user.

mod connections;
mod replays;

use anyhow::ensure;
use tokio::time::{Duration, sleep};

use crate::{
    bystander::{self, Held, watch},
    output::print,
    stack::Stack,
};

/// A log of recent events so short that whoever comes back from far away reads the topic again.
pub(crate) const SETTINGS: [&str; 1] = ["router.stream.log.log_bytes=65536"];

/// The floods by name.
const FLOODS: [&str; 6] = [
    "idle",
    "idle on every port",
    "slow heads",
    "slow bodies",
    "unread replays",
    "replays from far back",
];

/// Holds the floods whose name contains `only`, each with so many connections.
///
/// # Errors
/// When the user was hurt, or a flood could not be held.
pub(crate) async fn run(
    stack: &Stack,
    held: Held,
    connections: usize,
    only: &str,
) -> anyhow::Result<()> {
    let mut faults = Vec::new();
    print(bystander::HEAD)?;
    for name in FLOODS.iter().filter(|name| name.contains(only)) {
        let hurt = match *name {
            "unread replays" => {
                let shopper = replays::Shopper::with_events(stack).await?;
                watch(stack, name, held, shopper.unread(stack, held.time)).await
            }
            "replays from far back" => {
                let shopper = replays::Shopper::with_events(stack).await?;
                watch(stack, name, held, shopper.again(stack, held.time)).await
            }
            _ => {
                let flood = connections::hold(stack, name, connections, held.time);
                watch(stack, name, held, flood).await
            }
        };
        faults.extend(hurt.err().map(|error| error.to_string()));
        sleep(Duration::from_secs(2)).await;
    }
    stack.check_processes()?;
    ensure!(
        faults.is_empty(),
        "{} floods hurt a normal user\n{}",
        faults.len(),
        faults.join("\n")
    );
    Ok(())
}
