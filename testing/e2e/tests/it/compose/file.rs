//! `compose.yaml` and the Dockerfile as files: well formed, closed to the network, bounded, without a secret in them.

use std::process::Command;

use serde_json::{Map, Value};

use crate::observability::{project, read};

/// The processes that are ours.
pub(super) const OURS: [&str; 7] = [
    "cart",
    "comments",
    "loms",
    "migrate",
    "notifier",
    "product-service",
    "router",
];

/// Images without a shell, in which no check could run.
const UNCHECKED: [&str; 3] = ["collector", "jaeger", "migrate"];

/// The whole model: anchors merged, defaults filled in, checked against the specification's schema.
pub(super) fn model() -> Value {
    let printed = run("compose-spec", &["-format", "json", "compose.yaml"]);
    serde_json::from_str(&printed).expect("the loader prints JSON")
}

/// The services, by name.
pub(super) fn services(model: &Value) -> &Map<String, Value> {
    model["services"].as_object().expect("there are services")
}

/// Runs a checker that `.ci/tools` installs.
fn run(tool: &str, arguments: &[&str]) -> String {
    let program = project("target/tools/containers/bin").join(tool);
    let output = Command::new(&program)
        .args(arguments)
        .current_dir(project(""))
        .output()
        .unwrap_or_else(|error| {
            panic!(
                "{}: {error}: `bash .ci/tools` installs it",
                program.display()
            )
        });
    let stderr = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{tool} {arguments:?}: {stderr}{printed}"
    );
    printed
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// Seen red with a misspelt key (`mem_limits`) in a service.
#[test]
fn the_specifications_own_loader_takes_the_file() {
    let model = model();
    for name in OURS.iter().chain(&[
        "postgres",
        "kafka",
        "proxy",
        "collector",
        "jaeger",
        "prometheus",
        "grafana",
    ]) {
        assert!(services(&model).contains_key(*name), "no service {name}");
    }
}

/// What real engines refuse although the specification allows it. Seen with Compose 2.40 and engine 20.10: the text of a
/// configuration cannot be put into a read-only container, and a start interval needs engine 25.
#[test]
fn nothing_is_asked_of_an_engine_that_only_some_can_do() {
    let model = model();
    let configs = model["configs"].as_object().into_iter().flatten();
    for (name, config) in configs {
        assert!(config.get("file").is_some(), "{name} is no file");
    }
    for (name, service) in services(&model) {
        assert_eq!(service["healthcheck"].get("start_interval"), None, "{name}");
    }
}

#[test]
fn the_linter_finds_no_fault_in_the_dockerfile() {
    run("hadolint", &["Dockerfile"]);
}

#[test]
fn every_service_is_bounded_checked_and_reached_from_this_machine_alone() {
    let model = model();
    for (name, service) in services(&model) {
        assert!(
            service["mem_limit"].is_string(),
            "{name}: no bound of memory"
        );
        assert!(
            list(service, "security_opt").contains(&Value::from("no-new-privileges:true")),
            "{name}: may gain privileges"
        );
        for port in list(service, "ports") {
            assert_eq!(port["host_ip"], "127.0.0.1", "{name}: {port}");
        }
        let checked = service["healthcheck"]["test"].is_array();
        assert_eq!(
            checked,
            !UNCHECKED.contains(&name.as_str()),
            "{name}: health check"
        );
        let image = service["image"].as_str().unwrap_or_default();
        let tag = image.rsplit_once(':').map(|(_, tag)| tag);
        assert!(
            tag.is_some_and(|tag| tag != "latest"),
            "{name}: image {image}"
        );
    }
}

#[test]
fn our_processes_write_to_their_volumes_alone_and_keep_no_capability() {
    let model = model();
    for name in OURS {
        let service = &services(&model)[name];
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
    }
    assert!(
        read("Dockerfile").contains("\nUSER 10001\n"),
        "the image runs as root"
    );
}

#[test]
fn each_service_starts_after_what_it_needs_is_healthy() {
    let model = model();
    for (name, service) in services(&model) {
        for (needed, how) in service["depends_on"].as_object().into_iter().flatten() {
            let expected = match needed.as_str() {
                "migrate" => "service_completed_successfully",
                _ => "service_healthy",
            };
            assert_eq!(how["condition"], expected, "{name} needs {needed}");
        }
    }
    let replicas = |name: &str| services(&model)[name]["deploy"]["replicas"].as_u64();
    assert_eq!(
        (replicas("router"), replicas("notifier")),
        (Some(2), Some(3))
    );
}

#[test]
fn passwords_are_files_that_are_made_and_never_committed() {
    let text = read("compose.yaml");
    for (name, secret) in model()["secrets"].as_object().unwrap() {
        let file = secret["file"].as_str().unwrap();
        assert!(file.ends_with(&format!("secrets/{name}")), "{file}");
        assert!(
            read("Makefile").contains(name.as_str()),
            "`make secrets` does not make {name}"
        );
    }
    for line in text
        .lines()
        .filter(|line| line.contains("PASSWORD") || line.contains("_KEY"))
    {
        assert!(
            line.contains("/run/secrets/"),
            "a secret in the file: {line}"
        );
    }
    assert!(read(".gitignore").lines().any(|line| line == "/secrets/"));
    assert!(read(".dockerignore").lines().any(|line| line == "secrets"));
}

#[test]
fn every_mounted_file_exists_and_kafka_is_the_one_of_make_run() {
    let model = model();
    for (name, service) in services(&model) {
        for volume in list(service, "volumes")
            .iter()
            .filter(|volume| volume["type"] == "bind")
        {
            let source = volume["source"].as_str().unwrap();
            assert!(std::path::Path::new(source).exists(), "{name}: {source}");
        }
    }
    let image = services(&model)["kafka"]["image"].as_str().unwrap();
    let version = image.strip_prefix("apache/kafka:").unwrap();
    let jars = read("launcher/dev-services/kafka/pom.xml");
    assert!(
        jars.contains(&format!("<version>{version}</version>")),
        "{image}"
    );
}
