//! Live streams over SSE, and what each of them saw.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use bench::server::Server;
use futures::{StreamExt as _, stream};
use parking_lot::Mutex;
use reqwest::{Client, Response, header};
use serde::Deserialize;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::shop::{Order, Shop};

const ALL: &str = "subscription { events: allOrderEvents { orderId version order { status lines { product { name } } } } }";
const MINE: &str = "subscription { events: myOrderEvents { orderId version order { status lines { product { name } } } } }";
const GONE: &str =
    "subscription { events: myOrderEvents { orderId version order { history { version } } } }";
/// Streams that are opened at once.
const OPENING: usize = 32;
/// How long the last frames may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Streams that are read until they end.
#[derive(Debug)]
pub(crate) struct Streams {
    seen: Vec<Seen>,
    shoppers: usize,
    _reading: JoinSet<()>,
}

/// An order and its version; `None` for a frame that has no order or has errors.
type Place = Option<(String, u32)>;

/// What one stream saw: orders with their versions, in the order in which they came.
#[derive(Debug)]
struct Seen {
    /// The shopper whose orders it shows; `None` for all.
    owner: Option<usize>,
    frames: Arc<Mutex<Vec<Place>>>,
    has_ended: Arc<AtomicBool>,
}

/// What all of them saw, against what happened.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) due: usize,
    pub(crate) ended: usize,
    pub(crate) lost: usize,
    pub(crate) twice: usize,
    /// Out of order, of others, or with errors.
    pub(crate) wrong: usize,
}

impl Verdict {
    pub(crate) const fn is_whole(&self) -> bool {
        self.ended == 0 && self.lost == 0 && self.twice == 0 && self.wrong == 0
    }
}

impl Streams {
    /// Opens them, the first half for shoppers and the others for operators.
    ///
    /// # Errors
    /// When one is refused.
    pub(crate) async fn open(server: &Server, shop: &Shop, count: usize) -> anyhow::Result<Self> {
        let client = Client::new();
        let opened = stream::iter(0..count).map(async |number| {
            let owner = (number < count / 2).then_some(number);
            let (token, query) = match owner {
                Some(owner) => (shop.shopper(owner), MINE),
                None => (shop.operator(number), ALL),
            };
            let response = open(&client, server, token, query).await?;
            anyhow::Ok((owner, response))
        });
        let opened: Vec<_> = opened.buffer_unordered(OPENING).collect().await;
        let (mut seen, mut reading) = (Vec::new(), JoinSet::new());
        for opened in opened {
            let (owner, response) = opened?;
            let (frames, has_ended) = (Arc::<Mutex<Vec<_>>>::default(), Arc::default());
            let (own_frames, own_end) = (Arc::clone(&frames), Arc::clone(&has_ended));
            reading.spawn(async move {
                let mut reader = Reader::new(response);
                while let Ok(Some(frame)) = reader.next().await {
                    own_frames.lock().push(frame.place());
                }
                AtomicBool::store(&own_end, true, Relaxed);
            });
            seen.push(Seen {
                owner,
                frames,
                has_ended,
            });
        }
        let shoppers = shop.shoppers();
        Ok(Self {
            seen,
            shoppers,
            _reading: reading,
        })
    }

    /// Waits for the last frames and compares what was seen with what happened.
    ///
    /// # Errors
    /// None; what is missing after a minute is lost.
    pub(crate) async fn finish(&self, orders: &[Order]) -> anyhow::Result<Verdict> {
        ensure!(self.shoppers > 0, "there are no shoppers");
        let all_came = async {
            loop {
                let verdict = self.verdict(orders);
                if verdict.lost == 0 {
                    return verdict;
                }
                sleep(Duration::from_millis(200)).await;
            }
        };
        let came = timeout(PATIENCE, all_came).await;
        // What comes twice may come late.
        sleep(Duration::from_secs(1)).await;
        drop(came);
        Ok(self.verdict(orders))
    }

    fn verdict(&self, orders: &[Order]) -> Verdict {
        let mut verdict = Verdict::default();
        for seen in &self.seen {
            seen.add_to(&mut verdict, orders, self.shoppers);
        }
        verdict
    }
}

impl Seen {
    fn add_to(&self, verdict: &mut Verdict, orders: &[Order], shoppers: usize) {
        verdict.ended += usize::from(self.has_ended.load(Relaxed));
        let own = orders.iter().filter(|order| {
            self.owner
                .is_none_or(|owner| owner % shoppers == order.owner)
        });
        let mut due: HashMap<&str, (u32, u32)> = own
            .map(|order| (order.id.as_str(), (0, order.versions)))
            .collect();
        for frame in self.frames.lock().iter() {
            let known = frame
                .as_ref()
                .map(|(id, version)| (due.get_mut(id.as_str()), *version));
            match known {
                Some((Some((last, _)), version)) if version == *last + 1 => *last = version,
                Some((Some((last, _)), version)) if version <= *last => verdict.twice += 1,
                Some((Some((last, _)), version)) => {
                    verdict.wrong += 1;
                    *last = version;
                }
                Some((None, _)) | None => verdict.wrong += 1,
            }
        }
        for (last, versions) in due.values() {
            verdict.due += usize::try_from(*versions).unwrap_or_default();
            verdict.lost += usize::try_from(versions.saturating_sub(*last)).unwrap_or_default();
        }
    }
}

/// A stream of a field that the other graph does not have.
#[derive(Debug)]
pub(crate) struct Doomed(Reader);

impl Doomed {
    /// Opens it.
    ///
    /// # Errors
    /// When it is refused.
    pub(crate) async fn open(server: &Server, shop: &Shop) -> anyhow::Result<Self> {
        let client = Client::new();
        let response = open(&client, server, shop.shopper(0), GONE).await?;
        Ok(Self(Reader::new(response)))
    }

    /// Whether it ended because the graph has changed.
    ///
    /// # Errors
    /// When its connection broke.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<bool> {
        while let Some(frame) = timeout(PATIENCE, self.0.next()).await?? {
            if frame
                .errors
                .iter()
                .any(|it| it.extensions.reason == "SCHEMA_CHANGED")
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

async fn open(
    client: &Client,
    server: &Server,
    token: &str,
    query: &str,
) -> anyhow::Result<Response> {
    let request = client.post(server.at(4000, "/graphql")).bearer_auth(token);
    let request = request
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "text/event-stream")
        .body(serde_json::json!({ "query": query }).to_string());
    let response = request.send().await?;
    ensure!(
        response.status().is_success(),
        "a stream is refused: {}",
        response.status()
    );
    Ok(response)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Frame {
    data: Option<Data>,
    errors: Vec<Fault>,
}

#[derive(Debug, Deserialize)]
struct Data {
    events: Event,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    order_id: Option<String>,
    version: Option<u32>,
    order: Option<serde_json::Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fault {
    extensions: Extensions,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Extensions {
    reason: String,
}

impl Frame {
    fn place(self) -> Place {
        let event = self.data.filter(|_| self.errors.is_empty())?.events;
        event.order?;
        Some((event.order_id?, event.version?))
    }
}

/// Reads frames from the body of a response.
#[derive(Debug)]
struct Reader {
    response: Response,
    text: Vec<u8>,
}

impl Reader {
    const fn new(response: Response) -> Self {
        Self {
            response,
            text: Vec::new(),
        }
    }

    /// The next frame; `None` at the stream's end, said or not.
    ///
    /// # Errors
    /// When the connection breaks, or a frame is no JSON.
    async fn next(&mut self) -> anyhow::Result<Option<Frame>> {
        loop {
            if let Some(end) = self.text.windows(2).position(|it| it == b"\n\n") {
                let event: Vec<u8> = self.text.drain(..end + 2).collect();
                let event = String::from_utf8(event).context("a frame is no text")?;
                let mut lines = event.lines();
                if event.lines().any(|line| line == "event: complete") {
                    return Ok(None);
                }
                let data = lines.find_map(|line| line.strip_prefix("data: "));
                match data.filter(|data| !data.is_empty()) {
                    Some(data) => return Ok(Some(serde_json::from_str(data)?)),
                    None => continue,
                }
            }
            match self.response.chunk().await? {
                Some(chunk) => self.text.extend_from_slice(&chunk),
                None if self.text.is_empty() => return Ok(None),
                None => bail!("a stream ended in the midst of a frame"),
            }
        }
    }
}
