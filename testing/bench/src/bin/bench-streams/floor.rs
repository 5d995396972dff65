//! The floor: a broadcaster that does nothing but write the same bytes to every subscriber, in a process of its own.
//!
//! What the router takes beyond it is the router's own. It broadcasts once for each line of its standard input.

use std::{
    io::Write as _,
    net::SocketAddr,
    path::Path,
    process::{Child, Stdio},
    sync::Arc,
};

use anyhow::Context as _;
use chassis::clock::Clock;
use chrono::SecondsFormat;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use bench::cores::Cores;

use crate::{frames::after, process::Process};

const OPENING: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n:\nid: c\nretry: 1000\n\n";

type Open = Arc<Mutex<Vec<TcpStream>>>;

/// Serves until its input ends.
///
/// # Errors
/// When the port is taken.
pub(crate) fn serve(address: SocketAddr) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let open = Open::default();
    let listener = runtime.block_on(TcpListener::bind(address))?;
    runtime.spawn(accept(listener, Arc::clone(&open)));
    for line in std::io::stdin().lines() {
        line?;
        let frame = frame();
        for socket in &*open.lock() {
            // A subscriber that takes nothing misses it: this is no product.
            let _is_written = socket.try_write(&frame).is_ok();
        }
    }
    Ok(())
}

async fn accept(listener: TcpListener, open: Open) {
    let mut greeted = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let open = Arc::clone(&open);
        while greeted.try_join_next().is_some() {}
        greeted.spawn(async move {
            if let Ok(socket) = greet(socket).await {
                open.lock().push(socket);
            }
        });
    }
}

async fn greet(mut socket: TcpStream) -> std::io::Result<TcpStream> {
    socket.set_nodelay(true)?;
    let (mut request, mut chunk) = (Vec::new(), [0; 2_048]);
    while after(&request, b"\r\n\r\n").is_none() {
        let read = socket.read(&mut chunk).await?;
        request.extend_from_slice(&chunk[..read]);
    }
    socket.write_all(OPENING).await?;
    Ok(socket)
}

/// As long as a frame of the router's.
fn frame() -> Vec<u8> {
    let at = Clock::system()
        .now()
        .to_rfc3339_opts(SecondsFormat::Micros, true);
    let cursor = "c".repeat(28);
    format!(
        "id: {cursor}\nevent: next\ndata: {{\"data\":{{\"allOrderEvents\":{{\"cursor\":\"{cursor}\",\"kind\":\"CHANGE\",\
         \"orderId\":\"1000\",\"version\":3,\"status\":\"PAID\",\"at\":\"{at}\"}}}},\"extensions\":{{\"cursor\":\"{cursor}\"}}}}\n\n"
    )
    .into_bytes()
}

/// A floor that runs.
#[derive(Debug)]
pub(crate) struct Floor {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Floor {
    /// Starts this program again, on the product's processors.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn start(cores: &Cores, address: SocketAddr) -> anyhow::Result<Self> {
        let this = std::env::current_exe()?;
        let process = cores
            .command(Path::new(&this))
            .args(["--floor", &address.to_string()])
            .stdin(Stdio::piped())
            .spawn()
            .context("the floor does not start")?;
        Ok(Self { process, address })
    }

    /// Broadcasts once.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn broadcast(&mut self) -> anyhow::Result<()> {
        let input = self.process.stdin.as_mut().context("no input")?;
        input.write_all(b"\n")?;
        Ok(input.flush()?)
    }

    /// For its processor time. `taskset` becomes what it starts, so the id is the floor's.
    pub(crate) fn process(&self) -> Process {
        Process(self.process.id())
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // It is ours alone, and has nothing to lose.
        let _is_ended = self.process.kill().and_then(|()| self.process.wait());
    }
}
