//! The network policies: nobody talks to anybody but along the settings' own addresses, and both ends allow it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::manifests::{environment, list, number, of_kind, ports, text, texts, workloads};

/// Who may open a connection to whom: caller, called, port. What is no pod of ours has its policy's name or its namespace's.
type Ways = BTreeSet<(String, String, u16)>;

const NAME: &str = "app.kubernetes.io/name";

/// The pods that a policy is for; every one when it selects none.
fn pods_of(policy: &Value) -> Vec<String> {
    let selector = &policy["spec"]["podSelector"];
    if let Some(one) = selector["matchLabels"][NAME].as_str() {
        return vec![one.to_owned()];
    }
    match selector["matchExpressions"].as_array() {
        Some(rules) => {
            assert_eq!((rules.len(), text(&rules[0]["key"])), (1, NAME));
            texts(&rules[0]["values"])
                .into_iter()
                .map(str::to_owned)
                .collect()
        }
        None => workloads().into_keys().collect(),
    }
}

/// The ways that rules of one direction allow, as pairs of the other end and a TCP port.
fn allowed(policy: &Value, direction: &str, peers: &str) -> Vec<(String, u16)> {
    let mut all = Vec::new();
    for rule in list(&policy["spec"][direction]) {
        for port in list(&rule["ports"])
            .iter()
            .filter(|it| it["protocol"] == "TCP")
        {
            for peer in list(&rule[peers]) {
                let other = peer["podSelector"]["matchLabels"][NAME].as_str();
                let space =
                    &peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"];
                let other = other.or_else(|| space.as_str());
                let outside = text(&policy["metadata"]["name"]);
                all.push((other.unwrap_or(outside).to_owned(), number(&port["port"])));
            }
        }
    }
    all
}

fn ways(direction: &str, peers: &str) -> Ways {
    let mut all = Ways::new();
    for policy in of_kind("NetworkPolicy").values() {
        for pod in pods_of(policy) {
            for (other, port) in allowed(policy, direction, peers) {
                all.insert(match direction {
                    "ingress" => (other, pod.clone(), port),
                    _ => (pod.clone(), other, port),
                });
            }
        }
    }
    all
}

/// Who calls whom by the settings: each `http://SERVICE:PORT` that a process of its own reads.
fn called() -> Ways {
    // A process has the addresses of all; these are the ones that it uses.
    let uses = [
        ("cart", "MARKETPLACE_CART_"),
        ("loms", "MARKETPLACE_LOMS_"),
        ("router", "MARKETPLACE_ROUTER_SUBGRAPH_URLS_"),
    ];
    let workloads = workloads();
    let mut all = Ways::new();
    for (caller, prefix) in uses {
        let set = environment(&workloads[caller]);
        for (_, url) in set.iter().filter(|(name, _)| name.starts_with(prefix)) {
            if let Ok(url) = url::Url::parse(url) {
                let host = url.host_str().unwrap().to_owned();
                all.insert((caller.to_owned(), host, url.port().unwrap()));
            }
        }
    }
    all
}

/// Seen red with the port of cart's way to the order service changed, at either end.
#[test]
fn pods_reach_each_other_along_the_settings_addresses_and_nowhere_else() {
    let ours: BTreeSet<String> = workloads().into_keys().collect();
    let among_us = |ways: Ways| -> Ways {
        ways.into_iter()
            .filter(|(from, to, _)| ours.contains(from) && ours.contains(to))
            .collect()
    };
    let called = called();
    assert_eq!(called.len(), 6, "{called:?}");
    assert_eq!(among_us(ways("egress", "to")), called);
    assert_eq!(among_us(ways("ingress", "from")), called);
    let services = of_kind("Service");
    for (_, to, port) in called {
        let open = list(&services[&to]["spec"]["ports"]).iter();
        let open: Vec<u16> = open.map(|it| number(&it["port"])).collect();
        assert!(open.contains(&port), "{to}:{port}");
    }
}

#[test]
fn from_outside_come_the_gateway_to_the_router_and_prometheus_to_metrics() {
    let ours: BTreeSet<String> = workloads().into_keys().collect();
    let mut outside = ways("ingress", "from");
    outside.retain(|(from, ..)| !ours.contains(from));
    let mut expected = Ways::from([("gateway".to_owned(), "router".to_owned(), 4000)]);
    for (name, deployment) in of_kind("Deployment") {
        let ports = ports(&deployment);
        let health = ports.get("admin").or_else(|| ports.get("http"));
        expected.insert(("monitoring".to_owned(), name, *health.unwrap()));
    }
    assert_eq!(outside, expected);
}

/// Postgres, Kafka and the issuer are reached by those whose settings name them.
#[test]
fn what_is_outside_is_reached_by_those_who_use_it() {
    let policies = of_kind("NetworkPolicy");
    let users =
        |names: &str| -> BTreeSet<String> { pods_of(&policies[names]).into_iter().collect() };
    let who_has = |variable: &str| -> BTreeSet<String> {
        let all = workloads().into_iter();
        all.filter(|(_, it)| environment(it).contains_key(variable))
            .map(|(name, _)| name)
            .collect()
    };
    let mut postgres = who_has("MARKETPLACE_POSTGRES_URL");
    postgres.extend(who_has("MARKETPLACE_POSTGRES_URL_FILE"));
    assert_eq!(users("postgres"), postgres);
    assert_eq!(users("issuer"), who_has("MARKETPLACE_KEYS_ISSUER"));
    let kafka = ["loms", "notifier", "router"].map(str::to_owned);
    assert_eq!(users("kafka"), kafka.into());
    let nobody = &policies["nobody"]["spec"];
    assert_eq!(texts(&nobody["policyTypes"]), ["Ingress", "Egress"]);
    let rules: BTreeMap<_, _> = nobody.as_object().unwrap().iter().collect();
    assert_eq!(rules.len(), 2, "the default allows something: {nobody}");
}
