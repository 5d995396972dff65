//! What `up` prints when everything is ready: addresses, demo tokens, first things to try.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use chassis::config;
use chassis::principal::Scopes;
use dev_services::process::resident_bytes;
use dev_services::state::StateDir;
use schema::id::UserId;

use super::fleet::Fleet;
use super::stores::Stores;
use crate::output;
use crate::services::ServiceHost;

/// Prints the banner to stdout.
///
/// # Errors
/// When a demo token cannot be signed.
pub(crate) fn print(
    host: &ServiceHost,
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
    let tokens = write_tokens(host, state)?;
    first_things(&mut text, host, tokens.as_deref())?;
    output::result(&text);
    Ok(())
}

/// Adds a title with its first line; the other lines are indented below it.
fn entry(text: &mut String, title: &str, lines: &str) -> std::fmt::Result {
    let mut lines = lines.split('\n');
    writeln!(text, "  {title:<16} {}", lines.next().unwrap_or_default())?;
    lines.try_for_each(|line| match line {
        "" => writeln!(text),
        line => writeln!(text, "{:19}{line}", ""),
    })
}

fn links(text: &mut String, host: &ServiceHost) -> std::fmt::Result {
    let settings = &host.settings;
    let (router, rest) = (&settings.router, &settings.router.rest);
    let graph = format!(
        "http://{}/graphql   (POST, GET, SSE, WebSocket)",
        router.listen
    );
    let page = format!(
        "http://{0}/   (live events: http://{0}/live)",
        router.listen
    );
    entry(text, "Playground", &page)?;
    entry(text, "Shop", &format!("http://{}/shop", router.listen))?;
    if settings.console_enabled() {
        let console = format!("http://{}/ops", settings.console.listen);
        entry(text, "Operations", &console)?;
    }
    entry(text, "GraphQL", &graph)?;
    entry(
        text,
        "Cart REST",
        &format!("http://{}/docs", rest.cart_listen),
    )?;
    let gateway = format!(
        "http://{}/docs   (also on {})",
        rest.loms_listen, rest.loms_old_listen
    );
    entry(text, "Order gateway", &gateway)?;
    entry(
        text,
        "Comments gateway",
        &format!("http://{}/docs", rest.comments_listen),
    )?;
    entry(
        text,
        "Product service",
        &format!("http://{}/docs", settings.product.listen),
    )?;
    let grpc = format!(
        "{}   (loms.Loms and Loms, with reflection)",
        settings.loms.grpc_listen
    );
    entry(text, "Order gRPC", &grpc)?;
    entry(
        text,
        "Comments gRPC",
        &settings.comments.grpc_listen.to_string(),
    )?;
    let admin = format!("http://{}/metrics  /readyz\n", router.admin_listen);
    entry(text, "Metrics, health", &admin)
}

fn stored(text: &mut String, state: &StateDir, stores: &Stores) -> std::fmt::Result {
    let postgres = config::mask_urls(&stores.postgres.address);
    let (postgres_note, kafka_note) = (&stores.postgres.note, &stores.kafka.note);
    entry(text, "Postgres", &format!("{postgres}\n{postgres_note}"))?;
    let kafka = &stores.kafka.address;
    entry(text, "Kafka", &format!("{kafka}\n{kafka_note}"))?;
    entry(text, "State, logs", &state.root().display().to_string())
}

fn memory(text: &mut String, stores: &Stores, fleet: Option<&Fleet>) -> std::fmt::Result {
    let mebibytes = |pid| resident_bytes(pid).map_or(0, |bytes| bytes / (1024 * 1024));
    let own = mebibytes(std::process::id());
    let mut parts = vec![format!("this process {own} MiB")];
    for (name, store) in [
        ("Postgres", &stores.postgres),
        ("Kafka's JVM", &stores.kafka),
    ] {
        let usage = |pid: &u32| format!("{name} {} MiB", mebibytes(*pid));
        parts.extend(store.pids.iter().map(usage));
    }
    let mut lines = vec![parts.join(", ")];
    for (name, pid) in fleet.map(Fleet::pids).unwrap_or_default() {
        lines.push(format!("{name} {} MiB (pid {pid})", mebibytes(pid)));
    }
    entry(text, "Memory", &format!("{}\n", lines.join("\n")))
}

/// Writes the demo tokens, one file for each user; they are too long for the screen.
fn write_tokens(host: &ServiceHost, state: &StateDir) -> anyhow::Result<Option<PathBuf>> {
    let Some(issuer) = host.keys.demo_issuer()? else {
        return Ok(None);
    };
    let folder = state.root().join("tokens");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let ttl = host.settings.router.demo_token_ttl;
    for (user, scopes, name) in [
        (1, Scopes::CUSTOMER, "user-1"),
        (2, Scopes::CUSTOMER, "user-2"),
        (3, Scopes::CUSTOMER, "user-3"),
        (9, Scopes::OPS, "operator"),
    ] {
        let user = UserId::try_from(user).context("a demo user's id")?;
        let token = issuer.user_token(user, scopes, ttl);
        let file = folder.join(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let written = options
            .open(&file)
            .and_then(|mut open| open.write_all(token.expose().as_bytes()));
        written.with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(Some(folder))
}

fn first_things(text: &mut String, host: &ServiceHost, tokens: Option<&Path>) -> std::fmt::Result {
    let settings = &host.settings;
    let (router, cart) = (settings.router.listen, settings.router.rest.cart_listen);
    if let Some(tokens) = tokens {
        let files = format!(
            "in files: user-1, user-2, user-3, operator\n{}",
            tokens.display()
        );
        entry(text, "Demo tokens", &files)?;
    }
    text.push_str("\n  First things to try (docs/tutorial.md continues)\n\n");
    if let Some(tokens) = tokens {
        let file = tokens.join("user-1");
        write!(
            text,
            "  TOKEN=$(cat {})\n  curl http://{router}/graphql -H \"authorization: Bearer $TOKEN\" \\\n    \
             -H 'content-type: application/json' -d '{{\"query\":\n    \
             \"{{ products(first: 3) {{ nodes {{ name stock {{ available }} }} }} }}\"}}'\n\n",
            quoted(&file)
        )?;
    }
    writeln!(
        text,
        "  curl -X POST http://{cart}/user/1/cart/1076963 -d '{{\"count\": 2}}'"
    )?;
    writeln!(text, "  curl http://{cart}/user/1/cart")?;
    writeln!(text, "  curl -X POST http://{cart}/checkout/1\n")
}

/// A path as a shell reads it.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "/._-".contains(it);
    if path.chars().all(is_plain) {
        return path;
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_a_path_can_be_pasted_into_a_shell() {
        let shown = |path| quoted(Path::new(path));
        assert_eq!(
            shown("/srv/market.place-1/user_1"),
            "/srv/market.place-1/user_1"
        );
        assert_eq!(shown("/srv/my shop/user-1"), "'/srv/my shop/user-1'");
        assert_eq!(shown("/srv/it's $HOME"), r"'/srv/it'\''s $HOME'");
    }

    #[test]
    fn the_banner_shows_no_password() {
        let shown = config::mask_urls("postgres://marketplace:secret@127.0.0.1:5433/postgres");
        assert_eq!(shown, "postgres://marketplace:***@127.0.0.1:5433/postgres");
    }
}
