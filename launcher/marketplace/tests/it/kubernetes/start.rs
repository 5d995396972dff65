//! The pods as native processes: each with its pod's arguments, environment and mounted files, started in the profile
//! `production` on a durable Postgres with a standby, until its own readiness probe succeeds; then a purchase through them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chassis::clock::Clock;
use chassis::principal::{Scopes, Signer};
use dev_services::child::{Output, Supervised};
use dev_services::process::Signal;
use schema::id::UserId;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Replicated, eventually};

use super::manifests::{
    Mounts, container, environment, made_secrets, number, of_kind, pod, ports, text, texts,
    workloads,
};

/// In the order in which they need each other.
const PODS: [&str; 6] = [
    "product-service",
    "loms",
    "cart",
    "comments",
    "notifier",
    "router",
];

/// What stands for the cluster, and what is outside of it.
struct Stage {
    folder: TempDir,
    made: BTreeMap<(String, String), Vec<u8>>,
    /// In place of what the manifests name outside.
    outside: Vec<(&'static str, String)>,
    issuer: Signer,
}

/// The address of a pod, with the manifests' own ports: apart from every other run's.
fn address(name: &str) -> Ipv4Addr {
    let run = u8::try_from(std::process::id() % 200).unwrap() + 20;
    let index = PODS.iter().position(|it| *it == name);
    Ipv4Addr::new(
        127,
        78,
        run,
        u8::try_from(index.unwrap_or(100) + 1).unwrap(),
    )
}

impl Stage {
    async fn new(postgres: &Replicated) -> Self {
        let folder = TempDir::with_prefix("marketplace-pods-").unwrap();
        let owner = postgres.url("");
        let (_, hosts) = owner.rsplit_once('@').unwrap();
        let issuer = Signer::generate(Clock::system());
        let jwks = folder.path().join("issuer.json");
        std::fs::write(&jwks, json!({"keys": [issuer.jwk()]}).to_string()).unwrap();
        let outside = vec![
            ("MARKETPLACE_POSTGRES_URL", format!("postgres://{hosts}")),
            (
                "MARKETPLACE_KAFKA_BROKERS",
                testkit::kafka().await.to_owned(),
            ),
            ("MARKETPLACE_KAFKA_TOPIC", testkit::topic(2).await),
            ("MARKETPLACE_KAFKA_REPLICATION", "1".to_owned()),
            ("MARKETPLACE_KEYS_DISCOVERY_ENABLED", "false".to_owned()),
            ("MARKETPLACE_KEYS_JWKS", jwks.display().to_string()),
            ("MARKETPLACE_KEYS_ISSUER", "marketplace".to_owned()),
            // No node has to hear of it.
            ("MARKETPLACE_DRAIN_NOTICE", "300ms".to_owned()),
        ];
        let made = made_secrets(&owner);
        Self {
            folder,
            made,
            outside,
            issuer,
        }
    }

    /// The process of a workload, with these arguments.
    fn command(&self, name: &str, workload: &Value, arguments: &[&str]) -> Command {
        let mounts = Mounts::lay(self.folder.path().join(name), workload, &self.made);
        let mut set = environment(workload);
        // Whoever migrates has the owner's address from a file.
        let owns = set.contains_key("MARKETPLACE_POSTGRES_URL_FILE");
        for (variable, value) in &self.outside {
            if !(owns && *variable == "MARKETPLACE_POSTGRES_URL") {
                set.insert((*variable).to_owned(), value.clone());
            }
        }
        let here = set.into_iter().map(|(variable, value)| {
            let mut value = mounts.here(&value);
            value = value.replace("0.0.0.0", &address(name).to_string());
            for pod in PODS {
                value = value.replace(&format!("//{pod}:"), &format!("//{}:", address(pod)));
            }
            (variable, value)
        });
        let mut command = Command::new(env!("CARGO_BIN_EXE_marketplace"));
        command
            .args(arguments)
            .env_clear()
            .envs(here)
            .current_dir(self.folder.path());
        command
    }

    /// Runs what ends by itself; it must succeed.
    fn run_to_end(&self, name: &str, workload: &Value, arguments: &[&str]) {
        let output = self.command(name, workload, arguments).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {told}");
    }

    async fn start(&self, name: &'static str, workload: &Value) -> Supervised {
        let log = self.folder.path().join(format!("{name}.log"));
        let command = self.command(name, workload, &texts(&container(workload)["args"]));
        let output = Output::Log(&log);
        let mut child = Supervised::start(name, command, output, Signal::Term, None).unwrap();
        for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
            let asked = &container(workload)[probe]["httpGet"];
            let port = ports(workload)[text(&asked["port"])];
            let url = format!("http://{}:{port}{}", address(name), text(&asked["path"]));
            eventually(
                &format!("{name}: {probe}"),
                Duration::from_mins(1),
                async || {
                    assert!(
                        child.try_wait().is_none(),
                        "{name} ended:\n{}",
                        written(&log)
                    );
                    let answer = reqwest::get(&url).await.ok()?;
                    answer.status().is_success().then_some(())
                },
            )
            .await;
        }
        child
    }

    async fn graphql(&self, query: &str) -> Value {
        let user = UserId::try_from(7).unwrap();
        let token = self
            .issuer
            .user_token(user, Scopes::CUSTOMER, Duration::from_secs(300));
        let request = reqwest::Client::new()
            .post(format!("http://{}:4000/graphql", address("router")))
            .bearer_auth(token.expose())
            .json(&json!({"query": query}));
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert!(answer.get("errors").is_none(), "{query}: {answer}");
        answer["data"].clone()
    }
}

fn written(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap_or_default()
}

/// What differs from a pod is named in [`Stage`]: addresses, the folders of the mounts, Postgres, Kafka and the issuer.
#[tokio::test]
async fn the_pods_are_ready_in_production_sell_something_and_stop_in_their_time() {
    chassis::tls::install();
    let postgres = Replicated::start().await;
    let stage = Stage::new(&postgres).await;
    let job = &workloads()["migrate"];
    stage.run_to_end("migrate", job, &texts(&container(job)["args"]));
    // A trial's stocks, which the manifests leave to whoever tries.
    stage.run_to_end("seed", job, &["seed"]);

    let deployments = of_kind("Deployment");
    let mut running = Vec::new();
    for name in PODS {
        running.push((name, stage.start(name, &deployments[name]).await));
    }
    stage
        .graphql("mutation { addToCart(input: {sku: \"1076963\", count: 1}) { cart { itemCount } userErrors { code } } }")
        .await;
    let checkout = stage
        .graphql("mutation { checkout { order { status } userErrors { code } } }")
        .await;
    assert_eq!(
        checkout["checkout"]["order"]["status"], "AWAITING_PAYMENT",
        "{checkout}"
    );

    while let Some((name, mut child)) = running.pop() {
        let grace = number(&pod(&deployments[name])["terminationGracePeriodSeconds"]);
        let ended = child.stop(Duration::from_secs(grace)).await;
        let log = stage.folder.path().join(format!("{name}.log"));
        assert!(ended.success(), "{name}: {ended}\n{}", written(&log));
    }
    postgres.stop().await;
}
