//! `marketplace clean-data`.

use anyhow::Context as _;
use dev_services::state::StateDir;

use crate::output;
use crate::settings::Settings;

/// Deletes the state folder, and the data that Postgres keeps elsewhere when it cannot reach that folder.
///
/// # Errors
/// When an `up` still holds the folder, or a file cannot be deleted.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<()> {
    if !settings.state_dir.exists() {
        output::result("nothing to delete\n");
        return Ok(());
    }
    let state = StateDir::open(&settings.state_dir)?;
    for folder in [state.system(), state.root()] {
        if folder.exists() {
            std::fs::remove_dir_all(folder)
                .with_context(|| format!("deleting {}", folder.display()))?;
            output::result(&format!("deleted {}\n", folder.display()));
        }
    }
    Ok(())
}
