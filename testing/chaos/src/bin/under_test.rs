//! The marketplace with its crash points compiled in. Only the chaos suite runs it.

use std::process::ExitCode;

fn main() -> ExitCode {
    marketplace::main()
}
