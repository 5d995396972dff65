//! The stream audit. `make audit-streams` runs it; without `--url` it starts a marketplace of its own.

use std::{io::Write as _, path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::Context as _;
use audit::streams::{Choice, Group, Own, Report, Target, Texts, Verdict, list, run};
use clap::{Parser, ValueEnum};
use reqwest::header::{HeaderName, HeaderValue};

/// Black-box cases of GraphQL's live transports, against a router by its URL.
#[derive(Debug, Parser)]
struct Args {
    /// GraphQL over HTTP of the router, such as http://127.0.0.1:4000/graphql; without it a marketplace is started
    #[arg(long)]
    url: Option<String>,
    /// GraphQL over WebSocket; the same address unless given
    #[arg(long)]
    socket: Option<String>,
    /// The single connection mode of GraphQL over SSE; it is skipped unless given
    #[arg(long)]
    single: Option<String>,
    /// A subscription without an end whose events differ; without it the router is taken for a marketplace
    #[arg(long)]
    subscription: Option<String>,
    /// A mutation that causes events of it; without it they must come by themselves
    #[arg(long)]
    cause: Option<String>,
    /// How many events one cause has
    #[arg(long, default_value_t = 1)]
    per_cause: usize,
    /// A subscription that ends by itself
    #[arg(long)]
    finite: Option<String>,
    /// A query that is answered
    #[arg(long, default_value = "{ __typename }")]
    query: String,
    /// The field by whose value events are in order; without it they are altogether
    #[arg(long)]
    key: Option<String>,
    /// A header of every request, `name: value`
    #[arg(long)]
    header: Vec<String>,
    /// The payload of connection_init, as JSON
    #[arg(long)]
    init: Option<String>,
    /// Only cases whose group/name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// Only these groups
    #[arg(long, value_enum)]
    group: Vec<Name>,
    /// So many cases at once
    #[arg(long, default_value_t = 8)]
    at_once: usize,
    /// Print the cases and run none
    #[arg(long)]
    list: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print the groups, and of the cases only those that failed
    #[arg(long)]
    brief: bool,
    /// The marketplace binary that is started
    #[arg(long, default_value = "target/debug/marketplace")]
    binary: PathBuf,
    /// Moves its ports; to free ones unless given
    #[arg(long)]
    port_offset: Option<u16>,
}

/// A group by its name.
#[derive(Debug, Clone, Copy)]
struct Name(Group);

impl ValueEnum for Name {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Name; Group::ALL.len()] = {
            let mut all = [Name(Group::TransportWs); Group::ALL.len()];
            let mut position = 0;
            while position < all.len() {
                all[position] = Name(Group::ALL[position]);
                position += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.name()))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    chassis::tls::install();
    let args = Args::parse();
    let choice = args.choice();
    if args.list {
        for (name, rule) in list(&choice) {
            print(&format!("{name}: {rule}\n"));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let report = match args.target()? {
        Some(target) => run(target, &choice).await,
        None => own(&args, &choice).await?,
    };
    print(&if args.json {
        serde_json::to_string_pretty(&report)?
    } else {
        text(&report, args.brief)
    });
    let has_failed = report.of(Verdict::Failed).next().is_some();
    Ok(ExitCode::from(u8::from(has_failed)))
}

async fn own(args: &Args, choice: &Choice) -> anyhow::Result<Report> {
    let offset = args.port_offset.unwrap_or_else(testkit::free_offset);
    let marketplace = Own::start(&args.binary, offset).await?;
    let mut target = Target::marketplace(&marketplace.base)?;
    target.router = Some(Arc::new(marketplace.router()));
    let report = run(target, choice).await;
    marketplace.stop().await?;
    Ok(report)
}

fn text(report: &Report, is_brief: bool) -> String {
    if !is_brief {
        return format!("{}\n{}", report.table(), report.totals());
    }
    let failed = report.of(Verdict::Failed).cloned().collect();
    let failed = Report { findings: failed };
    format!("{}\n{}", failed.table(), report.totals())
}

impl Args {
    fn choice(&self) -> Choice {
        let mut choice = Choice {
            only: self.only.clone(),
            at_once: self.at_once,
            ..Choice::default()
        };
        if !self.group.is_empty() {
            choice.groups = self.group.iter().map(|name| name.0).collect();
        }
        choice
    }

    fn target(&self) -> anyhow::Result<Option<Target>> {
        let Some(url) = &self.url else {
            return Ok(None);
        };
        let Some(subscription) = &self.subscription else {
            let base = url.trim_end_matches('/').trim_end_matches("/graphql");
            return Ok(Some(Target::marketplace(base)?));
        };
        let texts = Texts {
            query: self.query.clone(),
            subscription: subscription.clone(),
            cause: self.cause.clone(),
            per_cause: self.per_cause,
            finite: self.finite.clone(),
            key: self.key.clone(),
        };
        let mut target = Target::foreign(url, texts)?;
        if let Some(socket) = &self.socket {
            target.socket.clone_from(socket);
        }
        target.single.clone_from(&self.single);
        for header in &self.header {
            let (name, value) = header
                .split_once(':')
                .context("--header is not `name: value`")?;
            let name = HeaderName::try_from(name.trim())?;
            target
                .headers
                .insert(name, HeaderValue::from_str(value.trim())?);
        }
        if let Some(init) = &self.init {
            target.init = serde_json::from_str(init).context("--init is not JSON")?;
        }
        Ok(Some(target))
    }
}

/// A reader that has left is no reason to stop.
fn print(text: &str) {
    std::io::stdout().lock().write_all(text.as_bytes()).ok();
}
