//! `marketplace sdl`: the schemas as the code has them now, for composition and for readers.

use crate::cli::Schema;
use crate::output;

/// Prints one schema.
pub(crate) fn run(of: Schema) {
    let text = match of {
        Schema::Cart => cart::sdl(),
        Schema::Loms => loms::sdl(),
        Schema::Comments => comments::sdl(),
        Schema::Events => schema::sdl::EVENTS.to_owned(),
        Schema::Supergraph => schema::sdl::SUPERGRAPH.to_owned(),
    };
    output::result(text.trim_end());
    output::result("\n");
}
