//! Branches of a plan: what each waits for, and what it does not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use federation::subgraph::{FetchError, FetchRequest};
use federation::{EngineConfig, OperationKinds, RequestContext, Subgraph, Transport};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value as Json, json};
use tokio::sync::{mpsc, oneshot};

use crate::executor::Executor;
use crate::toy::{SUBGRAPHS, Toy, body, context, engine, request, shop};

/// What a subgraph does once it is let go.
enum Turn {
    Answer,
    Fail,
}

/// A fetch that waits to be let go.
struct Held {
    subgraph: &'static str,
    turn: oneshot::Sender<Turn>,
}

impl Held {
    fn let_go(self, turn: Turn) {
        self.turn.send(turn).unwrap_or_else(|_| panic!("given up"));
    }
}

struct Holding {
    name: &'static str,
    executor: Executor,
    asked: mpsc::UnboundedSender<Held>,
}

impl Subgraph for Holding {
    fn fetch<'a>(
        &'a self,
        request: FetchRequest,
        _ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        async move {
            let (turn, let_go) = oneshot::channel();
            let subgraph = self.name;
            self.asked.send(Held { subgraph, turn }).expect("a test");
            if let Ok(Turn::Fail) = let_go.await {
                return Ok(Bytes::from("not GraphQL"));
            }
            let variables = serde_json::from_slice(&request.variables).expect("JSON");
            let answer = self.executor.execute(&request.text, &variables);
            Ok(Bytes::from(answer.to_string()))
        }
        .boxed()
    }
}

/// The fetches in the order in which they are made.
struct Asked(mpsc::UnboundedReceiver<Held>);

impl Asked {
    /// The next, if it comes before all that runs waits for something.
    async fn next(&mut self) -> Option<Held> {
        let next = tokio::time::timeout(Duration::from_secs(1), self.0.recv());
        next.await.unwrap_or_default()
    }

    /// The next few by their subgraphs, in whatever order they come.
    async fn together<const N: usize>(&mut self, names: [&'static str; N]) -> [Held; N] {
        let mut held = BTreeMap::new();
        for _ in names {
            let next = self.next().await.expect("one more is asked");
            held.insert(next.subgraph, next);
        }
        names.map(|name| {
            held.remove(name)
                .unwrap_or_else(|| panic!("{name} is asked"))
        })
    }
}

/// Runs a query over the shop while `drive` decides which fetch goes on when.
async fn run(query: &str, drive: impl AsyncFnOnce(Asked)) -> Json {
    let (sender, asked) = mpsc::unbounded_channel();
    let subgraphs = SUBGRAPHS.map(|(name, sdl)| {
        let holding = Holding {
            name,
            executor: Executor::new(sdl, shop()),
            asked: sender.clone(),
        };
        (name.to_owned(), Transport::Custom(Arc::new(holding) as _))
    });
    let engine = engine(EngineConfig::default(), BTreeMap::from(subgraphs));
    let prepared = engine
        .prepare(&request(query, json!({})), OperationKinds::ALL)
        .await;
    let prepared = prepared.unwrap_or_else(|error| panic!("{query}: {error}"));
    let ctx = context();
    let (response, ()) = tokio::join!(engine.execute(&prepared, &ctx), drive(Asked(asked)));
    body(&response)
}

const TWO_BRANCHES: &str = "{ warehouse me { reviews { product { name } } } }";

/// Seen red with the planner's waves: the catalog was not asked before the stock had answered.
#[tokio::test(start_paused = true)]
async fn a_held_fetch_holds_back_only_what_needs_its_data() {
    let answer = run(TWO_BRANCHES, async |mut asked| {
        let [reviews, stock] = asked.together(["reviews", "stock"]).await;
        reviews.let_go(Turn::Answer);
        let catalog = asked.next().await.expect("it needs the reviews alone");
        assert_eq!(catalog.subgraph, "catalog");
        catalog.let_go(Turn::Answer);
        assert!(asked.next().await.is_none(), "nothing is left to ask");
        stock.let_go(Turn::Answer);
    })
    .await;
    let whole = Toy::new(&shop()).run(TWO_BRANCHES, json!({})).await;
    assert_eq!(answer, whole);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_waits_for_all_that_it_needs() {
    let query = "{ products { stock { total } } me { reviews { product { stock { total } } } } }";
    let answer = run(query, async |mut asked| {
        let [catalog, reviews] = asked.together(["catalog", "reviews"]).await;
        catalog.let_go(Turn::Answer);
        assert!(
            asked.next().await.is_none(),
            "one request asks for both branches"
        );
        reviews.let_go(Turn::Answer);
        let stock = asked.next().await.expect("both are there");
        assert_eq!(stock.subgraph, "stock");
        stock.let_go(Turn::Answer);
        assert!(asked.next().await.is_none(), "nothing is left to ask");
    })
    .await;
    let whole = Toy::new(&shop()).run(query, json!({})).await;
    assert_eq!(answer, whole);
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_fetch_was_to_bring_is_not_asked_about_and_the_other_branch_goes_on() {
    let answer = run(TWO_BRANCHES, async |mut asked| {
        let [reviews, stock] = asked.together(["reviews", "stock"]).await;
        reviews.let_go(Turn::Fail);
        assert!(asked.next().await.is_none(), "nothing is known of products");
        stock.let_go(Turn::Answer);
    })
    .await;
    assert_eq!(answer["data"], json!({ "warehouse": "north", "me": null }));
    let errors = answer["errors"].as_array().expect("an error");
    assert_eq!(errors.len(), 1, "{answer}");
    assert_eq!(errors[0]["path"], json!(["me"]));
    assert_eq!(errors[0]["extensions"]["code"], "UNAVAILABLE");
}

/// Seen red with each error told as it came.
#[tokio::test(start_paused = true)]
async fn errors_stand_in_the_order_of_the_plan_whichever_came_first() {
    let mut told = Vec::new();
    for is_stock_first in [true, false] {
        let answer = run(TWO_BRANCHES, async |mut asked| {
            let [reviews, stock] = asked.together(["reviews", "stock"]).await;
            let (first, second) = match is_stock_first {
                true => (stock, reviews),
                false => (reviews, stock),
            };
            first.let_go(Turn::Fail);
            assert!(asked.next().await.is_none());
            second.let_go(Turn::Fail);
        })
        .await;
        assert_eq!(answer["errors"].as_array().map(Vec::len), Some(2));
        told.push(answer["errors"].to_string());
    }
    assert_eq!(told[0], told[1]);
}
