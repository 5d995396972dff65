//! `marketplace`: see `marketplace --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    marketplace::main()
}
