//! What an operator is shown and told: the boards and rules of `observability/`, held against a live marketplace.
//!
//! Invariant: nothing is drawn or alerted on that no process emits, and each alert has its page in the runbook.

mod board;
mod demo;
mod live;
pub(crate) mod prometheus;
mod rule;
mod selector;

use std::path::{Path, PathBuf};

/// A file or folder of the project.
pub(crate) fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// A file of the project as text.
pub(crate) fn read(path: &str) -> String {
    let file = project(path);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
