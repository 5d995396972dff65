//! The stack's processes as `compose.yaml` describes them, started in the order that it demands, and a checkout through
//! the proxy over both routers.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use dev_services::Progress;
use dev_services::child::Supervised;
use futures::StreamExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Collector, Services, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::file::{OURS, model, services};
use super::proxy;
use super::service::Fixture;
use crate::observability::read;
use crate::shop::{install_tls, new_user};

/// The processes with the addresses of their replicas. Each service has loopback addresses of its own, so that every
/// port is the container's.
struct Stack {
    folder: TempDir,
    stores: Services,
    collector: Collector,
    running: Vec<(&'static str, Ipv4Addr, Supervised)>,
    proxy: Ipv4Addr,
    http: reqwest::Client,
}

/// The address of a replica: apart from every other run's.
fn address(service: usize, replica: usize) -> Ipv4Addr {
    let run = u8::try_from(std::process::id() % 200).unwrap() + 20;
    let last = u8::try_from(service * 10 + replica + 1).unwrap();
    Ipv4Addr::new(127, 77, run, last)
}

impl Stack {
    async fn start() -> Self {
        install_tls();
        let folder = TempDir::with_prefix("marketplace-compose-").unwrap();
        let stores = Services::start(&Progress::silent()).await.unwrap();
        let collector = Collector::start().await;
        let fixture = fixture(folder.path(), &stores, &collector);
        let model = model();
        fixture.run_to_end("migrate", &services(&model)["migrate"]);
        let mut stack = Self {
            folder,
            stores,
            collector,
            running: Vec::new(),
            proxy: address(OURS.len(), 0),
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(30))
                .build()
                .unwrap(),
        };
        stack.start_services(&fixture, &model).await;
        stack
    }

    /// Starts each service when what it depends on is healthy.
    async fn start_services(&mut self, fixture: &Fixture, model: &Value) {
        let mut waiting: Vec<(usize, &'static str)> = OURS
            .into_iter()
            .enumerate()
            .filter(|(_, name)| *name != "migrate")
            .collect();
        while !waiting.is_empty() {
            let started: Vec<&str> = self.running.iter().map(|(name, ..)| *name).collect();
            let is_ready = |name: &str| {
                let needed = services(model)[name]["depends_on"]
                    .as_object()
                    .into_iter()
                    .flatten();
                needed
                    .map(|(name, _)| name.as_str())
                    .filter(|name| OURS.contains(name) && *name != "migrate")
                    .all(|name| started.contains(&name))
            };
            let next = waiting
                .iter()
                .position(|(_, name)| is_ready(name))
                .expect("no service waits for itself");
            let (index, name) = waiting.remove(next);
            let service = &services(model)[name];
            let replicas = service["deploy"]["replicas"].as_u64().unwrap_or(1);
            for replica in 0..usize::try_from(replicas).unwrap() {
                let own = address(index, replica);
                let child = fixture.start(name, service, own).await;
                self.running.push((name, own, child));
            }
        }
        let child = proxy::start(self.folder.path(), self.proxy, &self.addresses("router"));
        self.running.push(("proxy", self.proxy, child));
        let url = self.url(4000, "/readyz");
        eventually(
            "the proxy has a router",
            Duration::from_secs(20),
            async || {
                self.http
                    .get(&url)
                    .send()
                    .await
                    .ok()?
                    .status()
                    .is_success()
                    .then_some(())
            },
        )
        .await;
    }

    fn addresses(&self, service: &str) -> Vec<Ipv4Addr> {
        let found = self.running.iter().filter(|(name, ..)| *name == service);
        found.map(|(_, address, _)| *address).collect()
    }

    /// A URL of the proxy.
    fn url(&self, port: u16, path: &str) -> String {
        format!("http://{}:{port}{path}", self.proxy)
    }

    async fn token(&self, user: i64) -> String {
        let body = json!({"user": user.to_string(), "ops": false});
        let answer = self
            .http
            .post(self.url(4000, "/demo/token"))
            .json(&body)
            .send()
            .await
            .unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["token"].as_str().expect("a token").to_owned()
    }

    async fn graphql(&self, token: &str, query: &str) -> Value {
        let request = self
            .http
            .post(self.url(4000, "/graphql"))
            .bearer_auth(token);
        let answer = request.json(&json!({"query": query})).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert!(answer.get("errors").is_none(), "{query}: {answer}");
        answer["data"].clone()
    }

    /// Opens a subscription and reads until `text` has come.
    async fn watch_until(&self, token: &str, query: &str, text: &str) {
        let request = self
            .http
            .post(self.url(4000, "/graphql"))
            .bearer_auth(token);
        let request = request
            .header("accept", "text/event-stream")
            .json(&json!({"query": query}));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let (mut body, mut seen) = (answer.bytes_stream(), String::new());
        while !seen.contains(text) {
            let chunk = tokio::time::timeout(Duration::from_secs(20), body.next()).await;
            let chunk = chunk.unwrap_or_else(|_| panic!("no {text} in {seen}"));
            seen.push_str(&String::from_utf8_lossy(
                &chunk.expect("the stream stays open").unwrap(),
            ));
        }
    }

    /// Stops everything in the reverse order of the start.
    async fn stop(mut self) {
        while let Some((_, _, mut child)) = self.running.pop() {
            child.stop(Duration::from_secs(10)).await;
        }
        self.stores.stop().await;
    }
}

/// Secrets as files, and names that lead to this machine's stores.
fn fixture(folder: &Path, stores: &Services, collector: &Collector) -> Fixture {
    let [(_, postgres), (_, kafka)] = stores.environment();
    let secrets = folder.join("secrets");
    std::fs::create_dir(&secrets).unwrap();
    std::fs::create_dir(folder.join("state")).unwrap();
    // By the name alone, as whoever the service's own secret makes it.
    let mut server = reqwest::Url::parse(&postgres).unwrap();
    server.set_username("").unwrap();
    server.set_password(None).unwrap();
    server.set_path("/");
    std::fs::write(secrets.join("postgres_url"), postgres).unwrap();
    for role in ["loms", "cart", "comments", "notifier"] {
        let file = secrets.join(format!("{role}_database"));
        std::fs::write(file, format!("{role}'s of the test")).unwrap();
    }
    std::fs::write(secrets.join("product_key"), "a key of the test's own").unwrap();
    let addresses: BTreeMap<String, Ipv4Addr> = OURS
        .iter()
        .enumerate()
        .map(|(index, name)| ((*name).to_owned(), address(index, 0)))
        .collect();
    let tests = std::env::current_exe().unwrap();
    Fixture {
        folder: folder.to_owned(),
        programs: tests.parent().and_then(Path::parent).unwrap().to_owned(),
        addresses,
        outside: vec![
            ("kafka:29092".to_owned(), kafka),
            ("postgres://postgres:5432/".to_owned(), server.into()),
            ("http://collector:4317".to_owned(), collector.endpoint()),
        ],
    }
}

/// Each process runs with its container's command and environment, and is healthy by its container's own check. What
/// differs is named in [`Fixture`]: addresses, the folders of state and secrets, Postgres and Kafka.
///
/// Seen red with a misspelt variable, and with the path of a health check changed.
#[tokio::test]
async fn the_stack_of_compose_takes_an_order_through_the_proxy_and_outlives_a_router() {
    let mut stack = Stack::start().await;
    let user = new_user();
    let token = stack.token(user).await;
    let add = "mutation { addToCart(input: {sku: \"1076963\", count: 1}) { cart { itemCount } userErrors { code } } }";
    stack.graphql(&token, add).await;
    let checkout = stack
        .graphql(
            &token,
            "mutation { checkout { order { id status } userErrors { code } } }",
        )
        .await;
    let order = &checkout["checkout"]["order"];
    assert_eq!(order["status"], "AWAITING_PAYMENT", "{checkout}");
    let id = order["id"].as_str().unwrap();
    let watch = format!("subscription {{ orderEvents(orderId: \"{id}\") {{ kind status }} }}");
    stack.watch_until(&token, &watch, "SNAPSHOT").await;
    socket_opens(stack.proxy).await;
    let rest = stack
        .http
        .get(stack.url(8081, &format!("/order/info?orderId={id}")))
        .send()
        .await
        .unwrap();
    assert_eq!(rest.status(), 200);
    connected_as_roles(&stack);
    traces_arrive(&stack).await;
    prometheus_finds_metrics(&stack).await;

    // One router less: the proxy sees it, and clients go on.
    let first = stack
        .running
        .iter()
        .position(|(name, ..)| *name == "router")
        .unwrap();
    let (_, _, mut router) = stack.running.remove(first);
    router.stop(Duration::from_secs(10)).await;
    let pay = format!(
        "mutation {{ payOrder(input: {{orderId: \"{id}\"}}) {{ order {{ status }} userErrors {{ code }} }} }}"
    );
    let paid = stack.graphql(&token, &pay).await;
    assert_eq!(paid["payOrder"]["order"]["status"], "PAID", "{paid}");
    stack.watch_until(&token, &watch, "PAID").await;
    stack.stop().await;
}

/// The handshake of a WebSocket passes the proxy.
async fn socket_opens(proxy: Ipv4Addr) {
    let mut socket = tokio::net::TcpStream::connect((proxy, 4000)).await.unwrap();
    let hello = "GET /graphql HTTP/1.1\r\nHost: 127.0.0.1:4000\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                 Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n";
    socket.write_all(hello.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
}

/// Each service is connected as its own role, and none as the owner of the databases.
fn connected_as_roles(stack: &Stack) {
    let [(_, postgres), _] = stack.stores.environment();
    let sql = "select distinct usename from pg_stat_activity where application_name like 'marketplace-%' order by 1";
    let output = std::process::Command::new("psql")
        .args(["-At", &postgres, "-c", sql])
        .output()
        .unwrap();
    let connected = String::from_utf8_lossy(&output.stdout).into_owned();
    let roles: Vec<&str> = connected.lines().collect();
    let own = ["cart", "comments", "loms", "notifier"].map(|it| format!("marketplace_{it}"));
    assert_eq!(roles, own, "{}", String::from_utf8_lossy(&output.stderr));
}

/// Every process sends its spans to the collector that its environment names.
async fn traces_arrive(stack: &Stack) {
    for name in [
        "fetch loms",
        "subgraph cart",
        "subgraph loms",
        "handle order event",
    ] {
        eventually(
            &format!("a span {name}"),
            Duration::from_secs(20),
            async || stack.collector.names().contains(name).then_some(()),
        )
        .await;
    }
}

/// Each job of Prometheus' configuration finds every replica at the port that it names.
async fn prometheus_finds_metrics(stack: &Stack) {
    let file = read("observability/prometheus/prometheus.yml");
    let mut scraped = 0;
    for job in file.split("names: [").skip(1) {
        let (name, rest) = job.split_once("], type: A, port: ").expect("a job by name");
        let (port, _) = rest.split_once(',').expect("a port");
        for address in stack.addresses(name) {
            let url = format!("http://{address}:{port}/metrics");
            let answer = stack.http.get(&url).send().await.unwrap();
            let text = answer.text().await.unwrap();
            assert!(text.contains("marketplace_build_info"), "{name}: {url}");
            scraped += 1;
        }
    }
    assert_eq!(
        scraped,
        2 + 1 + 1 + 1 + 3 + 1,
        "every process of ours is scraped"
    );
}
