//! The operator who replaces every process, one after another, while people shop.
//!
//! Each service gets a second replica beside the one of `up --processes`; then the first is told to stop, comes back,
//! and the second is told to stop. Balancers send new connections to whoever is ready.

mod balancer;

use std::path::Path;
use std::time::{Duration, Instant};

use dev_services::child::{Output, Supervised};
use dev_services::process::{Identity, Signal, send};
use load::{Arrivals, Load, Plan};
use schema::proto::loms::StocksInfoRequest;
use schema::proto::loms::loms_client::LomsClient;
use tempfile::TempDir;
use testkit::eventually;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use self::balancer::Balancer;
use crate::shop::{Arrangement, Shop, command, free_offset, install_tls};

/// Services with a port on which each tells whether it is ready.
const SERVICES: [(&str, u16); 6] = [
    ("product-service", 8082),
    ("loms", 4102),
    ("cart", 4101),
    ("comments", 4103),
    ("notifier", 4104),
    ("router", 4001),
];
/// A SKU of the seed.
const SKU: i64 = 139_275_865;
/// How long a process may take to come up on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
/// How long a process may take to end. Source: the promise in docs/reliability.md.
const EXIT_LIMIT: Duration = Duration::from_secs(10);

/// What stands between the replicas.
struct Balancers {
    graph: Balancer,
    rest: Balancer,
    grpc: Balancer,
    settings: Vec<String>,
}

impl Balancers {
    /// In front of the marketplaces at these two offsets.
    async fn start(offsets: [u16; 2]) -> Self {
        let before = async |listens: u16, tells: u16| {
            let replicas = offsets.map(|offset| (listens + offset, tells + offset));
            Balancer::start(&replicas).await
        };
        let mut settings = vec![
            // Long beside what a busy machine may add to the time for which clients keep an unused connection.
            "drain_notice=1s".to_owned(),
            // A disk to which many write stands still for seconds, and commits with it. That is waited for: what is looked for here
            // are requests that a replacement costs.
            "postgres.acquire_timeout=20s".to_owned(),
            "cart.loms_timeout=20s".to_owned(),
        ];
        for (setting, listens, tells, path) in [
            ("cart.product_url", 8082, 8082, ""),
            ("router.subgraph_urls.cart", 4101, 4101, "/graphql"),
            ("router.subgraph_urls.loms", 4102, 4102, "/graphql"),
            ("router.subgraph_urls.comments", 4103, 4103, "/graphql"),
        ] {
            let balancer = before(listens, tells).await;
            settings.push(format!("{setting}={}", balancer.url(path)));
            if setting == "cart.product_url" {
                settings.push(format!("loms.product_url={}", balancer.url(path)));
            }
        }
        let grpc = before(8083, 4102).await;
        settings.push(format!("cart.loms_url={}", grpc.url("")));
        Self {
            graph: before(4000, 4001).await,
            rest: before(8080, 4001).await,
            grpc,
            settings,
        }
    }
}

/// Nobody's request fails or has to be repeated, no stream misses or repeats a frame, and each process ends in time.
#[tokio::test]
async fn every_process_is_replaced_under_load_and_no_request_fails() {
    let folder = TempDir::with_prefix("marketplace-e2e-").unwrap().keep();
    let (offset, second) = (free_offset(), free_offset());
    install_tls();
    let balancers = Balancers::start([offset, second]).await;
    let settings = &balancers.settings;
    let shop = Shop::start_in(&folder, Arrangement::Processes, offset, settings).await;

    until_ready(&shop, "the balanced router", balancers.graph.port).await;

    let load = Load::prepare(plan(&balancers)).await.unwrap();
    let stop = CancellationToken::new();
    let replace = async {
        for (service, tells) in SERVICES {
            replace(&shop, &folder, service, tells, second, settings).await;
        }
        stop.cancel();
    };
    let calls = call_until(&balancers.grpc, stop.clone());
    let (report, calls, ()) = tokio::join!(load.run(stop.clone()), calls, replace);

    let failed: Vec<_> = calls
        .iter()
        .filter_map(|call| call.as_ref().err())
        .collect();
    assert!(
        failed.is_empty(),
        "{} gRPC calls, failed: {failed:?}",
        calls.len()
    );

    assert!(report.is_clean(), "{report}");
    let all = report.operations.last().unwrap();
    assert!(all.done > 100, "{report}");
    let logged = || troubles(&folder);
    assert!(all.retried.is_empty(), "{report}\n{}", logged());
    assert_eq!(report.overloaded, 0, "{report}");
    let streams = report.streams.as_ref().expect("it had subscribers");
    assert!(streams.reconnects > 0, "no router was replaced: {report}");
    shop.stop().await;
    std::fs::remove_dir_all(folder).unwrap();
}

fn plan(balancers: &Balancers) -> Plan {
    Plan {
        url: balancers.graph.url("").parse().unwrap(),
        rest_url: Some(balancers.rest.url("").parse().unwrap()),
        admin_url: None,
        // A busy machine starts twelve processes besides.
        rate: 8.0,
        arrivals: Arrivals::Fixed,
        // Ends with the last replacement.
        duration: Duration::from_secs(600),
        shoppers: 40,
        subscribers: 10,
        seed: 1,
        mix: "add=4,checkout=4,pay=2,cancel=1,comment=1,history=1,rest=1"
            .parse()
            .unwrap(),
        hot: 2,
        in_flight_max: 200,
        patience: Duration::from_secs(30),
    }
}

/// What the processes complained of.
fn troubles(folder: &Path) -> String {
    let seconds = SERVICES.map(|(service, _)| format!("second-{service}.log"));
    let logs = ["up.log".to_owned()].into_iter().chain(seconds);
    let texts = logs.map(|log| std::fs::read_to_string(folder.join(log)).unwrap_or_default());
    let texts: Vec<String> = texts.collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    let lines = lines.filter(|line| line.contains("WARN") || line.contains("ERROR"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Asks for a stock by gRPC, on one connection of a plain client, until `stop`; what each call gave.
async fn call_until(balancer: &Balancer, stop: CancellationToken) -> Vec<Result<(), Status>> {
    let mut client = LomsClient::connect(balancer.url("")).await.unwrap();
    let mut calls = Vec::new();
    while !stop.is_cancelled() {
        let request = StocksInfoRequest { sku: SKU };
        let mut answer = client.stocks_info(request).await;
        if answer.as_ref().is_err_and(has_not_left) {
            answer = client.stocks_info(request).await;
        }
        calls.push(answer.map(drop));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    calls
}

/// Whether a call found its connection closing and was not sent: hyper's word, not a server's. gRPC's own clients send it on the next
/// one by themselves (gRPC proposal A6, transparent retries); tonic leaves it to its caller.
fn has_not_left(status: &Status) -> bool {
    status.code() == Code::Cancelled && status.message() == "operation was canceled"
}

/// Puts a replica beside a service, replaces the service, and takes the replica away.
async fn replace(
    shop: &Shop,
    folder: &Path,
    service: &str,
    tells: u16,
    offset: u16,
    settings: &[String],
) {
    let old = shop.service(service).unwrap();
    let mut replica = start_replica(shop, folder, service, offset, settings);
    until_ready(shop, service, tells + offset).await;

    send(old.pid, Signal::Term);
    until_ended(&old).await;
    let new = async || shop.service(service).filter(|now| *now != old);
    eventually("the service is started again", LIMIT, new).await;
    until_ready(shop, service, shop.port(tells)).await;

    let status = replica.stop(EXIT_LIMIT).await;
    assert!(status.success(), "the second {service} ended with {status}");
}

fn start_replica(
    shop: &Shop,
    folder: &Path,
    service: &str,
    offset: u16,
    settings: &[String],
) -> Supervised {
    let mut command = command(shop.state(), offset);
    command.arg(service);
    command.args(settings.iter().flat_map(|set| ["--set", set]));
    command.env("MARKETPLACE_POSTGRES_URL", shop.postgres_url());
    let kafka = format!("127.0.0.1:{}", shop.port(9092));
    command.env("MARKETPLACE_KAFKA_BROKERS", kafka);
    let log = folder.join(format!("second-{service}.log"));
    Supervised::start("replica", command, Output::Log(&log), Signal::Term, None).unwrap()
}

async fn until_ready(shop: &Shop, service: &str, port: u16) {
    let url = format!("http://127.0.0.1:{port}/readyz");
    eventually(&format!("{service} is ready"), LIMIT, async || {
        let answer = shop.http().get(&url).send().await.ok()?;
        (answer.status() == 200).then_some(())
    })
    .await;
    // The balancers hear of it a little later.
    tokio::time::sleep(Duration::from_millis(150)).await;
}

async fn until_ended(process: &Identity) {
    let asked = Instant::now();
    while process.is_running() {
        let took = asked.elapsed();
        assert!(
            took < EXIT_LIMIT,
            "{process:?} has not ended after {took:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
