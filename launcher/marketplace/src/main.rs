//! `marketplace`: see `marketplace --help`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// The router builds and drops thousands of small values per response; with the system's allocator that is a quarter of its time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    marketplace::main()
}
