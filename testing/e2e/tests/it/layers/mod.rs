//! The layers of ARCHITECTURE.md, kept: crates only know lower floors, and modules have no circle and only look down.
//!
//! Crates come from `cargo metadata`, modules from the paths in their source ([`source`]). A name that a module only
//! passes on (`pub use`) counts as the file's that defines it. Test code may name anything.

mod circle;
mod source;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use self::circle::circles;
use self::source::{Arrow, Graph};

/// Crates by floor, from the ground up. A crate may depend on crates of lower floors only, so those of one floor are
/// strangers to each other.
const FLOORS: [&[&str]; 14] = [
    &["schema", "migrations"],
    &["chassis"],
    &["idempotency", "outbox", "order-stream", "catalogue"],
    &["loms-domain", "federation"],
    &["loms", "cart", "comments", "events"],
    &["notifier"],
    &["rest"],
    &["router"],
    &["features", "dev-services", "product-service", "load"],
    &["ops-console"],
    &["marketplace"],
    &["testkit"],
    &["audit", "bench", "chaos", "security"],
    &["e2e"],
];

/// Each is a process of its own: they meet on the wire and never depend on one another.
const SERVICES: [&str; 6] = ["loms", "cart", "comments", "events", "notifier", "router"];

/// What tests may use of higher floors: the fixtures, and the stand-in for the product service. A dev-dependency on
/// anything else up there would let a crate's tests rely on its users.
const FIXTURES: [&str; 2] = ["testkit", "product-service"];

/// What the federation library must not know: how it is served, the stream of events, and every word of this shop.
const UNKNOWN_TO_FEDERATION: [&str; 5] = ["axum", "rdkafka", "chassis", "order-stream", "schema"];

/// The modules of the router's crates in the order in which they may know each other, from the ground up. Modules of one
/// step may know each other, as far as no circle arises.
const ORDERS: [(&str, &[&[&str]]); 2] = [
    (
        "router/federation/src",
        &[
            &["request", "weight"],
            &["host"],
            &["graph"],
            &["shape"],
            &["operation"],
            &["plan"],
            &["subgraph"],
            &["execute"],
            &["engine"],
        ],
    ),
    (
        "router/src",
        &[
            &["config", "engine"],
            &["error", "supergraph"],
            &["admission"],
            &["stream"],
            &["events_query", "probe", "serve"],
            &["app"],
        ],
    ),
];

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().unwrap()
}

/// The workspace's packages, without their dependencies' own.
fn packages() -> Vec<Value> {
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&name))
}

/// Why one crate may not depend on another, if it may not.
fn crate_fault(from: &str, to: &str, is_dev: bool) -> Option<String> {
    let (Some(own), Some(other)) = (floor(from), floor(to)) else {
        let unknown = if floor(from).is_none() { from } else { to };
        return Some(format!("{unknown} is on no floor of FLOORS"));
    };
    if is_dev && FIXTURES.contains(&to) {
        return None;
    }
    if SERVICES.contains(&from) && SERVICES.contains(&to) {
        return Some(format!(
            "{from} and {to} are services: they meet on the wire"
        ));
    }
    (own <= other).then(|| format!("{to} is on floor {other}, {from} on floor {own}"))
}

/// Seen red with `chassis` among the dependencies of schema, `outbox` of chassis, `comments` of the cart, `loms` of the
/// notifier, `axum` of federation, and `marketplace` among the dev-dependencies of the order stream.
#[test]
fn crates_depend_on_lower_floors_only() {
    let packages = packages();
    let names: Vec<&str> = packages.iter().map(|it| text(it, "name")).collect();
    let gone = FLOORS
        .iter()
        .copied()
        .flatten()
        .filter(|it| !names.contains(it));
    let mut faults: Vec<String> = gone
        .map(|it| format!("{it} of FLOORS is no crate"))
        .collect();
    for package in &packages {
        let (from, manifest) = (text(package, "name"), text(package, "manifest_path"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let (to, kind) = (text(dependency, "name"), text(dependency, "kind"));
            if names.contains(&to)
                && let Some(fault) = crate_fault(from, to, kind == "dev")
            {
                faults.push(format!("{manifest}: {from} depends on {to}: {fault}"));
            }
            if from == "federation" && kind != "dev" && UNKNOWN_TO_FEDERATION.contains(&to) {
                faults.push(format!("{manifest}: federation must not know {to}"));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Every program and library of the workspace.
fn graphs() -> Vec<Graph> {
    let mut graphs = Vec::new();
    for package in packages() {
        for target in package["targets"].as_array().unwrap() {
            let kind = target["kind"][0].as_str().unwrap();
            if ["lib", "bin"].contains(&kind) {
                graphs.push(Graph::read(&root(), Path::new(text(target, "src_path"))));
            }
        }
    }
    graphs
}

/// Seen red once per wing, each time with one `use` line that closes a circle: outbox `relay/row.rs` naming `store`, cart
/// `cart/domain.rs` naming `Checkout`, notifier `message.rs` naming `Handler`, federation `graph/types.rs` naming
/// `Supergraph`, rest `json/mod.rs` naming `cart::routes`, router `stream/frame.rs` naming `Hub`, marketplace `keys.rs`
/// naming `ServiceHost`, chaos `outcome.rs` naming `Plan`.
#[test]
fn files_of_a_crate_do_not_know_each_other_in_a_circle() {
    let circles: Vec<String> = graphs().iter().flat_map(circles).collect();
    assert!(circles.is_empty(), "\n{}", circles.join("\n"));
}

/// The first module below the crate's root, `operation` for `operation/document.rs`; `None` for the root itself.
fn module<'a>(folder: &str, file: &'a str) -> Option<&'a str> {
    let below = file.strip_prefix(folder)?.strip_prefix('/')?;
    let module = below.split(['/', '.']).next()?;
    (module != "lib").then_some(module)
}

/// Why one module may not name something of another, if it may not.
fn module_fault(
    Arrow {
        from,
        line,
        to,
        name,
    }: &Arrow,
) -> Option<String> {
    let (folder, order) = ORDERS.iter().find(|(folder, _)| from.starts_with(folder))?;
    let (own, other) = (module(folder, from)?, module(folder, to)?);
    let rank = |module| order.iter().position(|step| step.contains(&module));
    match (rank(own), rank(other)) {
        (Some(own), Some(other)) if own >= other => None,
        (Some(_), Some(_)) => Some(format!(
            "{from}:{line}: {own} names {name} of {other}, which comes later"
        )),
        (None, _) | (_, None) => Some(format!(
            "{from}:{line}: {own} names {name} of {other}, and one of them has no place in ORDERS"
        )),
    }
}

/// Seen red with `use crate::engine::Engine` in federation's `plan/planner.rs`, and with `use crate::serve::listener` in
/// the router's `stream/hub.rs`.
#[test]
fn modules_look_down_the_order_of_a_request() {
    let graphs = graphs();
    let arrows = graphs.iter().flat_map(|graph| &graph.arrows);
    let faults: Vec<String> = arrows.filter_map(module_fault).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
