//! A copy of the tree in which mutants are applied and built, with a target folder of its own that is kept.
//!
//! Invariant: between two mutants the copy equals the tree that [`Scratch::prepare`] copied, and what has not changed
//! keeps its time of change, so that cargo builds again only what a patch touches.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, ensure};

/// Build results that dependents need. Executables in `deps` are large, and nothing is linked against them.
const LIBRARIES: [&str; 5] = ["rlib", "rmeta", "so", "dylib", "d"];

/// The scratch copy.
#[derive(Debug)]
pub(crate) struct Scratch {
    tree: PathBuf,
    target: PathBuf,
    /// The folder of this program's own build: `debug`, or a profile's name.
    profile_folder: String,
}

impl Scratch {
    /// Copies the files of `repository` that git knows or would add into `folder`, as they are in the working tree.
    /// A new target folder begins with the libraries of this program's own build.
    ///
    /// # Errors
    /// When git does not list the files, or a file cannot be copied.
    pub(crate) fn prepare(repository: &Path, folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let folder = folder.canonicalize()?;
        let program = std::env::current_exe().context("finding this program's own path")?;
        let own_build = program.parent().context("this program is in no folder")?;
        let profile_folder = own_build.file_name().context("the profile's folder")?;
        let scratch = Self {
            tree: folder.join("tree"),
            target: folder.join("target"),
            profile_folder: profile_folder.to_string_lossy().into_owned(),
        };
        scratch.copy_tree(repository)?;
        let build = scratch.target.join(&scratch.profile_folder);
        if !build.exists() {
            copy_build(own_build, &build)?;
        }
        Ok(scratch)
    }

    /// Makes the copy equal to the working tree, whatever an earlier run has left in it.
    fn copy_tree(&self, repository: &Path) -> anyhow::Result<()> {
        let is_new = !self.tree.exists();
        let files = list_files(repository)?;
        for file in &files {
            let (from, to) = (repository.join(file), self.tree.join(file));
            let text = std::fs::read(&from).with_context(|| from.display().to_string())?;
            if std::fs::read(&to).is_ok_and(|copied| copied == text) {
                continue;
            }
            copy(&from, &to, is_new)?;
        }
        for file in files_below(&self.tree)? {
            if !files.contains(file.strip_prefix(&self.tree)?) {
                std::fs::remove_file(&file).with_context(|| file.display().to_string())?;
            }
        }
        Ok(())
    }

    /// Applies a patch to the copy.
    ///
    /// # Errors
    /// When it does not apply.
    pub(crate) fn apply(&self, patch: &Path) -> anyhow::Result<()> {
        git_apply(&self.tree, &[], patch)
    }

    /// Takes a patch back.
    ///
    /// # Errors
    /// When the copy is not as the patch has left it.
    pub(crate) fn revert(&self, patch: &Path) -> anyhow::Result<()> {
        git_apply(&self.tree, &["--reverse"], patch)
    }

    /// Builds the marketplace of the copy, with its crash points and in the profile of this program. Returns its path.
    ///
    /// # Errors
    /// When it does not compile; the message has what the compiler said.
    pub(crate) fn build(&self) -> anyhow::Result<PathBuf> {
        let profile = match self.profile_folder.as_str() {
            "debug" => "dev",
            name => name,
        };
        let output = Command::new("cargo")
            .args(["build", "--quiet", "--profile", profile, "-p", "chaos"])
            .args(["--features", "under-test"])
            .args(["--bin", "marketplace-under-test"])
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            .output()
            .context("running cargo")?;
        ensure!(
            output.status.success(),
            "it does not build:\n{}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        let build = self.target.join(&self.profile_folder);
        Ok(build.join("marketplace-under-test"))
    }
}

/// Checks that a patch applies to the working tree, which stays as it is.
///
/// # Errors
/// When it does not; the message has git's reason.
pub(crate) fn check(repository: &Path, patch: &Path) -> anyhow::Result<()> {
    git_apply(repository, &["--check"], patch)
}

/// Runs `git apply` in `folder`, with paths from there. Inside of a repository git would take them from its root and
/// pass over every other path in silence, so it must not find one.
fn git_apply(folder: &Path, flags: &[&str], patch: &Path) -> anyhow::Result<()> {
    let folder = folder.canonicalize()?;
    let patch = patch.canonicalize()?;
    let output = Command::new("git")
        .args(["apply", "--whitespace=nowarn"])
        .args(flags)
        .arg(&patch)
        .current_dir(&folder)
        .env("GIT_DIR", folder.join("no-repository"))
        .output()
        .context("running git")?;
    ensure!(
        output.status.success(),
        "{} does not apply: {}",
        patch.display(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// The files that git knows, and new ones that it does not ignore, from the root of the repository.
fn list_files(repository: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(repository)
        .output()
        .context("running git")?;
    ensure!(
        status.success(),
        "git ls-files failed: {}",
        String::from_utf8_lossy(&stderr).trim()
    );
    let text = String::from_utf8(stdout).context("a file's name is not UTF-8")?;
    let files = text.split_terminator('\0').map(PathBuf::from);
    // A file that is deleted and not yet committed is still listed.
    Ok(files
        .filter(|file| repository.join(file).is_file())
        .collect())
}

/// Copies what cargo needs to take the libraries of one build for up to date in another.
fn copy_build(from: &Path, to: &Path) -> anyhow::Result<()> {
    for part in [".fingerprint", "build", "deps"] {
        for file in files_below(&from.join(part))? {
            let is_library = file
                .extension()
                .is_some_and(|it| LIBRARIES.iter().any(|library| it == *library));
            if part != "deps" || is_library {
                copy(&file, &to.join(file.strip_prefix(from)?), true)?;
            }
        }
    }
    Ok(())
}

/// Every file below a folder; none when it is not there.
fn files_below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    Ok(files)
}

/// Copies a file, with its time of change or as changed now.
fn copy(from: &Path, to: &Path, keeps_time: bool) -> anyhow::Result<()> {
    let copying = || -> std::io::Result<()> {
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::copy(from, to)?;
        if keeps_time {
            let modified = from.metadata()?.modified()?;
            File::options()
                .append(true)
                .open(to)?
                .set_modified(modified)?;
        }
        Ok(())
    };
    copying().with_context(|| format!("copying {}", from.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "A bug.\n\ndiff --git a/src/a.txt b/src/a.txt\n--- a/src/a.txt\n+++ b/src/a.txt\n\
                         @@ -1 +1 @@\n-right\n+wrong\n";

    fn git(folder: &Path, arguments: &[&str]) {
        let status = Command::new("git")
            .args(arguments)
            .current_dir(folder)
            .status();
        assert!(status.unwrap().success(), "{arguments:?}");
    }

    /// Seen red without `GIT_DIR`: the scratch copy is inside of the repository, and git applied nothing in silence.
    #[test]
    fn a_patch_is_applied_to_a_copy_inside_of_the_repository_and_taken_back() {
        let repository = tempfile::tempdir().unwrap();
        let root = repository.path();
        git(root, &["init", "--quiet"]);
        let (file, patch) = (root.join("src/a.txt"), root.join("bug.patch"));
        std::fs::create_dir(root.join("src")).unwrap();
        std::fs::write(&file, "right\n").unwrap();
        std::fs::write(&patch, PATCH).unwrap();
        std::fs::write(root.join(".gitignore"), "target\n").unwrap();

        let scratch = Scratch {
            tree: root.join("target/mutants/tree"),
            target: root.join("target/mutants/target"),
            profile_folder: "debug".to_owned(),
        };
        scratch.copy_tree(root).unwrap();
        let copied = scratch.tree.join("src/a.txt");
        check(root, &patch).unwrap();
        scratch.apply(&patch).unwrap();
        assert_eq!(std::fs::read_to_string(&copied).unwrap(), "wrong\n");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "right\n");
        scratch.revert(&patch).unwrap();
        assert_eq!(std::fs::read_to_string(&copied).unwrap(), "right\n");

        // A run that was broken off leaves its patch; the next copy mends that, and removes what the tree lost.
        scratch.apply(&patch).unwrap();
        std::fs::write(scratch.tree.join("gone.txt"), "").unwrap();
        scratch.copy_tree(root).unwrap();
        assert_eq!(std::fs::read_to_string(&copied).unwrap(), "right\n");
        assert!(!scratch.tree.join("gone.txt").exists());

        std::fs::write(&file, "other\n").unwrap();
        let error = check(root, &patch).unwrap_err().to_string();
        assert!(error.contains("does not apply"), "{error}");
    }
}
