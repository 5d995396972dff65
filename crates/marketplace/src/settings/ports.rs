//! Ports: which there are, how all of them move together, and who must follow a listener that moved.

use std::net::SocketAddr;

use super::{Refused, Settings};

/// A port that some process listens on.
#[derive(Debug, Clone)]
pub struct Listener {
    /// What is there.
    pub what: &'static str,
    /// The setting that moves it.
    pub setting: &'static str,
    /// Where.
    pub address: SocketAddr,
}

/// What is there, the setting that moves it, and the setting's value.
type Row<'a> = (&'static str, &'static str, &'a mut SocketAddr);

impl Settings {
    /// The ports of one process that runs everything; `separate` adds those between processes.
    #[must_use]
    pub fn listeners(&self, separate: bool) -> Vec<Listener> {
        let mut settings = self.clone();
        let rows = settings.addresses().into_iter();
        rows.filter(|(_, setting, _)| separate || !setting.starts_with("subgraphs."))
            .map(|(what, setting, address)| Listener {
                what,
                setting,
                address: *address,
            })
            .collect()
    }

    /// Every listener of the marketplace, the one place that lists them.
    fn addresses(&mut self) -> [Row<'_>; 12] {
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
        ]
    }

    /// Moves every port by `offset`.
    ///
    /// # Errors
    /// [`Refused::Offset`] names the setting that has no room.
    pub(super) fn shift_ports(&mut self, offset: u16) -> Result<(), Refused> {
        for (_, setting, address) in self.addresses() {
            address.set_port(shifted(address.port(), offset, setting)?);
        }
        self.up.postgres_port = shifted(self.up.postgres_port, offset, "up.postgres_port")?;
        self.up.kafka_port = shifted(self.up.kafka_port, offset, "up.kafka_port")?;
        Ok(())
    }

    /// Where a client's address still has its default, makes it follow the listener it means.
    pub(super) fn agree(&mut self) {
        let plain = Self::default();
        if self.cart.loms_url == plain.cart.loms_url {
            self.cart.loms_url = url(self.loms.grpc_listen, "");
        }
        if self.cart.product_url == plain.cart.product_url {
            self.cart.product_url = url(self.product.listen, "");
        }
        let subgraphs = &self.subgraphs;
        for (name, listen) in [
            ("cart", subgraphs.cart_listen),
            ("loms", subgraphs.loms_listen),
            ("comments", subgraphs.comments_listen),
        ] {
            let urls = &mut self.router.subgraph_urls;
            if urls.get(name) == plain.router.subgraph_urls.get(name) {
                urls.insert(name.to_owned(), url(listen, "/graphql"));
            }
        }
    }
}

/// Port 0 stays 0: the system chooses.
fn shifted(port: u16, offset: u16, setting: &'static str) -> Result<u16, Refused> {
    match port {
        0 => Ok(0),
        port => port
            .checked_add(offset)
            .ok_or(Refused::Offset { offset, setting }),
    }
}

/// The address a client on this machine uses for a listener.
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
        settings.shift_ports(10_000).unwrap();
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
        let refused = Settings::default().shift_ports(60_000).unwrap_err();
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
