//! Programs on the `PATH`.

use std::path::PathBuf;

use crate::environment;

/// The first file of this name in the folders of `PATH`.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    let files = environment::path()
        .into_iter()
        .map(|folder| folder.join(name));
    files.into_iter().find(|file| file.is_file())
}
