//! A herd: thousands of order streams that all break at one moment and come back at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use bench::server::Server;
use rand::Rng as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::mix::Shoppers;

const STREAM: &str = r#"{"query":"subscription { myOrderEvents { cursor } }"}"#;
/// How long all of them may take to be open; a stream that is not answered within it is tried again.
const PATIENCE: Duration = Duration::from_secs(60);

/// The streams, each a connection of its own that reads events until it is told to break.
#[derive(Debug)]
pub(crate) struct Herd {
    size: usize,
    open: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    generation: watch::Sender<u64>,
    _streams: JoinSet<()>,
}

impl Herd {
    /// Begins to open `size` streams of the shoppers.
    pub(crate) fn gather(server: &Server, shoppers: &Shoppers, size: usize) -> Self {
        let (generation, seen) = watch::channel(0);
        let (open, refused) = (Arc::default(), Arc::default());
        let address = server.address(4000);
        let mut streams = JoinSet::new();
        for number in 0..size {
            let member = Member {
                address: address.clone(),
                request: request(&address, shoppers.token(number)),
                open: Arc::clone(&open),
                refused: Arc::clone(&refused),
            };
            streams.spawn(member.live(seen.clone()));
        }
        Self {
            size,
            open,
            refused,
            generation,
            _streams: streams,
        }
    }

    /// Breaks all of them at once; they come back by themselves.
    pub(crate) fn scatter(&self) {
        self.open.store(0, Relaxed);
        self.generation.send_modify(|it| *it += 1);
    }

    /// Waits until all are open, and gives how long that took.
    ///
    /// # Errors
    /// When they are not within a minute.
    pub(crate) async fn gathered(&self) -> anyhow::Result<Duration> {
        let since = Instant::now();
        while self.open.load(Relaxed) < self.size {
            let open = self.open.load(Relaxed);
            ensure!(
                since.elapsed() < PATIENCE,
                "{open} of {} streams are open after {PATIENCE:?}",
                self.size
            );
            sleep(Duration::from_millis(20)).await;
        }
        Ok(since.elapsed())
    }

    /// How often one of them was told to come again.
    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Relaxed)
    }
}

fn request(address: &str, token: &str) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\naccept: text/event-stream\r\ncontent-length: {}\r\n\r\n{STREAM}",
        STREAM.len()
    )
}

struct Member {
    address: String,
    request: String,
    open: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

impl Member {
    async fn live(self, mut generation: watch::Receiver<u64>) {
        loop {
            let now = *generation.borrow_and_update();
            match timeout(PATIENCE, self.connect()).await {
                Ok(Ok(Some(mut stream))) => {
                    // One that opens while all break belongs to those that broke.
                    if *generation.borrow() == now {
                        self.open.fetch_add(1, Relaxed);
                        read_until_broken(&mut stream, &mut generation).await;
                    }
                }
                Ok(Ok(None)) => {
                    self.refused.fetch_add(1, Relaxed);
                    let pause = rand::rng().random_range(1_000..2_000);
                    sleep(Duration::from_millis(pause)).await;
                }
                Ok(Err(_)) | Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Opens it; nothing when it was refused.
    async fn connect(&self) -> std::io::Result<Option<TcpStream>> {
        let mut stream = TcpStream::connect(&self.address).await?;
        stream.write_all(self.request.as_bytes()).await?;
        let mut head = [0; 1_024];
        let read = stream.read(&mut head).await?;
        Ok(head[..read].starts_with(b"HTTP/1.1 200").then_some(stream))
    }
}

async fn read_until_broken(stream: &mut TcpStream, generation: &mut watch::Receiver<u64>) {
    let mut frames = [0; 1_024];
    loop {
        tokio::select! {
            _ = generation.changed() => return,
            read = stream.read(&mut frames) => if !matches!(read, Ok(1..)) { return },
        }
    }
}
