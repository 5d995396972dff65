//! `chaos run`: rounds against the product as it is.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use indicatif::ProgressBar;

use crate::cli::{Run, Tier};
use crate::environment;
use crate::outcome::Outcome;
use crate::output::{print, progress_bar};
use crate::report;
use crate::round::{self, Plan};

/// Runs the rounds that the results file does not have yet. Returns whether every promise held.
///
/// # Errors
/// When a round cannot be run to its end.
pub(crate) async fn run(flags: &Run) -> anyhow::Result<bool> {
    let program = environment::program()?;
    let seeds = flags.seeds.as_ref().map(|seeds| seeds.0.clone());
    let known = report::read(&flags.results)?;
    let held = |seed: u64| {
        known
            .iter()
            .any(|it| it.seed == seed && it.violations.is_empty())
    };
    let (bar, mut outcomes) = (progress_bar(), Vec::new());
    for seed in seeds.unwrap_or_else(|| flags.tier.seeds()) {
        if flags.tier != Tier::Ci && held(seed) {
            continue;
        }
        let plan = Plan {
            rate: flags.rate.unwrap_or(flags.tier.rate()),
            mutations: flags.tier.mutations(),
            kills: !flags.no_kills,
            group_commit: seed % 2 == 1,
            ..Plan::new(seed, program.clone(), &flags.environment)?
        };
        let outcome = run_round(&plan, &bar).await?;
        report::append(&flags.results, &outcome)?;
        outcomes.push(outcome);
    }
    bar.finish_and_clear();
    print(&report::describe(&outcomes))?;
    let broken = outcomes.iter().filter(|it| !it.violations.is_empty());
    let broken: Vec<u64> = broken.map(|it| it.seed).collect();
    for seed in broken.iter().filter(|_| !flags.no_kills) {
        let folder = failed_folder(&flags.environment.folder, *seed);
        print(&format!(
            "Run it again: make chaos SEEDS={seed}; its logs and topic are in {}\n",
            folder.display()
        ))?;
    }
    Ok(broken.is_empty())
}

/// Runs one round and prints a line about it.
async fn run_round(plan: &Plan, bar: &ProgressBar) -> anyhow::Result<Outcome> {
    let mut outcome = round::run(plan, bar).await?;
    outcome.commit = report::commit();
    bar.suspend(|| print(&summary(&outcome)))?;
    if outcome.violations.is_empty() {
        environment::remove(&plan.folder)?;
    } else {
        keep(plan)?;
    }
    Ok(outcome)
}

fn summary(outcome: &Outcome) -> String {
    let verdict = match outcome.violations.as_slice() {
        [] => "every promise held".to_owned(),
        violations => format!("BROKEN\n  {}", violations.join("\n  ")),
    };
    let kills: u64 = outcome.kills.values().sum();
    format!(
        "seed {}: {kills} kills, {} done, {} refused, {} retries, {} events, {} repeats, {} frames, {:.0} s: {verdict}\n",
        outcome.seed,
        outcome.done,
        outcome.refused,
        outcome.retries,
        outcome.events,
        outcome.repeats,
        outcome.frames,
        outcome.seconds,
    )
}

/// Moves the folder of a round that failed to where the next round does not remove it.
fn keep(plan: &Plan) -> anyhow::Result<()> {
    let kept = failed_folder(&plan.folder, plan.seed);
    environment::remove(&kept)?;
    std::fs::rename(&plan.folder, &kept).with_context(|| kept.display().to_string())
}

/// Where a failed round's folder is kept. Postgres' own data is there too, unless its account could not get into the
/// folder; its logs always are.
fn failed_folder(folder: &Path, seed: u64) -> PathBuf {
    folder.with_file_name(format!("failed-{seed}"))
}
