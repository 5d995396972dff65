//! Finds the server that takes writes among the hosts of an address.
//!
//! All are asked at the same time. Of several that take writes the one on the highest timeline is the primary: each promotion
//! raises it, so an old primary that wakes up beside its successor is told by that, and nothing is written to it.

use std::{io::ErrorKind, time::Duration};

use futures::{StreamExt as _, stream::FuturesUnordered};
use sea_orm::DbErr;
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    address::{Address, Wanted},
    config::Config,
    error::{StoreError, no_answer},
    link::Link,
    sql::Sql,
};
use crate::{config::Secret, fault, row, sql};

/// How long a server may take to open a connection and say what it is.
const OPENING: Duration = Duration::from_secs(2);
/// How much longer the others have when one has been found.
const OTHERS: Duration = Duration::from_millis(500);

row! {
    /// What a server says about itself.
    #[derive(Clone)]
    pub(crate) struct Place {
        /// Its time.
        pub(crate) now: chrono::DateTime<chrono::Utc>,
        /// A standby, or a server that was told to take no writes.
        pub(crate) is_read_only: bool,
        /// Its timeline; 0 of a standby.
        pub(crate) timeline: i64,
        /// Whether its commits wait until a standby has them, too.
        pub(crate) waits_for_standby: bool,
    }
}

pub(crate) static PLACE: Sql<(), Place> = sql!("place.sql");

/// A primary, and an open connection to it.
pub(super) struct Found {
    pub(super) connection: PgConnection,
    pub(super) place: Place,
    /// Its place in the list.
    pub(super) host: usize,
}

/// The primary among `hosts`, no older than timeline `least`.
///
/// # Errors
/// Why none of them is, host by host, within two seconds.
pub(super) async fn find(hosts: &[PgConnectOptions], least: i64) -> Result<Found, DbErr> {
    let mut until = Instant::now() + OPENING;
    let mut asked: FuturesUnordered<_> = hosts
        .iter()
        .enumerate()
        .map(|(host, options)| async move { (host, ask(options).await) })
        .collect();
    let (mut best, mut refusals): (Option<Found>, _) = (None, Vec::new());
    let mut silent: Vec<usize> = (0..hosts.len()).collect();
    while let Ok(Some((host, answer))) = timeout_at(until, asked.next()).await {
        silent.retain(|it| *it != host);
        match answer.and_then(|(connection, place)| {
            let is_fit = fit(&place, least);
            is_fit.map(|()| Found {
                connection,
                place,
                host,
            })
        }) {
            Ok(found) => {
                until = until.min(Instant::now() + OTHERS);
                let is_newer = |it: &Found| it.place.timeline < found.place.timeline;
                if best.as_ref().is_none_or(is_newer) {
                    best = Some(found);
                }
            }
            Err(why) => refusals.push(told(&hosts[host], &why)),
        }
    }
    if let Some(found) = best {
        return Ok(found);
    }
    refusals.extend(silent.iter().map(|it| told(&hosts[*it], "no answer")));
    let why = format!("none takes writes: {}", refusals.join("; "));
    Err(no_answer(ErrorKind::NotConnected, why))
}

fn told(host: &PgConnectOptions, why: &str) -> String {
    format!("{}:{} {why}", host.get_host(), host.get_port())
}

/// Why a server is not the primary.
fn fit(place: &Place, least: i64) -> Result<(), String> {
    let timeline = place.timeline;
    if place.is_read_only {
        return Err("is read-only".to_owned());
    }
    if timeline < least {
        return Err(format!(
            "is on timeline {timeline}, but a primary on {least} was there: it was replaced"
        ));
    }
    Ok(())
}

async fn ask(options: &PgConnectOptions) -> Result<(PgConnection, Place), String> {
    let asked = async {
        let mut connection = PgConnection::connect_with(options).await?;
        let place = place(&mut connection).await?;
        Ok((connection, place))
    };
    match timeout(OPENING, asked).await {
        Ok(answer) => answer.map_err(|error: sqlx::Error| fault::chain(&error)),
        Err(_) => Err("no answer".to_owned()),
    }
}

/// What the server of a connection says about itself.
pub(super) async fn place(connection: &mut PgConnection) -> Result<Place, sqlx::Error> {
    let asked = sqlx::query_as(PLACE.text()).fetch_one(connection).await;
    asked.map(|(now, is_read_only, timeline, waits_for_standby)| Place {
        now,
        is_read_only,
        timeline,
        waits_for_standby,
    })
}

/// The URL of the server that takes writes, by itself, for somebody who takes only one host; the database is that of the
/// address, or else the one that every server has. Of one host nothing is asked.
///
/// # Errors
/// [`StoreError`] when the address is none, or no host takes writes within two seconds.
pub async fn primary_url(config: &Config) -> Result<Secret, StoreError> {
    let mut address = config.address()?;
    if address.database().is_none() {
        address = address.with_database("postgres");
    }
    let hosts = address.hosts();
    let found = match (hosts, address.wanted()) {
        ([_], Wanted::Any) => 0,
        _ => find(&options(&address)?, 0).await?.host,
    };
    let url = hosts.get(found).or(hosts.first());
    Ok(Secret::new(
        url.map(ToString::to_string).unwrap_or_default(),
    ))
}

fn options(address: &Address) -> Result<Vec<PgConnectOptions>, DbErr> {
    let each = address.hosts().iter().map(|url| url.as_str().parse());
    let each: Result<_, sqlx::Error> = each.collect();
    each.map_err(|error| DbErr::Custom(error.to_string()))
}

/// Moves a link to the primary that was found.
pub(super) async fn locate(link: &Link) -> Result<Found, DbErr> {
    let found = find(link.hosts(), link.timeline()).await?;
    link.move_to(found.host, found.place.timeline);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standby_and_a_replaced_primary_are_not_fit() {
        let place = |is_read_only, timeline| Place {
            now: chrono::DateTime::UNIX_EPOCH,
            is_read_only,
            timeline,
            waits_for_standby: false,
        };
        assert_eq!(fit(&place(false, 2), 2), Ok(()));
        assert_eq!(fit(&place(false, 3), 2), Ok(()));
        assert!(fit(&place(true, 0), 0).unwrap_err().contains("read-only"));
        assert!(fit(&place(false, 1), 2).unwrap_err().contains("replaced"));
    }

    #[tokio::test]
    async fn one_host_is_not_asked_and_has_a_database_that_every_server_has() {
        for (given, found) in [
            ("postgres://a:b@host:1/", "postgres://a:b@host:1/postgres"),
            ("postgres://a:b@host:1", "postgres://a:b@host:1/postgres"),
            ("postgres://a:b@host:1/shop", "postgres://a:b@host:1/shop"),
        ] {
            let config = Config {
                url: Secret::new(given.into()),
                ..Config::default()
            };
            assert_eq!(primary_url(&config).await.unwrap().expose(), found);
        }
    }

    #[tokio::test]
    async fn why_no_host_is_the_primary_is_told_of_each() {
        let config = Config {
            url: Secret::new("postgres://u:hidden@127.0.0.1:1,127.0.0.1:2/".into()),
            ..Config::default()
        };
        let error = primary_url(&config).await.unwrap_err();
        let told = fault::chain(&error);
        for part in ["127.0.0.1:1 ", "127.0.0.1:2 ", "none takes writes"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(!told.contains("hidden"));
    }
}
