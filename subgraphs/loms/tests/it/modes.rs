//! Both ways to commit: every test of this binary runs with changes that share transactions, and once more without.

use std::process::Command;

/// Set for the run without.
const ALONE: &str = "LOMS_TESTS_COMMIT_ALONE";

/// Whether each change has a transaction of its own in this run.
#[expect(
    clippy::disallowed_methods,
    reason = "how one run of this binary tells the other"
)]
pub(crate) fn is_alone() -> bool {
    std::env::var_os(ALONE).is_some()
}

#[test]
fn every_property_holds_with_a_transaction_for_each_change_too() {
    if is_alone() {
        return;
    }
    let tests = std::env::current_exe().unwrap();
    // What does not commit, or chooses its way itself, has run already.
    let skipped = [
        "away::",
        "failover::",
        "group::",
        "held::",
        "sdl::",
        "modes::",
    ];
    let skip = skipped.iter().flat_map(|name| ["--skip", name]);
    let run = Command::new(tests).args(skip).env(ALONE, "yes").output();
    let run = run.unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}");
}
