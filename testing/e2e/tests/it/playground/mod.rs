//! The user with a browser: the pages in headless Chromium, and the ten operations of the playground over HTTP.
//!
//! The browser resolves no name and the pages' policy allows no other address, so whatever is seen works offline.
//! Invariant: a step waits for what a person would see before the next one; nothing sleeps.

mod operations;
mod page;
mod plain;
mod shop;

use std::path::Path;

/// The files of the playground's operations, in order.
fn operation_files() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../router/web/src/operations");
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    let texts = names.iter().map(std::fs::read_to_string);
    texts.collect::<Result<_, _>>().unwrap()
}

/// The name in the first line `query Name`, `mutation Name` or `subscription Name`, which is the title of its tab.
fn operation_name(text: &str) -> &str {
    let first = text
        .lines()
        .find(|line| !line.starts_with('#'))
        .expect("an operation");
    let name = first.split([' ', '(']).nth(1);
    name.expect("the operation has a name")
}
