//! The marketplace with its crash points and mutants compiled in. Nobody runs it but the chaos suite.

use std::process::ExitCode;

fn main() -> ExitCode {
    marketplace::main()
}
