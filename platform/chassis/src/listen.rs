//! Listening sockets: a taken port is named with the setting that moves it, and serving ends gracefully.

use std::{io, net::SocketAddr, time::Duration};

use axum::{Router, response::Response};
use http::{HeaderValue, StatusCode, header};
use tokio::net::TcpListener;
use tower::util::MapResponseLayer;

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
    TcpListener::bind(address)
        .await
        .map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => Error::Taken { address, setting },
            _ => Error::Other {
                address,
                setting,
                source,
            },
        })
}

/// How long our HTTP clients keep a connection that nobody uses: less than a process's notice before it stops listening
/// (`drain_notice`), so that none sends a request on a connection that is being closed.
pub const KEEP_IDLE: Duration = Duration::from_millis(250);

/// How long a connection may stay open after the shutdown signal; less than the process itself waits for its tasks.
const LINGER: Duration = Duration::from_secs(3);

/// Serves `routes` until shutdown; requests in flight end first, for at most 3 s.
pub fn serve(
    name: &'static str,
    listener: TcpListener,
    routes: Router,
    tasks: &Tasks,
    health: &Health,
) {
    let (routes, token) = (closing(routes, health), tasks.token());
    tasks.spawn(name, async move {
        let stop = token.clone();
        let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
        let serving = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned());
        let hard_stop = async {
            token.cancelled().await;
            tokio::time::sleep(LINGER).await;
        };
        tokio::select! {
            served = serving => {
                if let Err(error) = served {
                    tracing::error!(server = name, %error, "server ended");
                }
            }
            () = hard_stop => tracing::warn!(server = name, "connections cut after the drain"),
        }
    });
}

/// Answers the last request of each connection with `Connection: close` while the process drains.
///
/// A connection that is kept is cut at the end of the drain, and a request that is on its way then gets no answer.
/// Source: RFC 9112, 9.6. HTTP/2 has GOAWAY for this, and drops the header.
pub fn closing(routes: Router, health: &Health) -> Router {
    let health = health.clone();
    routes.layer(MapResponseLayer::new(move |mut response: Response| {
        if health.is_draining() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    }))
}

#[cfg(test)]
mod tests {
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
