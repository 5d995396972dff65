//! The stack for other people's data: what `docs/operations/containers.md` has changed for it, and who holds which secret.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::file::{OURS, model, services};
use super::service::Fixture;

/// The services with a database, and so with a role of their own.
const WITH_DATABASE: [&str; 4] = ["loms", "cart", "comments", "notifier"];

/// The files of secrets that a service is given.
fn secrets(service: &Value) -> BTreeSet<&str> {
    let given = service["secrets"].as_array().into_iter().flatten();
    given
        .filter_map(|secret| secret["source"].as_str())
        .collect()
}

/// Fails with the owner's address of Postgres given to any service.
#[test]
fn a_service_holds_the_password_of_its_own_role_and_no_other() {
    let model = model();
    let of_role = |name: &str| format!("{name}_database");
    for (name, service) in services(&model) {
        let held = secrets(service);
        let is_owner = ["migrate", "postgres"].contains(&name.as_str());
        let owners = ["postgres_url", "postgres_password"];
        assert!(
            is_owner || owners.iter().all(|it| !held.contains(it)),
            "{name}: {held:?}"
        );
        for role in WITH_DATABASE {
            let holds = held.contains(of_role(role).as_str());
            assert_eq!(holds, name == role || name == "migrate", "{name}: {role}");
        }
    }
    for name in WITH_DATABASE {
        let service = &services(&model)[name];
        let variable = format!("MARKETPLACE_DATABASE_ROLES_{}_FILE", name.to_uppercase());
        let file = service["environment"][&variable].as_str();
        assert_eq!(
            file,
            Some(format!("/run/secrets/{}", of_role(name)).as_str())
        );
    }
}

/// Each process takes the settings of its container with the profile and an issuer's keys, and without what the file opens
/// for the demo; with any of that left, it is refused.
///
/// Fails with a process asked for another one's secrets.
#[test]
fn every_container_passes_the_production_profile_once_the_demo_s_doors_are_shut() {
    let folder = TempDir::with_prefix("marketplace-production-").unwrap();
    let fixture = fixture(folder.path());
    let model = model();
    let mut doors = 0;
    for name in OURS {
        let service = &services(&model)[name];
        let mut environment: BTreeMap<_, _> = fixture
            .environment(service, Ipv4Addr::UNSPECIFIED)
            .into_iter()
            .collect();
        let set = [
            ("MARKETPLACE_PROFILE", "production"),
            ("MARKETPLACE_KEYS_JWKS", "/keys.json"),
        ];
        environment.extend(set.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let is_door = |name: &str| name.ends_with("_BEYOND_LOOPBACK_ENABLED");
        if environment.keys().any(|name| is_door(name)) {
            doors += 1;
            let (is_taken, told) = print(&fixture, name, &environment);
            assert!(
                !is_taken && told.contains("beyond loopback"),
                "{name}: {told}"
            );
        }
        environment.retain(|name, _| !is_door(name));
        let (is_taken, told) = print(&fixture, name, &environment);
        assert!(is_taken, "{name}: {told}");
    }
    assert_eq!(doors, 3, "router, orders and comments");
}

/// Whether the process takes these settings, and what it says if not.
fn print(
    fixture: &Fixture,
    process: &str,
    environment: &BTreeMap<String, String>,
) -> (bool, String) {
    let output = Command::new(fixture.programs.join("marketplace"))
        .args(["config", "print", "--process", process])
        .env_clear()
        .envs(environment)
        .current_dir(&fixture.folder)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), told)
}

fn fixture(folder: &Path) -> Fixture {
    let secrets = folder.join("secrets");
    std::fs::create_dir(&secrets).unwrap();
    let owner = "postgres://marketplace:pass@postgres:5432/";
    std::fs::write(secrets.join("postgres_url"), owner).unwrap();
    let others = WITH_DATABASE.map(|name| format!("{name}_database"));
    for name in others.iter().map(String::as_str).chain(["product_key"]) {
        std::fs::write(secrets.join(name), format!("the test's own {name}")).unwrap();
    }
    let tests = std::env::current_exe().unwrap();
    Fixture {
        folder: folder.to_owned(),
        programs: tests.parent().and_then(Path::parent).unwrap().to_owned(),
        addresses: BTreeMap::new(),
        outside: Vec::new(),
    }
}
