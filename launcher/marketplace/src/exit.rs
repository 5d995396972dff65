//! How a process ends that an error has stopped.

use std::io::{self, Write as _};
use std::process::ExitCode;

/// The exit code of a service that another process keeps from its port: the number of the system's error, on Linux.
pub(crate) const TAKEN: u8 = 98;

/// Prints the error's chain in one line, what failed and then why, and says with which code to end.
pub(crate) fn with_error(error: &anyhow::Error) -> ExitCode {
    let described = chassis::fault::chain(error.as_ref());
    if writeln!(io::stderr().lock(), "marketplace: {described}").is_err() {
        return ExitCode::from(2);
    }
    let causes = error.chain().filter_map(|cause| cause.downcast_ref());
    let mut kinds = causes.map(io::Error::kind);
    if kinds.any(|kind| kind == io::ErrorKind::AddrInUse) {
        ExitCode::from(TAKEN)
    } else {
        ExitCode::FAILURE
    }
}
