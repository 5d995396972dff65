//! Several brokers on one machine that are a cluster: each is broker and controller, with a data folder, ports, a log and a
//! pid file of its own, so that each can be killed alone.
//!
//! With three, one may be killed, frozen or emptied: what was acknowledged is on two, and two controllers are a majority.

use std::path::{Path, PathBuf};

use futures::future::try_join_all;

use super::{Kafka, Settings, fetch, member::Member};
use crate::{Error, Progress, port};

/// Where the brokers of a cluster run.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    /// The folder in which each has its own, `kafka-N`.
    pub root: &'a Path,
    /// The folder of their pid files, `kafka-N.pid`.
    pub run: PathBuf,
    /// The port of the first; the others', and after them the controllers', follow. 0 takes free ones.
    pub port: u16,
    /// Where jars and the class data archive are kept.
    pub cache: PathBuf,
}

/// The ports of the brokers, and those of their controllers.
#[must_use]
pub fn ports(first: u16, brokers: usize) -> (Vec<u16>, Vec<u16>) {
    let all = || (0..brokers).map(|_| port::free()).collect();
    if first == 0 {
        return (all(), all());
    }
    let mut following = (first..=u16::MAX).take(2 * brokers);
    (
        following.by_ref().take(brokers).collect(),
        following.collect(),
    )
}

/// Fetches what is missing, starts so many brokers together and waits until each answers.
///
/// # Errors
/// As [`Kafka::start`].
///
/// # Cancel safety
/// Dropping the future leaves no process behind.
pub async fn start(
    place: &Place<'_>,
    brokers: usize,
    progress: &Progress,
) -> Result<Vec<Kafka>, Error> {
    // Once, before all of them would.
    fetch(&place.cache, progress).await?;
    crate::state::create_private(&place.run)?;
    let (ports, controllers) = ports(place.port, brokers);
    let starts = ports.into_iter().zip(1..).map(|(port, id)| {
        let name = format!("kafka-{id}");
        let settings = Settings {
            dir: place.root.join(&name),
            log: place.root.join("logs").join(format!("{name}.log")),
            port,
            cache: place.cache.clone(),
            cleanup: None,
            member: Some(Member {
                id,
                controllers: controllers.clone(),
                pid_file: place.run.join(format!("{name}.pid")),
            }),
        };
        Kafka::start(settings, progress)
    });
    try_join_all(starts).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_ports_of_its_own() {
        let (brokers, controllers) = ports(9092, 3);
        assert_eq!(brokers, [9092, 9093, 9094]);
        assert_eq!(controllers, [9095, 9096, 9097]);
        let member = Member {
            id: 2,
            controllers,
            pid_file: PathBuf::new(),
        };
        assert_eq!(member.controller(), 9096);
        assert_eq!(
            member.voters(),
            "1@127.0.0.1:9095,2@127.0.0.1:9096,3@127.0.0.1:9097"
        );
    }
}
