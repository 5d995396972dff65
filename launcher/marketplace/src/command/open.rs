//! `marketplace open`: a page of the running marketplace, in this machine's browser.

use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::cli::Page;
use crate::output;
use crate::settings::Settings;
use crate::up::record;

/// What opens an address, by the systems that have it.
const OPENERS: [&str; 3] = ["xdg-open", "open", "wslview"];

/// Prints the page's address, and shows it where the machine has a browser.
///
/// # Errors
/// When nothing runs in this folder.
pub(crate) fn run(settings: &Settings, page: Page) -> anyhow::Result<()> {
    let running = record::find(&settings.state_dir)?;
    let record = running.and_then(|it| it.record).with_context(|| {
        let folder = settings.state_dir.display();
        format!("nothing runs in {folder}; `marketplace up` starts it")
    })?;
    let path = match page {
        Page::Playground => "",
        Page::Shop => "shop",
        Page::Live => "live",
        Page::Ops => "ops",
    };
    let address = format!("http://{}/{path}", record.router);
    output::result(&format!("{address}\n"));
    let is_shown = OPENERS.iter().any(|opener| {
        let mut command = Command::new(opener);
        command.arg(&address).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    });
    if !is_shown {
        output::progress(
            "open",
            "no browser was found here: open the address yourself",
        );
    }
    Ok(())
}
