//! Listening sockets, one kind for all ports of all processes: a taken port is named with the setting that moves it, no
//! state of a connection lasts for ever, and serving ends gracefully.
//!
//! `serve` accepts; `registry` decides who gets in and who makes room; `connection` knows a connection's state and its
//! deadline, which `socket` holds its reads to; `request` bounds bodies and asks `host` under which name it was asked; `lasting`
//! takes connections from the library for what goes on for long; `outlet` is what a body is written to then, and `wire` the socket
//! itself, for another protocol.

mod config;
mod connection;
mod descriptors;
mod host;
mod lasting;
#[cfg(test)]
mod lasting_tests;
mod metrics;
mod outlet;
mod registry;
mod request;
mod serve;
mod socket;
#[cfg(test)]
mod tests;
mod wire;

use std::{io, net::SocketAddr, time::Duration};

use axum::{Router, response::Response};
use http::{HeaderValue, StatusCode, header};
use tokio::net::{TcpListener, TcpSocket};
use tower::util::MapResponse;

pub use self::{
    config::{Config, install},
    descriptors::raise_limit,
    host::is_own_origin,
    lasting::{lasting, switching},
    outlet::{Ending, Gone, Outlet},
    request::{BodyTimeout, Handler},
    serve::Server,
    wire::{Stalled, Wire},
};
use crate::{health::Health, tasks::Tasks};

/// Why a socket cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the port.
    #[error("port {} is taken; stop what uses it, or set `{setting}` to another address", .address.port())]
    Taken {
        /// Where we wanted to listen.
        address: SocketAddr,
        /// The setting that moves it.
        setting: String,
        /// What the system said.
        source: io::Error,
    },
    /// Any other reason.
    #[error("cannot listen on {address} (setting `{setting}`): {source}")]
    Other {
        /// Where we wanted to listen.
        address: SocketAddr,
        /// The setting that moves it.
        setting: String,
        /// What the system said.
        source: io::Error,
    },
    /// Callers are believed there, and other machines would reach it.
    #[error(
        "`{setting}` is {address}, where other machines can act as any user: listen on 127.0.0.1, or set \
         `{allowed_by}` to true"
    )]
    BeyondLoopback {
        /// The setting that moves it.
        setting: &'static str,
        /// Where we wanted to listen.
        address: SocketAddr,
        /// The setting that allows it.
        allowed_by: &'static str,
    },
}

/// Refuses an address beyond loopback for a listener that believes who its callers say they are, unless the setting
/// `allowed_by` allows it; then it warns.
///
/// # Errors
/// [`Error::BeyondLoopback`] names both settings.
pub fn check_reach(
    address: SocketAddr,
    setting: &'static str,
    is_allowed: bool,
    allowed_by: &'static str,
) -> Result<(), Error> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    if !is_allowed {
        return Err(Error::BeyondLoopback {
            setting,
            address,
            allowed_by,
        });
    }
    tracing::warn!(setting, %address, "whoever reaches this listener may act as any user: keep the network closed");
    Ok(())
}

/// Binds a listener. `setting` is the path of the setting that holds `address`.
///
/// # Errors
/// [`Error::Taken`] when another process listens there.
pub async fn bind(address: SocketAddr, setting: impl Into<String>) -> Result<TcpListener, Error> {
    let setting = setting.into();
    open(address).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => Error::Taken {
            address,
            setting,
            source,
        },
        _ => Error::Other {
            address,
            setting,
            source,
        },
    })
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(config::installed().config.backlog)
}

/// How long our HTTP clients keep a connection that nobody uses: less than a process's notice before it stops listening
/// (`drain_notice`), so that none sends a request on a connection that is being closed.
pub const KEEP_IDLE: Duration = Duration::from_millis(250);

/// Serves `routes` with the process's bounds until shutdown; requests in flight end first, for at most 3 s.
pub fn serve(
    name: &'static str,
    listener: TcpListener,
    routes: Router,
    tasks: &Tasks,
    health: &Health,
) {
    Server::new(name, listener, tasks).serve(routes, tasks, health);
}

/// Answers the last request of each connection with `Connection: close` while the process drains.
///
/// A connection that is kept is cut at the end of the drain, and a request that is on its way then gets no answer.
/// Source: RFC 9112, 9.6. HTTP/2 has GOAWAY for this, and drops the header.
pub fn closing<S>(
    service: S,
    health: &Health,
) -> MapResponse<S, impl Fn(Response) -> Response + Clone + Send + use<S>> {
    let health = health.clone();
    MapResponse::new(service, move |mut response: Response| {
        if health.is_draining() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    })
}

#[cfg(test)]
mod face_tests {
    use axum::{body::Body, routing::get};
    use tower::ServiceExt as _;

    use super::*;

    /// Seen red with the header left out.
    #[tokio::test]
    async fn a_process_that_drains_closes_each_connection_behind_its_answer() {
        let health = Health::new();
        let routes = closing(Router::new().route("/", get(|| async {})), &health);
        let ask = async || {
            let request = http::Request::get("/").body(Body::empty()).unwrap();
            let response = routes.clone().oneshot(request).await.unwrap();
            response.headers().get(header::CONNECTION).cloned()
        };
        assert_eq!(ask().await, None);
        health.drain();
        assert_eq!(ask().await.unwrap(), "close");
    }

    #[test]
    fn an_address_beyond_loopback_needs_the_setting_that_the_refusal_names() {
        let check = |address: [u8; 4], is_allowed| {
            let address = SocketAddr::from((address, 0));
            check_reach(
                address,
                "shop.listen",
                is_allowed,
                "shop.beyond_loopback_enabled",
            )
        };
        let refused = check([0, 0, 0, 0], false).unwrap_err().to_string();
        for name in ["`shop.listen`", "`shop.beyond_loopback_enabled`"] {
            assert!(refused.contains(name), "{refused}");
        }
        assert!(check([0, 0, 0, 0], true).is_ok());
        assert!(check([127, 0, 0, 1], false).is_ok());
    }

    #[tokio::test]
    async fn a_taken_port_names_the_setting_that_moves_it() {
        let first = bind("127.0.0.1:0".parse().unwrap(), "x").await.unwrap();
        let again = bind(first.local_addr().unwrap(), "cart.http")
            .await
            .unwrap_err();
        assert!(again.to_string().contains("set `cart.http`"), "{again}");
    }
}
