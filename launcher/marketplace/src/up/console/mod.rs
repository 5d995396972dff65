//! The operators' console of this `up`: where it listens, and what it asks of what runs here.

mod faults;
mod gather;
mod host;
mod place;
mod services;

use std::net::SocketAddr;

use anyhow::Context as _;
use chassis::listen;
use ops_console::{Console, Setup};
use tokio::net::TcpListener;
use url::Url;

use super::stores::Stores;
use crate::cli::Common;
use crate::keys;
use crate::services::ServiceHost;
use crate::settings::{Profile, Settings};

pub(crate) use place::Place;

/// Takes the console's port and tells the other services of it; none where the console is off.
///
/// # Errors
/// When the port that somebody chose is taken.
pub(crate) async fn bind(
    settings: &mut Settings,
    common: &Common,
) -> anyhow::Result<Option<TcpListener>> {
    if !settings.console_enabled() {
        return Ok(None);
    }
    let listener = match listen::bind(settings.console.listen, "console.listen").await {
        Err(listen::Error::Taken { address, .. }) if is_usual(address, common) => {
            let free = SocketAddr::new(address.ip(), 0);
            listen::bind(free, "console.listen").await
        }
        bound => bound,
    }?;
    settings.console.listen = listener.local_addr().context("the console's address")?;
    if settings.router.console_url.is_none() {
        let url = format!("http://{}/", settings.console.listen);
        settings.router.console_url = Some(url);
    }
    // The switch alone breaks nothing; the console needs it for its faults.
    settings.product.fault_switch_enabled |= settings.profile == Profile::Demo;
    Ok(Some(listener))
}

/// Whether it is where the console listens when nobody says anything.
fn is_usual(address: SocketAddr, common: &Common) -> bool {
    let usual = Settings::default().console.listen;
    let offset = common.port_offset.unwrap_or_default();
    address.ip() == usual.ip() && Some(address.port()) == usual.port().checked_add(offset)
}

/// Serves the console of what runs here.
///
/// # Errors
/// When the router's address is none, or the databases' is not known.
pub(crate) async fn start(
    listener: TcpListener,
    host: &ServiceHost,
    stores: &Stores,
    place: Place,
) -> anyhow::Result<()> {
    let settings = &host.settings;
    let router = Url::parse(&format!("http://{}/", settings.router.listen))
        .context("the router's address")?;
    let is_demo = settings.profile == Profile::Demo;
    let faults = is_demo.then(|| faults::all(settings, stores, &place));
    if place.separate {
        let signer = keys::service_signer(settings, "console", &host.clock)?;
        gather::start(services::probed(settings), &signer, &host.tasks);
    }
    let setup = Setup {
        host: host::Here::new(host, stores, place).await?,
        router,
        profile: if is_demo { "demo" } else { "production" },
        demo_tokens: host.keys.has_demo_issuer,
        faults,
        verifier: host.keys.verifier.clone(),
        clock: host.clock.clone(),
    };
    Console::start(listener, setup, &host.tasks, &host.health)?;
    Ok(())
}
