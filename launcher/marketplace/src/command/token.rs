//! `marketplace token`: a token of the demo's issuer, for scripts.

use std::time::Duration;

use anyhow::{bail, ensure};
use chassis::clock::Clock;
use chassis::principal::Scopes;
use schema::id::UserId;

use crate::keys::Keys;
use crate::output;
use crate::settings::Settings;

/// Prints a token for a user, signed with the key of this folder's marketplace.
///
/// # Errors
/// When the id is none, the issuer is off, or no marketplace was started in this folder yet.
pub(crate) fn run(
    settings: &Settings,
    user: i64,
    ops: bool,
    ttl: Option<Duration>,
) -> anyhow::Result<()> {
    let user = UserId::try_from(user)?;
    let folder = &settings.state_dir;
    ensure!(
        folder.join("keys").is_dir(),
        "no marketplace was started in {} yet, so there is no key to sign with; `marketplace up` makes one",
        folder.display()
    );
    let Some(issuer) = Keys::open(settings, &Clock::system())?.demo_issuer()? else {
        bail!(
            "the demo's issuer is off (keys.demo_issuer_enabled): ask your own issuer for a token"
        );
    };
    let scopes = if ops { Scopes::OPS } else { Scopes::CUSTOMER };
    let ttl = ttl.unwrap_or(settings.router.demo_token_ttl);
    let token = issuer.user_token(user, scopes, ttl);
    output::result(&format!("{}\n", token.expose()));
    Ok(())
}
