//! `chaos mutants`: puts one known bug after the other into a copy of the product, and demands that rounds show it.
//!
//! The bugs are `testing/mutants/*.patch` ([`patch`]); they are applied and built in a scratch copy of the tree
//! ([`scratch`]), so the working tree stays as it is.

mod patch;
mod scratch;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use indicatif::ProgressBar;

use self::patch::Mutant;
use self::scratch::Scratch;
use crate::cli::Mutants;
use crate::environment;
use crate::output::{print, progress_bar};
use crate::round::{self, Plan};

/// Where the patches are, from the root of the repository.
const FOLDER: &str = "testing/mutants";
/// Rounds that a mutant may take to be caught.
const ROUNDS: usize = 3;
/// Mutations that each round must see answered.
const MUTATIONS: u64 = 500;

/// What became of one mutant.
enum Verdict {
    Caught { seed: u64, violations: Vec<String> },
    Survived,
}

/// Tries the mutants that `flags` name. Returns whether all were caught; with `--check`, whether all apply.
///
/// # Errors
/// When a patch is malformed or does not apply, the patched product does not build, or a round does not end.
pub(crate) async fn run(flags: &Mutants) -> anyhow::Result<bool> {
    let repository = repository()?;
    let mutants = select(patch::list(&repository.join(FOLDER))?, &flags.only)?;
    if flags.list {
        for mutant in &mutants {
            print(&format!("{}: {}\n", mutant.name, mutant.summary()))?;
        }
        return Ok(true);
    }
    for mutant in &mutants {
        scratch::check(&repository, &mutant.file)?;
    }
    if flags.check {
        print(&format!("{} mutants apply\n", mutants.len()))?;
        return Ok(true);
    }
    let bar = progress_bar();
    bar.set_message("copying the tree");
    let scratch = Scratch::prepare(&repository, &flags.scratch)?;
    print("| Mutant | Bug | Seed | Caught by |\n|---|---|---|---|\n")?;
    let mut all_caught = true;
    for mutant in &mutants {
        let verdict = try_mutant(mutant, &scratch, flags, &bar)
            .await
            .with_context(|| mutant.name.clone())?;
        all_caught &= matches!(verdict, Verdict::Caught { .. });
        bar.suspend(|| print(&row(mutant, &verdict)))?;
    }
    bar.finish_and_clear();
    Ok(all_caught)
}

/// The root of the repository that the working directory is in.
fn repository() -> anyhow::Result<PathBuf> {
    let output = Command::new("git")
        .args(["rev-parse", "--show-toplevel"])
        .output()
        .context("running git")?;
    ensure!(
        output.status.success(),
        "mutants need a git checkout: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let path = String::from_utf8(output.stdout).context("the path of the repository")?;
    Ok(PathBuf::from(path.trim_end()))
}

/// The mutants with these names; all when there are none.
fn select(mutants: Vec<Mutant>, names: &[String]) -> anyhow::Result<Vec<Mutant>> {
    if names.is_empty() {
        return Ok(mutants);
    }
    for name in names {
        ensure!(
            mutants.iter().any(|mutant| mutant.name == *name),
            "there is no mutant `{name}`; `chaos mutants --list` prints all"
        );
    }
    let chosen = mutants
        .into_iter()
        .filter(|mutant| names.contains(&mutant.name));
    Ok(chosen.collect())
}

/// Applies and builds one mutant, runs rounds against it, and takes the patch back.
async fn try_mutant(
    mutant: &Mutant,
    scratch: &Scratch,
    flags: &Mutants,
    bar: &ProgressBar,
) -> anyhow::Result<Verdict> {
    bar.set_position(0);
    bar.set_message(format!("{}: building", mutant.name));
    scratch.apply(&mutant.file)?;
    let verdict = match scratch.build() {
        Ok(program) => catch(mutant, &program, flags, bar).await,
        Err(error) => Err(error),
    };
    scratch.revert(&mutant.file)?;
    verdict
}

/// Runs rounds until one breaks a promise. Some bugs need two transactions to meet, which a single round may miss.
async fn catch(
    mutant: &Mutant,
    program: &Path,
    flags: &Mutants,
    bar: &ProgressBar,
) -> anyhow::Result<Verdict> {
    for seed in (flags.seed..).take(ROUNDS) {
        let plan = Plan {
            rate: flags.rate,
            mutations: MUTATIONS,
            group_commit: mutant.group_commit,
            every_point: false,
            ..Plan::new(seed, program.to_owned(), &flags.environment)?
        };
        // A round that does not end says nothing about the bug: it is an error, not a catch.
        let violations = round::run(&plan, bar).await?.violations;
        environment::remove(&plan.folder)?;
        if !violations.is_empty() {
            return Ok(Verdict::Caught { seed, violations });
        }
    }
    Ok(Verdict::Survived)
}

fn row(mutant: &Mutant, verdict: &Verdict) -> String {
    let (seed, by) = match verdict {
        Verdict::Caught { seed, violations } => {
            (seed.to_string(), examples(violations).replace('|', "/"))
        }
        Verdict::Survived => ("-".to_owned(), "**nothing**".to_owned()),
    };
    let (name, summary) = (&mutant.name, mutant.summary().replace('|', "/"));
    format!("| {name} | {summary} | {seed} | {by} |\n")
}

/// One violation of each kind: a machine that is too slow breaks promises too, and must not hide what the bug broke.
fn examples(violations: &[String]) -> String {
    let kind = |violation: &str| violation.split([' ', ':']).next().map(str::to_owned);
    let mut kinds = BTreeSet::new();
    let first_of_its_kind = violations.iter().filter(|it| kinds.insert(kind(it)));
    first_of_its_kind.cloned().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    fn all() -> Vec<Mutant> {
        patch::list(&root().join(FOLDER)).unwrap()
    }

    #[test]
    fn every_mutant_still_applies() {
        for mutant in all() {
            scratch::check(&root(), &mutant.file).unwrap();
        }
    }

    /// docs/reliability.md lists each mutant with what catches it.
    #[test]
    fn every_documented_mutant_has_a_patch_and_every_patch_is_documented() {
        let page = std::fs::read_to_string(root().join("docs/reliability.md")).unwrap();
        let (_, table) = page
            .split_once("| Mutant | Caught by |\n|---|---|\n")
            .unwrap();
        let rows = table.lines().take_while(|line| line.starts_with('|'));
        let documented: BTreeSet<_> = rows
            .map(|line| line.split('|').nth(1).unwrap().trim().to_owned())
            .collect();
        let patches: BTreeSet<_> = all().into_iter().map(|mutant| mutant.name).collect();
        assert_eq!(documented, patches);
    }

    #[test]
    fn the_report_has_one_violation_of_each_kind() {
        let violations = ["I2: a", "I2 while it went on: b", "I3: c", "entities: d"];
        let violations = violations.map(str::to_owned);
        assert_eq!(examples(&violations), "I2: a; I3: c; entities: d");
    }

    #[test]
    fn mutants_are_chosen_by_name_and_an_unknown_name_is_an_error() {
        let mutant = |name: &str| Mutant {
            name: name.to_owned(),
            story: "A bug.".to_owned(),
            group_commit: true,
            file: PathBuf::new(),
        };
        let names =
            |chosen: Vec<Mutant>| -> Vec<String> { chosen.into_iter().map(|it| it.name).collect() };
        let mutants = || vec![mutant("a"), mutant("b")];
        assert_eq!(names(select(mutants(), &[]).unwrap()), ["a", "b"]);
        assert_eq!(names(select(mutants(), &["b".into()]).unwrap()), ["b"]);
        let error = select(mutants(), &["c".into()]).unwrap_err().to_string();
        assert!(error.contains("no mutant `c`"), "{error}");
    }
}
