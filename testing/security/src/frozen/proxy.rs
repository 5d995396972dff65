//! A proxy before Postgres that lets a connection of the order service stand still in the middle of a transaction: both sides
//! stay open, and nothing passes any more, as when a machine on the way has gone without a word.

use std::{
    future::pending,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering::SeqCst},
    },
};

use chassis::tasks::Tasks;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf},
    sync::watch,
};

/// Where in a transaction the next connection stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Moment {
    /// It has begun, and no statement of it arrives.
    AfterBegin = 1,
    /// The server never hears of the commit.
    BeforeCommit = 2,
    /// The server has committed, and its client never hears of it.
    AfterCommit = 3,
}

/// What a startup message holds of a connection to the order service's database. Source: `PostgreSQL`, "Message Formats".
const LOMS: &[u8] = b"database\0loms\0";

/// What comes before it asks for encryption, which a server of ours declines.
const SSL_REQUEST_BYTES: usize = 8;

/// A running proxy.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    frost: Arc<Frost>,
}

/// What all connections share.
#[derive(Debug, Default)]
struct Frost {
    /// The [`Moment`] at which the next connection stops, once; 0 for never.
    armed: AtomicU8,
    frozen: AtomicU64,
}

impl Proxy {
    /// Listens on a free port of this machine.
    ///
    /// # Errors
    /// When there is none.
    pub(super) async fn start(server: SocketAddr, tasks: &Tasks) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let frost = Arc::new(Frost::default());
        let accepting = accept(listener, server, Arc::clone(&frost), tasks.clone());
        let _accepting = tasks.spawn("proxy", accepting);
        Ok(Self { address, frost })
    }

    /// From now on the next connection that comes to this moment of a transaction stops there.
    pub(super) fn arm(&self, moment: Moment) {
        self.frost.armed.store(moment as u8, SeqCst);
    }

    /// Connections that stand still, or stood.
    pub(super) fn frozen(&self) -> u64 {
        self.frost.frozen.load(SeqCst)
    }
}

impl Frost {
    /// Whether the connection that is at `moment` is the one that stops.
    fn takes(&self, moment: Moment) -> bool {
        let taken = self
            .armed
            .compare_exchange(moment as u8, 0, SeqCst, SeqCst)
            .is_ok();
        self.frozen.fetch_add(u64::from(taken), SeqCst);
        taken
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, frost: Arc<Frost>, tasks: Tasks) {
    while let Ok((client, _)) = listener.accept().await {
        let Ok(server) = TcpStream::connect(server).await else {
            continue;
        };
        let _connection = tasks.spawn("proxied", connection(client, server, Arc::clone(&frost)));
    }
}

/// Passes bytes on until one side closes.
async fn connection(client: TcpStream, server: TcpStream, frost: Arc<Frost>) {
    let _is_quick = client
        .set_nodelay(true)
        .and(server.set_nodelay(true))
        .is_ok();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (stop, stopped) = watch::channel(false);
    let there = async {
        let mut buffer = vec![0; 64 * 1024];
        let mut is_loms = None;
        while let Some(bytes) = read(&mut from_client, &mut buffer).await {
            if is_loms.is_none() && bytes.len() > SSL_REQUEST_BYTES {
                is_loms = Some(holds(bytes, LOMS));
            }
            let is_loms = is_loms == Some(true);
            if is_loms && holds(bytes, b"COMMIT") {
                if frost.takes(Moment::BeforeCommit) {
                    stand_still(&mut from_client, &stop).await;
                }
                if frost.takes(Moment::AfterCommit) {
                    let _is_heard = stop.send(true);
                }
            }
            if to_server.write_all(bytes).await.is_err() {
                return;
            }
            if is_loms && holds(bytes, b"BEGIN") && frost.takes(Moment::AfterBegin) {
                stand_still(&mut from_client, &stop).await;
            }
        }
    };
    let back = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Some(bytes) = read(&mut from_server, &mut buffer).await {
            if *stopped.borrow() {
                pending::<()>().await;
            }
            if to_client.write_all(bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = there => {}
        () = back => {}
    }
}

/// Takes what comes and passes nothing on, until the client closes; nor does anything come back.
async fn stand_still(from_client: &mut OwnedReadHalf, stop: &watch::Sender<bool>) {
    let _is_heard = stop.send(true);
    let mut buffer = vec![0; 1024];
    while read(from_client, &mut buffer).await.is_some() {}
}

async fn read<'a>(from: &mut OwnedReadHalf, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    match from.read(buffer).await {
        Ok(length) if length > 0 => Some(&buffer[..length]),
        _ => None,
    }
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}
