//! `chaos`: see `chaos --help`, or `make chaos`.

mod arena;
mod buyers;
mod cli;
mod clients;
mod journal;
mod killer;
mod mutation;
mod point;
mod probes;
mod report;
mod round;
mod schedule;
mod watch;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use chassis::mutant::Mutant;
use clap::Parser as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::point::Point;
use cli::{ArenaFlags, Cli, Command, Mutants, Run};
use round::{Plan, Round};

/// Rounds that a mutant may take to be caught.
const MUTANT_ROUNDS: usize = 3;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = runtime
        .context("the runtime")
        .and_then(|runtime| match &cli.command {
            Command::Run(flags) => runtime.block_on(Box::pin(run(flags))),
            Command::Mutants(flags) => runtime.block_on(Box::pin(mutants(flags))),
            Command::Report { file } => {
                tell(&report::describe(&report::read(file)?)).map(|()| true)
            }
        });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let told = writeln!(std::io::stderr().lock(), "chaos: {error:#}");
            ExitCode::from(if told.is_ok() { 2 } else { 3 })
        }
    }
}

/// Fights the rounds that are not on file yet; whether all held.
async fn run(flags: &Run) -> anyhow::Result<bool> {
    let seeds = flags.seeds.as_ref().map(|seeds| seeds.0.clone());
    let seeds = seeds.unwrap_or_else(|| flags.tier.seeds());
    let known = report::read(&flags.results)?;
    let held = |seed: u64| {
        known
            .iter()
            .any(|it| it.seed == seed && it.violations.is_empty())
    };
    let (bar, mut fought) = (bar(), Vec::new());
    for seed in seeds {
        if flags.tier != cli::Tier::Ci && held(seed) {
            continue;
        }
        let plan = Plan {
            rate: flags.rate.unwrap_or(flags.tier.rate()),
            mutations: flags.tier.mutations(),
            kills: !flags.no_kills,
            group_commit: seed % 2 == 1,
            ..plan(seed, &flags.arena)?
        };
        let round = fight(&plan, &bar).await?;
        report::append(&flags.results, &round)?;
        fought.push(round);
    }
    bar.finish_and_clear();
    let (_, broken) = (tell(&report::describe(&fought))?, broken(&fought));
    for round in broken.iter().filter(|_| !flags.no_kills) {
        let (seed, folder) = (round.seed, kept(&flags.arena.folder, round.seed));
        let folder = folder.display();
        tell(&format!(
            "Again: make chaos SEEDS={seed}; the logs and the topic are in {folder}\n"
        ))?;
    }
    Ok(broken.is_empty())
}

fn broken(rounds: &[Round]) -> Vec<&Round> {
    let broken = rounds.iter().filter(|it| !it.violations.is_empty());
    broken.collect()
}

/// One round, told in a line.
async fn fight(plan: &Plan, bar: &ProgressBar) -> anyhow::Result<Round> {
    let mut round = round::run(plan, bar).await?;
    round.commit = report::commit();
    let kills: u64 = round.kills.values().sum();
    bar.suspend(|| {
        tell(&format!(
            "seed {}: {} kills, {} done, {} refused, {} retries, {} events, {} repeats, {} frames, {:.0} s: {}\n",
            round.seed,
            kills,
            round.done,
            round.refused,
            round.retries,
            round.events,
            round.repeats,
            round.frames,
            round.seconds,
            match round.violations.as_slice() {
                [] => "every promise held".to_owned(),
                wrong => format!("BROKEN\n  {}", wrong.join("\n  ")),
            }
        ))
    })?;
    match round.violations.is_empty() {
        true => remove(&plan.folder)?,
        false => keep(plan)?,
    }
    Ok(round)
}

/// Puts the logs of a round that failed where the next round does not remove them.
fn keep(plan: &Plan) -> anyhow::Result<()> {
    let kept = kept(&plan.folder, plan.seed);
    remove(&kept)?;
    std::fs::rename(&plan.folder, &kept).with_context(|| kept.display().to_string())
}

/// Where a failed round's folder is kept. Postgres' own data is there too, unless its account could not get into the
/// folder; its logs always are.
fn kept(folder: &Path, seed: u64) -> PathBuf {
    folder.with_file_name(format!("failed-{seed}"))
}

/// Switches on one bug after the other; whether each was caught.
async fn mutants(flags: &Mutants) -> anyhow::Result<bool> {
    let unknown = flags.only.iter();
    let unknown: Vec<_> = unknown
        .filter(|name| Mutant::ALL.iter().all(|it| it.name() != name.as_str()))
        .collect();
    anyhow::ensure!(unknown.is_empty(), "no such mutant: {unknown:?}");
    let wanted =
        |it: &Mutant| flags.only.is_empty() || flags.only.iter().any(|name| name == it.name());
    let (bar, mut survivors) = (bar(), Vec::new());
    tell("| Mutant | Seed | Caught by |\n|---|---|---|\n")?;
    for mutant in Mutant::ALL.into_iter().filter(wanted) {
        let (seed, caught) = catch(mutant, flags, &bar).await?;
        let told = match caught.as_slice() {
            [] => "**nothing**".to_owned(),
            caught => caught
                .iter()
                .take(3)
                .cloned()
                .collect::<Vec<_>>()
                .join("; "),
        };
        let (name, told) = (mutant.name(), told.replace('|', "/"));
        bar.suspend(|| tell(&format!("| {name} | {seed} | {told} |\n")))?;
        if caught.is_empty() {
            survivors.push(name);
        }
    }
    bar.finish_and_clear();
    Ok(survivors.is_empty())
}

/// Fights rounds with the bug until one shows it, and says which seed that was and what was wrong. A bug that needs two
/// to meet may go unseen in a round; one that three rounds do not show is not caught.
async fn catch(
    mutant: Mutant,
    flags: &Mutants,
    bar: &ProgressBar,
) -> anyhow::Result<(u64, Vec<String>)> {
    for seed in (flags.seed..).take(MUTANT_ROUNDS) {
        let plan = Plan {
            rate: flags.rate,
            mutations: 500,
            // Where one task decides everything, two transactions never meet, and ids come in the order of the commits.
            group_commit: !matches!(
                mutant,
                Mutant::CheckThenWrite | Mutant::UnsortedLocks | Mutant::RelayCursorOnSerialId
            ),
            mutant: Some(mutant.name()),
            ..plan(seed, &flags.arena)?
        };
        // A round that does not get to its end says nothing of the bug.
        let round = round::run(&plan, bar).await;
        let caught = round.with_context(|| mutant.name())?.violations;
        remove(&plan.folder)?;
        if !caught.is_empty() {
            return Ok((seed, caught));
        }
    }
    Ok((flags.seed, Vec::new()))
}

fn plan(seed: u64, flags: &ArenaFlags) -> anyhow::Result<Plan> {
    let folder = std::path::absolute(&flags.folder).context("--folder")?;
    Ok(Plan {
        seed,
        program: arena::program()?,
        folder,
        offset: flags.port_offset,
        rate: 60.0,
        mutations: 0,
        patience: flags.patience(),
        replay_step: flags.replay_step,
        kills: true,
        group_commit: true,
        mutant: None,
    })
}

/// A bar of a round's kills on a terminal; elsewhere each round has its line.
fn bar() -> ProgressBar {
    let all = 2 * Point::ALL.len() as u64;
    let bar = ProgressBar::with_draw_target(Some(all), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("  [{bar:32}] {pos} of {len} kills, {msg}");
    bar.set_style(
        style
            .expect("the template is well formed")
            .progress_chars("=> "),
    );
    bar
}

/// Removes a round's folder, and what Postgres had elsewhere because its account could not get into that folder.
fn remove(folder: &Path) -> anyhow::Result<()> {
    if let Ok(state) = folder.join("state").canonicalize() {
        let apart = dev_services::state::system_dir(&state);
        if apart.exists() {
            std::fs::remove_dir_all(&apart).with_context(|| apart.display().to_string())?;
        }
    }
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    Ok(())
}

fn tell(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
