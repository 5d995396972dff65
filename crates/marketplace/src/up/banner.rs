//! What `up` prints when everything is ready: where things are, who may log in, what to try first.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use chassis::principal::Scopes;
use dev_services::process::resident_bytes;
use dev_services::state::StateDir;
use schema::id::UserId;

use super::fleet::Fleet;
use super::stores::Stores;
use crate::output;
use crate::services::Host;

/// Prints the banner to stdout.
///
/// # Errors
/// When a demo token cannot be signed.
pub(crate) fn print(
    host: &Host,
    state: &StateDir,
    stores: &Stores,
    fleet: Option<&Fleet>,
    ready_after: Duration,
) -> anyhow::Result<()> {
    let mut text = String::new();
    writeln!(
        text,
        "\nmarketplace is ready after {:.1} s; Ctrl-C stops it\n",
        ready_after.as_secs_f64()
    )?;
    links(&mut text, host)?;
    stored(&mut text, state, stores)?;
    memory(&mut text, stores, fleet)?;
    tokens(&mut text, host)?;
    first_things(&mut text, host)?;
    output::result(&text);
    Ok(())
}

fn links(text: &mut String, host: &Host) -> std::fmt::Result {
    let settings = &host.settings;
    let (router, rest) = (&settings.router, &settings.router.rest);
    writeln!(text, "  Playground       http://{}/", router.listen)?;
    writeln!(
        text,
        "  GraphQL          http://{}/graphql   (POST, GET, SSE, WebSocket)",
        router.listen
    )?;
    writeln!(text, "  Cart REST        http://{}/", rest.cart_listen)?;
    writeln!(
        text,
        "  Order gateway    http://{}/docs   (also on {})",
        rest.loms_listen, rest.loms_old_listen
    )?;
    writeln!(text, "  Comments gateway http://{}/", rest.comments_listen)?;
    writeln!(
        text,
        "  Product service  http://{}/docs",
        settings.product.listen
    )?;
    writeln!(
        text,
        "  Order gRPC       {}   (loms.Loms and Loms, with reflection)",
        settings.loms.grpc_listen
    )?;
    writeln!(text, "  Comments gRPC    {}", settings.comments.grpc_listen)?;
    writeln!(
        text,
        "  Metrics, health  http://{}/metrics  /readyz\n",
        router.admin_listen
    )
}

fn stored(text: &mut String, state: &StateDir, stores: &Stores) -> std::fmt::Result {
    let postgres = without_password(&stores.postgres.address);
    writeln!(
        text,
        "  Postgres         {postgres}\n                   {}",
        stores.postgres.note
    )?;
    writeln!(
        text,
        "  Kafka            {}\n                   {}",
        stores.kafka.address, stores.kafka.note
    )?;
    writeln!(text, "  State, logs      {}\n", state.root().display())
}

fn memory(text: &mut String, stores: &Stores, fleet: Option<&Fleet>) -> std::fmt::Result {
    let mebibytes = |pid| resident_bytes(pid).map_or(0, |bytes| bytes / (1024 * 1024));
    let mut parts = vec![format!(
        "this process {} MiB",
        mebibytes(std::process::id())
    )];
    for (name, pid) in fleet.map(Fleet::pids).unwrap_or_default() {
        parts.push(format!("{name} {} MiB (pid {pid})", mebibytes(pid)));
    }
    for (name, store) in [
        ("Postgres", &stores.postgres),
        ("Kafka's JVM", &stores.kafka),
    ] {
        parts.extend(
            store
                .pid
                .map(|pid| format!("{name} {} MiB", mebibytes(pid))),
        );
    }
    writeln!(text, "  Memory           {}\n", parts.join(", "))
}

fn tokens(text: &mut String, host: &Host) -> anyhow::Result<()> {
    let Some(issuer) = &host.keys.demo_issuer else {
        return Ok(());
    };
    let ttl = host.settings.router.demo_token_ttl;
    writeln!(
        text,
        "  Demo tokens (the playground has user 1's filled in)"
    )?;
    for (user, scopes, who) in [
        (1, Scopes::CUSTOMER, "user 1"),
        (2, Scopes::CUSTOMER, "user 2"),
        (3, Scopes::CUSTOMER, "user 3"),
        (9, Scopes::OPS, "operator"),
    ] {
        let user = UserId::try_from(user).context("a demo user's id")?;
        let token = issuer.user_token(user, scopes, ttl);
        writeln!(text, "  {who:<16} {}", token.expose())?;
    }
    Ok(())
}

fn first_things(text: &mut String, host: &Host) -> std::fmt::Result {
    let settings = &host.settings;
    let (router, cart) = (settings.router.listen, settings.router.rest.cart_listen);
    writeln!(text, "\n  First things to try")?;
    if host.keys.demo_issuer.is_some() {
        writeln!(
            text,
            "  TOKEN=$(curl -s http://{router}/demo/token -H 'content-type: application/json' \
             -d '{{\"user\":\"1\",\"ops\":false}}' | sed 's/.*\"token\":\"\\([^\"]*\\)\".*/\\1/')"
        )?;
        writeln!(
            text,
            "  curl http://{router}/graphql -H \"authorization: Bearer $TOKEN\" -H 'content-type: application/json' \
             -d '{{\"query\":\"{{ products(first: 3) {{ nodes {{ sku name price {{ amount }} stock {{ available }} }} }} }}\"}}'"
        )?;
    }
    writeln!(
        text,
        "  curl -X POST http://{cart}/user/1/cart/1076963 -d '{{\"count\": 2}}'"
    )?;
    writeln!(text, "  curl http://{cart}/user/1/cart")?;
    writeln!(text, "  curl -X POST http://{cart}/checkout/1\n")
}

/// The URL with `***` for the password; the password file is named in the banner's note by its folder.
fn without_password(url: &str) -> String {
    let masked = url::Url::parse(url).ok().and_then(|mut url| {
        if url.password().is_some() {
            url.set_password(Some("***")).ok()?;
        }
        Some(url.to_string())
    });
    masked.unwrap_or_else(|| "postgres://***".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_banner_shows_no_password() {
        let shown = without_password("postgres://marketplace:secret@127.0.0.1:5433/postgres");
        assert_eq!(shown, "postgres://marketplace:***@127.0.0.1:5433/postgres");
    }
}
