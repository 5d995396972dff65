//! A TCP proxy that can lose responses: requests arrive, responses do not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// A proxy in front of one port of this machine.
#[derive(Debug)]
pub(crate) struct DeafProxy {
    pub(crate) port: u16,
    losing: Arc<AtomicBool>,
}

impl DeafProxy {
    /// Listens on a free port; `target` may come and go.
    pub(crate) async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let losing = Arc::new(AtomicBool::new(false));
        spawn(accept(listener, target, Arc::clone(&losing)));
        Self { port, losing }
    }

    /// From now on answers are lost, or are no longer.
    pub(crate) fn lose_answers(&self, losing: bool) {
        self.losing.store(losing, Ordering::SeqCst);
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, losing: Arc<AtomicBool>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            return;
        };
        // Without a server the client's connection is closed, as if nobody listened.
        let Ok(server) = TcpStream::connect(target).await else {
            continue;
        };
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let losing = Arc::clone(&losing);
        spawn(async move {
            let never = AtomicBool::new(false);
            tokio::select! {
                () = pass(from_client, to_server, &never) => {}
                () = pass(from_server, to_client, &losing) => {}
            }
        });
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, losing: &AtomicBool) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if !losing.load(Ordering::SeqCst) && to.write_all(&buffer[..count]).await.is_err() {
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
