//! Puts the built playground into the binary of a release, which then needs no folder beside it. A debug build reads the folder,
//! so that `npm run build` shows at once; `EMBED_PLAYGROUND=1` has it embed the pages too.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The variable that has a debug build embed the pages.
const EMBED: &str = "EMBED_PLAYGROUND";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={EMBED}");
    #[expect(
        clippy::disallowed_methods,
        reason = "how cargo tells a build script of the build"
    )]
    let variable = |name| env::var(name).unwrap_or_default();
    let dist = Path::new(&variable("CARGO_MANIFEST_DIR")).join("web/dist");
    let is_wanted = variable("PROFILE") == "release" || variable(EMBED) == "1";
    let mut files = Vec::new();
    if is_wanted {
        // One that is missing counts as changed, so that building it later is enough.
        println!("cargo::rerun-if-changed={}", dist.display());
        if dist.join("index.html").exists() {
            files.push(("index.html".to_owned(), dist.join("index.html")));
            files.extend(assets(&dist.join("assets"))?);
        } else {
            println!(
                "cargo::warning=the playground is not built, so it is not embedded; run `make playground` first"
            );
        }
    }
    let mut text = String::from("&[\n");
    for (name, path) in &files {
        let path = path.display().to_string();
        writeln!(text, "    ({name:?}, include_bytes!({path:?})),").map_err(io::Error::other)?;
    }
    text.push_str("]\n");
    fs::write(Path::new(&variable("OUT_DIR")).join("playground.rs"), text)
}

/// Name and path of each file in a folder, in order.
fn assets(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        found.push((format!("assets/{name}"), entry.path()));
    }
    found.sort();
    Ok(found)
}
