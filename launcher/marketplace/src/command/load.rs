//! `marketplace load`: shoppers on the public API, a bar while they shop, a table in the end.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use load::{Arrivals, Kind, Live, Load, Plan, Report};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::cli;
use crate::output;
use crate::settings::Settings;
use crate::signals::StopSignals;

/// How often the bar moves, and how often a line is printed where there is no terminal.
const BAR_INTERVAL: Duration = Duration::from_millis(200);
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Runs the load to its end or to Ctrl-C, and prints the summary either way. Exit code 1: an invariant is broken.
///
/// # Errors
/// When no marketplace answers, or the file for the summary cannot be written.
pub(crate) async fn run(settings: &Settings, flags: &cli::Load) -> anyhow::Result<ExitCode> {
    let mut signals = StopSignals::listen()?;
    let plan = plan(settings, flags);
    output::progress(
        "load",
        &format!(
            "{} shoppers, {} subscribers on {}, seed {}; Ctrl-C stops early",
            plan.shoppers, plan.subscribers, plan.url, plan.seed
        ),
    );
    let duration = plan.duration;
    let load = tokio::select! {
        load = Load::prepare(plan) => load?,
        () = signals.next() => return Ok(ExitCode::SUCCESS),
    };
    let stop = CancellationToken::new();
    let live = load.live();
    let mut running = Box::pin(load.run(stop.clone()));
    let report = tokio::select! {
        report = &mut running => report,
        () = show(live, duration) => anyhow::bail!("the progress ended before the load"),
        () = signals.next() => {
            stop.cancel();
            output::progress("load", "stopping: waiting for operations in flight (Ctrl-C again stops at once)");
            tokio::select! {
                report = running => report,
                () = signals.next() => return Ok(ExitCode::FAILURE),
            }
        }
    };
    print(&report, flags)
}

fn plan(settings: &Settings, flags: &cli::Load) -> Plan {
    let local = |address: std::net::SocketAddr| {
        Url::parse(&format!("http://{address}/")).expect("an address makes a URL")
    };
    let router = &settings.router;
    let rest = flags.rest || flags.rest_url.is_some();
    let rest_url = flags
        .rest_url
        .clone()
        .unwrap_or_else(|| local(router.rest.cart_listen));
    // With --url the router may run elsewhere; this machine's admin port would report another process.
    let own_admin = flags.url.is_none().then(|| local(router.admin_listen));
    let mix = if rest {
        flags.mix.with(Kind::Rest, flags.rest_weight)
    } else {
        flags.mix
    };
    Plan {
        url: flags.url.clone().unwrap_or_else(|| local(router.listen)),
        rest_url: rest.then_some(rest_url),
        admin_url: flags.admin_url.clone().or(own_admin),
        rate: flags.rate,
        arrivals: match flags.arrivals {
            cli::LoadArrivals::Poisson => Arrivals::Poisson,
            cli::LoadArrivals::Fixed => Arrivals::Fixed,
        },
        duration: flags.duration,
        shoppers: flags.shoppers,
        subscribers: flags.subscribers,
        seed: flags.seed.unwrap_or_else(rand::random),
        mix,
        hot: flags.hot,
        in_flight_max: flags.in_flight,
        patience: flags.patience,
    }
}

/// Shows how it goes, without end.
async fn show(live: Live, duration: Duration) {
    let started = Instant::now();
    if !std::io::stderr().is_terminal() {
        loop {
            sleep(LINE_INTERVAL).await;
            output::progress("load", &line(&live, started, duration));
        }
    }
    // It is cleared when this future is dropped, so that the summary stands alone.
    let bar = ProgressBar::new(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
        .with_finish(ProgressFinish::AndClear);
    let style =
        ProgressStyle::with_template("  [{bar:28}] {msg}").expect("the template is well formed");
    bar.set_style(style.progress_chars("=> "));
    loop {
        bar.set_position(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
        bar.set_message(line(&live, started, duration));
        sleep(BAR_INTERVAL).await;
    }
}

fn line(live: &Live, started: Instant, duration: Duration) -> String {
    let (ended, failed, dropped) = live.totals();
    let elapsed = started.elapsed();
    if elapsed > duration {
        return format!(
            "{ended} done; waiting for {} and the last frames",
            live.in_flight()
        );
    }
    format!(
        "{} of {} s, {ended} done, {failed} failed, {dropped} dropped",
        elapsed.as_secs(),
        duration.as_secs()
    )
}

fn print(report: &Report, flags: &cli::Load) -> anyhow::Result<ExitCode> {
    let json = || serde_json::to_string_pretty(report).context("the summary as JSON");
    match &flags.json {
        Some(None) => output::result(&(json()? + "\n")),
        Some(Some(file)) => {
            let written = std::fs::write(file, json()? + "\n");
            written.with_context(|| format!("writing {}", file.display()))?;
            output::result(&format!("\n{report}"));
        }
        None => output::result(&format!("\n{report}")),
    }
    Ok(if report.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
