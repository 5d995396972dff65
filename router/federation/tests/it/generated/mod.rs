//! Random operations over random federated schemas: data, nulls and errors must be those of one server with the same
//! values, whatever fails, and whether or not subgraphs say which entity failed.

mod data;
mod operation;
mod random;
mod sdl;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use federation::subgraph::{FetchError, FetchRequest};
use federation::{
    Code, Engine, EngineConfig, Host, OperationKinds, RequestContext, Subgraph, Transport,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Map, Value as Json, json};

use self::data::Damage;
use self::random::Random;
use self::world::World;
use crate::executor::Executor;

/// What is wrong with the subgraphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    /// Errors of entities have no position in the list.
    WithoutPositions,
    /// This one cannot be reached.
    Down(usize),
    /// This one answers with something else than GraphQL.
    Strange(usize),
    /// This one refuses all requests.
    Refusing(usize),
}

impl Trouble {
    /// The subgraph of which nothing comes, and the code that clients read.
    fn lost(self) -> Option<(usize, &'static str)> {
        match self {
            Self::None | Self::WithoutPositions => None,
            Self::Down(graph) | Self::Strange(graph) => Some((graph, "UNAVAILABLE")),
            Self::Refusing(graph) => Some((graph, "FORBIDDEN")),
        }
    }
}

struct One {
    position: usize,
    executor: Executor,
    trouble: Trouble,
}

impl Subgraph for One {
    fn fetch<'a>(
        &'a self,
        request: FetchRequest,
        _ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        async move {
            if self
                .trouble
                .lost()
                .is_some_and(|(lost, _)| lost == self.position)
            {
                let refusal =
                    r#"{"errors":[{"message":"not you","extensions":{"code":"FORBIDDEN"}}]}"#;
                return match self.trouble {
                    Trouble::Strange(_) => Ok(Bytes::from("<html>")),
                    Trouble::Refusing(_) => Ok(Bytes::from(refusal)),
                    _ => Err(FetchError::Connect("refused".to_owned())),
                };
            }
            let variables: Map<String, Json> =
                serde_json::from_slice(&request.variables).expect("variables are JSON");
            let mut response = self.executor.execute(&request.text, &variables);
            assert!(
                response.get("data").is_some(),
                "{}: {response}",
                request.text
            );
            if self.trouble == Trouble::WithoutPositions {
                let errors = response["errors"].as_array_mut().into_iter().flatten();
                errors.for_each(forget_position);
            }
            Ok(Bytes::from(response.to_string()))
        }
        .boxed()
    }
}

/// Takes the position in the list of entities out of an error's path.
fn forget_position(error: &mut Json) {
    let path = error["path"].as_array_mut().expect("a path");
    if path[0].as_str().is_some_and(|first| first.starts_with('_')) {
        path.remove(1);
    }
}

fn engine(world: &World, data: &Json, trouble: Trouble) -> Engine {
    let mut subgraphs = BTreeMap::new();
    for position in 0..world.graphs {
        let one = One {
            position,
            executor: Executor::new(&world.subgraph(position), data.clone()),
            trouble,
        };
        let transport = Transport::Custom(Arc::new(one));
        subgraphs.insert(format!("s{position}"), transport);
    }
    let codes = ["FORBIDDEN", "UNAUTHENTICATED"].map(Code::new).into_iter();
    let host = Host {
        codes: codes.collect(),
        ..Host::default()
    };
    let mut config = EngineConfig::default();
    config.limits.cost = u64::MAX;
    config.limits.aliases = 1_000;
    let supergraph = world.supergraph();
    Engine::new(config, &supergraph, subgraphs, host)
        .unwrap_or_else(|error| panic!("{error}\n{supergraph}"))
}

/// The code of each path that an error stands at.
fn errors(response: &Json) -> Vec<(Vec<Json>, Json)> {
    let errors = response["errors"].as_array().into_iter().flatten();
    let errors = errors.map(|error| {
        let path = error["path"].as_array().cloned().unwrap_or_default();
        (path, error["extensions"]["code"].clone())
    });
    errors.collect()
}

/// How far a path goes until it meets the null that it is about; `None` where there is data.
fn null_of(data: &Json, path: &[Json]) -> Option<usize> {
    let mut at = data;
    for (depth, step) in path.iter().enumerate() {
        if at.is_null() {
            return Some(depth);
        }
        at = match step {
            Json::String(name) => at.get(name)?,
            step => at.get(usize::try_from(step.as_u64()?).ok()?)?,
        };
    }
    at.is_null().then_some(path.len())
}

/// Where two ways to report the same failures differ in more than the specification leaves open: of several that meet in
/// one null each may be told, or the first alone (6.4.4).
pub(crate) fn differs(data: &Json, expected: &Json, found: &Json) -> Option<String> {
    let (expected, found) = (errors(expected), errors(found));
    let paths: BTreeSet<String> = found.iter().map(|(path, _)| format!("{path:?}")).collect();
    if paths.len() != found.len() {
        return Some("one place has two errors".to_owned());
    }
    let is_told = |(path, code): &(Vec<Json>, Json), others: &[(Vec<Json>, Json)]| {
        if let Some((_, other)) = others.iter().find(|(other, _)| other == path) {
            // What a subgraph's silence or fault is called is the engine's own affair.
            return other == code || other.is_null() || code.is_null();
        }
        let Some(depth) = null_of(data, path) else {
            return false;
        };
        others.iter().any(|(other, _)| {
            other.starts_with(&path[..depth]) && null_of(data, other) == Some(depth)
        })
    };
    if let Some(lost) = expected.iter().find(|error| !is_told(error, &found)) {
        return Some(format!("lost: {lost:?}"));
    }
    let extra = found.iter().find(|error| !is_told(error, &expected));
    extra.map(|extra| format!("extra: {extra:?}"))
}

async fn compare(seed: u32) -> Result<usize, String> {
    let mut random = Random::new(seed);
    let kind = random.below(4);
    let world = World::random(&mut random, kind == 0);
    let (damage, trouble) = match kind {
        0 => (
            Damage {
                nulls: 12,
                errors: 6,
            },
            Trouble::None,
        ),
        1 => {
            let lost = random.below(world.graphs);
            let troubles = [Trouble::Down, Trouble::Strange, Trouble::Refusing];
            let trouble = random.pick(&troubles)(lost);
            (
                Damage {
                    nulls: 8,
                    errors: 0,
                },
                trouble,
            )
        }
        2 => (
            Damage {
                nulls: 0,
                errors: 15,
            },
            Trouble::WithoutPositions,
        ),
        _ => (
            Damage {
                nulls: 20,
                errors: 10,
            },
            Trouble::None,
        ),
    };
    let data = world.data(&mut random, damage);
    let engine = engine(&world, &data, trouble);
    let seen = match trouble.lost() {
        Some((graph, code)) => world.without(&data, graph, code),
        None => data.clone(),
    };
    let monolith = Executor::new(&engine.sdl(), seen);
    let mut valid = 0;
    for _ in 0..8 {
        let text = operation::random(&world, &mut random);
        let request = crate::toy::request(&text, json!({}));
        let Ok(prepared) = engine.prepare(&request, OperationKinds::ALL).await else {
            continue;
        };
        let expected = monolith.execute(&text, &Map::new());
        let response = engine.execute(&prepared, &crate::toy::context()).await;
        let found: Json = serde_json::from_slice(&response.body).expect("a response is JSON");
        valid += 1;
        // More than a hundred errors are counted, and not all written.
        let is_told = errors(&found).len() == response.errors;
        let fault = if expected["data"] != found["data"] {
            Some("other data".to_owned())
        } else if is_told {
            differs(&found["data"], &expected, &found)
        } else {
            None
        };
        if let Some(fault) = fault {
            let plan = engine.explain(&prepared);
            return Err(format!(
                "seed {seed}, {trouble:?}: {fault}\n{text}\nexpected {expected}\nfound {found}\n{plan}\n{}",
                world.supergraph()
            ));
        }
    }
    Ok(valid)
}

/// A number in the environment.
#[expect(clippy::disallowed_methods, reason = "not a setting of the product")]
fn number(name: &str) -> Option<u32> {
    std::env::var(name).ok()?.parse().ok()
}

/// With `SEEDS=10000` so many schemas, from that of `FIRST` on, each with up to eight operations. Seen red with the rest of an error's path cut off
/// where it has no position, and with the first error of a fetch told alone.
#[tokio::test]
async fn what_a_federation_responds_is_what_one_server_would() {
    let (mut valid, mut wrong) = (0, Vec::new());
    let count = number("SEEDS").unwrap_or(100);
    let first = number("FIRST").unwrap_or(0);
    for seed in first..first + count {
        match compare(seed).await {
            Ok(operations) => valid += operations,
            Err(fault) => {
                eprintln!("{}", fault.lines().next().unwrap_or_default());
                wrong.push(fault);
            }
        }
    }
    eprintln!(
        "{valid} operations over {count} schemas, {} differ",
        wrong.len()
    );
    assert!(
        wrong.is_empty(),
        "{} of {count} differ\n{}",
        wrong.len(),
        wrong[0]
    );
    assert!(valid > count as usize * 4, "too few are valid: {valid}");
}
