//! `marketplace sdl`: the schemas as the code has them now, for composition and for readers.

use crate::cli::Schema;
use crate::output;

/// Prints one schema.
///
/// # Errors
/// When the built-in supergraph cannot be loaded, which is a defect.
pub(crate) fn run(of: Schema) -> anyhow::Result<()> {
    let text = match of {
        Schema::Cart => cart::sdl(),
        Schema::Loms => loms::sdl(),
        Schema::Comments => comments::sdl(),
        Schema::Events => schema::sdl::EVENTS.to_owned(),
        Schema::Supergraph => schema::sdl::SUPERGRAPH.to_owned(),
        Schema::Api => router::engine::api_schema()?,
    };
    output::result(text.trim_end());
    output::result("\n");
    Ok(())
}
