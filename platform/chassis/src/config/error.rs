//! Why settings cannot be used: each message has the name, the origin and the way to mend it.

use std::path::PathBuf;

use super::origin::Origin;
use super::setting::{Kind, Setting};

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The named file does not exist.
    #[error("the settings file {0} does not exist; name another with --config")]
    NoFile(PathBuf),
    /// The file is there and cannot be read.
    #[error(
        "the settings file {file} cannot be read: {reason}; fix its permissions or name another with --config"
    )]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{file}:{line}: {reason}; the file is TOML, as `marketplace config print` writes it")]
    Syntax {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What the parser says.
        reason: String,
    },
    /// A name that no setting has.
    #[error("{origin} names an unknown setting: {name}; {hint}")]
    Unknown {
        /// The variable, line or flag.
        origin: Origin,
        /// The name.
        name: String,
        /// The nearest name, or where all are listed.
        hint: String,
    },
    /// A variable and the same one with `_FILE` are both given.
    #[error("{variable} and {variable}_FILE are both set; keep one of them")]
    Both {
        /// The variable's name.
        variable: String,
    },
    /// The file that a variable with `_FILE` names cannot be read.
    #[error(
        "{variable} = {file}: {reason}; it must be a readable file that holds the value of {setting}"
    )]
    SecretFile {
        /// The variable's name.
        variable: String,
        /// The file.
        file: PathBuf,
        /// The setting that is meant.
        setting: String,
        /// What the system says.
        reason: std::io::Error,
    },
    /// A value of the wrong form or out of its bounds.
    #[error("{setting} = {value} ({origin}) is invalid: {reason}; write {expected}")]
    Value {
        /// The setting's path.
        setting: String,
        /// The value as given; `***` for a secret.
        value: String,
        /// Where the value came from.
        origin: Box<Origin>,
        /// What is wrong.
        reason: String,
        /// What is expected, with an example.
        expected: String,
    },
}

/// A bound from here on is the type's own and would only be noise in a sentence.
const LARGE: u64 = 2_147_483_647;

/// What a setting expects, in words, with its default as the example.
pub(super) fn expected(setting: &Setting) -> String {
    let default = match &setting.default {
        serde_json::Value::Null => return setting.kind.to_string(),
        default => default,
    };
    match setting.kind {
        Kind::Secret => setting.kind.to_string(),
        _ => format!("{}, for instance {default}", setting.kind),
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text { filled: true } => f.write_str("a string that is not empty"),
            Self::Text { filled: false } | Self::Secret => f.write_str("a string"),
            Self::Url => f.write_str("an http or https URL"),
            Self::Address => f.write_str("an IP address and port"),
            Self::Switch => f.write_str("true or false"),
            Self::Whole {
                min: Some(min),
                max: Some(max),
            } if *max < LARGE => write!(f, "an integer from {min} to {max}"),
            Self::Whole { min: Some(min), .. } => write!(f, "an integer, at least {min}"),
            Self::Whole { .. } => f.write_str("an integer"),
            Self::Number {
                min: Some(min),
                max: Some(max),
            } => write!(f, "a number from {min} to {max}"),
            Self::Number { .. } => f.write_str("a number"),
            Self::Duration { above_zero: true } => f.write_str("a duration above 0"),
            Self::Duration { above_zero: false } => f.write_str("a duration, 0s included"),
            Self::OneOf(variants) => {
                let names: Vec<_> = variants.iter().map(|(name, _)| name.as_str()).collect();
                write!(f, "one of {}", names.join(", "))
            }
            Self::List { min: 0 } => f.write_str("a list of strings"),
            Self::List { min } => write!(f, "a list of strings, at least {min}"),
            Self::Table => f.write_str("strings by name"),
        }
    }
}
