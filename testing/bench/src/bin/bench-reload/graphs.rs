//! The graphs that take each other's place: the shop's, and the same without a field that one stream asks for.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{bail, ensure};
use tokio::time::sleep;

use bench::server::Server;

const FIELD: &str = "\"\"\"Every status it had, oldest first.\"\"\"\n  history: [OrderStatusChange!]! @join__field(graph: LOMS)";
const LOADED: &str = "marketplace_router_supergraph_reloads_total{result=\"loaded\"}";
const PATIENCE: Duration = Duration::from_secs(30);

/// The file that the router reads, and how often it was replaced.
#[derive(Debug)]
pub(crate) struct Graphs {
    path: PathBuf,
    put: usize,
    with: String,
    without: String,
}

impl Graphs {
    /// Writes the shop's own graph there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn new(path: PathBuf) -> anyhow::Result<Self> {
        let with = schema::sdl::SUPERGRAPH.to_owned();
        // The state that `orderEvents` begins with asks for it, too.
        let without = with
            .replace(FIELD, "")
            .replace(" history { version at }", "");
        ensure!(without.len() < with.len(), "the graph has no Order.history");
        fs::write(&path, &with)?;
        Ok(Self {
            path,
            put: 0,
            with,
            without,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts another graph there and gives how long it takes until the router serves it.
    ///
    /// # Errors
    /// When it does not within half a minute.
    pub(crate) async fn put_next(&mut self, server: &Server) -> anyhow::Result<Duration> {
        let part = self.path.with_extension("part");
        let is_without = self.put.is_multiple_of(2);
        let text = if is_without {
            &self.without
        } else {
            &self.with
        };
        fs::write(&part, text)?;
        let start = Instant::now();
        fs::rename(&part, &self.path)?;
        self.put += 1;
        while start.elapsed() < PATIENCE {
            if loaded(server).await? == self.put {
                return Ok(start.elapsed());
            }
            sleep(Duration::from_millis(20)).await;
        }
        bail!("the router does not serve the graph after {PATIENCE:?}")
    }
}

/// How many graphs the router took in since its start.
async fn loaded(server: &Server) -> anyhow::Result<usize> {
    let page = reqwest::get(server.at(4001, "/metrics")).await?;
    let page = page.text().await?;
    let line = page.lines().find_map(|line| line.strip_prefix(LOADED));
    Ok(line.map_or(Ok(0), |count| count.trim().parse())?)
}
