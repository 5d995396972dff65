//! A TCP load balancer as operators run one: it asks each replica whether it is ready, and sends new connections only
//! to those that are.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// How often a replica is asked; below the notice that a process gives before it stops listening.
const INTERVAL: Duration = Duration::from_millis(50);
/// How long a replica may take to say whether it is ready.
const PATIENCE: Duration = Duration::from_millis(300);
/// So many questions in a row without an answer mean not ready: one may be late on a busy machine.
const SILENT_MAX: u32 = 3;

/// A balancer in front of the replicas of one listener.
#[derive(Debug)]
pub(crate) struct Balancer {
    pub(crate) port: u16,
}

/// One replica's listener.
#[derive(Debug)]
struct Backend {
    address: SocketAddr,
    is_ready: AtomicBool,
}

impl Balancer {
    /// Listens on a free port, in front of replicas that each listen on a port and tell on another, by `/readyz`,
    /// whether they are ready.
    pub(crate) async fn start(replicas: &[(u16, u16)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .build()
            .unwrap();
        let mut backends = Vec::new();
        for (listens, tells) in replicas {
            let backend = Arc::new(Backend {
                address: ([127, 0, 0, 1], *listens).into(),
                is_ready: AtomicBool::new(false),
            });
            let url = format!("http://127.0.0.1:{tells}/readyz");
            spawn(watch(client.clone(), url, Arc::clone(&backend)));
            backends.push(backend);
        }
        spawn(accept(listener, backends));
        Self { port }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

async fn watch(client: reqwest::Client, url: String, backend: Arc<Backend>) {
    let mut silent = 0;
    loop {
        match client.get(&url).send().await {
            Err(error) if error.is_timeout() && silent < SILENT_MAX => silent += 1,
            answer => {
                silent = 0;
                let is_ready = answer.is_ok_and(|answer| answer.status() == 200);
                backend.is_ready.store(is_ready, Ordering::SeqCst);
            }
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn accept(listener: TcpListener, backends: Vec<Arc<Backend>>) {
    let next = AtomicUsize::new(0);
    while let Ok((mut client, _)) = listener.accept().await {
        let ready = backends.iter();
        let ready: Vec<SocketAddr> = ready
            .filter(|backend| backend.is_ready.load(Ordering::SeqCst))
            .map(|backend| backend.address)
            .collect();
        let turn = next.fetch_add(1, Ordering::Relaxed);
        spawn(async move {
            // One that takes no connection is passed over; without a replica the client's connection is closed.
            for number in 0..ready.len() {
                let address = ready[(turn + number) % ready.len()];
                if let Ok(mut server) = TcpStream::connect(address).await {
                    // The one who closes ends both.
                    drop(copy_bidirectional(&mut client, &mut server).await);
                    return;
                }
            }
        });
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "ends with the test's runtime; nothing is drained"
)]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(task));
}
