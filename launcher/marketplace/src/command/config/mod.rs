//! `marketplace config`: the settings in force, and what settings there are.

mod print;
mod reference;

use anyhow::Context as _;

use crate::cli::{Common, ConfigAction, ConfigFormat, ReferenceFormat};
use crate::output;
use crate::settings::Settings;

/// Prints what was asked for. The reference needs no settings, so a wrong one does not hide it.
///
/// # Errors
/// When the settings are refused.
pub(crate) fn run(action: &ConfigAction, common: &Common) -> anyhow::Result<()> {
    let text = match action {
        ConfigAction::Print { format, json, .. } => {
            let loaded = Settings::load_with_origins(common)?;
            match format {
                ConfigFormat::Toml if !json => print::toml(&loaded),
                ConfigFormat::Toml | ConfigFormat::Json => print::json(&loaded),
            }
        }
        ConfigAction::Reference { format } => match format {
            ReferenceFormat::Markdown => reference::markdown(),
            ReferenceFormat::JsonSchema => {
                let schema = schemars::schema_for!(Settings);
                serde_json::to_string_pretty(&schema).context("the schema as JSON")?
            }
        },
    };
    output::result(text.trim_end());
    output::result("\n");
    Ok(())
}
