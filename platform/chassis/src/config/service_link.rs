//! What Kubernetes puts into the environment of a pod: where each Service of its namespace is.
//!
//! A Service `marketplace-router` gives all pods `MARKETPLACE_ROUTER_PORT=tcp://10.0.0.1:4000` and others, which begin as
//! our variables do and are no settings. Invariant: name and value must both be of such a form, so that a misspelt setting
//! still stops the start. Source: the Kubernetes documentation, "Service", environment variables.

use std::net::{IpAddr, SocketAddr};

/// The protocols of a Service's ports.
const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];

/// Whether a variable says where a Service is.
pub(super) fn is_service_link(name: &str, value: &str) -> bool {
    if name.ends_with("_SERVICE_HOST") {
        return value.parse::<IpAddr>().is_ok();
    }
    if let Some((_, port_name)) = name.split_once("_SERVICE_PORT") {
        let is_form = port_name.is_empty() || port_name.starts_with('_');
        return is_form && value.parse::<u16>().is_ok();
    }
    if name.ends_with("_PORT") && is_url(value) {
        return true;
    }
    // `…_PORT_4000_TCP`, alone or with what it is of that port.
    let Some((_, port)) = name.split_once("_PORT_") else {
        return false;
    };
    let mut parts = port.split('_');
    let number = parts.next().unwrap_or_default();
    let protocol = parts.next().unwrap_or_default().to_ascii_lowercase();
    if number.parse::<u16>().is_err() || !PROTOCOLS.contains(&protocol.as_str()) {
        return false;
    }
    match (parts.next(), parts.next()) {
        (None, _) => is_url(value),
        (Some("PROTO"), None) => value == protocol,
        (Some("PORT"), None) => value == number,
        (Some("ADDR"), None) => value.parse::<IpAddr>().is_ok(),
        _ => false,
    }
}

/// Whether this is a Service's address, as `tcp://10.0.0.1:4000`.
fn is_url(value: &str) -> bool {
    let parts = value.split_once("://");
    parts.is_some_and(|(protocol, address)| {
        PROTOCOLS.contains(&protocol) && address.parse::<SocketAddr>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the kubelet writes them of Services `marketplace` and `marketplace-router`, the second with a named port and IPv6.
    const LINKS: [(&str, &str); 13] = [
        ("MARKETPLACE_SERVICE_HOST", "10.0.0.1"),
        ("MARKETPLACE_SERVICE_PORT", "4000"),
        ("MARKETPLACE_PORT", "tcp://10.0.0.1:4000"),
        ("MARKETPLACE_PORT_4000_TCP", "tcp://10.0.0.1:4000"),
        ("MARKETPLACE_PORT_4000_TCP_PROTO", "tcp"),
        ("MARKETPLACE_PORT_4000_TCP_PORT", "4000"),
        ("MARKETPLACE_PORT_4000_TCP_ADDR", "10.0.0.1"),
        ("MARKETPLACE_ROUTER_SERVICE_HOST", "fd00::1"),
        ("MARKETPLACE_ROUTER_SERVICE_PORT_GRAPH_HTTP", "4000"),
        ("MARKETPLACE_ROUTER_PORT", "tcp://[fd00::1]:4000"),
        ("MARKETPLACE_ROUTER_PORT_4000_UDP", "udp://[fd00::1]:4000"),
        ("MARKETPLACE_ROUTER_PORT_4000_UDP_ADDR", "fd00::1"),
        // Its name is a setting's, its value none.
        ("MARKETPLACE_UP_KAFKA_PORT", "tcp://10.0.0.1:9092"),
    ];

    #[test]
    fn what_kubernetes_says_of_a_service_is_known_by_name_and_value() {
        for (name, value) in LINKS {
            assert!(is_service_link(name, value), "{name}={value}");
        }
        for (name, value) in [
            ("MARKETPLACE_ROUTER_PORT", "4000"),
            ("MARKETPLACE_ROUTER_PORT", "http://10.0.0.1:4000"),
            ("MARKETPLACE_ROUTER_PORTS", "tcp://10.0.0.1:4000"),
            ("MARKETPLACE_ROUTER_SERVICE_HOST", "shop.example"),
            ("MARKETPLACE_ROUTER_SERVICE_PORTS", "4000"),
            ("MARKETPLACE_ROUTER_SERVICE_PORT", "many"),
            ("MARKETPLACE_PORT_4000_TCP_PORT", "4001"),
            ("MARKETPLACE_PORT_4000_TLS", "tcp://10.0.0.1:4000"),
            ("MARKETPLACE_PORT_4000_TCP_ADDR_OF", "10.0.0.1"),
            ("MARKETPLACE_PORT_4000", "tcp://10.0.0.1:4000"),
            ("MARKETPLACE_UP_KAFKA_PORT", "9092"),
            ("MARKETPLACE_KEYS_SERVICE", "10.0.0.1"),
        ] {
            assert!(!is_service_link(name, value), "{name}={value}");
        }
    }
}
