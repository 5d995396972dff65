//! Goodput over offered load, with admission and without, against one binary: an open loop of shoppers with a second of
//! patience on GraphQL, REST and gRPC.
//!
//! Arrivals follow a Poisson process and wait for nobody, so a slow server gets no rest. The peak is found first; then
//! each step offers a multiple of it. The machine may be noisy: compare the two curves of one run, not two runs.

mod herd;
mod mix;
mod page;
mod step;

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use bench::{cores::Cores, memory, server::Server};
use clap::Parser;
use indicatif::ProgressBar;
use tokio::time::sleep;

use crate::{
    herd::Herd,
    mix::Shoppers,
    page::{Curve, Results},
    step::Step,
};

/// After which a step has nothing of the one before.
const PAUSE: Duration = Duration::from_secs(5);

/// Measures goodput over offered load.
#[derive(Debug, Parser)]
struct Args {
    /// The marketplace binary to measure
    #[arg(long, default_value = "target/release/marketplace")]
    binary: PathBuf,
    /// Where results.json and the plot are written
    #[arg(long, default_value = "docs/benchmarks/overload")]
    results: PathBuf,
    /// How long a step is, as in 60s
    #[arg(long, default_value = "20s", value_parser = humantime::parse_duration)]
    step: Duration,
    /// The offered loads, as multiples of the peak
    #[arg(long, value_delimiter = ',', default_values_t = [0.5, 1.0, 2.0, 3.0, 5.0, 8.0])]
    loads: Vec<f64>,
    /// The rate to begin the search of the peak with, in operations a second
    #[arg(long, default_value_t = 100.0)]
    first_rate: f64,
    /// Streams that break and come back in the midst of one more step at twice the peak; 0 leaves it out
    #[arg(long, default_value_t = 0)]
    herd: usize,
    /// The peak in operations a second, where it is known; it is found otherwise
    #[arg(long)]
    peak: Option<f64>,
    /// Only the curve with admission
    #[arg(long)]
    only_with: bool,
    /// More settings of the measured marketplace, as in `router.admission.places_max=64`
    #[arg(long = "set")]
    settings: Vec<String>,
    /// Moves the ports of the measured marketplace
    #[arg(long, default_value_t = 14_000)]
    port_offset: u16,
}

fn main() -> anyhow::Result<()> {
    chassis::tls::install();
    chassis::listen::raise_limit();
    let args = Args::parse();
    // Before the runtime starts its threads, which inherit it.
    let cores = Cores::part();
    tokio::runtime::Runtime::new()?.block_on(compare(&args, &cores))
}

async fn compare(args: &Args, cores: &Cores) -> anyhow::Result<()> {
    let bar = ProgressBar::new_spinner();
    let mut curves = Vec::new();
    let mut peak = args.peak;
    for admission in [false, true] {
        if args.only_with && !admission {
            continue;
        }
        let mut settings = args.settings.clone();
        settings.push(format!("router.admission.enabled={admission}"));
        let server = Server::start(&args.binary, args.port_offset, &settings, cores).await?;
        let measured = measure(args, &server, &mut peak, &bar).await;
        server.stop().await?;
        let steps = measured?;
        curves.push(Curve { admission, steps });
    }
    bar.finish_and_clear();
    let results = Results {
        cores: cores.of_the_product,
        peak: peak.unwrap_or_default(),
        curves,
    };
    page::write(&args.results, &results)?;
    use std::io::Write as _;
    write!(std::io::stdout().lock(), "{}", page::table(&results)).context("standard output is gone")
}

/// The steps of one curve; the peak is the first curve's.
async fn measure(
    args: &Args,
    server: &Server,
    peak: &mut Option<f64>,
    bar: &ProgressBar,
) -> anyhow::Result<Vec<step::Step>> {
    let services = server.running();
    let shoppers = Arc::new(Shoppers::arrive(server).await?);
    // Pools, caches and just-opened connections.
    step::run(&shoppers, args.first_rate, Duration::from_secs(5)).await;
    let peak = match *peak {
        Some(peak) => peak,
        None => *peak.insert(find_peak(args, &shoppers, bar).await),
    };
    let mut steps = Vec::new();
    let mut add = |name: String, mut step: Step| {
        step.name = name;
        step.memory = memory::largest(&services);
        bar.println(page::row(&step, peak));
        steps.push(step);
    };
    for load in &args.loads {
        let step = step::run(&shoppers, peak * load, args.step).await;
        add(format!("{load} x"), step);
        sleep(PAUSE).await;
    }
    let step = step::run(&shoppers, peak * 0.5, args.step).await;
    add("0.5 x, 5 s after".into(), step);
    if args.herd > 0 {
        let herd = Herd::gather(server, &shoppers, args.herd);
        let took = herd.gathered().await?;
        bar.println(format!("{} streams open after {took:.1?}", args.herd));
        let broken = async {
            sleep(args.step / 4).await;
            herd.scatter();
            herd.gathered().await
        };
        let (step, took) = tokio::join!(step::run(&shoppers, peak * 2.0, args.step), broken);
        let (took, refused) = (took?, herd.refused());
        add(
            format!("2 x, {} streams return in {took:.1?}", args.herd),
            step,
        );
        bar.println(format!("{refused} times one was told to come again"));
    }
    anyhow::ensure!(server.running() == services, "a process was started again");
    Ok(steps)
}

/// Raises the rate by a fifth until less than 95 % comes in time; the best goodput seen is the peak.
async fn find_peak(args: &Args, shoppers: &Arc<Shoppers>, bar: &ProgressBar) -> f64 {
    let (mut rate, mut best) = (args.first_rate, 0.0_f64);
    loop {
        let step = step::run(shoppers, rate, Duration::from_secs(8)).await;
        best = best.max(step.goodput());
        bar.println(format!(
            "peak? {:.0}/s of {rate:.0}/s in time",
            step.goodput()
        ));
        if step.goodput() < rate * 0.95 {
            return best;
        }
        sleep(Duration::from_secs(2)).await;
        rate *= 1.2;
    }
}
