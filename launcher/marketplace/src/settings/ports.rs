//! Lists every port, moves all of them together, and makes clients follow the listeners that they call.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::{Refused, Settings};

/// A port that some process listens on.
#[derive(Debug, Clone)]
pub struct Listener {
    /// What listens there.
    pub what: &'static str,
    /// The setting that moves it.
    pub setting: &'static str,
    /// The address, after any offset.
    pub address: SocketAddr,
}

/// What is there, the setting that moves it, and the setting's value.
type Row<'a> = (&'static str, &'static str, &'a mut SocketAddr);

impl Settings {
    /// The ports of the services where one process runs everything; `separate` adds those between processes.
    #[must_use]
    pub fn listeners(&self, separate: bool) -> Vec<Listener> {
        let mut settings = self.clone();
        let rows = settings.addresses().into_iter();
        let between =
            |setting: &str| setting.starts_with("subgraphs.") || setting == "notifier.admin_listen";
        rows.filter(|(_, setting, _)| !setting.starts_with("console."))
            .filter(|(_, setting, _)| separate || !between(setting))
            .map(|(what, setting, address)| Listener {
                what,
                setting,
                address: *address,
            })
            .collect()
    }

    /// Every listener of the marketplace, the one place that lists them.
    fn addresses(&mut self) -> [Row<'_>; 14] {
        let (router, subgraphs) = (&mut self.router, &mut self.subgraphs);
        let rest = &mut router.rest;
        [
            (
                "GraphQL and the playground",
                "router.listen",
                &mut router.listen,
            ),
            (
                "the admin port",
                "router.admin_listen",
                &mut router.admin_listen,
            ),
            (
                "cart REST",
                "router.rest.cart_listen",
                &mut rest.cart_listen,
            ),
            (
                "the order gateway",
                "router.rest.loms_listen",
                &mut rest.loms_listen,
            ),
            (
                "the old order gateway",
                "router.rest.loms_old_listen",
                &mut rest.loms_old_listen,
            ),
            (
                "the comments gateway",
                "router.rest.comments_listen",
                &mut rest.comments_listen,
            ),
            (
                "the product service",
                "product.listen",
                &mut self.product.listen,
            ),
            ("order gRPC", "loms.grpc_listen", &mut self.loms.grpc_listen),
            (
                "comments gRPC",
                "comments.grpc_listen",
                &mut self.comments.grpc_listen,
            ),
            (
                "the cart subgraph",
                "subgraphs.cart_listen",
                &mut subgraphs.cart_listen,
            ),
            (
                "the order subgraph",
                "subgraphs.loms_listen",
                &mut subgraphs.loms_listen,
            ),
            (
                "the comments subgraph",
                "subgraphs.comments_listen",
                &mut subgraphs.comments_listen,
            ),
            (
                "the notifier's admin port",
                "notifier.admin_listen",
                &mut self.notifier.admin_listen,
            ),
            (
                "the operators' console",
                "console.listen",
                &mut self.console.listen,
            ),
        ]
    }

    /// Every setting that has a port which an offset moves.
    pub(super) fn port_settings() -> impl Iterator<Item = &'static str> {
        let own = ["up.postgres_port", "up.kafka_port"];
        let names = Self::default().addresses().map(|(_, setting, _)| setting);
        own.into_iter().chain(names)
    }

    /// Adds `offset` to every port but those of the `chosen` settings. Returns the settings that it changed.
    ///
    /// # Errors
    /// [`Refused::Offset`] names the setting that has no room.
    pub(super) fn shift_ports(
        &mut self,
        offset: u16,
        chosen: &[&str],
    ) -> Result<Vec<&'static str>, Refused> {
        let mut moved = Vec::new();
        for (_, setting, address) in self.addresses() {
            if !chosen.contains(&setting) {
                address.set_port(shifted(address.port(), offset, setting)?);
                moved.push(setting);
            }
        }
        for (setting, port) in [
            ("up.postgres_port", &mut self.up.postgres_port),
            ("up.kafka_port", &mut self.up.kafka_port),
        ] {
            if !chosen.contains(&setting) {
                *port = shifted(*port, offset, setting)?;
                moved.push(setting);
            }
        }
        Ok(moved)
    }

    /// Makes each client's address that still has its default follow its listener. Returns each address that changed, with
    /// the listener's setting.
    pub(super) fn agree(&mut self) -> Vec<(String, &'static str)> {
        let plain = Self::default();
        let mut followed = Vec::new();
        let mut follow =
            |setting: String, from: &mut String, default: &str, to: String, listener| {
                if from == default && *from != to {
                    *from = to;
                    followed.push((setting, listener));
                }
            };
        let loms = url(self.loms.grpc_listen, "");
        follow(
            "cart.loms_url".into(),
            &mut self.cart.loms_url,
            &plain.cart.loms_url,
            loms,
            "loms.grpc_listen",
        );
        let product = url(self.product.listen, "");
        for (setting, given, default) in [
            (
                "cart.product_url",
                &mut self.cart.product_url,
                &plain.cart.product_url,
            ),
            (
                "loms.product_url",
                &mut self.loms.product_url,
                &plain.loms.product_url,
            ),
        ] {
            let product = product.clone();
            follow(setting.into(), given, default, product, "product.listen");
        }
        let subgraphs = &self.subgraphs;
        for (name, listen, setting) in [
            ("cart", subgraphs.cart_listen, "subgraphs.cart_listen"),
            ("loms", subgraphs.loms_listen, "subgraphs.loms_listen"),
            (
                "comments",
                subgraphs.comments_listen,
                "subgraphs.comments_listen",
            ),
        ] {
            let default = plain.router.subgraph_urls.get(name);
            let given = self.router.subgraph_urls.get_mut(name);
            if let (Some(default), Some(given)) = (default, given) {
                let path = format!("router.subgraph_urls.{name}");
                follow(path, given, default, url(listen, "/graphql"), setting);
            }
        }
        followed
    }
}

impl Settings {
    /// The addresses of subgraphs that somebody set: those that are not where the shop's own listen.
    #[must_use]
    pub fn subgraph_urls_set(&self) -> BTreeMap<String, String> {
        let usual = |name: &str| match name {
            "cart" => Some(self.subgraphs.cart_listen),
            "loms" => Some(self.subgraphs.loms_listen),
            "comments" => Some(self.subgraphs.comments_listen),
            _ => None,
        };
        let urls = self.router.subgraph_urls.iter();
        let set = urls.filter(|(name, given)| {
            usual(name).is_none_or(|listen| url(listen, "/graphql") != **given)
        });
        set.map(|(name, given)| (name.clone(), given.clone()))
            .collect()
    }
}

/// Port 0 stays 0: the system chooses a port.
fn shifted(port: u16, offset: u16, setting: &'static str) -> Result<u16, Refused> {
    match port {
        0 => Ok(0),
        port => port
            .checked_add(offset)
            .ok_or(Refused::Offset { offset, setting }),
    }
}

/// The URL by which a client on this machine reaches a listener.
fn url(listen: SocketAddr, path: &str) -> String {
    let any = listen.ip().is_unspecified();
    let host = if any {
        "127.0.0.1".to_owned()
    } else {
        listen.ip().to_string()
    };
    format!("http://{host}:{}{path}", listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ports_move_together_and_clients_follow() {
        let mut settings = Settings::default();
        settings.shift_ports(10_000, &[]).unwrap();
        settings.agree();
        assert!(
            settings
                .listeners(true)
                .iter()
                .all(|listener| listener.address.port() >= 14_000)
        );
        assert_eq!(
            (settings.up.kafka_port, settings.up.postgres_port),
            (19_092, 15_433)
        );
        assert_eq!(settings.cart.loms_url, "http://127.0.0.1:18083");
        assert_eq!(
            settings.router.subgraph_urls["cart"],
            "http://127.0.0.1:14101/graphql"
        );
    }

    /// As with `--postgres-port 18433 --port-offset 13000`, which once listened on 31433.
    #[test]
    fn a_port_that_somebody_chose_is_not_moved() {
        let mut settings = Settings::default();
        settings.up.postgres_port = 18_433;
        let moved = settings.shift_ports(10_000, &["up.postgres_port"]).unwrap();
        assert_eq!(settings.up.postgres_port, 18_433);
        assert_eq!(settings.router.listen.port(), 14_000);
        assert!(!moved.contains(&"up.postgres_port"), "{moved:?}");
        assert!(Settings::port_settings().count() > 10);
    }

    #[test]
    fn no_two_listeners_share_a_port() {
        let listeners = Settings::default().listeners(true);
        let mut ports: Vec<_> = listeners
            .iter()
            .map(|listener| listener.address.port())
            .collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), listeners.len());
    }

    #[test]
    fn an_offset_without_room_names_the_setting() {
        let refused = Settings::default().shift_ports(60_000, &[]).unwrap_err();
        assert!(
            refused.to_string().contains("router.rest.cart_listen"),
            "{refused}"
        );
    }

    #[test]
    fn an_address_of_ones_own_is_left_alone() {
        let mut settings = Settings::default();
        settings.cart.loms_url = "http://orders.example:8083".into();
        settings.loms.grpc_listen.set_port(1);
        settings.agree();
        assert_eq!(settings.cart.loms_url, "http://orders.example:8083");
    }
}
