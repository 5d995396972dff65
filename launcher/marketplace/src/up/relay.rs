//! A way to the private Postgres that can be made slow, for the fault `postgres-slow-500ms` of the console.
//!
//! In: connections of the services, of whatever process. Out: the same bytes to Postgres and back; those of a client wait as
//! long as the relay is told to. Nothing is lost, held back for ever or put in another order. It is there only where
//! `console.postgres_relay_enabled` asks for it: every statement makes one hop more.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use chassis::tasks::Tasks;
use tokio::io::{self, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;

/// What is read at once from a client; each such piece waits.
const PIECE: usize = 16 * 1024;

/// A listener before Postgres. Clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Relay {
    /// The address of Postgres over the relay, password included.
    url: String,
    delay_ms: Arc<AtomicU64>,
}

impl Relay {
    /// Listens on a free port of this machine, before the server of `url`, until `tasks` is cancelled.
    ///
    /// # Errors
    /// When `url` is no address, or no port is free.
    pub(crate) async fn start(url: &str, tasks: &Tasks) -> anyhow::Result<Self> {
        let mut url = Url::parse(url).context("the address of Postgres")?;
        let host = url.host_str().unwrap_or("127.0.0.1").to_owned();
        let server = (host, url.port().unwrap_or(5432));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("a port for the relay to Postgres")?;
        let own: SocketAddr = listener.local_addr().context("the relay's address")?;
        url.set_ip_host(own.ip()).ok().context("the relay's host")?;
        url.set_port(Some(own.port()))
            .ok()
            .context("the relay's port")?;
        let delay_ms = Arc::new(AtomicU64::new(0));
        let (stop, accepting) = (tasks.token(), accept(listener, server, delay_ms.clone()));
        drop(tasks.spawn("relay to postgres", async move {
            stop.run_until_cancelled(accepting).await;
        }));
        let url = url.into();
        Ok(Self { url, delay_ms })
    }

    /// The address of Postgres over the relay, password included.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Makes what is sent from now on wait so long, to the millisecond.
    pub(crate) fn slow_by(&self, delay: Duration) {
        let ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.delay_ms.store(ms, Ordering::Relaxed);
    }
}

async fn accept(listener: TcpListener, server: (String, u16), delay_ms: Arc<AtomicU64>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    let (server, delay_ms) = (server.clone(), delay_ms.clone());
                    connections.spawn(async move {
                        if let Err(error) = pass(client, server, &delay_ms).await {
                            tracing::debug!(%error, "a connection over the relay to Postgres broke");
                        }
                    });
                }
                // No descriptor is free, or the client has gone already.
                Err(error) => {
                    tracing::warn!(%error, "the relay to Postgres cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection, until either side closes it.
async fn pass(client: TcpStream, server: (String, u16), delay_ms: &AtomicU64) -> io::Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, mut to_client) = client.into_split();
    let (mut from_server, to_server) = server.into_split();
    tokio::select! {
        sent = slowly(from_client, to_server, delay_ms) => sent,
        answered = io::copy(&mut from_server, &mut to_client) => answered.map(|_| ()),
    }
}

async fn slowly(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay_ms: &AtomicU64,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let read = from.read(&mut piece).await?;
        if read == 0 {
            return Ok(());
        }
        let delay = Duration::from_millis(delay_ms.load(Ordering::Relaxed));
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        to.write_all(&piece[..read]).await?;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// A server that answers with what it is told, and its address as Postgres's.
    async fn echo(tasks: &Tasks) -> String {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(tasks.spawn("echo", async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (mut from, mut to) = client.split();
                drop(io::copy(&mut from, &mut to).await);
            }
        }));
        format!("postgres://user:secret@127.0.0.1:{port}/loms?application_name=x")
    }

    #[tokio::test]
    async fn what_is_sent_comes_whole_and_late_while_it_is_slow() {
        let tasks = Tasks::new();
        let server = echo(&tasks).await;
        let relay = Relay::start(&server, &tasks).await.unwrap();
        let (old, new) = (
            Url::parse(&server).unwrap(),
            Url::parse(relay.url()).unwrap(),
        );
        assert_ne!(old.port(), new.port());
        assert_eq!(
            (old.username(), old.password(), old.path(), old.query()),
            (new.username(), new.password(), new.path(), new.query())
        );
        let address = (Ipv4Addr::LOCALHOST, new.port().unwrap());
        let mut client = TcpStream::connect(address).await.unwrap();
        let text: Vec<u8> = (0..100_000_u32).map(|it| it.to_le_bytes()[0]).collect();
        let mut answer = vec![0; text.len()];
        let (mut from, mut to) = client.split();
        let (sent, heard) = tokio::join!(to.write_all(&text), from.read_exact(&mut answer));
        sent.unwrap();
        heard.unwrap();
        assert!(text == answer, "the same bytes");

        relay.slow_by(Duration::from_millis(30));
        let asked = Instant::now();
        client.write_all(b"?").await.unwrap();
        client.read_exact(&mut answer[..1]).await.unwrap();
        assert!(asked.elapsed() >= Duration::from_millis(30));
    }
}
