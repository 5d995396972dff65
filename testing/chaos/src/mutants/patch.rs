//! One mutant as a file: its story, then a diff.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

/// A line of the story that runs the rounds without group commit.
const GROUP_COMMIT_OFF: &str = "Group commit: off";

/// A known bug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mutant {
    /// The file's name without `.patch`.
    pub(crate) name: String,
    /// What stands above the diff; its first paragraph sums it up.
    pub(crate) story: String,
    /// Whether its rounds run with group commit. Without it, transactions of two orders can meet.
    pub(crate) group_commit: bool,
    pub(crate) file: PathBuf,
}

impl Mutant {
    /// What is wrong, in a sentence: the story's first paragraph on one line.
    pub(crate) fn summary(&self) -> String {
        let paragraph = self.story.split("\n\n").next().unwrap_or_default();
        paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn parse(file: &Path, text: &str) -> anyhow::Result<Self> {
        let name = file.file_stem().and_then(|stem| stem.to_str());
        let diff = text
            .match_indices("diff --git ")
            .map(|(start, _)| start)
            .find(|start| *start == 0 || text[..*start].ends_with('\n'))
            .context("it has no diff: no line begins with `diff --git`")?;
        let story = text[..diff].trim();
        ensure!(
            !story.is_empty(),
            "it has no story: say above the diff what the bug is"
        );
        Ok(Self {
            name: name.context("its name is not UTF-8")?.to_owned(),
            group_commit: story.lines().all(|line| line.trim() != GROUP_COMMIT_OFF),
            story: story.to_owned(),
            file: file.to_owned(),
        })
    }
}

/// Reads every `*.patch` of a folder, in the order of their names.
///
/// # Errors
/// When the folder cannot be read, or a patch lacks its story or its diff; the message names the file.
pub(crate) fn list(folder: &Path) -> anyhow::Result<Vec<Mutant>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut mutants = Vec::new();
    for entry in entries {
        let file = entry?.path();
        if file.extension().is_some_and(|it| it == "patch") {
            let read = std::fs::read_to_string(&file).map_err(anyhow::Error::from);
            let mutant = read.and_then(|text| Mutant::parse(&file, &text));
            mutants.push(mutant.with_context(|| file.display().to_string())?);
        }
    }
    mutants.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(mutants)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "diff --git a/x.rs b/x.rs\n--- a/x.rs\n+++ b/x.rs\n@@ -1 +1 @@\n-a\n+b\n";

    fn parse(text: &str) -> anyhow::Result<Mutant> {
        Mutant::parse(Path::new("testing/mutants/lost-unit.patch"), text)
    }

    #[test]
    fn the_story_is_what_stands_above_the_diff_and_its_first_paragraph_sums_it_up() {
        let text =
            format!("A unit is lost\nwhen two orders meet.\n\nA `diff --git` of words.\n\n{DIFF}");
        let mutant = parse(&text).unwrap();
        assert_eq!(mutant.name, "lost-unit");
        assert_eq!(mutant.summary(), "A unit is lost when two orders meet.");
        assert!(mutant.story.ends_with("of words."), "{}", mutant.story);
        assert!(mutant.group_commit);
    }

    #[test]
    fn a_story_can_switch_group_commit_off() {
        let mutant = parse(&format!("A unit is lost.\n\nGroup commit: off\n\n{DIFF}")).unwrap();
        assert!(!mutant.group_commit);
        assert_eq!(mutant.summary(), "A unit is lost.");
    }

    #[test]
    fn a_patch_without_a_story_or_without_a_diff_is_refused() {
        for (text, lacks) in [
            (DIFF, "no story"),
            ("", "no diff"),
            ("A story alone.", "no diff"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(lacks), "{error}");
        }
    }

    #[test]
    fn patches_are_listed_by_name_and_other_files_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.patch", "a.patch"] {
            std::fs::write(folder.path().join(name), format!("A bug.\n\n{DIFF}")).unwrap();
        }
        std::fs::write(folder.path().join("README.md"), "not a patch").unwrap();
        let names: Vec<_> = list(folder.path()).unwrap();
        let names: Vec<_> = names.iter().map(|mutant| mutant.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        std::fs::write(folder.path().join("c.patch"), DIFF).unwrap();
        let error = format!("{:#}", list(folder.path()).unwrap_err());
        assert!(error.contains("c.patch"), "{error}");
    }
}
