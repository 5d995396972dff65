//! The settings file: TOML, read so that each value knows its line.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};

use super::error::Error;

/// The file that is read from the working directory when no other is named.
pub const FILE: &str = "marketplace.toml";

/// One value of the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// The path, as in `router.listen`.
    pub(super) path: String,
    /// The value; an empty object for a table without entries.
    pub(super) value: Json,
    /// Its line, counted from 1.
    pub(super) line: usize,
}

/// The file to read: the named one, which must exist, or [`FILE`] where it does.
pub(super) fn find(named: Option<&Path>) -> Result<Option<PathBuf>, Error> {
    match named {
        Some(path) if path.is_file() => Ok(Some(path.to_owned())),
        Some(path) => Err(Error::NoFile(path.to_owned())),
        None => Ok(Some(PathBuf::from(FILE)).filter(|path| path.is_file())),
    }
}

/// Reads every value with its line.
pub(super) fn read(file: &Path) -> Result<Vec<Entry>, Error> {
    let text = std::fs::read_to_string(file).map_err(|reason| Error::Unreadable {
        file: file.to_owned(),
        reason,
    })?;
    let syntax = |error: toml::de::Error| Error::Syntax {
        file: file.to_owned(),
        line: line(&text, error.span().map_or(0, |span| span.start)),
        reason: error.message().to_owned(),
    };
    let spans = DeTable::parse(&text).map_err(syntax)?;
    let values: Json = toml::from_str(&text).map_err(syntax)?;
    let mut entries = Vec::new();
    collect(&text, "", spans.get_ref(), &values, &mut entries);
    Ok(entries)
}

fn collect(text: &str, path: &str, spans: &DeTable<'_>, values: &Json, entries: &mut Vec<Entry>) {
    for (name, span) in spans {
        let path = match path {
            "" => name.get_ref().to_string(),
            path => format!("{path}.{}", name.get_ref()),
        };
        let value = &values[name.get_ref().as_ref()];
        match span.get_ref() {
            DeValue::Table(below) if !below.is_empty() => {
                collect(text, &path, below, value, entries);
            }
            _ => entries.push(Entry {
                path,
                value: value.clone(),
                line: line(text, name.span().start),
            }),
        }
    }
}

fn line(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}
