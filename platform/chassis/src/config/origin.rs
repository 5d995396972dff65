//! Where a value came from, in words that find it again.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody gave one.
    Default,
    /// A line of the settings file, counted from 1.
    File(PathBuf, usize),
    /// An environment variable, by name.
    Variable(String),
    /// A file that an environment variable names, for secrets of containers.
    VariableFile(String, PathBuf),
    /// A flag, as it was typed.
    Flag(String),
    /// It follows another setting or flag, which is named.
    Follows(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(file, line) => write!(f, "{}:{line}", file.display()),
            Self::Variable(name) => write!(f, "env {name}"),
            Self::VariableFile(name, file) => write!(f, "env {name}, file {}", file.display()),
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Follows(what) => write!(f, "follows {what}"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
