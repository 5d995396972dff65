//! `deploy/kubernetes/base`, without a cluster: what its manifests say agrees with the program, the image and itself, and each
//! process takes the settings that its pod would have, in the profile `production`.

mod manifests;
mod network;
mod start;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use chassis::clock::Clock;
use chassis::principal::{ServiceSigner, ServiceVerifier};
use serde_json::Value;

use self::manifests::{
    KEYS, Mounts, SECRETS, container, environment, list, listened, made_secrets, number, objects,
    of_kind, pod, ports, project, read, secret_files, text, texts, workloads,
};

/// The owner's address of Postgres, as an operator gives it.
const OWNER: &str = "postgres://owner:hidden@postgres.example.internal:5432/";
/// How long a process may take to stop after `drain_notice`: `DRAIN_LIMIT` of `command/service.rs`, rounded up.
const DRAIN: Duration = Duration::from_secs(4);

/// What Kubernetes would put into every pod, were it not switched off, of a Service of this name and port.
fn service_variables(service: &str, port: u16) -> Vec<(String, String)> {
    let name = service.replace('-', "_").to_uppercase();
    let url = format!("tcp://10.0.0.1:{port}");
    let all = [
        ("SERVICE_HOST".to_owned(), "10.0.0.1".to_owned()),
        ("SERVICE_PORT".to_owned(), port.to_string()),
        ("SERVICE_PORT_HTTP".to_owned(), port.to_string()),
        ("PORT".to_owned(), url.clone()),
        (format!("PORT_{port}_TCP"), url),
        (format!("PORT_{port}_TCP_PROTO"), "tcp".to_owned()),
        (format!("PORT_{port}_TCP_PORT"), port.to_string()),
        (format!("PORT_{port}_TCP_ADDR"), "10.0.0.1".to_owned()),
    ];
    all.map(|(form, value)| (format!("{name}_{form}"), value))
        .into()
}

/// `config print` of a process with this environment: every setting with value and origin, or what it refuses.
fn print(process: &str, environment: &[(String, String)]) -> Result<Vec<Value>, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_marketplace"))
        .args(["config", "print", "--format", "json", "--process", process])
        .env_clear()
        .envs(environment.iter().cloned())
        .current_dir(std::env::temp_dir())
        .output()
        .unwrap();
    if output.status.success() {
        return Ok(serde_json::from_slice(&output.stdout).unwrap());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// With the variables of Services too, of the base's and of some that are called as settings are.
///
/// Seen red with a misspelt variable in `settings.env`.
#[test]
fn each_process_takes_its_pod_s_settings_in_production_and_every_one_of_them_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let made = made_secrets(OWNER);
    let mut links = service_variables("marketplace", 4000);
    links.extend(service_variables("marketplace-router", 4000));
    links.extend(service_variables("marketplace-postgres", 5432));
    links.extend(service_variables("marketplace-up-kafka", 9092));
    for (name, service) in of_kind("Service") {
        let port = number(&list(&service["spec"]["ports"])[0]["port"]);
        links.extend(service_variables(&name, port));
    }
    for (name, workload) in workloads() {
        let mounts = Mounts::lay(folder.path().join(&name), &workload, &made);
        let set = environment(&workload);
        let here = set
            .iter()
            .map(|(name, value)| (name.clone(), mounts.here(value)));
        let rows = print(&name, &here.chain(links.clone()).collect::<Vec<_>>());
        let rows = rows.unwrap_or_else(|told| panic!("{name}: {told}"));
        let from_environment = rows.iter().filter_map(|row| {
            let origin = text(&row["origin"]).strip_prefix("env ")?;
            Some(origin.split(", ").next().unwrap_or_default())
        });
        let read: BTreeSet<_> = from_environment.collect();
        let given: BTreeSet<_> = set.keys().map(String::as_str).collect();
        assert_eq!(read, given, "{name}");
        let profile = rows.iter().find(|row| row["setting"] == "profile").unwrap();
        assert_eq!(profile["value"], "production", "{name}");
    }
}

/// A process is refused without any one of its secrets: none is mounted for nothing.
#[test]
fn every_file_of_a_secret_is_named_by_a_setting_and_every_named_file_is_mounted() {
    for (name, workload) in workloads() {
        let mounted: BTreeSet<_> = secret_files(&workload).into_keys().collect();
        let set = environment(&workload);
        let prefix = format!("{SECRETS}/");
        let named: BTreeSet<_> = set
            .values()
            .filter_map(|it| it.strip_prefix(&prefix))
            .collect();
        assert_eq!(named, mounted, "{name}");
        let container = container(&workload);
        let mounts = list(&container["volumeMounts"]).iter();
        let paths: BTreeSet<_> = mounts.map(|mount| text(&mount["mountPath"])).collect();
        assert!(paths.contains(SECRETS), "{name}");
        let needs_keys = set.values().any(|value| value.starts_with(KEYS));
        assert_eq!(paths.contains(KEYS), needs_keys, "{name}");
    }
    let held = objects().into_iter().any(|it| it["kind"] == "Secret");
    assert!(!held, "a secret is in the repository");
}

/// A service has its own role's password alone, and only the migration the owner's.
#[test]
fn a_pod_holds_its_own_secrets_and_no_others() {
    for (name, workload) in workloads() {
        let held: BTreeSet<_> = secret_files(&workload)
            .into_values()
            .map(|it| it.0)
            .collect();
        for (of, secret) in [
            ("loms", "database-loms"),
            ("cart", "database-cart"),
            ("comments", "database-comments"),
            ("notifier", "database-notifier"),
        ] {
            assert_eq!(
                held.contains(secret),
                name == of || name == "migrate",
                "{name}: {secret}"
            );
        }
        assert_eq!(held.contains("database-owner"), name == "migrate", "{name}");
        assert_eq!(held.contains("router-keys"), name == "router", "{name}");
        assert_eq!(held.contains("cart-keys"), name == "cart", "{name}");
    }
}

/// The script's keys are what the program takes: a service's token is known by the public half that lies in the ConfigMap.
#[test]
fn the_keys_that_are_made_prove_router_and_cart_to_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let made = made_secrets(OWNER);
    let clock = Clock::system();
    for name in ["router", "cart"] {
        let workload = &workloads()[name];
        let mounts = Mounts::lay(folder.path().join(name), workload, &made);
        let set = environment(workload);
        let at = |variable: &str| mounts.here(&set[variable]);
        let key = at("MARKETPLACE_KEYS_SERVICE");
        let signer = ServiceSigner::from_file(name, key.as_ref(), clock.clone()).unwrap();
        let verifier =
            ServiceVerifier::new(at("MARKETPLACE_KEYS_SERVICES_DIR").as_ref(), clock.clone());
        let (_, token) = signer.header();
        let known = verifier.verify(token.to_str().unwrap());
        assert_eq!(known.as_deref().ok(), Some(name));
    }
    let id = |name: &str| made[&("public-keys".to_owned(), name.to_owned())].clone();
    let set: Value = serde_json::from_slice(&id("router.jwks.json")).unwrap();
    let pem = &made[&("router-keys".to_owned(), "router.pem".to_owned())];
    let file = folder.path().join("router.pem");
    std::fs::write(&file, pem).unwrap();
    let signer = chassis::principal::Signer::load(&file, clock).unwrap();
    assert_eq!(set["keys"][0], serde_json::to_value(signer.jwk()).unwrap());
}

/// Each process listens for other machines at just the ports that its container has, and is asked for its health there.
#[test]
fn ports_are_what_the_processes_listen_on_and_probes_ask_there() {
    for (name, workload) in of_kind("Deployment") {
        let own = ports(&workload);
        let numbers: BTreeSet<_> = own.values().copied().collect();
        assert_eq!(numbers, listened(&environment(&workload)), "{name}");
        let container = container(&workload);
        assert_eq!(texts(&container["args"]), [name.as_str()]);
        // GraphQL of the router is public, and its health is not there.
        let health = if own.contains_key("admin") {
            "admin"
        } else {
            "http"
        };
        for (probe, path) in [
            ("startupProbe", "/startupz"),
            ("readinessProbe", "/readyz"),
            ("livenessProbe", "/livez"),
        ] {
            let asked = &container[probe]["httpGet"];
            assert_eq!(
                (text(&asked["path"]), text(&asked["port"])),
                (path, health),
                "{name}"
            );
        }
        let annotations = &workload["spec"]["template"]["metadata"]["annotations"];
        let scraped: u16 = number(&annotations["prometheus.io/port"]);
        assert_eq!(
            (scraped, text(&annotations["prometheus.io/path"])),
            (own[health], "/metrics")
        );
    }
    for (name, service) in of_kind("Service") {
        let of = text(&service["spec"]["selector"]["app.kubernetes.io/name"]);
        let deployments = of_kind("Deployment");
        let own = ports(&deployments[of]);
        for port in list(&service["spec"]["ports"]) {
            let target = own.get(text(&port["targetPort"]));
            assert_eq!(target.copied(), Some(number(&port["port"])), "{name}");
        }
    }
}

#[test]
fn a_pod_has_its_drain_and_no_rights() {
    let dockerfile = read("Dockerfile");
    for (name, workload) in workloads() {
        let (pod, container) = (pod(&workload), container(&workload));
        let user = text(&pod["securityContext"]["runAsUser"]);
        assert!(
            dockerfile.contains(&format!("\nUSER {user}\n")),
            "{name}: {user}"
        );
        assert_ne!(user, "0", "{name}");
        for (value, expected) in [
            (&pod["securityContext"]["runAsNonRoot"], "true"),
            (
                &pod["securityContext"]["seccompProfile"]["type"],
                "RuntimeDefault",
            ),
            (&pod["automountServiceAccountToken"], "false"),
            (&pod["enableServiceLinks"], "false"),
            (
                &container["securityContext"]["readOnlyRootFilesystem"],
                "true",
            ),
            (
                &container["securityContext"]["allowPrivilegeEscalation"],
                "false",
            ),
        ] {
            assert_eq!(value, expected, "{name}");
        }
        let dropped = &container["securityContext"]["capabilities"]["drop"];
        assert_eq!(texts(dropped), ["ALL"], "{name}");
        assert!(
            container["resources"]["requests"]["cpu"].is_string(),
            "{name}"
        );
        assert!(
            container["resources"]["limits"]["memory"].is_string(),
            "{name}"
        );
        if workload["kind"] == "Deployment" {
            let notice = &environment(&workload)["MARKETPLACE_DRAIN_NOTICE"];
            let notice = humantime::parse_duration(notice).unwrap();
            let grace = Duration::from_secs(number(&pod["terminationGracePeriodSeconds"]));
            assert!(grace >= 2 * (notice + DRAIN), "{name}: {grace:?}");
        }
    }
}

#[test]
fn each_deployment_outlives_a_pod_and_a_node() {
    let budgets = of_kind("PodDisruptionBudget");
    for (name, deployment) in of_kind("Deployment") {
        let of = serde_json::json!({"app.kubernetes.io/name": &name});
        let template = &deployment["spec"]["template"];
        assert_eq!(deployment["spec"]["selector"]["matchLabels"], of);
        assert_eq!(template["metadata"]["labels"], of, "{name}");
        assert!(
            number::<u32>(&deployment["spec"]["replicas"]) >= 2,
            "{name}"
        );
        let rollout = &deployment["spec"]["strategy"]["rollingUpdate"];
        assert_eq!(rollout["maxUnavailable"], "0", "{name}");
        let budget = &budgets[&name]["spec"];
        assert_eq!(budget["selector"]["matchLabels"], of);
        assert_eq!(budget["maxUnavailable"], "1", "{name}");
        let spread = list(&pod(&deployment)["topologySpreadConstraints"]).iter();
        let spread: BTreeMap<_, _> = spread
            .map(|it| {
                (
                    text(&it["topologyKey"]),
                    &it["labelSelector"]["matchLabels"],
                )
            })
            .collect();
        assert_eq!(spread["topology.kubernetes.io/zone"], &of, "{name}");
        assert_eq!(spread["kubernetes.io/hostname"], &of, "{name}");
    }
}

/// What the autoscaler asks for is made by the adapter's rules, from metrics that the program has.
#[test]
fn the_autoscaler_goes_by_metrics_that_there_are() {
    let example = |file: &str| read(&format!("deploy/kubernetes/overlays/example/{file}"));
    let autoscaler = &yaml::documents(&example("autoscaling.yaml"))[0];
    let rules = example("prometheus-adapter.yaml");
    let page = read("docs/telemetry.md");
    let wanted = list(&autoscaler["spec"]["metrics"]).iter();
    let wanted: Vec<_> = wanted
        .map(|it| text(&it["pods"]["metric"]["name"]))
        .collect();
    assert_eq!(wanted.len(), 2);
    for name in wanted {
        assert!(rules.contains(&format!("{{ as: {name} }}")), "{name}");
    }
    let mut measured = 0;
    for part in rules.split("marketplace_").skip(1) {
        let end = part.find(|it: char| !it.is_ascii_lowercase() && it != '_');
        let name = format!("marketplace_{}", &part[..end.unwrap_or(part.len())]);
        // Before its labels it is a metric of ours, elsewhere the name that it is given.
        if part[end.unwrap_or(part.len())..].starts_with('{') {
            assert!(page.contains(&format!("`{name}`")), "{name}");
            measured += 1;
        }
    }
    assert_eq!(measured, 5, "{rules}");
}

#[test]
fn the_scripts_are_programs() {
    use std::os::unix::fs::PermissionsExt as _;
    for script in ["deploy/validate", "deploy/kubernetes/make-secrets"] {
        let mode = project(script).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{script}");
    }
}
