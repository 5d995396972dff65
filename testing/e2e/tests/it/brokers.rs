//! The operator of a cluster of brokers, each of which dies once, stands still once, and one of which loses its disk, while
//! people shop.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use dev_services::process::{Identity, Signal, send};
use load::{Arrivals, Load, Plan};
use schema::event::TOPIC;
use tempfile::TempDir;
use testkit::{Partition, eventually};
use tokio_util::sync::CancellationToken;

use crate::shop::{Arrangement, Shop, command, free_offset, run};

const BROKERS: [i32; 3] = [1, 2, 3];
/// How long a broker stands still: longer than its cluster waits for it.
const PAUSE: Duration = Duration::from_secs(7);
/// How long a broker may take to be back with all that it missed, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
/// How often the stores are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// The goals. Source: docs/operations/machines.md.
const RELAY_GOAL: f64 = 5.0;
const CONSUMER_GOAL: f64 = 10.0;
/// The same on a machine that also builds: a test that fails for it says nothing.
const SLACK: f64 = 2.0;

/// What happens to a broker.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// kill -9; it comes back with its data.
    Kill,
    /// It stands still, its connections open, and goes on.
    Pause,
    /// kill -9, and its data is gone.
    Empty,
}

/// Nothing that was acknowledged is lost, no frame is missed or comes twice, and events wait for seconds only.
#[tokio::test]
#[ignore = "three brokers beside all else want a machine of their own: make test-brokers"]
async fn each_of_three_brokers_dies_and_nothing_is_lost() {
    let folder = TempDir::with_prefix("marketplace-e2e-").unwrap().keep();
    let set = ["up.brokers=3".to_owned()];
    let shop = Shop::start_in(&folder, Arrangement::Together, free_offset(), &set).await;
    let brokers = Brokers { shop: &shop };
    brokers.until_whole(&BROKERS).await;

    let load = Load::prepare(plan(&shop)).await.unwrap();
    let stop = CancellationToken::new();
    let faults = async {
        let mut told = String::from("fault   broker  leads  relay s  consumers s\n");
        for fault in [Fault::Kill, Fault::Pause, Fault::Empty] {
            let struck = if matches!(fault, Fault::Empty) { 1 } else { 3 };
            for broker in brokers.leader_first().await.into_iter().take(struck) {
                let row = brokers.inject(fault, broker).await;
                told.push_str(&row);
            }
        }
        stop.cancel();
        told
    };
    let (report, told) = tokio::join!(load.run(stop.clone()), faults);
    println!("{told}");

    assert!(report.is_clean(), "{told}{report}");
    let streams = report.streams.as_ref().expect("it had subscribers");
    assert_eq!((streams.gaps, streams.repeated), (0, 0), "{told}{report}");
    let all = report.operations.last().unwrap();
    assert!(all.done > 200, "{report}");
    let verified = verify(&shop).await;
    assert!(
        verified.contains("holds") && !verified.contains("BROKEN"),
        "{told}{verified}"
    );
    for line in told.lines().skip(1) {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let seconds = |column: usize| columns[column].parse::<f64>().unwrap();
        assert!(seconds(3) <= RELAY_GOAL * SLACK, "{told}");
        assert!(seconds(4) <= CONSUMER_GOAL * SLACK, "{told}");
    }
    shop.stop().await;
    std::fs::remove_dir_all(folder).unwrap();
}

struct Brokers<'a> {
    shop: &'a Shop,
}

impl Brokers<'_> {
    fn address(&self, broker: i32) -> String {
        let number = u16::try_from(broker).unwrap();
        format!("127.0.0.1:{}", self.shop.port(9091 + number))
    }

    fn process(&self, broker: i32) -> Option<Identity> {
        self.shop.service(&format!("kafka-{broker}"))
    }

    fn data(&self, broker: i32) -> PathBuf {
        self.shop.state().join(format!("kafka-{broker}/data"))
    }

    /// The order topic, as these brokers see it.
    async fn partitions(&self, asked: &[i32]) -> Vec<Partition> {
        let addresses: Vec<String> = asked.iter().map(|broker| self.address(*broker)).collect();
        testkit::partitions(&addresses.join(","), TOPIC).await
    }

    /// Waits until each partition is wholly on each broker; the partitions then.
    async fn until_whole(&self, asked: &[i32]) -> Vec<Partition> {
        eventually("every copy is whole", LIMIT, async || {
            let partitions = self.partitions(asked).await;
            let is_whole = |it: &Partition| it.leader > 0 && it.insync == it.copies;
            let are_whole = partitions.len() == 2 && partitions.iter().all(is_whole);
            are_whole.then_some(partitions)
        })
        .await
    }

    /// The brokers, the leader of the order topic's first partition before the others.
    async fn leader_first(&self) -> Vec<i32> {
        let leader = self.until_whole(&BROKERS).await[0].leader;
        let others = BROKERS.into_iter().filter(|broker| *broker != leader);
        std::iter::once(leader).chain(others).collect()
    }

    /// Injects a fault, watches the stores until the broker is whole again, and tells how long events and effects stood still.
    async fn inject(&self, fault: Fault, broker: i32) -> String {
        let led = self.until_whole(&BROKERS).await;
        let leads = led.iter().filter(|it| it.leader == broker).count();
        let old = self.process(broker).expect("it runs");
        let over = CancellationToken::new();
        let strike = async {
            match fault {
                Fault::Kill => send(old.pid, Signal::Kill),
                Fault::Empty => {
                    // It writes nothing meanwhile.
                    send(old.pid, Signal::Halt);
                    std::fs::remove_dir_all(self.data(broker)).unwrap();
                    send(old.pid, Signal::Kill);
                }
                Fault::Pause => {
                    send(old.pid, Signal::Halt);
                    tokio::time::sleep(PAUSE).await;
                    send(old.pid, Signal::Continue);
                }
            }
            if !matches!(fault, Fault::Pause) {
                eventually("the broker is started again", LIMIT, async || {
                    self.process(broker).filter(|now| *now != old)
                })
                .await;
            }
            // Before, its cluster may not have missed it yet.
            tokio::time::sleep(Duration::from_secs(4)).await;
            self.until_whole(&[broker]).await;
            over.cancel();
        };
        let ((), (relay, consumers)) = tokio::join!(strike, self.watch(&over));
        let name = format!("{fault:?}");
        format!("{name:<7} {broker:<7} {leads:<6} {relay:<8.1} {consumers:.1}\n")
    }

    /// Until told: the longest that an event waited for its acknowledgement, and the longest time without a new effect.
    async fn watch(&self, over: &CancellationToken) -> (f64, f64) {
        let unsent = "select coalesce(max(extract(epoch from clock_timestamp() - created_at)), 0) \
            from outbox where sent_at is null";
        let (mut relay, mut consumers) = (0.0_f64, 0.0_f64);
        let (mut effects, mut since) = (String::new(), Instant::now());
        while !over.is_cancelled() {
            let age = self.shop.psql("loms", unsent).await;
            relay = relay.max(age.trim().parse().unwrap());
            let now = self
                .shop
                .psql("notifier", "select count(*) from inbox")
                .await;
            if now != effects {
                (effects, since) = (now, Instant::now());
            }
            consumers = consumers.max(since.elapsed().as_secs_f64());
            tokio::time::sleep(LOOK).await;
        }
        (relay, consumers)
    }
}

fn plan(shop: &Shop) -> Plan {
    let url = |port| shop.url(port).parse().unwrap();
    Plan {
        url: url(4000),
        rest_url: Some(url(8080)),
        admin_url: None,
        rate: 15.0,
        arrivals: Arrivals::Fixed,
        // Ends with the last fault.
        duration: Duration::from_secs(600),
        shoppers: 40,
        subscribers: 10,
        seed: 1,
        mix: "add=4,checkout=4,pay=2,cancel=1".parse().unwrap(),
        hot: 2,
        in_flight_max: 200,
        patience: Duration::from_secs(30),
    }
}

async fn verify(shop: &Shop) -> String {
    let mut command = command(shop.state(), shop.offset());
    command.args(["--set", "up.brokers=3", "verify", "--settle", "30s"]);
    let output = run(command).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{output:?}");
    text
}
