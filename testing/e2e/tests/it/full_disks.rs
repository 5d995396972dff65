//! The user of a shop of which one store's disk is full: what is refused says so, what is read is there, and all goes on by
//! itself when there is room. Each store gets a small file system of its own, which is filled to the last byte.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::eventually;

use crate::shop::{Arrangement, Shop, command, free_offset, new_user, run};
use crate::subscription::Subscription;

const LIMIT: Duration = Duration::from_secs(90);
/// What is bought while Kafka is away.
const ORDERS: usize = 20;
const SKU: &str = "139275865";
const CREATE: &str = "mutation($sku: ID!, $key: String) {
    createOrder(input: {lines: [{sku: $sku, count: 1}], idempotencyKey: $key}) { order { id } userErrors { code } }
}";
const MINE: &str = "{ me { orders { totalCount } } }";

/// A file system in memory. It goes with the test.
struct Disk {
    place: PathBuf,
}

impl Disk {
    fn mount(place: &Path, megabytes: u32) -> Self {
        std::fs::create_dir_all(place).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={megabytes}m,mode=755")]);
        let mounted = mount.arg("marketplace-test").arg(place).status().unwrap();
        assert!(mounted.success(), "only root may mount: {mounted}");
        let place = place.to_owned();
        Self { place }
    }

    fn fill(&self) {
        let mut filler = std::fs::File::create(self.filler()).unwrap();
        let (mut size, zeros) = (1 << 20, vec![0; 1 << 20]);
        while size > 0 {
            if filler.write_all(&zeros[..size]).is_err() {
                size /= 2;
            }
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.place.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.place).status();
        assert!(unmounted.is_ok_and(|it| it.success()), "it stays mounted");
    }
}

/// A folder that the account of Postgres may enter.
fn folder() -> PathBuf {
    let folder = TempDir::with_prefix("marketplace-e2e-").unwrap().keep();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// A shopper who creates orders, one unit each.
struct Shopper<'a> {
    shop: &'a Shop,
    token: String,
    orders: u64,
}

impl<'a> Shopper<'a> {
    async fn new(shop: &'a Shop) -> Self {
        let token = shop.token(new_user(), false).await;
        let orders = 0;
        Self {
            shop,
            token,
            orders,
        }
    }

    /// Asks once for the next order, with a key by which a repeat is the same one; the code of the refusal.
    async fn order(&mut self) -> Result<String, Value> {
        let key = format!("full-disk-{}", self.orders);
        let variables = json!({"sku": SKU, "key": key});
        let response = self.shop.try_graphql(&self.token, CREATE, variables).await;
        let response = response.expect("the router answers");
        match response["data"]["createOrder"]["order"]["id"].as_str() {
            Some(id) => {
                self.orders += 1;
                Ok(id.to_owned())
            }
            None => Err(response["errors"][0]["extensions"]["code"].clone()),
        }
    }

    async fn seen(&self) -> Value {
        let data = self.shop.graphql(&self.token, MINE, json!({})).await;
        data["me"]["orders"]["totalCount"].clone()
    }
}

/// The status of a process' `/readyz`, and what it says of a component.
async fn readiness(shop: &Shop, port: u16, component: &str) -> (u16, String) {
    let url = format!("{}/readyz", shop.url(port));
    let answer = shop.http().get(url).send().await.unwrap();
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    let state = body["components"][component].as_str();
    (status, state.unwrap_or_default().to_owned())
}

async fn until_all_is_sent_and_verified(shop: &Shop) {
    eventually("all is sent", LIMIT, async || {
        let unsent = "select count(*) from outbox where sent_at is null";
        (shop.psql("loms", unsent).await.trim() == "0").then_some(())
    })
    .await;
    let mut command = command(shop.state(), shop.offset());
    command.args(["verify", "--settle", "30s"]);
    let output = run(command).await;
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{output:?}");
}

/// Seen red with SQLSTATE 53100 taken for a fault of ours.
#[tokio::test]
#[ignore = "it mounts a file system: make test-disks"]
async fn while_postgres_has_no_room_changes_are_refused_and_reads_go_on() {
    let folder = folder();
    let disk = Disk::mount(&folder.join("state/postgres"), 400);
    let shop = Shop::start_in(&folder, Arrangement::Processes, free_offset(), &[]).await;
    let mut shopper = Shopper::new(&shop).await;
    shopper.order().await.unwrap();
    // The write-ahead log gets its room now, since without it Postgres stops as a whole.
    for statement in ["select pg_switch_wal()", "checkpoint"] {
        shop.psql("loms", statement).await;
    }
    disk.fill();
    let refused = eventually("a change is refused", LIMIT, async || {
        shopper.order().await.err()
    })
    .await;
    assert_eq!(refused, "UNAVAILABLE");
    assert_eq!(shopper.seen().await, shopper.orders);
    eventually("the disk is named", LIMIT, async || {
        let (status, told) = readiness(&shop, 4102, "loms-postgres-disk").await;
        assert_eq!(status, 200, "what reads is served");
        told.contains("the disk is full of the database loms")
            .then_some(())
    })
    .await;
    let (status, told) = readiness(&shop, 4001, "order-stream").await;
    assert_eq!((status, told.as_str()), (200, "up"));

    disk.free();
    let before = shopper.orders;
    eventually("orders are taken again", LIMIT, async || {
        shopper.order().await.ok()
    })
    .await;
    assert_eq!(shopper.seen().await, before + 1);
    eventually("the disk has room", LIMIT, async || {
        let (_, told) = readiness(&shop, 4102, "loms-postgres-disk").await;
        (told == "up").then_some(())
    })
    .await;
    until_all_is_sent_and_verified(&shop).await;
    shop.stop().await;
    drop(disk);
    std::fs::remove_dir_all(folder).unwrap();
}

/// Kafka stops as a whole when its disk is full. Seen red with a relay that says nothing.
#[tokio::test]
#[ignore = "it mounts a file system: make test-disks"]
async fn while_kafka_has_no_room_orders_go_on_and_their_events_come_later_once() {
    let folder = folder();
    let disk = Disk::mount(&folder.join("state/kafka"), 256);
    let shop = Shop::start_in(&folder, Arrangement::Processes, free_offset(), &[]).await;
    let mut shopper = Shopper::new(&shop).await;
    let query = "subscription { myOrderEvents { orderId version } }";
    let mut stream = Subscription::open(&shop, &shopper.token, query, json!({})).await;
    let mut orders = vec![shopper.order().await.unwrap()];
    disk.fill();
    eventually("the relay says so", LIMIT, async || {
        if orders.len() < ORDERS {
            orders.push(shopper.order().await.expect("orders go on"));
        }
        let (status, told) = readiness(&shop, 4102, "outbox-broker").await;
        assert_eq!(status, 200, "orders go on");
        told.contains("Kafka does not acknowledge events")
            .then_some(())
    })
    .await;
    assert_eq!(shopper.seen().await, shopper.orders);
    let (status, told) = readiness(&shop, 4001, "order-stream").await;
    assert_eq!(status, 200, "{told}");

    disk.free();
    until_all_is_sent_and_verified(&shop).await;
    eventually("the relay says that it is over", LIMIT, async || {
        let (_, told) = readiness(&shop, 4102, "outbox-broker").await;
        (told == "up").then_some(())
    })
    .await;
    // Who watched all the time has seen each version once.
    let mut seen = Vec::new();
    for _ in 0..2 * orders.len() {
        let frame = stream.next().await.data["myOrderEvents"].take();
        let order = frame["orderId"].as_str().unwrap().to_owned();
        seen.push((order, frame["version"].as_u64().unwrap()));
    }
    seen.sort();
    let mut expected: Vec<_> = orders
        .iter()
        .flat_map(|id| [(id.clone(), 1), (id.clone(), 2)])
        .collect();
    expected.sort();
    assert_eq!(seen, expected);
    shop.stop().await;
    drop(disk);
    std::fs::remove_dir_all(folder).unwrap();
}
