//! `marketplace config print`.

use anyhow::Context as _;

use crate::output;
use crate::settings::Settings;

/// Prints every setting in force as TOML; a secret shows as `***`.
///
/// # Errors
/// When a value has no TOML form.
pub(crate) fn print(settings: &Settings) -> anyhow::Result<()> {
    let text = toml::to_string_pretty(settings).context("the settings as TOML")?;
    output::result(&text);
    Ok(())
}
