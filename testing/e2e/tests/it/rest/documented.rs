//! docs/contracts.md says which test holds a promise; here the names are looked up, so a renamed test is noticed.

use std::{fs, path::Path};

use anyhow::{Context, ensure};

use super::table::Table;

/// Looks up every case of the suite and every Rust test that the page names.
pub(super) fn check(table: &Table) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/contracts.md"))?;
    // A name may go over the end of a line.
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    for name in page
        .split('“')
        .skip(1)
        .filter_map(|rest| rest.split('”').next())
    {
        let start = name.trim_end_matches('…').trim_end();
        let whole = start == name;
        let found = table
            .names()
            .any(|case| case == name || !whole && case.starts_with(start));
        ensure!(found || name == "…", "no case {name:?}");
    }
    let mut sources = String::new();
    for folder in [
        "launcher/product-service/tests",
        "platform",
        "router",
        "schema",
        "subgraphs",
        "testing/e2e/tests",
    ] {
        read_into(&mut sources, &root.join(folder))?;
    }
    for name in page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|text| is_test_name(text))
    {
        ensure!(sources.contains(&format!("fn {name}(")), "no test {name}");
    }
    Ok(())
}

/// A test's name is a sentence: at least four words.
fn is_test_name(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    text.bytes().all(word) && text.matches('_').count() >= 3
}

fn read_into(text: &mut String, folder: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            read_into(text, &path)?;
        } else if path.extension().is_some_and(|it| it == "rs") {
            text.push_str(&fs::read_to_string(&path)?);
        }
    }
    Ok(())
}
