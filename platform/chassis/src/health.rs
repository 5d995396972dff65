//! Liveness, readiness and start-up, as probes ask for them.
//!
//! A process is ready when each component that it cannot work without is up and it does not drain. It is alive as long
//! as it answers. A companion holds the start back until it was up once, or until it gives way; later its loss is reported,
//! while the process goes on with what works: a router without its broker still answers queries.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use prometheus::{IntGaugeVec, register_int_gauge_vec};
use serde_json::{Value, json};

static UP: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "marketplace_health_component_up",
        "1 while the component works",
        &["component"]
    )
    .expect("the name is registered once")
});

/// The health of one process. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<RwLock<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    instance: Option<String>,
    components: BTreeMap<String, Observed>,
    draining: bool,
    started: bool,
}

#[derive(Debug)]
struct Observed {
    state: Result<(), String>,
    companion: bool,
    /// A companion that was up once, or gave way, holds nothing back.
    gave_way: bool,
}

impl Observed {
    fn holds_readiness_back(&self) -> bool {
        self.state.is_err() && !(self.companion && self.gave_way)
    }
}

/// One thing the process needs, for instance its database.
#[derive(Debug, Clone)]
pub struct Component {
    name: String,
    companion: bool,
    health: Health,
}

impl Component {
    /// Says that the component works.
    pub fn up(&self) {
        self.set(Ok(()), true);
    }

    /// Says that the component does not work, and why, in words fit for an operator.
    pub fn down(&self, reason: impl Into<String>) {
        self.set(Err(reason.into()), false);
    }

    /// Says that the component does not work and why, and, of a companion, that the process may start without it.
    pub fn give_way(&self, reason: impl Into<String>) {
        self.set(Err(reason.into()), true);
    }

    /// A companion named after this component, as `postgres-disk` after `postgres`: up until it says otherwise.
    #[must_use]
    pub fn aspect(&self, name: &str) -> Self {
        let aspect = Self {
            name: format!("{}-{name}", self.name),
            companion: true,
            health: self.health.clone(),
        };
        aspect.up();
        aspect
    }

    fn set(&self, state: Result<(), String>, gives_way: bool) {
        UP.with_label_values(&[&self.name])
            .set(i64::from(state.is_ok()));
        self.health.write(|inner| {
            let before = inner.components.get(&self.name);
            let gave_way = gives_way || before.is_some_and(|seen| seen.gave_way);
            let observed = Observed {
                state,
                companion: self.companion,
                gave_way,
            };
            inner.components.insert(self.name.clone(), observed)
        });
    }
}

impl Health {
    /// No components yet: ready at once.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same of a process that `/readyz` calls by this name, by which who started it knows it from another one on its port.
    #[must_use]
    pub fn of_instance(name: &str) -> Self {
        let health = Self::new();
        health.write(|inner| inner.instance = (!name.is_empty()).then(|| name.to_owned()));
        health
    }

    /// Adds a component that the process cannot work without, down until it says otherwise.
    #[must_use]
    pub fn component(&self, name: impl Into<String>) -> Component {
        self.add(name.into(), false)
    }

    /// Adds a component whose later loss leaves the process ready.
    #[must_use]
    pub fn companion(&self, name: impl Into<String>) -> Component {
        self.add(name.into(), true)
    }

    fn add(&self, name: String, companion: bool) -> Component {
        let component = Component {
            name,
            companion,
            health: self.clone(),
        };
        component.down("starting");
        component
    }

    /// Takes the process out of rotation: not ready from now on, alive still.
    pub fn drain(&self) {
        self.write(|inner| inner.draining = true);
    }

    /// Whether the process drains.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .draining
    }

    /// Whether each component is up and the process does not drain.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.report().0
    }

    /// What is not up, with its reason.
    #[must_use]
    pub fn missing(&self) -> Vec<(String, String)> {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let down = inner.components.iter();
        down.filter_map(|(name, seen)| Some((name.clone(), seen.state.clone().err()?)))
            .collect()
    }

    /// `/livez`, `/readyz` and `/startupz`.
    pub fn routes(&self) -> Router {
        Router::new()
            .route("/livez", get(|| async { "ok" }))
            .route("/readyz", get(readyz))
            .route("/startupz", get(startupz))
            .with_state(self.clone())
    }

    fn write<T>(&self, change: impl FnOnce(&mut Inner) -> T) {
        let mut inner = self.0.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut inner);
        if inner.components.values().all(|seen| seen.gave_way) && !inner.components.is_empty() {
            inner.started = true;
        }
    }

    fn report(&self) -> (bool, Value) {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let held_back = inner
            .components
            .values()
            .any(Observed::holds_readiness_back);
        let ready = !inner.draining && !held_back;
        let components: serde_json::Map<String, Value> = inner
            .components
            .iter()
            .map(|(name, seen)| {
                let state = seen.state.as_ref();
                (
                    name.clone(),
                    state.map_or_else(|why| json!(why), |()| json!("up")),
                )
            })
            .collect();
        let mut body =
            json!({ "ready": ready, "draining": inner.draining, "components": components });
        if let Some(instance) = &inner.instance {
            body["instance"] = json!(instance);
        }
        (ready, body)
    }
}

async fn readyz(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    let (ready, body) = health.report();
    (
        if ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        },
        Json(body),
    )
}

async fn startupz(State(health): State<Health>) -> (StatusCode, &'static str) {
    let started = health
        .0
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .started;
    if started {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "starting")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_when_all_is_up_and_it_does_not_drain() {
        let health = Health::new();
        let postgres = health.component("postgres");
        assert!(!health.is_ready());
        postgres.up();
        assert!(health.is_ready());
        postgres.down("connection refused");
        assert_eq!(
            health.missing(),
            [("postgres".into(), "connection refused".into())]
        );
        postgres.up();
        health.drain();
        assert!(!health.is_ready());
    }

    #[test]
    fn the_report_names_the_instance_where_there_is_one() {
        let named = Health::of_instance("one").report().1;
        assert_eq!(named["instance"], "one", "{named}");
        let nameless = Health::of_instance("").report().1;
        assert!(nameless.get("instance").is_none(), "{nameless}");
    }

    #[test]
    fn a_companion_holds_back_the_start_and_nothing_later() {
        let health = Health::new();
        let broker = health.companion("order-stream");
        assert!(!health.is_ready());
        broker.up();
        broker.down("the broker is away");
        assert!(health.is_ready());
        assert_eq!(health.missing().len(), 1, "it is still reported");
    }
}
