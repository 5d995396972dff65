//! The compatibility shim: existing REST clients on their old ports, in front of the same graph as everybody else.
//!
//! It translates names, statuses and JSON forms and knows no rule of the shop: each call becomes one operation of its
//! own (`graph.rs`), run for the user that the call names (`credential.rs`). Because the shim believes that user, it
//! listens on loopback alone, unless a setting allows more. Start reading at [`start`], then `cart.rs`, `loms.rs` and
//! `comments.rs`, one file a surface; what every surface does is in `surface.rs`, what both gateways do in `gateway.rs`
//! over the tables of `route.rs`, and all statuses are in `error.rs`. Source: docs/contracts.md.

mod account;
mod cart;
mod comments;
mod config;
mod credential;
mod error;
mod gateway;
mod graph;
mod home;
mod json;
mod loms;
mod openapi;
mod profile;
mod route;
mod shim;
mod surface;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
    response::Response,
};
use chassis::{
    admission::Door, clock::Clock, compress::Coding, health::Health, listen, principal::Signer,
    tasks::Tasks,
};
use federation::Engine;
use ipnet::IpNet;

pub use self::config::{CheckoutKey, Config, KeyCase, PaidStatus, UserKey, WrongMethod};
use self::{account::Accounts, credential::Credentials, graph::Graph, shim::Shim};

/// The OpenAPI document of the surface of `service`, `cart`, `loms` or `comments`, as it is served. Pretty JSON with a line end.
#[must_use]
pub fn openapi(service: &str) -> Option<String> {
    let document = match service {
        "cart" => openapi::cart::document(),
        "loms" => openapi::document(loms::TITLE, loms::ROUTES),
        "comments" => openapi::document(comments::TITLE, comments::ROUTES),
        _ => return None,
    };
    Some(format!("{document:#}\n"))
}

/// Where the surfaces listen, once they do.
#[derive(Debug, Clone, Copy)]
pub struct Listening {
    /// Cart.
    pub cart: SocketAddr,
    /// The LOMS gateway.
    pub loms: SocketAddr,
    /// The LOMS gateway on the older port.
    pub loms_old: SocketAddr,
    /// The comments gateway.
    pub comments: SocketAddr,
}

/// Why the shim cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be bound, or other machines would reach it and no setting allows that.
    #[error(transparent)]
    Listen(#[from] listen::Error),
    /// The system does not give the address that it has just bound.
    #[error("local address: {0}")]
    Address(#[from] std::io::Error),
}

/// How calls come in.
#[derive(Debug)]
pub struct Entrance {
    /// Where they wait for a place.
    pub door: Door,
    /// Networks of our own proxies, who say where a call comes from.
    pub proxies: Vec<IpNet>,
    /// Whether answers and pages are compressed for the clients that ask for it.
    pub compress: bool,
}

/// Starts the listeners, whose calls come in by `entrance`; nothing when the shim is switched off.
///
/// # Errors
/// [`StartError`] when a listener may not be opened or cannot be.
pub async fn start(
    config: Config,
    engine: Arc<Engine>,
    signer: Arc<Signer>,
    clock: Clock,
    entrance: Entrance,
    tasks: &Tasks,
    health: &Health,
) -> Result<Option<Listening>, StartError> {
    if !config.enabled {
        return Ok(None);
    }
    let listeners = [
        ("router.rest.cart_listen", config.cart_listen),
        ("router.rest.loms_listen", config.loms_listen),
        ("router.rest.loms_old_listen", config.loms_old_listen),
        ("router.rest.comments_listen", config.comments_listen),
    ];
    for (setting, address) in listeners {
        check_reach(setting, address, config.beyond_loopback_enabled)?;
    }
    let accounts = Accounts::new(config.rate_limit.clone(), clock.clone(), entrance.proxies);
    let credentials = Credentials::new(signer, clock);
    let graph = Graph::new(
        engine,
        credentials,
        entrance.door,
        config.request_timeout,
        tasks.clone(),
    );
    let shim = Arc::new(Shim {
        graph,
        accounts,
        options: config,
    });
    let serve =
        async |name, (setting, address), routes: Router| -> Result<SocketAddr, StartError> {
            let routes = if entrance.compress {
                routes.layer(middleware::from_fn(compressed))
            } else {
                routes
            };
            let listener = listen::bind(address, setting).await?;
            let bound = listener.local_addr()?;
            listen::serve(name, listener, routes, tasks, health);
            Ok(bound)
        };
    let [cart, loms, loms_old, comments] = listeners;
    Ok(Some(Listening {
        cart: serve("rest-cart", cart, cart::routes(&shim)).await?,
        loms: serve("rest-loms", loms, loms::routes(&shim)).await?,
        loms_old: serve("rest-loms-old", loms_old, loms::routes(&shim)).await?,
        comments: serve("rest-comments", comments, comments::routes(&shim)).await?,
    }))
}

/// Sends each answer as its client takes it.
async fn compressed(request: Request, next: Next) -> Response {
    let coding = Coding::asked(request.headers());
    coding.encode(next.run(request).await).await
}

/// REST calls carry no token.
fn check_reach(
    setting: &'static str,
    address: SocketAddr,
    is_allowed: bool,
) -> Result<(), listen::Error> {
    listen::check_reach(
        address,
        setting,
        is_allowed,
        "router.rest.beyond_loopback_enabled",
    )
}

#[cfg(test)]
mod reach_tests {
    use std::net::Ipv4Addr;

    use super::*;

    /// docs/contracts.md, "REST calls carry no token". Seen red with the check left out.
    #[test]
    fn a_listener_off_loopback_needs_its_setting() {
        let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080));
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
        assert!(check_reach("router.rest.cart_listen", here, false).is_ok());
        assert!(check_reach("router.rest.cart_listen", everywhere, true).is_ok());
        let error = check_reach("router.rest.cart_listen", everywhere, false).unwrap_err();
        assert!(
            error.to_string().contains("beyond_loopback_enabled"),
            "{error}"
        );
    }
}
