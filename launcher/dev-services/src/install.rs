//! Installs missing system packages where no question is asked: on Debian and Ubuntu, as root or with a sudo that needs
//! no password.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::account::is_root;
use crate::{Error, Progress, program, run};

/// The line that installs `packages`, as a person would type it.
#[must_use]
pub fn line(packages: &[&str]) -> String {
    let sudo = if is_root() { "" } else { "sudo " };
    format!(
        "{sudo}apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    )
}

/// Whether [`packages`] can install anything here without a question.
pub async fn is_possible() -> bool {
    let has_apt = Path::new("/etc/debian_version").exists() && program::find("apt-get").is_some();
    has_apt && (is_root() || sudo_needs_no_password().await)
}

/// Announces and installs `packages`.
///
/// # Errors
/// [`Error::Missing`] with the exact line where it cannot be done from here; [`Error::Failed`] when `apt-get` fails.
pub async fn packages(
    service: &'static str,
    what: &'static str,
    packages: &[&str],
    progress: &Progress,
) -> Result<(), Error> {
    let missing = || Error::Missing {
        what,
        fix: format!("on Debian or Ubuntu run: {}", line(packages)),
    };
    if !is_possible().await {
        return Err(missing());
    }
    let sudo = !is_root();
    progress.say(
        service,
        format!("{what} is missing, running: {}", line(packages)),
    );
    let line_of = |step: &'static str| move |seconds: u64| format!("{step} ({seconds} s)");
    let mut update = apt(sudo, &["update", "-q"]);
    // A stale package list may suffice, so only a failed installation counts.
    if let Err(error) = run::with_progress(
        "apt-get update",
        &mut update,
        service,
        progress,
        line_of("apt-get update"),
    )
    .await
    {
        tracing::debug!(%error, "apt-get update failed");
    }
    let mut arguments = vec!["install", "-y", "-q", "--no-install-recommends"];
    arguments.extend_from_slice(packages);
    let mut install = apt(sudo, &arguments);
    run::with_progress(
        "apt-get install",
        &mut install,
        service,
        progress,
        line_of("apt-get install"),
    )
    .await?;
    Ok(())
}

fn apt(sudo: bool, arguments: &[&str]) -> Command {
    let mut command = if sudo {
        Command::new("sudo")
    } else {
        Command::new("apt-get")
    };
    if sudo {
        command.args(["-n", "apt-get"]);
    }
    command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive");
    command
}

async fn sudo_needs_no_password() -> bool {
    let mut command = Command::new("sudo");
    command
        .args(["-n", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().await.is_ok_and(|status| status.success())
}
