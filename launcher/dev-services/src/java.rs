//! Finds or installs the Java that Kafka runs on.

use std::path::PathBuf;

use tokio::process::Command;

use crate::{Error, Progress, environment, install, program};

/// The oldest Java that runs Kafka 4.
pub const LEAST_MAJOR: u32 = 17;

/// The locale of every JVM: in one without UTF-8, as `C` is, Java reads no path with other letters than ASCII's.
pub(crate) const LOCALE: (&str, &str) = ("LC_ALL", "C.UTF-8");

/// A Java that is new enough.
#[derive(Debug, Clone)]
pub struct Java {
    /// The program.
    pub program: PathBuf,
    /// Its full version, `17.0.15` for one.
    pub version: String,
}

impl Java {
    /// Its program, to be given arguments.
    pub(crate) fn command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(&self.program);
        command.envs([LOCALE]);
        command
    }
}

/// Finds Java 17 or newer: `JAVA_HOME`, then the path.
pub async fn find() -> Option<Java> {
    let home = environment::java_home().map(|home| home.join("bin/java"));
    for program in home.into_iter().chain(program::find("java")) {
        let Ok(output) = Command::new(&program).arg("-version").output().await else {
            continue;
        };
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        if let Some(version) = parse_version(&text)
            && major(&version).is_some_and(|major| major >= LEAST_MAJOR)
        {
            return Some(Java { program, version });
        }
    }
    None
}

/// Finds Java, or installs it where that can be done.
///
/// # Errors
/// [`Error::Missing`] with the line to run.
pub async fn find_or_install(progress: &Progress) -> Result<Java, Error> {
    if let Some(java) = find().await {
        return Ok(java);
    }
    install::packages(
        "kafka",
        "Java 17 or newer",
        &["default-jre-headless"],
        progress,
    )
    .await?;
    find().await.ok_or_else(|| Error::Missing {
        what: "Java 17 or newer",
        fix: "install one and set JAVA_HOME".into(),
    })
}

fn parse_version(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.contains(" version \""))?;
    line.split('"').nth(1).map(str::to_owned)
}

fn major(version: &str) -> Option<u32> {
    version.split(['.', '-', '+']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_any_vendor() {
        for (text, expected) in [
            (
                "openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime",
                17,
            ),
            (
                "Picked up JAVA_TOOL_OPTIONS: -Xshare\njava version \"25\" 2025-09-16",
                25,
            ),
            ("openjdk version \"21-ea\" 2023-09-19", 21),
            ("java version \"1.8.0_402\"", 1),
        ] {
            assert_eq!(
                major(&parse_version(text).unwrap()),
                Some(expected),
                "{text}"
            );
        }
    }
}
