//! A TCP proxy whose open connections can be frozen: they stay open and carry nothing any more, as when a machine or the
//! network between has gone without a word. New ones work.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// A proxy in front of one port.
#[derive(Debug)]
pub struct FreezingProxy {
    /// Where it listens.
    pub address: SocketAddr,
    /// How often connections were frozen; one that is older than the last time is frozen.
    frost: Arc<AtomicUsize>,
}

impl FreezingProxy {
    /// Listens on a free port of this machine.
    ///
    /// # Panics
    /// When there is none.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("there is a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let frost = Arc::new(AtomicUsize::new(0));
        spawn(accept(listener, target, Arc::clone(&frost)));
        Self { address, frost }
    }

    /// Freezes the connections that are open, for good.
    pub fn freeze(&self) {
        self.frost.fetch_add(1, Ordering::SeqCst);
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, frost: Arc<AtomicUsize>) {
    while let Ok((client, _)) = listener.accept().await {
        let Ok(server) = TcpStream::connect(target).await else {
            continue;
        };
        let born = frost.load(Ordering::SeqCst);
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let (here, there) = (Arc::clone(&frost), Arc::clone(&frost));
        spawn(async move {
            tokio::select! {
                () = pass(from_client, to_server, born, &here) => {}
                () = pass(from_server, to_client, born, &there) => {}
            }
        });
    }
}

/// Passes bytes on until one side closes; a frozen connection takes them, and its end, and passes nothing on.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, born: usize, frost: &AtomicUsize) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        if frost.load(Ordering::SeqCst) != born {
            return std::future::pending().await;
        }
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "ends with the test's runtime; nothing is drained"
)]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(task));
}
