//! One suite of the audit: a supergraph, a router on it, and its cases.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::bail;
use reqwest::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    process::Process,
    proxy::Proxy,
    report::{Outcome, Report},
};

const START: Duration = Duration::from_secs(60);

/// The router that is audited.
#[derive(Debug)]
pub(crate) struct Router<'a> {
    /// The marketplace binary.
    pub(crate) binary: &'a Path,
    /// Another router's command line, which goes before it.
    pub(crate) command: Option<&'a str>,
    /// Where it listens.
    pub(crate) port: u16,
}

/// A case as the audit's server tells it.
#[derive(Debug, Deserialize)]
struct Case {
    query: String,
    expected: Expected,
}

#[derive(Debug, Deserialize)]
struct Expected {
    #[serde(default)]
    data: Value,
    /// Whether there are errors; unset, they do not matter.
    errors: Option<bool>,
}

/// Runs all cases of a suite.
///
/// # Errors
/// When the router does not start, or the audit's server is no longer there.
pub(crate) async fn run(
    id: &str,
    tests: &str,
    router: &Router<'_>,
    proxy: &Proxy,
    report: &mut Report,
) -> anyhow::Result<()> {
    let server = &proxy.server;
    let cases = reqwest::get(format!("{server}/{id}/{tests}")).await?;
    let cases: Vec<Case> = cases.json().await?;
    let supergraph = reqwest::get(format!("{server}/{id}/supergraph")).await?;
    let folder = TempDir::new()?;
    let file = folder.path().join("supergraph.graphql");
    std::fs::write(&file, supergraph.text().await?.replace(server, &proxy.url))?;
    let _process = Process::start("the router", router.command(&file, folder.path()))?;
    let client = Client::builder().timeout(Duration::from_secs(10)).build()?;
    let url = format!("http://127.0.0.1:{}/graphql", router.port);
    wait(&client, &url).await?;
    proxy.take_requests();
    let mut outcomes = Vec::new();
    for case in cases {
        let response = client.post(&url).json(&json!({ "query": case.query }));
        let received: Value = response.send().await?.json().await?;
        outcomes.push(Outcome {
            requests: proxy.take_requests(),
            has_passed: case.expected.is(&received),
            query: case.query,
            expected: case.expected.data,
            received,
        });
    }
    report.add(id, outcomes);
    Ok(())
}

impl Router<'_> {
    fn command(&self, supergraph: &Path, state: &Path) -> Command {
        if let Some(line) = self.command {
            let line = line.replace("{supergraph}", &supergraph.display().to_string());
            let line = line.replace("{port}", &self.port.to_string());
            let mut command = Command::new("sh");
            command.args(["-c", &format!("exec {line}")]);
            return command;
        }
        let mut command = Command::new(self.binary);
        command.arg("router").arg("--state-dir").arg(state);
        command.args(["--port-offset", &(self.port - 4000).to_string()]);
        let supergraph = format!("router.supergraph={}", supergraph.display());
        command.args(["--set", &supergraph]);
        // One caller asks everything, some of it larger than is good for a shop.
        command.args(["--set", "router.rate_limit.enabled=false"]);
        command.args(["--set", "router.engine.limits.cost=1000000"]);
        command.args(["--set", "router.engine.limits.directives=100"]);
        command.args(["--set", "router.engine.limits.aliases=200"]);
        command.args(["--set", "telemetry.log_filter=error"]);
        command
    }
}

impl Expected {
    fn is(&self, received: &Value) -> bool {
        let has_errors = received["errors"]
            .as_array()
            .is_some_and(|all| !all.is_empty());
        self.data == received["data"] && self.errors.is_none_or(|wanted| wanted == has_errors)
    }
}

/// Waits until the router answers a query that needs no subgraph.
async fn wait(client: &Client, url: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + START;
    while Instant::now() < deadline {
        let request = client.post(url).json(&json!({ "query": "{ __typename }" }));
        if let Ok(response) = request.send().await
            && let Ok(body) = response.json::<Value>().await
            && body["data"]["__typename"] == "Query"
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    bail!("the router does not answer at {url} after {START:?}")
}
