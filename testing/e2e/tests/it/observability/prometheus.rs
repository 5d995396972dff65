//! The real Prometheus and its tools, as the distribution has them.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use dev_services::child::{Output, Supervised};
use dev_services::process::Signal;
use serde_json::Value;
use testkit::eventually;

use super::project;

const MISSING: &str = "is not installed: on Debian and Ubuntu `apt-get install prometheus` brings it, \
                       elsewhere https://prometheus.io/download/";

/// Runs a tool in the project's root; it must succeed. What it printed.
pub(crate) fn tool(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(name)
        .args(arguments)
        .current_dir(project(""))
        .output();
    let output = output.unwrap_or_else(|error| panic!("{name} {MISSING} ({error})"));
    let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}:\n{printed}");
    printed.into_owned()
}

/// A Prometheus that scrapes one target every second, with the project's rules.
#[derive(Debug)]
pub(super) struct Prometheus {
    address: String,
    child: Supervised,
    http: reqwest::Client,
}

impl Prometheus {
    /// Starts it in `folder`; `target` is `host:port`.
    pub(super) async fn start(folder: &Path, target: &str) -> Self {
        let rules = project("observability/prometheus/rules")
            .canonicalize()
            .unwrap();
        let config = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }}\n\
             rule_files: [\"{}/*.yml\"]\n\
             scrape_configs:\n  - job_name: marketplace\n    static_configs: [{{ targets: [\"{target}\"] }}]\n",
            rules.display()
        );
        let file = folder.join("prometheus.yml");
        std::fs::write(&file, config).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("tsdb").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .args(["--log.level=warn", "--enable-feature=exemplar-storage"]);
        let log = folder.join("prometheus.log");
        let child = Supervised::start("prometheus", command, Output::Log(&log), Signal::Term, None);
        let child = child.unwrap_or_else(|error| panic!("prometheus {MISSING} ({error})"));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let prometheus = Self {
            address,
            child,
            http,
        };
        eventually("Prometheus is ready", Duration::from_secs(30), async || {
            let ready = prometheus
                .http
                .get(format!("http://{}/-/ready", prometheus.address));
            ready.send().await.ok()?.status().is_success().then_some(())
        })
        .await;
        prometheus
    }

    /// Stops it.
    pub(super) async fn stop(mut self) {
        self.child.stop(Duration::from_secs(10)).await;
    }

    /// The field `data` of an answer of the API.
    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let url = format!("http://{}/api/v1/{path}", self.address);
        let answer = self.http.get(url).query(query).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["status"], "success", "{path} {query:?}: {answer}");
        answer["data"].clone()
    }

    /// The samples of an expression now, each `{"metric": {...}, "value": [at, "text"]}`.
    pub(super) async fn query(&self, expression: &str) -> Vec<Value> {
        let data = self.get("query", &[("query", expression)]).await;
        data["result"].as_array().cloned().unwrap_or_default()
    }

    /// Whether a selector finds a series.
    pub(super) async fn has_series(&self, selector: &str) -> bool {
        let data = self.get("series", &[("match[]", selector)]).await;
        data.as_array().is_some_and(|series| !series.is_empty())
    }

    /// Every rule, as `{"name": ..., "query": ..., "health": ..., "state": ...}`.
    pub(super) async fn rules(&self) -> Vec<Value> {
        let data = self.get("rules", &[]).await;
        let groups = data["groups"].as_array().cloned().unwrap_or_default();
        groups
            .iter()
            .flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default())
            .collect()
    }

    /// How many exemplars with a trace a metric's buckets have.
    pub(super) async fn exemplars(&self, metric: &str) -> usize {
        let query = [("query", metric), ("start", "0"), ("end", "4102444800")];
        let data = self.get("query_exemplars", &query).await;
        let series = data.as_array().cloned().unwrap_or_default();
        series
            .iter()
            .flat_map(|series| series["exemplars"].as_array().cloned().unwrap_or_default())
            .filter(|exemplar| exemplar["labels"]["trace_id"].is_string())
            .count()
    }
}
